"""One recording, start to end -> a Recording: what was found, what could not be assessed, and with what."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dfrnet import __version__
from dfrnet.recognizer import Recognizer
from dfrnet.types import Interval, Recording, UserError
from dfrnet.video.quality import REASONS
from dfrnet.video.sources import open_source
from dfrnet.video.watch import Settings, Watcher

NO_FACE = "no face was found in it"
SKIPPED = "skipped"
USE = "Candidates for a person to confirm. A movement is no proof of a feeling, of its absence or of a lie."
NOTICE = (
    "Inferring emotions of people at work or in education is prohibited in the European Union (AI Act, Article "
    "5(1)(f)), but for medical and safety reasons."
)
LIBRARIES = ("numpy", "cv2", "av", "onnxruntime", "torch")
"""Those on which results depend; the record has the versions of the ones that were loaded."""


def analyze(
    what: str | Path | int,
    recognizer: Recognizer | None = None,
    *,
    fps: float | None = None,
    face: str = "largest",
    start: float = 0.0,
    end: float | None = None,
    progress: Callable[[float, float | None], None] | None = None,
) -> Recording:
    """Look at a video file or a folder of pictures from ``start`` to ``end`` (seconds) and tell what moved.

    ``recognizer`` None: movements only. ``face`` as for :class:`Watcher`. Memory does not grow with the recording.
    ``progress(seconds done, seconds in all or None)``. UserError in one sentence for what cannot be read.
    """
    if end is not None and not end > start:
        raise UserError(f"--start {start} --end {end}: the end must come after the start")
    watcher = Watcher(recognizer, face=face)
    events, count, first, last = [], 0, 0.0, 0.0
    with open_source(what, fps) as source:
        for frame in source:
            if frame.time < start:
                continue
            if end is not None and frame.time > end:
                break
            events += watcher.update(frame)
            first, last, count = (first if count else frame.time), frame.time, count + 1
            if progress:
                progress(frame.time, source.declared_duration)
    notes = list(source.notes)  # not before it is closed: only then are they complete
    if not count:
        raise UserError(f"{what}: it ends before --start {start} s")
    events += watcher.finish()
    last += 1 / watcher.fps if watcher.fps else 0.0  # the last frame is seen as long as the others
    intervals = (*_before(first, start), *watcher.intervals(last))
    notes += watcher.cautions
    notes += _on_faces(watcher, face)
    return Recording(
        source=str(what), duration=last, fps=watcher.fps,
        events=tuple(sorted(map(watcher.doubted, events), key=lambda event: (event.start, event.track))),
        intervals=intervals, tracks=tuple(watcher.spans), curve=watcher.curve.points, start=first,
        spans=dict(watcher.spans),
        record={
            "dfrnet": __version__, "use": USE, "frames": count, "notes": notes,
            "asked": {"face": face, "start": start, "end": end, "fps": fps},
            **_with(watcher.settings, recognizer),
        },
    )  # fmt: skip


def _on_faces(watcher: Watcher, face: str) -> list[str]:
    """What to know where no face was watched, or none for long."""
    longest = max((last - first for first, last in watcher.spans.values()), default=None)
    if longest is None:
        if face in ("largest", "all") or not watcher.count:
            return [NO_FACE]
        return [f"no face with the number {face} was found in it; its faces have the numbers 1 to {watcher.count}"]
    settle = watcher.settings.spotting.settle
    if longest < 2 * settle:
        return [
            f"no face is there for longer than {longest:.1f} s; what is usual for one is learnt in its first "
            f"{settle:g} s, so little can be told of so short a time"
        ]
    return []


def _before(first: float, start: float) -> list[Interval]:
    return [Interval(0.0, first, SKIPPED)] if start > 0 and first > 0 else []


def _with(settings: Settings, recognizer: Recognizer | None) -> dict[str, Any]:
    """What a recording was analysed with, as JSON holds it."""
    record: dict[str, Any] = {
        "reasons": {**REASONS, SKIPPED: "it was not looked at"}, "settings": asdict(settings),
        "versions": {name: str(sys.modules[name].__version__) for name in LIBRARIES if name in sys.modules},
        "model": None,
    }  # fmt: skip
    if recognizer is not None:
        said = recognizer.record()
        told = ("method", "classes", "trained_on", "temperature", "threshold")
        record["notice"] = NOTICE
        record["model"] = {
            "file": recognizer.file, "sha256": recognizer.sha256, **{name: said[name] for name in told},
            "terms": recognizer.terms,
        }  # fmt: skip
    return record
