"""Annotation sheets (.xlsx, .xls, .csv) -> rows with named cells. A sheet is known by its columns, not by its name."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfrnet.types import UserError

SHEET_SUFFIXES = frozenset({".xlsx", ".xls", ".csv"})
HEADER_WITHIN = 40
"""Rows in which the header must come: SAMM's sheet has 13 rows of text before it."""

Cell = str | int | float


class OtherSheetError(UserError):
    """A file that is about something else: none of its sheets has columns like those that were asked for."""


Columns = Mapping[str, tuple[str, ...]]
"""Our name of a column -> its spellings in use; case, blanks and punctuation do not count."""


@dataclass(frozen=True)
class Row:
    """One row: ``number`` as a spreadsheet shows it; ``cells`` by our names of the columns, "" where empty."""

    number: int
    cells: Mapping[str, Cell]

    def text(self, name: str) -> str:
        """A cell as text without blanks around it; a whole number without ".0"."""
        return as_text(self.cells.get(name, ""))


@dataclass(frozen=True)
class Table:
    """The rows below the header of one sheet of a file; ``missing`` names the optional columns that it lacks."""

    path: Path
    sheet: str
    rows: tuple[Row, ...]
    missing: tuple[str, ...] = ()

    def where(self, row: Row) -> str:
        """``FILE, row 12``, for messages."""
        return f"{self.path.name}, row {row.number}"


def as_text(cell: Cell) -> str:
    """``12.0`` -> "12", as a number and as the text that other programs write of it; blanks around text removed."""
    text = str(cell).strip()
    return text.partition(".")[0] if re.fullmatch(r"-?\d+\.0+", text) else text


def frame_number(cell: Cell) -> int:
    """A cell as a frame number; ValueError for text and fractions.

    Text of digits counts as the number: CAS(ME)^3 keeps all its cells as text.
    """
    text = as_text(cell)
    if not re.fullmatch(r"-?\d+", text):
        raise ValueError(text)
    return int(text)


def spelling(name: Cell) -> str:
    """``"Onset Frame "`` and ``"OnsetFrame"`` are one column."""
    return re.sub(r"[^a-z0-9]", "", as_text(name).lower())


def read_table(path: Path, columns: Columns, optional: Iterable[str] = ()) -> Table:
    """The sheet of the file whose header names all columns but the optional ones, with the fewest of those missing.

    UserError where there is none: it says which column the nearest sheet lacks, and what it has instead;
    OtherSheetError where the file is about something else.
    """
    optional = frozenset(optional)
    tables: list[Table] = []
    nearest: tuple[int, str, list[str], list[str]] | None = None
    for sheet, cells in sheets_of(path):
        for at, line in enumerate(cells[:HEADER_WITHIN]):
            found = _match(line, columns)
            lacking = [name for name in columns if name not in found and name not in optional]
            if not lacking:
                missing = tuple(name for name in columns if name not in found)
                tables.append(Table(path, sheet, tuple(_rows(cells, at, found)), missing))
                break
            if found and (nearest is None or len(found) > nearest[0]):
                nearest = len(found), sheet, lacking, [as_text(cell) for cell in line if as_text(cell)]
    if tables:
        return min(tables, key=lambda table: len(table.missing))
    if nearest is None or nearest[0] < 2:
        raise OtherSheetError(
            f"{path}: no sheet with columns such as {', '.join(names[0] for names in columns.values())}"
        )
    _, sheet, lacking, has = nearest
    wanted = ", ".join(" or ".join(columns[name]) for name in lacking)
    raise UserError(
        f"{path}, sheet {sheet}: no column {wanted}; it has {', '.join(has)}: rename it back or restore the file"
    )


def sheets_of(path: Path) -> list[tuple[str, list[list[Cell]]]]:
    """Every sheet of a file by name, as lines of cells, none left away; UserError for a file that is no such thing."""
    if path.suffix.lower() == ".csv":
        return [(path.stem, _csv(path))]
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(path)
        # Values are those that the spreadsheet program stored last, formulas included.
        return [(n, [[_plain(c) for c in line] for line in _lines(book, n)]) for n in book.sheet_names]
    except (CalamineError, OSError, ValueError) as error:
        raise UserError(f"{path}: not a spreadsheet that can be read ({error}); restore the file") from None


def _lines(book: object, name: str) -> Sequence[Sequence[object]]:
    lines: Sequence[Sequence[object]] = book.get_sheet_by_name(name).to_python(skip_empty_area=False)  # type: ignore[attr-defined]
    return lines


def _plain(cell: object) -> Cell:
    return cell if isinstance(cell, (str, int, float)) else "" if cell is None else str(cell)


def _csv(path: Path) -> list[list[Cell]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # sheets saved by old spreadsheet programs; their columns are plain ASCII
    head = text[:2000]
    delimiter = max(",;\t", key=head.count)
    try:
        return [list(line) for line in csv.reader(io.StringIO(text), delimiter=delimiter)]
    except csv.Error as error:
        raise OtherSheetError(f"{path}: not a table that can be read ({error})") from None


def _match(line: Sequence[Cell], columns: Columns) -> dict[str, int]:
    """Our names -> positions in the line, for those that it spells."""
    at: dict[str, int] = {}
    for position, cell in enumerate(line):
        at.setdefault(spelling(cell), position)
    found = {}
    for name, spellings in columns.items():
        for one in spellings:
            if spelling(one) in at:
                found[name] = at[spelling(one)]
                break
    return found


def _rows(cells: Sequence[Sequence[Cell]], header: int, columns: Mapping[str, int]) -> Iterator[Row]:
    for number, line in enumerate(cells[header + 1 :], start=header + 2):
        named = {name: line[at] if at < len(line) else "" for name, at in columns.items()}
        if any(as_text(cell) for cell in named.values()):
            yield Row(number, named)
