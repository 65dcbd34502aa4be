"""A recording frame by frame -> movements: the one path of ``analyze`` and ``live``."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from time import perf_counter

import numpy as np

from dfrnet.recognizer import Recognizer
from dfrnet.types import Event, Interval, UserError
from dfrnet.video.album import Album
from dfrnet.video.motion import FaceMotion, Motion, MotionSettings
from dfrnet.video.quality import QualitySettings, QualityWatch
from dfrnet.video.sources import Frame
from dfrnet.video.spotting import Spotter, SpottingSettings
from dfrnet.video.track import FaceChoice, FaceTracker, Observation

MEMORY = 7.0  # seconds of pictures kept: the spotter tells what was in its first five once it has learnt from three
STAMPS = 15.0  # seconds of time stamps kept: as far back as the longest movement is told
STAGES = ("track", "flow", "quality", "spot", "recognise")


@dataclass(frozen=True)
class Settings:
    """All that says what is assessable and what is a movement."""

    quality: QualitySettings = field(default_factory=QualitySettings)
    motion: MotionSettings = field(default_factory=MotionSettings)
    spotting: SpottingSettings = field(default_factory=SpottingSettings)


class Watcher:
    """Follows the faces of one recording; ``update`` takes frames in order and returns the movements certain by now.

    ``recognizer`` None: movements only. ``face``: ``largest`` (one at a time: it is kept until it is gone), ``all``, or
    the number of a track. What it keeps does not grow with the recording, but for intervals and the timeline's curve,
    which is thinned as it grows. ``spent``: seconds of work by stage, one list item a frame, where ``timed``.
    """

    def __init__(self, recognizer: Recognizer | None = None, *, face: str = "largest", timed: bool = False) -> None:
        self.recognizer = recognizer
        self.spent: dict[str, list[float]] = {stage: [] for stage in STAGES} if timed else {}
        self.settings = Settings()
        self.curve = Curve()
        self.reasons: tuple[str, ...] = ()
        self._tracker, self._choice = FaceTracker(), FaceChoice(face)
        self._quality = QualityWatch(self.settings.quality)
        self._people: dict[int, _Person] = {}

    @property
    def fps(self) -> float:
        """Measured frames a second, 0 before it is known."""
        return self._quality.rate.rate or 0.0

    @property
    def spans(self) -> Mapping[int, tuple[float, float]]:
        """The faces that were watched, as they came, and from when to when, seconds."""
        return self._quality.spans

    @property
    def count(self) -> int:
        """How many faces there have been, watched or not; they are numbered from 1 on."""
        return self._tracker.count

    @property
    def cautions(self) -> list[str]:
        """What to know about the frame rate, one sentence each."""
        return self._quality.rate.cautions(self.settings.quality.least_rate)

    def update(self, frame: Frame) -> list[Event]:
        with self._stage("track"):
            watched = self._choice(self._tracker.update(frame), self._tracker.kept)
        with self._stage("flow"):
            rows = {one.track: self._person(one.track).moved(frame, one) for one in watched}
        with self._stage("quality"):
            limit = self.settings.spotting.clock.unlike
            unlike = {track: float((row.unexplained > limit).mean()) for track, row in rows.items()}
            reasons = self._quality.update(frame.time, frame.grey, watched, unlike)
        self.reasons = reasons[watched[0].track] if watched else ("no_face",)
        events = [event for track in list(self._people) if track not in reasons for event in self._leave(track)]
        for one in watched:
            events += self._follow(self._people[one.track], frame, one, rows[one.track], not reasons[one.track])
        return events

    def finish(self) -> list[Event]:
        """The movements that were still open when the recording ended."""
        return [event for track in list(self._people) for event in self._leave(track)]

    def intervals(self, end: float) -> list[Interval]:
        """The stretches that are not assessable, by begin; ``end``: when the recording ended, seconds."""
        return self._quality.finish(end)

    def doubted(self, event: Event) -> Event:
        """The event with what is known by now against it; see :class:`QualityWatch`."""
        return self._quality.doubted(event)

    def _person(self, track: int) -> _Person:
        if track not in self._people:
            self._people[track] = _Person(track, self.recognizer, self.settings)
        return self._people[track]

    def _follow(self, person: _Person, frame: Frame, seen: Observation, row: Motion, assessable: bool) -> list[Event]:
        with self._stage("spot"):
            events = person.spotter.update(row, assessable)
            self._draw(person)
        with self._stage("recognise"):
            person.remember(frame, seen)
            return [self.doubted(person.recognised(event)) for event in events]

    def _leave(self, track: int) -> list[Event]:
        person = self._people.pop(track)
        events = [self.doubted(person.recognised(event)) for event in person.spotter.finish()]
        self._draw(person)
        return events

    def _draw(self, person: _Person) -> None:
        for time, strength in person.spotter.strengths:
            self.curve.add(time, strength)
        person.spotter.strengths.clear()

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        if not self.spent:
            yield
            return
        begun = perf_counter()
        yield
        self.spent[name].append(perf_counter() - begun)


class _Person:
    """What is kept of one watched face."""

    def __init__(self, track: int, recognizer: Recognizer | None, settings: Settings) -> None:
        self.track, self.recognizer = track, recognizer
        self.motion, self.spotter = FaceMotion(settings.motion), Spotter(settings.spotting)
        self._album = Album(recognizer.spec, MEMORY) if recognizer else None
        self._stamps: deque[float] = deque()

    def moved(self, frame: Frame, seen: Observation) -> Motion:
        """How the face has moved in the next frame."""
        self._stamps.append(frame.time)
        while frame.time - self._stamps[0] > STAMPS:
            self._stamps.popleft()
        return self.motion.update(frame.time, frame.grey, seen.points)

    def remember(self, frame: Frame, seen: Observation) -> None:
        if self._album:
            self._album.add(frame, seen)

    def recognised(self, event: Event) -> Event:
        """The event at the frames that it is nearest to, with its track, and with probabilities and a label where the
        recogniser can give them.
        """
        start, apex, end = on_frames((event.start, event.apex, event.end), self._stamps)
        event = replace(event, track=self.track, start=start, apex=apex, end=end)
        if self.recognizer is None or self._album is None or event.kind != "micro":
            return event
        try:
            frames, positions = self._album.clip(event.start, event.apex, event.end)
            found = self.recognizer.predict(frames, *positions)
        except UserError as error:
            return replace(event, quality=(*event.quality, f"not recognised: {error}"))
        return replace(event, probabilities=found, label=self.recognizer.label(found))


def on_frames(times: Sequence[float], stamps: Sequence[float]) -> list[float]:
    """The nearest of the ``stamps`` (ascending) to each of ``times``: nobody can look between two frames."""
    known = np.asarray(stamps)
    after = np.clip(np.searchsorted(known, times), 1, max(len(known) - 1, 1))
    if len(known) < 2:
        return list(times)
    nearer = np.asarray(times) - known[after - 1] < known[after] - np.asarray(times)
    return [float(time) for time in known[after - nearer]]


class Curve:
    """The largest of what was measured in each moment, for a picture: at most ``MOST`` moments, longer as it grows."""

    MOST = 4000

    def __init__(self) -> None:
        self._moments: list[float] = []
        self._length = 0.02  # seconds

    def add(self, time: float, value: float) -> None:
        """``value`` 0..1 at ``time``, seconds; in any order."""
        while time >= self.MOST * self._length:
            pairs = zip_longest(self._moments[::2], self._moments[1::2], fillvalue=0.0)
            self._moments, self._length = [max(pair) for pair in pairs], 2 * self._length
        at = int(time / self._length)
        self._moments += [0.0] * (at + 1 - len(self._moments))
        self._moments[at] = max(self._moments[at], value)

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """(begin of the moment in seconds, 0..1)."""
        return tuple((round(k * self._length, 3), round(value, 3)) for k, value in enumerate(self._moments))
