"""An archive on disk -> usable clips, and everything that is wrong, alike for all data sets.

:func:`survey` walks the tree, reads the sheets, applies the errata, joins rows to folders and turns frame numbers into
positions. A clip that cannot be used is a :class:`~dfrnet.datasets.findings.Finding`: it is never dropped in silence,
and never a reason to give up the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfrnet.datasets.annotations import Sheet, all_rows, read_sheets
from dfrnet.datasets.archive import Annotation, Archive, Variant
from dfrnet.datasets.errata import Erratum, corrected
from dfrnet.datasets.findings import UNUSABLE, Finding
from dfrnet.datasets.tree import Folder, Tree, walk
from dfrnet.frames import ImageFolder, VideoFile
from dfrnet.types import Clip, Frames, UserError

OTHER = Variant("other", ())
"""What a tree is called that no variant of the archive fits."""


@dataclass(frozen=True)
class Survey:
    """All that was found at ``root``: the usable clips (their label is the emotion as annotated), and what is amiss.

    ``sheets`` that count, the main one first; ``annotations`` after the errata, those of clips that have no row among
    them; ``folders`` of clips; ``variant`` the kind of tree that the frames come from.
    """

    archive: Archive
    root: Path
    sheets: tuple[Sheet, ...]
    annotations: tuple[Annotation, ...]
    folders: int
    variant: str
    clips: tuple[Clip, ...]
    findings: tuple[Finding, ...]
    errata: tuple[Erratum, ...]

    @property
    def sheet(self) -> Path | None:
        """The main sheet."""
        return self.sheets[0].path if self.sheets else None

    @property
    def left_out(self) -> tuple[Finding, ...]:
        """Why clips cannot be used, one finding each."""
        return tuple(finding for finding in self.findings if finding.severity == UNUSABLE)


@dataclass(frozen=True)
class _Place:
    """A folder that holds a clip's frames, and the rank of its kind of tree among the archive's variants."""

    folder: Folder
    rank: int
    variant: Variant


def survey(archive: Archive, root: Path, errata: bool = True) -> Survey:
    """Read the archive at ``root``; UserError only where no folder or no sheet can be read at all."""
    tree = walk(root)
    places, findings = _places(archive, tree)
    sheets, sheet_findings = read_sheets(archive, tree)
    findings += [*sheet_findings, *(finding for sheet in sheets for finding in sheet.findings)]
    rows, applied = corrected(all_rows(sheets)) if errata else (all_rows(sheets), ())
    rank = _choose(places, {row.key for row in rows})
    more, more_findings = _without_row(archive, places, {row.key for row in rows}, rank, bool(sheets))
    rows += more
    findings += more_findings
    unusable = {clip for sheet in sheets for clip in sheet.unusable}
    clips: list[Clip] = []
    for row in rows:
        if row.id not in unusable:
            clip, found = _clip(archive, row, places.get(row.key, []), rank)
            findings += found
            clips += [clip] if clip else []
    tree_name = (*archive.variants, OTHER)[rank].name
    return Survey(
        archive, root, tuple(sheets), tuple(rows), len(places), tree_name, tuple(clips), tuple(findings), applied
    )


def _places(archive: Archive, tree: Tree) -> tuple[dict[str, list[_Place]], list[Finding]]:
    """Where the frames of each clip lie, by key, and what the walk found."""
    places: dict[str, list[_Place]] = {}
    strangers = []
    for folder in tree.folders:
        key = archive.key(folder.parts)
        if key is None:
            strangers.append(folder)
        else:
            rank = _rank(archive, folder)
            variant = (*archive.variants, OTHER)[rank]
            places.setdefault(key, []).append(_Place(folder, rank, variant))
    findings = list(tree.findings)
    if strangers:
        named = f"{len(strangers)} folders, the first {strangers[0].path}"
        findings.append(Finding("stray_files", "", f"pictures or videos that are no clip's in {named}; passed over"))
    return places, findings


def _rank(archive: Archive, folder: Folder) -> int:
    """Its kind of tree, by position among the archive's variants; behind them all where no word fits.

    The names below the root decide, then the root's own: who points at Cropped/ has chosen already. A word counts at
    the start of a word only, so that ``uncropped`` is not ``cropped``.
    """
    first = next(iter(folder.frames.values()), folder.path).name
    for names in ("/".join((*folder.parts[1:-1], first)).lower(), folder.parts[0].lower()):
        for rank, variant in enumerate(archive.variants):
            if any(re.search(rf"(?<![a-z]){word}" if word[0].isalpha() else word, names) for word in variant.words):
                return rank
    catch_all = [rank for rank, variant in enumerate(archive.variants) if not variant.words]
    return catch_all[0] if catch_all else len(archive.variants)


def _choose(places: Mapping[str, list[_Place]], wanted: Iterable[str]) -> int:
    """The first kind of tree, in order of preference, that has at least half of the annotated clips that have frames.

    One set, one kind of frame.
    """
    keys = set(wanted) & set(places) or set(places)
    counts = Counter(rank for key in keys for rank in {place.rank for place in places[key]})
    large = [rank for rank in counts if 2 * counts[rank] >= len(keys)]
    return min(large or counts, default=0)


def _without_row(
    archive: Archive, places: Mapping[str, list[_Place]], wanted: set[str], rank: int, has_sheet: bool
) -> tuple[list[Annotation], list[Finding]]:
    """Annotations of folders that no row is about, where the tree says enough, and the findings."""
    rows, findings = [], []
    for key in [key for key in places if key not in wanted]:
        made = archive.from_folder(_pick(places[key], rank).folder) if archive.from_folder else None
        if made is None:
            sentence = f"{places[key][0].folder.path}: frames without an annotation in the sheet; passed over"
            findings.append(Finding("unlabelled", "", sentence))
            continue
        rows.append(made)
        sentence = f"clip {made.id}: it has no row in the sheet; emotion, onset and offset are its folder's"
        findings += [Finding("no_row", made.id, sentence)] if has_sheet else []
    return rows, findings


def _pick(places: Sequence[_Place], rank: int) -> _Place:
    """The place in the chosen kind of tree, else in the preferred one; of equals the one with most frames."""
    return min(places, key=lambda p: (p.rank != rank, p.rank, -len(p.folder.frames), p.folder.parts))


def _clip(archive: Archive, row: Annotation, places: Sequence[_Place], rank: int) -> tuple[Clip | None, list[Finding]]:
    """The clip of a row, if it can be used, and what was found on the way."""
    if not places:
        return None, [Finding("no_folder", row.id, f"{row.where}: no folder of frames for clip {row.id}; restore it")]
    place = _pick(places, rank)
    folder = place.folder
    findings = _folder_findings(archive, row, place, places, rank)
    try:
        numbers, frames = _frames(folder, row.fps)
    except UserError as error:
        return None, [*findings, Finding("no_frames", row.id, f"clip {row.id}: {error}")]
    position = {number: index for index, number in enumerate(numbers)}
    ends = _ends(row, folder, numbers)
    if isinstance(ends, Finding):
        return None, [*findings, ends]
    onset, offset, found = ends
    apex, apex_found = _apex(row, onset, offset, position)
    clip = Clip(
        id=row.id, dataset=archive.name, subject=row.subject, label=row.emotion, frames=frames,
        onset=position[onset], apex=None if apex is None else position[apex], offset=position[offset], fps=row.fps,
        emotion=row.emotion, action_units=row.action_units, cropped=place.variant.cropped,
    )  # fmt: skip
    return clip, [*findings, *found, *apex_found]


def _frames(folder: Folder, fps: float) -> tuple[Sequence[int], Frames]:
    """Frame numbers and frames; those of a video count from 1."""
    if folder.is_video:
        video = VideoFile(folder.path)
        return range(1, len(video) + 1), video
    return tuple(folder.frames), ImageFolder(tuple(folder.frames.values()), fps)


def _folder_findings(
    archive: Archive, row: Annotation, place: _Place, places: Sequence[_Place], rank: int
) -> list[Finding]:
    findings = []
    folder = place.folder
    same = [one.folder for one in places if one is not place and one.rank == place.rank]
    if same:
        sentence = f"clip {row.id}: frames in {folder.path} and again in {same[0].path}; the first are used"
        findings.append(Finding("two_folders", row.id, sentence))
    if place.rank != rank:
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
