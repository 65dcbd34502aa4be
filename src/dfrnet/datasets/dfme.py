"""DFME (Zhao et al., IEEE Trans. Affective Computing, 2023): a training part of 1,856 movements, 200 to 500 a second.

Sheet with columns Subject (``sub0003``), Filename (``sub0003_01``), OnsetFrame, ApexFrame, OffsetFrame, Emotion,
EmotionId, Fps (each clip has its own), AU. Tree ``.../sub0003_01/<frame>.png``. Those of the test parts have the same
columns.
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
    "fps": ("Fps",),
    "action_units": ("AU", "AUs", "Action Units"),
    "emotion": ("Emotion",),
}


def _clip(name: str) -> str | None:
    found = re.fullmatch(r"sub0*(\d+)_0*(\d+)", name.strip().lower())
    return f"sub{int(found[1]):04d}_{int(found[2]):02d}" if found else None


def identity(row: Row) -> Identity | None:
    """The clip's name begins with the subject."""
    clip = _clip(row.text("clip"))
    return Identity(clip.split("_")[0], clip, clip) if clip else None


def key(parts: tuple[str, ...]) -> str | None:
    """The clip of a folder ``.../sub0003_01``."""
    return _clip(parts[-1])


ARCHIVE = Archive(
    name="dfme",
    title="DFME",
    fps=500.0,
    columns=COLUMNS,
    identity=identity,
    key=key,
    variants=(Variant("cropped", ("crop",), cropped=True), Variant("raw", ())),
    published=Published(
        rows=1856,
        subjects=0,
        emotions={},
        source="training_full_with_AU; its subjects and classes are not printed there",
    ),
    own=("happiness", "anger", "contempt", "disgust", "fear", "sadness", "surprise"),
)
