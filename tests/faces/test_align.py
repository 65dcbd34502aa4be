"""Frames turned, scaled and cropped to the face of the onset."""

import pickle
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfrnet.datasets.synthetic_motion import MIRROR
from dfrnet.faces import TEMPLATE, AlignedFrames, align_frames
from dfrnet.faces import align as module
from dfrnet.faces.align import similarity, warp
from dfrnet.faces.template import STIFF
from dfrnet.types import UserError


@dataclass(frozen=True)
class Pictures:
    pictures: tuple[np.ndarray, ...]

    @property
    def times(self):
        return np.arange(len(self.pictures)) / 30

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        return self.pictures[index]


def matrix_of(angle, scale, shift):
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


def applied(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


def in_large_picture(picture, matrix, size=(640, 480)):
    return cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


angles, scales = st.floats(-3, 3), st.floats(0.1, 10)
shifts = st.tuples(st.floats(-500, 500), st.floats(-500, 500))
seeds = st.integers(0, 1000)


@given(angles, scales, shifts, seeds)
def test_a_known_similarity_is_recovered(angle, scale, shift, seed):
    points = np.random.default_rng(seed).uniform(0, 300, (6, 2))
    wanted = matrix_of(angle, scale, shift)
    np.testing.assert_allclose(similarity(points, applied(wanted, points)), wanted, rtol=1e-8, atol=1e-6)


@given(seeds)
def test_no_other_similarity_comes_nearer(seed):
    """Against Umeyama's own formula, with its singular value decomposition."""
    rng = np.random.default_rng(seed)
    source, target = rng.normal(0, 50, (2, 9, 2))
    out, onto = source - source.mean(0), target - target.mean(0)
    u, d, v = np.linalg.svd(onto.T @ out / 9)
    sign = np.diag([1, np.sign(np.linalg.det(u) * np.linalg.det(v))])
    scale = np.trace(np.diag(d) @ sign) / out.var(0).sum()
    turn = scale * u @ sign @ v
    wanted = np.column_stack([turn, target.mean(0) - turn @ source.mean(0)])
    np.testing.assert_allclose(similarity(source, target), wanted, atol=1e-9)


def test_a_mirrored_target_is_never_matched_by_a_mirror():
    points = np.random.default_rng(0).uniform(0, 1, (8, 2))
    assert np.linalg.det(similarity(points, points * [-1, 1])[:, :2]) > 0


def test_the_template_is_a_symmetrical_upright_face_inside_the_crop():
    assert TEMPLATE.shape == (68, 2)
    np.testing.assert_allclose(TEMPLATE[list(MIRROR)], TEMPLATE * [-1, 1] + [1, 0], atol=1e-6)
    assert TEMPLATE.min() > 0.1
    assert TEMPLATE.max() < 0.95
    assert set(STIFF) == {MIRROR[k] for k in STIFF}


def test_the_template_is_the_layout_of_the_drawn_faces(drawn_clips):
    """So a drawn face is left about as it is."""
    for clip in drawn_clips[::3]:
        aligned = align_frames(clip.frames, clip.onset, 128)
        moved = applied(aligned.matrix, clip.frames.landmarks(clip.onset)) - clip.frames.landmarks(clip.onset)
        assert np.linalg.norm(moved, axis=1).mean() < 6  # people differ in size: half of it is that
        assert np.hypot(*aligned.matrix[:, 0]) == pytest.approx(1, abs=0.12)
        np.testing.assert_allclose(aligned.points[list(STIFF)], TEMPLATE[list(STIFF)] * 128 - 0.5, atol=5)


@pytest.mark.parametrize(
    ("angle", "scale", "shift"), [(0.3, 2.6, (180, 40)), (-0.2, 1.4, (80, 220)), (0, 4, (60, -20))]
)
def test_a_drawn_face_comes_back_from_anywhere(drawn_clips, angle, scale, shift):
    """True landmarks of the face in a large picture land where those of the small one do, and so do the pixels."""
    clip = drawn_clips[1]
    frame, truth = clip.frames[clip.onset], clip.frames.landmarks(clip.onset)
    matrix = matrix_of(angle, scale, shift)
    near = align_frames(Pictures((frame, frame)), 0, 128)
    far = align_frames(Pictures((in_large_picture(frame, matrix),) * 2), 0, 128)
    there, here = applied(far.matrix, applied(matrix, truth)), applied(near.matrix, truth)
    assert np.linalg.norm(there - here, axis=1).mean() < 1.2
    difference = np.abs(far[1].astype(float) - near[1])[20:108, 20:108]
    assert np.corrcoef(far[1][20:108, 20:108].ravel(), near[1][20:108, 20:108].ravel())[0, 1] > 0.95
    assert np.median(difference) < 6


def test_only_the_onset_frame_is_looked_at(drawn_clips, monkeypatch):
    """Landmarks that shake in every frame are no motion: one matrix serves them all."""
    frame = drawn_clips[0].frames[0]
    looked = []
    find = module.find_face
    monkeypatch.setattr(module, "find_face", lambda image, name: looked.append(image) or find(image, name))
    aligned = align_frames(Pictures((frame,) * 6), 2, 96)
    for crop in aligned:
        np.testing.assert_array_equal(crop, aligned[2])
    assert len(looked) == 1


def test_a_sequence_of_grey_crops(drawn_clips):
    clip = drawn_clips[0]
    frames = Pictures(tuple(clip.frames[i] for i in range(4)))
    aligned = align_frames(frames, 1, 64)
    assert isinstance(aligned, AlignedFrames)
    assert len(aligned) == 4
    np.testing.assert_array_equal(aligned.times, frames.times)
    for index in range(4):
        assert aligned[index].shape == (64, 64)
        assert aligned[index].dtype == np.uint8
        np.testing.assert_array_equal(aligned[index], aligned[index - 4])
    for index in (4, -5):
        with pytest.raises(IndexError):
            aligned[index]
    assert len(list(aligned)) == 4
    np.testing.assert_array_equal(align_frames(frames, -3, 64)[1], aligned[1])


def test_the_onset_crop_is_kept_and_cannot_be_spoilt(drawn_clips):
    frame = drawn_clips[0].frames[0]
    aligned = align_frames(Pictures((frame,) * 2), 0, 64)
    aligned[0][:] = 0
    np.testing.assert_array_equal(aligned[0], aligned[1])
    # A copy in a worker process gives the same pictures.
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(aligned))[1], aligned[1])


def test_grey_frames(drawn_clips):
    frame = drawn_clips[0].frames[0]
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    colour, plain = (align_frames(Pictures((f, f)), 0, 128) for f in (frame, grey))
    assert np.abs(colour.points - plain.points).max() < 2
    assert plain[1].shape == (128, 128)


def test_no_face(drawn_clips):
    face, blank = drawn_clips[0].frames[0], np.zeros((128, 128, 3), np.uint8)
    with pytest.raises(UserError, match=r"no face found in its onset frame \(position 1\).*align=none"):
        align_frames(Pictures((face, blank, face)), 1, 64)


def test_frames_of_different_sizes(drawn_clips):
    face = drawn_clips[0].frames[0]
    aligned = align_frames(Pictures((face, np.zeros((100, 90, 3), np.uint8))), 0, 64)
    with pytest.raises(UserError, match=r"position 1 is 90x100 pixels .*position 0, 128x128"):
        aligned[1]


def test_warping_averages_what_it_shrinks():
    """Stripes of one pixel become even grey, where plain interpolation leaves a false pattern."""
    stripes = np.zeros((600, 600), np.uint8)
    stripes[:, ::2] = 200
    matrix = matrix_of(0.05, 0.21, (5, 3))
    plain = cv2.warpAffine(stripes, matrix, (100, 100), flags=cv2.INTER_LINEAR)
    assert np.std(warp(stripes, matrix, 100)[20:80, 20:80]) < 12
    assert np.std(plain[20:80, 20:80]) > 40


@given(st.floats(0.2, 3), st.floats(-1, 1))
def test_warping_moves_nothing(scale, angle):
    """A ramp, which every average keeps, lies where the matrix says, whatever is done inside."""
    y, x = np.mgrid[:300, :300]
    ramp = np.rint(40 + 0.3 * x + 0.2 * y).astype(np.uint8)
    matrix = matrix_of(angle, scale, (0, 0))
    matrix[:, 2] = 31.5 - matrix[:, :2] @ [150, 150]
    crop = warp(ramp, matrix, 64).astype(float)
    back = cv2.invertAffineTransform(matrix)
    row, column = np.mgrid[24:40, 24:40]
    source = applied(back, np.stack([column.ravel(), row.ravel()], 1))
    wanted = 40 + 0.3 * source[:, 0] + 0.2 * source[:, 1]
    assert np.abs(crop[24:40, 24:40].ravel() - wanted).mean() < 0.6
