"""Movements while they happen: a camera, or a file played at its own speed as if it were one."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from dfrnet.recognizer import Recognizer
from dfrnet.types import Event
from dfrnet.video.sources import Frame, Source, open_source
from dfrnet.video.watch import Watcher

POLL = 0.5  # seconds between two looks whether it is over, where no frame comes


@dataclass(frozen=True)
class Status:
    """How it goes, about once a second: ``time`` seconds into the recording, measured frames a second, frames that
    were ``dropped`` because a newer one had come, and why the face cannot be assessed now (empty: it can).

    ``cautions``: what to know about the frame rate, a sentence each. ``began``: when the recording's second 0 was, as
    ``time.perf_counter`` tells, to stamp events on other clocks; nan where that is not known.
    """

    time: float
    fps: float
    dropped: int
    reasons: tuple[str, ...]
    cautions: tuple[str, ...] = ()
    began: float = math.nan


def live(
    what: str | Path | int = 0,
    recognizer: Recognizer | None = None,
    *,
    fps: float | None = None,
    face: str = "largest",
    status: Callable[[Status], None] | None = None,
    stop: threading.Event | None = None,
) -> Generator[Event, None, None]:
    """Yields each movement once it is certain, about a second after its end; ends with the source.

    ``what``: the number of a camera, or a file, or a folder of pictures. ``fps`` is asked of a camera, and of a folder
    it is the rate; what counts is the measured one. The newest frame wins: those that come while the last one is still
    looked at are dropped and counted, so that the delay never grows. ``recognizer`` None: movements only, no model of
    emotions is loaded. ``status`` is called about once a second, first with the first frame. ``stop``, once it is set,
    ends it as if the source had ended. Movements that are open at the end are told, also where the end is a UserError:
    a camera that was unplugged.
    """
    watcher = Watcher(recognizer, face=face)
    with open_source(what, fps) as source:
        newest = _Newest(source, paced=not source.live, stop=stop)
        last = -1.0
        try:
            for frame in newest:
                events = watcher.update(frame)
                if status and frame.time >= last + 1:
                    last = frame.time
                    status(_status(frame, watcher, newest.dropped))
                yield from events
            yield from watcher.finish()
        finally:
            newest.close()
        if newest.error is not None:
            raise newest.error


def _status(frame: Frame, watcher: Watcher, dropped: int) -> Status:
    cautions, began = tuple(watcher.cautions), frame.arrived - frame.time
    return Status(frame.time, watcher.fps, dropped, watcher.reasons, cautions, began)


class _Newest:
    """The frames of a source, read by a thread of its own; only the newest that was not taken yet is kept.

    ``paced``: frames of a file are let through at the time they carry, and have arrived then, as those of a camera.
    Iteration ends with the source, or when ``stop`` is set. ``error``: what ended the source, None for its own end.
    """

    def __init__(self, source: Source, paced: bool, stop: threading.Event | None = None) -> None:
        self.dropped = 0
        self.error: BaseException | None = None
        self._slot: deque[Frame] = deque(maxlen=1)
        self._news = threading.Condition()
        self._over, self._closed, self._stop = False, threading.Event(), stop or threading.Event()
        self._thread = threading.Thread(target=self._read, args=(source, paced), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        while not self._stop.is_set():
            with self._news:
                self._news.wait_for(lambda: self._slot or self._over, timeout=POLL)
                if self._slot:
                    frame = self._slot.popleft()
                elif self._over:
                    break
                else:
                    continue
            yield frame

    def close(self) -> None:
        """End the reader, and wait for it: the source must not be closed under it."""
        self._closed.set()
        self._thread.join(timeout=5)

    def _read(self, source: Source, paced: bool) -> None:
        begun = perf_counter()
        try:
            for frame in source:
                if paced:
                    frame = replace(frame, arrived=begun + frame.time)
                    self._closed.wait(max(0.0, frame.arrived - perf_counter()))
                if self._closed.is_set():
                    return
                with self._news:
                    self.dropped += len(self._slot)
                    self._slot.append(frame)
                    self._news.notify()
        except BaseException as error:  # told by the thread that reads the events
            self.error = error
        finally:
            with self._news:
                self._over = True
                self._news.notify()
