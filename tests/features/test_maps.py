"""Strain, centring and scaling against their formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dfrnet.features import CENTRES, MAPS, SCALES, strain
from dfrnet.features.maps import Movement, difference, remove_head_motion, scale_per_clip

numbers = st.floats(-3, 3, width=32)
Y, X = np.mgrid[:12, :16].astype(np.float64)
flows = hnp.arrays(np.float32, (2, 9, 11), elements=st.floats(-4, 4, width=32))


def linear(a, b, c, d, u0=0.0, v0=0.0):
    """u = a x + b y + u0, v = c x + d y + v0."""
    return np.stack([a * X + b * Y + u0, c * X + d * Y + v0]).astype(np.float32)


@given(numbers, numbers)
def test_rigid_translation_has_no_strain(u, v):
    assert not strain(linear(0, 0, 0, 0, u, v)).any()


@given(numbers, numbers)
def test_pure_stretch(a, d):
    np.testing.assert_allclose(strain(linear(a, 0, 0, d)), np.hypot(a, d), rtol=1e-4, atol=1e-5)


@given(numbers, numbers)
def test_shear(b, c):
    np.testing.assert_allclose(strain(linear(0, b, c, 0)), abs(b + c) / np.sqrt(2), rtol=1e-4, atol=2e-5)


@given(numbers)
def test_small_rotation_has_no_strain(omega):
    np.testing.assert_allclose(strain(linear(0, -omega, omega, 0)), 0, atol=2e-5)


@given(numbers, numbers, numbers, numbers, numbers, numbers)
def test_any_linear_field(a, b, c, d, u, v):
    expected = np.sqrt(a**2 + d**2 + 0.5 * (b + c) ** 2)
    np.testing.assert_allclose(strain(linear(a, b, c, d, u, v)), expected, rtol=1e-3, atol=1e-4)


@given(flows, st.floats(0, 4, width=32))
def test_strain_is_not_negative_and_grows_with_the_motion(flow, factor):
    assert (strain(flow) >= 0).all()
    np.testing.assert_allclose(strain(factor * flow), factor * strain(flow), rtol=1e-3, atol=1e-4)
    assert strain(flow).dtype == np.float32


def test_strain_of_a_stretch_sideways_is_seen_in_x():
    assert strain(linear(1, 0, 0, 0)).shape == (12, 16)
    bent = np.zeros((2, 12, 16), np.float32)
    bent[0, :, 8:] = 1  # u steps at the column 8
    assert strain(bent).any(axis=0).nonzero()[0].tolist() == [7, 8]


@given(hnp.arrays(np.uint8, (2, 6, 7)))
def test_difference(frames):
    expected = np.abs(frames[0].astype(float) - frames[1]) / 255
    np.testing.assert_allclose(difference(frames[0], frames[1]), expected, atol=1e-6)
    np.testing.assert_array_equal(difference(frames[0], frames[1]), difference(frames[1], frames[0]))


@given(flows)
def test_the_median_is_taken_off_each_direction(flow):
    found = remove_head_motion(flow, "median")
    expected = flow - np.array([[[np.median(flow[0])]], [[np.median(flow[1])]]], np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(np.median(found, axis=(1, 2)), 0, atol=1e-6)


@given(flow=flows, u=numbers, v=numbers)
@pytest.mark.parametrize("centre", [name for name in CENTRES if name != "none"])
def test_a_shift_of_the_head_is_removed(flow, u, v, centre):
    moved = flow + np.array([u, v], np.float32).reshape(2, 1, 1)
    np.testing.assert_allclose(remove_head_motion(moved, centre), remove_head_motion(flow, centre), atol=1e-4)


@pytest.mark.parametrize("centre", CENTRES)
def test_every_centre_takes_one_map_or_two(centre):
    flow = linear(1, 0.5, -1, 2)
    both = remove_head_motion(flow, centre)
    np.testing.assert_allclose(both[0], remove_head_motion(flow[0], centre), atol=1e-6)
    assert both.dtype == np.float32
    if centre == "none":
        np.testing.assert_array_equal(both, flow)
    if centre == "mean":
        np.testing.assert_allclose(both.mean(axis=(1, 2)), 0, atol=1e-4)


MOTION = ("u", "v", "strain", "difference")
"""The maps that are scaled clip by clip and need no more than onset and apex."""


def some_maps():
    random = np.random.default_rng(3)
    return {name: random.standard_normal((10, 10)).astype(np.float32) for name in MAPS}


@given(st.floats(0.01, 100))
def test_the_scale_of_the_motion_changes_nothing(factor):
    maps = some_maps()
    stronger = {name: np.float32(factor) * value if name in MOTION else value for name, value in maps.items()}
    for name, value in scale_per_clip(stronger).items():
        np.testing.assert_allclose(value, scale_per_clip(maps)[name], rtol=1e-4, atol=1e-5)


def test_u_and_v_share_a_scale_and_the_apex_has_none():
    maps = some_maps()
    scaled = scale_per_clip(maps)
    np.testing.assert_array_equal(scaled["apex"], maps["apex"])
    np.testing.assert_allclose(scaled["u"] / maps["u"], scaled["v"] / maps["v"], rtol=1e-4)
    assert np.percentile(np.abs([scaled["u"], scaled["v"]]), 99) == pytest.approx(1, abs=1e-4)
    for name in ("strain", "difference"):
        assert np.percentile(np.abs(scaled[name]), 99) == pytest.approx(1, abs=1e-4)


def test_the_order_of_the_maps_is_kept_and_the_input_is_not_written_to():
    maps = some_maps()
    before = {name: value.copy() for name, value in maps.items()}
    for scale in SCALES.values():
        assert list(scale(maps)) == list(maps)
    for name, value in maps.items():
        np.testing.assert_array_equal(value, before[name])


def test_a_clip_without_motion_stays_zero():
    still = {name: np.zeros((6, 6), np.float32) for name in ("u", "v", "strain", "difference")}
    for value in scale_per_clip(still).values():
        np.testing.assert_array_equal(value, 0)


def test_the_flow_of_a_movement_is_computed_once():
    calls = []

    def flow(first, second):
        calls.append(1)
        return np.ones((2, *first.shape), np.float32)

    movement = Movement(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8), flow)
    for name in (*MOTION, "apex"):
        assert MAPS[name](movement).shape == (8, 8)
    assert len(calls) == 1
