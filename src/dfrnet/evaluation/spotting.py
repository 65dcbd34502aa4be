"""How well were movements found in long recordings? Intervals found against intervals annotated.

The rule is that of the spotting challenges (MEGC2019 and later): an interval that was found is right where its
intersection over union with an annotated one is at least 0.5; right, wrong and missed intervals are counted over all
videos together, and precision, recall and F1 are computed once from those sums. Videos without an annotated movement
and videos in which nothing was found count like the others.

What the challenges leave open is decided so: one found interval answers one annotated interval and the other way round;
of all ways to pair them the one with the most pairs counts, among those the one with the largest sum of overlaps. The
order of the rows therefore changes nothing. Where every interval has a kind (micro, macro), only equal kinds are
paired and ``overall`` is the sum over kinds, as from MEGC2020 on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from dfrnet.evaluation.metrics import Floats, f1s
from dfrnet.evaluation.statistics import bootstrap_interval
from dfrnet.types import UserError

OVERALL = "overall"
KIND_ORDER = ("micro", "macro")
MOMENTS = ("onset", "apex", "offset")
ROUNDING = 1e-9
"""Seconds are rounded numbers: an overlap that misses the threshold by so little reaches it. Frames are counted."""


@dataclass(frozen=True)
class Span:
    """One movement of a video, annotated or found: frame numbers, ``offset`` being its last frame, or seconds.

    ``kind``: micro, macro or "". ``score``: how sure the finder is, on any scale, None where it does not say.
    """

    video: str
    onset: float
    offset: float
    apex: float | None = None
    label: str = ""
    kind: str = ""
    score: float | None = None
    subject: str = ""

    def __post_init__(self) -> None:
        apex = self.onset if self.apex is None else self.apex
        if not -np.inf < self.onset <= apex <= self.offset < np.inf:
            apex_too = "" if self.apex is None else f", apex {self.apex:g}"
            raise UserError(
                f"video {self.video}: onset {self.onset:g}{apex_too} and offset {self.offset:g} must be in order"
            )


@dataclass(frozen=True)
class Video:
    """A recording: its length in seconds and its frames a second, None where unknown; whom it shows, "" likewise."""

    name: str
    duration: float | None = None
    fps: float | None = None
    subject: str = ""

    def __post_init__(self) -> None:
        for what, value in (("duration", self.duration), ("fps", self.fps)):
            if value is not None and not 0 < value < np.inf:
                raise UserError(f"video {self.name}: {what} {value:g} must be above 0")


@dataclass(frozen=True)
class Pair:
    """An annotated interval and the one found that answers it."""

    truth: Span
    prediction: Span
    iou: float


@dataclass(frozen=True)
class Tally:
    """Right, wrong and missed answers; a ratio of nothing to nothing is 0."""

    tp: int
    fp: int
    fn: int

    @property
    def precision(self) -> float:
        """Share of what was found that is right."""
        return self.tp / (self.tp + self.fp) if self.tp else 0.0

    @property
    def recall(self) -> float:
        """Share of what was annotated that was found."""
        return self.tp / (self.tp + self.fn) if self.tp else 0.0

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn) if self.tp else 0.0


@dataclass(frozen=True)
class Errors:
    """How far one moment (onset, apex, offset) lies off in ``n`` pairs, milliseconds.

    ``median`` and ``p95`` are of the absolute errors, ``bias`` is the median of found minus annotated: below 0 early.
    """

    n: int
    median: float
    p95: float
    bias: float


@dataclass(frozen=True)
class Point:
    """Precision and recall when only what scores at least ``score`` counts as found."""

    score: float
    precision: float
    recall: float


@dataclass(frozen=True)
class SpottingRow:
    """All figures of one kind, or of all intervals together (``overall``).

    Intervals in brackets are 95 % bootstrap intervals over ``units`` (subjects where all videos have one, else videos)
    of which there are ``drawn``, None where those are fewer than two. ``minutes`` of recording and ``alarms``, the
    wrong intervals a minute, are None where a length is unknown. ``curve`` and its ``average_precision`` need a score
    on everything found. ``errors`` by moment, those known; in frames they need the frame rate.
    """

    kind: str
    videos: int
    tally: Tally
    f1_interval: tuple[float, float] | None
    units: str
    drawn: int
    minutes: float | None
    alarms: float | None
    alarms_interval: tuple[float, float] | None
    average_precision: float | None
    curve: tuple[Point, ...]
    errors: Mapping[str, Errors]
    pairs: tuple[Pair, ...]


def overlaps(a: Sequence[Span], b: Sequence[Span], frames: bool = True) -> Floats:
    """Intersection over union, float64 (len(a), len(b)) in 0..1.

    An interval of frames includes its last one, so its length is offset - onset + 1; one of seconds is offset - onset
    long. Two intervals of no length share nothing.
    """
    one = 1.0 if frames else 0.0
    first = np.array([(s.onset, s.offset) for s in a], np.float64).reshape(-1, 1, 2)
    second = np.array([(s.onset, s.offset) for s in b], np.float64).reshape(1, -1, 2)
    shared = np.minimum(first[..., 1], second[..., 1]) - np.maximum(first[..., 0], second[..., 0]) + one
    shared = np.maximum(shared, 0)
    union = (first[..., 1] - first[..., 0] + one) + (second[..., 1] - second[..., 0] + one) - shared
    ratio: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


def assign(allowed: npt.NDArray[np.bool_], closeness: Floats) -> list[tuple[int, int]]:
    """One-to-one pairs (row, column) among the allowed ones: as many as possible, then the largest sum of closeness.

    ``allowed`` and ``closeness`` are (N, M), closeness in 0..1. Pairs come in the order of their rows.
    """
    # One pair more is worth more than all the closeness that it can cost.
    gain = np.where(allowed, 1 + min(allowed.shape) + closeness, 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if allowed[i, j]]


def match(truths: Sequence[Span], predictions: Sequence[Span], iou: float = 0.5, frames: bool = True) -> list[Pair]:
    """The pairs that count as right, by the rule above; only spans of one video and one kind are paired."""
    found, pairs = _by_place(predictions), []
    for place, here in _by_place(truths).items():
        there = found.get(place, [])
        overlap = overlaps(here, there, frames)
        pairs += [
            Pair(here[i], there[j], float(overlap[i, j])) for i, j in assign(_enough(overlap, iou, frames), overlap)
        ]
    return pairs


def score_spotting(
    truths: Sequence[Span],
    predictions: Sequence[Span],
    videos: Iterable[Video] = (),
    iou: float = 0.5,
    frames: bool = True,
) -> list[SpottingRow]:
    """A row a kind, where every span has one, and the row ``overall``.

    ``videos`` tells lengths and frame rates, and names the videos in which there is nothing and nothing was found: they
    add minutes, and units to draw. Span in frames unless ``frames`` is False: seconds then. UserError where there is no
    video at all, or where the two sides have no kind in common.
    """
    known = _all_videos(truths, predictions, videos)
    kinds = _kinds(truths, predictions)
    if not kinds:
        truths, predictions = ([replace(s, kind="") for s in side] for side in (truths, predictions))

    def row(name: str, kept: Sequence[str]) -> SpottingRow:
        mine, theirs = ([s for s in side if s.kind in kept] for side in (truths, predictions))
        return _row(name, mine, theirs, known, iou, frames)

    return [*(row(kind, [kind]) for kind in kinds), row(OVERALL, kinds or [""])]


def curve(
    truths: Sequence[Span], predictions: Sequence[Span], iou: float = 0.5, frames: bool = True
) -> tuple[Point, ...]:
    """A point for every score that occurs, from the highest down; () where something found has no score.

    Each point counts the most pairs that are possible among what scores at least so much, so the last one is the
    precision and the recall of :func:`match`.
    """
    if not predictions or any(p.score is None for p in predictions):
        return ()
    ranked = sorted(predictions, key=lambda p: p.score or 0.0, reverse=True)
    near = _near(truths, ranked, iou, frames)
    owner: dict[int, int] = {}
    points = []
    for at, prediction in enumerate(ranked):
        # An augmenting path keeps the pairing a largest one as predictions are added (Berge).
        _augment(at, near, owner)
        if at + 1 == len(ranked) or ranked[at + 1].score != prediction.score:
            right = len(owner)
            points.append(Point(float(prediction.score or 0.0), right / (at + 1), right / max(len(truths), 1)))
    return tuple(points)


def average_precision(points: Sequence[Point]) -> float:
    """The sum of precision times the recall gained at each point, not interpolated; 0 for no points."""
    gains = np.diff([0.0, *(p.recall for p in points)])
    return float(sum(gain * p.precision for gain, p in zip(gains, points, strict=True)))


Place = tuple[str, str]


def _by_place(spans: Sequence[Span]) -> dict[Place, list[Span]]:
    """Spans by video and kind: only within a place can they be paired."""
    places: dict[Place, list[Span]] = defaultdict(list)
    for span in spans:
        places[span.video, span.kind].append(span)
    return places


def _enough(overlap: Floats, iou: float, frames: bool) -> npt.NDArray[np.bool_]:
    return overlap >= (iou if frames else iou - ROUNDING)


def _near(truths: Sequence[Span], predictions: Sequence[Span], iou: float, frames: bool) -> list[list[int]]:
    """For each prediction the positions of the truths that it may answer."""
    places: dict[Place, list[int]] = defaultdict(list)
    for at, span in enumerate(truths):
        places[span.video, span.kind].append(at)
    near = []
    for span in predictions:
        here = places.get((span.video, span.kind), [])
        enough = _enough(overlaps([span], [truths[at] for at in here], frames), iou, frames)
        near.append([at for at, close in zip(here, enough[0], strict=True) if close])
    return near


def _augment(prediction: int, near: Sequence[Sequence[int]], owner: dict[int, int]) -> None:
    """Give the prediction a truth, moving others to another of theirs where that helps (Kuhn 1955)."""
    asked: dict[int, int] = {}  # truth -> who would take it
    held: dict[int, int] = {}  # who has to move -> the truth that it leaves
    waiting = [prediction]
    for who in waiting:
        for truth in near[who]:
            if truth in asked:
                continue
            asked[truth] = who
            if truth in owner:
                held[owner[truth]] = truth
                waiting.append(owner[truth])
                continue
            taker = who
            while taker != prediction:
                owner[truth], truth = taker, held[taker]
                taker = asked[truth]
            owner[truth] = prediction
            return


def _all_videos(truths: Sequence[Span], predictions: Sequence[Span], videos: Iterable[Video]) -> dict[str, Video]:
    """Every video that anybody names, by name; a subject that only the spans know is filled in."""
    known = {video.name: video for video in videos}
    for span in (*truths, *predictions):
        video = known.setdefault(span.video, Video(span.video))
        if span.subject and not video.subject:
            known[span.video] = replace(video, subject=span.subject)
    if not known:
        raise UserError("no video: neither an annotated nor a found movement, and no list of videos; give one")
    return known


def _kinds(truths: Sequence[Span], predictions: Sequence[Span]) -> list[str]:
    """The kinds, micro and macro first; none where a span lacks its kind."""
    mine, theirs = ({s.kind for s in side} for side in (truths, predictions))
    if "" in mine | theirs:
        return []
    if mine and theirs and not mine & theirs:
        raise UserError(
            f"the truth has the kinds {', '.join(sorted(mine))}, the predictions {', '.join(sorted(theirs))}: none is "
            "the same; spell them alike or remove the column kind"
        )
    return sorted(mine | theirs, key=lambda kind: (kind not in KIND_ORDER, kind != KIND_ORDER[0], kind))


def _row(
    name: str,
    truths: Sequence[Span],
    predictions: Sequence[Span],
    videos: Mapping[str, Video],
    iou: float,
    frames: bool,
) -> SpottingRow:
    pairs = match(truths, predictions, iou, frames)
    tally = Tally(len(pairs), len(predictions) - len(pairs), len(truths) - len(pairs))
    lengths = [video.duration for video in videos.values() if video.duration is not None]
    minutes = sum(lengths) / 60 if len(lengths) == len(videos) else None
    units, counts = _unit_counts(truths, predictions, pairs, videos)
    points = curve(truths, predictions, iou, frames)
    several = len(counts) > 1
    return SpottingRow(
        kind=name,
        videos=len(videos),
        tally=tally,
        f1_interval=bootstrap_interval(counts, lambda c: f1s(c)[..., 1]) if several else None,
        units=units,
        drawn=len(counts),
        minutes=minutes,
        alarms=tally.fp / minutes if minutes else None,
        # The true negatives, which spotting has not, hold the minutes.
        alarms_interval=bootstrap_interval(counts, lambda c: c[..., 0, 1] / c[..., 0, 0])
        if several and minutes
        else None,
        average_precision=average_precision(points) if points and truths else None,
        curve=points,
        errors={moment: e for moment in MOMENTS if (e := _errors(pairs, moment, videos, frames)) is not None},
        pairs=tuple(pairs),
    )


def _unit_counts(
    truths: Sequence[Span], predictions: Sequence[Span], pairs: Sequence[Pair], videos: Mapping[str, Video]
) -> tuple[str, Floats]:
    """What is drawn again, and float64 (units, 2, 2) of each: minutes, wrong; missed, right."""
    by_subject = all(video.subject for video in videos.values())
    unit_of = {name: video.subject if by_subject else name for name, video in videos.items()}
    position = {unit: at for at, unit in enumerate(sorted(set(unit_of.values())))}
    counts = np.zeros((len(position), 2, 2))
    for name, video in videos.items():
        counts[position[unit_of[name]], 0, 0] += (video.duration or 0.0) / 60
    for p in predictions:
        counts[position[unit_of[p.video]], 0, 1] += 1
    for t in truths:
        counts[position[unit_of[t.video]], 1, 0] += 1
    for pair in pairs:
        counts[position[unit_of[pair.truth.video]]] += np.array([[0, -1], [-1, 1]])
    return "subjects" if by_subject else "videos", counts


def _errors(pairs: Sequence[Pair], moment: str, videos: Mapping[str, Video], frames: bool) -> Errors | None:
    """The errors of the pairs in which both sides have the moment and, in frames, the rate is known."""
    off = []
    for pair in pairs:
        true, said = getattr(pair.truth, moment), getattr(pair.prediction, moment)
        rate = videos[pair.truth.video].fps if frames else 1.0
        if true is not None and said is not None and rate:
            off.append(1000 * (said - true) / rate)
    if not off:
        return None
    size = np.abs(off)
    return Errors(len(off), float(np.median(size)), float(np.quantile(size, 0.95)), float(np.median(off)))
