"""Which recordings are meant, what they are, and a name for the results of each."""

from __future__ import annotations

import hashlib
import itertools
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dfrnet.exchange.files import fitting
from dfrnet.frames import IMAGE_SUFFIXES, natural_key
from dfrnet.types import UserError
from dfrnet.video.sources import open_source

VIDEO_SUFFIXES = frozenset({
    ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".flv", ".3gp",
    ".ogv", ".mxf",
})  # fmt: skip
TAKEN = ("summary.csv", "audit.jsonl")
"""Names that others have in a folder of results."""


def find_recordings(paths: Sequence[Path]) -> list[Path]:
    """Files as they are; of a folder its video files, or the folder itself where it holds none.

    UserError where nothing is named but a folder without videos and pictures; among others it stands for itself, and
    :func:`check_kind` refuses it in its turn.
    """
    found: list[Path] = []
    for path in paths:
        videos = [one for one in _inside(path) if one.suffix.lower() in VIDEO_SUFFIXES]
        found += videos or [path]
    if len(paths) == 1 and found == list(paths) and found[0].is_dir():
        check_kind(found[0])
    return list(dict.fromkeys(found))


def check_kind(path: Path) -> None:
    """UserError in plain words for what is no recording at all."""
    suffix = path.suffix.lower()
    if not path.exists():
        raise UserError(f"{path}: no such video file or folder of pictures; check its name")
    if path.is_dir():
        if not any(one.suffix.lower() in IMAGE_SUFFIXES for one in _inside(path)):
            raise UserError(f"{path}: neither videos nor pictures in it (its sub-folders are not searched)")
    elif suffix in IMAGE_SUFFIXES and path.is_file():
        raise UserError(f"{path}: a still picture; a folder of pictures or a video is wanted")
    elif suffix not in VIDEO_SUFFIXES and path.is_file():
        try:
            open_source(path).close()
        except UserError:
            raise UserError(f"{path}: no video, by its name or by what is in it; leave it out") from None


def _inside(folder: Path) -> list[Path]:
    """The files of a folder in natural order; none where it is no folder, or may not be looked into."""
    try:
        return sorted((one for one in folder.iterdir() if one.is_file()), key=natural_key)
    except OSError:
        return []


def folder_names(paths: Sequence[Path]) -> list[str]:
    """A name for each recording's folder: its stem, with suffix and parents where others have the same.

    All differ, also where capitals and ways to write an accent count for nothing, and each can be a folder's.
    """
    places = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 (a link keeps its name, and .. has none)
    ways: list[Callable[[Path], str]] = [
        lambda place: place.stem,
        lambda place: place.name,
        lambda place: f"{place.parent.name}-{place.name}",
    ]
    names: dict[int, str] = {}
    taken = set(TAKEN)
    for way in ways:
        said = {at: _fit(way(place)) for at, place in enumerate(places) if at not in names}
        count = Counter(map(_seen, said.values()))
        for at, name in said.items():
            if count[_seen(name)] == 1 and _seen(name) not in taken:
                names[at] = name
                taken.add(_seen(name))
    for at, place in enumerate(places):
        if at not in names:
            names[at] = next(name for name in _numbered(place) if _seen(name) not in taken)
            taken.add(_seen(names[at]))
    return [names[at] for at in range(len(places))]


def _numbered(place: Path) -> Iterator[str]:
    """The stem with a digest of the whole place, and more such names for a place that is named again."""
    for times in itertools.count():
        digest = hashlib.sha256(f"{place}{'+' * times}".encode(errors="replace")).hexdigest()
        yield f"{_fit(place.stem)}-{digest[:8]}"


def _fit(name: str) -> str:
    """Without what would hide a folder, or what some systems cut off."""
    return fitting(name.strip(". ")) or "recording"


def _seen(name: str) -> str:
    """What a file system that is not strict takes a name for."""
    return unicodedata.normalize("NFC", name).casefold()
