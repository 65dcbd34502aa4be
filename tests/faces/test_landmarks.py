"""Finding faces: pinned on two free photographs, against the truth of drawn faces, and where there is no face."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from dfrnet.datasets.synthetic_motion import MIRROR
from dfrnet.faces import LANDMARKERS, find_face, find_faces
from dfrnet.faces.landmarks import MESH_68
from dfrnet.frames import read_image
from dfrnet.types import UserError

DATA = Path(__file__).parents[1] / "data"
# fmt: off
SINGLE = (
    (192, 257), (194, 276), (199, 316), (205, 337), (212, 354), (221, 365), (241, 384), (261, 396), (277, 398),
    (293, 396), (320, 384), (347, 364), (359, 351), (369, 333), (375, 311), (377, 269), (377, 250),  # jaw
    (200, 231), (206, 222), (217, 218), (232, 218), (249, 220), (286, 218), (305, 216), (322, 214), (338, 218),
    (348, 226), (268, 242), (267, 262), (266, 281), (265, 293), (249, 303), (259, 308), (269, 309), (280, 308),
    (292, 302), (215, 249), (224, 246), (237, 245), (249, 249), (239, 252), (226, 252), (294, 248), (307, 243),
    (320, 243), (331, 246), (318, 249), (305, 250), (237, 329), (249, 323), (260, 322), (271, 323), (284, 321),
    (298, 321), (319, 326), (298, 347), (287, 352), (274, 354), (263, 353), (254, 349), (243, 330), (264, 329),
    (273, 329), (284, 328), (314, 327), (285, 342), (274, 343), (265, 342),
)
# fmt: on
"""Looked at on the picture; dlib's points of eyes, nose and lips lie 2.5 % of the eyes' distance from them."""

MULTI = (
    ((246, 103), (287, 112), (261, 146)), ((346, 284), (388, 282), (369, 327)), ((461, 249), (496, 250), (478, 283)),
    ((557, 354), (600, 358), (573, 399)), ((714, 339), (759, 344), (730, 386)),
)  # fmt: skip
"""Two eyes and the mouth of each person, from left to right."""


@cache
def photograph(name):
    return read_image(DATA / f"{name}_face.jpg")


@cache
def single():
    return find_face(photograph("single"))


def eye_distance(points):
    return float(np.hypot(*(points[45] - points[36])))


def miss(found, truth):
    """Mean distance of eyes, nose and lips, as a share of the distance of the outer corners of the eyes."""
    return float(np.linalg.norm(found[27:] - truth[27:], axis=1).mean()) / eye_distance(truth)


def centres(points):
    return np.array([points[36:42].mean(0), points[42:48].mean(0), points[48:60].mean(0)])


def test_one_face_pinned():
    face = single()
    assert face.points.shape == (68, 2)
    assert face.mesh.shape == (468, 2)
    assert face.points.dtype == face.mesh.dtype == np.float32
    assert 0.8 < face.score <= 1
    assert np.abs(face.points - SINGLE).max() < 0.02 * eye_distance(face.points)
    assert len(find_faces(photograph("single"))) == 1


def test_five_people_from_left_to_right():
    faces = find_faces(photograph("multi"))
    assert len(faces) == len(MULTI)
    for face, wanted in zip(faces, MULTI, strict=True):
        assert np.abs(centres(face.points) - wanted).max() < 0.05 * eye_distance(face.points)


def test_the_most_prominent_is_the_largest_of_equally_sure_ones():
    # The same man twice in one picture, once at half the size.
    man = photograph("single")[100:420, 120:440]
    picture = np.zeros((400, 640, 3), np.uint8)
    picture[:320, 320:] = man
    picture[100:260, 80:240] = cv2.resize(man, (160, 160), interpolation=cv2.INTER_AREA)
    left, right = find_faces(picture)
    found = find_face(picture)
    np.testing.assert_array_equal(found.points, right.points)
    assert eye_distance(left.points) == pytest.approx(0.5 * eye_distance(right.points), rel=0.05)


def test_the_points_lie_as_a_face_does():
    for face in [single(), *find_faces(photograph("multi"))]:
        points, unit = face.points, eye_distance(face.points)
        right, left, mouth = centres(points)
        assert right[0] < left[0]
        assert max(right[1], left[1]) + 0.4 * unit < mouth[1]
        assert (points[17:22].mean(0)[1] < right[1]) & (points[22:27].mean(0)[1] < left[1])
        assert mouth[1] < points[8, 1]
        assert (np.diff(points[:17, 0]) > -0.05 * unit).all()  # the jaw runs from left to right
        assert points[27, 1] < points[28, 1] < points[29, 1] < points[30, 1] < points[33, 1]


def test_the_table_has_each_point_once():
    assert len(MESH_68) == len(set(MESH_68)) == 68
    assert 0 <= min(MESH_68) <= max(MESH_68) < 468


def test_a_mirrored_picture_gives_the_mirrored_face():
    picture = photograph("single")
    found = find_face(np.ascontiguousarray(picture[:, ::-1])).points * [-1, 1] + [picture.shape[1] - 1, 0]
    assert miss(found[list(MIRROR)], single().points) < 0.03


def test_grey_and_colour_agree():
    grey = cv2.cvtColor(photograph("single"), cv2.COLOR_RGB2GRAY)
    assert miss(find_face(grey).points, single().points) < 0.03


def test_turned_shifted_and_shrunk():
    turn = cv2.getRotationMatrix2D((284, 290), 20, 0.5)
    turn[:, 2] += (100, -60)
    picture = cv2.warpAffine(photograph("single"), turn, (640, 480), flags=cv2.INTER_AREA)
    truth = single().points @ turn[:, :2].T + turn[:, 2]
    assert miss(find_face(picture).points, truth) < 0.03


@pytest.mark.parametrize("share", [1.2, 1.0, 0.8, 0.7])
def test_a_tight_crop(share):
    """From the whole face to one that is cut at the brows, the chin and the ears; at 128 pixels and less."""
    low, high = single().mesh.min(0), single().mesh.max(0)
    centre, half = (low + high) / 2, (high - low) / 2 * share
    (left, top), (right, bottom) = (centre - half).astype(int), (centre + half).astype(int)
    crop = np.ascontiguousarray(photograph("single")[top:bottom, left:right])
    for size in (None, 128, 64):
        scale = 1.0 if size is None else size / max(crop.shape[:2])
        small = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        truth = (single().points - [left, top] + 0.5) * scale - 0.5
        assert miss(find_face(small).points, truth) < 0.05, size


def test_a_small_face_in_a_large_picture():
    picture = np.full((480, 640, 3), 90, np.uint8)
    picture[200:300, 400:500] = cv2.resize(
        photograph("single")[140:420, 140:420], (100, 100), None, 0, 0, cv2.INTER_AREA
    )
    truth = (single().points - 140 + 0.5) * (100 / 280) - 0.5 + [400, 200]
    assert miss(find_face(picture).points, truth) < 0.05


def test_near_the_truth_of_drawn_faces(drawn_clips):
    for clip in drawn_clips[::3]:
        for size in (128, 512):
            truth = (clip.frames.landmarks(clip.onset) + 0.5) * (size / 128) - 0.5
            picture = cv2.resize(clip.frames[clip.onset], (size, size), interpolation=cv2.INTER_CUBIC)
            face = find_face(picture)
            assert miss(face.points, truth) < 0.05
            assert np.linalg.norm(face.points - truth, axis=1).max() < 0.25 * eye_distance(truth)


def no_faces():
    y, x = np.mgrid[:480, :640]
    rng = np.random.default_rng(0)
    return {
        "black": np.zeros((480, 640), np.uint8),
        "white": np.full((128, 128, 3), 255, np.uint8),
        "gradient": (255 * x / 640).astype(np.uint8),
        "noise": rng.integers(0, 256, (480, 640, 3), dtype=np.uint8),
        "clouds": cv2.GaussianBlur(rng.integers(0, 256, (480, 640, 3), dtype=np.uint8), (0, 0), 5),
        "chequers": (255 * ((x // 20 + y // 20) % 2)).astype(np.uint8),
        "landscape": photograph("single")[:180, :180],
        "one pixel": np.zeros((1, 1), np.uint8),
        "a line": np.zeros((2, 900, 3), np.uint8),
    }


@pytest.mark.parametrize("name", no_faces())
def test_no_face(name):
    assert find_face(no_faces()[name]) is None
    assert find_faces(no_faces()[name]) == []


def test_no_face_in_a_cartoon(shared):
    film = cv2.VideoCapture(str(shared / "data/videos/no_face.mp4"))
    for position in (0, 40, 80):
        film.set(cv2.CAP_PROP_POS_FRAMES, position)
        read, frame = film.read()
        if not read:
            pytest.skip("no such film here")
        assert find_faces(np.ascontiguousarray(frame[..., ::-1])) == []


def test_the_same_picture_gives_the_same_points_in_every_thread():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        faces = list(pool.map(find_face, [photograph("single")] * 8))
    for face in faces:
        np.testing.assert_array_equal(face.mesh, single().mesh)


@pytest.mark.parametrize("image", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)])
def test_what_is_no_picture(image):
    with pytest.raises(UserError, match="must be uint8"):
        find_face(image)


def test_an_unknown_landmarker():
    with pytest.raises(UserError, match="did you mean 'mediapipe'"):
        find_face(photograph("single"), "mediapip")
    assert list(LANDMARKERS) == ["mediapipe", "dlib"]
