"""Patches around the points of brows and mouth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dfrnet.faces import LANDMARKERS, TEMPLATE, Face, align_frames, dlib68, find_face
from dfrnet.features import FLOWS, MAPS, FeatureSpec, clip_features, extract
from dfrnet.features import patches as module
from dfrnet.features.maps import Movement
from dfrnet.features.patches import CHANGES, LANDMARKS, PATCHES, SIDE, onset_points, patch
from dfrnet.frames import grey_square, read_image
from dfrnet.types import UserError
from trees import REPOSITORY

SPEC = FeatureSpec(maps=PATCHES + CHANGES, size=SIDE, scale="none")


@pytest.fixture(scope="module")
def clip(drawn_clips):
    """The first drawn clip with its frames drawn once."""
    one = drawn_clips[0]
    return replace(one, frames=[one.frames[i] for i in range(len(one.frames))])


@pytest.fixture(scope="module")
def photo():
    return read_image(REPOSITORY / "tests" / "data" / "single_face.jpg")


def movement(frames, positions=(0, 0, 0), side=128):
    onset, apex = (grey_square(frames[position], side) for position in positions[:2])
    return Movement(onset, apex, FLOWS["dis"], "median", frames, positions)


def test_thirty_points_in_the_order_of_300_w():
    assert len(LANDMARKS) == len(PATCHES) == len(CHANGES) == 30
    assert list(LANDMARKS) == sorted(LANDMARKS)
    assert LANDMARKS[:10] == (17, 18, 19, 20, 21, 22, 23, 24, 25, 26)
    assert set(LANDMARKS[10:]) == set(range(48, 68))
    assert set(PATCHES + CHANGES) <= set(MAPS)


@given(arrays.arrays(np.uint8, st.tuples(st.integers(7, 12), st.integers(7, 12))), st.floats(-9, 20), st.floats(-9, 20))
def test_a_patch_replicates_what_lies_outside(image, x, y):
    """Against a picture that was padded first."""
    wide = np.pad(image, 24, mode="edge")
    column, row = round(x) + 24, round(y) + 24
    found = patch(image, np.array([x, y], np.float32))
    assert (found.shape, found.dtype) == ((7, 7), np.float32)
    if abs(x % 1 - 0.5) > 1e-3 and abs(y % 1 - 0.5) > 1e-3:
        np.testing.assert_array_equal(found, wide[row - 3 : row + 4, column - 3 : column + 4])


def test_patches_show_the_onset_and_the_change(clip):
    found = extract(clip.frames, SPEC, clip.onset, clip.apex).maps
    onset, apex = (grey_square(clip.frames[k], 128).astype(int) for k in (clip.onset, clip.apex))
    points = find_face(clip.frames[clip.onset]).points
    for row, landmark in enumerate(LANDMARKS):
        x, y = np.rint(points[landmark]).astype(int)
        here = slice(y - 3, y + 4), slice(x - 3, x + 4)
        np.testing.assert_array_equal(found[row], onset[here])
        np.testing.assert_array_equal(found[row] + found[30 + row], apex[here])


def test_the_face_is_looked_for_once(clip, monkeypatch):
    calls = []
    monkeypatch.setattr(module, "find_face", lambda *asked: calls.append(1) or find_face(*asked))
    extract(clip.frames, SPEC, clip.onset, clip.apex)
    assert calls == [1]


def test_aligned_frames_bring_their_points(photo):
    frames = align_frames([photo], 0, 128)
    np.testing.assert_allclose(onset_points(movement(frames)), frames.points, atol=1e-4)
    np.testing.assert_allclose(onset_points(movement(frames, side=64)), (frames.points + 0.5) / 2 - 0.5, atol=1e-4)


def test_a_cropped_picture_that_is_no_square_is_stretched_with_its_points(photo):
    """The points must lie where the face lies after the square was made."""
    points = find_face(photo).points
    low, high = points.min(0).astype(int) - 40, points.max(0).astype(int) + 30
    crop = photo[low[1] : high[1], low[0] : high[0]]
    assert crop.shape[0] != crop.shape[1]
    found = onset_points(movement([crop]))
    expected = (points - low + 0.5) * 128 / (crop.shape[1], crop.shape[0]) - 0.5
    assert np.hypot(*(found - expected)[list(LANDMARKS)].T).max() < 4


@pytest.mark.parametrize("side", [64, 128])
def test_without_a_face_the_average_places_count(side):
    noise = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)
    assert find_face(noise) is None
    found = onset_points(movement([noise], side=side))
    np.testing.assert_array_equal(found, TEMPLATE * side - 0.5)
    assert found.dtype == np.float32


@pytest.mark.parametrize("cropped", [True, False])
def test_the_points_are_those_of_the_landmarks_that_were_chosen(photo, clip, monkeypatch, cropped):
    """Of a landmarker that sees every face eight pixels further to the right."""

    def beside(image):
        return [Face(face.points + np.float32([8, 0]), face.score) for face in LANDMARKERS["mediapipe"](image)]

    monkeypatch.setitem(LANDMARKERS, "beside", beside)
    frames = [photo, np.roll(photo, 2, axis=1)]
    one = replace(clip, frames=frames, onset=0, apex=1, offset=1, cropped=cropped)
    found = clip_features(one, replace(SPEC, landmarks="beside")).maps
    if cropped:
        onset = grey_square(photo, 128)
        points = (find_face(photo).points + np.float32([8.5, 0.5])) * 128 / (photo.shape[1], photo.shape[0]) - 0.5
    else:
        aligned = align_frames(frames, 0, 128, landmarks="beside")
        onset, points = aligned[0], aligned.points
    np.testing.assert_array_equal(found[:30], [patch(onset, points[landmark]) for landmark in LANDMARKS])
    assert not np.array_equal(found, clip_features(one, SPEC).maps)


def test_dlib_is_asked_for_where_it_is_chosen(clip, monkeypatch, tmp_path):
    monkeypatch.setattr(dlib68, "SYSTEM_FOLDER", tmp_path)
    monkeypatch.setattr(dlib68, "PACKAGE", "no_such_package")
    dlib68._load.cache_clear()
    assert clip.cropped
    with pytest.raises(UserError, match=r"needs .*pip install 'dfrnet\[dlib\]'"):
        clip_features(clip, replace(SPEC, landmarks="dlib"))


def test_an_uncropped_clip_is_aligned_first(photo, clip):
    frames = [photo, np.roll(photo, 2, axis=1)]
    one = replace(clip, frames=frames, onset=0, apex=1, offset=1, cropped=False)
    aligned = align_frames(frames, 0, 128)
    found = clip_features(one, SPEC).maps
    np.testing.assert_array_equal(found[0], patch(aligned[0], aligned.points[17]))
    np.testing.assert_array_equal(found[-1], patch(aligned[1], aligned.points[67]) - found[29])
