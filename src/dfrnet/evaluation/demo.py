"""The demo: the main job on drawn faces, small enough for two minutes on two cores."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from dfrnet.datasets import synthetic
from dfrnet.evaluation.records import Run
from dfrnet.evaluation.run import evaluate, evaluate_controls
from dfrnet.methods import METHODS

log = logging.getLogger(__name__)

SUBJECTS, CLIPS_PER_SUBJECT = 8, 12
SETTINGS = {
    "size": "28",
    "widths": "32,64,128",
    "fusion": "place",
    "epochs": "12",
    "batch_size": "16",
    "average": "0.9",
}
"""All three branches of DFR-Net at half its width on 28x28 maps, sized for a first minute.

The fusion is the variant that keeps the place of the motion: the printed one, which lets the flow in only as a weight
of channels, is still at chance after the few steps that a minute allows.
"""


def demo(out: Path, *, seed: int = 0, jobs: int = 1, progress: Callable[[int, int], None] | None = None) -> Run:
    """Draw the synthetic set, extract, run LOSO for dfrnet and its controls into ``out``."""
    clips = synthetic.load("default", subjects=SUBJECTS, clips_per_subject=CLIPS_PER_SUBJECT)
    method = METHODS["dfrnet"]
    settings = method.configured(changes=SETTINGS)
    run = evaluate(
        method, clips, out, settings=settings, data=["synthetic"], selection="audit", seeds=[seed], jobs=jobs,
        progress=progress,
    )  # fmt: skip
    for reason in evaluate_controls(out, clips, data=["synthetic"], jobs=jobs):
        log.warning("no control row, %s", reason)
    return run
