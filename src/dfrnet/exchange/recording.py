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

    ``face`` where all events are of one. ``assessable`` is None where nobody looked: a coder's file has movements only.
    """
    looked = recording.duration > 0 and bool(recording.intervals or recording.spans or recording.tracks)
    tracks = {event.track for event in recording.events}
    return {
        "dfrnet": __version__, "source": recording.source, "duration": recording.duration, "start": recording.start,
        "fps": recording.fps, "assessable": round(recording.assessable, 4) if looked else None,
        "tracks": list(recording.tracks),
        "spans": {str(track): list(span) for track, span in recording.spans.items()},
        "face": next(iter(tracks)) if len(tracks) == 1 else None, "record": dict(recording.record),
    }  # fmt: skip


def with_header(said: object, events: tuple[Event, ...], intervals: tuple[Interval, ...], source: str) -> Recording:
    """A recording from its parts; what ``said`` (a header, or nothing) lacks is unknown.

    ValueError where the header is damaged.
    """
    known = said if isinstance(said, Mapping) else {}
    record, tracks, spans = known.get("record", {}), known.get("tracks", []), known.get("spans", {})
    if not isinstance(record, Mapping) or not isinstance(tracks, list):
        raise ValueError("its record and tracks must be an object and a list")
    if not isinstance(spans, Mapping):
        raise ValueError(f"spans {str(spans)[:40]!r} are no object")
    return Recording(
        str(known.get("source", source)), number_of(known.get("duration", 0.0), "duration"),
        number_of(known.get("fps", 0.0), "fps"), events, intervals, dict(record), tuple(int(t) for t in tracks),
        start=number_of(known.get("start", 0.0), "start"),
        spans={int(track): pair_of(span, f"span of face {track}") for track, span in spans.items()},
    )  # fmt: skip


def pair_of(value: object, name: str) -> tuple[float, float]:
    """Two finite numbers of a JSON file; ValueError, which names them, for anything else."""
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"{name} {str(value)[:40]!r} is no pair of numbers")
    return number_of(value[0], name), number_of(value[1], name)


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
