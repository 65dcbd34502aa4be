"""What the tests write to disk and draw in memory: a tiny copy of the released maps' layout, and arrays."""

from __future__ import annotations

import csv
import hashlib
import os
from pathlib import Path

import cv2
import numpy as np

from dfrnet.datasets import released_maps

REPOSITORY = Path(__file__).parents[1]
SHEET_COLUMNS = ("dataset", "sub", "filename_o", "label", "apex", "imagename", "sub_filename")
SUBJECTS = (
    ("casme2", "sub01"), ("casme2", "sub02"), ("smic", "s03"), ("smic", "s11"), ("samm", "006"), ("samm", "037"),
)  # fmt: skip
CLASS_LETTERS = ("ne", "po", "sur")


def clip_names(dataset: str, subject: str, number: int, label: int) -> tuple[str, str, str]:
    """(filename_o, name of the map without .png, imagename), each spelled as in the real clone."""
    if dataset == "casme2":
        name = f"EP{number:02d}_0{number}f"
        return name, f"{subject}_{name}", f"{subject}_{name}.jpg"
    if dataset == "smic":
        kind, short = CLASS_LETTERS[label], f"s{int(subject[1:])}"
        name = f"{subject}_{kind}_{number:02d}"
        return name, f"{subject}_{name}", f"{subject}_{short}_{kind}_{number:02d}.jpg"
    name = f"{subject}_{number}_{number + 1}"
    return name, f"{subject}_{name}", f"{subject}_{name}.jpg"


def write_maps(root: Path, subjects=SUBJECTS, clips: int = 3, size: int = 28, apex: bool = False) -> Path:
    """A tree that ``released_maps.load`` reads: clip k of a subject has class k % 3, seen in its place."""
    flows, faces = root / released_maps.FLOW_FOLDER, root / released_maps.APEX_FOLDER
    flows.mkdir(parents=True)
    rows = []
    if apex:
        faces.mkdir(parents=True)
    for dataset, subject in subjects:
        for k in range(clips):
            label = k % 3
            name, map_name, image_name = clip_names(dataset, subject, k + 1, label)
            seed = int.from_bytes(hashlib.sha256(map_name.encode()).digest()[:4], "big")
            write_png(flows / f"{map_name} .png", motion_picture(label, size, np.random.default_rng(seed)))
            if apex:
                face = np.random.default_rng(seed).integers(0, 256, (56, 56, 3), dtype=np.uint8)
                write_png(faces / image_name.replace(".jpg", ".png"), face)
            rows.append([dataset, subject, name, label, "", image_name, ""])
    with (root / released_maps.SHEET).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([SHEET_COLUMNS, *rows])
    return root


def motion_picture(label: int, size: int, random: np.random.Generator) -> np.ndarray:
    """RGB uint8: motion in the upper, lower left or lower right part, by class, over noise."""
    y, x = np.mgrid[:size, :size] / size
    centre = ((0.25, 0.5), (0.7, 0.3), (0.7, 0.75))[label]
    bump = np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / 0.02)
    channels = [128 + 90 * bump * (1 - label), 128 + 90 * bump * (label - 0.5), 200 * bump]
    noise = random.normal(0, 20, (size, size, 3))
    return np.clip(np.stack(channels, -1) + noise, 0, 255).astype(np.uint8)


def write_png(path: Path, rgb: np.ndarray) -> None:
    done, data = cv2.imencode(".png", rgb[..., ::-1] if rgb.ndim == 3 else rgb)
    assert done
    path.write_bytes(data.tobytes())


def separable(
    n: int = 24, size: int = 16, channels: int = 3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """x (n, channels, size, size), y and subjects: class k is a bright band k in every channel, over little noise."""
    random = np.random.default_rng(seed)
    y = np.arange(n, dtype=np.int64) % 3
    x = 0.1 * random.standard_normal((n, channels, size, size)).astype(np.float32)
    band = size // 3
    for i, label in enumerate(y):
        x[i, :, label * band : (label + 1) * band] += 1
    return x, y, [f"d/s{i // 6}" for i in range(n)]


def tree_state(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file below ``folder``: its hash and time of writing; folders too, so that nothing new goes unseen."""
    state = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b"folder"
        stamp = path.stat().st_mtime_ns if path.is_file() else 0
        state[str(path.relative_to(folder))] = (hashlib.sha256(content).hexdigest(), stamp)
    return state


def child_environment() -> dict[str, str]:
    """For a subprocess that runs the source tree."""
    path = os.pathsep.join(filter(None, [str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "NO_COLOR": "1", "COLUMNS": "120"}
