"""The sheets of an archive -> annotations, and what is wrong with them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dfrnet.datasets.archive import Annotation, Archive
from dfrnet.datasets.findings import UNUSABLE, Finding
from dfrnet.datasets.sheets import SHEET_SUFFIXES, OtherSheetError, Row, Table, frame_number, read_table
from dfrnet.datasets.tree import Tree
from dfrnet.types import UserError

UNKNOWN = frozenset({"", "/", "?", "-", "-1", "nan", "none"})
"""What sheets write where there is no frame number."""


@dataclass(frozen=True)
class Sheet:
    """What one spreadsheet says: annotations by clip, and what is amiss; a clip may be in ``rows`` and unusable."""

    path: Path
    rows: dict[str, Annotation]
    findings: tuple[Finding, ...]

    @property
    def unusable(self) -> set[str]:
        """Clips whose row cannot be used."""
        return {finding.clip for finding in self.findings if finding.severity == UNUSABLE}


def read_sheets(archive: Archive, tree: Tree) -> tuple[list[Sheet], list[Finding]]:
    """The sheets that count, and findings about those that do not.

    They are looked for below the root, else beside it. The one with most rows counts, of equals the latest by name, and
    every other one that is about other clips: a set may come in parts. No sheet is returned only where the folders of
    the archive say enough without; else UserError, which shows what was wrong with the nearest one.
    """
    sheets: list[Sheet] = []
    bad: list[UserError] = []
    empty: list[UserError] = []  # somebody else's, such as that of the data set beside
    for paths in _candidates(archive, tree):
        for path in paths:
            try:
                sheet = _annotations(archive, read_table(path, archive.columns, archive.optional))
            except OtherSheetError:
                continue
            except UserError as error:
                bad.append(error)
                continue
            if sheet.rows:
                sheets.append(sheet)
            else:
                empty.append(UserError(f"{path}: no row of it is an annotation of {archive.title}; restore the sheet"))
        if sheets:
            break
    if not sheets and (bad or empty):
        raise [*bad, *empty][0]
    if not sheets and (archive.from_folder is None or not tree.folders):
        wanted = ", ".join(names[0] for names in archive.columns.values())
        raise UserError(
            f"{tree.root}: no annotation sheet of {archive.title} (.xlsx, .xls or .csv with columns {wanted}) in it or "
            "beside it; put the sheet that came with the archive there"
        )
    findings = [Finding("bad_sheet", "", f"not read: {error}") for error in bad]
    used: list[Sheet] = []
    for sheet in sorted(sheets, key=lambda one: (len(one.rows), one.path.name.lower()), reverse=True):
        if any(set(sheet.rows) & set(other.rows) for other in used):
            extra = set(sheet.rows) - {clip for other in used for clip in other.rows}
            lost = f", {len(extra)} of them of no clip of the other" if extra else ""
            sentence = f"{sheet.path} ({len(sheet.rows)} rows{lost}) is not used beside {used[0].path}"
            findings.append(Finding("unused_sheet", "", f"{sentence}; move away the one that is not meant"))
            continue
        if used:
            findings.append(Finding("two_sheets", "", f"{sheet.path} is read too: its clips are others"))
        used.append(sheet)
    return used, findings


def _candidates(archive: Archive, tree: Tree) -> Iterator[list[Path]]:
    """The spreadsheets below the root, then those beside it, then those beside what it links to."""
    yield _meant(archive, tree.sheets)
    for folder in dict.fromkeys((tree.root.absolute().parent, tree.root.resolve().parent)):
        with suppress(OSError):  # nobody said that the folder above may be read
            yield _meant(archive, sorted(folder.iterdir()))


def _meant(archive: Archive, paths: Iterable[Path]) -> list[Path]:
    sheets = (path for path in paths if path.suffix.lower() in SHEET_SUFFIXES)
    return [p for p in sheets if not p.name.startswith((".", "~$")) and not re.search(archive.other_sheets, p.name)]


def _annotations(archive: Archive, table: Table) -> Sheet:
    """The annotations of one table."""
    rows: dict[str, Annotation] = {}
    findings = [
        Finding("no_column", "", f"{table.path}: no column {archive.columns[name][0]}; it is taken as not annotated")
        for name in sorted({"apex", "action_units"} & set(table.missing))
    ]
    for row in table.rows:
        where = table.where(row)
        identity = archive.identity(row)
        if identity is None:
            findings.append(Finding("stray_row", "", f"{where}: no annotation ({_shown(row)}); passed over"))
            continue
        subject = f"{archive.name}/{identity.subject}"
        clip = f"{subject}/{identity.clip}"
        if clip in rows:
            sentence = f"{where}: clip {clip} stands in {rows[clip].where} already; that row is used, remove one"
            findings.append(Finding("twice", clip, sentence))
            continue
        numbers, found = _numbers(row, clip, where)
        fps, fps_found = _fps(row, archive.fps, clip, where)
        findings += found + fps_found
        emotion = row.text("emotion").lower()
        if not emotion:
            findings.append(Finding("no_emotion", clip, f"{where}: no emotion for clip {clip}; complete the row"))
        rows[clip] = Annotation(
            id=clip, subject=subject, key=identity.key, where=where,
            emotion=archive.emotions.get(emotion, emotion), fps=fps,
            action_units=action_units(row.text("action_units")), **numbers,
        )  # fmt: skip
    return Sheet(table.path, rows, tuple(findings))


def _shown(row: Row) -> str:
    return " ".join(str(cell).strip() for cell in row.cells.values() if str(cell).strip())[:60]


def _fps(row: Row, usual: float, clip: str, where: str) -> tuple[float, list[Finding]]:
    """The row's own frame rate where the sheet has such a column, else the data set's."""
    if "fps" not in row.cells:
        return usual, []
    text = row.text("fps")
    try:
        if 0 < float(text) < math.inf:
            return float(text), []
    except ValueError:
        pass
    sentence = f"{where}: {text!r} of clip {clip} is no frame rate; {usual:g} frames a second are taken"
    return usual, [Finding("bad_fps", clip, sentence)]


def _numbers(row: Row, clip: str, where: str) -> tuple[dict[str, int | None], list[Finding]]:
    """Onset, apex and offset of a row; what is no number is named, and what stands for "unknown" is None."""
    numbers: dict[str, int | None] = {}
    findings = []
    for name in ("onset", "apex", "offset"):
        text = row.text(name)
        numbers[name] = None
        if text.lower() in UNKNOWN:
            if name == "apex" and name in row.cells:
                findings.append(Finding("no_apex", clip, f"{where}: no apex is annotated for clip {clip}"))
            continue
        try:
            numbers[name] = frame_number(row.cells[name])
        except ValueError:
            if name == "apex":
                sentence = f"{where}: apex {text!r} of clip {clip} is no frame number; it is taken as not annotated"
                findings.append(Finding("bad_apex", clip, sentence))
            else:
                sentence = f"{where}: {name} {text!r} of clip {clip} is no frame number; mend the cell"
                findings.append(Finding("bad_number", clip, sentence))
    return numbers, findings


def action_units(text: str) -> tuple[str, ...]:
    """The parts of a cell such as "4+7+L10" or "R6A+R12", spelled as in the sheet; () for "?" and nothing."""
    return tuple(part.strip() for part in text.split("+") if part.strip() and part.strip() != "?")


def all_rows(sheets: Sequence[Sheet]) -> list[Annotation]:
    """The annotations of all sheets that count."""
    return [row for sheet in sheets for row in sheet.rows.values()]
