"""Damaged video files must be read, or refused in one sentence: no crash, no hang.

    python benchmarks/fuzz_video.py --files 2000 --out benchmarks/fuzz_video.json

Small videos of many containers and codecs are made, damaged (bits, bytes, blocks, sizes of atoms, cut ends) and given
to a target in worker processes, each of which takes many files. A worker that dies or does not answer in time is
replaced, and its file is blamed. File K of a seed is always the same: ``--only K --keep FOLDER`` makes it again.
Exit status 1 if there was a crash or a hang.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from random import Random

import av

from dfrnet.datasets.synthetic_recordings import recordings
from dfrnet.types import UserError
from dfrnet.video import sources
from dfrnet.video.analyze import analyze

SEEDS = {
    "h264.mp4": ("libx264", "yuv420p", {"bf": "2", "g": "8"}),
    "h264.mov": ("libx264", "yuv420p", {"bf": "0"}),
    "hevc.mp4": ("libx265", "yuv420p10le", {"x265-params": "log-level=none:frame-threads=1:pools=1"}),
    "mpeg4.mp4": ("mpeg4", "yuv420p", {"bf": "2"}),
    "prores.mov": ("prores_ks", "yuv422p10le", {}),
    "rle.mov": ("qtrle", "rgb24", {}),
    "h264.mkv": ("libx264", "yuv444p", {"bf": "2"}),
    "ffv1.mkv": ("ffv1", "bgr0", {}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}),
    "mpeg4.avi": ("mpeg4", "yuv420p", {"bf": "2"}),
    "h264.avi": ("libx264", "yuv420p", {"bf": "2"}),
    "raw.avi": ("rawvideo", "bgr24", {}),
    "vp8.webm": ("libvpx", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    "av1.mkv": ("libsvtav1", "yuv420p", {"preset": "12", "svtav1-params": "lp=1"}),
    "mpeg2.ts": ("mpeg2video", "yuv420p", {"bf": "2"}),
    "mpeg2.mpg": ("mpeg2video", "yuv420p", {"bf": "2"}),
    "wmv2.wmv": ("wmv2", "yuv420p", {}),
    "flv1.flv": ("flv", "yuv420p", {}),
    "stream.h264": ("libx264", "yuv420p", {"bf": "2"}),
    "moving.gif": ("gif", "rgb8", {}),
}
WIDTH, HEIGHT, FRAMES = 128, 128, 30
NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
GIVEN_UP = "no frame came for"


def make(path: Path, codec: str, form: str, options: dict[str, str]) -> None:
    """A drawn face, so that what looks for faces finds one."""
    frames = recordings(1, (FRAMES + 1) / 25 / 60, 25)[0]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = WIDTH, HEIGHT, form, options
        for number in range(FRAMES):
            picture = frames[number]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=form)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def flip(data: bytearray, at: int, rng: Random) -> None:
    for _ in range(rng.choice((1, 4, 32))):
        data[min(len(data) - 1, at + rng.randrange(256))] ^= 1 << rng.randrange(8)


def insert(data: bytearray, at: int, rng: Random) -> None:
    data[at:at] = rng.randbytes(rng.choice((1, 4, 100)))


def remove(data: bytearray, at: int, rng: Random) -> None:
    del data[at : at + rng.choice((1, 4, 100))]


def zero(data: bytearray, at: int, rng: Random) -> None:
    end = min(len(data), at + rng.choice((4, 64, 1024)))
    data[at:end] = bytes(end - at)


def number(data: bytearray, at: int, rng: Random) -> None:
    """A number of four bytes that may be a size or a count becomes an extreme one."""
    data[at : at + 4] = rng.choice(NUMBERS).to_bytes(4, rng.choice(("big", "little")))


def cut(data: bytearray, at: int, rng: Random) -> None:
    del data[max(at, rng.randrange(len(data))) :]


def swap(data: bytearray, at: int, rng: Random) -> None:
    size = rng.choice((16, 200, 2000))
    other = rng.randrange(len(data))
    one, two = data[at : at + size], data[other : other + size]
    data[at : at + size], data[other : other + size] = two, one


def repeat(data: bytearray, at: int, rng: Random) -> None:
    data[at:at] = data[at : at + rng.choice((16, 200, 2000))]


def atom(data: bytearray, at: int, rng: Random) -> None:
    """The size, or the first field, of something that has a name of four letters (MP4, MOV, AVI)."""
    del at
    named = [found.start() for found in re.finditer(rb"[a-zA-Z]{3}[a-zA-Z0-9 ]", data)]
    if named:
        place = max(0, rng.choice(named) + rng.choice((-4, 4, 8, 12, 16)))
        number(data, place, rng)


MUTATIONS: dict[str, Callable[[bytearray, int, Random], None]] = {
    one.__name__: one for one in (flip, insert, remove, zero, number, cut, swap, repeat, atom)
}


def mutated(data: bytes, rng: Random) -> tuple[bytes, list[str]]:
    """One to three changes; half of them near the ends, where headers lie."""
    changed, names = bytearray(data), []
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice(list(MUTATIONS))
        at = rng.randrange(len(changed))
        if rng.random() < 0.5:
            near = rng.randrange(min(1500, len(changed)))
            at = near if rng.random() < 0.6 else len(changed) - 1 - near
        MUTATIONS[name](changed, at, rng)
        names.append(name)
        if not changed:
            break
    return bytes(changed), names


def read(path: Path) -> str:
    """Every frame, with both kinds of pixels."""
    before, shapes = -1.0, set()
    with sources.open_source(path) as source:
        for frame in source:
            assert before < frame.time, "times must ascend"
            before = frame.time
            shapes.add(frame.grey.shape)
            assert frame.image.shape == (*frame.grey.shape, 3), "both pictures must have one shape"
        assert len(shapes) == 1, "all frames must have one shape"
        return "read, with notes" if source.notes else "read"


def analyzed(path: Path) -> str:
    """The whole path from a file to events, movements only."""
    return "read, with notes" if analyze(path).record["notes"] else "read"


TARGETS: dict[str, Callable[[Path], str]] = {"read": read, "analyze": analyzed}
"""What is done with each file: a function of its path that returns how it went and raises UserError to refuse it."""


def outcome(target: str, path: Path) -> tuple[str, str]:
    try:
        return TARGETS[target](path), ""
    except UserError as error:
        text = str(error)
        if "\n" in text:
            return "crash", f"not one sentence: {text!r}"
        return ("given up" if GIVEN_UP in text else "refused"), text
    except BaseException:
        return "crash", traceback.format_exc()


def work(connection: Connection, target: str, folder: Path, seed: int, limit: float) -> None:
    """A worker: numbers of files in, outcomes out."""
    sources.PATIENCE = limit / 2  # to see the source's own limit at work before ours
    connection.send("ready")  # the limit is that of a file, not that of starting Python
    while True:
        file = connection.recv()
        path, changes = write(folder, seed, file)
        began = time.perf_counter()
        how, words = outcome(target, path)
        spent = time.perf_counter() - began
        path.unlink()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        connection.send((how, words, spent, peak, changes))


def write(folder: Path, seed: int, file: int) -> tuple[Path, list[str]]:
    names = [one for one in SEEDS if (folder / one).exists()]
    rng = Random(f"{seed} {file}")
    name = names[file % len(names)]
    data, changes = mutated((folder / name).read_bytes(), rng)
    path = folder / f"{file}.{name}"
    path.write_bytes(data)
    return path, changes


class Worker:
    """One process, with one file at a time."""

    def __init__(self, *settings: object) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(target=work, args=(theirs, *settings), daemon=True)
        self.process.start()
        theirs.close()
        self.connection.recv()
        self.file, self.began = -1, 0.0

    def give(self, file: int) -> None:
        self.file, self.began = file, time.monotonic()
        self.connection.send(file)

    def end(self) -> int:
        self.process.kill()
        self.process.join()
        return self.process.exitcode or 0


def run(target: str, folder: Path, files: list[int], seed: int, limit: float, jobs: int) -> list[dict[str, object]]:
    """One row for each file: its number, its seed video, the outcome, words, seconds, megabytes of the worker."""
    names = [one for one in SEEDS if (folder / one).exists()]
    waiting, rows = list(reversed(files)), []
    workers = [Worker(target, folder, seed, limit) for _ in range(min(jobs, len(files)))]
    for worker in workers:
        worker.give(waiting.pop())
    while workers:
        wait([worker.connection for worker in workers], 0.5)
        for worker in list(workers):
            how, words, spent, peak, changes = answer(worker, limit)
            if how is None:
                continue
            rows.append(
                {"file": worker.file, "name": names[worker.file % len(names)], "how": how, "words": words,
                 "seconds": round(spent, 3), "megabytes": peak, "changes": changes}
            )  # fmt: skip
            if how in {"signal", "hang", "given up"}:  # the last one left a thread behind
                worker.end()
                workers[workers.index(worker)] = worker = Worker(target, folder, seed, limit)
            if waiting:
                worker.give(waiting.pop())
            else:
                worker.end()
                workers.remove(worker)
            if len(rows) % 200 == 0:
                print(f"{len(rows)} of {len(files)}", dict(Counter(row["how"] for row in rows)), file=sys.stderr)
    return rows


def answer(worker: Worker, limit: float) -> tuple[str | None, str, float, int, list[str]]:
    """What a worker has to say; first None while it is still at it."""
    spent = time.monotonic() - worker.began
    try:
        if worker.connection.poll():
            return worker.connection.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        return "signal", f"the worker ended with {worker.process.exitcode}", spent, 0, []
    if spent > limit:
        return "hang", f"no answer in {limit:g} s", spent, 0, []
    return None, "", 0.0, 0, []


def made_seeds(folder: Path) -> list[str]:
    for name, (codec, form, options) in SEEDS.items():
        try:
            make(folder / name, codec, form, options)
        except (ValueError, av.error.FFmpegError) as error:  # not every build of FFmpeg encodes everything
            print(f"{name} left out: {error}", file=sys.stderr)
            (folder / name).unlink(missing_ok=True)
    return [name for name in SEEDS if (folder / name).exists()]


def summary(rows: list[dict[str, object]], options: argparse.Namespace, names: list[str]) -> dict[str, object]:
    bad = [row for row in rows if row["how"] in {"crash", "signal", "hang"}]
    return {
        "target": options.target, "files": len(rows), "seed": options.seed, "limit_s": options.limit,
        "outcomes": dict(Counter(str(row["how"]) for row in rows).most_common()),
        "by_video": {
            name: dict(Counter(str(row["how"]) for row in rows if row["name"] == name).most_common()) for name in names
        },
        "slowest_s": max(float(str(row["seconds"])) for row in rows),
        "peak_megabytes": max(int(str(row["megabytes"])) for row in rows),
        "pyav": av.__version__, "libavcodec": ".".join(map(str, av.library_versions["libavcodec"])),
        "failures": bad,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=list(TARGETS), default="read")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for one file")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, action="append", help="the number of a file; may be repeated")
    parser.add_argument("--keep", type=Path, help="folder for the files that failed, or those of --only")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        names = made_seeds(folder)
        rows = run(
            options.target,
            folder,
            options.only or list(range(options.files)),
            options.seed,
            options.limit,
            options.jobs,
        )
        found = summary(rows, options, names)
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            for file in options.only or [int(str(row["file"])) for row in found["failures"]]:  # type: ignore[attr-defined]
                shutil.copy(write(folder, options.seed, file)[0], options.keep)
    text = json.dumps(found, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    return 1 if found["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
