"""The one way from frames to features."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from dfrnet.datasets import released_maps, synthetic
from dfrnet.features import (
    APEX,
    CENTRES,
    FLOWS,
    MAPS,
    SCALES,
    FeatureSpec,
    clip_features,
    extract,
    features,
    fitted_spec,
)
from dfrnet.frames import image_folder
from dfrnet.types import Clip, UserError
from trees import write_maps


@pytest.fixture(scope="module")
def clip(drawn_clips):
    """The first drawn clip with its frames drawn once."""
    one = drawn_clips[0]
    return replace(one, frames=[one.frames[i] for i in range(len(one.frames))])


@pytest.mark.parametrize("size", [8, 14, 28, 64, 128, 150])
def test_every_map_at_every_size(clip, size):
    found = extract(clip.frames, FeatureSpec(maps=tuple(MAPS), size=size), clip.onset, clip.apex)
    assert found.names == tuple(MAPS)
    assert found.maps.shape == (len(MAPS), size, size)
    assert found.maps.dtype == np.float32
    assert np.isfinite(found.maps).all()
    assert (np.abs(found.maps).max(axis=(1, 2)) > 0.1).all()


@pytest.mark.parametrize("name", MAPS)
def test_a_map_does_not_depend_on_its_neighbours(clip, name):
    """Alone or among others, in any order; u and v alone lack the shared scale, hence without it."""
    together = extract(clip.frames, FeatureSpec(maps=tuple(MAPS), scale="none"), clip.onset, clip.apex)
    alone = extract(clip.frames, FeatureSpec(maps=(name,), scale="none"), clip.onset, clip.apex)
    np.testing.assert_array_equal(alone.maps[0], together.maps[list(MAPS).index(name)])


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("flow", FLOWS)
def test_every_flow_centre_and_scale(clip, flow, centre, scale):
    spec = FeatureSpec(flow=flow, centre=centre, scale=scale, frame_size=48, size=16)
    found = extract(clip.frames, spec, clip.onset, clip.apex).maps
    assert found.shape == (3, 16, 16)
    assert np.isfinite(found).all()
    assert found[2].min() >= 0


@pytest.mark.parametrize("name", APEX)
def test_every_apex_lies_within_the_movement(clip, drawn_clips, name):
    for one in drawn_clips:
        assert one.onset <= APEX[name](one, one.frames) <= one.offset
    spec = FeatureSpec(apex=name)
    expected = extract(clip.frames, spec, clip.onset, APEX[name](clip, clip.frames)).maps
    np.testing.assert_array_equal(clip_features(clip, spec).maps, expected)


def test_apex_by_name(clip):
    assert APEX["annotated"](clip, clip.frames) == APEX["auto"](clip, clip.frames) == clip.apex
    assert APEX["middle"](clip, clip.frames) == (clip.onset + clip.offset) // 2
    unmarked = replace(clip, apex=None)
    assert APEX["auto"](unmarked, clip.frames) == APEX["flow_prior"](unmarked, clip.frames)
    with pytest.raises(UserError, match=rf"clip {clip.id}: no apex is annotated.*--set apex=auto"):
        clip_features(unmarked, FeatureSpec(apex="annotated"))


@pytest.fixture(scope="module")
def uncropped(clip):
    """The same clip with the face in a picture of 480 x 640, as a camera would show it."""
    frames = []
    for frame in clip.frames:
        scene = np.full((480, 640, 3), 96, np.uint8)
        scene[90:390, 170:470] = cv2.resize(frame, (300, 300), interpolation=cv2.INTER_CUBIC)
        frames.append(scene)
    return replace(clip, frames=frames, cropped=False)


def test_auto_aligns_what_is_not_cropped_and_nothing_else(clip, uncropped):
    spec = FeatureSpec(maps=("u", "v", "apex"))
    aligned = clip_features(uncropped, replace(spec, align="face")).maps
    np.testing.assert_array_equal(clip_features(uncropped, spec).maps, aligned)
    as_it_is = clip_features(clip, replace(spec, align="none")).maps
    np.testing.assert_array_equal(clip_features(clip, spec).maps, as_it_is)
    # The face fills the picture again, so that its motion lies where it lay in the crop.
    whole = clip_features(uncropped, replace(spec, align="none")).maps
    likeness = [np.corrcoef(maps[:2].ravel(), as_it_is[:2].ravel())[0, 1] for maps in (aligned, whole)]
    assert likeness[0] > 0.6 > likeness[1]


def test_no_face_is_an_error_that_names_the_clip(uncropped):
    empty = replace(uncropped, frames=[np.full((480, 640, 3), 96, np.uint8)] * len(uncropped.frames))
    with pytest.raises(UserError, match=rf"clip {empty.id}: .*no face"):
        clip_features(empty, FeatureSpec())


def test_pixels_are_those_of_frame_size():
    """A shift of 4 pixels at 256 is one of 2 at 128; with scale none and centre none it is told as such."""
    random = np.random.default_rng(0)
    coarse = np.repeat(np.repeat(random.integers(0, 256, (36, 36)), 8, 0), 8, 1).astype(np.uint8)
    frames = [coarse[16:272, 16:272], coarse[16:272, 12:268]]  # the window moves left, so the picture moves right
    spec = FeatureSpec(maps=("u", "v"), centre="none", scale="none", frame_size=128, size=32)
    u, v = extract(frames, spec, 0, 1).maps
    assert np.median(u) == pytest.approx(2, abs=0.2)
    assert np.median(v) == pytest.approx(0, abs=0.2)


def test_grey_frames_and_colour_frames_agree(clip):
    grey = [np.repeat(frame[..., 1:2], 3, 2) for frame in clip.frames]
    spec = FeatureSpec(maps=tuple(MAPS))
    np.testing.assert_allclose(
        extract([frame[..., 0] for frame in grey], spec, clip.onset, clip.apex).maps,
        extract(grey, spec, clip.onset, clip.apex).maps,
        atol=1e-6,
    )


def test_a_folder_of_pictures_equals_the_frames_in_memory(tmp_path, drawn_clips):
    drawn = drawn_clips[1]
    synthetic.write([drawn], tmp_path / "set")
    on_disk = replace(drawn, frames=image_folder(tmp_path / "set" / drawn.id, drawn.fps))
    spec = FeatureSpec(maps=tuple(MAPS), size=32)
    np.testing.assert_array_equal(clip_features(on_disk, spec).maps, clip_features(drawn, spec).maps)


def test_extraction_is_the_same_each_time_and_in_any_number_of_processes(drawn_clips):
    spec = FeatureSpec(size=16, frame_size=64)
    once = features(drawn_clips[:2], spec).x
    assert once.shape == (2, 3, 16, 16)
    np.testing.assert_array_equal(once, features(drawn_clips[:2], spec, jobs=2).x)
    np.testing.assert_array_equal(once[1], clip_features(drawn_clips[1], spec).maps)


def test_ready_maps_are_centred_and_scaled(maps_clips):
    found = features(maps_clips, FeatureSpec()).x
    assert found.shape == (18, 3, 28, 28)
    np.testing.assert_allclose(np.median(found[:, :2], axis=(2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(np.percentile(np.abs(found[:, :2]), 99, axis=(1, 2, 3)), 1, atol=1e-4)


def test_ready_maps_keep_their_signs(maps_clips):
    """The tree's first class moves right (u above the grey of rest) in the upper half; its third one moves left."""
    found = features(maps_clips, FeatureSpec(maps=("u", "v"))).x
    assert found[0, 0, 4:10, 10:18].mean() > 0.4
    assert found[2, 0, 17:22, 18:24].mean() < -0.4


@pytest.mark.parametrize("missing", ["apex", "difference"])
def test_a_clip_without_a_map_says_so_in_a_sentence(maps_clips, missing):
    with pytest.raises(UserError) as caught:
        clip_features(maps_clips[0], FeatureSpec(maps=("u", missing)))
    text = str(caught.value)
    assert text.startswith("clip casme2/sub01/EP01_01f: it has no frames")
    assert f"lack {missing};" in text
    assert "--set inputs=flow" in text
    assert "\n" not in text


def test_the_size_is_fitted_to_ready_maps_only(tmp_path, maps_clips, drawn_clips):
    assert fitted_spec(maps_clips, FeatureSpec(size=128)).size == 28
    assert fitted_spec(maps_clips, FeatureSpec(size=14)).size == 14
    assert fitted_spec(drawn_clips, FeatureSpec(size=128)).size == 128
    small = released_maps.load(str(write_maps(tmp_path / "small", size=20)))
    assert fitted_spec([*drawn_clips, *small], FeatureSpec(size=128)).size == 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"maps": ("u", "starin")}, "unknown map 'starin'; did you mean 'strain'"),
        ({"flow": "diss"}, "unknown flow 'diss'; did you mean 'dis'"),
        ({"apex": "midle"}, "unknown apex 'midle'; did you mean 'middle'"),
        ({"centre": "medain"}, "unknown centre 'medain'; did you mean 'median'"),
        ({"scale": "clips"}, "unknown scale 'clips'; did you mean 'clip'"),
        ({"size": 6}, "size=6"),
        ({"size": 1025}, "size=1025"),
        ({"frame_size": 8}, "frame_size=8"),
        ({"maps": ()}, "maps: name at least one"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_spec_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        FeatureSpec(**changes)


def test_a_spec_is_a_key():
    assert len({FeatureSpec(), FeatureSpec(), FeatureSpec(size=14)}) == 2


def test_an_entry_of_ones_own_joins_by_name(monkeypatch, clip):
    monkeypatch.setitem(FLOWS, "mine", lambda first, _: np.full((2, *first.shape), 3, np.float32))
    spec = FeatureSpec(maps=("u",), flow="mine", centre="none", scale="none", size=8)
    np.testing.assert_array_equal(extract(clip.frames, spec, clip.onset, clip.apex).maps, 3)


def test_clips_of_other_sizes_share_an_array(drawn_clips):
    small = [np.ascontiguousarray(drawn_clips[0].frames[i][::2, ::3]) for i in range(3)]
    other = Clip("d/s/c", "d", "d/s", "positive", small, 0, 1, 2)
    assert features([drawn_clips[0], other], FeatureSpec(size=16)).x.shape == (2, 3, 16, 16)


@pytest.mark.parametrize(
    ("frames", "onset", "apex", "message"),
    [
        ([np.zeros((8, 8), np.uint8)] * 3, 2, 1, "onset 2, apex 1 and offset 1 must be in order"),
        ([np.zeros((8, 8), np.uint8)] * 3, 0, 3, "within the 3 frames"),
        ([np.zeros((8, 8), np.uint8)] * 3, -2, -1, "within the 3 frames"),
        ([np.zeros((8, 8), np.float32)] * 2, 0, 1, "must be uint8"),
        ([np.zeros((8, 8, 1), np.uint8)] * 2, 0, 1, "must be uint8"),
        ([np.zeros((8, 8), np.uint8), np.zeros((9, 8), np.uint8)], 0, 1, "differ in size"),
    ],
)
def test_frames_and_positions_that_make_no_movement_are_refused(frames, onset, apex, message):
    with pytest.raises(UserError, match=message):
        extract(frames, FeatureSpec(), onset, apex)
