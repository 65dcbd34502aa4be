"""The recording once more, with what was found drawn into it; faces can be blurred for showing it around."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dfrnet.types import Event, Image, Interval, Recording, UserError
from dfrnet.video.sources import open_source
from dfrnet.video.track import FaceTracker, Observation

MICRO, MACRO, QUIET = (213, 94, 0), (0, 114, 178), (120, 120, 120)  # RGB, as in the timeline
LABEL = 0.3  # seconds that a movement's words stay after its end: it is over before it is read
CLOCK = 1_000_000  # stamps of the written video, a second


def overlay(
    what: str | Path | int,
    recording: Recording,
    out: Path,
    *,
    fps: float | None = None,
    blur: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write ``out`` (.mp4), whole or not at all: boxes around faces, the movements' words, why a stretch is left out.

    The faces are followed anew, so that no frame of the recording needs to be kept. Stamps are those of the recording.
    With ``blur`` every face is made unrecognisable; a face that the tracker misses stays as it is, so look before you
    pass such a file on.
    """
    import av

    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    tracker = FaceTracker()
    try:
        with open_source(what, fps) as source, av.open(str(temporary), "w", format="mp4") as container:
            stream: Any = None
            for count, frame in enumerate(source, start=1):
                image = frame.image.copy()
                for seen in tracker.update(frame):
                    _draw_face(image, seen, recording, frame.time, blur)
                _draw_words(image, recording, frame.time)
                image = np.ascontiguousarray(image[: len(image) // 2 * 2, : image.shape[1] // 2 * 2])  # as H.264 wants
                if stream is None:
                    stream = _stream(container, image, recording.fps)
                picture = av.VideoFrame.from_ndarray(image, format="rgb24")
                picture.pts, picture.time_base = round(frame.time * CLOCK), Fraction(1, CLOCK)
                container.mux(stream.encode(picture))
                if progress:
                    progress(count, 0)
            if stream is not None:
                container.mux(stream.encode())
        temporary.replace(out)
    except (av.error.FFmpegError, OSError) as error:
        raise UserError(f"{out}: the overlay cannot be written ({error.strerror}); choose another --out") from None
    finally:
        temporary.unlink(missing_ok=True)


def _stream(container: Any, image: Image, fps: float) -> Any:
    stream = container.add_stream("libx264", rate=Fraction(max(fps, 1)).limit_denominator(1000))
    stream.height, stream.width = image.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, CLOCK)
    stream.options = {"crf": "20", "preset": "veryfast"}
    return stream


def _draw_face(image: Image, seen: Observation, recording: Recording, time: float, blur: bool) -> None:
    low, high = seen.points.min(0), seen.points.max(0)
    margin = 0.15 * (high - low)
    left, top = np.maximum(np.rint(low - margin * (1, 2)), 0).astype(int)
    right, bottom = np.rint(high + margin).astype(int)
    if blur and right > left and bottom > top:
        face = image[top:bottom, left:right]
        if face.size:
            image[top:bottom, left:right] = _unrecognisable(face)
    now = [event for event in recording.events if event.track == seen.track and event.start <= time <= event.end]
    bad = any(one.start <= time <= one.end for one in recording.intervals if one.track in (None, seen.track))
    colour = QUIET if bad else (255, 255, 255)
    for event in now:
        colour = MICRO if event.kind == "micro" else MACRO
    cv2.rectangle(image, (int(left), int(top)), (int(right), int(bottom)), colour, 3 if now else 1)


def _unrecognisable(face: Image) -> Image:
    """Eight mosaic cells across and smoothed: shape and place of the head remain, nothing of the person."""
    height, width = face.shape[:2]
    cells = cv2.resize(face, (8, 8), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _draw_words(image: Image, recording: Recording, time: float) -> None:
    lines = [(f"{time:7.2f} s   candidates, to be confirmed", (255, 255, 255))]
    lines += [(_words(e), MICRO if e.kind == "micro" else MACRO) for e in recording.events if _shown(e, time)]
    lines += [(_why(one), QUIET) for one in recording.intervals if one.start <= time <= one.end]
    size = max(len(image) / 900, 0.4)
    for row, (words, colour) in enumerate(lines, start=1):
        place = (8, int(row * 30 * size) + 4)
        cv2.putText(image, words, place, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 4, cv2.LINE_AA)
        cv2.putText(image, words, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def _shown(event: Event, time: float) -> bool:
    return event.start <= time <= event.end + LABEL


def _words(event: Event) -> str:
    where = ", ".join(region.replace("_", " ") for region in event.regions[:2])
    label = f" {event.label} {event.probabilities.get(event.label, 0):.2f}" if event.label else ""
    return f"{event.kind}{label} ({where}) score {event.score:.2f}"


def _why(one: Interval) -> str:
    return f"not assessable: {one.reason}"
