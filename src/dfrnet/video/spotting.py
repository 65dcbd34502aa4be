"""Movements among the motion of one face: when they begin, peak and end, while the recording goes on.

The displacements of all regions are brought onto one clock of 10 ms. Filters matched to a rise and fall of 40 to 500 ms
(micro) and of up to 3 s (macro) run over each of them; blind to level and drift, they measure against the face's own
baseline just before and after. A region's answer counts by how large it is beside that region's usual answers over the
last half minute: trembling, noise and small movements that mean nothing raise the bar by themselves. Most expressions
move both sides of a face alike, and noise does not: the two sides of a region count together, what they have in common
in full and what sets them apart for less. Where one such pair stands out, the displacements of all that move are added
up to one curve, and the course that fits it best gives onset, apex and offset. A curve that does not come back is no
movement. A region into which a hand, or teeth, came is left out: its picture is not what moved.

What is found are candidates for a person to confirm. A score says how far a movement stands out, not what it means.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dfrnet.types import Event
from dfrnet.video.clock import NOTHING, Clock, ClockSettings, Tick, joined
from dfrnet.video.courses import MACRO_SHAPES, MICRO_SHAPES, STEP, Fit, Shape, banded, best_fit, matched
from dfrnet.video.motion import Motion
from dfrnet.video.places import REGIONS

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

RIGHT = [k for k, name in enumerate(REGIONS) if name.startswith("right_")]
LEFT = [REGIONS.index(REGIONS[k].replace("right_", "left_")) for k in RIGHT]
MIDDLE = [k for k in range(len(REGIONS)) if k not in RIGHT + LEFT]
REFRESH = 0.5  # seconds after which what is usual is computed anew
EVERY = 0.05  # seconds between the answers that are learnt from
REACH, LOOK = 0.3, 0.2  # seconds around a peak within which it is the largest, and that are waited for besides
MOST_AT_ONCE = 20  # answers computed
MOST_REGIONS = 6  # named with a movement
FLANK = 0.1  # seconds before and after a movement that must belong to the curve
EDGE = 0.05  # seconds before and after a movement that must be assessable


@dataclass(frozen=True)
class Band:
    """Movements of one kind: ``lengths`` (seconds) of the filters, share that is held (``stay``), ``margin`` (seconds)
    of baseline before and after, ``shapes`` to fit, and the ``shortest`` and ``longest`` movement, seconds.
    """

    kind: str
    lengths: tuple[float, ...]
    stay: float
    margin: float
    shapes: tuple[Shape, ...]
    shortest: float
    longest: float


BANDS = (
    Band("micro", (0.08, 0.12, 0.17, 0.24, 0.34, 0.48), 0.0, 0.2, MICRO_SHAPES, 0.04, 0.5),
    Band("macro", (0.6, 0.85, 1.2, 1.7, 2.4, 3.2), 0.5, 0.3, MACRO_SHAPES, 0.52, 3.5),
)
LONGEST = max(length for band in BANDS for length in band.lengths)


@dataclass(frozen=True)
class SpottingSettings:
    """When a movement is told.

    ``threshold``: how many times larger than usual the answer of the strongest pair is (:func:`stands_out`), in which
    what sets its two sides apart counts for a share of ``apart``. ``least``: pixels of the 128 x 128 face that the
    strongest region moves at least. ``unexplained``: most that may be left of the curve by the fitted course,
    ``return_gap``: how far from where it began it may end, shares. ``usual``: seconds over which the usual answers are
    taken, ``settle``: seconds before the first is judged. ``noise``: pixels that are never trusted, added (as
    deviations are) to what is usual. ``gap``: seconds without a frame after which all begins anew. ``clock``: what is a
    blink, and what no skin that moved.
    """

    threshold: float = 9.5
    apart: float = 0.3
    least: float = 0.25
    unexplained: float = 0.25
    return_gap: float = 0.4
    usual: float = 30.0
    settle: float = 3.0
    noise: float = 0.05
    gap: float = 0.25
    clock: ClockSettings = field(default_factory=ClockSettings)


class Spotter:
    """Takes the rows of one face in order. Events are final, at most about 1.5 s after their end, and told once.

    In the first ``settle`` seconds the face's own usual answers are learnt; what they held is told after that, or by
    ``finish``, unless it is more than some ten seconds ago by then. ``strengths``: what is new of the curve (seconds,
    how far the strongest answer with its middle there stands out, 0..1 on the scale of scores), ascending; whoever
    reads it empties it.
    """

    def __init__(self, settings: SpottingSettings | None = None) -> None:
        self.settings = settings or SpottingSettings()
        self.strengths: list[tuple[float, float]] = []
        self._usual = [_Usual(band, self.settings) for band in BANDS]
        self._clock: Clock | None = None

    def update(self, row: Motion, assessable: bool = True) -> list[Event]:
        """The events that are final now; a frame that is not ``assessable`` begins, carries and ends none."""
        found: list[Event] = []
        if self._clock is None or row.begins or row.time - self._clock.time > self.settings.gap:
            found = self.finish()
            self._clock = Clock(row.time, self.settings.clock)
            self._searches = [_Search(u, self.settings, row.time) for u in self._usual]
            self._drawn = 0
        if self._clock.add(row, assessable):
            found += self._look(self._clock.take())
        return found

    def finish(self) -> list[Event]:
        """What was still open when the face was lost or the recording ended."""
        clock, self._clock = self._clock, None
        return self._look(clock.take(last=True), last=True) if clock else []

    def _look(self, tick: Tick, last: bool = False) -> list[Event]:
        found = [event for search in self._searches for event in search.update(tick, last)]
        self._draw(last)
        return sorted(found, key=lambda event: event.start)

    def _draw(self, last: bool) -> None:
        """Goes on with the curve as far as all filters have answered."""
        searches = self._searches
        ends = ([len(search.seen.good), *([] if last else search.weighed)] for search in searches)
        until = min(search.first + min(end) for search, end in zip(searches, ends, strict=True))
        since = max(self._drawn, *(search.first for search in searches))
        if until > since:
            times = np.max([s.standing[:, since - s.first : until - s.first].max(0) for s in searches], axis=0)
            for at, value in enumerate(times.tolist(), since):
                self.strengths.append((searches[0].start + at * STEP, score(value, self.settings.threshold)))
            self._drawn = until


def score(times: float, threshold: float) -> float:
    """0..1, a half where a movement stands out ``threshold`` times, near 1 where it does many times more."""
    return float(times / (times + threshold)) if times > 0 else 0.0


def stands_out(answers: Floats, usual: Floats, apart: float) -> Floats:
    """How many times larger than usual the strongest pair of each of ``answers`` (n, R, 2) is: (n,).

    ``usual`` (R,): deviation of each region's answers. The left side is seen in a mirror; regions in the middle are
    pairs by themselves. ``apart``: the share of what the sides do not have in common, 0 for none, 1 for all.
    """
    side = np.hypot(usual[RIGHT], usual[LEFT])[:, None]
    right, left = answers[:, RIGHT] / side, answers[:, LEFT] * [-1, 1] / side
    pairs = np.square(right + left).sum(-1) + apart * np.square(right - left).sum(-1)
    middle = np.square(answers[:, MIDDLE] / usual[MIDDLE, None]).sum(-1)
    return np.asarray(np.sqrt(np.maximum(pairs.max(1), middle.max(1))), np.float64)


class _Usual:
    """How large the answers of one band's filters usually are: ``size`` (filters, R), pixels."""

    def __init__(self, band: Band, settings: SpottingSettings) -> None:
        self.band, self.settings = band, settings
        count = round(settings.usual / EVERY)
        self._seen = [np.zeros((count, len(REGIONS)), np.float32) for _ in band.lengths]
        self._learnt = [0] * len(band.lengths)
        self._refreshed = 0
        self.size = np.full((len(band.lengths), len(REGIONS)), np.inf)

    @property
    def settled(self) -> bool:
        return min(self._learnt) * EVERY >= self.settings.settle

    def learn(self, k: int, answers: Floats) -> None:
        """``answers`` (n, R, 2) of filter k, one every STEP, from what is assessable; nan where there is none."""
        squares = np.square(answers[:: round(EVERY / STEP)]).sum(-1)
        seen, at = self._seen[k], self._learnt[k]
        seen[np.arange(at, at + len(squares)) % len(seen)] = squares
        self._learnt[k] += len(squares)

    def refresh(self, now: bool) -> None:
        """The median of the squared length of two normal numbers is 1.386 times their variance."""
        if not now and (self._learnt[0] - self._refreshed) * EVERY < REFRESH and np.isfinite(self.size).all():
            return
        self._refreshed = self._learnt[0]
        for k, seen in enumerate(self._seen):
            if self._learnt[k]:
                known = seen[: self._learnt[k]]
                unknown = np.isnan(known)
                # A region that never answered has no usual answer, and nothing of it stands out.
                known = np.where(unknown.all(0), np.inf, known)
                middle = np.nanmedian(known, axis=0) if unknown.any() else np.median(known, axis=0)
                self.size[k] = np.sqrt(middle / 1.386 + self.settings.noise**2)


class _Search:
    """Looks for the movements of one band in one stretch, which begins at ``start`` seconds.

    All buffers begin with sample ``first``. ``standing`` (filters, n): how many times larger than usual the answer of
    the strongest pair is to the filter whose middle is at a sample. For filter k, what is usual was learnt before
    sample ``known[k]``, ``standing`` holds before ``weighed[k]``, peaks have been looked for before ``judged[k]``.
    """

    def __init__(self, usual: _Usual, settings: SpottingSettings, start: float) -> None:
        self.band, self.usual, self.settings, self.start = usual.band, usual, settings, start
        lengths, stay, margin = self.band.lengths, self.band.stay, self.band.margin
        self.half = [len(matched(length, stay, margin)) // 2 for length in lengths]
        self.seen = Tick(*NOTHING)
        self.standing = np.zeros((len(lengths), 0))
        self.known, self.judged, self.weighed = list(self.half), list(self.half), list(self.half)
        self.keep = round((2 * LONGEST + settings.settle + 3) / STEP)  # alike in all bands: the curve waits for all
        self.first = 0
        self._end = -1.0  # of the last movement told

    def update(self, tick: Tick, last: bool) -> list[Event]:
        self.seen = joined(self.seen, tick)
        self.standing = np.pad(self.standing, ((0, 0), (0, len(tick.good))))
        fresh = [self._learn(k) for k in range(len(self.half))]
        if not self.usual.settled and not last:
            self._forget()
            return []
        self.usual.refresh(now=last)
        for k, answers in enumerate(fresh):
            self._weigh(k, answers)
        found = [event for peak in self._peaks(last) if (event := self._judge(*peak))]
        self._forget()
        return found

    def _answers(self, k: int, begin: int, end: int) -> Floats:
        """Of filter k with its middle at the samples ``begin`` to ``end``, (n, R, 2); nan for a region that looks
        unlike before anywhere in the filter's reach.
        """
        count, half = max(end - begin, 0), self.half[k]
        if not count:
            return np.zeros((0, len(REGIONS), 2))
        samples = self.seen.moved[begin - half : end + half].reshape(count + 2 * half, -1)
        answers = np.zeros((count, samples.shape[1]))
        for at in range(0, count, MOST_AT_ONCE):
            some = min(MOST_AT_ONCE, count - at)
            rows = banded(self.band.lengths[k], self.band.stay, self.band.margin, some)
            answers[at : at + some] = np.einsum("tl,lc->tc", rows, samples[at : at + rows.shape[1]])
        found = answers.reshape(count, -1, 2)
        unlike = np.cumsum(np.pad(self.seen.unlike[begin - half : end + half], ((1, 0), (0, 0))), axis=0)
        found[unlike[2 * half + 1 :] > unlike[:count]] = np.nan
        return found

    def _learn(self, k: int) -> Floats:
        begin, end = self.known[k], max(self.known[k], len(self.seen.good) - self.half[k])
        answers = self._answers(k, begin, end)
        self.usual.learn(k, answers[self.seen.good[begin:end]])
        self.known[k] = end
        return answers

    def _weigh(self, k: int, fresh: Floats) -> None:
        begin, end = self.weighed[k], self.known[k]
        if end <= begin:
            return
        answers = fresh if len(fresh) == end - begin else self._answers(k, begin, end)
        times = stands_out(np.nan_to_num(answers), self.usual.size[k], self.settings.apart)
        self.standing[k, begin:end] = times * self.seen.good[begin:end]
        self.weighed[k] = end

    def _peaks(self, last: bool) -> list[tuple[int, int]]:
        """Filter and sample of every answer that stands out and is the largest around, in order of time."""
        peaks = []
        for k, length in enumerate(self.band.lengths):
            reach = round(min(length / 2, REACH) / STEP)
            end = self.known[k] - (0 if last else reach + round(LOOK / STEP))
            begin = self.judged[k]
            for at in begin + np.flatnonzero(self.standing[k, begin : max(begin, end)] >= self.settings.threshold):
                around = self.standing[:, max(at - reach, 0) : at + reach + 1]
                if self.standing[k, at] >= around.max():
                    peaks.append((k, int(at)))
            self.judged[k] = max(self.judged[k], end)
        return sorted(peaks, key=lambda peak: peak[1])

    def _judge(self, k: int, at: int) -> Event | None:
        """The movement at a peak, None where there is none: too small, not of this band, or no coming back."""
        settings, band = self.settings, self.band
        answer = np.nan_to_num(self._answers(k, at, at + 1)[0])
        size = np.sqrt(np.square(answer).sum(-1))
        times = size / self.usual.size[k]
        if size.max() < settings.least:
            return None
        fit, begin = self._timed(k, at, answer, times)
        if fit is None or fit.unexplained > settings.unexplained or fit.return_gap > settings.return_gap:
            return None
        start, apex, end = (round(self.start + begin * STEP + t, 4) for t in (fit.onset, fit.apex, fit.offset))
        if not band.shortest <= end - start <= band.longest or start < self._end:
            return None
        inside = self.seen.good[self._sample(start - EDGE) : self._sample(end + EDGE) + 1]
        if not inside.all():
            return None
        self._end = end
        order = np.argsort(-times)[:MOST_REGIONS]
        regions = tuple(REGIONS[r] for r in order if times[r] > max(settings.threshold / 2, times.max() / 3))
        return Event(max(start, 0.0), apex, end, band.kind, score=score(self.standing[k, at], settings.threshold),
                     regions=regions)  # fmt: skip

    def _timed(self, k: int, at: int, answer: Floats, times: Floats) -> tuple[Fit | None, int]:
        """The course that fits the displacements along the answer, and the sample with which its curve begins."""
        seen = times >= times.max() / 3
        along = answer * (seen / np.square(self.usual.size[k]))[:, None]
        half = round((self.band.lengths[k] * 0.75 + self.band.margin + FLANK) / STEP)
        begin, end = max(0, at - half), min(len(self.seen.good), at + half + 1)
        curve = np.einsum("trd,rd->t", self.seen.moved[begin:end], along / np.sqrt(np.square(along).sum()))
        return best_fit(curve, self.band.shapes, FLANK), begin + self.first

    def _sample(self, time: float) -> int:
        return max(0, round((time - self.start) / STEP) - self.first)

    def _forget(self) -> None:
        """Keeps what the longest movement needs."""
        past = len(self.seen.good) - self.keep
        if past > 0:
            self.first += past
            self.seen = self.seen.since(past)
            self.standing = self.standing[:, past:]
            # Where nothing was assessable for long, the marks of what was not judged yet are forgotten with it.
            for marks in (self.known, self.judged, self.weighed):
                marks[:] = [max(mark - past, half) for mark, half in zip(marks, self.half, strict=True)]
