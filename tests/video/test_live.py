"""Movements while they happen: the newest frame wins, and what ends a source ends nothing else."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from dfrnet.frames import VideoFile
from dfrnet.types import UserError
from dfrnet.video.analyze import analyze
from dfrnet.video.live import _Newest, live
from dfrnet.video.pictures import Picture
from dfrnet.video.sources import Source, open_source
from dfrnet.video.stamps import Told
from trees import REPOSITORY

pytest.importorskip("av")


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
    newest.close()


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


class Each(_Newest):
    """The newest is waited for: every frame, as fast as they can be taken."""

    def __init__(self, source, paced, stop=None):  # noqa: ARG002
        super().__init__(Camera(self.waited(source)), paced=False, stop=stop)

    def waited(self, source):
        for frame in source:
            yield frame
            while self._slot and not self._closed.is_set():
                time.sleep(0.0002)


@pytest.fixture
def each(monkeypatch):
    monkeypatch.setattr("dfrnet.video.live._Newest", Each)


@pytest.fixture(scope="module")
def known(drawn):
    """The movements of the drawn person, by start."""
    return sorted(analyze(drawn[0]).events, key=lambda event: event.start)


def test_live_tells_what_analyze_tells(drawn, known, each):
    assert list(live(drawn[0])) == known


def unplugged(video: Path, after: float) -> Source:
    """A camera that shows a video and is pulled out after so many seconds."""

    def pictures():
        frames = VideoFile(video)
        for frame, at in zip(frames, frames.times, strict=True):
            if at > after:
                raise UserError("camera 1: no picture comes any more; was it unplugged?")
            yield Picture(float(at), frame)

    return Source("camera 1", pictures(), Told(), True, 5.0)


def test_what_was_open_when_the_camera_was_unplugged_is_told_first(drawn, known, each, monkeypatch):
    first = known[0]
    monkeypatch.setattr("dfrnet.video.live.open_source", lambda *_: unplugged(drawn[0], first.end + 0.5))
    found, movements = [], live(1)
    with pytest.raises(UserError, match="camera 1: no picture comes any more"):
        found.extend(iter(lambda: next(movements), None))
    assert [event.start for event in found] == [pytest.approx(first.start, abs=0.1)]


def test_what_is_open_when_it_is_stopped_is_told(drawn, known, each):
    first, stop, told = known[0], threading.Event(), []

    def status(now):
        told.append(now.time)
        if now.time > first.end:
            stop.set()

    found = list(live(drawn[0], status=status, stop=stop))
    assert told[-1] < first.end + 1.1  # it did not go on
    assert [event.start for event in found] == [pytest.approx(first.start, abs=0.1)]


def test_it_can_be_stopped_while_no_frame_comes():
    hangs, stop = threading.Event(), threading.Event()

    def frames():
        yield 0
        hangs.wait(20)

    newest = _Newest(Camera(frames()), paced=False, stop=stop)
    taking = iter(newest)
    assert next(taking) == 0
    threading.Timer(0.1, stop.set).start()
    begun = time.monotonic()
    assert list(taking) == []
    assert time.monotonic() - begun < 5
    hangs.set()
    newest.close()


def test_frames_of_a_file_arrive_when_they_are_due():
    """As somebody sees who takes them at once; slow work on the first frame changes nothing about when it came."""
    late, began = [], []
    with open_source(REPOSITORY / "tests/videos/single_face.mp4") as source:
        newest = _Newest(source, paced=True)
        for frame in newest:
            late.append(time.perf_counter() - frame.arrived)
            began.append(frame.arrived - frame.time)
            if frame.index == 0:
                time.sleep(0.1)
            if frame.time > 0.8:
                break
        newest.close()
    assert min(late) >= 0
    assert np.quantile(late, 0.25) < 0.05  # half of what the first frame took; the machine may be busy
    assert np.ptp(began) < 1e-6


def test_the_status_tells_when_the_recording_began():
    """Also where the first frame took long: the first one loads a network."""
    before, told = time.perf_counter(), []
    for _ in live(REPOSITORY / "tests/videos/single_face.mp4", status=told.append):
        pass
    after = time.perf_counter()
    assert len(told) >= 2
    assert len({round(one.began, 6) for one in told}) == 1
    # Its last frame was due 2.4 s after the first and was looked at soon.
    assert before < told[0].began < after - 2.36
    assert "frames a second: " in told[-1].cautions[0]


def test_a_folder_of_pictures_has_the_rate_that_is_said(tmp_path):
    picture = (REPOSITORY / "tests/data/single_face.jpg").read_bytes()
    for number in range(12):
        (tmp_path / f"{number}.jpg").write_bytes(picture)
    told = []
    assert list(live(tmp_path, fps=10, status=told.append)) == []
    assert told[-1].fps == pytest.approx(10, rel=0.01)
