"""The spotter on rows of motion made by formula: what was planted is found when it was, nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfrnet.datasets.synthetic_motion import time_course
from dfrnet.types import Event
from dfrnet.video.courses import MACRO_SHAPES, MICRO_SHAPES, STEP, Shape, best_fit, course, matched
from dfrnet.video.motion import Motion
from dfrnet.video.places import REGIONS
from dfrnet.video.spotting import Spotter, score, stands_out

EXPLAINED = np.full(len(REGIONS), 0.01, np.float32)
SMILE = ("left_lip_corner", "right_lip_corner", "left_cheek", "right_cheek")
BROWS = ("left_inner_brow", "right_inner_brow", "left_outer_brow", "right_outer_brow")
LIDS = ("left_upper_lid", "right_upper_lid", "left_lower_lid", "right_lower_lid")


@dataclass(frozen=True)
class Pulled:
    """``regions`` go up by ``height`` pixels: from ``onset`` to ``apex``, back from ``release`` to ``offset``."""

    regions: tuple[str, ...]
    onset: float
    apex: float
    offset: float
    height: float = 1.0
    release: float | None = None


def face(
    times: np.ndarray, pulled: Sequence[Pulled] = (), noise: float = 0.02, blinks: Sequence[tuple[float, float]] = ()
) -> list[Motion]:
    rng = np.random.default_rng(3)
    moved = noise * rng.standard_normal((len(times), len(REGIONS), 2))
    for one in pulled:
        up = one.height * time_course(times, one.onset, one.apex, one.offset, one.release)
        for region in one.regions:
            moved[:, REGIONS.index(region), 1] -= up
    shut = np.zeros(len(times))
    for begin, end in blinks:
        shut = np.maximum(shut, 0.5 * time_course(times, begin, (begin + end) / 2, end))
    return [
        Motion(float(t), d.astype(np.float32), EXPLAINED, float(b), k == 0)
        for k, (t, d, b) in enumerate(zip(times, moved, shut, strict=True))
    ]


def spotted(rows: Sequence[Motion], assessable: Sequence[bool] | None = None) -> list[Event]:
    spotter = Spotter()
    flags = [True] * len(rows) if assessable is None else assessable
    found = [event for row, fit in zip(rows, flags, strict=True) for event in spotter.update(row, bool(fit))]
    return found + spotter.finish()


def seconds(length: float, fps: float = 100.0) -> np.ndarray:
    return np.arange(round(length * fps)) / fps


def off(event: Event, true: Pulled) -> float:
    """The largest error of onset, apex and offset, seconds."""
    return float(np.abs(np.subtract((event.start, event.apex, event.end), (true.onset, true.apex, true.offset))).max())


MICRO = Pulled(SMILE, 6.0, 6.1, 6.25)
MACRO = Pulled(SMILE, 6.0, 6.3, 7.9, 2.0, release=7.5)


@pytest.mark.parametrize(("fps", "most"), [(200, 0.04), (100, 0.04), (60, 0.04), (30, 0.06), (24, 0.07)])
def test_a_movement_is_found_at_any_frame_rate(fps: float, most: float) -> None:
    (event,) = spotted(face(seconds(12, fps), [MICRO]))
    assert event.kind == "micro"
    assert off(event, MICRO) < most
    assert set(event.regions) <= set(SMILE)
    assert event.score > 0.5


@settings(max_examples=8)
@given(onset=st.floats(4, 6), length=st.floats(0.1, 0.46), share=st.floats(0.3, 0.7), wobble=st.integers(0, 99))
def test_frames_may_come_at_any_time(onset: float, length: float, share: float, wobble: int) -> None:
    rng = np.random.default_rng(wobble)
    times = np.cumsum(rng.uniform(0.004, 0.03, 500))
    true = Pulled(BROWS, onset, onset + share * length, onset + length)
    (event,) = spotted(face(times - times[0], [true]))
    assert event.kind == "micro"
    assert off(event, true) < 0.05


@pytest.mark.parametrize("fps", [200, 60, 30])
def test_a_longer_movement_is_told_as_such(fps: float) -> None:
    (event,) = spotted(face(seconds(14, fps), [MACRO]))
    assert event.kind == "macro"
    assert abs(event.start - MACRO.onset) < 0.12
    assert abs(event.end - MACRO.offset) < 0.2


def test_noise_is_no_movement() -> None:
    assert spotted(face(seconds(30))) == []
    assert spotted(face(seconds(30), noise=0.0)) == []


def test_a_face_that_trembles_raises_the_bar() -> None:
    small = replace(MICRO, height=0.4, onset=10.0, apex=10.1, offset=10.25)
    calm, trembling = face(seconds(20), [small]), face(seconds(20), [small])
    shake = np.random.default_rng(1).standard_normal((len(trembling), len(REGIONS), 2))
    shake = np.apply_along_axis(lambda v: np.convolve(v, np.hanning(25) / 5, "same"), 0, 0.35 * shake)
    moved = [replace(r, displacement=(r.displacement + s).astype(np.float32)) for r, s in zip(calm, shake, strict=True)]
    assert len(spotted(calm)) == 1
    assert spotted(moved) == []


def test_a_drift_and_a_change_that_stays_are_no_movement() -> None:
    times = seconds(20)
    rows = face(times)
    slow = 3 * np.sin(2 * np.pi * 0.1 * times) + 2 * time_course(times, 8, 8.3, 99, 98)
    moved = [replace(r, displacement=r.displacement + np.float32(s)) for r, s in zip(rows, slow, strict=True)]
    assert spotted(moved) == []


def test_a_blink_is_no_movement_but_a_mouth_that_moves_meanwhile_is() -> None:
    lids = Pulled((*LIDS, *BROWS), 6.0, 6.1, 6.25, -1.5)
    assert len(spotted(face(seconds(12), [lids]))) == 1, "lids that move without a blink are told"
    blink = [(6.0, 6.25)]
    assert spotted(face(seconds(12), [lids], blinks=blink)) == []
    mouth = Pulled(("left_lip_corner", "right_lip_corner", "upper_lip"), 6.05, 6.15, 6.35)
    (event,) = spotted(face(seconds(12), [lids, mouth], blinks=blink))
    assert off(event, mouth) < 0.05


def test_where_a_hand_comes_before_the_face_nothing_moved() -> None:
    """What comes there is not the skin that was there: the picture of the region is not what moved."""
    hand = replace(MICRO, regions=("left_lip_corner", "right_lip_corner", "upper_lip", "lower_lip"), height=3.0)
    rows = face(seconds(14), [hand, replace(MICRO, regions=BROWS, onset=10.0, apex=10.1, offset=10.25)])
    covered = np.where([name in hand.regions for name in REGIONS], np.float32(1.5), EXPLAINED)
    rows = [replace(r, unexplained=covered) if 5.9 < r.time < 6.4 or 9.9 < r.time < 10.4 else r for r in rows]
    (brows,) = spotted(rows)
    assert brows.start == pytest.approx(10.0, abs=0.04), "the rest of the face goes on"
    assert set(brows.regions) <= set(BROWS)


def test_a_region_that_is_covered_throughout_never_stands_out() -> None:
    covered = np.where([name in SMILE for name in REGIONS], np.float32(1.5), EXPLAINED)
    assert spotted([replace(row, unexplained=covered) for row in face(seconds(12), [MICRO])]) == []


def test_what_a_blink_hides_is_carried_over_and_not_left_out() -> None:
    rows = face(seconds(12), [replace(MICRO, regions=BROWS, onset=5.9, apex=6.1, offset=6.4)], blinks=[(8.0, 8.2)])
    shut = np.where([name in (*LIDS, *BROWS) for name in REGIONS], np.float32(1.5), EXPLAINED)
    (event,) = spotted([replace(r, unexplained=shut) if 8.0 < r.time < 8.2 else r for r in rows])
    assert event.start == pytest.approx(5.9, abs=0.05)


@settings(max_examples=6)
@given(begin=st.floats(5.95, 6.2))
def test_what_is_not_assessable_holds_no_movement(begin: float) -> None:
    times = seconds(9)
    assert spotted(face(times, [MICRO]), ~((begin <= times) & (times <= begin + 0.05))) == []
    assert len(spotted(face(times, [MICRO]), ~((times >= 3) & (times <= 4)))) == 1


def test_nothing_reaches_over_a_lost_face() -> None:
    times = seconds(12)
    rows = face(times, [MICRO])
    lost = [r for r in rows if not 6.05 < r.time < 6.5]
    assert spotted(lost) == []
    jump = [replace(r, displacement=r.displacement + 2 * (r.time >= 9), begins=r.time in (0.0, 9.0)) for r in rows]
    assert [e.kind for e in spotted(jump)] == ["micro"]


def test_events_are_told_once_soon_and_for_good() -> None:
    planted = [replace(MICRO, onset=t, apex=t + 0.1, offset=t + 0.3) for t in (1.0, 5.0, 8.0, 11.0)]
    rows = face(seconds(15), [*planted, Pulled(BROWS, 12.8, 13.1, 14.4, 2.0, release=14.0)])
    spotter, told = Spotter(), []
    for row in rows:
        told += [(row.time, event) for event in spotter.update(row)]
    assert [e.kind for _, e in told] == ["micro"] * 4
    assert max(now - e.end for now, e in told[1:]) <= 1.6
    rest = spotter.finish()
    assert [e.kind for e in rest] == ["macro"]
    assert spotted(rows) == [e for _, e in told] + rest
    assert spotter.finish() == []
    for part in (700, 1000):
        early = Spotter()
        first = [event for row in rows[:part] for event in early.update(row)]
        assert first == [e for now, e in told if now < part / 100]


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_movement_of_one_side_is_found_too(side: str) -> None:
    one = replace(MICRO, regions=(f"{side}_lip_corner", f"{side}_cheek"), height=1.5)
    (event,) = spotted(face(seconds(12), [one]))
    assert set(event.regions) == set(one.regions)


@given(
    length=st.floats(0.1, 9), turn=st.floats(0, 6.28), apart=st.floats(0, 1), usual=st.floats(0.02, 2),
    region=st.sampled_from([name for name in REGIONS if name.startswith("left_")]),
)  # fmt: skip
def test_both_sides_alike_stand_out_most(length: float, turn: float, apart: float, usual: float, region: str) -> None:
    way = length * np.array([np.cos(turn), np.sin(turn)])
    left, right = REGIONS.index(region), REGIONS.index(region.replace("left_", "right_"))
    answers = np.zeros((4, len(REGIONS), 2))
    answers[0, [left, right]] = way, way * (-1, 1)  # as in a mirror
    answers[1, [left, right]] = way, way * (1, -1)  # the opposite
    answers[2, left] = way
    answers[3, REGIONS.index("chin")] = way
    alike, opposite, alone, middle = stands_out(answers, np.full(len(REGIONS), usual), apart)
    times = length / usual
    assert alike == pytest.approx(times * np.sqrt(2))
    assert opposite == pytest.approx(times * np.sqrt(2 * apart))
    assert alone == pytest.approx(times * np.sqrt((1 + apart) / 2))
    assert middle == pytest.approx(times)
    assert stands_out(answers, np.full(len(REGIONS), 2 * usual), apart)[0] == pytest.approx(alike / 2)


def test_two_movements_are_two_events() -> None:
    planted = [replace(MICRO, onset=t, apex=t + 0.1, offset=t + 0.25) for t in (6.0, 6.8, 8.0)]
    found = spotted(face(seconds(12), planted))
    assert len(found) == 3
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_a_larger_movement_scores_higher() -> None:
    scores = [spotted(face(seconds(12), [replace(MICRO, height=h)]))[0].score for h in (0.6, 1.0, 2.0, 4.0)]
    assert scores == sorted(scores)
    assert score(0, 5) == 0
    assert score(5, 5) == 0.5
    assert spotted(face(seconds(12), [replace(MICRO, height=0.15)], noise=0.001)) == [], "too small to be told"


def test_the_curve_is_highest_where_something_moves() -> None:
    spotter = Spotter()
    for row in face(seconds(10), [MICRO]):
        spotter.update(row)
    spotter.finish()
    times, strengths = np.array(spotter.strengths).T
    assert times == pytest.approx(np.arange(1000) * STEP)
    assert times[strengths.argmax()] == pytest.approx((MICRO.onset + MICRO.offset) / 2, abs=0.03)
    away = np.abs(times - MICRO.apex) > 1
    assert strengths.max() > 0.5 > 0.4 > strengths[away].max()


@pytest.mark.parametrize("assessable", [True, False])
def test_memory_does_not_grow(assessable: bool) -> None:
    spotter, still = Spotter(), np.zeros((len(REGIONS), 2), np.float32)
    for k in range(1200):
        spotter.update(Motion(k / 30, still, EXPLAINED, 0.0, k == 0), assessable)
    assert max(len(search.seen.good) for search in spotter._searches) < 1500


def test_a_movement_after_minutes_that_were_not_assessable_is_found() -> None:
    times = seconds(60)
    late = Pulled(SMILE, 50.0, 50.1, 50.25)
    early = replace(late, onset=6.0, apex=6.1, offset=6.25)
    (event,) = spotted(face(times, [early, late]), times > 40)
    assert off(event, late) < 0.05


@given(rise=st.floats(0.05, 0.4), stay=st.floats(0, 1), fall=st.floats(0.05, 0.4))
def test_a_course_rises_and_falls(rise: float, stay: float, fall: float) -> None:
    samples = course(Shape(rise, stay, fall))
    assert samples[0] == pytest.approx(0)
    assert samples[-1] == pytest.approx(0, abs=1e-9)
    assert 0.8 < samples.max() <= 1
    assert (np.diff(np.sign(np.diff(samples).round(9))) > 0).sum() == 0, "one summit"


@given(length=st.sampled_from([0.08, 0.17, 0.48, 1.2]), level=st.floats(-9, 9), drift=st.floats(-9, 9))
def test_a_filter_answers_with_the_height_and_not_to_level_or_drift(length: float, level: float, drift: float) -> None:
    one = matched(length, 0.0, 0.2)
    half = length / 2
    core = course(Shape(half, 0, half))
    pad = (len(one) - len(core)) // 2
    movement = np.pad(core, (pad, len(one) - len(core) - pad))
    line = level + drift * np.linspace(0, 1, len(one))
    assert one @ (3 * movement + line) == pytest.approx(3, abs=1e-6)


@given(start=st.integers(12, 60), shape=st.sampled_from(MICRO_SHAPES[35:]))
def test_a_fit_finds_the_course_that_is_there(start: int, shape: Shape) -> None:
    curve = np.zeros(150)
    samples = course(shape)
    curve[start : start + len(samples)] += 2 * samples
    fit = best_fit(curve + 5, MICRO_SHAPES, 0.1)
    assert fit is not None
    assert abs(fit.onset - start * STEP) <= 2 * STEP
    assert abs(fit.offset - start * STEP - shape.length) <= 2 * STEP
    assert fit.height == pytest.approx(2, rel=0.1)
    assert fit.unexplained < 0.02
    assert fit.return_gap < 0.05
    assert best_fit(-curve, MICRO_SHAPES, 0.1) is None or best_fit(-curve, MICRO_SHAPES, 0.1).return_gap > 0.2
    assert best_fit(curve[:5], MACRO_SHAPES, 0.1) is None
