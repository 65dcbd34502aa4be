"""A row of named cells -> an event: our own tables and those of coders, whose columns have many names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfrnet.exchange.wording import KINDS, kind_of, seconds, share, units_of, units_text, values_of, values_text
from dfrnet.types import Event

NO_APEX = "apex not annotated"
"""Said in ``quality`` of an event whose file names no apex; the middle stands for it."""

NOTHING = frozenset({"", "n/a", "na", "nan", "none", "-", "/", "?"})
"""What sheets write where there is nothing."""

COLUMNS = {
    "start": ("start", "onset", "begin"),
    "apex": ("apex", "peak"),
    "end": ("end", "offset", "stop"),
    "duration": ("duration",),
    "kind": ("kind", "type", "trial type", "expression type", "category", "movement"),
    "label": ("label", "emotion", "class", "estimated emotion", "expression"),
    "score": ("score", "confidence"),
    "regions": ("regions", "region"),
    "action_units": ("action units", "action unit", "au", "aus", "facs", "facs code", "facs codes", "au code"),
    "side": ("side", "laterality"),
    "strength": ("intensity", "strength"),
    "quality": ("quality",),
    "track": ("track", "face", "person"),
    "note": ("note", "notes", "comment", "comments", "remark", "remarks", "description"),
}
"""Our name of a column -> how it is spelled in use; case, punctuation and units do not count."""

TIMES = ("start", "apex", "end", "duration")
UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("frame", "frames", "f", "fr"), "frame"),
}
FILLERS = frozenset({"time", "no", "number", "num", "index", "in"})


@dataclass(frozen=True)
class Column:
    """``name``: ours. ``at``: its position. ``unit`` of a time: s, ms, frame, or "" where the header names none."""

    name: str
    at: int
    unit: str = ""


def columns_of(head: Sequence[str]) -> dict[str, Column]:
    """Our names of the columns that a header spells; the first of several wins, one with seconds before others."""
    found: dict[str, Column] = {}
    for at, cell in enumerate(head):
        words = re.findall(r"[a-z]+|\d+", re.sub(r"([a-z])([A-Z])", r"\1 \2", cell.strip()).lower())
        unit = next((UNITS[word] for word in words if word in UNITS), "")
        core = " ".join(word for word in words if word not in UNITS and word not in FILLERS)
        spelled = " ".join(words)
        for name, spellings in COLUMNS.items():
            time = name in TIMES
            if (core if time else spelled) in spellings and (name not in found or (time and unit == "s")):
                found[name] = Column(name, at, unit if time else "")
                break
    return found


def chance_columns(head: Sequence[str]) -> dict[str, int]:
    """Class -> position, for columns ``p_CLASS``."""
    return {cell[2:]: at for at, cell in enumerate(head) if cell.startswith("p_") and len(cell) > 2}


def time_of(cell: str, unit: str, fps: float | None) -> float | None:
    """A cell as seconds; None where nothing is said; ValueError where it is no time of that unit."""
    if cell.strip().lower() in NOTHING:
        return None
    if unit == "frame":
        if not fps:
            raise ValueError("times are frame numbers; say how many frames a second there are with --fps")
        return seconds(cell) / fps
    return seconds(cell) / 1000 if unit == "ms" else seconds(cell)


def event_of(
    cells: Mapping[str, str], times: Mapping[str, float | None], chances: Mapping[str, str] | None = None
) -> Event:
    """One event; ValueError or UserError, without the place, for what cannot be.

    ``cells``: text by our names (COLUMNS), ``times`` seconds by TIMES. A missing apex is the middle and said so; a
    missing kind follows from the duration.
    """
    start = times.get("start")
    if start is None:
        raise ValueError("it has no start")
    end = times.get("end")
    if end is None:
        if times.get("duration") is None and ("end" in times or "duration" in times):
            raise ValueError("it has no end")
        end = start + (times.get("duration") or 0.0)
    apex = times.get("apex")
    text = {name: "" if cell.strip().lower() in NOTHING else cell for name, cell in cells.items()}
    kind = text.get("kind", "").strip()
    known = kind_of(kind, end - start) if not kind or _says_kind(kind) else kind
    units = _units(text)
    quality = values_of(text.get("quality", ""))
    rest: dict[str, Any] = {}
    if text.get("score"):
        rest["score"] = share(text["score"], "score")
    if apex is None:
        quality = quality if NO_APEX in quality else (*quality, NO_APEX)
    return Event(
        start, (start + end) / 2 if apex is None else apex, end, known, text.get("label") or None,
        {n: share(cell, f"p_{n}") for n, cell in (chances or {}).items() if cell.strip().lower() not in NOTHING},
        regions=values_of(text.get("regions", "")), action_units=units, quality=quality,
        track=_track(text.get("track", "")), note=cells.get("note", ""), **rest,
    )  # fmt: skip


def _says_kind(words: str) -> bool:
    """``Micro-expression`` says micro; ``micro`` itself and other words are taken as they are."""
    return (
        bool(re.fullmatch(r"(micro|macro)[- ]?(expressions?|movements?)?", words, re.IGNORECASE)) and words not in KINDS
    )


def _units(text: Mapping[str, str]) -> tuple[str, ...]:
    words = text.get("action_units", "")
    side, strength = text.get("side", "").strip().upper()[:1], text.get("strength", "").strip().upper()
    units = units_of(words)
    if units is None:
        return (words.strip(),)
    if len(units) != 1:
        return units
    unit = units[0]
    if side in {"L", "R", "A", "T", "U"} and unit.startswith("AU"):
        unit = side + unit
    return (unit + strength if strength in set("ABCDE") and strength and unit[-1].isdigit() else unit,)


def _track(cell: str) -> int:
    words = cell.strip()
    if not words:
        return 0
    match = re.fullmatch(r"(?:face|track|person|subject)?\s*(\d+)(?:\.0+)?", words, re.IGNORECASE)
    if match is None:
        raise ValueError(f"track {words!r} is no number")
    return int(match[1])


def cells_of(event: Event) -> dict[str, str]:
    """The texts of an event by our names, without times and probabilities."""
    return {
        "kind": event.kind,
        "label": event.label or "",
        "score": f"{event.score:.4f}",
        "regions": values_text(event.regions),
        "action_units": units_text(event.action_units),
        "quality": values_text(event.quality),
        "track": str(event.track),
        "note": event.note,
    }


def classes_of(events: Sequence[Event]) -> list[str]:
    """Every class with a probability, in the order in which they come."""
    return list(dict.fromkeys(name for event in events for name in event.probabilities))
