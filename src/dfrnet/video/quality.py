"""What can be judged and what cannot: the quality of each face in each frame.

A frame may be unfit for several reasons at once. They are told as they come, so some of them late: that somebody speaks
is known when the mouth has moved a few times. The intervals put this right: they begin as long before as ``BEFORE``
says, and are the statement that counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from types import MappingProxyType

import cv2
import numpy as np

from dfrnet.types import Array, Event, Image, Interval, UserError
from dfrnet.video.rate import LEAST, PAUSE, TOLERANCE, FrameRate
from dfrnet.video.track import KEEP, Observation

REASONS = {
    "no_face": "no face or not the one that is watched",
    "face_lost": "the face is out of sight for a moment",
    "frame_rate": "too few frames a second",
    "no_frame": "no frame for more than a quarter of a second",
    "face_small": "the face is too small",
    "turned": "the head is turned too far",
    "head_moving": "the head moves too fast",
    "blink": "the eyes blink",
    "speaking": "the mouth moves as in speaking",
    "covered": "much of the face looks unlike just before",
    "blurred": "the face is blurred",
    "exposure": "the brightness of the face changes",
    "dark": "the face is too dark",
    "overexposed": "the face is too bright",
}
"""Why a stretch is not assessable, in words."""

BEFORE = {"blink": 0.1, "speaking": 1.0, "exposure": 0.1, "head_moving": 0.1}
"""Seconds for which a reason had been true before it was told; the intervals begin so much earlier."""

AFTER = {"blink": 0.15, "speaking": 0.3, "exposure": 0.1}
"""Seconds for which a reason stays after its measure is good again."""

GAP = 0.3  # seconds: stretches of one reason that are nearer are one
SHORTEST = 0.1  # seconds: shorter stretches are not worth an interval, but for those of SHORT_TOO
SHORT_TOO = ("blink", "face_lost", "no_face", "exposure")

BACK = 0.9  # hysteresis: a measure is good again when it is within this share of its limit
SIDE = 48  # pixels: the width of the shrunken face on which sharpness and brightness are measured
RECENT = 0.2  # seconds over which speed and change of brightness are taken
FOREVER = float("inf")
WINDOW = 40  # measurements, two seconds or more, whose median is a face's own usual value


@dataclass(frozen=True)
class QualitySettings:
    """Limits of what is assessable.

    ``least_rate``: frames a second. ``eye_distance``: pixels between the outer corners of the eyes; a face of 128
    pixels, as methods see it, has 52, so that at 32 a movement of one pixel there is 0.6 in the recording. ``yaw``,
    ``pitch``: degrees to either side. ``speed`` of the eyes' middle: eye distances a second. ``blink``: opening of the
    eyes as a share of its usual value. ``mouth``: least change of the lips' distance, in eye distances, that counts
    when the mouth turns from opening to closing or back; so many ``turns`` within a second are speech. ``sharpness``:
    fine detail as a share of what the face usually shows, ``least_sharpness`` as a share of all contrast; a blur of
    1.5 pixels in a face of 128 leaves about 0.1 of a sharp one's 0.6. ``exposure``: change of the mean brightness
    within 0.2 s, as a share. ``dark``, ``bright``: mean grey level of the face, 0..255.
    ``covered``: share of the face's regions whose picture is not what moved, since something came before them, or they
    opened wide.
    """

    least_rate: float = LEAST
    eye_distance: float = 32.0
    yaw: float = 25.0
    pitch: float = 20.0
    speed: float = 0.8
    blink: float = 0.65
    mouth: float = 0.05
    turns: int = 3
    sharpness: float = 0.4
    least_sharpness: float = 0.1
    exposure: float = 0.08
    dark: float = 40.0
    bright: float = 225.0
    covered: float = 0.4

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < float("inf"):
                raise UserError(f"{name} must be 0 or more and finite, not {value}")


class QualityGate:
    """One face through the frames of a recording; its state does not grow with them."""

    def __init__(self, settings: QualitySettings | None = None) -> None:
        self.settings = settings or QualitySettings()
        self._usual_eyes: deque[float] = deque(maxlen=WINDOW)
        self._usual_sharpness: deque[float] = deque(maxlen=WINDOW)
        self._seen = False
        self._until: dict[str, float] = {}
        self._forget()

    def _forget(self) -> None:
        """What no longer holds when the face was out of sight."""
        self._bad: set[str] = set()
        self._path: deque[tuple[float, float, float]] = deque()
        self._light: deque[tuple[float, float]] = deque()
        self._mouth = _Turns(self.settings.mouth)

    def update(self, time: float, grey: Image, observation: Observation | None, unlike: float = 0.0) -> tuple[str, ...]:
        """Why the face cannot be judged in the frame at ``time`` (seconds, ascending): names from ``REASONS``.

        ``grey`` uint8 (H, W) is the whole frame, ``unlike`` the share of regions that look unlike before. Empty: it can
        be judged, as far as is known by now.
        """
        if observation is None:
            self._forget()
            return ("face_lost" if self._seen else "no_face",)
        self._seen = True
        if observation.fresh:
            self._judge_place(time, observation)
            self._judge_parts(time, observation)
            self._judge_sharpness(grey, observation)
        self._judge_light(time, grey, observation)
        self._above("covered", unlike, self.settings.covered)
        for name in self._bad & AFTER.keys():
            self._until[name] = time + AFTER[name]
        staying = {name for name, end in self._until.items() if time < end}
        return tuple(name for name in REASONS if name in self._bad | staying)

    def _judge(self, name: str, bad: bool) -> None:
        (self._bad.add if bad else self._bad.discard)(name)

    def _above(self, name: str, value: float, limit: float) -> None:
        self._judge(name, value > limit * (BACK if name in self._bad else 1))

    def _below(self, name: str, value: float, limit: float) -> None:
        self._judge(name, value < limit / (BACK if name in self._bad else 1))

    def _judge_place(self, time: float, seen: Observation) -> None:
        limits = self.settings
        self._below("face_small", seen.eye_distance, limits.eye_distance)
        self._above("turned", max(abs(seen.yaw) / limits.yaw, abs(seen.pitch) / limits.pitch), 1)
        x, y = seen.points[36:48].mean(0)
        self._path.append((time, float(x), float(y)))
        # The one before the last stays, however long ago it was.
        while len(self._path) > 2 and time - self._path[0][0] > RECENT:
            self._path.popleft()
        since, from_x, from_y = self._path[0]
        way = float(np.hypot(x - from_x, y - from_y)) / seen.eye_distance
        self._above("head_moving", way / max(time - since, 1e-3), limits.speed)

    def _judge_parts(self, time: float, seen: Observation) -> None:
        opening = _opening(seen.points)
        self._usual_eyes.append(opening)
        self._below("blink", opening, self.settings.blink * median(self._usual_eyes))
        lips = float(np.hypot(*(seen.points[61:64] - seen.points[67:64:-1]).T).mean()) / seen.eye_distance
        self._judge("speaking", self._mouth.update(time, lips) >= self.settings.turns)

    def _judge_sharpness(self, grey: Image, seen: Observation) -> None:
        detail = _detail(_crop(grey, seen.points[17:68]))
        self._usual_sharpness.append(detail)
        usual = self.settings.sharpness * median(self._usual_sharpness)
        self._below("blurred", detail, max(usual, self.settings.least_sharpness))

    def _judge_light(self, time: float, grey: Image, seen: Observation) -> None:
        crop = _crop(grey, seen.points[17:48])
        step = max(1, round(seen.eye_distance / SIDE * 2))
        mean = float(crop[::step, ::step].mean())
        self._below("dark", mean, self.settings.dark)
        self._above("overexposed", mean, self.settings.bright)
        self._light.append((time, mean))
        while time - self._light[0][0] > RECENT:
            self._light.popleft()
        means = [value for _, value in self._light]
        self._above("exposure", max(means) - min(means), self.settings.exposure * max(mean, self.settings.dark))


class _Turns:
    """How often a measure has turned from rising to falling or back within a second; ``least``: what is no shaking."""

    def __init__(self, least: float) -> None:
        self._least = least
        self._low, self._high = np.inf, -np.inf
        self._way = 0
        self._turns: deque[float] = deque()

    def update(self, time: float, value: float) -> int:
        # Only the end that the measure moves away from is kept: the other follows it.
        self._low = value if self._way > 0 else min(self._low, value)
        self._high = value if self._way < 0 else max(self._high, value)
        if self._way >= 0 and self._high - value > self._least:
            self._turn(time, -1)
            self._low = value
        elif self._way <= 0 and value - self._low > self._least:
            self._turn(time, 1)
            self._high = value
        while self._turns and time - self._turns[0] > 1:
            self._turns.popleft()
        return len(self._turns)

    def _turn(self, time: float, way: int) -> None:
        if self._way:
            self._turns.append(time)
        self._way = way


def _opening(points: Array) -> float:
    """How far the eyes are open: height over width, the mean of both (Soukupova and Cech, 2016)."""
    left, right = points[36:42], points[42:48]
    heights = [np.hypot(*(eye[1] - eye[5])) + np.hypot(*(eye[2] - eye[4])) for eye in (left, right)]
    widths = [np.hypot(*(eye[0] - eye[3])) for eye in (left, right)]
    return float(sum(h / max(2 * w, 1e-6) for h, w in zip(heights, widths, strict=True)) / 2)


def _crop(grey: Image, points: Array) -> Image:
    """The box around points, cut at the edge of the picture; at least one pixel."""
    height, width = grey.shape
    left, top = (int(min(max(v, 0), side - 1)) for v, side in zip(points.min(0), (width, height), strict=True))
    right, bottom = (int(v) + 1 for v in points.max(0))
    return grey[top : max(bottom, top + 1), left : max(right, left + 1)]


def _detail(crop: Image) -> float:
    """The variance of the Laplacian of a face, shrunken to one size, over its variance: 0 for a blurred one."""
    shrink = SIDE / crop.shape[1]
    size = (SIDE, max(3, round(crop.shape[0] * shrink)))
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if shrink < 1 else cv2.INTER_LINEAR)
    return float(cv2.Laplacian(small, cv2.CV_32F).var() / max(float(small.var()), 1.0))


class Intervals:
    """Reasons frame by frame -> the stretches in which they hold; what is kept is what is not yet over.

    A stretch begins with its first frame, or ``BEFORE`` earlier, and ends with the first frame that is free of the
    reason. Stretches of one reason nearer than ``GAP`` are one, short ones are dropped but for ``SHORT_TOO``.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[int | None, str], tuple[float, float | None]] = {}  # its begin, and its end so far

    def update(
        self, time: float, track: int | None, reasons: Iterable[str], since: float | None = None
    ) -> list[Interval]:
        """The next frame of ``track``; returns intervals that are now over. Times of one track ascend.

        ``since``: from when on the reasons hold, seconds, where that is known better than by ``BEFORE``.
        """
        now = set(reasons)
        for name in now:
            first = max(0.0, time - BEFORE.get(name, 0.0)) if since is None else since
            begin, _ = self._open.get((track, name), (first, None))
            self._open[track, name] = (begin, None)
        over = []
        for (owner, name), (begin, end) in list(self._open.items()):
            if owner != track or name in now:
                continue
            if end is None:
                self._open[track, name] = (begin, time)
            # What begins again from now on is told as begun BEFORE earlier.
            elif time - end > GAP + BEFORE.get(name, 0.0):
                over += self._close(owner, name)
        return over

    @property
    def pending(self) -> list[Interval]:
        """Those that are not over, or may still go on; without an end where there is none yet."""
        return [
            Interval(begin, max(begin, FOREVER if end is None else end), name, owner)
            for (owner, name), (begin, end) in self._open.items()
        ]

    def finish(self, time: float, *tracks: int | None) -> list[Interval]:
        """The intervals of these tracks that are not over, cut at ``time``."""
        found = []
        for owner, name in [key for key in self._open if key[0] in tracks]:
            begin, end = self._open[owner, name]
            self._open[owner, name] = (begin, time if end is None else min(end, time))
            found += self._close(owner, name)
        return found

    def _close(self, owner: int | None, name: str) -> list[Interval]:
        begin, end = self._open.pop((owner, name))
        assert end is not None
        least = 0.0 if name in SHORT_TOO else SHORTEST
        return [Interval(begin, end, name, owner)] if end - begin > least else []


class QualityWatch:
    """The watched faces of a recording: a gate for each track while it lives, and the intervals of all.

    A track lives until it has been away for longer than a lost face keeps its number; it ended when it was last seen.
    A stretch without any face is ``face_lost`` of the track that comes back after it, and else ``no_face`` of track
    None. What is wrong with the frames as such is of track None as well. ``rate`` is the recording's; ``spans`` says
    from when to when each track was there, seconds; ``intervals`` are those that are over, in the order in which they
    ended.
    """

    def __init__(self, settings: QualitySettings | None = None) -> None:
        self.settings = settings or QualitySettings()
        self.rate = FrameRate()
        self.spans: dict[int, tuple[float, float]] = {}
        self.intervals: list[Interval] = []
        self._gates: dict[int, QualityGate] = {}
        self._here: set[int] = set()
        self._last = np.nan  # frame
        self._empty: float | None = None  # since when there has been no face
        self._merged = Intervals()
        self._pauses: list[Interval] = []

    def update(
        self,
        time: float,
        grey: Image,
        observations: Iterable[Observation],
        unlike: Mapping[int, float] = MappingProxyType({}),
    ) -> dict[int, tuple[str, ...]]:
        """Why each living track, in sight or just lost, cannot be judged in this frame; see :class:`QualityGate`.

        ``observations``: the faces that are watched, and of them the share of regions that look ``unlike`` before.
        """
        slow = self._judge_rate(time)
        self._go_on(time)
        seen = {o.track: o for o in observations}
        if not seen:
            self._empty = time if self._empty is None else self._empty
        elif self._empty is not None:
            if not seen.keys() & self.spans.keys():
                self.intervals.append(Interval(self._empty, time, "no_face"))
            self._empty = None
        for track in seen:
            self.spans.setdefault(track, (time, time))
            self._gates.setdefault(track, QualityGate(self.settings))
        self._here = set(seen)
        reasons = {
            track: gate.update(time, grey, seen.get(track), unlike.get(track, 0.0))
            for track, gate in self._gates.items()
        }
        for track, names in reasons.items():
            self.intervals += self._merged.update(time, track, names)
        return {track: (*slow, *names) for track, names in reasons.items()}

    def doubted(self, event: Event) -> Event:
        """The event, with a doubt where it meets a stretch of which it is known by now that it is not assessable."""
        known = [*self.intervals, *self._pauses, *self._merged.pending]
        meets = [i for i in known if i.track in (None, event.track) and i.start < event.end and event.start < i.end]
        doubts = [f"not assessable: {REASONS[name]}" for name in dict.fromkeys(one.reason for one in meets)]
        return replace(event, quality=tuple(dict.fromkeys((*event.quality, *doubts))))

    def finish(self, time: float) -> list[Interval]:
        """Every interval, by begin; ``time``: when the recording ends, seconds."""
        self._judge_pause(time)
        self.intervals += self._merged.finish(time, None)
        if self.rate.recent is None and time >= self._last:  # too few frames to know better
            self.intervals.append(Interval(self.rate.since, time, "frame_rate"))
        self._go_on(time)
        for track in list(self._gates):
            self._end(track)
        if self._empty is not None and time > self._empty:
            self.intervals.append(Interval(self._empty, time, "no_face"))
            self._empty = None
        return sorted((*self.intervals, *self._pauses), key=lambda i: (i.start, i.end, i.track or 0, i.reason))

    def _judge_rate(self, time: float) -> tuple[str, ...]:
        """Whether frames come too slowly to judge anybody in the one at ``time``."""
        self._judge_pause(time)
        self._last = time
        rate = self.rate.update(time)
        slow = ("frame_rate",) if rate is not None and rate < TOLERANCE * self.settings.least_rate else ()
        self.intervals += self._merged.update(time, None, slow, self.rate.since)
        return slow

    def _judge_pause(self, time: float) -> None:
        """``time``: of the next frame, or the end."""
        if time - self._last > PAUSE:
            goes_on = bool(self._pauses) and self._pauses[-1].end == self._last
            begin = self._pauses.pop().start if goes_on else self._last
            self._pauses.append(Interval(begin, time, "no_frame"))

    def _go_on(self, time: float) -> None:
        for track in self._here:
            self.spans[track] = (self.spans[track][0], time)
        for track in [t for t in self._gates if time - self.spans[t][1] > KEEP]:
            self._end(track)

    def _end(self, track: int) -> None:
        del self._gates[track]
        self.intervals += self._merged.finish(self.spans[track][1], track)
