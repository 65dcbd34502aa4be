"""Pictures in colour: which frames, which planes, which range."""

from dataclasses import replace

import numpy as np
import pytest

from dfrnet.features import FLOWS, FeatureSpec, extract
from dfrnet.features.colour import COLOUR_MAPS, COLOURS, STEPS, picture
from dfrnet.features.maps import Movement

SPEC = FeatureSpec(maps=tuple(COLOUR_MAPS), size=16, frame_size=16, scale="clip")


def frames_of(count=12, side=16):
    """RGB frames, flat: red says which frame it is, green and blue are 100 and 200."""
    return [np.full((side, side, 3), (20 * i, 100, 200), np.uint8) for i in range(count)]


def test_names_are_apex_first_and_red_green_blue():
    assert tuple(COLOUR_MAPS)[:4] == ("red", "green", "blue", "red-2")
    assert len(COLOUR_MAPS) == len(STEPS) * len(COLOURS) == 9
    assert not any("," in name or "=" in name for name in COLOUR_MAPS)


@pytest.mark.parametrize(
    ("onset", "apex", "offset", "seen"), [(0, 5, 11, (5, 3, 7)), (4, 5, 6, (5, 4, 6)), (5, 5, 5, (5, 5, 5))]
)
def test_planes_are_those_of_the_frames_near_the_apex_within_the_movement(onset, apex, offset, seen):
    found = extract(frames_of(), SPEC, onset, apex, offset).maps
    for i, position in enumerate(seen):
        expected = np.array([20 * position, 100, 200], np.float32) / 255
        np.testing.assert_allclose(found[3 * i : 3 * i + 3].mean((1, 2)), expected, atol=1e-6)


def test_values_lie_in_0_to_1_and_grey_repeats():
    random = np.random.default_rng(0)
    grey = [random.integers(0, 256, (20, 30), dtype=np.uint8) for _ in range(3)]
    found = extract(grey, replace(SPEC, maps=COLOURS, size=10), 0, 1, 2).maps
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    assert 0 <= found.min() < found.max() <= 1
    same = extract([np.repeat(f[..., None], 3, 2) for f in grey], replace(SPEC, maps=COLOURS, size=10), 0, 1, 2).maps
    np.testing.assert_allclose(found, same, atol=1e-6)


@pytest.mark.parametrize("side", [8, 16, 24])
def test_a_picture_has_the_side_of_the_flow(side):
    small = np.zeros((side, side), np.uint8)
    movement = Movement(small, small, FLOWS["dis"], frames=frames_of(), positions=(0, 5, 9))
    assert picture(movement, -2).shape == (3, side, side)


def test_each_frame_is_read_once():
    class Counted(list):
        reads = 0

        def __getitem__(self, index):
            Counted.reads += 1
            return super().__getitem__(index)

    frames = Counted(frames_of())
    extract(frames, SPEC, 0, 5, 11)
    assert Counted.reads == 2 + len(STEPS)  # onset and apex for the flow, then the pictures
