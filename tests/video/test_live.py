"""Movements while they happen, and where they are sent."""

import json
import threading
import time
from dataclasses import replace

import pytest

from dfrnet.exchange.streams import event_line, status_line, streams
from dfrnet.types import Event, UserError
from dfrnet.video.analyze import analyze
from dfrnet.video.live import Status, _Newest, live

pytest.importorskip("av")

EVENT = Event(1.0, 1.1, 1.25, "micro", "negative", {"negative": 0.7, "positive": 0.3}, 0.8, ("chin",), track=1)
STATUS = Status(2.0, 59.9, 3, ("blink",))


class Camera:
    """Frames that come when they come."""

    name, live, notes = "fake", True, ()

    def __init__(self, frames, error=None):
        self.frames, self.error = frames, error

    def __iter__(self):
        yield from self.frames
        if self.error:
            raise self.error


def test_the_newest_frame_wins():
    """While the first is looked at nine more come: eight are dropped and counted, the last one is next."""
    gate = threading.Event()

    def frames():
        yield 0
        gate.wait(5)
        yield from range(1, 10)

    newest = _Newest(Camera(frames()), paced=False)
    taken = []
    for frame in newest:
        taken.append(frame)
        gate.set()
        while not newest._over:
            time.sleep(0.01)
    assert taken == [0, 9]
    assert newest.dropped == 8
    newest.stop()


def test_an_unplugged_camera_is_told_after_its_last_frame():
    newest = _Newest(Camera([0], UserError("camera 0: no picture comes any more")), paced=False)
    with pytest.raises(UserError, match="camera 0: no picture"):
        list(newest)


class EnoughError(Exception):
    """Seen enough."""


def test_a_file_is_played_at_its_own_speed(drawn):
    seen = []

    def status(now):
        seen.append(now)
        if now.time > 1.5:
            raise EnoughError

    begun = time.monotonic()
    with pytest.raises(EnoughError):
        list(live(drawn[0], status=status))
    assert time.monotonic() - begun >= seen[-1].time
    assert seen[0].time < 1
    assert seen[-1].fps > 0


def test_live_tells_what_analyze_tells(drawn, monkeypatch):
    """Without the pace no frame is dropped if the reader waits: the same path, the same events."""
    monkeypatch.setattr("dfrnet.video.live._Newest", _Every)
    assert list(live(drawn[0])) == sorted(analyze(drawn[0]).events, key=lambda event: event.start)


class _Every:
    """In the place of the newest: every frame, as fast as they can be taken."""

    dropped = 0

    def __init__(self, source, paced):  # noqa: ARG002
        self.source = source

    def __iter__(self):
        return iter(self.source)

    def stop(self):
        pass


def test_lines_are_json():
    event = json.loads(event_line(EVENT))
    assert event.pop("type") == "event"
    assert replace(EVENT, regions=("chin",)) == Event(
        **{**event, "regions": tuple(event["regions"]), "action_units": (), "quality": ()}
    )
    assert json.loads(status_line(STATUS)) == {
        "type": "status", "time": 2.0, "fps": 59.9, "dropped": 3, "reasons": ["blink"],
    }  # fmt: skip


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_a_listener_on_this_machine_hears_everything():
    client = pytest.importorskip("websockets.sync.client")
    port, written = free_port(), []
    with (
        streams(written.append, websocket=port) as (send_event, send_status),
        client.connect(f"ws://127.0.0.1:{port}") as listener,
    ):
        deadline = time.monotonic() + 5
        heard = []
        while not heard and time.monotonic() < deadline:  # until the server knows the listener
            send_status(STATUS)
            try:
                heard.append(listener.recv(timeout=0.1))
            except TimeoutError:
                continue
        send_event(EVENT)
        while "event" not in heard[-1][:20]:
            heard.append(listener.recv(timeout=5))
    assert heard[0] == status_line(STATUS)
    assert heard[-1] == event_line(EVENT) == written[-1]


def test_a_page_of_the_web_may_not_listen():
    client = pytest.importorskip("websockets.sync.client")
    from websockets.exceptions import InvalidStatus

    port = free_port()
    with streams([].append, websocket=port), pytest.raises(InvalidStatus):
        client.connect(f"ws://127.0.0.1:{port}", origin="https://example.org")


def test_a_port_in_use_is_one_sentence():
    pytest.importorskip("websockets")
    port = free_port()
    with (
        streams([].append, websocket=port),
        pytest.raises(UserError, match=f"--websocket {port}: the port cannot be opened"),
        streams([].append, websocket=port),
    ):
        pass


def test_markers_carry_the_time_of_the_camera(monkeypatch):
    """LSL's own outlet and inlet; the stamp is the apex on LSL's clock and not when the result was known."""
    pylsl = pytest.importorskip("pylsl")
    with streams([].append, lsl=True) as (send_event, send_status):
        found = pylsl.resolve_byprop("name", "dfrnet", timeout=5)
        if not found:
            pytest.skip("no LSL streams can be found on this network")
        inlet = pylsl.StreamInlet(found[0])
        inlet.open_stream(timeout=5)
        send_status(Status(10.0, 60.0, 0, ()))
        now = pylsl.local_clock()
        send_event(replace(EVENT, start=9.0, apex=9.2, end=9.4))
        sample, stamp = inlet.pull_sample(timeout=5)
    assert json.loads(sample[0])["apex"] == 9.2
    assert stamp == pytest.approx(now - 0.8, abs=0.2)
