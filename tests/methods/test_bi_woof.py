"""Bi-WOOF's descriptor against loops over pixels and blocks, and what it must and must not see."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfrnet.features import features, fitted_spec, strain
from dfrnet.methods import METHODS
from dfrnet.methods.bi_woof import describe, descriptor
from dfrnet.types import UserError
from trees import separable

METHOD = METHODS["bi_woof"]


def some_maps(side=28, seed=0):
    random = np.random.default_rng(seed)
    u, v = random.standard_normal((2, side, side))
    return np.stack([u, v, np.abs(random.standard_normal((side, side)))]).astype(np.float32)


def by_loops(maps):
    """As the paper tells it, one pixel after the other."""
    u, v, eps = maps.astype(float)
    cuts = [0]
    for part in np.array_split(np.arange(len(u)), 5):
        cuts.append(cuts[-1] + len(part))
    whole = []
    for top, bottom in pairwise(cuts):
        for left, right in pairwise(cuts):
            bins, weight = [0.0] * 8, 0.0
            for y in range(top, bottom):
                for x in range(left, right):
                    angle = math.degrees(math.atan2(v[y, x], u[y, x]))
                    angle = -180.0 if angle == 180 else angle
                    bins[int((angle + 180) // 45)] += math.hypot(u[y, x], v[y, x])
                    weight += eps[y, x]
            whole += [weight * value / sum(bins) for value in bins]
    return np.array(whole) / math.sqrt(sum(value**2 for value in whole))


@pytest.mark.parametrize("side", [8, 15, 28, 64])
def test_it_equals_loops_over_pixels(side):
    found = descriptor(some_maps(side))
    assert found.shape == (200,)
    np.testing.assert_allclose(found, by_loops(some_maps(side)), atol=1e-9)
    assert np.linalg.norm(found) == pytest.approx(1)


@pytest.mark.parametrize(
    ("u", "v", "direction"),
    [(-1, -1e-3, 0), (-1, -2, 1), (1e-3, -1, 2), (2, -1, 3), (1, 0, 4), (1, 2, 5), (0, 1, 6), (-2, 1, 7), (-1, 0, 0)],
)
def test_directions(u, v, direction):
    """Eight of 45 degrees from -180 on; to the left is -180, however it is written."""
    for zero in (0.0, -0.0):
        maps = np.ones((3, 10, 10), np.float32)
        maps[0], maps[1] = u or zero, v or zero
        found = descriptor(maps).reshape(25, 8)
        np.testing.assert_allclose(found, np.tile(0.2 * np.eye(8)[direction], (25, 1)), atol=1e-9)


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.integers(0, 50))
@settings(max_examples=25)
def test_the_strength_of_a_whole_clip_changes_nothing(motion, stretch, seed):
    maps = some_maps(20, seed)
    stronger = maps * np.array([motion, motion, stretch], np.float32)[:, None, None]
    np.testing.assert_allclose(descriptor(stronger), descriptor(maps), atol=1e-5)


def test_a_pixel_votes_with_its_length_and_a_block_with_its_strain():
    maps = np.zeros((3, 10, 10), np.float32)
    maps[2] = 1
    maps[0, 0, 0], maps[1, 1, 1] = 3, 1  # to the right and, a third as far, down: in the first block
    found = descriptor(maps).reshape(25, 8)
    np.testing.assert_allclose(found[0], np.array([0, 0, 0, 0, 3, 0, 1, 0]) / math.sqrt(10), atol=1e-9)
    np.testing.assert_array_equal(found[1:], 0)
    maps[0] = 1
    maps[2, 4:6, 8:10] *= 5
    lengths = np.linalg.norm(descriptor(maps).reshape(25, 8)[1:], axis=1)
    assert lengths[13] / lengths[0] == pytest.approx(5)


def test_a_clip_without_motion_is_zero():
    np.testing.assert_array_equal(descriptor(np.zeros((3, 28, 28), np.float32)), 0)
    assert describe(np.zeros((0, 3, 28, 28), np.float32)).shape == (0, 200)


def test_our_strain_is_the_one_of_the_paper():
    """sqrt(e_xx^2 + e_yy^2 + e_xy^2 + e_yx^2), e the symmetric part of the flow's derivatives."""
    flow = np.random.default_rng(1).standard_normal((2, 12, 12)).astype(np.float32)
    found = strain(flow)
    for y, x in np.ndindex(10, 10):
        y, x = y + 1, x + 1
        along_x, along_y = (flow[:, y, x + 1] - flow[:, y, x - 1]) / 2, (flow[:, y + 1, x] - flow[:, y - 1, x]) / 2
        turn = np.stack([along_x, along_y], axis=1).astype(float)
        tensor = (turn + turn.T) / 2
        assert found[y, x] == pytest.approx(math.sqrt((tensor**2).sum()), rel=1e-5)


def test_what_it_wants_is_what_was_published():
    spec = METHOD.inputs(METHOD.settings)
    assert (spec.maps, spec.flow, spec.size) == (("u", "v", "strain"), "tvl1", spec.frame_size)
    with pytest.raises(UserError, match="maps=u,v: bi_woof is made of u,v,strain"):
        METHOD.configured(changes={"maps": "u,v"})


def test_it_works_on_ready_maps(maps_clips):
    spec = fitted_spec(maps_clips, METHOD.inputs(METHOD.settings))
    assert spec.size == 28
    found = features(maps_clips, spec)
    y = np.array([["negative", "positive", "surprise"].index(clip.label) for clip in found.clips])
    groups = [clip.subject for clip in found.clips]
    classifier = METHOD.build(METHOD.settings, spec, 3, 0).fit(found.x, y, groups)
    assert (classifier.predict_proba(found.x).argmax(axis=1) == y).mean() > 0.9


def test_it_learns_and_one_seed_is_as_good_as_another():
    x, y, groups = separable(30, size=28)
    new, truth, _ = separable(18, size=28, seed=5)
    spec = METHOD.inputs(METHOD.settings)
    one, two = (METHOD.build(METHOD.settings, spec, 3, s).fit(x, y, groups).predict_proba(new) for s in (0, 1))
    assert (one.argmax(axis=1) == truth).all()
    np.testing.assert_array_equal(one, two)
