"""CAS(ME)^3, part A (Li et al., IEEE TPAMI 45(3), 2023): 860 annotated movements in long takes, 30 frames a second.

Sheet ``cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx``: all cells text; a video holds several movements, so that the onset
is part of a clip's name. Tree ``spNO.1/b/color/166.jpg`` (beside it depth, which is passed over). Part C, whose sheet
has no apex and other columns, is not read.
"""

from __future__ import annotations

import re

from dfrnet.datasets.archive import Archive, Identity, Published, Variant
from dfrnet.datasets.sheets import Row

COLUMNS = {
    "subject": ("Subject", "sub"),
    "clip": ("Filename",),
    "onset": ("Onset", "OnsetFrame"),
    "apex": ("Apex", "ApexFrame"),
    "offset": ("Offset", "OffsetFrame"),
    "action_units": ("AU", "AUs", "Action Units"),
    "emotion": ("emotion", "Estimated Emotion"),
}


def _person(name: str) -> str | None:
    found = re.fullmatch(r"sp\s*no\.?\s*0*(\d+)", name.strip().lower())
    return f"spNO.{found[1]}" if found else None


def identity(row: Row) -> Identity | None:
    """``spNO.1``, ``b`` and onset 166 -> subject spNO.1, clip b_166; "J" and "j" are one video."""
    person, video = _person(row.text("subject")), row.text("clip").lower()
    if person is None or not re.fullmatch(r"[a-z]\w?", video):
        return None
    onset = row.text("onset") or f"row{row.number}"
    return Identity(person, f"{video}_{onset}", f"{person}/{video}")


def key(parts: tuple[str, ...]) -> str | None:
    """The video of a folder ``.../spNO.1/b/color``, or ``.../spNO.1/b``."""
    names = parts[:-1] if parts[-1].lower() == "color" else parts
    person = _person(names[-2]) if len(names) > 1 else None
    return f"{person}/{names[-1].lower()}" if person else None


ARCHIVE = Archive(
    name="casme3",
    title="CAS(ME)^3 part A",
    fps=30.0,
    columns=COLUMNS,
    identity=identity,
    key=key,
    variants=(Variant("cropped", ("crop",), cropped=True), Variant("color", ())),
    published=Published(
        rows=860,
        subjects=100,
        emotions={
            "disgust": 250, "surprise": 187, "others": 161, "fear": 86, "anger": 64, "sad": 57, "happy": 55,
        },
        source="cas(me)3_part_A_ME_label_JpgIndex_v2; subjects from the paper",
    ),
    own=("disgust", "surprise", "others", "fear", "anger", "sad", "happy"),
    other_sheets=r"(?i)mae|macro",  # macro-expressions, in a sheet of the same form
    emotions={"sadness": "sad", "happiness": "happy", "other": "others"},
)  # fmt: skip
