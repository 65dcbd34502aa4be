"""Long recordings of the drawn faces, with movements planted at known times: the truth that spotting is measured on.

One face looks at the camera for minutes. The head drifts, sways and now and then settles anew; the eyes blink; small
movements that mean nothing go on all the time, five a second as in the clips of the same difficulty; the light
flickers and the sensor is noisy. Into this are planted micro-movements (0.1 to 0.5 s) and macro-movements (0.6 to 3 s,
larger and held), the action units of an emotion each, at least a second apart.

Everything is planned in seconds, so the same arguments at another frame rate give the same minutes seen by another
camera. ``synthetic_motion`` says how a face moves; ``synthetic_camera`` draws the same fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from dfrnet.datasets.synthetic import (
    CLASS_SHARES,
    DIFFICULTIES,
    EMOTIONS,
    Difficulty,
    draw_blink,
    draw_expression,
    draw_restless,
    draw_styles,
    draw_units,
)
from dfrnet.datasets.synthetic_camera import Camera, neutral_picture, photographed, seen
from dfrnet.datasets.synthetic_face import SIZE, Floats, identity_of, landmarks
from dfrnet.datasets.synthetic_motion import Bump, Head, Style, arrived, expressed, neutral, scaled, time_course
from dfrnet.types import Array, Event, Image, UserError, unknown_name

RATES = {"micro": 5.0, "macro": 1.5, "blink": 15.0, "posture": 2.0, "restless": 300.0}
"""How often a minute, on average."""

GAP = 1.0  # seconds at least between planted movements, and before the first and after the last
MACRO_MOTION = (2.0, 4.5)  # pixels: range of a macro-movement's peak
SWINGS = ((0.05, 0.2, 3.0), (0.2, 0.5, 1.5), (0.5, 1.0, 0.8), (1.0, 1.6, 0.5))
"""The head's sway: hertz from, to, and the amplitude in units of a clip's sway."""
POSTURE = 3.0  # how far the head settles anew, in the same units


class Course(NamedTuple):
    """Bumps at full strength and when they happen, in seconds: a rise from onset, a stay from apex, a fall."""

    bumps: tuple[Bump, ...]
    onset: float
    apex: float
    release: float
    offset: float

    def at(self, time: float) -> tuple[Bump, ...]:
        """The bumps as strong as they are at ``time``."""
        return scaled(self.bumps, float(time_course(time, self.onset, self.apex, self.offset, self.release)))


class Swing(NamedTuple):
    """One part of the head's sway: how far, how often a second, and from which point of the swing (turns)."""

    reach: Head
    hertz: float
    phase: Head


class Posture(NamedTuple):
    """From ``start`` to ``end`` (seconds) the head settles in ``pose``."""

    start: float
    end: float
    pose: Head


@dataclass(frozen=True)
class Recording:
    """Minutes of one drawn face, uint8 (128, 128, 3) RGB frames drawn when asked for, and the truth about them.

    ``id`` and ``subject`` are named as those of clips. ``planted`` are the movements that ``events`` tells of;
    ``blinks`` and ``others`` happen besides. Lengths are pixels of the 128 x 128 frame, times seconds.
    """

    id: str
    subject: str
    seed: int
    number: int
    seconds: float
    camera: Camera
    events: tuple[Event, ...] = field(repr=False)
    planted: tuple[Course, ...] = field(repr=False)
    blinks: tuple[Course, ...] = field(repr=False, default=())
    others: tuple[Course, ...] = field(repr=False, default=())
    swings: tuple[Swing, ...] = field(repr=False, default=())
    postures: tuple[Posture, ...] = field(repr=False, default=(Posture(-1, 0, Head()),))

    @cached_property
    def times(self) -> npt.NDArray[np.float64]:
        """Seconds from the first frame, float64 (len,)."""
        return np.arange(len(self)) / self.camera.fps

    def __len__(self) -> int:
        return max(1, int(np.rint(self.seconds * self.camera.fps)))

    def __getitem__(self, index: int, /) -> Image:
        index = self._within(index)
        camera, time = self.camera, float(self.times[index])
        share, hertz, phase = camera.light
        frame = self.scene(time) * np.float32(1 + share * np.sin(2 * np.pi * (hertz * time + phase)))
        seeds = np.random.SeedSequence([self.seed, self.number, 7, index])
        return photographed(frame, camera, np.random.default_rng(seeds))

    def scene(self, time: float) -> Array:
        """What the camera looks at: float32 (size, size, 3) or (size, size) in 0..255."""
        size = self.camera.size
        return seen(
            neutral_picture(self.seed, self.number, self.camera.colour), self.head(time), self.bumps(time), size
        )

    def landmarks(self, index: int) -> Array:
        """The 68 points (x, y) of 300-W in frame ``index``, float32 (68, 2), in its pixels."""
        time = float(self.times[self._within(index)])
        head, bumps = self.head(time), self.bumps(time)
        points = landmarks(identity_of(self.seed, self.number))
        places = arrived(lambda p: expressed(bumps, neutral(head, p)), points)
        return ((places + 0.5) * (self.camera.size / SIZE) - 0.5).astype(np.float32)

    def bumps(self, time: float) -> tuple[Bump, ...]:
        """Everything that pulls at the skin at ``time``."""
        busy = self._busy[min(int(time), len(self._busy) - 1)]
        return tuple(bump for course in busy if course.onset < time < course.offset for bump in course.at(time))

    def head(self, time: float) -> Head:
        """Where the head is at ``time``."""
        place = np.zeros(6)
        for reach, hertz, phase in self.swings:
            place += np.array(reach) * np.sin(2 * np.pi * (hertz * time + np.array(phase)))
        pose = np.array(self.postures[0].pose)
        for start, end, to in self.postures[1:]:
            pose = pose + (np.array(to) - pose) * float(time_course(min(time, end), start, end, end + 1))
        return Head(*(place + pose).tolist())

    @cached_property
    def _busy(self) -> list[list[Course]]:
        """Of every second, the courses that reach into it: the others need not be asked."""
        courses = (*self.planted, *self.blinks, *self.others)
        whole = range(int(self.seconds) + 1)
        return [[c for c in courses if c.onset < second + 1 and c.offset > second] for second in whole]

    def _within(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        return index % len(self)


@dataclass(frozen=True)
class Framed:
    """The recording in the middle of a larger picture, as a person before a camera: uint8 (height, width, 3).

    ``landmarks`` are those of the larger picture. The noise is that of the recording's camera, JPEG is left out.
    """

    recording: Recording
    width: int
    height: int

    @property
    def times(self) -> npt.NDArray[np.float64]:
        return self.recording.times

    @property
    def events(self) -> tuple[Event, ...]:
        return self.recording.events

    def __len__(self) -> int:
        return len(self.recording)

    def __getitem__(self, index: int, /) -> Image:
        frame = self._wall.copy()
        (left, top), size = self._corner, self.recording.camera.size
        frame[top : top + size, left : left + size] = self.recording[index]
        return frame

    def landmarks(self, index: int) -> Array:
        return np.asarray(self.recording.landmarks(index) + np.array(self._corner, np.float32), np.float32)

    @property
    def _corner(self) -> tuple[int, int]:
        size = self.recording.camera.size
        return (self.width - size) // 2, (self.height - size) // 2

    @cached_property
    def _wall(self) -> Image:
        """What is around the face: its first frame, whose edge goes on for ever, without its texture."""
        left, top = self._corner
        right, bottom = (self.width - left - self.recording.camera.size, self.height - top - self.recording.camera.size)
        wide = cv2.copyMakeBorder(self.recording[0], top, bottom, left, right, cv2.BORDER_REPLICATE)
        return np.asarray(cv2.GaussianBlur(wide, (0, 0), 3), np.uint8)


def recordings(
    count: int, minutes: float, fps: float, seed: int = 0, difficulty: str | Difficulty = "default", colour: bool = True
) -> list[Recording]:
    """``count`` recordings of as many people; ``difficulty`` as of the clips, whose peaks are those of the micros."""
    if isinstance(difficulty, str) and difficulty not in DIFFICULTIES:
        raise unknown_name("difficulty of the synthetic data", difficulty, DIFFICULTIES)
    hard = DIFFICULTIES[difficulty] if isinstance(difficulty, str) else difficulty
    if count < 1 or seed < 0 or not minutes > 0:
        raise UserError("synthetic recordings need at least one person, some length and a seed that is not negative")
    if not fps >= 10:
        raise UserError(f"synthetic recordings at {fps} frames a second: 10 is the least that sees a micro-expression")
    return [_record(hard, 60 * minutes, fps, seed, number, colour) for number in range(1, count + 1)]


def framed(recording: Recording, width: int = 640, height: int = 480, scale: float = 2.0) -> Framed:
    """The recording with its face ``scale`` times as large, in the middle of a picture (height, width)."""
    size = round(SIZE * scale)
    if size > min(width, height):
        raise UserError(f"a face of {size} pixels does not fit a picture of {width}x{height}; choose a smaller scale")
    return Framed(replace(recording, camera=replace(recording.camera, size=size)), width, height)


def _record(difficulty: Difficulty, seconds: float, fps: float, seed: int, number: int, colour: bool) -> Recording:
    rng = np.random.default_rng(np.random.SeedSequence([seed, number, 6]))
    points = landmarks(identity_of(seed, number))
    planted, events = _plant(rng, points, difficulty, seconds)
    light = (float(abs(rng.normal()) * difficulty.flicker), float(rng.uniform(2, 20)), float(rng.uniform()))
    reach = np.array([difficulty.drift, difficulty.drift, np.deg2rad(difficulty.rotation), 0.004 * difficulty.drift,
                      difficulty.turn, difficulty.turn])  # fmt: skip
    person = f"synthetic/s{number:02d}"
    return Recording(
        f"{person}/r01", person, seed, number, seconds,
        Camera(fps, light, difficulty.noise, difficulty.jpeg, colour=colour), events, planted,
        blinks=_draw_blinks(rng, points, seconds) if difficulty.blink else (),
        others=_draw_small(rng, points, difficulty, seconds) if difficulty.restless else (),
        swings=tuple(
            Swing(
                Head(*(times * reach * rng.standard_normal(6)).tolist()), float(rng.uniform(low, high)),
                Head(*rng.uniform(0, 1, 6).tolist()),
            )
            for low, high, times in SWINGS
        ),
        postures=_draw_postures(rng, POSTURE * reach, seconds),
    )  # fmt: skip


def _plant(
    rng: np.random.Generator, points: Floats, difficulty: Difficulty, seconds: float
) -> tuple[tuple[Course, ...], tuple[Event, ...]]:
    """Movements one after the other, and the events that tell of them."""
    styles = draw_styles(rng, difficulty.variation)
    large = replace(difficulty, motion=MACRO_MOTION)
    often = RATES["micro"] + RATES["macro"]
    courses: list[Course] = []
    events: list[Event] = []
    onset = 0.0
    while True:
        onset += GAP + float(rng.exponential(max(60 / often - GAP - 0.5, 0.1)))
        kind = "micro" if rng.uniform() < RATES["micro"] / often else "macro"
        units, bumps = _draw_emotion(rng, points, styles, difficulty if kind == "micro" else large)
        times = _draw_micro(rng, difficulty) if kind == "micro" else _draw_macro(rng)
        apex, release, offset = (onset + t for t in times)
        if offset + GAP > seconds:
            return tuple(courses), tuple(events)
        courses.append(Course(bumps, onset, apex, release, offset))
        events.append(Event(onset, apex, offset, kind, action_units=units))
        onset = offset


def _draw_emotion(
    rng: np.random.Generator, points: Floats, styles: dict[str, list[Style]], difficulty: Difficulty
) -> tuple[tuple[str, ...], tuple[Bump, ...]]:
    chances = [CLASS_SHARES[e.label] * e.share for e in EMOTIONS.values()]
    emotion = EMOTIONS[list(EMOTIONS)[rng.choice(len(chances), p=np.array(chances) / sum(chances))]]
    units = draw_units(rng, emotion, difficulty)
    return units, draw_expression(rng, units, styles, points, difficulty)


def _draw_micro(rng: np.random.Generator, difficulty: Difficulty) -> tuple[float, float, float]:
    """Apex, release and offset after the onset; nothing is held. As in a clip of 100 frames a second, no fall or rise
    is shorter than 10 ms.
    """
    length = rng.uniform(0.1, 0.5)
    share = np.interp(rng.uniform(), np.linspace(0, 1, len(difficulty.apex)), difficulty.apex)
    apex = float(np.clip(share * length, 0.01, length - 0.01))
    return apex, apex, float(length)


def _draw_macro(rng: np.random.Generator) -> tuple[float, float, float]:
    length = rng.uniform(0.6, 3.0)
    rise, fall = rng.uniform(0.15, min(0.5, 0.45 * length)), rng.uniform(0.2, min(0.8, 0.5 * length))
    return float(rise), float(length - fall), float(length)


def _moments(rng: np.random.Generator, seconds: float, name: str) -> list[float]:
    """Moments as they fall by chance, RATES a minute."""
    return sorted(rng.uniform(0, seconds, rng.poisson(seconds / 60 * RATES[name])).tolist())


def _draw_blinks(rng: np.random.Generator, points: Floats, seconds: float) -> tuple[Course, ...]:
    """One after the other, a second apart at least; 0.15 to 0.35 s each."""
    blinks: list[Course] = []
    at = 0.0
    while True:
        at += 1 + float(rng.gamma(2, (60 / RATES["blink"] - 1) / 2))
        length = float(rng.uniform(0.15, 0.35))
        if at + length > seconds:
            return tuple(blinks)
        lids = draw_blink(points, float(rng.uniform(0.5, 1.0)))
        blinks.append(Course(lids, at, at + 0.4 * length, at + 0.4 * length, at + length))


def _draw_small(rng: np.random.Generator, points: Floats, difficulty: Difficulty, seconds: float) -> tuple[Course, ...]:
    """The restless movements of the clips, as many a second."""
    courses = []
    for apex in _moments(rng, seconds, "restless"):
        bump, (rise, fall) = draw_restless(rng, points, difficulty), rng.uniform(0.08, 0.4, 2)
        courses.append(Course((bump,), apex - rise, apex, apex, apex + fall))
    return tuple(courses)


def _draw_postures(rng: np.random.Generator, reach: Floats, seconds: float) -> tuple[Posture, ...]:
    """Where the head settles, the first one before the recording begins."""
    starts = [-2.0, *_moments(rng, seconds, "posture")]
    poses = np.clip(rng.standard_normal((len(starts), 6)), -2, 2) * reach
    lengths = rng.uniform(0.4, 1.2, len(starts))
    return tuple(
        Posture(start, start + float(length), Head(*pose.tolist()))
        for start, length, pose in zip(starts, lengths, poses, strict=True)
    )
