"""How long one clip's features take, stage by stage: medians over repeats, and ratios to the whole with DIS.

    python benchmarks/extraction.py --out benchmarks/extraction.json

Drawn faces are written as JPEGs to a temporary folder and read from the page cache: 280x340 as the cropped frames of
CASME II, and 640x480 with the face in the middle for landmarks and alignment. Times are those of one thread on one
core, without what it waits; absolute ones hold for one machine on one day, the ratios travel.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import process_time

import cv2
import numpy as np

from dfrnet.datasets import synthetic
from dfrnet.features import APEX, FLOWS, FeatureSpec, clip_features
from dfrnet.features.cache import load_or_extract
from dfrnet.features.extract import _finish, _grey_square
from dfrnet.features.maps import MAPS, Movement
from dfrnet.frames import image_folder
from dfrnet.types import Clip

SPEC = FeatureSpec(maps=("u", "v", "strain", "apex", "difference"), size=128)
CROPPED, WHOLE = (280, 340), (640, 480)
BASE = "whole, dis"


@dataclass(frozen=True)
class Row:
    what: str
    ms: float
    ratio: float


def written(clip: Clip, folder: Path, size: tuple[int, int]) -> Clip:
    """The clip from onset to offset as JPEGs, the face enlarged to fill the height, in the middle of a grey wall."""
    folder.mkdir(parents=True)
    width, height = size
    wall = round(0.8 * height) if size == WHOLE else height
    for number, at in enumerate(range(clip.onset, clip.offset + 1)):
        face = cv2.resize(clip.frames[at], (min(width, wall), wall), interpolation=cv2.INTER_CUBIC)
        picture = np.full((height, width, 3), 120, np.uint8)
        top, left = (height - face.shape[0]) // 2, (width - face.shape[1]) // 2
        picture[top : top + face.shape[0], left : left + face.shape[1]] = face
        cv2.imwrite(str(folder / f"img{number}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    return replace(
        clip, frames=image_folder(folder, clip.fps), onset=0, apex=clip.apex - clip.onset,
        offset=clip.offset - clip.onset, cropped=size == CROPPED,
    )  # fmt: skip


def stages(clip: Clip) -> dict[str, Callable[[], object]]:
    """Each stage of ``extract`` alone, on what the one before it yields."""
    pair = [clip.frames[at] for at in (clip.onset, clip.apex)]
    grey = [_grey_square(image, SPEC.frame_size) for image in pair]
    flow = FLOWS["dis"](*grey)

    def maps() -> dict[str, np.ndarray]:
        movement = Movement(*grey, lambda *_: flow, SPEC.centre)
        return {name: MAPS[name](movement) for name in SPEC.maps}

    made = maps()
    return {
        "read and decode two frames": lambda: [clip.frames[at] for at in (clip.onset, clip.apex)],
        "grey and resize": lambda: [_grey_square(image, SPEC.frame_size) for image in pair],
        **{f"flow, {name}": lambda name=name: FLOWS[name](*grey) for name in FLOWS},
        "head motion off, strain, other maps": maps,
        "scale and stack": lambda: _finish(made, SPEC),
    }


def wholes(clip: Clip, cache: Path) -> dict[str, Callable[[], object]]:
    found: dict[str, Callable[[], object]] = {
        f"whole, {name}": lambda name=name: clip_features(clip, replace(SPEC, flow=name)) for name in FLOWS
    }
    load_or_extract(clip, SPEC, cache)
    found["whole, from the cache"] = lambda: load_or_extract(clip, SPEC, cache)
    for name in APEX:
        if name not in {"auto", "annotated", "middle"}:
            found[f"apex search, {name}"] = lambda name=name: APEX[name](clip, clip.frames)
    return found


def aligned(clip: Clip) -> dict[str, Callable[[], object]]:
    return {
        f"whole from 640x480, {what}": lambda spec=spec: clip_features(clip, spec)
        for what, spec in {
            "frames as they are": replace(SPEC, align="none"),
            "aligned": replace(SPEC, align="face"),
            "aligned and stabilised": replace(SPEC, align="face", stabilise=True),
        }.items()
    }


def measured(calls: list[dict[str, Callable[[], object]]], repeats: int) -> dict[str, float]:
    """Milliseconds a clip: the median over repeats of the mean over clips; the calls take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls[0]}
    for repeat in range(repeats + 1):
        for name, of_name in times.items():
            start = process_time()
            for clip in calls:
                clip[name]()
            if repeat:  # the first round only warms up
                of_name.append((process_time() - start) * 1000 / len(calls))
    return {name: median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    drawn = synthetic.load("default", subjects=options.clips, clips_per_subject=1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        cropped = [written(clip, folder / "cropped" / clip.id, CROPPED) for clip in drawn]
        whole = [written(clip, folder / "whole" / clip.id, WHOLE) for clip in drawn]
        found = measured(
            [stages(c) | wholes(c, folder / "cache") | aligned(w) for c, w in zip(cropped, whole, strict=True)],
            options.repeats,
        )
    rows = [Row(what, ms, ms / found[BASE]) for what, ms in found.items()]
    frames = sum(len(clip.frames) for clip in cropped) / len(cropped)
    print(f"{'':42} {'ms a clip':>9} {'clips a second':>14} {'ratio':>6}   ({frames:.0f} frames a clip)")
    for row in rows:
        print(f"{row.what:42} {row.ms:9.2f} {1000 / row.ms:14.1f} {row.ratio:6.2f}")
    if options.out:
        record = {
            "machine": platform.processor() or platform.machine(), "repeats": options.repeats, "frames": frames,
            "opencv": cv2.__version__, "numpy": np.__version__, "rows": [vars(row) for row in rows],
        }  # fmt: skip
        options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
