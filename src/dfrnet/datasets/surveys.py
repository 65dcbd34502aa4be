"""An archive on disk -> usable clips, and everything that is wrong, alike for all data sets.

:func:`survey` walks the tree, reads the sheet, applies the errata, joins rows to folders and turns frame numbers into
positions. A clip that cannot be used is a :class:`~dfrnet.datasets.findings.Finding`: it is never dropped in silence,
and never a reason to give up the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfrnet.datasets.archive import Annotation, Archive
from dfrnet.datasets.errata import Erratum, corrected
from dfrnet.datasets.findings import UNUSABLE, Finding
from dfrnet.datasets.sheets import SHEET_SUFFIXES, Row, Table, fits, frame_number, read_table
from dfrnet.datasets.tree import Folder, Tree, walk
from dfrnet.frames import ImageFolder, VideoFile
from dfrnet.types import Clip, Frames, UserError

UNKNOWN = frozenset({"", "/", "?", "-", "-1", "nan", "none"})
"""What sheets write where there is no frame number."""


@dataclass(frozen=True)
class Survey:
    """All that was found at ``root``: the usable clips (their label is the emotion as annotated), and what is amiss."""

    archive: Archive
    root: Path
    sheet: Path | None
    annotations: tuple[Annotation, ...]
    folders: int
    variant: str
    clips: tuple[Clip, ...]
    findings: tuple[Finding, ...]
    errata: tuple[Erratum, ...]

    @property
    def left_out(self) -> tuple[Finding, ...]:
        """Why clips cannot be used, one finding each."""
        return tuple(finding for finding in self.findings if finding.severity == UNUSABLE)


def survey(archive: Archive, root: Path, errata: bool = True) -> Survey:
    """Read the archive at ``root``; UserError only where no folder or no sheet can be read at all."""
    tree = walk(root)
    findings = list(tree.findings)
    folders, strangers = _by_key(archive, tree)
    if strangers:
        named = f"{len(strangers)} folders, the first {strangers[0].path}"
        findings.append(Finding("stray_files", "", f"pictures or videos that are no clip's in {named}; passed over"))
    tables = _find_tables(archive, tree)
    rows, row_findings = _annotations(archive, tables)
    findings += row_findings
    applied: tuple[Erratum, ...] = ()
    if errata:
        rows, applied = corrected(rows)
    wanted = {row.key for row in rows}
    variant = _choose_variant(archive, folders, wanted)
    clips: list[Clip] = []
    for key in [key for key in folders if key not in wanted]:
        made = archive.from_folder(_pick(archive, folders[key], variant)) if archive.from_folder else None
        if made is None:
            sentence = f"{folders[key][0].path}: frames without an annotation in the sheet; passed over"
            findings.append(Finding("unlabelled", "", sentence))
        else:
            rows.append(made)
            sentence = f"clip {made.id}: it has no row in the sheet; emotion, onset and offset are its folder's"
            findings += [Finding("no_row", made.id, sentence)] if tables else []
    broken = {finding.clip for finding in row_findings if finding.kind in {"bad_number", "no_emotion"}}
    for row in rows:
        if row.id in broken:
            continue
        clip, found = _clip(archive, row, folders.get(row.key, []), variant)
        findings += found
        clips += [clip] if clip else []
    sheet = tables[0].path if tables else None
    name = archive.variants[variant].name if variant < len(archive.variants) else "other"
    return Survey(archive, root, sheet, tuple(rows), len(folders), name, tuple(clips), tuple(findings), applied)


def _by_key(archive: Archive, tree: Tree) -> tuple[dict[str, list[Folder]], list[Folder]]:
    """The folders of each clip, and those that belong to none."""
    folders: dict[str, list[Folder]] = {}
    strangers = []
    for folder in tree.folders:
        key = archive.key(folder.parts)
        if key is None:
            strangers.append(folder)
        else:
            folders.setdefault(key, []).append(folder)
    return folders, strangers


def _find_tables(archive: Archive, tree: Tree) -> list[Table]:
    """The sheets below the root, else beside it, the latest first; none only where the folders say enough."""
    candidates = list(tree.sheets) or sorted(
        path
        for path in tree.root.resolve().parent.iterdir()
        if path.suffix.lower() in SHEET_SUFFIXES and not path.name.startswith((".", "~$"))
    )
    tables, nearly = [], []
    candidates = [path for path in candidates if not re.search(archive.other_sheets, path.name)]
    for path in candidates:
        try:
            tables.append(read_table(path, archive.columns, archive.optional))
        except UserError as error:
            nearly += [error] if fits(error) or len(candidates) == 1 else []
    if not tables:
        if nearly:
            raise nearly[0]
        if archive.from_folder is None or not tree.folders:
            wanted = ", ".join(names[0] for names in archive.columns.values())
            raise UserError(
                f"{tree.root}: no annotation sheet of {archive.title} (.xlsx, .xls or .csv with columns {wanted}) in "
                "it or beside it; put the sheet that came with the archive there"
            )
    return sorted(tables, key=lambda table: table.path.name, reverse=True)  # their names carry their dates


def _annotations(archive: Archive, tables: Sequence[Table]) -> tuple[list[Annotation], list[Finding]]:
    """The rows of the latest sheet, and of every other one that is about other clips: a set may come in parts."""
    rows: dict[str, Annotation] = {}
    findings: list[Finding] = []
    for table in tables:
        more, found = _rows(archive, table)
        if set(more) & set(rows):
            sentence = f"{table.path} is not used: {tables[0].path} is the later one; move away what is not meant"
            findings.append(Finding("two_sheets", "", sentence))
            continue
        if rows and more:
            findings.append(Finding("two_sheets", "", f"{table.path} is read too: its clips are others"))
        rows |= more
        findings += found
    return list(rows.values()), findings


def _rows(archive: Archive, table: Table) -> tuple[dict[str, Annotation], list[Finding]]:
    """The annotations of one sheet by clip, and what is wrong with its rows."""
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
        findings += found
        emotion = row.text("emotion").lower()
        if not emotion:
            findings.append(Finding("no_emotion", clip, f"{where}: no emotion for clip {clip}; complete the row"))
        rows[clip] = Annotation(
            id=clip, subject=subject, key=identity.key, where=where,
            emotion=archive.emotions.get(emotion, emotion), fps=_fps(row, archive.fps),
            action_units=action_units(row.text("action_units")), **numbers,
        )  # fmt: skip
    return rows, findings


def _shown(row: Row) -> str:
    return " ".join(str(cell).strip() for cell in row.cells.values() if str(cell).strip())[:60]


def _fps(row: Row, usual: float) -> float:
    try:
        return float(row.text("fps") or usual)
    except ValueError:
        return usual


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


def _variant_of(archive: Archive, folder: Folder) -> int:
    """Its place among the archive's variants; behind them all where no word fits.

    The names below the root decide, then the root's own: who points at Cropped/ has chosen already.
    """
    first = next(iter(folder.frames.values()), folder.path).name
    below = "/".join((*folder.parts[:-1], first)).lower()
    for words in (below, folder.path.parts[-len(folder.parts) - 1].lower(), ""):
        for place, variant in enumerate(archive.variants):
            if any(word in words and bool(word) == bool(words) for word in variant.words):
                return place
    return len(archive.variants)


def _choose_variant(archive: Archive, folders: Mapping[str, list[Folder]], wanted: Iterable[str]) -> int:
    """The first in order of preference that has at least half of the annotated clips: one set, one kind of frame."""
    keys = set(wanted) & set(folders) or set(folders)
    counts: Counter[int] = Counter()
    for key in keys:
        counts.update({_variant_of(archive, folder) for folder in folders[key]})
    large = [place for place in counts if 2 * counts[place] >= len(keys)]
    return min(large or counts, default=0)


def _pick(archive: Archive, folders: Sequence[Folder], variant: int) -> Folder:
    """The folder of the chosen variant, else the first in order of preference; of equals the one with most frames."""
    ranked = [(place := _variant_of(archive, one), place != variant, -len(one.frames), one.parts) for one in folders]
    return folders[min(range(len(folders)), key=lambda i: (ranked[i][1], ranked[i][0], *ranked[i][2:]))]


def _clip(
    archive: Archive, row: Annotation, folders: Sequence[Folder], variant: int
) -> tuple[Clip | None, list[Finding]]:
    """The clip of a row, if it can be used, and what was found on the way."""
    if not folders:
        return None, [Finding("no_folder", row.id, f"{row.where}: no folder of frames for clip {row.id}; restore it")]
    folder = _pick(archive, folders, variant)
    findings = _folder_findings(archive, row, folder, folders, variant)
    try:
        numbers, frames = _frames(folder, row.fps)
    except UserError as error:
        return None, [*findings, Finding("no_frames", row.id, f"clip {row.id}: {error}")]
    place = {number: position for position, number in enumerate(numbers)}
    ends = _ends(row, folder, numbers)
    if isinstance(ends, Finding):
        return None, [*findings, ends]
    onset, offset, found = ends
    apex, apex_found = _apex(row, onset, offset, place)
    known = (
        archive.variants[_variant_of(archive, folder)] if _variant_of(archive, folder) < len(archive.variants) else None
    )
    clip = Clip(
        id=row.id, dataset=archive.name, subject=row.subject, label=row.emotion, frames=frames,
        onset=place[onset], apex=None if apex is None else place[apex], offset=place[offset], fps=row.fps,
        emotion=row.emotion, action_units=row.action_units, cropped=known is not None and known.cropped,
    )  # fmt: skip
    return clip, [*findings, *found, *apex_found]


def _frames(folder: Folder, fps: float) -> tuple[Sequence[int], Frames]:
    """Frame numbers and frames; those of a video count from 1."""
    if folder.is_video:
        video = VideoFile(folder.path)
        return range(1, len(video) + 1), video
    return tuple(folder.frames), ImageFolder(tuple(folder.frames.values()), fps)


def _folder_findings(
    archive: Archive, row: Annotation, folder: Folder, folders: Sequence[Folder], variant: int
) -> list[Finding]:
    findings = []
    same = [one for one in folders if one is not folder and _variant_of(archive, one) == _variant_of(archive, folder)]
    if same:
        sentence = f"clip {row.id}: frames in {folder.path} and again in {same[0].path}; the first are used"
        findings.append(Finding("two_folders", row.id, sentence))
    if _variant_of(archive, folder) != variant:
        sentence = f"clip {row.id}: its frames come from {folder.path}, another tree than those of the other clips"
        findings.append(Finding("other_tree", row.id, sentence))
    if folder.doubles:
        sentence = f"clip {row.id}: {folder.doubles[0]} has the number of another frame; remove one of them"
        findings.append(Finding("duplicate_number", row.id, sentence))
    expected = archive.folder_emotion(folder.parts) if archive.folder_emotion else None
    if expected is not None and expected != row.emotion:
        sentence = f"{row.where}: clip {row.id} is {row.emotion} in the sheet and {expected} by its folder"
        findings.append(Finding("label_conflict", row.id, sentence))
    return findings


def _ends(row: Annotation, folder: Folder, numbers: Sequence[int]) -> tuple[int, int, list[Finding]] | Finding:
    """Onset and offset as frame numbers that are there, or the finding that makes the clip unusable."""
    have = set(numbers)
    if row.onset is None:
        return Finding("no_onset", row.id, f"{row.where}: clip {row.id} has no onset; complete the row")
    if row.onset not in have:
        lies = f"frames {numbers[0]} to {numbers[-1]}"
        sentence = f"{row.where}: onset frame {row.onset} of clip {row.id} is not in {folder.path} ({lies}); restore it"
        return Finding("no_onset", row.id, sentence)
    if row.offset is None:
        return _without_offset(row, have)
    if row.offset <= row.onset:
        sentence = f"{row.where}: offset {row.offset} of clip {row.id} does not come after its onset {row.onset}"
        return Finding("order", row.id, sentence + "; mend the row")
    inside = [number for number in numbers if row.onset <= number <= row.offset]
    if len(inside) < 2:
        sentence = f"{row.where}: clip {row.id} has no frame after its onset {row.onset} in {folder.path}; restore them"
        return Finding("no_frames", row.id, sentence)
    last, findings = inside[-1], []
    if last != row.offset:
        sentence = f"clip {row.id}: no offset frame {row.offset} in {folder.path}; it ends with frame {last}"
        findings.append(Finding("short", row.id, sentence))
    absent = last - row.onset + 1 - len(inside)
    if absent:
        sentence = f"clip {row.id}: {absent} of the frames {row.onset} to {last} are missing in {folder.path}"
        findings.append(Finding("gap", row.id, sentence))
    return row.onset, last, findings


def _without_offset(row: Annotation, have: set[int]) -> tuple[int, int, list[Finding]] | Finding:
    """A movement whose end was not marked lasts at least until its apex."""
    assert row.onset is not None
    if row.apex is None or row.apex <= row.onset or row.apex not in have:
        sentence = f"{row.where}: clip {row.id} has neither offset nor an apex to end with; complete the row"
        return Finding("no_offset", row.id, sentence)
    sentence = f"{row.where}: clip {row.id} has no offset; it ends with its apex {row.apex}"
    return row.onset, row.apex, [Finding("offset_from_apex", row.id, sentence)]


def _apex(row: Annotation, onset: int, offset: int, place: Mapping[int, int]) -> tuple[int | None, list[Finding]]:
    """The annotated apex where it can be one, else None: then it is searched for."""
    apex, instead = row.apex, "; it is taken as not annotated"
    if apex is None:
        return None, []
    if apex == onset:
        return None, [
            Finding("apex_at_onset", row.id, f"{row.where}: apex {apex} of clip {row.id} is its onset{instead}")
        ]
    if not onset < apex <= offset:
        sentence = f"{row.where}: apex {apex} of clip {row.id} lies outside {onset} to {offset}{instead}"
        return None, [Finding("apex_outside", row.id, sentence)]
    if apex not in place:
        return None, [Finding("apex_missing", row.id, f"clip {row.id}: its apex frame {apex} is missing{instead}")]
    return apex, []
