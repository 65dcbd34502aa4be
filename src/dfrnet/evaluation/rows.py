"""Rows of text: read from anybody's CSV, and set in columns for a terminal."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Sequence
from pathlib import Path

from dfrnet.types import UserError

Row = tuple[int, dict[str, str]]
"""The row's number as a spreadsheet counts, the header being 1, and its stripped fields by column."""


def read_rows(path: Path, required: Sequence[str], each: str) -> tuple[list[str], list[Row]]:
    """The columns of a CSV file, and every row that is not blank; a file with only a header has none.

    Commas, semicolons and tabs are told apart by the header. ``each`` says in messages what a row is about, such as
    "clip". UserError names file and row: what cannot be read, a required column that is not there, one that is there
    twice, a row with other fields than the header.
    """
    text = _text(path)
    header = text.lstrip().partition("\n")[0]
    if not header.strip():
        wanted = ", ".join(required[:-1]) + " and " * (len(required) > 1) + required[-1]
        raise UserError(f"{path}: empty; it needs a header with the columns {wanted}, and a row a {each}")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    names: list[str] = []
    rows = []
    try:
        for fields in reader:
            cells = [field.strip() for field in fields]
            if not any(cells):
                continue
            if not names:
                names = cells
                _check_columns(path, names, required)
            elif len(cells) < len(names) or any(cells[len(names) :]):
                raise UserError(
                    f"{path}, row {reader.line_num}: {len(cells)} fields under {len(names)} columns; "
                    "quote a field that holds the separator"
                )
            else:
                rows.append((reader.line_num, dict(zip(names, cells, strict=False))))
    except csv.Error as error:
        raise UserError(f"{path}, row {reader.line_num}: {error}; save it as plain CSV") from None
    return names, rows


def alike(column: str, names: Sequence[str]) -> str | None:
    """The name that was probably meant by ``column``, None where there is none; upper and lower case do not count."""
    lowered = {name.lower(): name for name in names}
    close = difflib.get_close_matches(column.lower(), lowered, n=1)
    return lowered[close[0]] if close else None


def in_columns(titles: Sequence[str], lines: Sequence[Sequence[str]], words: int = 1) -> str:
    """Lines under their titles; the first ``words`` columns are flush left, the others hold numbers and are right."""
    widths = [max(map(len, column)) for column in zip(titles, *lines, strict=True)]
    return "".join(
        "  ".join(
            cell.ljust(width) if at < words else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        + "\n"
        for line in [titles, *lines]
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of a CSV file") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; save it as CSV in UTF-8") from None


def _check_columns(path: Path, names: Sequence[str], required: Sequence[str]) -> None:
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: two columns are called {twice!r}; rename one")
    for column in required:
        if column not in names:
            close = alike(column, names)
            hint = f"is it {close!r}? Rename it" if close else "rename yours"
            raise UserError(f"{path}: no column {column!r} among {', '.join(map(repr, names))}; {hint}")
