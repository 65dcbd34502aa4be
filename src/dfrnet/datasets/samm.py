"""SAMM (Davison et al., IEEE Trans. Affective Computing 9(1), 2018): 159 movements of 29 subjects, grey, 200 a second.

Sheet ``SAMM_Micro_FACS_Codes_v2.xlsx``: 13 rows of text, then the header. Tree ``SAMM/006/006_1_2/006_05562.jpg``, the
number padded to four digits in some clips and to five in others.
"""

from __future__ import annotations

import re

from dfrnet.datasets.archive import Archive, Identity, Published, Variant
from dfrnet.datasets.sheets import Row

COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("Onset Frame", "Onset"),
    "apex": ("Apex Frame", "Apex"),
    "offset": ("Offset Frame", "Offset"),
    "action_units": ("Action Units", "AUs"),
    "emotion": ("Estimated Emotion", "Emotion"),
}


def _clip(name: str) -> tuple[str, str] | None:
    """``006_1_2`` -> subject 006 and the name with its subject padded to three digits."""
    found = re.fullmatch(r"0*(\d{1,3})_(\d+)_(\d+)", name.strip())
    if found is None:
        return None
    subject = f"{int(found[1]):03d}"
    return subject, f"{subject}_{int(found[2])}_{int(found[3])}"


def identity(row: Row) -> Identity | None:
    """The clip's name holds the subject, whether or not the cell kept its zeros."""
    found = _clip(row.text("clip"))
    return Identity(*found, key=found[1]) if found else None


def key(parts: tuple[str, ...]) -> str | None:
    """The clip of a folder ``.../006_1_2``."""
    found = _clip(parts[-1])
    return found[1] if found else None


ARCHIVE = Archive(
    name="samm",
    title="SAMM",
    fps=200.0,
    columns=COLUMNS,
    identity=identity,
    key=key,
    variants=(Variant("cropped", ("crop", "reg_"), cropped=True), Variant("raw", ())),
    published=Published(
        rows=159,
        subjects=29,
        emotions={
            "anger": 57, "other": 26, "happiness": 26, "surprise": 15, "contempt": 12, "disgust": 9, "fear": 8,
            "sadness": 6,
        },
        source="SAMM_Micro_FACS_Codes_v2",
    ),
    own=("anger", "contempt", "happiness", "surprise", "other"),
    emotions={"others": "other"},
)  # fmt: skip
