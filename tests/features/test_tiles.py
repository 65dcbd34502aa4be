"""Maps cut around points of the face and laid together anew."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dfrnet.faces import TEMPLATE
from dfrnet.features import TILES, FeatureSpec, clip_features, extract
from dfrnet.features.cache import clip_key
from dfrnet.features.tiles import USUAL, corner_points, eyes_lips
from dfrnet.types import UserError

TILED = FeatureSpec(tiles="eyes_lips", align="none")


def numbered(side):
    """Every pixel with a number of its own."""
    return np.arange(side * side, dtype=np.float32).reshape(side, side)


def quarters(plane):
    half = len(plane) // 2
    return [plane[r : r + half, c : c + half] for r in (0, half) for c in (0, half)]


def corner(tile, side):
    """Row and column of a numbered tile's first pixel, and that it is one piece of the plane."""
    row, column = divmod(int(tile[0, 0]), side)
    half = len(tile)
    np.testing.assert_array_equal(tile, numbered(side)[row : row + half, column : column + half])
    return row, column


def test_the_usual_places_at_28_pixels():
    """x, cut off to a whole number and at most 21, less 7 is the first row, y less 7 the first column."""
    found = [corner(tile, 28) for tile in quarters(eyes_lips(numbered(28), None))]
    assert found == [(9 - 7, 11 - 7), (21 - 7, 10 - 7), (10 - 7, 21 - 7), (20 - 7, 21 - 7)]


@given(
    st.sampled_from([8, 14, 28, 30, 56]),
    arrays(np.float32, (4, 2), elements=st.floats(-1, 2, width=32)),
)
def test_four_pieces_of_the_map_around_the_points(side, points):
    half = side // 2
    for tile, (x, y) in zip(quarters(eyes_lips(numbered(side), points)), points * side, strict=True):
        for start, place in zip(corner(tile, side), (x, y), strict=True):
            assert 0 <= start <= side - half
            inside = half // 2 <= place <= side - half + half // 2
            if inside:
                assert start <= place < start + half
                assert abs(start + half // 2 - place) <= 1
            else:
                assert start == (0 if place < half else side - half)


@pytest.mark.parametrize("name", TILES)
def test_every_entry_keeps_the_shape(name):
    assert TILES[name](numbered(28), None).shape == (28, 28)
    assert TILES[name](numbered(28), USUAL).shape == (28, 28)


def test_ready_made_maps_are_cut_at_the_usual_places(maps_clips):
    plain = clip_features(maps_clips[0], FeatureSpec())
    tiled = clip_features(maps_clips[0], FeatureSpec(tiles="eyes_lips"))
    for whole, cut in zip(plain.maps, tiled.maps, strict=True):
        np.testing.assert_array_equal(cut, eyes_lips(whole, None))
        assert not np.array_equal(cut, whole)


def test_frames_are_cut_around_the_face_of_the_apex(drawn_clips):
    clip = drawn_clips[0]
    frames = [clip.frames[i] for i in range(len(clip.frames))]
    points = corner_points(frames[clip.apex], "mediapipe")
    assert points is not None
    plain = extract(frames, replace(TILED, tiles="none"), clip.onset, clip.apex)
    tiled = extract(frames, TILED, clip.onset, clip.apex)
    for whole, cut in zip(plain.maps, tiled.maps, strict=True):
        np.testing.assert_array_equal(cut, eyes_lips(whole, points))


def test_a_shifted_face_takes_its_tiles_along(drawn_clips):
    clip = drawn_clips[0]
    frame = clip.frames[clip.apex]
    height, width = frame.shape[:2]
    still = corner_points(frame, "mediapipe")
    moved = corner_points(np.roll(frame, (height // 16, width // 16), axis=(0, 1)), "mediapipe")
    np.testing.assert_allclose(moved - still, 1 / 16, atol=0.02)


def test_the_points_of_an_aligned_face_lie_where_the_template_has_them(drawn_clips):
    from dfrnet.faces import align_frames

    clip = drawn_clips[0]
    crop = align_frames(clip.frames, clip.onset, 128)[clip.apex]
    eyes = [TEMPLATE[36:42].mean(axis=0), TEMPLATE[42:48].mean(axis=0)]
    np.testing.assert_allclose(corner_points(crop, "mediapipe"), [*eyes, TEMPLATE[48], TEMPLATE[54]], atol=0.05)


def test_without_a_face_the_usual_places():
    frames = [np.random.default_rng(k).integers(0, 256, (64, 48), dtype=np.uint8) for k in range(2)]
    assert corner_points(frames[1], "mediapipe") is None
    plain = extract(frames, replace(TILED, tiles="none"), 0, 1)
    tiled = extract(frames, TILED, 0, 1)
    np.testing.assert_array_equal(tiled.maps, [eyes_lips(whole, None) for whole in plain.maps])


def test_it_is_part_of_the_record_and_of_the_cache_key(maps_clips):
    plain, tiled = FeatureSpec(), FeatureSpec(tiles="eyes_lips")
    assert clip_key(maps_clips[0], plain) != clip_key(maps_clips[0], tiled)
    old = {name: value for name, value in asdict(plain).items() if name != "tiles"}
    assert FeatureSpec(**old) == plain


def test_wrong_values_are_sentences():
    with pytest.raises(UserError, match="unknown tiles 'eyes'; did you mean 'eyes_lips'"):
        FeatureSpec(tiles="eyes")
    with pytest.raises(UserError, match="size=27: tiles=eyes_lips needs an even number"):
        FeatureSpec(tiles="eyes_lips", size=27)
