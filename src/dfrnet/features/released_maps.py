"""Clips -> the layout of the public HTNet repository, for other people's code that reads it.

What :mod:`dfrnet.datasets.released_maps` reads: a sheet with one row a clip, and one 28x28, 8-bit RGB picture a clip,
red u, green v, blue optical strain, each stretched to 0..255 within the clip.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from dfrnet.datasets.released_maps import CHANNELS, FLOW_FOLDER, HEADER, SHEET, SIZE, map_key
from dfrnet.features.batch import Progress, features
from dfrnet.features.extract import FeatureSpec
from dfrnet.types import CLASSES, Array, Clip, Image, UserError


def write_released_maps(
    clips: Sequence[Clip],
    folder: Path,
    spec: FeatureSpec | None = None,
    *,
    jobs: int = 1,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Write the maps and the sheet; returns why clips were left out, by id, and these have no row either.

    ``spec`` says how the movement is found (flow, apex, alignment); which maps, their size and their scale are the
    layout's. ``folder`` must not exist and appears when it is complete. UserError if a clip has none of the three
    classes, if an id does not fit the layout, and as :func:`dfrnet.features.features`.
    """
    if folder.exists():
        raise UserError(f"{folder}: it exists already; remove it or name another folder")
    _check(clips)
    spec = replace(spec or FeatureSpec(), maps=CHANNELS, size=SIZE, scale="none")
    found = features(clips, spec, jobs=jobs, cache=cache, progress=progress)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        (draft / FLOW_FOLDER).mkdir(parents=True)
        for clip, maps in zip(found.clips, found.x, strict=True):
            _, data = cv2.imencode(".png", np.ascontiguousarray(picture_of(maps)[..., ::-1]))
            (draft / FLOW_FOLDER / f"{_map_name(clip)} .png").write_bytes(data.tobytes())
        with (draft / SHEET).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([HEADER, *map(_row, found.clips)])
        draft.chmod(0o755)  # mkdtemp keeps others out
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return found.left_out


def picture_of(maps: Array) -> Image:
    """u, v, strain (3, H, W) -> RGB uint8 (H, W, 3), each from its own minimum 0 to its maximum 255; all 0 if even."""
    low = maps.min(axis=(1, 2), keepdims=True)
    reach = maps.max(axis=(1, 2), keepdims=True) - low
    stretched = (maps - low) / np.where(reach > 0, reach, 1)
    return np.asarray(np.rint(stretched * 255).transpose(1, 2, 0), np.uint8)


def _check(clips: Sequence[Clip]) -> None:
    taken: dict[str, str] = {}
    for clip in clips:
        if clip.label not in CLASSES:
            raise UserError(
                f"clip {clip.id}: its label {clip.label!r} is none of {', '.join(CLASSES)}, which are all that the "
                "layout of the released maps knows; choose labels of three classes"
            )
        parts = clip.id.split("/")
        if len(parts) != 3 or any(not part or part != part.strip() for part in parts):
            raise UserError(f"clip {clip.id}: the layout of the released maps wants ids like casme2/sub01/EP02_01f")
        other = taken.setdefault(map_key(_map_name(clip)), clip.id)
        if other != clip.id:
            raise UserError(
                f"clips {other} and {clip.id} would share one picture, {_map_name(clip)!r}, in the layout of the "
                "released maps; write them to two folders"
            )


def _map_name(clip: Clip) -> str:
    _, subject, name = clip.id.split("/")
    return f"{subject}_{name}"


def _row(clip: Clip) -> tuple[str, ...]:
    """A row of the sheet under ``HEADER``, spelled as in the clone, with what is empty there empty here."""
    dataset, subject, name = clip.id.split("/")
    image = f"{subject}_{name}"
    if dataset == "smic":  # s03, s03_ne_01 -> s03_s3_ne_01
        start, _, rest = name.partition("_")
        image = f"{subject}_{start[:1]}{start[1:].lstrip('0')}_{rest}"
    return dataset, subject, name, str(CLASSES.index(clip.label)), "", f"{image}.jpg", ""
