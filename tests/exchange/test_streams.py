"""Where live events are sent, and what those who listen cannot do to them."""

import json
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from dfrnet.exchange.streams import WAITING, audited, event_line, status_line, streams
from dfrnet.types import Event, UserError
from dfrnet.video.live import Status

EVENT = Event(1.0, 1.1, 1.25, "micro", "negative", {"negative": 0.7, "positive": 0.3}, 0.8, ("chin",), track=1)
STATUS = Status(2.0, 59.9, 3, ("blink",), ("59.9: few",), 100.0)


def test_lines_are_json():
    event = json.loads(event_line(EVENT))
    assert event.pop("type") == "event"
    assert replace(EVENT, regions=("chin",)) == Event(
        **{**event, "regions": tuple(event["regions"]), "action_units": (), "quality": ()}
    )
    assert json.loads(status_line(STATUS)) == {
        "type": "status", "time": 2.0, "fps": 59.9, "dropped": 3, "reasons": ["blink"], "cautions": ["59.9: few"],
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


def test_the_purpose_is_in_the_first_status():
    written = []
    with streams(written.append, purpose="pilot") as (_, send_status):
        send_status(STATUS)
        send_status(STATUS)
    assert [json.loads(line).get("purpose") for line in written] == ["pilot", None]


@contextmanager
def listening(port, send_status):
    """A connection that the server knows; its first line was heard."""
    client = pytest.importorskip("websockets.sync.client")
    with client.connect(f"ws://127.0.0.1:{port}", compression=None) as listener:
        for _ in range(50):
            send_status(STATUS)
            try:
                listener.recv(timeout=0.1)
            except TimeoutError:
                continue
            break
        yield listener


@pytest.fixture
def raw_listener():
    """Says hello as a WebSocket must, and then reads nothing more."""
    import socket

    found = []

    def connect(port):
        one = socket.socket()
        found.append(one)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(("127.0.0.1", port))
        one.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b"101 Switching" in one.recv(1000)
        return one

    yield connect
    for one in found:
        one.close()


def test_a_listener_that_never_reads_holds_up_nobody(raw_listener, caplog):
    """It is let go with the number of lines that it lost; a line takes no time, and another listener misses nothing."""
    port, written = free_port(), []
    with streams(written.append, websocket=port) as (send_event, send_status), listening(port, send_status) as good:
        raw_listener(port)
        slowest, heard = 0.0, []
        for number in range(300):
            event = replace(EVENT, quality=(str(number), "x" * 100_000))
            begun = time.perf_counter()
            send_event(event)
            slowest = max(slowest, time.perf_counter() - begun)
            while len(heard) < number:
                line = json.loads(good.recv(timeout=5))
                if line["type"] == "event":
                    heard.append(int(line["quality"][0]))
        begun = time.perf_counter()
    assert slowest < 5  # not for as long as it does not read
    assert heard == list(range(299))
    assert f"fell behind and was let go; it lost {WAITING + 1} lines" in caplog.text
    assert time.perf_counter() - begun < 10


def test_a_listener_that_never_reads_does_not_hold_up_the_end(raw_listener):
    port = free_port()
    with streams([].append, websocket=port) as (send_event, _):
        raw_listener(port)
        time.sleep(0.2)
        for _ in range(WAITING):
            send_event(replace(EVENT, quality=("x" * 200_000,)))
        begun = time.perf_counter()
    assert time.perf_counter() - begun < 8


def test_a_listener_that_vanishes_is_no_traceback(raw_listener, caplog, capfd):
    import socket
    import struct

    port = free_port()
    with streams([].append, websocket=port) as (_, send_status):
        one = raw_listener(port)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()  # with a reset, as a process that is killed
        with socket.create_connection(("127.0.0.1", port)) as other:
            other.sendall(b"no websocket\r\n\r\n")
        for _ in range(5):
            send_status(STATUS)
            time.sleep(0.05)
    assert caplog.text == ""
    assert "Traceback" not in capfd.readouterr().err


def test_what_a_listener_says_is_thrown_away():
    """Its goodbye is understood although nobody asked it to talk."""
    port = free_port()
    with streams([].append, websocket=port) as (_, send_status), listening(port, send_status) as listener:
        for number in range(100):
            listener.send(f"hello {number}")
            send_status(STATUS)
            listener.recv(timeout=5)
        listener.close()
        assert listener.protocol.close_code == 1000


@pytest.mark.parametrize("port", [-1, 65_536, 99_999])
def test_a_port_that_cannot_be_is_one_sentence(port):
    pytest.importorskip("websockets")
    with (
        pytest.raises(UserError, match=f"--websocket {port}: the port cannot be opened"),
        streams(print, websocket=port),
    ):
        pass


@pytest.mark.parametrize(
    ("package", "wish", "remedy"),
    [
        ("websockets", {"websocket": 8765}, r"--websocket 8765 needs websockets; .* pip install 'dfrnet\[live\]'"),
        ("pylsl", {"lsl": True}, r"--lsl needs pylsl; .* pip install 'dfrnet\[lsl\]'"),
    ],
)
def test_a_package_that_is_not_there_is_one_sentence(monkeypatch, package, wish, remedy):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=remedy), streams(print, **wish):
        pass


def test_the_library_of_lsl_may_be_missing(monkeypatch, tmp_path):
    """The package looks for it when it is imported, and says so in a paragraph."""
    (tmp_path / "pylsl.py").write_text("raise RuntimeError('LSL binary library file was not found. ...')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pylsl", raising=False)
    with pytest.raises(UserError, match="--lsl: the library liblsl is not there"), streams(print, lsl=True):
        pass


def test_markers_carry_the_time_of_the_camera():
    """LSL's own outlet and inlet; the stamp is the apex on LSL's clock and not when the result was known, however long
    the first frame was looked at.
    """
    pylsl = pytest.importorskip("pylsl")
    with streams([].append, lsl=True) as (send_event, send_status):
        found = pylsl.resolve_byprop("name", "dfrnet", timeout=5)
        if not found:
            pytest.skip("no LSL streams can be found on this network")
        inlet = pylsl.StreamInlet(found[0])
        inlet.open_stream(timeout=5)
        began, clock = time.perf_counter(), pylsl.local_clock()
        time.sleep(0.3)
        send_status(Status(0.0, 0.0, 0, (), (), began))
        send_event(replace(EVENT, start=9.0, apex=9.2, end=9.4))
        sample, stamp = inlet.pull_sample(timeout=5)
    assert json.loads(sample[0])["apex"] == 9.2
    assert stamp == pytest.approx(clock + 9.2, abs=0.1)  # the machine may be busy


def test_the_audit_is_a_line_whatever_the_end(tmp_path):
    path = tmp_path / "audit.jsonl"
    with audited(path, source="0", model=None, purpose="表情") as tally:
        tally["micro"] += 2
        tally["seconds"] = 61.5
    with pytest.raises(KeyboardInterrupt), audited(path, source="1"):
        raise KeyboardInterrupt
    with pytest.raises(UserError), audited(path, source="2"):
        raise UserError("camera 2: unplugged")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["source"] for line in lines] == ["0", "1", "2"]
    assert [line["failed"] for line in lines] == [None, None, "camera 2: unplugged"]
    assert lines[0]["purpose"] == "表情"
    assert (lines[0]["micro"], lines[0]["macro"], lines[0]["seconds"]) == (2, 0, 61.5)
    assert lines[0]["time"].startswith("20")


def test_an_audit_that_cannot_be_written_is_one_sentence(tmp_path):
    path = tmp_path / "none" / "audit.jsonl"
    with pytest.raises(UserError, match=r"--audit .*audit\.jsonl: it cannot be written"), audited(path):
        pass


def test_the_name_of_a_file_need_not_be_text(tmp_path):
    with audited(tmp_path / "audit.jsonl", source="caf\udce9.mp4") as tally:
        tally["micro"] = 1
    assert json.loads((tmp_path / "audit.jsonl").read_text("utf-8"))["source"] == "caf?.mp4"
