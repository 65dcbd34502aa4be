r"""Datavyu: projects (.opf, a zip with ``project`` and ``db``) and the text of ``db`` alone (.csv).

That text has ``#4``, a line for each column, ``name (MATRIX,true,)-code|NOMINAL,code|NOMINAL``, and below it its cells,
``00:00:01:200,00:00:01:480,(value,value)``. A backslash makes the next character, also the end of a line, part of the
value. Cells of a column may overlap, so each event is one cell of ME_candidate.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfrnet.evaluation.records import write_bytes
from dfrnet.exchange.files import LARGEST, decoded, naming, read_bytes, save
from dfrnet.exchange.recording import as_json, header, with_header
from dfrnet.exchange.rows import cells_of, columns_of, event_of, time_of
from dfrnet.exchange.tiers import APEX, AU, CANDIDATE, QUALITY, ROLES
from dfrnet.exchange.wording import chances_of, chances_text, kind_of, units_of
from dfrnet.types import Event, Interval, Recording, UserError

EVENTS, BLOCKED, RECORDING = CANDIDATE, "not_assessable", "recording"
CODES = ("apex_ms", "kind", "label", "score", "probabilities", "regions", "action_units", "quality", "track", "note")


def write(recording: Recording, path: Path) -> None:
    """Three columns: ME_candidate, not_assessable and recording (one cell that says what the file is about)."""
    lines = ["#4"]
    lines += _column(EVENTS, CODES, [(e.start, e.end, _values(e)) for e in recording.events])
    blocked = [
        (one.start, one.end, [one.reason, "" if one.track is None else str(one.track)]) for one in recording.intervals
    ]
    lines += _column(BLOCKED, ("reason", "track"), blocked)
    lines += _column(RECORDING, ("header",), [(0.0, recording.duration, [as_json(header(recording))])])
    text = "\n".join(lines) + "\n"
    if path.suffix.lower() == ".csv":
        save(path, text)
        return
    # Quoted as in JSON, which is YAML too; the viewers, that is the video, are opened by hand.
    name = json.dumps(path.stem)
    project = f"!project\ndbFile: {name}\nname: {name}\nversion: 5\nviewerSettings: []\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("project", project)
        file.writestr("db", text.encode("utf-8", errors="replace"))
    write_bytes(path, packed.getvalue())


def _values(event: Event) -> list[str]:
    cells = cells_of(event) | {
        "apex_ms": str(round(event.apex * 1000)),
        "probabilities": chances_text(event.probabilities),
    }
    return [cells[code] for code in CODES]


def _column(name: str, codes: Sequence[str], cells: Sequence[tuple[float, float, list[str]]]) -> list[str]:
    head = f"{name} (MATRIX,true,)-" + ",".join(f"{code}|NOMINAL" for code in codes)
    return [head, *(f"{_clock(s)},{_clock(e)},({','.join(map(_escaped, values))})" for s, e, values in cells)]


def _clock(time: float) -> str:
    ms = round(time * 1000)
    return f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d}:{ms % 1000:03d}"


def _escaped(value: str) -> str:
    whole = re.sub(r"\r\n?", "\n", re.sub("[\0\1]", "", value))
    return re.sub(r"([\\(),|\n-])", r"\\\1", whole)


@dataclass(frozen=True)
class _Cell:
    start: float
    end: float
    values: Mapping[str, str]
    where: str


def read(path: Path, fps: float | None = None) -> Recording:
    """A project or its text, of ours or of a coder.

    A column is about movements where its name says so (as tiers in tiers.py), is an action unit, or where a code of it
    is called au, kind or emotion; ``quality`` and ``not_assessable`` hold intervals; others are named in
    ``record["not_read"]``.
    """
    columns = _columns(path, _text(path))
    events: list[Event] = []
    intervals: list[Interval] = []
    known: dict[str, Any] = {"fps": fps} if fps else {}
    unread = []
    for name, cells in columns.items():
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        role = ROLES.get(plain, ROLES.get(plain.removesuffix("s"), ""))
        if name == RECORDING and cells and "header" in cells[0].values:
            with naming(path, cells[0].where, "remove the column"):
                known = _object(cells[0].values["header"])
        elif role == QUALITY or name == BLOCKED:
            for cell in cells:
                with naming(path, cell.where, "mend the cell"):
                    intervals.append(_interval(cell))
        elif _about_movements(name, role, cells):
            for cell in cells:
                with naming(path, cell.where, "mend the cell"):
                    events.append(_event(name, role, cell))
        elif cells:
            unread.append(f"column {name}, {len(cells)} cells")
    if unread and not events and not intervals:
        raise UserError(f"{path}: none of it ({'; '.join(unread)}) is about movements; name a column {EVENTS} or AU")
    if unread:
        known["record"] = {**known.get("record", {}), "not_read": unread}
    events.sort(key=lambda e: (e.start, e.end))
    with naming(path, remedy="restore the file"):
        return with_header(known, tuple(events), tuple(sorted(intervals, key=lambda i: (i.start, i.end))), path.stem)


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found


def _text(path: Path) -> str:
    data = read_bytes(path)
    if not data.startswith(b"PK"):
        return decoded(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if file.getinfo("db").file_size > LARGEST:
                raise UserError(f"{path}: its db is too large for annotations; is it a Datavyu project?")
            return file.read("db").decode("utf-8-sig", errors="replace")
    except (zipfile.BadZipFile, KeyError, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise UserError(f"{path}: not a Datavyu project, or cut off ({error}); restore the file") from None
    except Exception as error:
        if type(error).__module__ == "zlib":
            raise UserError(f"{path}: damaged ({error}); restore the file") from None
        raise


HEAD = re.compile(
    r"(?P<name>.+?)\s*\((?:MATRIX|NOMINAL|TEXT|PREDICATE|INTEGER|FLOAT),?(?:\w*)[^)]*\)(?:-(?P<codes>.*))?"
)
CELL = re.compile(r"(\d+:\d\d:\d\d:\d{3}),(\d+:\d\d:\d\d:\d{3}),(.*)", re.DOTALL)


def _columns(path: Path, text: str) -> dict[str, list[_Cell]]:
    lines = text.replace("\r\n", "\n").split("\n")
    found: dict[str, list[_Cell]] = {}
    codes: list[str] = []
    name = ""
    at = 0
    while at < len(lines):
        where, whole = f"row {at + 1}", lines[at]
        # An odd number of backslashes at its end takes the next line in.
        while (len(whole) - len(whole.rstrip("\\"))) % 2 and at + 1 < len(lines):
            at += 1
            whole += "\n" + lines[at]
        at += 1
        if not whole.strip() or re.fullmatch(r"#\d", whole):
            continue
        cell = CELL.fullmatch(whole)
        with naming(path, where, "restore the file"):
            if cell is not None and name:
                found[name].append(_cell(cell, codes, where))
            elif head := HEAD.fullmatch(whole):
                name = _unescaped(head["name"])
                codes = [_unescaped(part.partition("|")[0]) for part in (head["codes"] or "value").split(",")]
                found.setdefault(name, [])
            else:
                raise ValueError(f"{whole[:60]!r} is no column and no cell of Datavyu")
    if not found and not text.startswith("#"):
        raise UserError(f"{path}: no column of Datavyu in it; name its format with --from")
    return found


def _cell(match: re.Match[str], codes: Sequence[str], where: str) -> _Cell:
    start, end = (time_of(text, "s", None) or 0.0 for text in (match[1], match[2]))
    rest = match[3]
    if rest.startswith("(") and not rest.endswith(")"):
        raise ValueError("its values have no closing bracket")
    body = rest[1:-1] if rest.startswith("(") else rest
    parts = _split(body) if rest.startswith("(") else [_unescaped(body)]
    if len(parts) != len(codes):
        raise ValueError(f"{len(parts)} values where the column has {len(codes)} codes")
    if end and end < start:
        raise ValueError("its offset is before its onset")
    return _Cell(start, max(start, end), dict(zip(codes, parts, strict=True)), where)


def _split(body: str) -> list[str]:
    r"""Values between commas; ``\,`` is part of one."""
    return [_unescaped(part) for part in re.findall(r"((?:\\.|[^\\,])*)(?:,|$)", body + ",", re.DOTALL)[:-1]]


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _about_movements(name: str, role: str, cells: Sequence[_Cell]) -> bool:
    codes = set(columns_of(list(cells[0].values))) if cells else set()
    return (
        (bool(role) and role != APEX)
        or len(units_of(name) or ()) == 1
        or bool(codes & {"action_units", "kind", "label"})
    )


def _interval(cell: _Cell) -> Interval:
    values = list(cell.values.values())
    track = cell.values.get("track", "")
    reason = cell.values.get("reason", values[0] if values else "")
    return Interval(cell.start, cell.end, reason, int(track) if track.strip().isdigit() else None)


def _event(name: str, role: str, cell: _Cell) -> Event:
    heads = list(cell.values)
    values = list(cell.values.values())
    columns = columns_of(heads)
    cells = {ours: values[column.at] for ours, column in columns.items()}
    apex = time_of(cells["apex"], columns["apex"].unit or "ms", None) if "apex" in columns else None
    own = units_of(name) or ()
    if "action_units" not in cells and values and not set(columns) - {"apex"}:
        text = values[0].strip()
        if len(own) == 1 and name.lower() not in {"au", "aus"}:
            cells |= {"action_units": own[0], "strength": text, "note": "" if len(text) < 2 else text}
        elif role == AU or units_of(text):
            cells["action_units"] = text
        else:
            cells["note"] = text
    cells.setdefault("kind", kind_of(cells.get("note", "") or name, cell.end - cell.start))
    chances = chances_of(cell.values["probabilities"]) if cell.values.get("probabilities") else {}
    times = {"start": cell.start, "apex": apex, "end": cell.end}
    return event_of(cells, times, {key: str(value) for key, value in chances.items()})
