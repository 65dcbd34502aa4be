"""Frames one after the other: from a video file, a folder of pictures or a camera, in bounded memory.

What is looked after, and how: every source is read by a thread of its own, a few frames ahead, and the reader waits for
a frame no longer than PATIENCE seconds. So neither a file that leads FFmpeg into an endless loop nor a camera that was
pulled out can stop the program; the thread that hangs in C is left behind and ends with the process. Files are opened
as files, by name, never as playlists or addresses. Sizes are checked before anything is decoded. Pictures of a folder
are decoded first, within OpenCV's own limit.
"""

from __future__ import annotations

import math
import queue
import threading
import time
import weakref
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2

from dfrnet.frames import image_folder, read_image
from dfrnet.types import Image, UserError
from dfrnet.video.decoding import video_pictures
from dfrnet.video.pictures import Fit, Picture, grey, rgb
from dfrnet.video.stamps import Clock, Told

PATIENCE = 30.0
"""Seconds without a frame after which a file counts as unusable."""
CAMERA_PATIENCE = 10.0
AHEAD = 4
"""Frames that are decoded before they are asked for."""
CAMERAS = 100
"""Camera numbers are below it; OpenCV takes higher ones for kinds of cameras."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame: ``index`` counts from 0 without gaps, ``time`` is in seconds from the first frame, strictly ascending.

    Pixels are converted when asked for, and upright. Pictures with more than 1920 pixels on the longer side are scaled
    down to that as they are decoded: faces need no more, and memory and time stay bounded up to 8K.
    """

    index: int
    time: float
    pixels: Any
    """An RGB array, or a frame of PyAV in a format whose first plane is grey."""
    turn: int = 0
    """Quarter turns, counterclockwise, that make it upright."""
    arrived: float = math.nan
    """When a camera gave it, as ``time.perf_counter`` tells; nan where that is not known, as of a file."""

    @cached_property
    def image(self) -> Image:
        """RGB, uint8 (H, W, 3)."""
        return rgb(self.pixels, self.turn)

    @cached_property
    def grey(self) -> Image:
        """uint8 (H, W): the luma of a video, 0 to 255.

        Equals ``frames.grey(image)`` within rounding where the colours are those of ITU-R BT.601, or there are none;
        BT.709 weighs green more, which shows in saturated colours only.
        """
        return grey(self.pixels, self.turn)


class Source:
    """A context manager, to be iterated over once; yields :class:`Frame`.

    ``name`` as the user gave it; ``notes`` what was odd, in words, complete after the last frame; ``live``: a camera;
    ``declared_duration``: seconds as a header states them, None if it does not or they cannot be. Iteration raises
    UserError when the source yields nothing, or nothing more within ``patience`` seconds.
    """

    def __init__(self, name: str, pictures: Iterator[Picture], told: Told, live: bool, patience: float) -> None:
        self.name, self.live, self._told, self._patience = name, live, told, patience
        self._ready: queue.SimpleQueue[Frame | Exception | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(1 if live else AHEAD)
        self._used = False
        work = partial(_read, _in_order(name, pictures, told, live), self._ready, self._room, told.stop)
        self._thread = threading.Thread(target=work, name=f"frames of {name}", daemon=True)
        self._thread.start()
        self._end = weakref.finalize(self, _stop, told.stop, self._room)  # a source that is dropped unread
        self._first = self._take()

    @property
    def notes(self) -> list[str]:
        return self._told.notes

    @property
    def declared_duration(self) -> float | None:
        return self._told.declared_duration

    def __iter__(self) -> Iterator[Frame]:
        if self._used:
            raise RuntimeError(f"{self.name}: a source is read once; open it again")
        self._used = True
        frame, self._first = self._first, None
        while frame is not None:
            yield frame
            del frame  # or it would live until the next one has come
            frame = self._take()
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file or the camera; done by itself after the last frame."""
        self._end()
        self._thread.join(1.0)

    def _take(self) -> Frame | None:
        """The next frame, None after the last one; waits no longer than ``patience``."""
        if self._told.stop.is_set():
            return None
        try:
            item = self._ready.get(timeout=self._patience)
        except queue.Empty:
            self._end()
            remedy = "check the camera and its cable" if self.live else "restore it or convert it"
            raise UserError(f"{self.name}: no frame came for {self._patience:g} s; {remedy}") from None
        self._room.release()
        if isinstance(item, Exception):
            self._end()
            raise item
        return item


def _stop(stop: threading.Event, room: threading.Semaphore) -> None:
    stop.set()
    room.release()


def _read(
    frames: Generator[Frame, None, None],
    ready: queue.SimpleQueue[Frame | Exception | None],
    room: threading.Semaphore,
    stop: threading.Event,
) -> None:
    """The thread of a source; it must not know the source, so that one nobody holds any more can end it."""
    try:
        while not stop.is_set():
            frame = next(frames, None)
            room.acquire()
            ready.put(frame)
            if frame is None:
                break
            del frame
    except Exception as error:  # raised where the frames are asked for
        ready.put(error)
    finally:
        frames.close()  # and with it the file, in the thread that opened it


def _in_order(name: str, pictures: Iterator[Picture], told: Told, live: bool) -> Generator[Frame, None, None]:
    """Pictures with any stamps -> frames with ascending times; the notes are complete when it ends or is dropped.

    The stamps of a camera (``live``) are those of their arrival.
    """
    clock, index = None, 0
    try:
        for picture in pictures:
            clock = clock or Clock(told)  # not before: the rate is known once the file is open
            at = clock.tell(picture.stamp)
            if at is not None:
                arrived = picture.stamp if live and picture.stamp is not None else math.nan
                yield Frame(index, at, picture.pixels, picture.turn, arrived)
                index += 1
            del picture
        if not index:
            raise UserError(f"{name}: no frame of it decodes; restore it or convert it")
        told.compare()
    finally:
        told.conclude()


def open_source(what: str | Path | int, fps: float | None = None) -> Source:
    """A video file, a folder of pictures (``fps`` of them a second, in natural order) or the number of a camera.

    ``fps`` is asked of a camera, and of a video it is used where time stamps are missing. The first frame is decoded
    at once. UserError in one sentence for what cannot be used: a still, no video, sizes out of 16x16 to 8192x8192 ...
    """
    if fps is not None and not (math.isfinite(fps) and 0 < fps <= 10_000):
        raise UserError(f"{what}: frames a second must be above 0 and at most 10000, not {fps}")
    told, path = Told(), Path(str(what))
    if isinstance(what, int) or (str(what).isdecimal() and not path.exists()):
        return Source(f"camera {what}", _camera(int(str(what)), fps, told), told, True, CAMERA_PATIENCE)
    if path.is_dir():
        if fps is None:
            raise UserError(f"{path}: pictures of a folder have no times; say with --fps how many were taken a second")
        return Source(str(path), _folder(path, fps, told), told, False, PATIENCE)
    if not path.is_file():
        raise UserError(f"{path}: no such video file or folder of pictures")
    return Source(str(path), video_pictures(path, told, fps, PATIENCE), told, False, PATIENCE)


def _folder(folder: Path, fps: float, told: Told) -> Iterator[Picture]:
    pictures = image_folder(folder, fps)
    told.rate = fps
    fit = Fit(str(folder), told)
    for number, path in enumerate(pictures.paths):
        try:
            pixels = fit(read_image(path))
        except UserError as error:
            if fit.first is None and number == len(pictures) - 1:
                raise
            if not told.odd["unreadable"]:
                told.notes.append(str(error))
            told.odd["unreadable"] += 1
            continue
        if pixels is not None:
            yield Picture(number / fps, pixels)


def _camera(number: int, fps: float | None, told: Told) -> Iterator[Picture]:
    """Times are those at which a picture arrived here: most cameras tell none of their own."""
    name = f"camera {number}"
    if not 0 <= number < CAMERAS:
        raise UserError(f"{name}: cameras are numbered from 0 to {CAMERAS - 1}")
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(number)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if fps is not None:
        capture.set(cv2.CAP_PROP_FPS, fps)
    yield from captured(name, capture, told)


def captured(name: str, capture: Any, told: Told) -> Iterator[Picture]:
    """Pictures of an OpenCV capture as they arrive; UserError when none comes any more."""
    try:
        if not capture.isOpened():
            raise UserError(f"{name}: it does not open; plug it in, allow its use and close other programs that use it")
        rate = float(capture.get(cv2.CAP_PROP_FPS) or 0)
        told.rate = rate if 1 <= rate <= 10_000 else 30.0
        fit = Fit(name, told)
        while not told.stop.is_set():
            arrived = capture.grab()
            stamp = time.perf_counter()  # fine on every system; the monotonic clock of Windows ticks 64 times a second
            whole, image = capture.retrieve()
            if not (arrived and whole):
                raise UserError(f"{name}: no picture comes any more; was it unplugged, or taken by another program?")
            pixels = fit(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            if pixels is not None:
                yield Picture(stamp, pixels)
    finally:
        capture.release()
