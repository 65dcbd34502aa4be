import gc
import struct
import sys
import threading
import time
import wave
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfrnet import frames as stills
from dfrnet.frames import VideoFile
from dfrnet.types import UserError
from dfrnet.video.pictures import ENOUGH, Picture
from dfrnet.video.sources import AHEAD, Frame, Source, captured, open_source
from dfrnet.video.stamps import LEAP, RUN, Clock, Told
from trees import write_png

av = pytest.importorskip("av")

COUNT = 25
CONTAINERS = {
    "h264.mp4": ("libx264", "yuv420p", {"bf": "2", "g": "10"}),
    "h264.avi": ("libx264", "yuv420p", {"bf": "2"}),
    "mpeg4.avi": ("mpeg4", "yuv420p", {"bf": "2"}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}),
    "ffv1.mkv": ("ffv1", "bgr0", {}),
    "h264.mkv": ("libx264", "yuv444p", {"bf": "2"}),
    "deep.mov": ("prores_ks", "yuv422p10le", {}),
    "mpeg2.ts": ("mpeg2video", "yuv420p", {"bf": "2"}),
    "vp8.webm": ("libvpx", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
}


def numbered(number: int, size=(64, 48)) -> np.ndarray:
    """About 10 brighter with each number, under a light corner (top left) and a noisy band."""
    picture = np.full((size[1], size[0], 3), 5 + number * 10 % 250, np.uint8)
    picture[:8, :8] = 255
    picture[8:16] = np.random.default_rng(number).integers(0, 256, (8, size[0], 1))
    return picture


def write_video(
    path: Path, codec="mpeg4", form="yuv420p", options=None, stamps=range(COUNT), draw=numbered, rate=25, unit=None
) -> Path:
    """Frames that ``draw`` makes of their numbers; ``stamps`` in units of 1 / rate, or of ``unit`` seconds."""
    with av.open(str(path), "w") as container:
        try:
            stream = container.add_stream(codec, rate=rate)
        except ValueError:
            pytest.skip(f"no {codec} here")
        stream.height, stream.width = draw(0).shape[:2]
        stream.pix_fmt, stream.options, stream.bit_rate = form, options or {}, 4_000_000
        stream.codec_context.time_base = unit or Fraction(1, rate)
        for number, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
            frame.pts, frame.time_base = stamp, unit or Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def patched(path: Path, name: bytes, offset: int, value: bytes) -> Path:
    """Bytes after the atom's four letters, in each atom of that name."""
    data, at = bytearray(path.read_bytes()), 0
    while (at := data.find(name, at)) >= 0:
        at += 4
        data[at + offset : at + offset + len(value)] = value
    path.write_bytes(data)
    return path


def read(what, fps=None) -> tuple[list[Frame], list[str]]:
    with open_source(what, fps) as source:
        return list(source), source.notes


def numbers(frames: list[Frame]) -> list[int]:
    return [round((float(frame.grey[24:].mean()) - 5) / 10) for frame in frames]


def times(frames: list[Frame]) -> list[float]:
    return [frame.time for frame in frames]


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_frame_comes_once_in_order_with_its_time(tmp_path, name):
    codec, form, options = CONTAINERS[name]
    frames, notes = read(write_video(tmp_path / name, codec, form, options))
    assert numbers(frames) == list(range(COUNT))
    assert [frame.index for frame in frames] == list(range(COUNT))
    np.testing.assert_allclose(times(frames), np.arange(COUNT) / 25, atol=1e-9)
    assert notes == []
    assert frames[3].image.shape == (48, 64, 3)
    assert frames[3].grey.shape == (48, 64)
    assert frames[3].image.dtype == frames[3].grey.dtype == np.uint8


def colours(number: int) -> np.ndarray:
    """Smooth, dark to light, with the colours of skin."""
    ramp = np.linspace(0, 1, 96, dtype=np.float32)
    picture = np.stack(np.broadcast_arrays(ramp * 255, ramp[:64, None] * 200 + number, ramp * 150), -1)
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", CONTAINERS)
def test_grey_is_that_of_the_image(tmp_path, name):
    """Within rounding: luma has 219 levels, and colours at half the resolution are not quite those of a pixel."""
    codec, form, options = CONTAINERS[name]
    frames, _ = read(write_video(tmp_path / name, codec, form, options, range(9), colours))
    for frame in frames:
        apart = np.abs(stills.grey(frame.image).astype(int) - frame.grey)
        assert np.median(apart) <= 1
        assert np.quantile(apart, 0.99) <= 2
        true = stills.grey(colours(frame.index)).astype(int)
        assert np.quantile(np.abs(true - frame.grey), 0.95) <= 3


def test_times_are_the_files_own(tmp_path):
    stamps = [0, 1, 2, 5, 6, 10, 30, 31]
    frames, notes = read(write_video(tmp_path / "a.mkv", stamps=stamps, options={"bf": "0"}, rate=50))
    np.testing.assert_allclose(times(frames), np.array(stamps) / 50, atol=1e-3)
    assert notes == []


def test_a_gap_is_told(tmp_path):
    frames, notes = read(write_video(tmp_path / "a.mkv", stamps=[0, 1, 2, 60, 61, 62]))
    assert times(frames)[3] == pytest.approx(2.4)
    assert notes == ["gaps of more than 0.5 s without a frame: 1"]


def test_stamps_may_begin_anywhere(tmp_path):
    unit = Fraction(1, 90_000)
    stamps = [2**32 + 450 * k for k in range(9)]
    frames, notes = read(write_video(tmp_path / "a.ts", "libx264", stamps=stamps, unit=unit, rate=200))
    np.testing.assert_allclose(times(frames), 0.005 * np.arange(9), atol=1e-9)
    assert notes == []


def test_without_stamps_the_rate_counts(tmp_path):
    path = write_video(tmp_path / "a.h264", "libx264")
    frames, notes = read(path, 200)
    assert numbers(frames) == list(range(COUNT))
    np.testing.assert_allclose(times(frames), np.arange(COUNT) / 200)
    assert notes == [f"frames without a time stamp; their times follow from the frame rate: {COUNT}"]


@given(st.lists(st.one_of(st.none(), st.floats(), st.floats(0, 10), st.integers(0, 300).map(lambda k: k / 30))))
def test_times_ascend_whatever_the_stamps(stamps):
    told = Told()
    clock = Clock(told)
    found = [at for at in map(clock.tell, stamps) if at is not None]
    assert np.isfinite(found).all()
    assert all(before < after <= before + LEAP for before, after in pairwise(found))
    assert found[:1] == [0.0] * bool(stamps)
    lost = len(stamps) - len(found)
    assert lost == told.odd["disordered"]
    told.conclude()
    assert bool(told.notes) or lost == 0


def clocked(stamps) -> tuple[list[float | None], Told]:
    told = Told(rate=10.0)
    clock = Clock(told)
    return [None if at is None else round(at, 9) for at in map(clock.tell, stamps)], told


def test_what_the_clock_does_with_wrong_stamps():
    assert clocked([5.0, 5.1, 5.2])[0] == [0, 0.1, 0.2]
    assert clocked([0, None, 0.2, float("nan"), 0.4])[0] == [0, 0.1, 0.2, 0.3, 0.4]
    assert clocked([0, 0.1, 0.1, 0.05, 0.2])[0] == [0, 0.1, None, None, 0.2]
    assert clocked([0, 1e9, 0.2])[0] == [0, None, 0.2]
    assert clocked([None, None, 7.0, 7.1])[0] == [0, 0.1, 0.2, 0.3]


def test_a_clock_that_begins_anew_is_followed():
    late = [k / 10 for k in range(RUN + 5)]
    found, told = clocked([100.0, 100.1, *late])
    assert found == [0, 0.1, *[None] * (RUN - 1), *[round(0.2 + k / 10, 9) for k in range(6)]]
    assert told.odd == {"disordered": RUN - 1, "jumps": 1}


def test_a_clock_that_stands_still_is_not_believed():
    found, told = clocked([0.0] * 50)
    assert found[1:RUN] == [None] * (RUN - 1)
    np.testing.assert_allclose(found[RUN:], 0.1 * np.arange(1, 51 - RUN))
    assert told.odd["unstamped"] == 50 - RUN


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_video_is_upright(tmp_path, turn):
    """By the matrix that telephones write into the header; ``turn`` is clockwise, as the player must turn it."""
    path = write_video(tmp_path / "a.mp4", stamps=range(3))
    before = read(path)[0][0]
    one = 1 << 16
    a, b, c, d = {90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0)}[turn]
    after = read(patched(path, b"tkhd", 40, struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)))[0][0]
    np.testing.assert_array_equal(after.image, np.rot90(before.image, -turn // 90))
    np.testing.assert_array_equal(after.grey, np.rot90(before.grey, -turn // 90))
    np.testing.assert_array_equal(after.image, VideoFile(path)[0])


def test_a_file_that_ends_early_says_so(tmp_path):
    path = write_video(tmp_path / "a.mkv", "libx264", stamps=range(100))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, notes = read(path)
    assert 25 < len(frames) < 75
    assert numbers(frames[:20]) == list(range(20))
    assert any(note.startswith("it declares a length of 4.0 s, but its frames end at ") for note in notes)


def lying(path: Path, milliseconds: float) -> Path:
    """The length in the header of a Matroska file (element 4489, 8 bytes) replaced."""
    data = write_video(path, "libx264").read_bytes()
    at = data.index(b"\x44\x89\x88") + 3
    path.write_bytes(data[:at] + struct.pack(">d", milliseconds) + data[at + 8 :])
    return path


def test_a_file_that_lies_about_its_length(tmp_path):
    frames, notes = read(lying(tmp_path / "a.mkv", 60_000))
    assert len(frames) == COUNT
    assert notes == ["it declares a length of 60.0 s, but its frames end at 1.0 s"]


@pytest.mark.parametrize("length", [1e15, -1e6, float("nan"), float("inf")])
def test_a_length_that_cannot_be_is_ignored(tmp_path, length):
    with open_source(lying(tmp_path / "a.mkv", length)) as source:
        declared = source.declared_duration
        assert len(list(source)) == COUNT
    assert declared is None or declared == pytest.approx(1, abs=0.05)  # FFmpeg may work it out itself
    assert all(note.startswith("the length that it declares cannot be") for note in source.notes)


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "mjpeg.avi", "mpeg2.ts"])
def test_a_file_cut_anywhere_is_read_or_refused(tmp_path, name):
    codec, form, options = CONTAINERS[name]
    data = write_video(tmp_path / name, codec, form, options, range(10)).read_bytes()
    path, read_once = tmp_path / f"cut.{name}", 0
    for end in range(0, len(data), len(data) // 12):
        path.write_bytes(data[:end])
        try:
            frames, _ = read(path)
        except UserError:
            continue
        read_once += 1
        shown = numbers(frames)  # those that are stored late may lack between those that are shown late
        np.testing.assert_allclose(times(frames), [(k - shown[0]) / 25 for k in shown], atol=1e-6)
    assert read_once or name == "h264.mp4"  # its header stands at the end


def test_a_damaged_frame_is_counted(tmp_path):
    path = write_video(tmp_path / "a.avi", "mjpeg", "yuvj420p")
    data = bytearray(path.read_bytes())
    starts = [at for at in range(len(data) - 2) if data[at : at + 3] == b"\xff\xd8\xff"]
    data[starts[9] : starts[10] - 16] = bytes(starts[10] - 16 - starts[9])
    path.write_bytes(data)
    frames, notes = read(path)
    assert numbers(frames) == [k for k in range(COUNT) if k != 9]
    np.testing.assert_allclose(times(frames), [k / 25 for k in range(COUNT) if k != 9])
    assert notes == ["damaged packets or frames left out: 1"]


@pytest.mark.parametrize(
    ("size", "kept", "note"),
    [
        ((128, 96), [0, 1, 2, 0, 1, 2, 3, 4], "frames of another size than the first one, scaled to it: 5"),
        ((48, 64), [0, 1, 2], "frames of another shape than the first one left out: 5"),
    ],
)
def test_a_change_of_the_pictures_size(tmp_path, size, kept, note):
    """In a stream that was put together of two; its seam breaks the count of packets, which costs two frames there."""
    path, parts = tmp_path / "both.ts", []
    for part, its in enumerate([(64, 48), size]):
        one = tmp_path / f"{part}.ts"
        stamps = range(30 * part, 30 * part + 5)
        parts.append(write_video(one, "mpeg2video", stamps=stamps, draw=lambda k, its=its: numbered(k, its)))
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, notes = read(path)
    assert numbers(frames) == kept
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    assert note in notes


def write_jpegs(path: Path, picture: np.ndarray, count: int) -> Path:
    """The same picture again and again."""
    data = cv2.imencode(".jpg", picture)[1].tobytes()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuvj420p"
        for number in range(count):
            packet = av.Packet(data)
            packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, number, number, True
            packet.time_base = Fraction(1, 25)
            container.mux(packet)
    return path


def test_pictures_of_8k_are_scaled_down(tmp_path):
    wall = np.full((4320, 7680, 3), 90, np.uint8)
    wall[:2160, :3840] = 200
    frames, notes = read(write_jpegs(tmp_path / "a.avi", wall, 1))
    assert frames[0].image.shape == (1080, ENOUGH, 3)
    assert frames[0].grey.shape == (1080, ENOUGH)
    assert [int(frames[0].grey[at]) for at in [(500, 500), (500, 1500), (539, 959), (541, 961)]] == [200, 90, 200, 90]
    assert notes == ["its pictures are scaled from 7680x4320 to 1920x1080 pixels"]


def drawn(width: int, height: int):
    return lambda _: np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (64, 8), (9000, 16)])
def test_sizes_that_cannot_be_used(tmp_path, size):
    path = write_video(tmp_path / "a.avi", "rawvideo", "bgr24", stamps=[0, 1], draw=drawn(*size))
    with pytest.raises(
        UserError, match=rf"a\.avi: its pictures are {size[0]}x{size[1]} pixels; from 16x16 to 8192x8192"
    ):
        open_source(path)


def test_a_header_of_a_giant_is_refused_before_it_is_decoded(tmp_path):
    path = write_video(tmp_path / "a.avi", "rawvideo", "bgr24", stamps=[0, 1])
    patched(path, b"strf", 4, struct.pack("<III", 40, 30_000, 30_000))
    with pytest.raises(UserError, match=r"a\.avi: (its pictures are 30000x30000 pixels|not a video|no frame)"):
        open_source(path)


def write_sound(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))


def write_sound_mp4(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_list(path: Path) -> None:
    """A list that names another file, which is a video."""
    write_video(path.with_name("other.mp4"))
    path.write_text("ffconcat version 1.0\nfile other.mp4\n")


def write_playlist(path: Path) -> None:
    write_video(path.with_name("other.ts"), "mpeg2video")
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n")


UNUSABLE = {
    "missing": ("a.mp4", lambda _: None, "no such video file or folder"),
    "empty": ("a.mp4", lambda path: path.write_bytes(b""), r"it is empty \(0 bytes\)"),
    "text": ("a.mp4", lambda path: path.write_text("not a video\n" * 100), "not a video that opens"),
    "text in lines": ("a.avi", lambda path: path.write_text("a,b\n1,2\n" * 9), "not a video that opens"),
    "zeros": ("a.mkv", lambda path: path.write_bytes(bytes(5000)), "not a video that opens"),
    "still": ("a.png", lambda path: write_png(path, numbered(1)), "a still shows no movement"),
    "hidden still": (
        "a.mp4",
        lambda path: path.write_bytes(cv2.imencode(".jpg", numbered(1))[1].tobytes()),
        "a still shows no movement",
    ),
    "sound": ("a.wav", write_sound, "not a video that opens"),
    "sound in mp4": ("a.mp4", write_sound_mp4, "there is no video in it"),
    "list of files": ("a.mp4", write_list, "not a video that opens"),
    "playlist": ("a.m3u8", write_playlist, "not a video that opens"),
    "folder": ("a", lambda path: path.mkdir(), "pictures of a folder have no times; say with --fps"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_what_cannot_be_used_is_one_sentence(tmp_path, kind):
    name, write, message = UNUSABLE[kind]
    path = tmp_path / name
    write(path)
    with pytest.raises(UserError, match=message) as caught:
        open_source(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.mp4", "a:b 表情 %d.mkv", "12"])
def test_a_file_is_known_by_what_is_in_it(tmp_path, monkeypatch, name):
    """Not by its name, which may be that of another container, look like an address or like a camera."""
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "a.webm", "libvpx", stamps=range(3)).rename(tmp_path / name)
    assert numbers(read(name)[0]) == [0, 1, 2]


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1e9])
def test_a_rate_must_be_one(tmp_path, fps):
    with pytest.raises(UserError, match="frames a second must be above 0"):
        open_source(tmp_path, fps)


def test_a_folder_of_pictures(tmp_path):
    for number in (10, 2, 1):
        write_png(tmp_path / f"img{number}.png", numbered(number))
    cv2.imwrite(str(tmp_path / "img11.png"), numbered(11)[..., 0])
    with open_source(tmp_path, 100) as source:
        assert not source.live
        assert source.declared_duration is None
        frames = list(source)
    assert numbers(frames) == [1, 2, 10, 11]
    np.testing.assert_allclose(times(frames), [0, 0.01, 0.02, 0.03])
    assert frames[3].image.shape == (48, 64, 3)
    np.testing.assert_array_equal(frames[1].image, numbered(2))


def test_a_picture_that_does_not_decode_leaves_a_gap(tmp_path):
    for number in range(4):
        write_png(tmp_path / f"{number}.png", numbered(number))
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:-30])
    frames, notes = read(tmp_path, 10)
    assert numbers(frames) == [0, 1, 3]
    np.testing.assert_allclose(times(frames), [0, 0.1, 0.3])
    assert "2.png: the picture is cut short" in notes[0]
    assert notes[1] == "pictures that cannot be read, left out: 1"
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(b"x")
    with pytest.raises(UserError, match=r"\.png: not a picture that decodes"):
        open_source(tmp_path, 10)


@pytest.mark.parametrize("number", [97, "97"])
def test_a_camera_that_is_not_there(number, capfd):
    with pytest.raises(UserError, match="camera 97: it does not open; plug it in"):
        open_source(number)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("number", [-1, 100])
def test_a_number_that_no_camera_has(number):
    with pytest.raises(UserError, match=f"camera {number}: cameras are numbered from 0 to 99"):
        open_source(number)


def test_a_camera_is_stamped_as_pictures_arrive_and_may_be_pulled_out(tmp_path):
    """A file in OpenCV's hands is to the program what a camera is that ends."""
    path = write_video(tmp_path / "a.avi", "mjpeg", "yuvj420p", stamps=range(4))
    told, began = Told(), time.perf_counter()
    source = Source("camera 1", captured("camera 1", cv2.VideoCapture(str(path)), told), told, True, 5.0)
    arriving = iter(source)
    frames = [next(arriving) for _ in range(4)]
    with pytest.raises(UserError, match="camera 1: no picture comes any more"):
        next(arriving)
    assert numbers(frames) == [0, 1, 2, 3]
    assert source.live
    assert times(frames)[0] == 0
    assert times(frames)[-1] < time.perf_counter() - began
    np.testing.assert_allclose([frame.arrived - frame.time for frame in frames], frames[0].arrived, atol=1e-9)
    assert began < frames[0].arrived < frames[-1].arrived < time.perf_counter()


def test_when_frames_of_a_file_arrive_is_not_known(tmp_path):
    frames, _ = read(write_video(tmp_path / "a.mkv", stamps=range(3)))
    assert all(np.isnan(frame.arrived) for frame in frames)


@pytest.mark.parametrize(("live", "remedy"), [(False, "restore it or convert it"), (True, "check the camera")])
@pytest.mark.parametrize("after", [0, 2])
def test_what_hangs_is_given_up(live, remedy, after):
    release = threading.Event()

    def pictures():
        for number in range(after):
            yield Picture(number / 10, numbered(number))
        release.wait(20)

    began = time.monotonic()
    with pytest.raises(UserError, match=rf"it: no frame came for 0\.2 s; {remedy}"):
        list(Source("it", pictures(), Told(), live, 0.2))
    assert time.monotonic() - began < 5
    release.set()


def gone(source: Source) -> bool:
    source._thread.join(5)
    return not source._thread.is_alive()


def test_a_source_that_is_closed_or_forgotten_lets_go(tmp_path):
    path = write_video(tmp_path / "a.mkv", stamps=range(40))
    with open_source(path) as source:
        assert next(iter(source)).index == 0
    assert gone(source)
    assert list(source._told.odd) == []
    thread = open_source(path)._thread
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_a_source_is_read_once(tmp_path):
    with open_source(write_video(tmp_path / "a.mkv", stamps=range(3))) as source:
        assert len(list(source)) == 3
        with pytest.raises(RuntimeError, match="read once"):
            list(source)


def test_only_a_few_frames_live_at_a_time(tmp_path):
    path = write_jpegs(tmp_path / "a.avi", np.zeros((32, 32, 3), np.uint8), 2000)
    most = count = 0
    with open_source(path) as source:
        for frame in source:
            assert frame.grey.shape == (32, 32)
            count += 1
            if frame.index % 500 == 100:
                time.sleep(0.02)  # the reader gets as far ahead as it can
                most = max(most, sum(type(one) is Frame for one in gc.get_objects()))
    assert count == 2000
    assert 1 <= most <= AHEAD + 3


def test_what_goes_wrong_in_the_thread_is_raised_here(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(ModuleNotFoundError) as caught:
        open_source(tmp_path / "a.mp4")
    assert caught.value.name == "av"


def test_a_free_video_is_what_the_other_reader_gives(shared):
    path = shared / "data" / "videos" / "single_face.mp4"
    if not path.is_file():
        pytest.skip("no videos here")
    video = VideoFile(path)
    with open_source(path) as source:
        for frame in source:
            assert frame.time == pytest.approx(video.times[frame.index])
            if frame.index % 20 == 0 and frame.index < 100:
                np.testing.assert_array_equal(frame.image, video[frame.index])
        assert frame.index == len(video) - 1
        assert source.notes == []
        assert source.declared_duration == pytest.approx(frame.time, abs=0.1)
