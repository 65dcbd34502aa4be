"""Events as annotations on tiers, the model of ELAN, Praat and BORIS; tier_reading.py makes them events again.

A tier holds no overlapping annotations, so events that overlap go to further lanes: ``ME_candidate``,
``ME_candidate (2)``. With several faces each has its own tiers: ``ME_candidate@face2``. An event is an annotation on
ME_candidate, a point on apex and, at the same times, what is seen (AU) and the class (emotion). All of them end with
the event's number, ``id=3``, so that they stay together when a coder moves or deletes one. ``quality`` holds what is
not assessable; ``quality@face1`` where that concerns one face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from dfrnet.exchange.wording import describe, line
from dfrnet.types import Event, Interval, Recording

CANDIDATE, APEX, AU, EMOTION, QUALITY = "ME_candidate", "apex", "AU", "emotion", "quality"

WHOLE = ("kind", "label", "p", "score", "regions", "AU", "quality", "note")
"""All that an event says beside its times."""

FIELDS = {CANDIDATE: ("kind", "score", "regions", "quality", "note"), AU: ("AU",), EMOTION: ("label", "p")}
"""Which tier says what, where each has its own."""

BARE = {CANDIDATE: "kind", AU: "AU", EMOTION: "label"}
"""What stands first, without its name."""

ROLES = {
    **dict.fromkeys(
        ("mecandidate", "me", "micro", "macro", "movement", "event", "candidate", "expression", "microexpression",
         "macroexpression", "micromovement", "macromovement", "mes"), CANDIDATE,
    ),
    **dict.fromkeys(("apex", "peak"), APEX),
    **dict.fromkeys(("au", "aus", "actionunit", "facs", "facscode"), AU),
    **dict.fromkeys(("emotion", "label", "class"), EMOTION),
    **dict.fromkeys(("quality", "notassessable"), QUALITY),
}  # fmt: skip
"""Names of tiers in use (letters and digits alone, without a plural s) -> what they hold."""


@dataclass(frozen=True)
class Mark:
    """One annotation: seconds, its text, and where it stands in the file, for messages. A point ends as it starts.

    ``id``: the number of its event, in files of ours, once it is read off the text.
    """

    start: float
    end: float
    text: str = ""
    where: str = ""
    id: str = ""


@dataclass(frozen=True)
class Tier:
    """Annotations under one name. ``track``: whose face, where the file says it beside the name."""

    name: str
    marks: tuple[Mark, ...]
    track: int | None = None


@dataclass(frozen=True)
class Placed:
    """An event with its times in whole ticks and its lane, from 0."""

    event: Event
    start: int
    apex: int
    end: int
    lane: int


def lanes(spans: Sequence[tuple[int, int]], gap: int = 0) -> list[int]:
    """A lane for each span so that spans of one lane keep ``gap`` ticks apart; the first that is free."""
    free: list[int] = []
    found = [0] * len(spans)
    for at in sorted(range(len(spans)), key=lambda i: spans[i]):
        start, end = spans[at]
        lane = next((i for i, until in enumerate(free) if until + gap <= start), len(free))
        if lane == len(free):
            free.append(0)
        free[lane] = end
        found[at] = lane
    return found


def placed(events: Sequence[Event], ticks: int, apex: int = 1, gap: int = 0) -> list[Placed]:
    """Events of one face on lanes, with ``ticks`` a second. None is shorter than a millisecond.

    ``apex``: ticks that the annotation of an apex is long; on one lane those do not overlap either.
    """
    shortest = max(ticks // 1000, 1)
    times = [(round(e.start * ticks), round(e.apex * ticks), round(e.end * ticks)) for e in events]
    spans = [(start, max(end, start + shortest, top + apex)) for start, top, end in times]
    return [
        Placed(event, start, top, max(end, start + shortest), lane)
        for event, (start, top, end), lane in zip(events, times, lanes(spans, gap), strict=True)
    ]


def blocked(intervals: Sequence[Interval], ticks: int, gap: int = 0) -> list[tuple[Interval, int, int, int]]:
    """(interval, start, end, lane) in ticks, for the intervals of one face."""
    shortest = max(ticks // 1000, 1)
    spans = [(s, max(round(one.end * ticks), s + shortest)) for one in intervals for s in [round(one.start * ticks)]]
    return [(one, *span, lane) for one, span, lane in zip(intervals, spans, lanes(spans, gap), strict=True)]


def title(name: str, track: int | None, lane: int) -> str:
    """``ME_candidate@face2 (3)``; the face only where one is given, the lane only from the second on."""
    return name + ("" if track is None else f"@face{track}") + ("" if lane == 0 else f" ({lane + 1})")


def by_face(recording: Recording) -> list[tuple[int, list[Event]]]:
    """The events of each face, faces ascending."""
    tracks = sorted({event.track for event in recording.events})
    return [(track, [e for e in recording.events if e.track == track]) for track in tracks]


def intervals_by_face(recording: Recording) -> list[tuple[int | None, list[Interval]]]:
    """The intervals of no face in particular, then those of each, faces ascending."""
    tracks = sorted({i.track for i in recording.intervals}, key=lambda t: -1 if t is None else t)
    return [(track, [i for i in recording.intervals if i.track == track]) for track in tracks]


def tiers_of(recording: Recording, ticks: int, apex: int) -> list[Tier]:
    """The tiers of a recording; times are multiples of a tick. Where one face has all events no tier names it.

    Marks of ``apex`` are ``apex`` ticks long, those of other tiers at least a millisecond.
    """
    faces = by_face(recording)
    tiers: dict[str, list[Mark]] = {name: [] for name in (CANDIDATE, APEX, AU, EMOTION)} if not faces else {}
    tracks: dict[str, int] = {}
    numbers = count(1)
    for track, events in faces:
        rows = placed(events, ticks, apex)
        named = None if len(faces) == 1 else track
        for lane in range(max(row.lane for row in rows) + 1):
            names = {name: title(name, named, lane) for name in (CANDIDATE, APEX, AU, EMOTION)}
            tracks |= dict.fromkeys(names.values(), track)
            of_lane = sorted((row for row in rows if row.lane == lane), key=lambda row: row.start)
            numbered = [(row, next(numbers)) for row in of_lane]
            for name, whole in names.items():
                marks = [_mark(name, row, number, ticks, apex) for row, number in numbered]
                tiers[whole] = [m for m in marks if m.text or name in {CANDIDATE, APEX}]
    tiers |= {} if recording.intervals else {QUALITY: []}
    for face, intervals in intervals_by_face(recording):
        for one, start, end, lane in sorted(blocked(intervals, ticks), key=lambda row: row[1]):
            whole = title(QUALITY, face, lane)
            tiers.setdefault(whole, []).append(Mark(start / ticks, end / ticks, line(one.reason)))
    return [Tier(name, tuple(marks), tracks.get(name)) for name, marks in tiers.items()]


def _mark(name: str, row: Placed, number: int, ticks: int, apex: int) -> Mark:
    if name == APEX:
        return Mark(row.apex / ticks, (row.apex + apex) / ticks, f"{APEX}; id={number}")
    words = describe(row.event, FIELDS[name], BARE[name])
    return Mark(row.start / ticks, row.end / ticks, words and f"{words}; id={number}")
