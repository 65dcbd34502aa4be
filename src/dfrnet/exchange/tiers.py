"""Events as annotations on tiers, the model of ELAN, Praat and BORIS, and tiers of any coder back into events.

A tier holds no overlapping annotations, so events that overlap go to further lanes: ``ME_candidate``,
``ME_candidate (2)``. With several faces each has its own tiers: ``ME_candidate@face2``. An event is an annotation on
ME_candidate, a point on apex and, at the same times, what is seen (AU) and the class (emotion). ``quality`` holds what
is not assessable; ``quality@face1`` where that concerns one face.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfrnet.exchange.files import naming
from dfrnet.exchange.recording import with_header
from dfrnet.exchange.rows import NO_APEX
from dfrnet.exchange.wording import KINDS, describe, kind_of, line, said, units_of, unlined
from dfrnet.types import Event, Interval, Recording, UserError

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

OVERLAP = 0.5  # so much of their union must two annotations share to be about the same movement


@dataclass(frozen=True)
class Mark:
    """One annotation: seconds, its text, and where it stands in the file, for messages. A point ends as it starts."""

    start: float
    end: float
    text: str = ""
    where: str = ""


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
    for track, events in faces:
        rows = placed(events, ticks, apex)
        named = None if len(faces) == 1 else track
        for lane in range(max(row.lane for row in rows) + 1):
            names = {name: title(name, named, lane) for name in (CANDIDATE, APEX, AU, EMOTION)}
            tracks |= dict.fromkeys(names.values(), track)
            of_lane = sorted((row for row in rows if row.lane == lane), key=lambda row: row.start)
            for name, whole in names.items():
                marks = [_mark(name, row, ticks, apex) for row in of_lane]
                tiers[whole] = [m for m in marks if m.text or name in {CANDIDATE, APEX}]
    tiers |= {} if recording.intervals else {QUALITY: []}
    for face, intervals in intervals_by_face(recording):
        for one, start, end, lane in sorted(blocked(intervals, ticks), key=lambda row: row[1]):
            whole = title(QUALITY, face, lane)
            tiers.setdefault(whole, []).append(Mark(start / ticks, end / ticks, line(one.reason)))
    return [Tier(name, tuple(marks), tracks.get(name)) for name, marks in tiers.items()]


def _mark(name: str, row: Placed, ticks: int, apex: int) -> Mark:
    if name == APEX:
        return Mark(row.apex / ticks, (row.apex + apex) / ticks, "apex")
    return Mark(row.start / ticks, row.end / ticks, describe(row.event, FIELDS[name], BARE[name]))


@dataclass
class _Draft:
    """An event while its annotations are gathered."""

    start: float
    end: float
    track: int
    lane: int
    where: str
    apex: float | None = None
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Named:
    """A tier whose name was understood."""

    tier: Tier
    role: str
    base: str
    track: int | None
    lane: int


def recording_of(tiers: Iterable[Tier], path: Path, said_of_file: Mapping[str, Any], source: str = "") -> Recording:
    """Tiers of our own or of a coder -> a recording.

    A tier holds what its name says (ROLES, an action unit such as ``AU12``) or, under any name, action units where all
    its texts are some. AU and emotion go to the candidate that they overlap by half, else they are events of their
    own. Other tiers are named in ``record["not_read"]``; UserError where nothing but those holds annotations.
    """
    face = said_of_file.get("face")
    read: list[_Named] = []
    unread: list[Tier] = []
    for tier in tiers:
        named = _named(tier, face if isinstance(face, int) else None)
        if named is not None:
            read.append(named)
        elif tier.marks:
            unread.append(tier)
    if unread and not any(one.tier.marks for one in read):
        names = ", ".join(tier.name for tier in unread)
        raise UserError(f"{path}: nothing on its tiers ({names}) is about movements; name one {CANDIDATE} or AU")
    drafts = [_draft(path, one, mark) for one in read if one.role == CANDIDATE for mark in one.tier.marks]
    for role, take in ((AU, _take_units), (EMOTION, _take_label)):
        _attach(path, [one for one in read if one.role == role], drafts, take)
    astray = _apexes([one for one in read if one.role == APEX], drafts)
    notes = [f"tier {tier.name}, {len(tier.marks)} annotations" for tier in unread]
    notes += [f"{astray} apexes outside every movement"] * bool(astray)
    bad = [(one, mark) for one in read if one.role == QUALITY for mark in one.tier.marks]
    drafts.sort(key=lambda d: (d.start, d.end, d.track, d.lane))
    events = tuple(_event(path, draft) for draft in drafts)
    known = dict(said_of_file)
    if notes:
        known["record"] = {**known.get("record", {}), "not_read": notes}
    with naming(path, remedy="mend the annotation"):
        intervals = [Interval(mark.start, mark.end, unlined(mark.text), one.track) for one, mark in bad]
        intervals.sort(key=lambda i: (i.start, i.end))
        return with_header(known, events, tuple(intervals), source or path.stem)


def _named(tier: Tier, face: int | None) -> _Named | None:
    match = re.fullmatch(r"(.*?)(?:@(?:face)?\s*(\d+))?(?: \((\d+)\))?", tier.name.strip(), re.DOTALL)
    assert match is not None  # all of it is optional
    base, lane = match[1], int(match[3] or 1) - 1
    track = int(match[2]) if match[2] else tier.track
    plain = re.sub(r"[^a-z0-9]", "", base.lower())
    role = ROLES.get(plain) or ROLES.get(plain.removesuffix("s"))
    if role is None:
        texts = [mark.text for mark in tier.marks if mark.text.strip()]
        if len(units_of(base) or ()) == 1 or (texts and all(units_of(text) for text in texts)):
            role = AU
    if role is None:
        return None
    if role != QUALITY and track is None:
        track = face
    return _Named(tier, role, base, track, lane)


def _draft(path: Path, one: _Named, mark: Mark) -> _Draft:
    words = mark.text.strip()
    with naming(path, mark.where, "mend the annotation"):
        fields = said(words, WHOLE)
    base = one.base.lower()
    if fields is None:
        spoken = words if any(kind in words.lower() for kind in KINDS) else base
        fields = {"kind": kind_of(spoken, mark.end - mark.start), "note": mark.text}
        if units := units_of(words):
            fields = {**fields, "action_units": units, "note": ""}
    else:
        fields.setdefault("kind", kind_of(base, mark.end - mark.start))
    return _Draft(mark.start, mark.end, one.track or 0, one.lane, mark.where, None, fields)


def _attach(
    path: Path, tiers: Sequence[_Named], drafts: list[_Draft], take: Callable[[_Named, Mark], dict[str, Any]]
) -> None:
    """Give what tiers say to the candidates at the same times; what has none becomes an event."""
    candidates = list(drafts)
    same = {(d.track, d.lane, d.start, d.end): d for d in candidates}
    alone: dict[tuple[int, float, float, str], _Draft] = {}
    for one in tiers:
        for mark in one.tier.marks:
            with naming(path, mark.where, "mend the annotation"):
                fields = take(one, mark)
            track = one.track or 0
            draft = same.get((track, one.lane, mark.start, mark.end)) or _closest(candidates, track, mark)
            if draft is None:
                draft = _Draft(mark.start, mark.end, track, one.lane, mark.where)
                draft.fields["kind"] = kind_of("", mark.end - mark.start)
                alone[(track, mark.start, mark.end, one.tier.name)] = draft
            units = (*draft.fields.get("action_units", ()), *fields.pop("action_units", ()))
            note = fields.pop("note", "")
            if note:
                draft.fields["note"] = "; ".join(filter(None, (draft.fields.get("note", ""), note)))
            draft.fields |= fields | ({"action_units": tuple(dict.fromkeys(units))} if units else {})
    drafts += alone.values()


def _closest(candidates: Sequence[_Draft], track: int, mark: Mark) -> _Draft | None:
    """The candidate of that face that shares most with a mark, and at least half."""
    best, most = None, OVERLAP
    for one in candidates:
        if one.track != track or one.start >= mark.end or one.end <= mark.start:
            continue
        shared = min(one.end, mark.end) - max(one.start, mark.start)
        union = max(one.end, mark.end) - min(one.start, mark.start)
        if shared >= most * union:
            best, most = one, shared / union
    return best


def _take_units(one: _Named, mark: Mark) -> dict[str, Any]:
    own = units_of(one.base) or ()
    words = mark.text.strip()
    if len(own) == 1 and one.base.lower() not in {"au", "aus"}:
        strength = words.upper() if re.fullmatch(r"[A-Ea-e]", words) and own[0][-1].isdigit() else ""
        also = units_of(words) if words and not strength else ()
        note = words if words and not strength and also is None else ""
        return {"action_units": also or (own[0] + strength,), "note": note}
    units = units_of(words)
    return {"action_units": units} if units else {"note": words}


def _take_label(one: _Named, mark: Mark) -> dict[str, Any]:
    del one
    fields = said(mark.text.strip(), FIELDS[EMOTION], "label")
    return {"label": mark.text.strip() or None} if fields is None else fields


def _apexes(tiers: Sequence[_Named], drafts: Sequence[_Draft]) -> int:
    """Set the apex of each draft from the points; how many points lie in none."""
    lanes_of: dict[tuple[int, int], list[_Draft]] = {}
    faces: dict[int, list[_Draft]] = {}
    for draft in drafts:
        lanes_of.setdefault((draft.track, draft.lane), []).append(draft)
        faces.setdefault(draft.track, []).append(draft)
    astray = 0
    for one in tiers:
        track = one.track or 0
        for mark in sorted(one.tier.marks, key=lambda m: m.start):
            for pool in (lanes_of.get((track, one.lane), []), faces.get(track, [])):
                open_ones = [d for d in pool if d.apex is None and d.start <= mark.start <= d.end]
                if open_ones:
                    min(open_ones, key=lambda d: (d.end, d.start)).apex = mark.start
                    break
            else:
                astray += 1
    return astray


def _event(path: Path, draft: _Draft) -> Event:
    fields = dict(draft.fields)
    apex = draft.apex
    if apex is None:
        apex = (draft.start + draft.end) / 2
        quality = fields.get("quality", ())
        fields["quality"] = quality if NO_APEX in quality else (*quality, NO_APEX)
    with naming(path, draft.where):
        return Event(draft.start, apex, draft.end, track=draft.track, **fields)
