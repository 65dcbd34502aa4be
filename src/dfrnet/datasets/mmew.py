"""MMEW (Ben et al., IEEE TPAMI 44(9), 2022): 300 movements of 30 subjects, 90 frames a second, cropped faces.

Sheet with columns Subject, Filename (``S01-01-001``), OnsetFrame, ApexFrame, OffsetFrame, Action Units, Estimated
Emotion and remarks; frames count from the onset, 1. Tree ``MMEW_Final/Micro_Expression/<emotion>/S01-01-001/<n>.jpg``.
"""

from __future__ import annotations

import re

from dfrnet.datasets.archive import Archive, Identity, Published, Variant
from dfrnet.datasets.sheets import Row

COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("OnsetFrame",),
    "apex": ("ApexFrame",),
    "offset": ("OffsetFrame",),
    "action_units": ("Action Units", "AUs"),
    "emotion": ("Estimated Emotion", "Emotion"),
}


def _clip(name: str) -> str | None:
    found = re.fullmatch(r"s(\d+)-(\d+)-(\d+)", name.strip().lower())
    return f"S{int(found[1]):02d}-{int(found[2]):02d}-{int(found[3]):03d}" if found else None


def identity(row: Row) -> Identity | None:
    """The clip's name begins with the subject."""
    clip = _clip(row.text("clip"))
    return Identity(clip.split("-")[0], clip, clip) if clip else None


def key(parts: tuple[str, ...]) -> str | None:
    """The clip of a folder ``.../S01-01-001``; the posed takes of Macro_Expression are none."""
    if any("macro" in part.lower() for part in parts):
        return None
    return _clip(parts[-1])


ARCHIVE = Archive(
    name="mmew",
    title="MMEW",
    fps=90.0,
    columns=COLUMNS,
    identity=identity,
    key=key,
    variants=(Variant("cropped", (), cropped=True),),
    published=Published(
        rows=300,
        subjects=30,
        emotions={
            "others": 66, "surprise": 89, "disgust": 72, "happiness": 36, "fear": 16, "sadness": 13, "anger": 8,
        },
        source="MMEW_Micro_Exp; 30 subjects",
    ),
    own=("happiness", "anger", "surprise", "disgust", "fear", "sadness", "others"),
)  # fmt: skip
