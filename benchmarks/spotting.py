"""How well planted movements are found in long drawn recordings: F1, false alarms a minute, errors in milliseconds.

    python benchmarks/spotting.py --out benchmarks/spotting.json

Each rate sees the same people and the same minutes. Where the face is comes from the true landmarks of one frame in
0.05 s, shaken by half a pixel, or, with ``--tracker``, from the tracker that recordings go through, in 640x480. The
settings were chosen on other people (``--seed 100``). JPEG is left out. A minute at 200 frames a second takes about
half a minute on a free core, several times that with the tracker; ``--jobs`` processes share the recordings.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import process_time

import cv2
import numpy as np

from dfrnet.datasets.synthetic_recordings import Recording, framed, recordings
from dfrnet.evaluation.spotting import Span, SpottingRow, Video, score_spotting
from dfrnet.types import Array, Event
from dfrnet.video.motion import FaceMotion, Motion
from dfrnet.video.sources import Frame
from dfrnet.video.spotting import Spotter
from dfrnet.video.track import FaceTracker

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


def rows_of(recording: Recording) -> tuple[list[Motion], float]:
    """The motion of a face whose place is known, and milliseconds a frame."""
    known, motion, rows, spent = Known(recording), FaceMotion(), [], 0.0
    for index, time in enumerate(recording.times.tolist()):
        frame, points = recording[index], known.at(index, time)
        begun = process_time()
        rows.append(motion.update(time, frame, points))
        spent += process_time() - begun
    return rows, 1000 * spent / len(rows)


def tracked_rows_of(recording: Recording) -> tuple[list[Motion], float]:
    """The same of a face that is looked for, in 640x480; the time is that of the motion alone."""
    pictures, tracker, motion, rows, spent = framed(recording), FaceTracker(), FaceMotion(), [], 0.0
    for index, time in enumerate(recording.times.tolist()):
        frame = Frame(index, time, pictures[index])
        seen = tracker.update(frame)
        if seen:
            begun = process_time()
            rows.append(motion.update(time, frame.grey, seen[0].points))
            spent += process_time() - begun
    return rows, 1000 * spent / max(len(rows), 1)


def watched(job: tuple[int, int, float, float, bool]) -> tuple[Video, tuple[Event, ...], list[Event], float, float]:
    """One recording: its name and length, the truth, what was found, milliseconds of motion and of spotting a frame."""
    cv2.setNumThreads(1)
    seed, person, minutes, fps, tracker = job
    recording = recordings(person, minutes, fps, seed, colour=tracker)[-1]
    recording = replace(recording, camera=replace(recording.camera, jpeg=0))
    rows, motion_ms = (tracked_rows_of if tracker else rows_of)(recording)
    spotter, begun = Spotter(), process_time()
    found = [event for row in rows for event in spotter.update(row)] + spotter.finish()
    spotting_ms = 1000 * (process_time() - begun) / max(len(rows), 1)
    video = Video(recording.id, recording.seconds, fps, recording.subject)
    return video, recording.events, found, motion_ms, spotting_ms


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=300)
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=1.5)
    parser.add_argument("--fps", type=float, nargs="*", default=RATES)
    parser.add_argument("--tracker", action="store_true", help="find the face in 640x480 instead of knowing it")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    results = []
    for fps in given.fps:
        jobs = [(given.seed, person, given.minutes, fps, given.tracker) for person in range(1, given.people + 1)]
        with ProcessPoolExecutor(given.jobs) as pool:
            done = list(pool.map(watched, jobs))
        videos = [video for video, *_ in done]
        truths = [span for video, events, *_ in done for span in spans(video, events)]
        found = [span for video, _, events, *_ in done for span in spans(video, events)]
        rows = [row_of(row, truths, found, videos) for row in score_spotting(truths, found, videos)]
        cost = {"motion": min(ms for *_, ms, _ in done), "spotting": min(ms for *_, ms in done)}
        results.append({"fps": fps, "rows": rows, "ms_a_frame": {k: round(v, 3) for k, v in cost.items()}})
        print(f"{fps:g} frames a second: motion {cost['motion']:.2f}, spotting {cost['spotting']:.2f} ms a frame")
        for row in rows:
            print("  ", {k: v for k, v in row.items() if k != "at_score"}, flush=True)
            print("     by least score:", row["at_score"], flush=True)
    if given.out:
        told = {k: v for k, v in vars(given).items() if k not in ("out", "jobs")}
        given.out.write_text(json.dumps({"settings": told, "rates": results}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
