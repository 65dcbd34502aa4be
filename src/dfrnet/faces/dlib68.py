"""The 68 points by dlib, where it is installed: a second opinion for comparisons.

Its shape predictor was trained on iBUG 300-W, whose pictures are for research and not for commercial use.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dfrnet.types import Array, Image, UserError

MODEL = "shape_predictor_68_face_landmarks.dat"
PACKAGE = "face_recognition_models"
SYSTEM_FOLDER = Path("/usr/share/dlib")  # where Debian's libdlib-data puts it
INSTALL = "install it with: pip install 'dfrnet[dlib]'"

LEAST_FACE = 80  # pixels: the detector's smallest face


def faces(image: Image) -> list[tuple[Array, float]]:
    """The 68 points, float32 (68, 2), and the score 0..1 of every face of an RGB picture.

    Small pictures are enlarged, and where nothing is found, the picture is looked at again with a margin.
    """
    detector, predictor = _load()
    # A face of a quarter of the picture's longer side should be large enough for the detector.
    enlarge = int(max(image.shape[:2]) < 4 * LEAST_FACE)
    for margin in (0, max(image.shape[:2]) // 2):
        wide = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REPLICATE) if margin else image
        wide = np.ascontiguousarray(wide)
        boxes, scores, _ = detector.run(wide, enlarge, 0.0)
        if len(boxes):
            return [
                (_points(predictor(wide, box)) - margin, _chance(score))
                for box, score in zip(boxes, scores, strict=True)
            ]
    return []


def _points(shape: Any) -> Array:
    return np.array([(part.x, part.y) for part in shape.parts()], np.float32)


def _chance(score: float) -> float:
    """The distance from the deciding plane, 0 and above, as a number between a half and one."""
    return float(1 / (1 + np.exp(-score)))


@cache
def _load() -> tuple[Any, Any]:
    path = model_path()
    try:
        dlib: Any = import_module("dlib")  # not a statement: it brings no types
    except ModuleNotFoundError:
        raise UserError(f"landmarks=dlib needs the package dlib; {INSTALL}") from None
    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(path))


def model_path() -> Path:
    """The file of the shape predictor; UserError that says how to get it."""
    folders = [SYSTEM_FOLDER]
    spec = find_spec(PACKAGE)  # found, not imported: importing it needs pkg_resources, which new setuptools lack
    if spec is not None:
        folders = [Path(place, "models") for place in spec.submodule_search_locations or ()] + folders
    for folder in folders:
        if (folder / MODEL).is_file():
            return folder / MODEL
    raise UserError(
        f"landmarks=dlib needs {MODEL} (trained on 300-W, not for commercial use); {INSTALL}, "
        "or on Debian: apt install libdlib-data"
    )
