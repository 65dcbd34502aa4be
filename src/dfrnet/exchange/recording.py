"""What travels to and from other programs: the movements of one recording and what is known about it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from dfrnet import __version__
from dfrnet.types import Event, Interval, Recording


def header(recording: Recording) -> dict[str, Any]:
    """What a file says beside events, intervals and the curve, for JSON.

    ``face`` where all events are of one.
    """
    tracks = {event.track for event in recording.events}
    return {
        "dfrnet": __version__, "source": recording.source, "duration": recording.duration, "fps": recording.fps,
        "assessable": round(recording.assessable, 4), "tracks": list(recording.tracks),
        "face": next(iter(tracks)) if len(tracks) == 1 else None, "record": dict(recording.record),
    }  # fmt: skip


def with_header(said: object, events: tuple[Event, ...], intervals: tuple[Interval, ...], source: str) -> Recording:
    """A recording from its parts; what ``said`` (a header, or nothing) lacks is taken from the events.

    ValueError where the header is damaged.
    """
    known = said if isinstance(said, Mapping) else {}
    last = max([0.0, *(event.end for event in events), *(one.end for one in intervals)])
    record, tracks = known.get("record", {}), known.get("tracks", [])
    if not isinstance(record, Mapping) or not isinstance(tracks, list):
        raise ValueError("its record and tracks must be an object and a list")
    return Recording(
        str(known.get("source", source)), number_of(known.get("duration", last), "duration"),
        number_of(known.get("fps", 0.0), "fps"), events, intervals, dict(record), tuple(int(t) for t in tracks),
    )  # fmt: skip


def number_of(value: object, name: str) -> float:
    """A finite number of a JSON file; ValueError, which names it, for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} {value!r} is no number")
    return float(value)


def as_json(value: object, **layout: Any) -> str:
    """JSON that every reader takes: NaN and infinity become null, what JSON cannot hold becomes text."""
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, **layout)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
