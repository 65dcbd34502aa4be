"""What cannot be judged: each reason brought about alone, intervals against a slow count, time stamps of any rate."""

from dataclasses import replace
from functools import cache
from itertools import groupby, pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfrnet.datasets import synthetic
from dfrnet.frames import VideoFile, grey
from dfrnet.types import Event, Interval, Recording, UserError
from dfrnet.video import quality
from dfrnet.video.quality import REASONS, Intervals, QualityGate, QualitySettings, QualityWatch
from dfrnet.video.rate import FrameRate
from dfrnet.video.track import FaceTracker, Observation
from trees import REPOSITORY

EDGE = 40  # pixels around the drawn face


@cache
def face():
    """A drawn face in the middle of a grey picture (208, 208), and its points there."""
    frames = synthetic.load("easy", subjects=1, clips_per_subject=1)[0].frames
    image = cv2.copyMakeBorder(grey(frames[0]), EDGE, EDGE, EDGE, EDGE, cv2.BORDER_REPLICATE)
    return image, frames.landmarks(0) + EDGE


def seen(points=None, track=1, **changes):
    points = np.asarray(face()[1] if points is None else points, np.float32)
    distance = float(np.hypot(*(points[45] - points[36])))
    plain = Observation(track, points, np.zeros((468, 2), np.float32), True, 1.0, 0.0, 0.0, 0.0, distance)
    return replace(plain, **changes)


def run(show, seconds=3.0, fps=30.0, settings=None):
    """Reasons of each frame: ``show(time)`` gives the picture and the observation; fresh about every 0.05 s."""
    gate, answers, looked = QualityGate(settings), [], -1.0
    for k in range(round(seconds * fps)):
        time = k / fps
        image, observation = show(time)
        fresh = time - looked >= 0.049
        looked = time if fresh else looked
        answers.append(gate.update(time, image, observation and replace(observation, fresh=fresh)))
    return answers


def during(name, answers, fps=30.0):
    """The first and last second in which a reason is told, None if it is not."""
    told = [k / fps for k, reasons in enumerate(answers) if name in reasons]
    return (told[0], told[-1]) if told else None


def moved(points, indices, dx=0.0, dy=0.0):
    points = points.copy()
    points[list(indices)] += (dx, dy)
    return points


def shut(points, amount):
    """Eyes closed by ``amount`` 0..1."""
    points = points.copy()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        middle = (points[upper] + points[lower]) / 2
        points[upper] += amount * (middle - points[upper])
        points[lower] += amount * (middle - points[lower])
    return points


def between(time, first, last):
    return first <= time < last


def blinking(time):
    return face()[0], seen(shut(face()[1], 0.8 if between(time, 1.5, 1.7) else 0.0))


def squinting_a_little(time):
    return face()[0], seen(shut(face()[1], 0.15 if between(time, 1.5, 1.7) else 0.0))


def mouth_open(points, share):
    distance = np.hypot(*(points[45] - points[36]))
    return moved(points, (65, 66, 67), dy=share * distance)


def speaking(time):
    share = 0.06 * (1 + np.sin(2 * np.pi * 4 * time)) if between(time, 1.0, 2.0) else 0.0
    return face()[0], seen(mouth_open(face()[1], share))


def opening_once(time):
    return face()[0], seen(mouth_open(face()[1], 0.15 if between(time, 1.2, 1.6) else 0.0))


def dashing(time):
    way = 52 * 2.0 * np.clip(time - 1.5, 0, 0.5)  # two eye distances a second
    return np.roll(face()[0], round(way), axis=1), seen(face()[1] + np.float32([round(way), 0]))


def swaying(time):
    return face()[0], seen(face()[1] + np.float32([3 * np.sin(2 * np.pi * 0.5 * time), 0]))


def lit(time):
    image = face()[0].astype(float) * (1.25 if between(time, 1.5, 2.0) else 1.0)
    return np.clip(image, 0, 255).astype(np.uint8), seen()


def fading(time):
    return np.clip(face()[0] * (1 - 0.06 * time), 0, 255).astype(np.uint8), seen()


def smeared(time):
    image = face()[0]
    return cv2.GaussianBlur(image, (0, 0), 1.5) if between(time, 1.5, 2.0) else image, seen()


def turning(time):
    return face()[0], seen(yaw=-40.0 if between(time, 1.5, 2.0) else 3.0)


def nodding(time):
    return face()[0], seen(pitch=30.0 if between(time, 1.5, 2.0) else 3.0)


def out_of_sight(time):
    return face()[0], None if between(time, 1.5, 2.0) else seen()


def unlit(time):
    return face()[0] // 8, seen()


def burnt(time):
    return 255 - (255 - face()[0]) // 16, seen()


def far_away(time):
    image, points = face()
    return cv2.resize(image, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA), seen(points * 0.4)


def soft(time):
    return cv2.GaussianBlur(face()[0], (0, 0), 2.5), seen()


def calm(time):
    return face()[0], seen()


@pytest.mark.parametrize("fps", [30, 60, 200])
@pytest.mark.parametrize("show", [calm, squinting_a_little, opening_once, swaying, fading])
def test_what_can_be_judged(show, fps):
    assert set(run(show, fps=fps)) == {()}


@pytest.mark.parametrize("fps", [30, 60, 200])
@pytest.mark.parametrize(
    ("show", "name", "first", "last"),
    [
        (blinking, "blink", 1.5, 1.7), (speaking, "speaking", 1.0, 2.0), (dashing, "head_moving", 1.5, 2.0),
        (lit, "exposure", 1.5, 2.0), (smeared, "blurred", 1.5, 2.0),
        (turning, "turned", 1.5, 2.0), (nodding, "turned", 1.5, 2.0), (out_of_sight, "face_lost", 1.5, 2.0),
    ],
)  # fmt: skip
def test_a_reason_for_a_while(show, name, first, last, fps):
    answers = run(show, seconds=4.0, fps=fps)
    allowed = {"exposure"} if show is dashing else set()  # another piece of skin may come into the crop
    assert {reason for reasons in answers for reason in reasons} - allowed == {name}
    start, end = during(name, answers, fps)
    before, after = quality.BEFORE.get(name, 0.0), quality.AFTER.get(name, 0.0)
    assert first - 0.01 <= start <= first + before + 0.12
    assert last - 0.12 <= end <= 2.0 + after + quality.RECENT + (1.0 if name == "speaking" else 0.12)


@pytest.mark.parametrize(
    ("show", "name"), [(unlit, "dark"), (burnt, "overexposed"), (far_away, "face_small"), (soft, "blurred")]
)
def test_a_reason_throughout(show, name):
    answers = run(show, seconds=0.5)
    assert all(name in reasons for reasons in answers)


def test_a_face_that_is_covered():
    gate, image = QualityGate(), face()[0]
    answers = [gate.update(k / 30, image, seen(), unlike) for k, unlike in enumerate((0.0, 0.3, 0.5, 0.38, 0.3))]
    assert answers == [(), (), ("covered",), ("covered",), ()], "with some hysteresis"
    watch = QualityWatch()
    for k in range(60):
        told = watch.update(k / 30, image, [seen(), seen(track=2)], {2: 0.9 * (20 <= k < 40)})
        assert told == {1: (), 2: ("covered",) if 20 <= k < 40 else ()} or k < 5
    assert watch.finish(2.0) == [Interval(20 / 30, 40 / 30, "covered", 2)]


def test_an_event_says_that_it_meets_what_is_not_assessable():
    watch, image = QualityWatch(), face()[0]
    event = Event(0.5, 0.6, 0.9, track=1)
    others = replace(event, track=2)
    for k in range(60):
        watch.update(k / 30, image, [seen()], {1: 0.9 * (k >= 20)})
        known = watch.doubted(event)
        assert known.quality == ((f"not assessable: {REASONS['covered']}",) if k >= 20 else ())
        assert watch.doubted(known) == known, "once"
        assert watch.doubted(others) == others
    watch.finish(2.0)
    assert watch.doubted(event) == known
    assert watch.doubted(replace(event, end=0.6)).quality == ()


def test_before_a_face_was_seen_there_is_none():
    gate = QualityGate()
    assert gate.update(0.0, face()[0], None) == ("no_face",)
    assert gate.update(0.1, face()[0], seen()) == ()
    assert gate.update(0.2, face()[0], None) == ("face_lost",)


@pytest.mark.parametrize(
    ("fps", "bad"), [(10, True), (15, True), (23, True), (23.976, False), (25, False), (26, False), (200, False)]
)
def test_frame_rate(fps, bad):
    """It holds from the first frame on, though it is known only after some, and for whoever comes later."""
    watch = QualityWatch()
    answers = [watch.update(k / fps, face()[0], [seen(track=1 + (k > fps))]) for k in range(round(2 * fps))]
    end = round(2 * fps) / fps
    assert (answers[-1] == {1: ("frame_rate", "face_lost"), 2: ("frame_rate",)}) == bad
    assert {name for reasons in answers for name in reasons.get(2, ())} == ({"frame_rate"} if bad else set())
    assert watch.finish(end) == ([Interval(0.0, pytest.approx(end), "frame_rate")] if bad else [])


def test_a_camera_that_slows_down_and_recovers():
    times = np.concatenate([np.arange(0, 2, 1 / 30), np.arange(2, 4, 1 / 12), np.arange(4, 6, 1 / 30)])
    (slow,), share = judged(times)
    assert (slow.reason, slow.track) == ("frame_rate", None)
    assert 2 < slow.start < 2.8
    assert 4 < slow.end < 5
    assert share == pytest.approx(1 - (slow.end - slow.start) / 6, abs=0.01)


def judged(times):
    """The intervals of a calm face in frames at ``times``, and the share that is assessable."""
    watch = QualityWatch()
    for time in times:
        watch.update(float(time), face()[0], [seen()])
    end = float(times[-1]) + (1 / watch.rate.rate if watch.rate.rate else 0)
    found = watch.finish(end)
    return found, Recording("x", end, 0, intervals=tuple(found), spans=watch.spans).assessable


def test_where_there_is_no_frame_nothing_can_be_judged():
    """Three seconds at 30 a second, between them pauses: what is wrong there are not the frames that do come."""
    times = np.concatenate([np.arange(0, 1, 1 / 30), np.arange(2.5, 3.5, 1 / 30), np.arange(4, 5, 1 / 30)])
    found, share = judged(times)
    assert [(i.reason, i.track) for i in found] == [("no_frame", None)] * 2
    assert [(i.start, i.end) for i in found] == [pytest.approx((29 / 30, 2.5)), pytest.approx((2.5 + 29 / 30, 4))]
    assert share == pytest.approx((3 - 2 / 30) / 5)


@pytest.mark.parametrize("fps", [0.5, 1, 2, 3.9, 4.1, 8, 20])
def test_nothing_can_be_judged_at_so_few_frames_a_second(fps):
    assert judged(np.arange(0, 6, 1 / fps))[1] == 0


@pytest.mark.parametrize("fps", [2, 3, 3.5])
def test_what_lasts_is_one_interval(fps):
    found, _ = judged(np.arange(0, 60, 1 / fps))
    assert sorted(one.reason for one in found) == ["frame_rate", "no_frame"]
    assert all(one.end - one.start > 59 for one in found)


@pytest.mark.parametrize("times", [[0.0], [0.0, 0.033], [0.0, 0.033, 0.067, 0.1], [0.0, 3.0]])
def test_so_few_frames_tell_no_rate(times):
    found, share = judged(times)
    assert "frame_rate" in {one.reason for one in found}
    assert share == 0


def test_a_few_frames_now_and_then_are_too_few():
    times = np.sort(np.concatenate([np.arange(0, 6, 0.4) + k / 60 for k in range(4)]))
    assert judged(times)[1] < 0.01


@settings(max_examples=8)
@given(st.floats(-1, 1), st.floats(0.05, 2))
def test_hysteresis_does_not_flicker(noise, hertz):
    """A yaw that trembles about its limit by less than a tenth turns the reason on at most once."""
    limit = QualitySettings().yaw
    answers = run(lambda t: (face()[0], seen(yaw=limit * (1 + 0.04 * noise * np.sin(2 * np.pi * hertz * t)))))
    assert sum(told for told, _ in groupby("turned" in reasons for reasons in answers)) <= 1


def test_the_face_at_the_edge_or_beyond():
    gate = QualityGate()
    for k, shift in enumerate((-90, 90, -400, 400)):
        names = gate.update(k / 30, face()[0], seen(face()[1] + np.float32(shift)))
        assert set(names) <= set(REASONS)


def test_what_a_gate_keeps_does_not_grow():
    gate, image = QualityGate(), face()[0]
    for k in range(1500):
        gate.update(k / 1000, image, seen(fresh=k % 50 == 0))
    watch = FrameRate()
    for k in range(3000):
        watch.update(k / 1000)
    assert len(watch._recent) <= 1002
    held = [v for v in vars(gate).values() if hasattr(v, "__len__")]
    assert max(map(len, held)) <= 1000 * quality.RECENT + 2


@pytest.mark.parametrize("wrong", [{"yaw": -1.0}, {"dark": float("nan")}, {"speed": float("inf")}])
def test_limits_that_make_no_sense(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        QualitySettings(**wrong)


@given(st.integers(1, 9), st.floats(0.06, 0.5))
def test_turns_of_a_swing(hertz, swing):
    """Two in each period, whatever its size and phase."""
    turns = quality._Turns(0.05)
    counts = [turns.update(t, swing / 2 * np.sin(2 * np.pi * hertz * t + 0.3)) for t in np.arange(0, 3, 1 / 100)]
    assert set(counts[200:]) <= {2 * hertz - 1, 2 * hertz, 2 * hertz + 1}


@given(st.integers(0, 999))
def test_shaking_has_no_turns(seed):
    turns = quality._Turns(0.05)
    assert not any(turns.update(k / 20, v) for k, v in enumerate(np.random.default_rng(seed).uniform(0, 0.05, 60)))


def merged(flags, times, track=1, name="dark"):
    merger = Intervals()
    found = [i for t, bad in zip(times, flags, strict=True) for i in merger.update(t, track, [name] if bad else [])]
    return found + merger.finish(times[-1] + 0.1, track)


@given(st.lists(st.booleans(), min_size=2, max_size=80), st.floats(0.01, 0.2))
def test_intervals_against_a_slow_count(flags, step):
    times = [k * step for k in range(len(flags))]
    ends = [*times[1:], times[-1] + 0.1]
    spans: list[list[float]] = []
    for begin, end, bad in zip(times, ends, flags, strict=True):
        if not bad:
            continue
        if spans and begin - spans[-1][1] <= quality.GAP:
            spans[-1][1] = end
        else:
            spans.append([begin, end])
    wanted = [Interval(a, b, "dark", 1) for a, b in spans if b - a > quality.SHORTEST]
    assert merged(flags, times) == wanted


@given(st.lists(st.booleans(), min_size=2, max_size=80), st.sampled_from(sorted(REASONS)))
def test_intervals_hold_what_was_told(flags, name):
    times = [k / 20 for k in range(len(flags))]
    found = merged(flags, times, name=name)
    assert all(0 <= i.start < i.end and i.reason == name for i in found)
    assert all(b.start - a.end > 0 for a, b in pairwise(found))
    if name in quality.SHORT_TOO:
        told = [t for t, bad in zip(times, flags, strict=True) if bad]
        assert all(any(i.start <= t < i.end for i in found) for t in told)
        first = min(told, default=None)
        assert not found or found[0].start == max(0.0, first - quality.BEFORE.get(name, 0.0))


def test_tracks_and_reasons_do_not_mix():
    merger = Intervals()
    over = []
    for k in range(10):
        over += merger.update(k / 10, 1, ["dark", "turned"])
        over += merger.update(k / 10, 2, ["dark"] if k < 4 else [])
    assert over == [Interval(0.0, 0.4, "dark", 2)]
    assert merger.finish(1.0, 2) == []
    assert {(i.reason, i.track, i.start, i.end) for i in merger.finish(1.0, 1)} == {
        ("dark", 1, 0.0, 1.0), ("turned", 1, 0.0, 1.0),
    }  # fmt: skip


def watched(plan, fps=30):
    """``plan``: for each stretch of seconds the tracks in sight."""
    watch, k = QualityWatch(), 0
    for seconds, tracks in plan:
        for _ in range(round(seconds * fps)):
            watch.update(k / fps, face()[0], [seen(track=track) for track in tracks])
            k += 1
    return watch, watch.finish(k / fps), k / fps


def test_a_face_that_comes_back_was_lost():
    watch, found, _ = watched([(1, [1]), (0.5, []), (1, [1])])
    assert found == [Interval(1.0, 1.5, "face_lost", 1)]
    assert watch.spans == {1: (0.0, 2.5)}


@pytest.mark.parametrize("nobody", [0.4, 3.0])
def test_a_face_that_does_not_come_back_is_gone(nobody):
    watch, found, end = watched([(0.5, []), (1, [1]), (nobody, []), (1, [2]), (0.5, [])])
    assert found == [
        Interval(0.0, 0.5, "no_face"), Interval(1.5, 1.5 + nobody, "no_face"), Interval(end - 0.5, end, "no_face"),
    ]  # fmt: skip
    assert watch.spans == {1: (0.5, 1.5), 2: (1.5 + nobody, 2.5 + nobody)}


def test_one_of_two_away():
    watch, found, _ = watched([(1, [1, 2]), (0.5, [1]), (1, [1, 2]), (2, [1])])
    assert found == [Interval(1.0, 1.5, "face_lost", 2)]
    assert watch.spans == {1: (0.0, 4.5), 2: (0.0, 2.5)}
    assert set(watch.update(4.6, face()[0], [seen()])) == {1}


def test_nobody_at_all():
    _, found, _ = watched([(2, [])])
    assert found == [Interval(0.0, 2.0, "no_face")]
    assert QualityWatch().finish(0.0) == []


def test_a_face_that_left_is_not_assessable():
    """One of 5 s, then nobody, then one of 40 s who looks away: the share is that of the first alone."""
    watch, k = QualityWatch(), 0
    for seconds, track, yaw in ((5, 1, 0.0), (15, None, 0.0), (40, 2, 40.0)):
        for _ in range(seconds * 30):
            watch.update(k / 30, face()[0], [seen(track=track, yaw=yaw)] if track else [])
            k += 1
    found = watch.finish(60.0)
    assert {(i.reason, i.track) for i in found} == {("no_face", None), ("turned", 2)}
    assert watch.spans == {1: (0.0, 5.0), 2: (20.0, 60.0)}
    recording = Recording("x", 60.0, 30, intervals=tuple(found), spans=watch.spans)
    assert recording.assessable == pytest.approx(5 / 60, abs=0.001)


def rate_of(times):
    rate = FrameRate()
    for time in times:
        rate.update(float(time))
    return rate


@given(st.sampled_from([10, 23.976, 25, 29.97, 30, 50, 60, 100, 119.88, 200, 240, 500]), st.integers(3, 200))
def test_a_steady_camera(fps, count):
    rate = rate_of(np.arange(count) / fps)
    assert rate.rate == pytest.approx(fps, rel=0.003)
    assert rate.missing == 0
    assert rate.irregular == 0


@given(st.sampled_from([30, 60, 200]), st.integers(0, 99))
def test_a_camera_that_loses_frames(fps, seed):
    kept = np.random.default_rng(seed).random(400) > 0.1
    kept[[0, -1]] = True
    rate = rate_of(np.arange(400)[kept] / fps)
    assert rate.rate == pytest.approx(fps, rel=0.003)
    assert rate.missing == pytest.approx(1 - kept.mean(), abs=1e-9)
    assert any("missing" in line for line in rate.cautions())


def test_an_unsteady_camera():
    times = np.cumsum(np.tile([1 / 30, 1 / 30, 1 / 20], 30))
    rate = rate_of(times)
    assert rate.irregular == pytest.approx(1 / 3, abs=0.02)
    assert any("early or late" in line for line in rate.cautions())


@pytest.mark.parametrize(
    ("fps", "words"),
    [(15, "too few"), (30, "within 17 ms"), (59.94, "acceptable"), (60, "acceptable"), (100, None), (200, None)],
)
def test_the_caution_of_a_rate(fps, words):
    cautions = rate_of(np.arange(100) / fps).cautions()
    assert len(cautions) == (words is not None)
    assert words is None or words in cautions[0]


def test_no_rate_of_one_frame():
    for times in ([], [0.0]):
        rate = rate_of(times)
        assert (rate.rate, rate.missing, rate.irregular, rate.cautions()) == (None, 0, 0, [])


def test_a_person_who_blinks_once_and_smiles():
    frames = VideoFile(REPOSITORY / "tests/videos/single_face.mp4")
    tracker, watch = FaceTracker(), QualityWatch()

    class Shown:
        def __init__(self, k):
            self.time, self.image = float(frames.times[k]), frames[k]
            self.grey = grey(self.image)

    for k in range(45):
        frame = Shown(k)
        watch.update(frame.time, frame.grey, tracker.update(frame))
    (blink,) = watch.finish(1.5)
    assert (blink.reason, blink.track) == ("blink", 1)
    assert 0.6 < blink.start < 0.85
    assert 0.97 < blink.end < 1.3


@pytest.mark.parametrize("fps", [23.976, 29.97, 30, 60, 100, 120, 200])
@pytest.mark.parametrize("digits", [9, 3], ids=["exact", "in whole milliseconds"])
def test_the_frame_rate_is_right_over_minutes(fps, digits):
    rate, rng = FrameRate(), np.random.default_rng(0)
    for k in range(round(300 * fps)):
        if rng.uniform() > 0.01:  # some are lost
            rate.update(round(k / fps, digits))
    assert abs(rate.rate - fps) * 300 < 1, "not a frame in five minutes"
