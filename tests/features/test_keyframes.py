"""Flow to key frames: where they lie, what it is compared with, one scale for all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfrnet.features import FeatureSpec, extract
from dfrnet.features.keyframes import KEY_FRAMES, KEYFRAME_MAPS, key_positions
from dfrnet.features.maps import Movement, scale_per_clip

APEX = (KEY_FRAMES + 1) // 2


def test_an_even_course_by_hand():
    assert key_positions(0, 8, 24) == (2, 4, 6, 8, 12, 16, 20)
    assert tuple(KEYFRAME_MAPS)[:3] == ("u@1", "v@1", "u@2")
    assert not any("," in name for name in KEYFRAME_MAPS)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_key_frames_are_in_order_within_the_movement_with_the_apex_in_the_middle(onset, rise, fall):
    apex, offset = onset + rise, onset + rise + fall
    found = key_positions(onset, apex, offset)
    assert len(found) == KEY_FRAMES
    assert list(found) == sorted(found)
    assert onset <= found[0] <= found[-1] <= offset
    assert found[APEX - 1] == apex


def moving(count=25, side=64):
    """A patch of texture that goes right by a tenth of a pixel a frame, over still ground."""
    y, x = np.mgrid[:side, :side].astype(np.float64)
    inside = (np.abs(x - 32) < 10) & (np.abs(y - 32) < 10)

    def texture(x):
        return 128 + 60 * np.sin(x / 2.5) * np.cos(y / 3)

    return [np.where(inside, texture(x - 0.1 * i), texture(x)).astype(np.uint8) for i in range(count)]


def test_each_flow_is_that_from_the_onset_to_its_frame():
    spec = FeatureSpec(maps=tuple(KEYFRAME_MAPS), size=64, frame_size=64, scale="none")
    found = extract(moving(), spec, 0, 8, 24).maps.reshape(KEY_FRAMES, 2, 64, 64)
    centre = found[:, :, 28:36, 28:36].mean((2, 3))
    np.testing.assert_allclose(centre[:, 0], 0.1 * np.array(key_positions(0, 8, 24)), atol=0.25)
    np.testing.assert_allclose(centre[:, 1], 0, atol=0.25)
    for frame, position in enumerate(key_positions(0, 8, 24)):
        alone = extract(moving(), FeatureSpec(maps=("u", "v"), size=64, frame_size=64, scale="none"), 0, position)
        np.testing.assert_array_equal(found[frame], alone.maps)


def test_the_flows_share_one_scale_so_that_their_course_stays():
    spec = FeatureSpec(maps=tuple(KEYFRAME_MAPS), size=64, frame_size=64)
    raw = extract(moving(), FeatureSpec(maps=spec.maps, size=64, frame_size=64, scale="none"), 0, 8, 24).maps
    found = extract(moving(), spec, 0, 8, 24).maps
    np.testing.assert_allclose(found, raw / np.percentile(np.abs(raw), 99), rtol=1e-4, atol=1e-6)
    both = scale_per_clip({"u": raw[0], "v": raw[1], "u@1": raw[0], "v@1": raw[1], "u@7": raw[12], "v@7": raw[13]})
    alone = scale_per_clip({"u": raw[0], "v": raw[1]})
    np.testing.assert_array_equal(both["u"], alone["u"])


@pytest.mark.parametrize(("positions", "flows"), [((0, 8, 24), 7), ((0, 1, 2), 2), ((3, 3, 3), 1)])
def test_no_flow_is_computed_twice(positions, flows):
    calls = []

    def flow(first, second):
        calls.append(1)
        return np.ones((2, *first.shape), np.float32)

    frames = [np.zeros((8, 8), np.uint8)] * 25
    movement = Movement(frames[0], frames[0], flow, "none", frames, positions)
    for one in KEYFRAME_MAPS.values():
        assert one(movement).shape == (8, 8)
    # A movement of three frames has key frames at the onset (to itself), the apex and the offset.
    assert len(calls) == len(set(key_positions(*positions)))
    assert len(calls) >= min(flows, 2) or positions[0] == positions[2]
