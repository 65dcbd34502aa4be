"""BORIS: projects (.boris, JSON of format 7.0, which BORIS 7 to 9 read) and its tables of events (.csv, .tsv).

A movement is a state of the behaviour ``micro`` or ``macro`` (``ME_candidate`` for another kind), its apex a point of
``apex``; the comment of the start holds all else. BORIS pairs starts and stops by order within subject and behaviour,
so movements that overlap or touch go to ``micro (2)``. Subjects are faces.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dfrnet.exchange.events_csv import table_of
from dfrnet.exchange.files import naming, read_text, save
from dfrnet.exchange.recording import as_json, header, number_of
from dfrnet.exchange.tier_reading import recording_of
from dfrnet.exchange.tiers import (
    APEX,
    CANDIDATE,
    QUALITY,
    WHOLE,
    Mark,
    Tier,
    blocked,
    by_face,
    intervals_by_face,
    placed,
    title,
)  # fmt: skip
from dfrnet.exchange.wording import KINDS, describe, line, number, seconds
from dfrnet.types import Recording, UserError

TICKS = 1000
GAP = 1
FORMAT_VERSION = "7.0"
BLOCKED = "not_assessable"
NOBODY = frozenset({"", "no focal subject"})
PLAYERS = tuple(str(number) for number in range(1, 9))
KEYS = "mMxqcaoupsdfghjklvbnrtyzwei"
TABLE = (
    "Observation id", "Observation date", "Description", "Observation type", "Source", "Media duration (s)", "FPS",
    "Subject", "Behavior", "Behavioral category", "Behavior type", "Time", "Image index", "Comment",
)  # fmt: skip

Row = tuple[int, int, str, str, str, str]
"""Tick, rank of equal ticks (stops first), subject, behaviour, START, STOP or POINT, and comment."""


def write(recording: Recording, path: Path) -> None:
    """A project; with the suffix .csv or .tsv the table that BORIS exports as "tabular events"."""
    rows = _rows(recording)
    suffix = path.suffix.lower()
    if suffix in {".csv", ".tsv"}:
        save(path, _table(recording, rows, "\t" if suffix == ".tsv" else ","))
    else:
        # BORIS opens files in the encoding of the system, so nothing but ASCII is certain to arrive.
        save(path, json.dumps(_project(recording, rows), indent=1, allow_nan=False) + "\n")


def _rows(recording: Recording) -> list[Row]:
    rows: list[Row] = []
    for track, events in by_face(recording):
        subject = _subject(track or None)
        for row in placed(events, TICKS, gap=GAP):
            behavior = title(row.event.kind if row.event.kind in KINDS else CANDIDATE, None, row.lane)
            rows.append((row.start, 1, subject, behavior, "START", describe(row.event, WHOLE)))
            rows.append((row.apex, 2, subject, title(APEX, None, row.lane), "POINT", ""))
            rows.append((row.end, 0, subject, behavior, "STOP", ""))
    for face, intervals in intervals_by_face(recording):
        for one, start, end, lane in blocked(intervals, TICKS, GAP):
            rows.append((start, 1, _subject(face), title(BLOCKED, None, lane), "START", line(one.reason)))
            rows.append((end, 0, _subject(face), title(BLOCKED, None, lane), "STOP", ""))
    return sorted(rows)


def _subject(track: int | None) -> str:
    return "" if track is None else f"face {track}"


def _project(recording: Recording, rows: Sequence[Row]) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    codes = list(dict.fromkeys([*KINDS, APEX, BLOCKED, *sorted({row[3] for row in rows})]))
    subjects = sorted({row[2] for row in rows} - {""})
    return {
        "time_format": "hh:mm:ss", "project_date": now, "project_name": Path(recording.source).stem or "dfrnet",
        "project_description": "Candidates found by dfrnet, for a coder to confirm.",
        "project_format_version": FORMAT_VERSION,
        "subjects_conf": {
            str(at): {"key": str(at + 1)[-1:], "name": name, "description": "a face of the recording"}
            for at, name in enumerate(subjects)
        },
        "behaviors_conf": {str(at): _behavior(at, code) for at, code in enumerate(codes)},
        "observations": {Path(recording.source).stem or "recording": _observation(recording, rows, now)},
        "behavioral_categories": [], "independent_variables": {}, "coding_map": {}, "behaviors_coding_map": [],
        "converters": {},
    }  # fmt: skip


def _behavior(at: int, code: str) -> dict[str, Any]:
    point = code.startswith(APEX)
    return {
        "type": "Point event" if point else "State event", "key": KEYS[at] if at < len(KEYS) else "", "code": code,
        "description": "", "color": "", "category": "", "modifiers": {}, "excluded": "", "coding map": "",
    }  # fmt: skip


def _observation(recording: Recording, rows: Sequence[Row], date: str) -> dict[str, Any]:
    source = recording.source
    files = {player: [source] if source and player == "1" else [] for player in PLAYERS}
    return {
        "file": files if source else [], "type": "MEDIA" if source else "LIVE", "date": date,
        "description": as_json(header(recording)), "time offset": 0.0, "independent_variables": {},
        "observation time interval": [0, 0], "visualize_spectrogram": False, "visualize_waveform": False,
        "close_behaviors_between_videos": False, "scan_sampling_time": 0, "plot_data": {},
        "media_info": {
            "length": {source: recording.duration}, "fps": {source: recording.fps}, "hasVideo": {source: True},
            "hasAudio": {source: False}, "offset": dict.fromkeys(PLAYERS, 0.0),
        } if source else {"offset": {}},
        "events": [
            [tick / TICKS, subject, code, "", comment, *([_frame(tick, recording.fps)] if source else [])]
            for tick, _, subject, code, _, comment in rows
        ],
    }  # fmt: skip


def _frame(tick: int, fps: float) -> int | str:
    return round(tick / TICKS * fps) if fps else "NA"


def _table(recording: Recording, rows: Sequence[Row], delimiter: str) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(TABLE)
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    first = (Path(recording.source).stem, date, as_json(header(recording)), "Media file(s)", recording.source)
    about = (number(recording.duration, 6), number(recording.fps, 6))
    for tick, _, subject, code, status, comment in rows:
        writer.writerow(
            [*first, *about, subject or "No focal subject", code, "", status, f"{tick / TICKS:.3f}",
             _frame(tick, recording.fps), comment]
        )  # fmt: skip
    return text.getvalue()


def read(path: Path, fps: float | None = None) -> Recording:
    """A project with one observation, or a table of tabular or aggregated events, of ours or of a coder.

    Behaviours are understood as tiers are (:func:`dfrnet.exchange.tier_reading.recording_of`); modifiers stand for a
    missing comment. UserError for a state that is not stopped and for a project with several observations.
    """
    text = read_text(path)
    if text.lstrip().startswith("{"):
        return _read_project(path, text, fps)
    return _read_table(path, fps)


def _read_project(path: Path, text: str, fps: float | None) -> Recording:
    try:
        project = json.loads(text)
        observations, ethogram = project["observations"], project["behaviors_conf"]
        if not isinstance(observations, Mapping) or not isinstance(ethogram, Mapping):
            raise TypeError("observations and behaviors_conf must be objects")
        points = {str(one["code"]) for one in ethogram.values() if "point" in str(one["type"]).lower()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: not a BORIS project, or damaged ({error}); restore the file") from None
    if len(observations) > 1:
        raise UserError(
            f"{path}: holds {len(observations)} observations ({', '.join(map(str, observations))[:200]}); export the "
            "one that is meant as tabular events"
        )
    if not observations:
        return recording_of([], path, {})
    name, observation = next(iter(observations.items()))
    where = f"observation {name}"
    with naming(path, where, "restore the file"):
        listed = observation["events"]
        known = _known(str(observation.get("description", "")))
        if not isinstance(listed, list):
            raise ValueError("its events are no list")
        rows = []
        for at, one in enumerate(listed, start=1):
            with naming(path, f"{where}, event {at}", "mend it in BORIS"):
                rows.append(_entry(one, f"{where}, event {at}"))
        files = observation.get("file") or {}
        first = files.get("1") if isinstance(files, Mapping) else None
        source = str(first[0]) if isinstance(first, list) and first else ""
        media = observation.get("media_info")
        if "dfrnet" not in known and source and isinstance(media, Mapping):
            for ours, theirs in (("duration", "length"), ("fps", "fps")):
                if source in (media.get(theirs) or {}):
                    known[ours] = number_of(media[theirs][source], theirs)
    if fps and not known.get("fps"):
        known["fps"] = fps
    return _recording(path, rows, points, known, source)


Entry = tuple[float, str, str, str, str]
"""Seconds, subject, behaviour, text, place in the file."""


def _entry(one: object, where: str) -> Entry:
    if not isinstance(one, list) or len(one) < 3:
        raise ValueError(f"{str(one)[:60]!r} is no event (time, subject, behaviour)")
    modifier = str(one[3]) if len(one) > 3 and str(one[3]) != "None" else ""
    comment = str(one[4]) if len(one) > 4 else ""
    return seconds(one[0]), str(one[1]), str(one[2]), comment or modifier.replace("|", "+"), where


def _known(description: str) -> dict[str, Any]:
    """The header, where the description is one of ours."""
    try:
        found = json.loads(description)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and "dfrnet" in found else {}


def _recording(
    path: Path,
    rows: Iterable[Entry],
    points: set[str],
    known: dict[str, Any],
    source: str,
    spans: Sequence[tuple[Entry, float]] = (),
) -> Recording:
    """Events in order of time -> tiers by behaviour and subject; ``spans`` are paired already."""
    marks: dict[tuple[str, str], list[Mark]] = {}
    for (start, subject, code, text, where), end in spans:
        marks.setdefault((code, subject), []).append(Mark(start, end, text, where))
    waiting: dict[tuple[str, str, str], Entry] = {}
    for row in sorted(rows, key=lambda row: row[0]):
        time, subject, code, text, where = row
        if code in points:
            marks.setdefault((code, subject), []).append(Mark(time, time, text, where))
            continue
        started = waiting.pop((code, subject, ""), None)
        if started is None:
            waiting[(code, subject, "")] = row
        else:
            marks.setdefault((code, subject), []).append(Mark(started[0], time, started[3] or text, started[4]))
    if waiting:
        row = next(iter(waiting.values()))
        raise UserError(f"{path}, {row[4]}: {row[2]} of {row[1] or 'no subject'} starts and never stops; complete it")
    tracks = _tracks(marks)
    named = [
        Tier(re.sub(f"^{BLOCKED}", QUALITY, code), tuple(of), tracks.get(subject))
        for (code, subject), of in marks.items()
    ]
    others = {f"face {track}": name for name, track in tracks.items() if name != f"face {track}"}
    if others:
        known["record"] = {**known.get("record", {}), "subjects": others}
    known.pop("face", None)  # subjects say it
    return recording_of(named, path, known, source, apart=False)  # a start's comment says all of it


def _tracks(marks: Mapping[tuple[str, str], object]) -> dict[str, int]:
    """Subject -> number of the face: as named by us, others from the first free number on."""
    names = sorted({subject for _, subject in marks if subject.strip().lower() not in NOBODY})
    found = {name: int(name[5:]) for name in names if name.startswith("face ") and name[5:].isdigit()}
    free = max([0, *found.values()]) + 1
    return found | {name: free + at for at, name in enumerate(n for n in names if n not in found)}


def _read_table(path: Path, fps: float | None) -> Recording:
    table = table_of(path)
    at = next((i for i, (_, cells) in enumerate(table) if "Behavior" in cells), None)
    if at is None:
        raise UserError(f"{path}: no column Behavior; export the events of BORIS as tabular or aggregated events")
    head = table[at][1]
    columns = {name: head.index(name) for name in head}
    status = next((columns[name] for name in ("Behavior type", "Status") if name in columns), None)
    start = columns.get("Start (s)", columns.get("Time"))
    if start is None or status is None:
        raise UserError(f"{path}: no column Time or Start (s), or none with START and STOP; export it again")
    rows: list[Entry] = []
    spans: list[tuple[Entry, float]] = []
    points: set[str] = set()
    known: dict[str, Any] = {"fps": fps} if fps else {}
    source = ""
    for number_, row in table[at + 1 :]:
        where = f"row {number_}"
        with naming(path, where):
            if len(row) != len(head):
                raise ValueError(f"{len(row)} cells where the header has {len(head)}")
            cells = dict(zip(head, row, strict=True))
            modifiers = [cells[n] for n in head if n.startswith("Modifier") and cells[n] not in {"", "None"}]
            text = cells.get("Comment") or cells.get("Comment start") or "+".join(modifiers)
            entry = (seconds(row[start]), _focal(cells.get("Subject", "")), cells["Behavior"], text, where)
            if "Stop (s)" in columns and row[status].upper() != "POINT":
                spans.append((entry, seconds(cells["Stop (s)"])))
                if spans[-1][1] < entry[0]:
                    raise ValueError("it stops before it starts")
            else:
                rows.append(entry)
            points |= {entry[2]} if row[status].upper() == "POINT" else set()
            known = known if "dfrnet" in known else {**known, **_known(cells.get("Description", ""))}
            source = source or cells.get("Source") or cells.get("Media file path") or cells.get("Media file") or ""
    return _recording(path, rows, points, known, source, spans)


def _focal(subject: str) -> str:
    return "" if subject.strip().lower() in NOBODY else subject
