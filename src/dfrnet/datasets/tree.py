"""A folder as it was received -> every folder of numbered pictures below it, in one walk that nothing can stop.

Links to folders are followed once; a folder that may not be read, a link that leads back, and files that belong to
nothing are findings. Names that begin with a dot are passed over: systems leave them behind.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from dfrnet.datasets.findings import Finding
from dfrnet.datasets.sheets import SHEET_SUFFIXES
from dfrnet.frames import IMAGE_SUFFIXES
from dfrnet.types import UserError

VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv"})


@dataclass(frozen=True)
class Folder:
    """Pictures of one folder by frame number, or one video file.

    ``parts`` are the names from the root on, its own too, the last that of the folder (of a video, without its suffix).
    ``doubles`` are further files with a number that another has already.
    """

    path: Path
    parts: tuple[str, ...]
    frames: dict[int, Path] = field(default_factory=dict)
    doubles: tuple[Path, ...] = ()

    @property
    def is_video(self) -> bool:
        return not self.frames


@dataclass(frozen=True)
class Tree:
    """What lies below ``root``: folders of pictures and videos, spreadsheets, and findings."""

    root: Path
    folders: tuple[Folder, ...]
    sheets: tuple[Path, ...]
    findings: tuple[Finding, ...]


def number_of(stem: str) -> int | None:
    """The frame number in a file name, its last digits as an integer: img46, reg_img46, 006_05562, image034208."""
    found = re.search(r"(\d+)\D*$", stem)
    return int(found[1]) if found else None


def walk(root: Path) -> Tree:
    """Read the tree below ``root``; UserError only where that itself is no folder that may be read."""
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give the folder that holds the data set as it was received")
    folders: list[Folder] = []
    sheets: list[Path] = []
    findings: list[Finding] = []
    strays: list[str] = []
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[Path, tuple[str, ...]]] = [(root, (root.resolve().name,))]
    while waiting:
        path, parts = waiting.pop()
        try:
            stamp = path.stat()
            if (stamp.st_dev, stamp.st_ino) in seen:
                what = "a link to a folder that was read already, perhaps back to one above; it was not followed"
                findings.append(Finding("link_loop", "", f"{path}: {what}"))
                continue
            seen.add((stamp.st_dev, stamp.st_ino))
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            if path == root:
                raise UserError(f"{root}: cannot be read ({error.strerror}); give yourself the permission") from None
            sentence = f"{path}: this folder cannot be read ({error.strerror}); give yourself the permission"
            findings.append(Finding("unreadable", "", sentence))
            continue
        below, pictures = _sort(entries, path, parts, folders, sheets, strays, findings)
        # Last in is first out: links wait at the bottom, so that a folder is met by its own name first.
        waiting = [item for item in below if item[0].is_symlink()] + waiting
        waiting += [item for item in reversed(below) if not item[0].is_symlink()]
        numbered = [name for name in pictures if number_of(Path(name).stem) is not None]
        strays += [str(path / name) for name in pictures if number_of(Path(name).stem) is None]
        if numbered:
            folders.append(_folder(path, parts, numbered))
    if strays:
        count, plural = len(strays), "s" if len(strays) > 1 else ""
        sentence = f"{count} file{plural} that are no frames, sheets or videos, the first {strays[0]}; passed over"
        findings.append(Finding("stray_files", "", sentence))
    folders.sort(key=lambda folder: folder.parts)
    return Tree(root, tuple(folders), tuple(sorted(sheets)), tuple(findings))


def _sort(
    entries: list[os.DirEntry[str]],
    path: Path,
    parts: tuple[str, ...],
    folders: list[Folder],
    sheets: list[Path],
    strays: list[str],
    findings: list[Finding],
) -> tuple[list[tuple[Path, tuple[str, ...]]], list[str]]:
    """The folders below, and the names of the pictures; sheets, videos and strays go to their lists."""
    below, pictures = [], []
    for entry in entries:
        name = entry.name
        if name.startswith((".", "~$")):
            continue
        suffix = Path(name).suffix.lower()
        try:
            is_folder = entry.is_dir()
        except OSError as error:  # a link to itself
            findings.append(Finding("link_loop", "", f"{path / name}: cannot be followed ({error.strerror})"))
            continue
        if is_folder:
            below.append((path / name, (*parts, name)))
        elif suffix in IMAGE_SUFFIXES:
            pictures.append(name)
        elif suffix in SHEET_SUFFIXES:
            sheets.append(path / name)
        elif suffix in VIDEO_SUFFIXES:
            folders.append(Folder(path / name, (*parts, Path(name).stem)))
        else:
            strays.append(str(path / name))
    return below, pictures


def _folder(path: Path, parts: tuple[str, ...], names: list[str]) -> Folder:
    frames: dict[int, Path] = {}
    doubles = []
    for name in sorted(names, key=lambda name: (len(name), name)):  # img16.jpg before its copy, img16 (2).jpg
        number = number_of(Path(name).stem) or 0
        if number in frames:
            doubles.append(path / name)
        else:
            frames[number] = path / name
    return Folder(path, parts, dict(sorted(frames.items())), tuple(doubles))
