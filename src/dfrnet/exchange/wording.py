r"""An event in words, for formats that have one text for each annotation, and those words read back.

Parts are separated by ``; ``: ``micro; score=0.61; regions=between_brows+left_brow; AU=AU1+AU4; note="said \"no\""``.
The first part may stand without its name. Values are bare where nothing in them could be misread, else JSON. Numbers
have four decimals. Text that is not of this form is somebody's own words and stays as it is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dfrnet.types import Event

KINDS = ("micro", "macro")
MICRO_SECONDS = 0.5
"""What is longer is called macro where nobody said."""

WORD = r"\w.@/%()'&<>!?*#~-"
SAFE = re.compile(rf"[{WORD}]+( [{WORD}]+)*")
VALUE = re.compile(rf"[,{WORD}]+( [,{WORD}]+)*")
"""What stands between two ``+`` as it is: a comma parts nothing there."""

UNIT = re.compile(r"(?P<side>[LRATU])?\s*(?:AU)?\s*0*(?P<number>[1-9]\d?)\s*(?P<strength>[A-E])?", re.IGNORECASE)
CANONICAL = re.compile(r"[LRATU]?AU[1-9]\d?[A-E]?")


def number(value: float, digits: int) -> str:
    """``0.6100`` -> "0.61"; never with an exponent."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"


def share(text: object, name: str) -> float:
    """A number between 0 and 1; ValueError, which names it, for anything else."""
    try:
        value = float(str(text).strip())
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ValueError(f"{name} {text!r} is no number between 0 and 1")
    return value


def seconds(text: object) -> float:
    """``1.25``, ``1,25`` or ``00:00:01.250`` as seconds, at least 0; ValueError for anything else."""
    words = str(text).strip().replace(",", ".")
    match = re.fullmatch(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.:]\d+)?)", words)
    try:
        if match:
            tail = match[3].replace(":", ".")
            value = round(int(match[1] or 0) * 3600 + int(match[2]) * 60 + float(tail), 6)
        else:
            value = float(words)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"{str(text).strip()!r} is no time from 0 on")
    return value


def kind_of(words: str, duration: float) -> str:
    """``micro`` or ``macro``: as the words say, else by the duration in seconds."""
    said = words.lower()
    found = [kind for kind in KINDS if kind in said]
    return found[0] if len(found) == 1 else KINDS[duration > MICRO_SECONDS]


def units_of(words: str) -> tuple[str, ...] | None:
    """``1+2``, ``AU 4, L12B`` -> (AU1, AU2), (AU4, LAU12B); None where a part is no action unit, () for no text."""
    if words.lstrip().startswith("["):
        return tuple(values_of(words))
    parts = [part for part in re.split(r"[+,;/&|]|\band\b", words) if part.strip()]
    found = []
    for part in parts:
        # Only a comma or blank may part what has no sign between; "AU1 AU2" is two.
        for word in re.split(r"(?<=[0-9A-Ea-e])\s+(?=[LRATUlratu]?\s?(?:AU|au)?\s?\d)", part.strip()):
            match = UNIT.fullmatch(word.strip())
            if match is None:
                return None
            side, strength = (match["side"] or "").upper(), (match["strength"] or "").upper()
            found.append(f"{side}AU{match['number']}{strength}")
    return tuple(found)


def units_text(units: Sequence[str]) -> str:
    """``AU1+AU2``; a JSON list where a unit is spelled otherwise."""
    if all(CANONICAL.fullmatch(unit) for unit in units):
        return "+".join(units)
    return _json(list(units))


def values_text(values: Iterable[str]) -> str:
    """``left_brow+chin``; a JSON list where that could be misread."""
    several = list(values)
    return "+".join(several) if all(map(VALUE.fullmatch, several)) else _json(several)


def values_of(words: str) -> tuple[str, ...]:
    """The parts of :func:`values_text`; ValueError for a damaged list."""
    words = words.strip()
    if not words.startswith("["):
        return tuple(part.strip() for part in words.split("+") if part.strip())
    found = _from_json(words)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"{words!r} is no list of texts")
    return tuple(found)


def chances_text(chances: Mapping[str, float]) -> str:
    """``negative:0.2+positive:0.8``; a JSON object where that could be misread."""
    rounded = {name: round(value, 4) for name, value in chances.items()}
    if all(map(SAFE.fullmatch, rounded)):
        return "+".join(f"{name}:{number(value, 4)}" for name, value in rounded.items())
    return _json(rounded)


def chances_of(words: str) -> dict[str, float]:
    """The parts of :func:`chances_text`; ValueError where one is no number between 0 and 1."""
    if words.startswith("{"):
        found = _from_json(words)
        pairs = list(found.items()) if isinstance(found, dict) else []
    else:
        pairs = [part.rpartition(":")[::2] for part in words.split("+")]
    return {name: share(value, f"probability of {name}") for name, value in pairs}


def describe(event: Event, fields: Sequence[str], bare: str = "kind") -> str:
    """The fields of an event in words; those that say nothing (no note, score 1) are left away."""
    texts: dict[str, str | None] = {
        "kind": event.kind,
        "label": event.label,
        "p": chances_text(event.probabilities),
        "score": number(event.score, 4) if event.score != 1 else None,
        "regions": values_text(event.regions),
        "AU": units_text(event.action_units),
        "quality": values_text(event.quality),
        "note": event.note or None,
    }
    parts = []
    for name in fields:
        text = texts[name]
        if text is None or (not text and name != "label"):
            continue
        plain = name in {"p", "regions", "AU", "quality", "score"} or SAFE.fullmatch(text)
        value = text if plain else _json(text)
        alone = name == bare and plain and (bare != "kind" or text in KINDS)
        parts.append(value if alone else f"{name}={value}")
    return "; ".join(parts)


def said(words: str, fields: Sequence[str], bare: str = "kind") -> dict[str, Any] | None:
    """What :func:`describe` said, as values of Event; None where the words are somebody's own.

    ValueError where a field that is named has a value that it cannot have.
    """
    found: dict[str, str] = {}
    for at, (name, value) in enumerate(_parts(words)):
        known = name or (bare if at == 0 and (bare != "kind" or value in KINDS) and SAFE.fullmatch(value) else "")
        if known not in fields or known in found:
            return None
        found[known] = value
    return {_FIELDS.get(name, name): _value(name, value) for name, value in found.items()}


_FIELDS = {"p": "probabilities", "AU": "action_units"}


def _value(name: str, text: str) -> Any:
    if name == "score":
        return share(text, "score")
    if name == "p":
        return chances_of(text)
    if name == "AU":
        return units_of(text) or ()
    if name in {"regions", "quality"}:
        return values_of(text)
    return str(_from_json(text)) if text.startswith('"') else text


def _parts(words: str) -> list[tuple[str, str]]:
    """(name or "", value as written) for each part; JSON values may hold the separator."""
    found, at = [], 0
    while at < len(words):
        match = re.compile(r"\s*(?:(\w+)=)?").match(words, at)
        assert match is not None  # it may match nothing
        start = match.end()
        if words[start : start + 1] in {'"', "[", "{"}:
            try:
                _, stop = json.JSONDecoder().raw_decode(words, start)
            except ValueError:
                stop = len(words)
        else:
            stop = words.find(";", start)
            stop = len(words) if stop < 0 else stop
        found.append((match[1] or "", words[start:stop].strip()))
        rest = words.find(";", stop)
        at = len(words) if rest < 0 else rest + 1
    return found


UNFIT = re.compile("[^ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML or one line of text cannot hold."""


def line(text: str) -> str:
    """Any text as one line; as it is where it can be, else JSON."""
    odd = not text or UNFIT.search(text) or text != text.strip() or text.startswith('"')
    return _json(text) if odd else text


def unlined(words: str) -> str:
    """The text of :func:`line`."""
    return str(_from_json(words)) if words.startswith('"') and words.endswith('"') and len(words) > 1 else words


def _json(value: object) -> str:
    """JSON in one line that XML can hold."""
    return UNFIT.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))


def _from_json(words: str) -> Any:
    try:
        return json.loads(words)
    except ValueError:
        raise ValueError(f"{words[:60]!r} is cut off or damaged") from None
