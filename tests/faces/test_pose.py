"""How a head is turned: turned points, and a photograph that is mirrored and turned."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dfrnet.faces.mesh import detect, mesh_3d
from dfrnet.faces.pose import ACROSS, UPRIGHT, head_pose
from dfrnet.frames import read_image
from trees import REPOSITORY


def straight():
    """A made-up mesh that looks straight ahead: pairs level and equally deep, forehead above chin."""
    points = np.random.default_rng(3).normal(size=(468, 3)) * 40
    for k, (left, right) in enumerate(ACROSS):
        points[left], points[right] = (-40 - 9 * k, -20 + k, 5 * k), (40 + 9 * k, -20 + k, 5 * k)
    points[UPRIGHT[0]], points[UPRIGHT[1]] = (3, -70, -8), (3, 75, -8)
    return points


def turned(points, yaw, pitch, roll):
    """Nose to the right, down, and clockwise, by single turns in the order of a neck: yaw first."""
    y, p, r = np.radians([yaw, pitch, roll])
    # With z away from the camera the nose, at -z, goes right when z goes left.
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return points @ (about_z @ about_x @ about_y).T


angle = st.floats(-70, 70)


@given(angle, angle, st.floats(-170, 170), st.floats(0.1, 10))
def test_angles_come_back(yaw, pitch, roll, size):
    mesh = size * turned(straight(), yaw, pitch, roll) + (300, 200, 50)
    np.testing.assert_allclose(head_pose(mesh), (yaw, pitch, roll), atol=1e-6)


def test_what_the_signs_mean():
    nose = np.array([0.0, 0.0, -1.0])
    assert turned(nose, 20, 0, 0)[0] > 0  # to the right of the picture
    assert turned(nose, 0, 20, 0)[1] > 0  # down
    across = turned(np.array([1.0, 0, 0]), 0, 0, 20)
    assert across[1] > 0  # x turns towards y, which points down: clockwise


def test_a_point_for_a_face_does_not_divide_by_zero():
    assert np.isfinite(head_pose(np.zeros((468, 3), np.float32))).all()


def pose(image):
    return head_pose(mesh_3d(image, detect(image)[0])[0])


def test_a_photograph_mirrored_and_turned():
    image = read_image(REPOSITORY / "tests/data/single_face.jpg")
    plain, mirrored = pose(image), pose(np.ascontiguousarray(image[:, ::-1]))
    assert abs(plain.yaw) < 12
    assert abs(plain.pitch) < 12
    assert abs(plain.yaw + mirrored.yaw) < 5
    assert abs(plain.pitch - mirrored.pitch) < 5
    middle = (image.shape[1] / 2, image.shape[0] / 2)
    spun = cv2.warpAffine(image, cv2.getRotationMatrix2D(middle, -25, 1), image.shape[1::-1])  # clockwise
    assert abs(pose(spun).roll - plain.roll - 25) < 5
