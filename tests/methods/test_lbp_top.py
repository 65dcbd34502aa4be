"""LBP-TOP from frames to answers; its patterns are tested in tests/features/test_tim.py."""

from dataclasses import replace

import numpy as np
import pytest

from dfrnet.features import extract, features
from dfrnet.methods import METHODS
from dfrnet.methods.lbp_top import describe
from dfrnet.types import UserError

METHOD = METHODS["lbp_top"]
SMALL = METHOD.configured(changes={"frame_size": "32", "align": "none"})
STEPS = (0, 1, -1)


def drifting(step, seed, frames=14, side=32):
    """A texture that stands still, drifts to the right or to the left, with noise."""
    random = np.random.default_rng(seed)
    texture = random.integers(40, 200, (side, side)).astype(np.float64)
    texture = (texture + np.roll(texture, 1, 1) + np.roll(texture, 2, 1)) / 3
    moved = np.stack([np.roll(texture, round(step * 3 * t / frames), 1) for t in range(frames)])
    return np.clip(moved + random.normal(0, 2, moved.shape), 0, 255).astype(np.uint8)


def drifts(n, seed):
    y = np.arange(n, dtype=np.int64) % 3
    spec = METHOD.inputs(SMALL)
    clips = [drifting(STEPS[k], seed + i) for i, k in enumerate(y)]
    x = np.stack([extract(clip, spec, 0, 7, len(clip) - 1).maps for clip in clips])
    return x, y, [f"d/s{i // 6}" for i in range(n)]


def test_a_clip_is_1200_numbers():
    """3 planes, 5 x 5 blocks, 16 bins; the bins of each of the 75 histograms sum to 1."""
    x, _, _ = drifts(3, 0)
    assert x.shape == (3, 3, 20, 20)
    found = describe(x)
    assert found.shape == (3, 1200)
    assert found.min() >= 0
    np.testing.assert_allclose(found.sum(axis=1), 75, rtol=1e-6)


def test_it_learns_which_way_things_move():
    """Every texture is new, so that only the planes along time tell."""
    x, y, groups = drifts(30, 0)
    new, truth, _ = drifts(15, 1000)
    classifier = METHOD.build(SMALL, METHOD.inputs(SMALL), 3, 0).fit(x, y, groups)
    assert (classifier.predict_proba(new).argmax(axis=1) == truth).mean() > 0.9
    for z in (x, new):
        z[:, 1:] = 0
    blind = METHOD.build(SMALL, METHOD.inputs(SMALL), 3, 0).fit(x, y, groups)
    assert (blind.predict_proba(new).argmax(axis=1) == truth).mean() < 0.8


def test_it_looks_from_onset_to_offset_and_nowhere_else(drawn_clips):
    clip = replace(drawn_clips[0], apex=None)
    frames = [clip.frames[i] for i in range(len(clip.frames))]
    spec = METHOD.inputs(SMALL)

    def maps(frames, apex=(clip.onset + clip.offset) // 2):
        return extract(frames, spec, clip.onset, apex, clip.offset).maps

    whole = maps(frames)
    blank = np.zeros_like(frames[0])
    outside = [f if clip.onset <= i <= clip.offset else blank for i, f in enumerate(frames)]
    np.testing.assert_array_equal(maps(outside), whole)
    np.testing.assert_array_equal(maps(frames, clip.onset), whole)  # no apex
    for inside in (clip.onset, clip.offset, (clip.onset + clip.offset) // 2):
        assert not np.array_equal(maps([blank if i == inside else f for i, f in enumerate(frames)]), whole)
    np.testing.assert_array_equal(features([replace(clip, frames=frames)], spec).x[0], whole)


def test_settings_that_are_wrong_are_sentences():
    with pytest.raises(UserError, match="unknown align 'fac'; did you mean 'face'"):
        METHOD.configured(changes={"align": "fac"})
    with pytest.raises(UserError, match=r"frame_size=8: it must lie in 16\.\.1024"):
        METHOD.configured(changes={"frame_size": "8"})
    with pytest.raises(UserError, match="unknown setting of lbp_top 'size'"):
        METHOD.configured(changes={"size": "28"})


def test_maps_without_frames_are_refused_in_a_sentence(maps_clips):
    with pytest.raises(UserError, match=r"it has no frames, and its ready-made maps .* lack lbp_xy"):
        features(maps_clips[:1], METHOD.inputs(METHOD.settings))
