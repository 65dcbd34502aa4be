"""Movements while they happen: a camera, or a file played at its own speed as if it were one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from dfrnet.recognizer import Recognizer
from dfrnet.types import Event
from dfrnet.video.sources import Frame, Source, open_source
from dfrnet.video.watch import Watcher

POLL = 0.5  # seconds between two looks whether the reader still lives


@dataclass(frozen=True)
class Status:
    """How it goes, about once a second: ``time`` seconds into the recording, measured frames a second, frames that
    were ``dropped`` because a newer one had come, and why the face cannot be assessed now (empty: it can).
    """

    time: float
    fps: float
    dropped: int
    reasons: tuple[str, ...]


def live(
    what: str | Path | int = 0,
    recognizer: Recognizer | None = None,
    *,
    fps: float | None = None,
    face: str = "largest",
    status: Callable[[Status], None] | None = None,
) -> Iterator[Event]:
    """Yields each movement once it is certain, about a second after its end; ends with the source.

    ``what``: the number of a camera, or a file. The newest frame wins: those that come while the last one is still
    looked at are dropped and counted, so that the delay never grows. ``recognizer`` None: movements only, no model of
    emotions is loaded. ``status`` is called about once a second.
    """
    with open_source(what, fps) as source:
        watcher = Watcher(recognizer, face=face)
        newest = _Newest(source, paced=not source.live)
        last = -1.0
        try:
            for frame in newest:
                yield from watcher.update(frame)
                if status and frame.time >= last + 1:
                    last = frame.time
                    status(Status(frame.time, watcher.fps, newest.dropped, watcher.reasons))
            yield from watcher.finish()
        finally:
            newest.stop()


class _Newest:
    """The frames of a source, read by a thread of its own; only the newest that was not taken yet is kept.

    ``paced``: frames of a file are let through at the time they carry, as a camera would.
    """

    def __init__(self, source: Source, paced: bool) -> None:
        self.dropped = 0
        self._slot: deque[Frame] = deque(maxlen=1)
        self._news = threading.Condition()
        self._over, self._stopped = False, threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, args=(source, paced), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._slot or self._over, timeout=POLL)
                if self._slot:
                    frame = self._slot.popleft()
                elif self._over:
                    break
                else:
                    continue
            yield frame
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the reader, and wait for it: the source must not be closed under it."""
        self._stopped.set()
        self._thread.join(timeout=5)

    def _read(self, source: Source, paced: bool) -> None:
        begun = perf_counter()
        try:
            for frame in source:
                if paced and self._stopped.wait(max(0.0, begun + frame.time - perf_counter())):
                    return
                if self._stopped.is_set():
                    return
                with self._news:
                    self.dropped += len(self._slot)
                    self._slot.append(frame)
                    self._news.notify()
        except BaseException as error:  # told by the thread that reads the events
            self._error = error
        finally:
            with self._news:
                self._over = True
                self._news.notify()
