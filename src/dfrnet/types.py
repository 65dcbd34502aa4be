"""The values that travel through dfrnet, and the one error a user meets.

A :class:`Clip` becomes :class:`Features`, a method learns from features inside each :class:`Fold`, every test clip
yields one :class:`Prediction`. All are frozen dataclasses; clips and features check themselves when built.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]

CLASSES = ("negative", "positive", "surprise")
"""The three classes of MEGC2019, in the order of its official list (0, 1, 2)."""


class UserError(Exception):
    """Something the user can mend: one sentence that names the file, row or clip, and the remedy."""


MOST_NAMES = 60
"""So many are listed: all settings of a method are, the hundred maps are not."""


class BrokenError(UserError):
    """Something outside is amiss (a disk, a cluster, a damaged file), which the next attempt would meet too."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is in no registry: it offers the closest one and lists the rest."""
    names = list(known)
    alike = {one.lower(): one for one in names}
    close = difflib.get_close_matches(name.lower(), alike, n=1)
    hint = f"did you mean {alike[close[0]]!r}? " if close else ""
    rest = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES + 1 else ""
    return UserError(f"unknown {kind} {name!r}; {hint}known: {', '.join(names[: MOST_NAMES if rest else None])}{rest}")


class Frames(Protocol):
    """A sequence of frames, decoded when asked for.

    ``frames[i]`` is uint8, (H, W) grey or (H, W, 3) RGB; ``times`` is float64 (len,), seconds from the first frame.
    """

    @property
    def times(self) -> npt.NDArray[np.float64]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Image: ...


@dataclass(frozen=True)
class Clip:
    """One annotated movement of one person.

    ``id`` and ``subject`` are unique across data sets (``casme2/sub01/EP02_01f``, ``casme2/sub01``). ``onset``,
    ``apex`` and ``offset`` are positions in ``frames``, not frame numbers of the recording. ``apex`` is None where the
    data set annotates none. ``cropped`` says that the frames show an aligned, cropped face and nothing else, so that
    no face need be looked for. ``maps`` names picture files of maps that were computed elsewhere; a clip of a data set
    that publishes only motion maps has those and an empty ``frames``.
    """

    id: str
    dataset: str
    subject: str
    label: str
    frames: Frames = ()  # type: ignore[assignment]
    onset: int = 0
    apex: int | None = None
    offset: int = 0
    fps: float = 0.0
    emotion: str = ""
    action_units: tuple[str, ...] = ()
    cropped: bool = True
    maps: Mapping[str, MapFile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.id.startswith(self.subject + "/") or not self.subject.startswith(self.dataset + "/"):
            raise UserError(
                f"clip {self.id!r}: id, subject {self.subject!r} and data set {self.dataset!r} must nest, "
                "as in casme2/sub01/EP02_01f"
            )
        if not len(self.frames):
            if not self.maps:
                raise UserError(f"clip {self.id}: it has neither frames nor maps")
            return
        apex = self.onset if self.apex is None else self.apex
        if not 0 <= self.onset <= apex <= self.offset < len(self.frames):
            raise UserError(
                f"clip {self.id}: onset {self.onset}, apex {self.apex} and offset {self.offset} must be in order "
                f"and within its {len(self.frames)} frames"
            )


@dataclass(frozen=True)
class MapFile:
    """One map as a channel of a picture: ``channel`` 0, 1, 2 is red, green, blue; None takes its grey value."""

    path: Path
    channel: int | None = None


@dataclass(frozen=True)
class Features:
    """Maps of one clip: float32 (C, H, W), ``names[c]`` says what channel c is."""

    maps: Array
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.maps.ndim != 3 or self.maps.dtype != np.float32 or len(self.maps) != len(self.names):
            raise ValueError(
                f"features need float32 maps (C, H, W) with C names; got {self.maps.dtype} {self.maps.shape} "
                f"for {self.names}"
            )


@dataclass(frozen=True)
class Fold:
    """Positions of the training and the test clips of one round, disjoint and without a subject in common."""

    name: str
    train: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True)
class Prediction:
    """What one trained classifier says of one test clip; ``probabilities`` follow the run's class order."""

    method: str
    seed: int
    fold: str
    clip: str
    dataset: str
    subject: str
    truth: str
    label: str
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Event:
    """A movement in a recording, found by the spotter or coded by a person; times in seconds from its first frame.

    ``kind``: ``micro`` (up to half a second), ``macro`` (longer), or what a coder calls it. ``label``: one of the
    classes, None where the recogniser abstains or was not asked; ``probabilities``: of every class, calibrated.
    ``score`` 0..1: how far the movement stands out from the face's own baseline. ``regions``: where it was seen, the
    strongest first (``video.motion``). ``action_units``: in FACS notation with side and intensity where they are known
    (``LAU12C``). ``quality``: what lowers the trust in it, in words; empty where nothing does. ``track``: which face.
    """

    start: float
    apex: float
    end: float
    kind: str = "micro"
    label: str | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    score: float = 1.0
    regions: tuple[str, ...] = ()
    action_units: tuple[str, ...] = ()
    quality: tuple[str, ...] = ()
    track: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.apex <= self.end < float("inf"):
            raise UserError(f"event {self.start} s, {self.apex} s, {self.end} s: start, apex and end must be in order")


@dataclass(frozen=True)
class Interval:
    """A stretch of a recording that is not assessable and why; seconds. ``track`` None: for whichever face."""

    start: float
    end: float
    reason: str
    track: int | None = None


@dataclass(frozen=True)
class Recording:
    """What is known of one recording: its events, and the intervals that cannot be assessed, in order.

    ``source``: the file or camera, as it was named. ``duration``: seconds, 0 where unknown. ``fps``: measured frames a
    second, 0 where unknown. ``record``: versions, model, settings, cautions; anything that JSON can hold. ``tracks``:
    the faces seen; those of events and intervals count without being named here. ``curve``: (seconds, how far the face
    stands from its own baseline, 0..1) for a picture. ``start``: seconds, what came before was not looked at; all times
    are from the recording's first frame nevertheless. ``spans``: from when to when a face was there, seconds; one that
    is not named was there throughout. UserError for times that cannot be.
    """

    source: str
    duration: float
    fps: float
    events: tuple[Event, ...] = ()
    intervals: tuple[Interval, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    tracks: tuple[int, ...] = ()
    curve: tuple[tuple[float, float], ...] = ()
    start: float = 0.0
    spans: Mapping[int, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (("duration", self.duration), ("fps", self.fps), ("start", self.start)):
            if not 0 <= value < float("inf"):
                raise UserError(f"recording {self.source}: its {name} of {value} must be a number, 0 where unknown")
        for one in self.intervals:
            if not 0 <= one.start <= one.end < float("inf"):
                raise UserError(f"interval {one.start} s, {one.end} s ({one.reason}): start and end must be in order")
        for face, (first, last) in self.spans.items():
            if not 0 <= first <= last < float("inf"):
                raise UserError(f"face {face}, {first} s, {last} s: when it came and went must be in order")

    @property
    def faces(self) -> tuple[int, ...]:
        """Every face that is named anywhere, ascending."""
        named = {event.track for event in self.events} | {i.track for i in self.intervals if i.track is not None}
        return tuple(sorted(named | set(self.tracks) | set(self.spans)))

    @property
    def assessable(self) -> float:
        """The share, 0..1, of what was looked at in which at least one face could be assessed.

        A face cannot be where it is not there and in its intervals; those without a track count for every face. 1 where
        nothing is said, 0 where something is but not of how long a recording.
        """
        looked_at = self.duration - self.start
        if looked_at <= 0:
            return 0.0 if self.intervals else 1.0
        faces = self.faces or (0,)
        bad: dict[int | None, list[tuple[float, float]]] = {}
        for one in self.intervals:
            bad.setdefault(one.track, []).append((one.start, one.end))
        for face, (first, last) in self.spans.items():
            bad.setdefault(face, []).extend(((0.0, first), (last, max(last, self.duration))))
        changes = [(self.duration, 0)]  # when how many faces more or fewer cannot be assessed
        for owner, stretches in bad.items():
            count = len(faces) if owner is None else 1
            for start, end in merged(stretches):
                changes += [(start, count), (end, -count)]
        good, at, blocked = 0.0, self.start, 0
        for time, change in sorted(changes):
            until = min(max(time, self.start), self.duration)
            good += until - at if blocked < len(faces) else 0.0
            at, blocked = until, blocked + change
        return min(good / looked_at, 1.0)


def merged(stretches: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Their union as disjoint stretches, ascending."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


@runtime_checkable
class Classifier(Protocol):
    """What every method builds: a network or a scikit-learn pipeline, they are the same kind of thing.

    ``fit`` gets features x float32 (N, C, H, W), class indices y int64 (N,) and the training subjects ``groups``
    (N,), for inner splits; it never sees a test clip. ``predict_proba`` returns float64 (N, classes), rows sum to 1.
    """

    def fit(self, x: Array, y: npt.NDArray[np.int64], groups: Sequence[str]) -> Classifier: ...

    def predict_proba(self, x: Array) -> npt.NDArray[np.float64]: ...


@runtime_checkable
class LearnsActionUnits(Classifier, Protocol):
    """A classifier that also learns from the action units of its training clips; it never gets those of a test clip."""

    def learn_units(self, units: Sequence[frozenset[int]]) -> None:
        """Called before training with the units of each training clip, empty where none are annotated."""
        ...


@dataclass(frozen=True)
class Epoch:
    """One epoch of training: its number, from 1, and the mean training loss over its batches."""

    number: int
    loss: float


@runtime_checkable
class TrainedInEpochs(Classifier, Protocol):
    """A classifier whose training can be watched from outside, and which can choose an epoch on inner subjects."""

    def epochs(self, x: Array, y: npt.NDArray[np.int64], groups: Sequence[str]) -> Iterator[Epoch]:
        """Train from scratch; yields after each epoch, when ``predict_proba`` answers as of that epoch."""
        ...

    def choose_epoch(self, x: Array, y: npt.NDArray[np.int64], groups: Sequence[str]) -> tuple[int, list[float]]:
        """The best epoch on held-out training subjects, and the held-out loss of each epoch tried."""
        ...
