"""ELAN .eaf: tiers of annotations in milliseconds (EAF 2.8, Max Planck Institute for Psycholinguistics)."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dfrnet.exchange.files import naming, read_bytes, save
from dfrnet.exchange.recording import as_json, header
from dfrnet.exchange.tier_reading import recording_of
from dfrnet.exchange.tiers import Mark, Tier, tiers_of
from dfrnet.exchange.wording import UNFIT
from dfrnet.types import Recording, UserError

TICKS = 1000
APEX_MS = 10
"""Length of an apex annotation where the frame rate is unknown; else it is one frame."""

PROPERTY = "dfrnet"
MIMES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mpg": "video/mpeg", ".mpeg": "video/mpeg", ".wav": "audio/x-wav",
    ".mov": "video/quicktime", ".avi": "video/x-msvideo", ".webm": "video/webm", ".mkv": "video/x-matroska",
}  # fmt: skip


def write(recording: Recording, path: Path) -> None:
    """Tiers as in tiers.py, the recording linked as media, and the record as the property ``dfrnet``.

    Needs pympi, which the extra ``elan`` brings.
    """
    from pympi.Elan import Eaf, to_string

    eaf = Eaf(author="dfrnet")
    eaf.remove_tier("default")
    eaf.header = {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"}
    if recording.source:
        _link(eaf, recording.source, path)
    apex = max(round(TICKS / recording.fps), 1) if recording.fps >= 1 else APEX_MS
    for tier in tiers_of(recording, TICKS, apex):
        eaf.add_tier(tier.name, part=None if tier.track is None else f"face {tier.track}")
        for mark in tier.marks:
            eaf.add_annotation(tier.name, round(mark.start * TICKS), round(mark.end * TICKS), mark.text)
    _order_slots(eaf)
    eaf.properties = [("lastUsedAnnotationId", eaf.maxaid), (PROPERTY, _ascii(as_json(header(recording))))]
    save(path, '<?xml version="1.0" encoding="UTF-8"?>\n' + to_string(eaf))


def _order_slots(eaf: Any) -> None:
    """Number the time slots as they follow in time, as the format asks for."""
    ordered = sorted(eaf.timeslots, key=lambda name: (eaf.timeslots[name], int(name[2:])))
    names = {old: f"ts{at}" for at, old in enumerate(ordered, start=1)}
    eaf.timeslots = {names[old]: eaf.timeslots[old] for old in ordered}
    for marks, *_ in eaf.tiers.values():
        for name, (start, end, *rest) in list(marks.items()):
            marks[name] = (names[start], names[end], *rest)


def _ascii(text: str) -> str:
    return UNFIT.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _link(eaf: Any, source: str, path: Path) -> None:
    media = Path(UNFIT.sub("?", source))
    mime = MIMES.get(media.suffix.lower(), "unknown")
    url = media.absolute().as_uri() if media.exists() else media.as_posix()
    # ELAN looks beside the .eaf first, so that both can be moved together.
    relative = f"./{media.name}"
    if media.exists() and media.absolute().is_relative_to(path.absolute().parent):
        relative = "./" + media.absolute().relative_to(path.absolute().parent).as_posix()
    eaf.add_linked_file(url, relpath=relative, mimetype=mime)


def read(path: Path, fps: float | None = None) -> Recording:
    """A file of ours or of a coder, see :func:`dfrnet.exchange.tier_reading.recording_of` for how tiers are understood.

    Annotations of child tiers have the times of their parents; unaligned time slots are spread evenly between their
    neighbours, as ELAN shows them.
    """
    try:
        root = ET.fromstring(read_bytes(path))
    except (ET.ParseError, ValueError, LookupError) as error:
        raise UserError(f"{path}: damaged or cut off ({error}); restore the file") from None
    if root.tag != "ANNOTATION_DOCUMENT":
        raise UserError(f"{path}: not an ELAN file but {root.tag!r}; name its format with --from")
    slots = _slots(path, root)
    spans = _spans(path, root, slots)
    tiers = [
        Tier(one.get("TIER_ID", ""), tuple(_marks(one, spans)), _track(one.get("PARTICIPANT", "")))
        for one in root.iter("TIER")
    ]
    known = _header(path, root)
    if fps and "fps" not in known:
        known["fps"] = fps
    media = next((one.get("MEDIA_URL", "") for one in root.iter("MEDIA_DESCRIPTOR")), "")
    return recording_of(tiers, path, known, media)


def _header(path: Path, root: ET.Element) -> dict[str, Any]:
    for one in root.iter("PROPERTY"):
        if one.get("NAME") == PROPERTY:
            with naming(path, f"property {PROPERTY}", "remove the property"):
                found = json.loads(one.text or "")
                if not isinstance(found, dict):
                    raise ValueError("it is no object")
                return found
    return {}


def _slots(path: Path, root: ET.Element) -> dict[str, float]:
    """Seconds of every time slot."""
    found: dict[str, float] = {}
    waiting: list[str] = []
    last = 0.0
    for slot in root.iter("TIME_SLOT"):
        name, value = slot.get("TIME_SLOT_ID", ""), slot.get("TIME_VALUE")
        if value is None:
            waiting.append(name)
            continue
        with naming(path, f"time slot {name}", "mend its TIME_VALUE"):
            time = float(value) / TICKS
            if not 0 <= time < math.inf:
                raise ValueError(f"TIME_VALUE {value!r} is no time from 0 on")
        for at, other in enumerate(waiting, start=1):
            found[other] = last + (time - last) * at / (len(waiting) + 1)
        waiting.clear()
        found[name] = last = time
    return found | dict.fromkeys(waiting, last)


def _spans(path: Path, root: ET.Element, slots: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """(start, end) of every annotation by its id; of one that refers to another, that one's."""
    spans: dict[str, tuple[float, float]] = {}
    refers: dict[str, str] = {}
    for one in root.iter("ALIGNABLE_ANNOTATION"):
        name = one.get("ANNOTATION_ID", "")
        ends = (one.get("TIME_SLOT_REF1", ""), one.get("TIME_SLOT_REF2", ""))
        lacking = next((end for end in ends if end not in slots), None)
        if lacking is not None:
            raise UserError(f"{path}, annotation {name}: no time slot {lacking!r}; restore the file")
        if slots[ends[0]] > slots[ends[1]]:
            raise UserError(f"{path}, annotation {name}: it ends before it starts; mend it in ELAN")
        spans[name] = slots[ends[0]], slots[ends[1]]
    for one in root.iter("REF_ANNOTATION"):
        refers[one.get("ANNOTATION_ID", "")] = one.get("ANNOTATION_REF", "")
    for name in refers:
        seen, parent = {name}, refers[name]
        while parent in refers and parent not in seen:
            seen.add(parent)
            parent = refers[parent]
        if parent not in spans:
            raise UserError(
                f"{path}, annotation {name}: the one it refers to, {parent!r}, is not there; restore the file"
            )
        spans[name] = spans[parent]
    return spans


def _marks(tier: ET.Element, spans: Mapping[str, tuple[float, float]]) -> Iterator[Mark]:
    for one in tier.iter():
        if one.tag in {"ALIGNABLE_ANNOTATION", "REF_ANNOTATION"}:
            name = one.get("ANNOTATION_ID", "")
            where = f"tier {tier.get('TIER_ID', '')}, annotation {name}"
            yield Mark(*spans[name], one.findtext("ANNOTATION_VALUE") or "", where)


def _track(participant: str) -> int | None:
    words = participant.split()
    return int(words[1]) if len(words) == 2 and words[0] == "face" and words[1].isdigit() else None
