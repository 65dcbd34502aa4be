"""events.csv, a row for each event, and sheets of coders with other columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from dfrnet.exchange.files import naming, read_text, save
from dfrnet.exchange.recording import with_header
from dfrnet.exchange.rows import TIMES, Column, cells_of, chance_columns, classes_of, columns_of, event_of, time_of
from dfrnet.exchange.wording import number
from dfrnet.types import Recording, UserError

HEADER_WITHIN = 40
"""Rows in which the header must come; titles may stand above it."""

BEFORE = ("start_s", "apex_s", "end_s", "duration_ms", "kind", "label")
AFTER = ("score", "regions", "action_units", "quality", "track", "note")
"""The columns, with one ``p_CLASS`` for each class between."""


def write(recording: Recording, path: Path) -> None:
    """Seconds to the microsecond; probabilities and scores with four decimals."""
    classes = classes_of(recording.events)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*BEFORE, *(f"p_{name}" for name in classes), *AFTER])
    for event in recording.events:
        cells = cells_of(event)
        times = [number(value, 6) for value in (event.start, event.apex, event.end)]
        duration = number((event.end - event.start) * 1000, 3)
        chances = [f"{event.probabilities[name]:.4f}" if name in event.probabilities else "" for name in classes]
        writer.writerow([*times, duration, cells["kind"], cells["label"], *chances, *(cells[name] for name in AFTER)])
    save(path, text.getvalue())


def read(path: Path, fps: float | None = None) -> Recording:
    """Events of our own or of a coder's sheet; ``fps`` for columns of frame numbers (frame / fps seconds).

    A row with one cell (a title, a sum) of a coder's sheet is passed over. UserError for times whose unit nobody names
    and for a row without a start, or without an end where the sheet has such a column.
    """
    table = table_of(path)
    if not table:
        raise UserError(f"{path}: empty; a sheet begins with the names of its columns")
    at = next((i for i, (_, line) in enumerate(table[:HEADER_WITHIN]) if "start" in columns_of(line)), None)
    if at is None:
        raise UserError(
            f"{path}: no column start_s or onset; it has {', '.join(filter(None, table[0][1]))[:200]}: name them "
            "as docs/exchange.md says"
        )
    (_, head), rows = table[at], table[at + 1 :]
    columns, chances = columns_of(head), chance_columns(head)
    units = _units(path, columns, rows, fps)
    ours = tuple(head[: len(BEFORE)]) == BEFORE
    if ours or not rows:
        whole(path, read_text(path), table[-1][0])
    events = []
    for line, row in rows:
        first = row[columns["start"].at].strip() if columns["start"].at < len(row) else ""
        if not ours and sum(bool(cell.strip()) for cell in row) < 2 and not first[:1].isdigit():
            continue
        with naming(path, f"row {line}"):
            if ours and len(row) != len(head):
                raise ValueError(f"{len(row)} cells where the header has {len(head)}")
            cells = {name: row[c.at] if c.at < len(row) else "" for name, c in columns.items()}
            times = {name: time_of(cells[name], units[name], fps) for name in TIMES if name in columns}
            said = {name: row[at] if at < len(row) else "" for name, at in chances.items()}
            events.append(event_of(cells, times, said))
    return with_header({"fps": fps or 0.0}, tuple(events), (), path.stem)


def whole(path: Path, text: str, line: int) -> None:
    """UserError for a table of ours whose last row has no end."""
    if not text.endswith("\n"):
        raise UserError(f"{path}, row {line}: the file is cut off; restore it, or end the row with a line break")


def table_of(path: Path) -> list[tuple[int, list[str]]]:
    """(line in the file, cells) of every row that holds something; the delimiter is seen in the header."""
    text = read_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path, text), strict=True)
    rows = []
    before = 0
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((before + 1, row))
            before = reader.line_num
    except csv.Error as error:
        raise UserError(f"{path}, row {before + 1}: not a table ({error}); restore the file") from None
    return rows


def _delimiter(path: Path, text: str) -> str:
    """That of the header; where none is found the most frequent sign of the first lines, quoted texts apart."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    bare = re.sub(r'"[^"]*"', '""', text[:8000])
    for line in bare.splitlines()[:HEADER_WITHIN]:
        for sign in "\t;,":
            if sign in line and "start" in columns_of(line.split(sign)):
                return sign
    return max(",;\t", key=bare.count)


def _units(
    path: Path, columns: dict[str, Column], rows: Sequence[tuple[int, list[str]]], fps: float | None
) -> dict[str, str]:
    """The unit of each column of times; of one without, what its numbers show."""
    unnamed = [c for name, c in columns.items() if name in TIMES and not c.unit]
    cells = [row[c.at].strip() for c in unnamed for _, row in rows if c.at < len(row)]
    if any(any(sign in cell for sign in ".:,") for cell in cells) or not any(cell.isdigit() for cell in cells):
        guess = "s"
    elif fps:
        guess = "frame"
    else:
        names = ", ".join(c.name for c in unnamed)
        raise UserError(
            f"{path}: {names} are whole numbers without a unit; name the columns onset_s, onset_ms or onset_frame, "
            "or give --fps where they are frame numbers"
        )
    return {name: columns[name].unit or guess for name in TIMES if name in columns}
