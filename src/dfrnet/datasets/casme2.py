"""CASME II (Yan et al., PLoS ONE 9(1), 2014): 255 annotated movements of 26 subjects, 200 frames a second.

Sheets: ``CASME2-coding-20140508.xlsx`` and the later one with "Objective Classes" (the emotion of some rows differs, so
the label depends on the sheet). Trees: ``Cropped/sub01/EP02_01f/reg_img46.jpg``, ``CASME2_RAW_selected/sub01/EP02_01f/
img46.jpg`` (onset to offset), ``CASME2-RAW/sub01/EP02_01f/img1.jpg`` (the whole take), ``sub01/EP02_01f.avi``.
"""

from __future__ import annotations

import re

from dfrnet.datasets.archive import Archive, Identity, Published, Variant
from dfrnet.datasets.sheets import Row

COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("OnsetFrame",),
    "apex": ("ApexFrame", "ApexFrame1"),
    "offset": ("OffsetFrame",),
    "action_units": ("Action Units", "AUs"),
    "emotion": ("Estimated Emotion", "Emotion"),
}


def identity(row: Row) -> Identity | None:
    """``01`` or ``sub01`` and ``EP02_01f`` -> sub01/EP02_01f."""
    subject = re.fullmatch(r"(?:sub)?0*(\d{1,2})", row.text("subject").lower())
    clip = row.text("clip")
    if subject is None or not re.match(r"EP\d", clip, re.IGNORECASE):
        return None
    person = f"sub{int(subject[1]):02d}"
    return Identity(person, clip[:2].upper() + clip[2:].lower(), f"{person}/{clip}".lower())


def key(parts: tuple[str, ...]) -> str | None:
    """The clip of a folder ``.../sub01/EP02_01f``, or of a video of that name."""
    if len(parts) < 2:
        return None
    subject = re.fullmatch(r"(?:sub)?0*(\d{1,2})", parts[-2].lower())
    if subject is None or not re.match(r"ep\d", parts[-1].lower()):
        return None
    return f"sub{int(subject[1]):02d}/{parts[-1].strip()}".lower()


ARCHIVE = Archive(
    name="casme2",
    title="CASME II",
    fps=200.0,
    columns=COLUMNS,
    identity=identity,
    key=key,
    variants=(
        Variant("cropped", ("cropped", "reg_"), cropped=True),
        Variant("selected", ("selected",)),
        Variant("raw", ("raw",)),
        Variant("video", (".avi", ".mp4")),
    ),
    published=Published(
        rows=255,
        subjects=26,
        emotions={
            "others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25, "sadness": 7, "fear": 2,
        },
        source="sheet of 2014-05-08; the paper counts 247",
    ),
    own=("disgust", "happiness", "repression", "surprise", "others"),
)  # fmt: skip
