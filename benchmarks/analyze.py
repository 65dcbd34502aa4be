"""How fast a recording is analysed from end to end, and whether memory grows with its length.

    python benchmarks/analyze.py --out benchmarks/analyze.json

Speed: ``dfrnet bench`` on a drawn face, 640x480, several times; medians and range. Memory: the resident set at every
minute of a recording of ten, made of one short drawn one again and again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from time import perf_counter

import av

from dfrnet import recognizer
from dfrnet.video.analyze import analyze
from dfrnet.video.bench import bench, drawn_video


def speed(model: str, seconds: float, fps: float, repeats: int) -> dict[str, object]:
    found = [bench(None, model, seconds, fps) for _ in range(repeats)]
    rates = [one.fps for one in found]
    middle = sorted(found, key=lambda one: one.fps)[len(found) // 2]
    return {
        "model": model or None, "recording_fps": fps, "frames": found[0].frames, "repeats": repeats,
        "frames_a_second": statistics.median(rates), "slowest": min(rates), "fastest": max(rates),
        "stages_ms": [asdict(stage) for stage in middle.stages],
    }  # fmt: skip


def repeated(path: Path, once: Path, times: int) -> Path:
    """The packets of ``once``, ``times`` after each other, without a new encoding."""
    with av.open(str(path), "w") as out:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(once)) as source:
                video = source.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                end = shift
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    end = max(end, packet.pts + packet.duration)
                    out.mux(packet)
                shift = end
    return path


def resident() -> float:
    """Megabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def memory(minutes: int, fps: float, model: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        once = drawn_video(Path(folder) / "once.mp4", 20, fps)
        path = repeated(Path(folder) / "long.mp4", once, 3 * minutes)
        marks: list[float] = []

        def look(done: float, total: float | None) -> None:
            del total
            if done >= 60 * len(marks):
                marks.append(round(resident(), 1))

        begun = perf_counter()
        found = analyze(path, recognizer.load(model) if model else None, progress=look)
        took = perf_counter() - begun
    return {
        "model": model or None, "minutes": minutes, "recording_fps": fps, "frames": found.record["frames"],
        "megabytes_at_each_minute": marks, "frames_a_second": found.record["frames"] / took,
        "events": len(found.events),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--fps", type=float, default=100.0, help="of the long recording")
    parser.add_argument("--model", default="maps")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = {
        "machine": {"cores": len(os.sched_getaffinity(0)), "processor": platform.processor() or platform.machine()},
        "speed": [
            speed(model, options.seconds, fps, options.repeats)
            for fps in (200.0, 30.0)
            for model in ("", options.model)
        ],
        "memory": memory(options.minutes, options.fps, options.model) if options.minutes else None,
    }
    text = json.dumps(found, indent=1) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
