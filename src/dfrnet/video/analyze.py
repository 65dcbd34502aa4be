"""One recording, start to end -> a Recording: what was found, what could not be assessed, and with what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dfrnet import __version__
from dfrnet.recognizer import Recognizer
from dfrnet.types import Interval, Recording, UserError
from dfrnet.video.quality import REASONS
from dfrnet.video.sources import open_source
from dfrnet.video.watch import Watcher

NO_FACE = "no face was found in it"
SKIPPED = "skipped"
USE = "Candidates for a person to confirm. A movement is no proof of a feeling, of its absence or of a lie."


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
        notes = list(source.notes)
    if not count:
        raise UserError(f"{what}: it ends before --start {start} s")
    events += watcher.finish()
    last += 1 / watcher.fps if watcher.fps else 0.0  # the last frame is seen as long as the others
    notes += watcher.cautions
    if not watcher.tracks:
        notes.append(NO_FACE if face in ("largest", "all") else f"no face with the number {face} was found in it")
    return Recording(
        source=str(what), duration=last, fps=watcher.fps,
        events=tuple(sorted(events, key=lambda event: (event.start, event.track))),
        intervals=(*_before(first, start), *watcher.intervals(last)), tracks=tuple(watcher.tracks),
        curve=watcher.curve.points,
        record=_record(recognizer, face, notes, first, count),
    )  # fmt: skip


def _before(first: float, start: float) -> list[Interval]:
    return [Interval(0.0, first, SKIPPED)] if start > 0 and first > 0 else []


def _record(recognizer: Recognizer | None, face: str, notes: list[str], start: float, frames: int) -> dict[str, Any]:
    record: dict[str, Any] = {
        "dfrnet": __version__, "use": USE, "frames": frames, "start": round(start, 3), "face": face, "notes": notes,
        "reasons": {**REASONS, SKIPPED: "it was not looked at"}, "model": None,
    }  # fmt: skip
    if recognizer is not None:
        said = recognizer.record()
        record["model"] = {
            name: said[name] for name in ("method", "classes", "trained_on", "temperature", "threshold") if name in said
        }
    return record
