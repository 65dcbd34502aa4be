"""How fast the whole path is on this machine, stage by stage."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from time import perf_counter

import numpy as np

from dfrnet import recognizer
from dfrnet.types import Event, UserError
from dfrnet.video.sources import open_source
from dfrnet.video.watch import STAGES, Watcher

WIDTH, HEIGHT = 640, 480
SHARE = 0.7  # of the picture's height that the drawn face's square takes
WARM = 20  # frames before measuring: networks load, buffers grow
SEED = 134  # of a recording with a micro-movement from 3.7 to 4.0 s, after the first seconds in which a face is learned
LEAST = 5.0  # seconds of it that hold this movement


@dataclass(frozen=True)
class Stage:
    """Milliseconds of one stage: half of its calls take no longer than ``p50``; ``mean`` is what it costs a frame."""

    name: str
    p50: float
    p95: float
    mean: float


@dataclass(frozen=True)
class Bench:
    """``frames`` of ``width`` x ``height`` took ``seconds`` from file to events; ``fps`` is what that makes a second.

    The first ``WARM`` frames are not among them. ``micro`` of the ``events`` are those that a model is asked about.
    ``decode`` runs in a thread beside the others; the other stages follow one another.
    """

    source: str
    width: int
    height: int
    frames: int
    seconds: float
    events: int
    micro: int
    stages: tuple[Stage, ...]

    @property
    def fps(self) -> float:
        return self.frames / self.seconds


def bench(video: Path | None = None, model: str = "", seconds: float = 10.0, fps: float = 200.0) -> Bench:
    """Measure on a video, or on ``seconds`` of a drawn face at ``fps``; ``model`` "" for movements only."""
    with tempfile.TemporaryDirectory() as folder:
        path = video or drawn_video(Path(folder) / "drawn.mp4", seconds, fps)
        decode, (width, height) = _decoding(path)
        watcher = Watcher(recognizer.load(model) if model else None, timed=True)
        found: list[Event] = []
        count = 0
        begun = perf_counter()
        with open_source(path) as source:
            for frame in source:
                count += 1
                found += watcher.update(frame)
                if count == WARM:
                    begun = perf_counter()
            found += watcher.finish()
        took = perf_counter() - begun
    if count <= WARM:
        raise UserError(f"{path}: {count} frames are too few to measure; more than {WARM} are needed")
    measured = {"decode": decode[WARM:]} | {name: watcher.spent[name][WARM:] for name in STAGES}
    stages = tuple(_stage(name, times, count - WARM) for name, times in measured.items() if times)
    name = str(video) if video else f"a drawn face at {fps:g} frames a second"
    micro = sum(event.kind == "micro" for event in found)
    return Bench(name, width, height, count - WARM, took, len(found), micro, stages)


def _stage(name: str, times: Sequence[float], frames: int) -> Stage:
    milliseconds = 1000 * np.asarray(times)
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return Stage(name, float(p50), float(p95), float(milliseconds.sum() / frames))


def _decoding(path: Path) -> tuple[list[float], tuple[int, int]]:
    """Seconds a frame of reading alone, and the size of the frames."""
    times, size = [], (0, 0)
    before = perf_counter()
    with open_source(path) as source:
        for frame in source:
            size = (frame.grey.shape[1], frame.grey.shape[0])
            times.append(perf_counter() - before)
            before = perf_counter()
    return times, size


def drawn_video(path: Path, seconds: float, fps: float, seed: int = SEED) -> Path:
    """Write a drawn face that moves now and then, H.264, 640 x 480."""
    import av

    from dfrnet.datasets.synthetic_recordings import framed, recordings

    frames = framed(recordings(1, seconds / 60, fps, seed)[0], WIDTH, HEIGHT, SHARE * HEIGHT / 128)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": "18", "preset": "veryfast"}
        for index in range(len(frames)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frames[index], format="rgb24")))
        container.mux(stream.encode())
    return path


def render(found: Bench, format: str) -> str:  # noqa: A002
    """A table for people, or JSON."""
    if format == "json":
        return json.dumps({**asdict(found), "fps": found.fps}) + "\n"
    lines = [
        f"{found.source}, {found.width}x{found.height}, {found.frames} frames measured (the first {WARM} are not)",
        "",
    ]
    lines.append(f"{'stage':<10} {'p50 ms':>8} {'p95 ms':>8} {'ms a frame':>11}")
    lines += [f"{one.name:<10} {one.p50:8.2f} {one.p95:8.2f} {one.mean:11.2f}" for one in found.stages]
    events = f"{found.events} event{'s' * (found.events != 1)}"
    lines += ["", f"{found.fps:.0f} frames a second from file to {events} (decoding runs beside the rest)"]
    if not found.micro:
        lines.append(
            "note: no micro-movement was found in it, so that no model was asked and recognise looks cheap; measure "
            f"a longer recording, {LEAST:g} s or more of the drawn face"
        )
    return "\n".join(lines) + "\n"
