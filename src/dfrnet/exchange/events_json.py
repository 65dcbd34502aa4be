"""events.json: everything that a recording holds, nothing rounded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from dfrnet.exchange.files import naming, read_text, save
from dfrnet.exchange.recording import as_json, header, number_of, pair_of, with_header
from dfrnet.types import Event, Interval, Recording, UserError

SCHEMA = "dfrnet-events"
VERSION = 1
UNITS = {
    "start": "seconds from the first frame; the file's own: from when on the recording was looked at",
    "apex": "seconds from the first frame",
    "end": "seconds from the first frame", "duration": "seconds, 0 where unknown",
    "fps": "frames a second, measured, 0 where unknown",
    "score": "0 to 1, how far the movement stands out from the face's own baseline",
    "probabilities": "0 to 1, calibrated", "assessable": "0 to 1, share of what was looked at, null where nobody said",
    "spans": "seconds, from when to when each face was there",
    "curve": "seconds, and 0 to 1 how far the face stands from its own baseline",
}  # fmt: skip


def write(recording: Recording, path: Path) -> None:
    """Strict JSON: NaN and infinity in the record become null."""
    whole = {
        "schema": SCHEMA, "version": VERSION, **header(recording), "units": UNITS,
        "events": [_event(event) for event in recording.events],
        "intervals": [asdict(one) for one in recording.intervals],
        "curve": [list(point) for point in recording.curve],
    }  # fmt: skip
    save(path, as_json(whole, indent=1) + "\n")


def _event(event: Event) -> dict[str, Any]:
    return {one.name: getattr(event, one.name) for one in fields(event)}


def read(path: Path, fps: float | None = None) -> Recording:
    """What :func:`write` wrote; fields of a newer version that we do not know are passed over."""
    del fps  # the file says it
    try:
        whole = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged or cut off ({error}); write it again") from None
    if not isinstance(whole, dict) or whole.get("schema") != SCHEMA:
        raise UserError(f"{path}: not a {SCHEMA} file; name its format with --from")
    version = whole.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise UserError(f"{path}: version {version!r} of {SCHEMA}, this dfrnet reads up to {VERSION}; update dfrnet")
    events = []
    for at, raw in enumerate(_list(path, whole, "events"), start=1):
        with naming(path, f"event {at}", "write the file again"):
            events.append(_to_event(_object(raw)))
    intervals = []
    for at, raw in enumerate(_list(path, whole, "intervals"), start=1):
        with naming(path, f"interval {at}", "write the file again"):
            one = _object(raw)
            track = one.get("track")
            intervals.append(
                Interval(
                    number_of(one["start"], "start"), number_of(one["end"], "end"), _text(one, "reason"),
                    None if track is None else _whole(track),
                )
            )  # fmt: skip
    with naming(path, remedy="write the file again"):
        curve = tuple(pair_of(raw, "point of the curve") for raw in _list(path, whole, "curve"))
        return replace(with_header(whole, tuple(events), tuple(intervals), path.stem), curve=curve)


def _to_event(raw: Mapping[str, Any]) -> Event:
    chances = raw.get("probabilities", {})
    label = raw.get("label")
    return Event(
        number_of(raw["start"], "start"), number_of(raw["apex"], "apex"), number_of(raw["end"], "end"),
        _text(raw, "kind", "micro"), None if label is None else _text(raw, "label"),
        {str(name): number_of(value, f"probability of {name}") for name, value in _object(chances).items()},
        number_of(raw.get("score", 1.0), "score"), _texts(raw, "regions"), _texts(raw, "action_units"),
        _texts(raw, "quality"), _whole(raw.get("track", 0)), _text(raw, "note", ""),
    )  # fmt: skip


def _list(path: Path, whole: Mapping[str, Any], name: str) -> list[Any]:
    found = whole.get(name, [])
    if not isinstance(found, list):
        raise UserError(f"{path}: its {name} are no list; write it again")
    return found


def _object(raw: object) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise ValueError(f"{str(raw)[:40]!r} is no object")
    return raw


def _text(raw: Mapping[str, Any], name: str, default: str | None = None) -> str:
    found = raw.get(name, default)
    if not isinstance(found, str):
        raise ValueError(f"{name} {found!r} is no text")
    return found


def _texts(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = raw.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"{name} {found!r} is no list of texts")
    return tuple(found)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"track {value!r} is no whole number")
    return value
