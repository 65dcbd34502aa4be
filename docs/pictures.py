"""Draw the README's pictures: the maps of one synthetic clip, the timeline of one drawn recording.

Run: python docs/pictures.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dfrnet.datasets import synthetic
from dfrnet.features import FeatureSpec, extract
from dfrnet.video.analyze import analyze
from dfrnet.video.bench import drawn_video
from dfrnet.video.timeline import timeline

MAPS = ("u", "v", "strain", "difference")
TITLES = {"u": "u: to the right", "v": "v: downwards", "strain": "optical strain", "difference": "|apex - onset|"}


def main() -> None:
    """Write docs/maps.png and docs/timeline.png."""
    maps()
    with tempfile.TemporaryDirectory() as folder:
        found = analyze(drawn_video(Path(folder) / "drawn face.mp4", 40, 100, seed=2))
    Path(__file__).with_name("timeline.png").write_bytes(timeline(found))


def maps() -> None:
    """The frames and maps of one clip."""
    clips = synthetic.load("default")
    clip = next(clip for clip in clips if clip.id == "synthetic/s02/c09")
    assert clip.apex is not None
    drawn = extract(clip.frames, FeatureSpec(maps=MAPS, size=128), clip.onset, clip.apex).maps
    figure = Figure(figsize=(12, 2.5), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 6)
    pictures = [clip.frames[clip.onset], clip.frames[clip.apex], *drawn]
    milliseconds = 1000 * (clip.apex - clip.onset) / clip.fps
    titles = ["onset", f"apex, {milliseconds:.0f} ms later", *(TITLES[name] for name in MAPS)]
    for axis, picture, title in zip(axes, pictures, titles, strict=True):
        signed = picture.ndim == 2 and bool(np.any(picture < 0))
        shades = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1} if signed else {"cmap": "magma", "vmin": 0, "vmax": 1}
        axis.imshow(picture, **({} if picture.ndim == 3 else shades))
        axis.set_title(title, fontsize=11)
        axis.axis("off")
    figure.savefig(Path(__file__).with_name("maps.png"))
    print(f"{clip.id}: {clip.label}, {', '.join(clip.action_units)}")


if __name__ == "__main__":
    main()
