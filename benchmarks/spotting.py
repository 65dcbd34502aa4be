"""How well planted movements are found in long drawn recordings: F1, false alarms a minute, errors in milliseconds.

    python benchmarks/spotting.py --jobs 2 --out benchmarks/spotting.json

Each rate sees the same people and the same minutes, in 640x480, through the whole path of ``dfrnet analyze`` but for
the file: the face is looked for, judged and followed, and what falls into a stretch that is not assessable is missed.
JPEG is left out. ``--known`` is ten times faster and tells of the spotter alone: it is given the true landmarks of one
frame in 0.05 s, shaken by half a pixel, and judges every frame. The settings were chosen that way, on other people
(seeds 100 and 300).
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from dfrnet.datasets.synthetic import DIFFICULTIES
from dfrnet.datasets.synthetic_recordings import Recording, framed, recordings
from dfrnet.evaluation.spotting import Span, SpottingRow, Video, score_spotting
from dfrnet.types import Array, Event
from dfrnet.video.motion import FaceMotion
from dfrnet.video.sources import Frame
from dfrnet.video.spotting import Spotter
from dfrnet.video.watch import Watcher

RATES = (200.0, 100.0, 60.0, 30.0)
FRESH = 0.05  # seconds between landmarks
SHAKE = 0.5  # pixels
SCORES = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)


class Known:
    """The true landmarks of one frame in 0.05 s, shaken."""

    def __init__(self, recording: Recording) -> None:
        self.recording, self.next = recording, 0.0
        self.rng = np.random.default_rng(recording.number)
        self.points = np.zeros((68, 2), np.float32)

    def at(self, index: int, time: float) -> Array:
        if time >= self.next - 1e-9:
            shaken = self.recording.landmarks(index) + self.rng.normal(0, SHAKE, (68, 2))
            self.points, self.next = shaken.astype(np.float32), time + FRESH
        return self.points


def spotted(recording: Recording) -> tuple[list[Event], float]:
    """What the spotter finds on a face whose place is known, and the share of time that was assessable: all of it."""
    known, motion, spotter, found = Known(recording), FaceMotion(), Spotter(), []
    for index, time in enumerate(recording.times.tolist()):
        found += spotter.update(motion.update(time, recording[index], known.at(index, time)))
    return found + spotter.finish(), 1.0


def analysed(recording: Recording) -> tuple[list[Event], float]:
    """The same of a face that has to be found."""
    pictures, watcher, found = framed(recording), Watcher(), []
    for index, time in enumerate(recording.times.tolist()):
        found += watcher.update(Frame(index, time, pictures[index]))
    found += watcher.finish()
    unfit = np.zeros(len(recording), bool)
    for one in watcher.intervals(recording.seconds):
        unfit |= (recording.times >= one.start) & (recording.times < one.end)
    return found, float(1 - unfit.mean())


def watched(job: tuple[int, int, float, float, str, bool]) -> tuple[Video, tuple[Event, ...], list[Event], float]:
    """One recording: its name and length, the truth, what was found, and how much of it was assessable."""
    cv2.setNumThreads(1)
    seed, person, minutes, fps, difficulty, known = job
    recording = recordings(person, minutes, fps, seed, difficulty, colour=not known)[-1]
    recording = replace(recording, camera=replace(recording.camera, jpeg=0))
    found, assessable = (spotted if known else analysed)(recording)
    return Video(recording.id, recording.seconds, fps, recording.subject), recording.events, found, assessable


def spans(video: Video, events: list[Event] | tuple[Event, ...]) -> list[Span]:
    """Intervals in frames, as the challenges have them."""
    rate = video.fps or 1.0
    return [
        Span(video.name, *(round(t * rate) for t in (e.start, e.end, e.apex)), "", e.kind, e.score, video.subject)
        for e in events
    ]


def row_of(row: SpottingRow, truths: list[Span], found: list[Span], videos: list[Video]) -> dict[str, object]:
    at = {}
    for least in SCORES:
        kept = [span for span in found if (span.score or 0) >= least]
        one = next((r for r in score_spotting(truths, kept, videos) if r.kind == row.kind), None)
        if one is not None:
            at[str(least)] = {"f1": round(one.tally.f1, 3), "alarms": round(one.alarms or 0.0, 2)}
    errors = {m: {"median_ms": round(e.median, 1), "bias_ms": round(e.bias, 1)} for m, e in row.errors.items()}
    return {
        "kind": row.kind, "truths": row.tally.tp + row.tally.fn, "f1": round(row.tally.f1, 3),
        "f1_interval": row.f1_interval and [round(v, 3) for v in row.f1_interval],
        "precision": round(row.tally.precision, 3), "recall": round(row.tally.recall, 3),
        "alarms_a_minute": round(row.alarms or 0.0, 2), "errors": errors, "at_score": at,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=900)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--fps", type=float, nargs="*", default=RATES)
    parser.add_argument("--difficulty", default="default", choices=DIFFICULTIES)
    parser.add_argument("--known", action="store_true", help="give the true landmarks in place of looking for the face")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    results = []
    for fps in given.fps:
        same = (given.minutes, fps, given.difficulty, given.known)
        jobs = [(given.seed, person, *same) for person in range(1, given.people + 1)]
        with ProcessPoolExecutor(given.jobs) as pool:
            done = list(pool.map(watched, jobs))
        videos = [video for video, *_ in done]
        truths = [span for video, events, *_ in done for span in spans(video, events)]
        found = [span for video, _, events, _ in done for span in spans(video, events)]
        rows = [row_of(row, truths, found, videos) for row in score_spotting(truths, found, videos)]
        assessable = float(np.mean([share for *_, share in done]))
        results.append({"fps": fps, "assessable": round(assessable, 3), "rows": rows})
        print(f"{fps:g} frames a second, {assessable:.0%} assessable")
        for row in rows:
            print("  ", {k: v for k, v in row.items() if k != "at_score"}, flush=True)
            print("     by least score:", row["at_score"], flush=True)
        if given.out:
            told = {k: v for k, v in vars(given).items() if k not in ("out", "jobs")}
            given.out.write_text(json.dumps({"settings": told, "rates": results}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
