"""Tiers of ours or of any coder -> events: which annotations are about one movement, and which about none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dfrnet.exchange.files import naming
from dfrnet.exchange.recording import with_header
from dfrnet.exchange.rows import NO_APEX
from dfrnet.exchange.tiers import APEX, AU, CANDIDATE, EMOTION, FIELDS, QUALITY, ROLES, WHOLE, Mark, Tier
from dfrnet.exchange.wording import KINDS, kind_of, said, units_of, unlined
from dfrnet.types import Event, Interval, Recording, UserError

ID = re.compile(r"(.*); ?id=(\d+)\s*((?:;.*)?)", re.DOTALL)
"""An annotation's words before its number, the number, and what a coder added behind it."""

OVERLAP = 0.5  # so much of their union must two annotations share to be about the same movement


@dataclass
class _Draft:
    """An event while its annotations are gathered."""

    start: float
    end: float
    track: int
    lane: int
    where: str
    id: str = ""
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


def recording_of(
    tiers: Iterable[Tier], path: Path, said_of_file: Mapping[str, Any], source: str = "", apart: bool = True
) -> Recording:
    """Tiers of our own or of a coder -> a recording.

    A tier holds what its name says (ROLES, an action unit such as ``AU12``) or, under any name, action units where all
    its texts are some. AU and emotion go to the candidate that they overlap by half, else they are events of their
    own; but not in a file of ours, if its format says them ``apart`` from the candidate: there they go to the candidate
    of their number, and what has none was left behind by a coder who deleted it. That is told, and the names of other
    tiers, in ``record["not_read"]``; UserError where nothing but those holds annotations.
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
    ours = apart and ("dfrnet" in said_of_file or any(one.base == CANDIDATE for one in read))
    if ours:
        read = [replace(one, tier=_numbered(one.tier)) for one in read]
    drafts = [_draft(path, one, mark) for one in read if one.role == CANDIDATE for mark in one.tier.marks]
    left: Counter[str] = Counter()
    for role, take in ((AU, _take_units), (EMOTION, _take_label)):
        left[role] = _attach(path, [one for one in read if one.role == role], drafts, take, ours)
    left[APEX] = _apexes([one for one in read if one.role == APEX], drafts)
    notes = [f"tier {tier.name}, {len(tier.marks)} annotations" for tier in unread] + _left_over(left, ours)
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


def _numbered(tier: Tier) -> Tier:
    """The same annotations, their numbers read off their texts."""
    marks = ((mark, ID.fullmatch(mark.text)) for mark in tier.marks)
    return replace(tier, marks=tuple(replace(m, text=is_[1] + is_[3], id=is_[2]) if is_ else m for m, is_ in marks))


def _left_over(left: Counter[str], ours: bool) -> list[str]:
    """One sentence on the annotations that belong to no movement, if there are any."""
    if not left.total():
        return []
    if not ours:
        return [f"{left.total()} apexes outside every movement"]
    places = ", ".join(f"{number} on {name}" for name, number in left.items() if number)
    return [f"{places}: left over, their {CANDIDATE} was deleted or lies elsewhere"]


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
    return _Draft(mark.start, mark.end, one.track or 0, one.lane, mark.where, mark.id, None, fields)


def _attach(
    path: Path,
    tiers: Sequence[_Named],
    drafts: list[_Draft],
    take: Callable[[_Named, Mark], dict[str, Any]],
    ours: bool,
) -> int:
    """Give what tiers say to their candidates; what has none becomes an event.

    But not on a tier of ``ours``, which says nothing by itself: returns how many annotations of those are left over.
    """
    candidates = list(drafts)
    same = {(d.track, d.lane, d.start, d.end): d for d in candidates}
    of_number = _by_number(candidates)
    alone: dict[tuple[int, float, float, str], _Draft] = {}
    left = 0
    for one in tiers:
        for mark in one.tier.marks:
            with naming(path, mark.where, "mend the annotation"):
                fields = take(one, mark)
            track = one.track or 0
            draft = of_number.get(mark.id) or same.get((track, one.lane, mark.start, mark.end))
            if draft is None or _strange(mark, draft):
                draft = _closest(candidates, track, mark)
            if draft is None and ours and one.base in {AU, EMOTION}:
                left += 1
                continue
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
    return left


def _by_number(drafts: Sequence[_Draft]) -> dict[str, _Draft]:
    """The candidate of each number that one alone has; a copied one has its number twice."""
    times = Counter(draft.id for draft in drafts)
    return {draft.id: draft for draft in drafts if draft.id and times[draft.id] == 1}


def _strange(mark: Mark, draft: _Draft) -> bool:
    """Whether they are known to be about two movements."""
    return bool(mark.id and draft.id) and mark.id != draft.id


def _closest(candidates: Sequence[_Draft], track: int, mark: Mark) -> _Draft | None:
    """The candidate of that face that shares most with a mark, and at least half."""
    best, most = None, OVERLAP
    for one in candidates:
        if one.track != track or one.start >= mark.end or one.end <= mark.start or _strange(mark, one):
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
    of_number = _by_number(drafts)
    lanes_of: dict[tuple[int, int], list[_Draft]] = {}
    faces: dict[int, list[_Draft]] = {}
    for draft in drafts:
        lanes_of.setdefault((draft.track, draft.lane), []).append(draft)
        faces.setdefault(draft.track, []).append(draft)
    waiting = []
    for one in tiers:
        track = one.track or 0
        around = (lanes_of.get((track, one.lane), []), faces.get(track, []))
        for mark in sorted(one.tier.marks, key=lambda m: m.start):
            waiting.append((mark, ([of_number[mark.id]] if mark.id in of_number else [], *around)))
    # Each way for all points before the next, looser one: no point takes the place of one that belongs there.
    for way in range(3):
        still = []
        for mark, pools in waiting:
            inside = [d for d in pools[way] if d.apex is None and d.start <= mark.start <= d.end]
            open_ones = [d for d in inside if not _strange(mark, d)]
            if open_ones:
                min(open_ones, key=lambda d: (d.end, d.start)).apex = mark.start
            else:
                still.append((mark, pools))
        waiting = still
    return len(waiting)


def _event(path: Path, draft: _Draft) -> Event:
    fields = dict(draft.fields)
    apex = draft.apex
    if apex is None:
        apex = (draft.start + draft.end) / 2
        quality = fields.get("quality", ())
        fields["quality"] = quality if NO_APEX in quality else (*quality, NO_APEX)
    with naming(path, draft.where):
        return Event(draft.start, apex, draft.end, track=draft.track, **fields)
