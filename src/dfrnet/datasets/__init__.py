"""Annotation sheets on disk -> clips.

A data set that is handed out as an archive with a sheet is an ``Archive`` and one line in ``ARCHIVES``; any other is a
function root -> list[Clip] and one line in ``DATASETS``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfrnet.datasets import casme2, casme3, dfme, megc2019, mmew, released_maps, samm, smic, synthetic
from dfrnet.datasets.archive import Archive
from dfrnet.datasets.findings import WARNING
from dfrnet.datasets.labels import is_three, labelled, official
from dfrnet.datasets.surveys import Survey, survey
from dfrnet.types import CLASSES, Clip, UserError, unknown_name

log = logging.getLogger(__name__)

ARCHIVES: dict[str, Archive] = {one.ARCHIVE.name: one.ARCHIVE for one in (smic, casme2, samm, casme3, mmew, dfme)}
"""Data sets under licence, read as they were received."""

DATASETS: dict[str, Callable[[str], list[Clip]]] = {
    "maps": released_maps.load,
    "synthetic": synthetic.load,
}
"""Data sets that are ready as they are: labelled in the three classes, nothing to check."""

COMPOSITE = "megc2019"


def names() -> list[str]:
    """Everything that ``--data`` takes."""
    return [*ARCHIVES, COMPOSITE, *DATASETS]


@dataclass(frozen=True)
class Loaded:
    """Clips ready for an evaluation, and what a record must say of where they come from.

    ``sources`` as given; ``left_out``: a sentence by id of each clip that cannot be used; ``errata``: what was
    corrected; ``archives``: sheet and kind of tree of each archive.
    """

    clips: tuple[Clip, ...]
    sources: tuple[str, ...]
    classes: tuple[str, ...] = CLASSES
    left_out: dict[str, str] = field(default_factory=dict)
    errata: tuple[str, ...] = ()
    archives: tuple[dict[str, str | None], ...] = ()

    @property
    def record(self) -> dict[str, Any]:
        """What ``evaluate`` and ``train`` keep of it, as their keyword arguments."""
        origin = {"archives": list(self.archives), "errata": list(self.errata), "left_out": self.left_out}
        return {"data": self.sources, "classes": self.classes, "origin": origin}


def described(source: str) -> str:
    """What a record says of a source: where a folder lies is nobody's business, how hard the drawn faces are is."""
    name, _, root = source.partition("=")
    return f"{name}={root or 'default'}" if name == "synthetic" else name


def without_roots(sentence: str, sources: Sequence[str]) -> str:
    """The same for a sentence about a file: its path from the root of its source on."""
    for source in sources:
        _, _, root = source.partition("=")
        if root:
            sentence = sentence.replace(f"{Path(root).expanduser()}{os.sep}", "")
    return sentence


def load(sources: Sequence[str], classes: str = "three", errata: bool = True) -> Loaded:
    """The clips of ``NAME=ROOT`` sources, one after the other, with their classes.

    ``classes``: see :mod:`dfrnet.datasets.labels`; ``errata``: whether known errors of the sheets are corrected. What
    had to be left out is logged and returned. UserError for an unknown name, a clip found twice, and no clip at all.
    """
    if not sources:
        raise UserError("no data given; add --data NAME=ROOT, for example --data synthetic")
    clips: list[Clip] = []
    surveys: list[Survey] = []
    for name, root in _split(sources):
        if name in ARCHIVES:
            surveys.append(survey(ARCHIVES[name], Path(root), errata))
            clips += surveys[-1].clips
        else:
            clips += DATASETS[name](root)
    _check_found(clips, surveys, sources)
    own = {name: archive.own for name, archive in ARCHIVES.items()}
    kept, named, apart = labelled(clips, classes, own)
    left_out = {finding.clip: finding.sentence for one in surveys for finding in one.left_out}
    if is_three(classes):
        left_out = _of_the_list(left_out, surveys, {clip.id for clip in kept})
    for one in surveys:
        _tell(one, left_out)
    if apart:
        log.warning("%d clips are in none of the classes %s (--classes %s)", len(apart), ", ".join(named), classes)
    applied = tuple(str(erratum) for one in surveys for erratum in one.errata)
    archives = tuple(
        {"data": one.archive.name, "sheet": one.sheet.name if one.sheet else None, "tree": one.variant}
        for one in surveys
    )
    return Loaded(tuple(kept), tuple(sources), named, left_out, applied, archives)


def _split(sources: Sequence[str]) -> list[tuple[str, str]]:
    """(name, root) of each source; the composite becomes its three parts."""
    found = []
    for source in sources:
        name, _, root = source.partition("=")
        if name not in names():
            if "=" not in source and Path(source).exists():
                raise UserError(f"--data {source}: say which data set it is, as in --data casme2={source}")
            raise unknown_name("data set", name, names())
        if not root and name != "synthetic":
            raise UserError(f"--data {source}: where is it? Write --data {name}=FOLDER")
        if name != "synthetic":
            try:
                root = str(Path(root).expanduser())  # a shell does not do it behind the equals sign
            except RuntimeError:
                raise UserError(f"--data {source}: there is no such home folder") from None
        if name == COMPOSITE:
            found += [(part, str(path)) for part, path in megc2019.parts(Path(root)).items()]
        else:
            found.append((name, root))
    return found


def _check_found(clips: Sequence[Clip], surveys: Sequence[Survey], sources: Sequence[str]) -> None:
    seen: set[str] = set()
    for clip in clips:
        if clip.id in seen:
            raise UserError(f"clip {clip.id} comes from two of the sources {', '.join(sources)}; give each clip once")
        seen.add(clip.id)
    for one in surveys:
        if not one.clips:
            first = f"; the first of {len(one.left_out)} reasons: {one.left_out[0].sentence}" if one.left_out else ""
            raise UserError(f"{one.root}: no clip of {one.archive.title} can be used{first}")


def _of_the_list(left_out: dict[str, str], surveys: Sequence[Survey], have: set[str]) -> dict[str, str]:
    """What MEGC2019's list names and the archives lack, with or without a reason, and nothing that it does not name."""
    covered = tuple(f"{one.archive.name}/" for one in surveys if one.archive.name in megc2019.PARTS)
    listed = [clip for clip in official() if clip.startswith(covered)] if covered else []
    others = {clip: why for clip, why in left_out.items() if not clip.startswith(covered)} if covered else left_out
    lacking = [clip for clip in listed if clip not in have]
    unknown = [clip for clip in lacking if clip not in left_out]
    if unknown:
        log.warning("%d clips of MEGC2019's list are in no row of the sheet, the first %s", len(unknown), unknown[0])
    return others | {clip: left_out.get(clip, f"clip {clip}: no row of the sheet is about it") for clip in lacking}


def _tell(found: Survey, left_out: Mapping[str, str], most: int = 5) -> None:
    """Name on the log which clips of the classes were left out, the first few in full, and what else is amiss."""
    title = found.archive.title
    sentences = [finding.sentence for finding in found.left_out if finding.clip in left_out]
    for sentence in sentences[:most]:
        log.warning("left out: %s", sentence)
    if len(sentences) > most:
        log.warning("left out: %d more clips of %s", len(sentences) - most, title)
    for finding in found.findings:
        if finding.severity == WARNING and not finding.clip:
            log.warning("%s", finding.sentence)
    gone = {finding.clip for finding in found.left_out}
    amiss = {finding.clip for finding in found.findings if finding.severity == WARNING and finding.clip} - gone
    if amiss:
        log.warning("%s: something is amiss with %d clips that are used", title, len(amiss))
    folders = sum(finding.kind == "unlabelled" for finding in found.findings)
    if folders:
        log.warning("%s: %d folders of frames have no row in the sheet", title, folders)
    if sentences or amiss or folders:
        log.warning("%s: all of it is named by: dfrnet data check %s %s", title, found.archive.name, found.root)
