"""Live events to whoever listens: lines of JSON, a WebSocket of this machine, markers of the Lab Streaming Layer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Any

from dfrnet.exchange.recording import as_json
from dfrnet.types import Event, UserError
from dfrnet.video.live import Status

LOCAL = "127.0.0.1"  # reachable from this machine and nowhere else
CLOSING = 2.0  # seconds that a listener has to say goodbye


def event_line(event: Event) -> str:
    """One JSON object: ``type`` "event" and the event's fields, times in seconds from the first frame."""
    return as_json({"type": "event", **asdict(event)})


def status_line(status: Status) -> str:
    """One JSON object: ``type`` "status", ``time``, measured ``fps``, ``dropped`` frames and the ``reasons``."""
    return as_json({"type": "status", **asdict(status)})


@contextmanager
def streams(
    write: Callable[[str], None], *, websocket: int = 0, lsl: bool = False
) -> Iterator[tuple[Callable[[Event], None], Callable[[Status], None]]]:
    """Functions that send an event and a status everywhere: to ``write`` (a line each), and where else it was asked.

    ``websocket``: a port of this machine, 0 for none. LSL markers carry the time at which the camera saw the apex, not
    the time at which the result was known.
    """
    with ExitStack() as stack:
        outlets: list[Callable[[str], None]] = [write]
        if websocket:
            outlets.append(stack.enter_context(_websocket(websocket)))
        mark = _marker() if lsl else None

        def send_event(event: Event) -> None:
            line = event_line(event)
            for outlet in outlets:
                outlet(line)
            if mark:
                mark(line, event.apex)

        def send_status(status: Status) -> None:
            if mark:
                mark("", status.time)
            line = status_line(status)
            for outlet in outlets:
                outlet(line)

        yield send_event, send_status


@contextmanager
def _websocket(port: int) -> Iterator[Callable[[str], None]]:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.server import ServerConnection, serve

    listeners: set[ServerConnection] = set()
    lock = threading.Lock()

    def listen(connection: ServerConnection) -> None:
        with lock:
            listeners.add(connection)
        try:
            for _ in connection:  # nothing is asked of the one who listens; this waits for the goodbye
                pass
        finally:
            with lock:
                listeners.discard(connection)

    def send(line: str) -> None:
        with lock:
            now = list(listeners)
        for connection in now:
            try:
                connection.send(line)
            except ConnectionClosed:
                with lock:
                    listeners.discard(connection)

    try:
        # A page of the web that is open on this machine may not listen in: browsers name the page, programs do not.
        server = serve(listen, LOCAL, port, origins=[None], close_timeout=CLOSING)
    except OSError as error:
        raise UserError(f"--websocket {port}: the port cannot be opened ({error.strerror}); choose another") from None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield send
    finally:
        server.shutdown()
        for connection in list(listeners):
            connection.close()
        thread.join(CLOSING)


def _marker() -> Callable[[str, float], None]:
    """Sends a marker that is stamped on LSL's clock with the time of a recording's second.

    The clock's difference is taken from the first status, which comes with the newest frame.
    """
    import pylsl

    info = pylsl.StreamInfo("dfrnet", "Markers", 1, pylsl.IRREGULAR_RATE, "string", "dfrnet-movements")
    outlet: Any = pylsl.StreamOutlet(info)
    begun: list[float] = []

    def mark(line: str, seconds: float) -> None:
        if not begun:
            begun.append(pylsl.local_clock() - seconds)
        if line:
            outlet.push_sample([line], begun[0] + seconds)

    return mark
