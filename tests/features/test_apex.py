"""Which frame is the apex: the curves, the choice of a point, and the rules made of both."""

import itertools
import weakref
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.signal import find_peaks

from dfrnet.datasets import synthetic
from dfrnet.faces import DC_ROIS, align_frames, find_face, region_boxes
from dfrnet.features import APEX, FeatureSpec, clip_features
from dfrnet.features.apex import (
    cosine,
    difference_curve,
    divide_and_conquer,
    flow_curve,
    highest,
    peaks,
    prior,
    smoothed,
    smoothing_width,
    texture_curve,
)
from dfrnet.types import Clip, UserError

LOOKING = [name for name in APEX if name not in ("annotated", "middle")]
"""The rules that may look at frames."""

curves = arrays.arrays(np.float64, st.integers(1, 40), elements=st.integers(0, 6).map(float))
"""Few levels, so that plateaus and equal peaks happen."""


@pytest.fixture(scope="module")
def clip():
    """An easy clip of 200 frames a second, its frames drawn once, its apex not at the middle."""
    one = synthetic.load("easy", subjects=1, clips_per_subject=8, fps=200.0)[3]
    return replace(one, frames=[one.frames[i] for i in range(len(one.frames))])


def unmarked(frames, onset=0, offset=None, fps=0.0):
    return Clip(
        "d/s/c", "d", "d/s", "positive", frames, onset, None, len(frames) - 1 if offset is None else offset, fps
    )


class Watched:
    """Frames that note which of them is read, and how many are alive at once."""

    def __init__(self, frames):
        self.frames, self.read, self.alive, self.most = frames, [], [], 0

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        self.read.append(index)
        image = self.frames[index].copy()
        self.alive = [one for one in self.alive if one() is not None] + [weakref.ref(image)]
        self.most = max(self.most, len(self.alive))
        return image


# What every rule does


@pytest.mark.parametrize("name", APEX)
def test_a_rule_answers_within_the_movement_and_the_same_every_time(name, clip):
    found = APEX[name](clip, clip.frames)
    assert isinstance(found, int)
    assert clip.onset <= found <= clip.offset
    assert APEX[name](clip, clip.frames) == found


@pytest.mark.parametrize("name", LOOKING)
@pytest.mark.parametrize("length", [1, 2, 3, 4])
@pytest.mark.parametrize("moving", [True, False])
def test_a_few_frames_are_enough(name, length, moving, clip):
    steps = range(clip.onset, clip.onset + 10 * length, 10) if moving else [clip.onset] * length
    few = unmarked([clip.frames[0], *(clip.frames[i] for i in steps), clip.frames[0]], 1, length)
    found = APEX[name](few, few.frames)
    assert 1 <= found <= length
    if not moving:
        assert found == APEX["middle"](few, few.frames)


@pytest.mark.parametrize("name", LOOKING)
def test_frames_of_the_movement_are_read_once_and_let_go(name, clip):
    frames = Watched(clip.frames)
    APEX[name](replace(clip, apex=None), frames)
    assert frames.read == list(range(clip.onset, clip.offset + 1))
    assert frames.most <= 3


@pytest.mark.parametrize("name", LOOKING)
def test_neither_label_nor_annotation_is_used(name, clip):
    other = replace(clip, apex=None, label="surprise" if clip.label != "surprise" else "negative", action_units=())
    if name != "auto":
        assert APEX[name](other, clip.frames) == APEX[name](clip, clip.frames)


@pytest.mark.parametrize("name", [name for name in LOOKING if name != "dc_rois"])  # whose points see the colours
def test_grey_frames_do_as_well(name, clip):
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in clip.frames]
    assert APEX[name](clip, grey) == APEX[name](clip, clip.frames)


@pytest.mark.parametrize("size", [(100, 60), (40, 50), (256, 256)])
def test_flow_and_difference_take_any_size(size, clip):
    some = [cv2.resize(clip.frames[i], size, interpolation=cv2.INTER_AREA) for i in range(0, len(clip.frames), 8)]
    for name in ("flow_prior", "max_flow", "max_difference"):
        assert 0 <= APEX[name](unmarked(some), some) < len(some)


@pytest.mark.parametrize("name", [name for name in LOOKING if name != "auto"])
def test_a_rule_makes_features(name, clip):
    assert clip_features(clip, FeatureSpec(apex=name)).maps.shape == (3, 28, 28)


def test_auto_is_the_annotation_and_flow_prior_without_one(clip):
    assert APEX["auto"](clip, clip.frames) == clip.apex
    bare = replace(clip, apex=None)
    assert APEX["auto"](bare, clip.frames) == APEX["flow_prior"](clip, clip.frames)
    with pytest.raises(UserError, match=r"clip synthetic/s01/c04: .*--set apex=auto"):
        APEX["annotated"](bare, clip.frames)


# Mistakes


def test_no_face_no_guess(clip):
    blank = [np.full((128, 128), 90, np.uint8)] * 3
    with pytest.raises(UserError, match=r"clip d/s/c: no face .* --set apex=flow_prior"):
        APEX["dc_rois"](unmarked(blank), blank)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.float32)], ", frame 1: .*float32"),
        ([np.zeros((8, 8, 1), np.uint8)] * 2, r", frame 0: .*uint8 \(8, 8, 1\)"),
        ([np.zeros((8, 8), np.uint8), np.zeros((9, 8), np.uint8)], ": frames 0 and 1 differ in size"),
    ],
)
@pytest.mark.parametrize("name", ["flow_prior", "max_difference"])
def test_what_is_no_picture_is_named(name, frames, message):
    with pytest.raises(UserError, match=f"clip d/s/c{message}"):
        APEX[name](unmarked(frames), frames)


# The curves


def plain_flow_curve(clip, frames):
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    method.setFinestScale(0)
    small = []
    for position in range(clip.onset, clip.offset + 1):
        grey = cv2.cvtColor(frames[position], cv2.COLOR_RGB2GRAY)
        small.append(cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA))
    numbers = []
    for image in small:
        flow = method.calc(small[0], image, None)
        u, v = flow[..., 0] - np.median(flow[..., 0]), flow[..., 1] - np.median(flow[..., 1])
        numbers.append(np.percentile(np.sqrt(u.astype(float) ** 2 + v.astype(float) ** 2), 95))
    return np.array(numbers)


def test_flow_prior_is_its_definition(clip):
    curve = plain_flow_curve(clip, clip.frames)
    np.testing.assert_allclose(flow_curve(clip, clip.frames), curve, rtol=1e-5, atol=1e-6)
    assert APEX["max_flow"](clip, clip.frames) == clip.onset + int(np.argmax(curve))
    weighted = []
    for i in range(len(curve)):
        around = curve[max(0, i - 2) : i + 3]
        t = i / (len(curve) - 1)
        weighted.append(around.mean() * np.exp(-((t - 0.5) ** 2) / (2 * 0.25**2)))
    assert APEX["flow_prior"](clip, clip.frames) == clip.onset + int(np.argmax(weighted))


def test_flow_prior_finds_the_apex_of_easy_clips():
    clips = synthetic.load("easy", subjects=6, clips_per_subject=1, fps=60.0)
    errors = [abs(APEX["flow_prior"](one, one.frames) - one.apex) for one in clips]
    assert np.median(errors) <= 1
    assert max(errors) <= 4


def test_a_shift_of_the_whole_picture_is_no_movement(clip):
    """The head's shift is taken off; a plain difference sees nothing else."""
    picture = cv2.cvtColor(clip.frames[0], cv2.COLOR_RGB2GRAY)
    shifted = [np.roll(picture, step, axis=1)[:, 8:-8] for step in (0, 2, 4)]
    moved = unmarked(shifted)
    assert flow_curve(moved, shifted)[1:].max() < 0.3
    assert difference_curve(moved, shifted)[2] > 3


def test_the_difference_is_a_mean_of_grey_levels():
    frames = [np.full((4, 4), level, np.uint8) for level in (10, 13, 6)]
    frames[2][0, 0] = 90
    np.testing.assert_allclose(difference_curve(unmarked(frames), frames), [0, 3, (15 * 4 + 80) / 16])
    assert APEX["max_difference"](unmarked(frames), frames) == 2


def patterns(image):
    """Uniform local binary patterns, plainly: the set of the 8 neighbours' signs, all others together."""
    padded = np.pad(image.astype(np.float64), 1)
    height, width = image.shape
    signs = []
    for k in range(8):
        y, x = 1 - np.round(np.sin(np.pi * k / 4), 5), 1 + np.round(np.cos(np.pi * k / 4), 5)
        value = np.zeros(image.shape)
        for low_y, low_x in itertools.product((int(y), int(y) + 1), (int(x), int(x) + 1)):
            weight = max(0, 1 - abs(y - low_y)) * max(0, 1 - abs(x - low_x))
            if weight:
                value += weight * padded[low_y : low_y + height, low_x : low_x + width]
        signs.append(value >= image)
    bits = np.stack(signs, -1).astype(int)
    changes = np.abs(bits - np.roll(bits, 1, axis=-1)).sum(-1)
    return np.where(changes <= 2, bits @ 2 ** np.arange(8), -1).ravel()


def test_dc_rois_is_its_definition(clip):
    """Eq. 1 on histograms counted by hand, in boxes around the points of the onset's face."""
    short = replace(clip, offset=clip.onset + 24, apex=None)
    images = [cv2.cvtColor(clip.frames[i], cv2.COLOR_RGB2GRAY) for i in range(short.onset, short.offset + 1, 8)]
    few = unmarked(images)
    boxes = region_boxes(find_face(images[0]).points, (128, 128), DC_ROIS)
    curve = []
    for image in images:
        regions = []
        for left, top, right, bottom in (boxes["right_eye_and_brow"], boxes["left_eye_and_brow"], boxes["mouth"]):
            first, now = (patterns(one[top:bottom, left:right]) for one in (images[0], image))
            h1, h2 = (np.array([(codes == code).sum() for code in range(-1, 256)]) for codes in (first, now))
            regions.append(1 - (h1 * h2).sum() / np.sqrt((h1**2).sum() * (h2**2).sum()))
        curve.append(np.mean(regions))
    found = texture_curve(few, images)
    np.testing.assert_allclose(found, curve, atol=2e-3)
    assert found[1:].min() > 0.005
    assert APEX["dc_rois"](few, images) == divide_and_conquer(found)


def test_aligned_frames_are_not_searched_again(clip, monkeypatch):
    aligned = align_frames(clip.frames, clip.onset, 128)
    monkeypatch.setattr("dfrnet.features.apex.find_face", lambda _: pytest.fail("a second search"))
    short = replace(clip, offset=clip.apex + 1)
    assert clip.onset <= APEX["dc_rois"](short, aligned) <= short.offset


def test_eq_1_by_hand():
    h1, h2 = np.array([[3.0, 4, 0], [1, 0, 0]]), np.array([[4.0, 3, 0], [0, 5, 0]])
    np.testing.assert_allclose(cosine(h1, h2), [24 / 25, 0])
    np.testing.assert_allclose(cosine(h1, 7 * h1), 1)


# Choosing a point of a curve


@given(curves)
def test_chosen_points_lie_on_the_curve(curve):
    assert curve[highest(curve)] == curve.max()
    assert divide_and_conquer(curve) in peaks(curve)


@given(curves)
def test_peaks_are_those_of_scipy(curve):
    wanted, _ = find_peaks(np.concatenate([[-1.0], curve, [-1.0]]))
    assert peaks(curve) == (wanted - 1).tolist()


@given(st.permutations(range(12)), st.integers(1, 12))
def test_a_reversed_curve_has_its_apex_mirrored(order, length):
    """Powers of two: no two sums of different peaks are equal, so nothing is left to a tie."""
    curve = 2.0 ** np.array(order[:length])
    for choose in (highest, divide_and_conquer):
        assert choose(curve[::-1]) == length - 1 - choose(curve)


@given(curves)
def test_a_flat_clip_has_its_apex_in_the_middle_and_scale_does_not_matter(curve):
    assert highest(0 * curve) == divide_and_conquer(0 * curve) == (len(curve) - 1) // 2
    assert divide_and_conquer(8 * curve) == divide_and_conquer(curve)


def plain_divide_and_conquer(curve, first, last, tops):
    """The same by recursion on the ends of the kept part."""
    inside = [top for top in tops if first <= top <= last]
    if len(inside) == 1:
        return inside[0]
    count = last - first + 1
    halves = (first, first + (count + 1) // 2 - 1), (last - (count + 1) // 2 + 1, last)
    sums = [sum(curve[top] for top in inside if low <= top <= high) for low, high in halves]
    return plain_divide_and_conquer(curve, *halves[int(sums[1] > sums[0])], tops)


@given(curves)
def test_divide_and_conquer_against_a_recursion(curve):
    assert divide_and_conquer(curve) == plain_divide_and_conquer(curve, 0, len(curve) - 1, peaks(curve))


@pytest.mark.parametrize(
    ("curve", "found", "largest"),
    [
        ([0], 0, 0),
        ([0, 1], 1, 1),
        ([0, 1, 0], 1, 1),
        ([0, 1, 2, 2, 2, 1], 3, 2),  # a plateau's middle; the largest value nearest to the middle of all
        ([0, 1, 2, 3, 4], 4, 4),  # a rise without a fall: the end
        ([0, 1, 0, 1, 0, 1, 0, 0, 0, 2.5, 0, 0], 3, 9),  # three peaks, 3 in sum, outweigh the highest, 2.5
        ([0, 1, 0, 1, 0, 1, 0, 0, 0, 3.5, 0, 0], 9, 9),
        ([0, 2, 0, 0, 0, 0, 3, 0, 1, 0, 2, 0], 6, 6),  # 2 against 6, 4 against 2, 3 against 1
        ([0, 2, 0, 0, 0, 0, 3, 0, 0, 2, 0, 2], 9, 6),  # 2 against 7, 3 against 4, and of equals the earlier
        ([0, 2, 0, 9, 0, 2.5, 0], 3, 3),  # the frame in the middle belongs to both halves
    ],
)
def test_golden_curves(curve, found, largest):
    assert divide_and_conquer(np.array(curve, float)) == found
    assert highest(np.array(curve, float)) == largest


# Smoothing and the prior


@given(curves, st.integers(0, 6))
def test_smoothing_is_a_mean_of_neighbours(curve, half):
    found = smoothed(curve, 2 * half + 1)
    np.testing.assert_allclose(
        found, [curve[max(0, i - half) : i + half + 1].mean() for i in range(len(curve))], atol=1e-12
    )
    np.testing.assert_allclose(smoothed(curve[::-1], 2 * half + 1)[::-1], found, atol=1e-12)


@pytest.mark.parametrize(
    ("fps", "frames"), [(0, 5), (25, 3), (30, 3), (60, 3), (100, 3), (120, 3), (200, 5), (500, 13)]
)
def test_smoothing_lasts_25_ms_and_three_frames_at_least(fps, frames):
    assert smoothing_width(fps) == frames


@given(st.integers(1, 200))
def test_the_prior_is_the_same_on_both_sides(count):
    weights = prior(count)
    np.testing.assert_array_equal(weights, weights[::-1])
    assert weights.max() == weights[(count - 1) // 2]
    if count > 1:
        assert weights[0] == pytest.approx(np.exp(-2))
        assert weights[-1] == pytest.approx(np.exp(-2))


@given(curves)
def test_smoothing_and_prior_choose_mirrored_points(curve):
    weighted = smoothed(curve, 5) * prior(len(curve))
    backwards = smoothed(curve[::-1], 5) * prior(len(curve))
    top = np.sort(weighted)[-2:]
    assume(len(top) < 2 or top[1] - top[0] > 1e-9)
    assert highest(backwards) == len(curve) - 1 - highest(weighted)
