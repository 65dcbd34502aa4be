"""The timeline picture of one recording: how much the face moved, what was found, what could not be assessed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from dfrnet.types import Event, Interval, Recording

KINDS = {"micro": "#d55e00", "macro": "#0072b2"}  # of Okabe and Ito (2008): told apart by every eye
OTHER = "#555555"
BLANK = "#dddddd"
CAPTION = "Candidates for a person to confirm. A movement is no proof of a feeling."


def timeline(recording: Recording) -> bytes:
    """A PNG: the curve of movement, and a row for each face with its events; grey is what is not assessable."""
    from matplotlib.figure import Figure

    faces, curve = recording.faces or (0,), recording.curve
    figure = Figure(figsize=(12, 1.6 + 0.9 * len(faces) + 1.2 * bool(curve)), layout="constrained")
    rows = figure.subplots(
        len(faces) + bool(curve), 1, sharex=True, squeeze=False,
        height_ratios=[2] * bool(curve) + [1] * len(faces),
    )[:, 0]  # fmt: skip
    if curve:
        rows[0].plot(*zip(*curve, strict=True), color="#333333", linewidth=0.7)
        rows[0].set(ylim=(0, 1.02), ylabel="movement")
        _shade(rows[0], recording.intervals, None)
    for row, face in zip(rows[bool(curve) :], faces, strict=True):
        _face_row(row, recording, face)
    rows[-1].set(xlim=(0, max(recording.duration, 1e-3)), xlabel="seconds")
    figure.suptitle(_title(recording), fontsize=10, x=0.01, ha="left")
    figure.supxlabel(CAPTION, fontsize=8, color="#666666", x=0.99, ha="right")
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": "dfrnet"})
    return out.getvalue()


def _title(recording: Recording) -> str:
    count = {kind: sum(event.kind == kind for event in recording.events) for kind in KINDS}
    found = ", ".join(f"{number} {kind}" for kind, number in count.items())
    share = f"{recording.assessable:.0%} assessable"
    return f"{recording.source}: {found} candidates; {recording.fps:.4g} frames a second; {share}"


def _face_row(row: Any, recording: Recording, face: int) -> None:
    _shade(row, recording.intervals, face)
    for event in recording.events:
        if event.track != face:
            continue
        colour = KINDS.get(event.kind, OTHER)
        # A line as well: a movement of 0.2 s in an hour is narrower than a pixel.
        row.axvspan(event.start, event.end, ymin=0.1, ymax=0.6, color=colour, alpha=0.35 + 0.6 * event.score, lw=0)
        row.plot([event.apex, event.apex], [0.1, 0.6], color=colour, linewidth=1.2)
        row.text(event.apex, 0.68, _words(event), fontsize=7, rotation=30, ha="left", va="bottom", color=colour)
    row.set(ylim=(0, 1.6), yticks=[], ylabel=f"face {face}" if face else "")


def _shade(row: Any, intervals: Sequence[Interval], face: int | None) -> None:
    for one in intervals:
        if one.track is None or one.track == face:
            row.axvspan(one.start, one.end, color=BLANK, lw=0, zorder=0)


def _words(event: Event) -> str:
    where = event.regions[0].replace("_", " ") if event.regions else ""
    return " ".join(filter(None, (event.label or event.kind, where)))
