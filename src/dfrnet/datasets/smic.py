"""SMIC-HS (Li et al., FG 2013): 164 movements of 16 subjects, 100 frames a second, three classes, no apex.

Sheet ``SMIC-HS-E_annotation.xlsx``, sheet HS (some of its cells are formulas; what the spreadsheet stored for them
counts). Trees: ``SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image559740.bmp``, ``SMIC_all_raw/HS/...`` alike,
both from onset to offset, and the long takes ``HS_long/SMIC-HS-E/s01/s1_ne_01/image559700.jpg``. The folders of the
first two say all there is to say, so they can be used without the sheet, and for the two clips that it lacks.
"""

from __future__ import annotations

import re

from dfrnet.datasets.archive import Annotation, Archive, Identity, Published, Variant
from dfrnet.datasets.sheets import Row
from dfrnet.datasets.tree import Folder

COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("OnsetF", "OnsetFrame"),
    "offset": ("OffsetF", "OffsetFrame"),
    "last": ("LastF",),  # in sheet HS only: VIS, of 25 frames a second, has the other columns too
    "emotion": ("Emotion", "Estimated Emotion"),
}
EMOTIONS = ("negative", "positive", "surprise")


def _clip(name: str) -> tuple[str, str] | None:
    """``s1_ne_01`` -> subject s01, clip s01_ne_01, as the challenge's list writes them."""
    found = re.fullmatch(r"s0*(\d{1,2})_(ne|po|sur)_0*(\d{1,2})", name.strip().lower())
    if found is None:
        return None
    subject = f"s{int(found[1]):02d}"
    return subject, f"{subject}_{found[2]}_{int(found[3]):02d}"


def identity(row: Row) -> Identity | None:
    """The clip's name says all."""
    found = _clip(row.text("clip"))
    return Identity(*found, key=found[1]) if found else None


def key(parts: tuple[str, ...]) -> str | None:
    """The clip of a folder ``.../s1_ne_01``, of the high-speed camera: not of VIS or NIR, of 25 frames a second."""
    if any(re.search(r"(?<![a-z])(vis|nir)(?![a-z])", part.lower()) for part in parts):
        return None
    found = _clip(parts[-1])
    return found[1] if found else None


def folder_emotion(parts: tuple[str, ...]) -> str | None:
    """The class by which the folders of the short takes are sorted."""
    return next((part.lower() for part in reversed(parts) if part.lower() in EMOTIONS), None)


def from_folder(folder: Folder) -> Annotation | None:
    """A clip of the trees that hold just onset to offset; None for a long take."""
    found, emotion = _clip(folder.parts[-1]), folder_emotion(folder.parts)
    if found is None or emotion is None or folder.is_video:
        return None
    subject, clip = found
    numbers = tuple(folder.frames)
    return Annotation(
        id=f"smic/{subject}/{clip}", subject=f"smic/{subject}", key=clip, where=str(folder.path), emotion=emotion,
        onset=numbers[0], offset=numbers[-1], fps=ARCHIVE.fps,
    )  # fmt: skip


ARCHIVE = Archive(
    name="smic",
    title="SMIC-HS",
    fps=100.0,
    columns=COLUMNS,
    identity=identity,
    key=key,
    variants=(
        Variant("cropped", ("crop", "reg_"), cropped=True),
        Variant("long", ("_long", "smic-e_raw", "smic-hs-e")),
        Variant("raw", ("raw", "/micro/")),
    ),
    published=Published(
        rows=164, subjects=16, emotions={"negative": 70, "positive": 51, "surprise": 43}, source="the paper; MEGC2019"
    ),
    own=EMOTIONS,
    optional=frozenset({"apex", "action_units", "last"}),
    from_folder=from_folder,
    folder_emotion=folder_emotion,
)
