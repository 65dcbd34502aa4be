"""Temporal interpolation against the model as its paper writes it, LBP-TOP against loops and scikit-image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import local_binary_pattern

from dfrnet.features.maps import Movement
from dfrnet.features.tim import (
    LENGTH,
    PICTURE_SIDE,
    PLANES,
    TIM_MAPS,
    block_numbers,
    histograms,
    interpolated,
    patterns,
    tim_weights,
)

every_plane = pytest.mark.parametrize("plane", PLANES)


class Watched(list):
    """Frames that remember which of them were read."""

    def __init__(self, frames):
        super().__init__(frames)
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return super().__getitem__(index)


def noise(frames, side=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (frames, side, side), dtype=np.uint8)


def movement(frames, onset=0, offset=None):
    offset = len(frames) - 1 if offset is None else offset
    apex = (onset + offset) // 2
    return Movement(frames[onset], frames[apex], None, frames=frames, positions=(onset, apex, offset))


def model_of_the_paper(frames, positions):
    """Eigenvectors of the path graph's Laplacian, the frames' own space by SVD, the map to and fro by regression."""
    n = len(frames)
    points = frames.reshape(n, -1).T.astype(np.float64)
    mean = points.mean(axis=1, keepdims=True)
    u, s, vt = np.linalg.svd(points - mean, full_matrices=False)
    space, own = u[:, : n - 1], s[: n - 1, None] * vt[: n - 1]
    edges = np.diag(np.ones(n - 1), 1)
    edges += edges.T
    y = np.linalg.eigh(np.diag(edges.sum(axis=0)) - edges)[1][:, 1:]
    way = np.linalg.solve(own @ own.T, own @ y)
    k = np.arange(1, n)
    curve = np.sin(np.pi * k / np.asarray(positions)[:, None] ** -1 + np.pi * (n - k) / (2 * n))
    first = np.sin(np.pi * k / n + np.pi * (n - k) / (2 * n))
    length = (way.T @ own)[:, 0] / first  # of each eigenvector, and its sign
    back = np.linalg.solve(way.T, (curve * length).T)
    return (space @ back + mean).T.reshape(len(positions), *frames.shape[1:])


@pytest.mark.parametrize("count", [2, 3, 7, 10, 24])
def test_the_weights_are_the_model_of_the_paper(count):
    frames = noise(count, 12)
    expected = model_of_the_paper(frames, np.linspace(1 / count, 1, LENGTH))
    np.testing.assert_allclose(np.tensordot(tim_weights(count), frames, 1), expected, atol=1e-7)


@given(st.integers(1, 300), st.integers(2, 20))
def test_new_frames_begin_and_end_with_the_old_ones_and_keep_the_level(count, length):
    weights = tim_weights(count, length)
    assert weights.shape == (length, count)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(weights[0], np.eye(count)[0], atol=1e-9)
    np.testing.assert_allclose(weights[-1], np.eye(count)[-1], atol=1e-9)


@pytest.mark.parametrize("count", [2, 10, 15])
def test_as_many_frames_as_there_are_stay_as_they_are(count):
    np.testing.assert_allclose(tim_weights(count, count), np.eye(count), atol=1e-9)


def test_the_curve_is_smooth_between_the_frames():
    """A slow wave through 40 frames is met where no frame is."""
    t = np.arange(40)
    wave = np.sin(2 * np.pi * t / 40)
    np.testing.assert_allclose(tim_weights(40) @ wave, np.sin(2 * np.pi * np.linspace(0, 39, 10) / 40), atol=0.01)


def test_ten_frames_are_made_of_whole_grey_levels():
    frames = noise(23)
    exact = np.tensordot(tim_weights(15), frames[4:19], 1)
    found = interpolated(movement(frames, 4, 18))
    assert (found.dtype, found.shape) == (np.uint8, (10, 16, 16))
    np.testing.assert_allclose(found, np.clip(exact, 0, 255), atol=0.501)
    np.testing.assert_array_equal(found[[0, -1]], frames[[4, 18]])


def test_a_still_movement_stays_still():
    frames = np.repeat(noise(1), 7, axis=0)
    np.testing.assert_array_equal(interpolated(movement(frames)), np.repeat(frames[:1], 10, axis=0))
    np.testing.assert_array_equal(interpolated(movement(frames, 3, 3)), np.repeat(frames[:1], 10, axis=0))


def test_a_frame_is_read_once_for_all_maps_and_none_outside_the_movement():
    frames = Watched(noise(30))
    one = Movement(noise(1)[0], noise(1)[0], None, frames=frames, positions=(5, 9, 20))
    for make in TIM_MAPS.values():
        make(one)
    assert frames.read == list(range(5, 21))


@every_plane
def test_patterns_equal_loops(plane):
    volume = noise(11, 9, seed=3).astype(int)
    radius = {"x": 1, "y": 1, "t": 4}
    a, b = plane[-2:]
    found = patterns(volume.astype(np.uint8), *PLANES[plane])
    assert found.shape == (3, 7, 7)
    for t, y, x in np.ndindex(found.shape):
        centre = {"t": t + 4, "y": y + 1, "x": x + 1}
        code = 0
        for p in range(4):
            at = dict(centre)
            at[a] += round(radius[a] * np.cos(np.pi * p / 2))
            at[b] -= round(radius[b] * np.sin(np.pi * p / 2))
            code += 2**p * (volume[at["t"], at["y"], at["x"]] >= volume[centre["t"], centre["y"], centre["x"]])
        assert found[t, y, x] == code


@every_plane
def test_patterns_equal_those_of_scikit_image(plane):
    """On a plane of the volume whose rows along time are four frames apart, so that every radius is 1."""
    volume = noise(10, 14, seed=4) // 64  # few levels, many ties
    found = patterns(volume, *PLANES[plane])
    for t in range(2):
        for at in range(12):
            rows, part = {
                "lbp_xy": (volume[t + 4], found[t]),
                "lbp_xt": (volume[t : t + 9 : 4, at + 1], found[t, at][None]),
                "lbp_yt": (volume[t : t + 9 : 4, :, at + 1], found[t, :, at][None]),
            }[plane]
            np.testing.assert_array_equal(part, local_binary_pattern(rows, 4, 1)[1:-1, 1:-1])


@given(st.integers(0, 1000), st.floats(0.5, 4), st.integers(-40, 40))
@settings(max_examples=25)
def test_patterns_do_not_see_the_light(seed, gain, level):
    """Any change of brightness that keeps the order keeps the patterns."""
    volume = np.random.default_rng(seed).integers(0, 50, (10, 8, 8), dtype=np.uint8)
    brighter = np.argsort(np.argsort(np.unique(volume))) * max(1, round(gain)) + 40 + level
    levels = np.zeros(256, np.uint8)
    levels[np.unique(volume)] = np.clip(brighter, 0, 255)
    for plane in PLANES.values():
        np.testing.assert_array_equal(patterns(volume, *plane), patterns(levels[volume], *plane))


@pytest.mark.parametrize(("height", "width"), [(28, 28), (126, 126), (14, 7), (5, 9)])
def test_blocks_are_all_there_and_nearly_equal(height, width):
    blocks = block_numbers(height, width)
    assert blocks.shape == (height, width)
    counts = np.bincount(blocks.ravel(), minlength=25)
    assert len(counts) == 25
    low, high = (height // 5) * (width // 5), -(-height // 5) * -(-width // 5)
    assert counts.min() >= low
    assert counts.max() <= high
    assert (np.diff(blocks[:, 0]) >= 0).all()
    assert (blocks[0, 0], blocks[0, -1], blocks[-1, 0], blocks[-1, -1]) == (0, 4, 20, 24)


def test_histograms_count_patterns_by_block():
    codes = np.random.default_rng(5).integers(0, 16, (2, 10, 15), dtype=np.uint8)
    found = histograms(codes)
    assert found.shape == (25, 16)
    for block in range(25):
        part = codes[:, 2 * (block // 5) :][:, :2, 3 * (block % 5) :][..., :3]
        for code in range(16):
            assert found[block, code] == (part == code).mean()


@every_plane
def test_a_picture_has_a_place_for_each_block(plane):
    frames = noise(12, 32, seed=6)
    moved = movement(frames)
    found = TIM_MAPS[plane](moved)
    assert (found.shape, found.dtype) == ((PICTURE_SIDE, PICTURE_SIDE), np.float32)
    shares = histograms(patterns(interpolated(moved), *PLANES[plane]))
    for block in range(25):
        row, column = 4 * (block // 5), 4 * (block % 5)
        np.testing.assert_allclose(found[row : row + 4, column : column + 4].ravel(), shares[block], atol=1e-7)


def test_what_moves_in_one_block_changes_that_block_alone():
    still = np.repeat(noise(1, 32, seed=7), 12, axis=0)
    moving = still.copy()
    moving[:, 15:18, 15:18] = noise(12, 3, seed=8)  # 14 pixels from the border of 32: inside the middle block
    for name, make in TIM_MAPS.items():
        changed = make(movement(moving)) != make(movement(still))
        assert changed[8:12, 8:12].any(), name
        changed[8:12, 8:12] = False
        assert not changed.any(), name
