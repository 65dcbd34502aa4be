"""Live events to whoever listens: lines of JSON, a WebSocket of this machine, markers of the Lab Streaming Layer.

Nobody who listens can hold up the analysis: each has a short queue and a thread, and who falls behind is let go.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from dfrnet import __version__
from dfrnet.exchange.recording import as_json
from dfrnet.types import Event, UserError
from dfrnet.video.live import Status

if TYPE_CHECKING:
    from websockets.sync.server import ServerConnection

LOCAL = "127.0.0.1"  # reachable from this machine and nowhere else
CLOSING = 2.0  # seconds that a listener has to say hello, and goodbye
WAITING = 64  # lines that wait for a listener
BOTH_WAYS = 2  # ``socket.SHUT_RDWR``

log = logging.getLogger(__name__)


def event_line(event: Event) -> str:
    """One JSON object: ``type`` "event" and the event's fields, times in seconds from the first frame."""
    return as_json({"type": "event", **asdict(event)})


def status_line(status: Status, **more: object) -> str:
    """One JSON object: ``type`` "status", ``time``, measured ``fps``, ``dropped`` frames, ``reasons``, ``cautions``.

    ``began`` is left out: it is a reading of a clock that nobody else has.
    """
    said = asdict(status)
    del said["began"]
    return as_json({"type": "status", **said, **more})


@contextmanager
def streams(
    write: Callable[[str], None], *, websocket: int = 0, lsl: bool = False, purpose: str = ""
) -> Iterator[tuple[Callable[[Event], None], Callable[[Status], None]]]:
    """Functions that send an event and a status everywhere: to ``write`` (a line each), and where else it was asked.

    ``websocket``: a port of this machine, 0 for none. LSL markers carry the time at which the camera saw the apex, not
    the time at which the result was known; a status must come first. ``purpose``: said in the first status. UserError
    at once for a port that cannot be opened and for packages that are not there.
    """
    first = {"purpose": purpose} if purpose else {}
    began = perf_counter()
    with ExitStack() as stack:
        mark = _marker() if lsl else None
        outlets: list[Callable[[str], None]] = [write]
        if websocket:
            outlets.append(stack.enter_context(_websocket(websocket)))

        def send_event(event: Event) -> None:
            line = event_line(event)
            if mark:
                mark(line, began + event.apex)
            for outlet in outlets:
                outlet(line)

        def send_status(status: Status) -> None:
            nonlocal began
            began = status.began
            line = status_line(status, **first)
            first.clear()
            for outlet in outlets:
                outlet(line)

        yield send_event, send_status


@contextmanager
def audited(path: Path | None, **said: object) -> Iterator[dict[str, Any]]:
    """Yields what to count in: ``seconds``, ``micro`` and ``macro``. When it is over, however that came, one line of
    JSON is added to ``path`` (None: nowhere): when, ``said``, the counts and what failed; no picture, no name.

    UserError at once where the file cannot be written.
    """
    tally: dict[str, Any] = {"seconds": 0.0, "micro": 0, "macro": 0}
    if path is None:
        yield tally
        return
    try:
        file = path.open("a", encoding="utf-8", errors="replace", newline="\n")  # names of files need not be text
    except OSError as error:
        raise UserError(f"--audit {path}: it cannot be written ({error.strerror}); choose another file") from None
    begun, failed = datetime.now(UTC).isoformat(timespec="seconds"), None
    try:
        yield tally
    except UserError as error:
        failed = str(error)
        raise
    finally:
        with file:
            file.write(as_json({"time": begun, "dfrnet": __version__, **said, **tally, "failed": failed}) + "\n")


@contextmanager
def _websocket(port: int) -> Iterator[Callable[[str], None]]:
    _need("websockets", f"--websocket {port}", "live")
    from websockets.sync.server import serve

    listeners: set[_Listener] = set()
    lock = threading.Lock()

    def listen(connection: ServerConnection) -> None:
        listener = _Listener(connection)
        with lock:
            listeners.add(listener)
        try:
            listener.serve()
        finally:
            with lock:
                listeners.discard(listener)

    def send(line: str) -> None:
        with lock:
            behind = [listener for listener in listeners if not listener.offer(line)]
            listeners.difference_update(behind)

    # What goes wrong with a connection is a matter of the one who listens: no line, and no traceback, is told of it.
    quiet = logging.Logger("websocket", logging.CRITICAL)
    try:
        # A page of the web that is open on this machine may not listen in: browsers name the page, programs do not.
        server = serve(
            listen, LOCAL, port, origins=[None], compression=None, logger=quiet, open_timeout=CLOSING,
            close_timeout=CLOSING,
        )  # fmt: skip
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "ports are numbered to 65535"
        raise UserError(f"--websocket {port}: the port cannot be opened ({reason}); choose another") from None
    thread = threading.Thread(target=server.serve_forever, daemon=True)  # and so are those of the connections
    thread.start()
    try:
        yield send
    finally:
        with lock:
            now = list(listeners)
        for listener in now:
            listener.end()
        until = perf_counter() + CLOSING
        for listener in now:
            if not listener.over.wait(max(0.0, until - perf_counter())):
                listener.cut()
        server.shutdown()
        thread.join(CLOSING)


class _Listener:
    """One who listens; ``serve`` runs in the thread of its connection, everything else in that of the analysis."""

    def __init__(self, connection: ServerConnection) -> None:
        self.over = threading.Event()
        self._connection = connection
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def offer(self, line: str) -> bool:
        """Whether it can still follow; if not, it is let go."""
        waiting = self._lines.qsize()
        if waiting < WAITING:
            self._lines.put(line)
            return True
        log.warning("a listener of the WebSocket fell behind and was let go; it lost %d lines", waiting + 1)
        self.cut()
        return False

    def end(self) -> None:
        """Say goodbye after the lines that wait."""
        self._lines.put(None)

    def cut(self) -> None:
        """End it now: a send that waits for the other side fails."""
        with suppress(OSError):
            self._connection.socket.shutdown(BOTH_WAYS)

    def serve(self) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            with suppress(ConnectionClosed):  # it went, or was cut
                while (line := self._lines.get()) is not None:
                    self._connection.send(line)
                    self._forget()
                self._connection.close()
        finally:
            self.over.set()

    def _forget(self) -> None:
        """Throw away what it said: nothing is asked of it, but what is not read would hide its goodbye."""
        with suppress(TimeoutError):
            for _ in range(WAITING):
                self._connection.recv(timeout=0.001)  # at 0 the oldest supported version hears nothing


def _marker() -> Callable[[str, float], None]:
    """Sends a marker, stamped on LSL's clock with the time at which ``time.perf_counter`` was ``seen``."""
    _need("pylsl", "--lsl", "lsl")
    try:
        import pylsl
    except (RuntimeError, OSError):  # the package is there, the library in C is not
        raise UserError("--lsl: the library liblsl is not there; install it from github.com/sccn/liblsl") from None

    info = pylsl.StreamInfo("dfrnet", "Markers", 1, pylsl.IRREGULAR_RATE, "string", "dfrnet-movements")
    outlet: Any = pylsl.StreamOutlet(info)

    def mark(line: str, seen: float) -> None:
        outlet.push_sample([line], pylsl.local_clock() - perf_counter() + seen)

    return mark


def _need(package: str, option: str, extra: str) -> None:
    if find_spec(package) is None:
        raise UserError(f"{option} needs {package}; install it with: pip install 'dfrnet[{extra}]'")
