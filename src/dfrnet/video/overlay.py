"""The recording once more, with what was found drawn into it; faces can be blurred for showing it around."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dfrnet.faces.landmarks import detect_all
from dfrnet.types import Array, Event, Image, Interval, Recording, UserError
from dfrnet.video.sources import Frame, open_source
from dfrnet.video.track import FaceTracker, Observation

MICRO, MACRO, QUIET = (213, 94, 0), (0, 114, 178), (120, 120, 120)  # RGB, as in the timeline
LABEL = 0.3  # seconds that a movement's words stay after its end: it is over before it is read
CLOCK = 1_000_000  # stamps of the written video, a second
HELD = 0.5  # seconds that a place stays blurred where no face is found any more


def overlay(
    what: str | Path | int,
    recording: Recording,
    out: Path,
    *,
    fps: float | None = None,
    start: float = 0.0,
    end: float | None = None,
    blur: bool = False,
    progress: Callable[[float, float | None], None] | None = None,
) -> None:
    """Write ``out`` (.mp4), whole or not at all: boxes around faces, the movements' words, why a stretch is left out.

    The faces are followed anew, so that no frame of the recording needs to be kept. With ``start`` and ``end`` as in
    the analysis they get the same numbers; the written video begins there, and its clock shows the recording's time.
    ``progress(seconds done, seconds in all or None)``.

    With ``blur`` every face that is detected is made unrecognisable, also those that are too small or unsure to be
    followed. A face that is not detected stays as it is, so look before you pass such a file on.
    """
    import av

    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    tracker, veil = FaceTracker(), _Veil()
    try:
        with open_source(what, fps) as source, av.open(str(temporary), "w", format="mp4") as container:
            stream: Any = None
            first = 0.0
            for frame in source:
                if frame.time < start:
                    continue
                if end is not None and frame.time > end:
                    break
                image = frame.image.copy()
                seen = tracker.update(frame)
                if blur:
                    veil.cover(image, frame, seen)
                _draw(image, seen, recording, frame.time)
                image = np.ascontiguousarray(image[: len(image) // 2 * 2, : image.shape[1] // 2 * 2])  # as H.264 wants
                if stream is None:
                    stream, first = _stream(container, image, recording.fps), frame.time
                picture = av.VideoFrame.from_ndarray(image, format="rgb24")
                picture.pts, picture.time_base = round((frame.time - first) * CLOCK), Fraction(1, CLOCK)
                container.mux(stream.encode(picture))
                if progress:
                    progress(frame.time, source.declared_duration)
            if stream is None:
                raise UserError(f"{what}: it ends before --start {start} s")
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


def _draw(image: Image, seen: list[Observation], recording: Recording, time: float) -> None:
    for one in seen:
        now = [event for event in recording.events if event.track == one.track and event.start <= time <= event.end]
        bad = any(i.start <= time <= i.end for i in recording.intervals if i.track in (None, one.track))
        colour = QUIET if bad else (255, 255, 255)
        for event in now:
            colour = MICRO if event.kind == "micro" else MACRO
        left, top, right, bottom = (int(value) for value in _around(one.points))
        cv2.rectangle(image, (left, top), (right, bottom), colour, 3 if now else 1)
    _draw_words(image, recording, time)


def _around(points: Array) -> Array:
    """The box (left, top, right, bottom) of a face with its forehead, from its points (N, 2), whole pixels."""
    low, high = points.min(0), points.max(0)
    margin = 0.15 * (high - low)
    return np.asarray(np.rint(np.concatenate([low - margin * (1, 2), high + margin])), np.float32)


class _Veil:
    """The places of faces in one recording that are blurred; one stays for HELD, or until a face found hides it."""

    def __init__(self) -> None:
        self._places: list[tuple[float, Array]] = []

    def cover(self, image: Image, frame: Frame, seen: list[Observation]) -> None:
        """Blur in ``image`` the faces that are followed or detected in ``frame``, and the places just left."""
        found = [_around(one.points) for one in seen]
        for one in detect_all(frame.image):
            reach = one.sides * 0.7  # the box of a detection ends at the brows and at the chin
            found.append(np.rint(np.concatenate([one.centre - reach * (1, 1.3), one.centre + reach])))
        held = [
            (at, box) for at, box in self._places if frame.time - at <= HELD and not any(_hides(f, box) for f in found)
        ]
        self._places = [*held, *((frame.time, box) for box in found)]
        for _, box in self._places:
            left, top, right, bottom = (max(0, int(value)) for value in box)
            face = image[top:bottom, left:right]
            if face.size:
                face[:] = _unrecognisable(face)


def _hides(one: Array, other: Array) -> bool:
    """Whether most of the other lies within; a neighbour that only meets it does not hide it."""
    shared = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    return bool((shared > 0).all() and shared.prod() >= 0.5 * (other[2:] - other[:2]).prod())


def _unrecognisable(face: Image) -> Image:
    """Eight mosaic cells across and smoothed: shape and place of the head remain, nothing of the person."""
    height, width = face.shape[:2]
    cells = cv2.resize(face, (8, 8), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _draw_words(image: Image, recording: Recording, time: float) -> None:
    lines = [(f"{time:7.2f} s   candidates, to be confirmed", (255, 255, 255))]
    lines += [(_words(e), MICRO if e.kind == "micro" else MACRO) for e in recording.events if _shown(e, time)]
    lines += [(_why(one, recording), QUIET) for one in recording.intervals if one.start <= time <= one.end]
    size = max(len(image) / 900, 0.45)
    for row, (words, colour) in enumerate(lines, start=1):
        (width, height), low = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
        foot = int(row * 44 * size) + 4
        ground = image[max(foot - height - 4, 0) : foot + low, 4 : width + 12]
        ground[:] = ground // 4  # dark, so that every colour of words can be read
        light = [(value + 255) // 2 for value in colour]
        cv2.putText(image, words, (8, foot), cv2.FONT_HERSHEY_SIMPLEX, size, light, 1, cv2.LINE_AA)


def _shown(event: Event, time: float) -> bool:
    return event.start <= time <= event.end + LABEL


def _words(event: Event) -> str:
    where = ", ".join(region.replace("_", " ") for region in event.regions[:2])
    label = f" {event.label} {event.probabilities.get(event.label, 0):.2f}" if event.label else ""
    return f"{event.kind}{label} ({where}) score {event.score:.2f}"


def _why(one: Interval, recording: Recording) -> str:
    words = recording.record.get("reasons", {})
    return f"not assessable: {words.get(one.reason, one.reason) if isinstance(words, dict) else one.reason}"
