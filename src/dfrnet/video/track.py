"""Who is in the picture, where, and how the head is turned: faces followed through a recording.

The networks look at a few frames a second; in between the points stay where they were. A face keeps its number through
a short loss if it comes back near its place, of like size and with a like look. After a cut everybody gets a new
number: one person's neutral face is no baseline for another, and nothing here tells who somebody is. Two people who
look much alike and change places without a cut may pass for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dfrnet.faces.align import similarity, warp
from dfrnet.faces.landmarks import MESH_68, detect_all
from dfrnet.faces.mesh import SURE, Detection, around, detect, mesh_3d
from dfrnet.faces.pose import Pose, head_pose
from dfrnet.faces.template import STIFF, TEMPLATE
from dfrnet.types import Array, Image, UserError

KEEP = 1.0  # seconds that a lost face keeps its number
CERTAIN = 0.8  # a new face with less of detector's or mesh's confidence must last
LASTING = 0.3  # seconds: so long. A cartoon of the test videos had 0.6 for 0.04 s, people 1.00 throughout
SHORT = 0.2  # seconds in which a face hardly changes
ALIKE = 0.75, 0.6  # least correlation of two looks of one face within SHORT, and after longer
# Measured: 0.89 and more within 0.08 s, 0.68 within a second, in strong play; 0.64 and less between people.
LOOK_SIDE = 32  # pixels of the aligned picture that is a face's look
NEAR = 1.5  # eye distances between the places where a face was lost and came back ...
LIKE_SIZE = 1.5  # ... and the largest ratio of its sizes
ONE_FACE = 0.5  # two tracks whose eyes are nearer than so many eye distances have hold of one face
CUT = 0.5  # correlation of a frame with the one before, below which the scene has changed; measured within one: 0.85
FLAT = 2.0  # grey levels of standard deviation: a black or white frame, which is no scene


class HasPicture(Protocol):
    """What is used of a frame: seconds, RGB uint8 (H, W, 3) and grey uint8 (H, W), both made when asked for."""

    @property
    def time(self) -> float: ...

    @property
    def image(self) -> Image: ...

    @property
    def grey(self) -> Image: ...


@dataclass(frozen=True)
class Observation:
    """One face in one frame, in pixels of the frame, x to the right and y down, (0, 0) the centre of the first pixel.

    ``points`` float32 (68, 2) in the order of 300-W, ``mesh`` float32 (468, 2). ``fresh``: measured in this frame and
    not carried over from an earlier one. ``score`` 0..1: the mesh's confidence that this is a face. ``yaw``, ``pitch``,
    ``roll``: degrees, see :class:`dfrnet.faces.pose.Pose`. ``eye_distance``: between the outer corners.
    """

    track: int
    points: Array
    mesh: Array
    fresh: bool
    score: float
    yaw: float
    pitch: float
    roll: float
    eye_distance: float


@dataclass(frozen=True, eq=False)
class _Seen:
    """A face as the networks saw it."""

    time: float
    mesh: Array  # (468, 2)
    points: Array
    pose: Pose
    score: float
    look: Image
    eyes: Array  # their middle
    eye_distance: float


@dataclass(eq=False)
class _Track:
    seen: _Seen
    begun: float
    number: int | None = None  # until it is certain that this is a face
    lost: bool = False
    change: float = 0.0  # of its look, the last time it was seen


class FaceTracker:
    """Frames in ascending time -> the faces in each; state does not grow with the recording.

    ``every`` seconds the mesh looks at each face; ``detect_every`` seconds, and while no face or a lost one is to be
    found, the detector looks at the picture. A face that is small or cut by the edge is only found by its thorough
    search, which takes ten times as long and comes once in ``detect_every``.
    """

    def __init__(self, every: float = 0.05, detect_every: float = 1.0) -> None:
        if not (every >= 0 and detect_every > 0):
            raise UserError(f"every must be 0 s or more and detect_every above 0 s, not {every} and {detect_every}")
        self.every, self.detect_every = every, detect_every
        self._tracks: list[_Track] = []
        self._numbers = 0
        self._measured = self._searched = -np.inf
        self._scene: Array | None = None

    def update(self, frame: HasPicture) -> list[Observation]:
        """The faces of the next frame, by number."""
        if self._cut(frame.grey):
            self._tracks, self._measured, self._searched = [], -np.inf, -np.inf
        # A thousandth less: time stamps are rounded.
        fresh = frame.time - self._measured >= self.every - 1e-3
        if fresh:
            self._measured = frame.time
            self._tracks = [t for t in self._tracks if not t.lost or frame.time - t.seen.time <= KEEP]
            self._follow(frame)
            self._search(frame)
            self._confirm(frame.time)
        shown = [t for t in self._tracks if t.number is not None and not t.lost]
        return sorted((_observation(t, fresh) for t in shown), key=lambda o: o.track)

    @property
    def count(self) -> int:
        """How many faces there have been; they are numbered from 1 on."""
        return self._numbers

    @property
    def kept(self) -> frozenset[int]:
        """The numbers of the faces in sight, and of lost ones that may come back."""
        return frozenset(t.number for t in self._tracks if t.number is not None)

    def _cut(self, grey: Image) -> bool:
        scene = grey[:: max(1, grey.shape[0] // 24), :: max(1, grey.shape[1] // 32)].astype(np.float32)
        if scene.std() < FLAT:
            return False  # seen through: what comes after it is compared with what was before
        before, self._scene = self._scene, scene
        return before is not None and (before.shape != scene.shape or _correlation(before, scene) < CUT)

    def _follow(self, frame: HasPicture) -> None:
        """Measure the faces where they were last seen."""
        for track in self._tracks:
            if track.lost:
                continue
            seen = _look(frame, around(track.seen.mesh))
            if seen is None or not _alike(track.seen, seen):
                track.lost = True
            else:
                track.change = 1 - _correlation(track.seen.look, seen.look)
                track.seen = seen
        # Of two that have hold of one face, the one keeps it that changed less.
        held: list[_Track] = []
        for track in sorted(self._tracks, key=lambda t: (t.number is None, t.change)):
            track.lost = track.lost or any(_one_face(track.seen, other.seen) for other in held if not other.lost)
            held.append(track)
        self._tracks = [t for t in held if t.number is not None or not t.lost]

    def _search(self, frame: HasPicture) -> None:
        here = [t for t in self._tracks if not t.lost]
        lost = [t for t in self._tracks if t.lost]
        thorough = frame.time - self._searched >= self.detect_every - 1e-3
        if here and not lost and not thorough:
            return
        if thorough:
            self._searched = frame.time
        found = detect_all(frame.image) if thorough else detect(frame.image)
        for detection in (*found, *(d for t in lost for d in _detect_near(frame.image, t.seen))):
            if any(_on(detection, t.seen) for t in here):
                continue
            seen = _look(frame, detection)
            if seen is None or any(_one_face(seen, t.seen) for t in here):
                continue
            back = next((t for t in lost if t.lost and _is(t, seen)), None)
            if back is None:
                back = _Track(seen, frame.time)
                self._tracks.append(back)
                if min(detection.score, seen.score) >= CERTAIN and not any(_at(t.seen, seen) for t in lost):
                    back.begun = -np.inf
            back.seen, back.lost = seen, False
            here.append(back)

    def _confirm(self, time: float) -> None:
        """Give numbers, from left to right, to what lasts. What takes the place of a lost face may still be that."""
        for track in [t for t in self._tracks if t.number is None]:
            lost = next((t for t in self._tracks if t.lost and _is(t, track.seen)), None)
            if lost is not None:
                lost.seen, lost.lost = track.seen, False
                self._tracks.remove(track)
            elif track.seen.score < CERTAIN:
                track.begun = time
        new = [t for t in self._tracks if t.number is None and time - t.begun >= LASTING]
        for track in sorted(new, key=lambda t: float(t.seen.eyes[0])):
            self._numbers += 1
            track.number = self._numbers


class FaceChoice:
    """Which face is meant: ``all``, the number of a track, or ``largest``.

    The largest is the one that is largest when there is none to follow; it is then followed for as long as it keeps its
    number, even if another one grows larger or it is out of sight for a moment.
    """

    def __init__(self, wanted: str = "largest") -> None:
        if wanted not in ("largest", "all") and not (wanted.isdecimal() and int(wanted) > 0):
            raise UserError(f"face must be largest, all or the number of a track from 1 on, not {wanted!r}")
        self._wanted = int(wanted) if wanted.isdecimal() else wanted
        self._followed = 0  # nobody

    def __call__(self, observations: Sequence[Observation], kept: Set[int]) -> list[Observation]:
        """Those of ``observations``, all from one frame, that are meant; ``kept``: see :class:`FaceTracker`."""
        if self._wanted == "all":
            return list(observations)
        if self._wanted == "largest" and self._followed not in kept and observations:
            self._followed = max(observations, key=lambda o: o.eye_distance).track
        number = self._followed if self._wanted == "largest" else self._wanted
        return [o for o in observations if o.track == number]


def _look(frame: HasPicture, detection: Detection) -> _Seen | None:
    """The face at ``detection``, None if there is none."""
    mesh, score = mesh_3d(frame.image, detection)
    points = np.ascontiguousarray(mesh[list(MESH_68), :2])
    eyes, mouth = points[36:48].mean(0), points[48:60].mean(0)
    width, height = np.hypot(*(points[45] - points[36])), np.hypot(*(mouth - eyes))
    inside = np.all((eyes >= 0) & (eyes < frame.grey.shape[::-1]))
    # Mouth and eyes of a face are about 0.8 of the eye distance apart, more where it is turned.
    if score <= SURE or not inside or not 0.3 < height / max(width, 1.0) < 3:
        return None
    matrix = similarity(points[list(STIFF)], TEMPLATE[list(STIFF)] * LOOK_SIDE - 0.5)
    return _Seen(
        frame.time, np.ascontiguousarray(mesh[:, :2]), points, head_pose(mesh), score,
        warp(frame.grey, matrix, LOOK_SIDE), eyes, float(width),
    )  # fmt: skip


def _detect_near(image: Image, seen: _Seen) -> Iterator[Detection]:
    """Detections in a square of four times the face's width around its last place: there also small ones are found."""
    half = round(4 * seen.eye_distance)
    left, top = (max(0, round(float(v)) - half) for v in seen.eyes)
    tile = image[top : top + 2 * half, left : left + 2 * half]
    if tile.size and max(tile.shape) < max(image.shape[:2]):
        corner = np.array([left, top], np.float32)
        yield from (d._replace(centre=d.centre + corner) for d in detect(tile))


def _is(track: _Track, seen: _Seen) -> bool:
    """Whether a lost face has come back."""
    return _at(track.seen, seen) and _alike(track.seen, seen)


def _alike(before: _Seen, now: _Seen) -> bool:
    return _correlation(before.look, now.look) >= ALIKE[bool(now.time - before.time > SHORT)]


def _at(one: _Seen, other: _Seen) -> bool:
    sizes = sorted((one.eye_distance, other.eye_distance))
    return bool(np.hypot(*(one.eyes - other.eyes)) < NEAR * sizes[1] and sizes[1] < LIKE_SIZE * sizes[0])


def _one_face(one: _Seen, other: _Seen) -> bool:
    return bool(np.hypot(*(one.eyes - other.eyes)) < ONE_FACE * min(one.eye_distance, other.eye_distance))


def _on(detection: Detection, seen: _Seen) -> bool:
    """Whether the centre of the box lies on the face."""
    low, high = seen.points.min(0), seen.points.max(0)
    return bool(np.all((low < detection.centre) & (detection.centre < high)))


def _correlation(one: Image | Array, other: Image | Array) -> float:
    """Of two pictures of one shape, -1..1; brightness and contrast do not count."""
    a, b = one - np.float32(one.mean()), other - np.float32(other.mean())
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-6))


def _observation(track: _Track, fresh: bool) -> Observation:
    seen = track.seen
    number = track.number or 0
    return Observation(number, seen.points, seen.mesh, fresh, seen.score, *seen.pose, seen.eye_distance)
