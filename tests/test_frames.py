import os
import pickle
import struct
import sys
import threading
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfrnet import frames as frames_module
from dfrnet.frames import IMAGE_SUFFIXES, ImageFolder, Stamped, VideoFile, image_folder, natural_key, read_image
from dfrnet.types import Clip, Image, UserError
from trees import write_png


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1), st.sampled_from(["img{}", "006_{:05d}", "{}_x"]))
def test_numbers_count_as_numbers(numbers, name):
    ordered = sorted((Path(name.format(n) + ".jpg") for n in numbers), key=natural_key)
    assert [p.name for p in ordered] == [name.format(n) + ".jpg" for n in sorted(numbers)]


def test_padded_and_unpadded_numbers_mix():
    names = ["006_05562.jpg", "006_5561.jpg", "006_5563.jpg", "006_10000.jpg", "Reg_img9.jpg", "reg_img10.jpg"]
    assert [p.name for p in sorted(map(Path, names[::-1]), key=natural_key)] == [
        "006_5561.jpg", "006_05562.jpg", "006_5563.jpg", "006_10000.jpg", "Reg_img9.jpg", "reg_img10.jpg",
    ]  # fmt: skip


def test_a_name_without_digits_and_one_that_begins_with_them_compare():
    assert [p.stem for p in sorted([Path("a.png"), Path("1.png")], key=natural_key)] == ["1", "a"]


def test_a_folder_gives_its_pictures_in_order_with_times(tmp_path):
    for number in (10, 2, 1):
        write_png(tmp_path / f"img{number}.png", np.full((6, 8, 3), number, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "sub").mkdir()
    frames = image_folder(tmp_path, 200.0)
    assert len(frames) == 3
    assert [int(frames[i][0, 0, 0]) for i in range(3)] == [1, 2, 10]
    assert int(frames[-1][0, 0, 0]) == 10
    np.testing.assert_allclose(frames.times, [0, 0.005, 0.01])
    assert frames[0].shape == (6, 8, 3)
    assert frames[0].dtype == np.uint8


def test_colours_are_red_green_blue(tmp_path):
    write_png(tmp_path / "a.png", np.full((4, 4, 3), (250, 120, 10), np.uint8))
    assert read_image(tmp_path / "a.png")[0, 0].tolist() == [250, 120, 10]


def test_grey_stays_grey(tmp_path):
    write_png(tmp_path / "a.png", np.full((4, 5), 77, np.uint8))
    assert read_image(tmp_path / "a.png").shape == (4, 5)


def test_names_of_any_script(tmp_path):
    write_png(tmp_path / "表情 1 .png", np.zeros((4, 4, 3), np.uint8))
    assert len(image_folder(tmp_path, 30)) == 1
    assert image_folder(tmp_path, 30)[0].shape == (4, 4, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"it is empty \(0 bytes\)"),
        (b"not a picture", "not a picture that decodes"),
        (b"\x89PNG\r\n\x1a\n1234", "the picture is cut short"),
        (b"\xff\xd8\xff", "the picture is cut short"),
        (b"BM", "not a picture that decodes"),
    ],
)
def test_what_does_not_decode_is_named(tmp_path, content, message):
    path = tmp_path / "img7.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"img7\.png: {message}") as caught:
        image_folder(tmp_path, 30)[0]
    assert "\n" not in str(caught.value)


def encoded(suffix: str, *options: int) -> bytes:
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (47, 31, 3), dtype=np.uint8), (0, 0), 1.5)
    return cv2.imencode(suffix, picture, options)[1].tobytes()


def with_exif(jpeg: bytes, orientation: int, preview: bytes = b"") -> bytes:
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIIi", 1, 0x112, 3, 1, orientation, 0)
    app = b"Exif\0\0" + tiff + preview
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(app) + 2) + app + jpeg[2:]


WHOLE = {
    "jpeg": encoded(".jpg"),
    "progressive": encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "preview": with_exif(encoded(".jpg"), 1, encoded(".jpg", cv2.IMWRITE_JPEG_QUALITY, 10)),
    "png": encoded(".png"),
    "bmp": encoded(".bmp"),
    "tiff": encoded(".tif"),
}
"""Pictures of each kind; the one with a preview has an end marker near its beginning, too."""


@pytest.mark.parametrize("kind", WHOLE)
def test_a_picture_that_is_cut_anywhere_is_refused(tmp_path, kind):
    """Every decoder has its own idea of how much may be missing; half a picture is never a frame."""
    data, path = WHOLE[kind], tmp_path / "img1.jpg"
    path.write_bytes(data)
    assert read_image(path).shape == (47, 31, 3)
    for length in (*range(3, len(data), len(data) // 23), len(data) - 20, len(data) - 2, len(data) - 1):
        path.write_bytes(data[:length])
        message = "img1.jpg: (not a picture|the picture is cut short)" if kind == "tiff" or length < 54 else "cut short"
        with pytest.raises(UserError, match=message):
            read_image(path)


@pytest.mark.parametrize("kind", sorted({*WHOLE} - {"tiff"}))
def test_what_stands_behind_a_picture_does_no_harm(tmp_path, kind):
    path = tmp_path / "img1.jpg"
    path.write_bytes(WHOLE[kind])
    expected = read_image(path)
    path.write_bytes(WHOLE[kind] + b"\0" * 3000)
    np.testing.assert_array_equal(read_image(path), expected)


def test_a_bitmap_whose_header_states_no_size_is_whole(tmp_path):
    data = bytearray(WHOLE["bmp"])
    data[2:6] = bytes(4)
    (tmp_path / "a.bmp").write_bytes(data)
    assert read_image(tmp_path / "a.bmp").shape == (47, 31, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_cameras_note_turns_no_frame(tmp_path, orientation):
    (tmp_path / "a.jpg").write_bytes(WHOLE["jpeg"])
    (tmp_path / "b.jpg").write_bytes(with_exif(WHOLE["jpeg"], orientation))
    np.testing.assert_array_equal(read_image(tmp_path / "b.jpg"), read_image(tmp_path / "a.jpg"))


def test_sixteen_bits_become_eight(tmp_path):
    write_png(tmp_path / "a.png", np.full((4, 4, 3), (1000, 30000, 64000), np.uint16))
    assert read_image(tmp_path / "a.png")[0, 0].tolist() == [3, 117, 250]


def test_the_check_is_cheap(tmp_path):
    """Less than a tenth of decoding, for frames of a common size."""
    data = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 256, (340, 280, 3), dtype=np.uint8))[1].tobytes()
    times = {}
    for name, call in (("check", lambda: frames_module._cut_short(data)), ("decode", lambda: cv2.imdecode(
        np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))):  # fmt: skip
        start = time.process_time()
        for _ in range(50):
            call()
        times[name] = time.process_time() - start
    assert times["check"] < times["decode"] / 10


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.png: cannot be read \(No such file"):
        read_image(tmp_path / "gone.png")


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "other-files"])
def test_a_folder_without_pictures_is_named(tmp_path, kind):
    folder = tmp_path / "frames"
    if kind == "file":
        folder.write_text("a file")
    elif kind != "missing":
        folder.mkdir()
        if kind == "other-files":
            (folder / "a.txt").write_text("x")
    with pytest.raises(UserError, match=f"{os.sep}frames: no "):
        image_folder(folder, 30)


def test_suffixes_can_be_chosen(tmp_path):
    assert ".jpg" in IMAGE_SUFFIXES
    write_png(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(UserError, match="no pictures"):
        image_folder(tmp_path, 30, [".JPG"])
    assert len(image_folder(tmp_path, 30, [".PNG"])) == 1


@pytest.mark.parametrize("fps", [0, -1, float("nan")])
def test_a_rate_is_above_zero(tmp_path, fps):
    with pytest.raises(UserError, match="fps must be above 0"):
        ImageFolder((tmp_path / "a.png",), fps)


def test_a_folder_is_stamped_by_the_frames_asked_for(tmp_path):
    for number in range(4):
        write_png(tmp_path / f"img{number}.png", np.full((4, 4), number, np.uint8))
    found = image_folder(tmp_path, 30)
    assert isinstance(found, Stamped)
    assert not isinstance([np.zeros((4, 4), np.uint8)], Stamped)
    before = found.stamp(1, 2)
    os.utime(tmp_path / "img0.png", ns=(0, 0))
    assert found.stamp(1, 2) == before
    os.utime(tmp_path / "img2.png", ns=(0, 0))
    assert found.stamp(1, 2) != before
    (tmp_path / "img1.png").unlink()
    with pytest.raises(UserError, match=r"img1\.png: cannot be read"):
        found.stamp(1, 2)


# Videos

CODECS = {
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}),
    "mpeg4.avi": ("mpeg4", "yuv420p", {"bf": "2"}),
    "raw.avi": ("rawvideo", "bgr24", {}),
    "h264.avi": ("libx264", "yuv420p", {"bf": "2"}),
    "h264.mp4": ("libx264", "yuv420p", {"bf": "2", "g": "10", "sc_threshold": "0"}),
    "mpeg4.mp4": ("mpeg4", "yuv420p", {"bf": "2"}),
    "h264.mkv": ("libx264", "yuv420p", {"bf": "2", "g": "10", "sc_threshold": "0"}),
}
"""Containers and codecs as they come; in those with bf, frames are stored in another order than they are shown."""
COUNT = 25


def write_video(path: Path, codec: str = "mpeg4", form: str = "yuv420p", options=None, stamps=range(COUNT)) -> Path:
    """64 x 48 pixels at 30 frames a second; frame k is about k * 10 bright, under a light corner and a noisy band."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        try:
            stream = container.add_stream(codec, rate=30)
        except ValueError:
            pytest.skip(f"no {codec} here")
        stream.width, stream.height, stream.pix_fmt, stream.options = 64, 48, form, options or {}
        stream.bit_rate = 4_000_000
        for number, stamp in enumerate(stamps):
            picture = np.full((48, 64, 3), number * 10, np.uint8)
            picture[:8, :8] = 255
            picture[8:16] = np.random.default_rng(number).integers(0, 256, (8, 64, 1))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = stamp
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def numbers(video: VideoFile, positions) -> list[int]:
    """Which frames these are, by their brightness."""
    return [round(float(video[k][24:].mean()) / 10) for k in positions]


@pytest.mark.parametrize("name", CODECS)
def test_a_video_gives_its_frames_in_any_order(tmp_path, name):
    codec, form, options = CODECS[name]
    video = VideoFile(write_video(tmp_path / name, codec, form, options))
    assert len(video) == COUNT
    np.testing.assert_allclose(video.times, np.arange(COUNT) / 30, atol=0.0011)  # mkv counts in milliseconds
    assert video[3].shape == (48, 64, 3)
    assert video[3].dtype == np.uint8
    assert numbers(video, range(COUNT)) == list(range(COUNT))
    order = [int(k) for k in np.random.default_rng(0).permutation(COUNT)]
    assert numbers(video, order) == order
    assert numbers(video, (-1, -COUNT)) == [COUNT - 1, 0]
    for outside in (COUNT, -COUNT - 1):
        with pytest.raises(IndexError, match="of 25"):
            video[outside]


def test_times_are_the_files_own(tmp_path):
    stamps = [5, 6, 8, 11, 12, 20, 50]
    path = write_video(tmp_path / "a.mkv", "libx264", stamps=stamps)
    np.testing.assert_allclose(VideoFile(path).times, (np.array(stamps) - 5) / 30, atol=0.0011)


@pytest.mark.parametrize("name", ["mjpeg.avi", "h264.mp4"])
def test_in_order_each_frame_is_decoded_once(tmp_path, name, monkeypatch):
    codec, form, options = CODECS[name]
    video = VideoFile(write_video(tmp_path / name, codec, form, options))
    decoded, original = [], frames_module._decoded

    def counted(*arguments):
        for at, frame in original(*arguments):
            decoded.append(at)
            yield at, frame

    monkeypatch.setattr(frames_module, "_decoded", counted)
    for k in range(COUNT):
        for _ in range(2):
            assert numbers(video, [k]) == [k]
    assert decoded == list(range(COUNT))
    decoded.clear()
    assert numbers(video, [4, 12]) == [4, 12]
    assert len(decoded) <= 13
    decoded.clear()
    assert numbers(video, [11]) == [11]
    assert decoded == ([10, 11] if name == "h264.mp4" else list(range(12)))


def test_a_video_is_read_from_two_threads(tmp_path):
    video = VideoFile(write_video(tmp_path / "a.mp4"))
    found: dict[int, list[int]] = {}

    def read(thread: int) -> None:
        found[thread] = numbers(video, range(COUNT))

    threads = [threading.Thread(target=read, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {k: list(range(COUNT)) for k in range(3)}


def test_a_video_travels_without_its_decoder(tmp_path):
    video = VideoFile(write_video(tmp_path / "a.mp4"))
    assert numbers(video, [7]) == [7]
    data = pickle.dumps(video)
    assert len(data) < 2000
    copy = pickle.loads(data)
    assert copy == video
    assert numbers(copy, [8, 2]) == [8, 2]
    np.testing.assert_array_equal(copy.times, video.times)
    assert len({video, copy}) == 1


def test_many_videos_keep_few_files_open(tmp_path):
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no list of open files here")
    path = write_video(tmp_path / "a.avi", "mjpeg", "yuvj420p", stamps=range(3))
    videos = [VideoFile(path) for _ in range(30)]
    before = len(list(Path("/proc/self/fd").iterdir()))
    for video in videos:
        video[1]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 8


@pytest.mark.parametrize("name", ["mjpeg.avi", "mpeg4.avi", "raw.avi", "h264.mkv"])
def test_a_cut_video_has_the_frames_that_are_whole(tmp_path, name):
    codec, form, options = CODECS[name]
    path = write_video(tmp_path / name, codec, form, options)
    data = path.read_bytes()
    counts = []
    for share in (0.75, 0.9, 0.97):
        path.write_bytes(data[: int(share * len(data))])
        video = VideoFile(path)
        counts.append(len(video))
        found = numbers(video, range(len(video)))
        assert found == sorted(found)
        # Frames between two may be lost; an AVI does not say which of its last ones.
        np.testing.assert_allclose(video.times, np.array(found) / 30, atol=0.034 if name == "mpeg4.avi" else 0.0011)
    assert 0 < counts[0] < counts[1] <= counts[2] < COUNT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such video file"),
        (b"", "not a video that opens"),
        (b"not a video" * 100, "not a video that opens"),
        ("half", "not a video that opens|no frame of this video is whole|there is no video in it"),
    ],
)
def test_what_is_no_video_is_one_sentence(tmp_path, content, message):
    pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    if content == "half":
        path.write_bytes(write_video(tmp_path / "whole.mp4").read_bytes()[:-200])
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"clip\.mp4: ({message})") as caught:
        VideoFile(path)
    assert "\n" not in str(caught.value)


def test_a_frame_that_does_not_decode_is_named(tmp_path):
    """In the middle of a file; the others keep their positions."""
    path = write_video(tmp_path / "a.avi", "mjpeg", "yuvj420p")
    data = bytearray(path.read_bytes())
    starts = [at for at in range(len(data) - 2) if data[at : at + 3] == b"\xff\xd8\xff"]
    assert len(starts) == COUNT
    data[starts[9] : starts[10] - 16] = bytes(starts[10] - 16 - starts[9])
    path.write_bytes(data)
    video = VideoFile(path)
    assert len(video) == COUNT
    with pytest.raises(UserError, match=r"a\.avi: frame 9 does not decode"):
        video[9]
    assert numbers(video, [8, 10, 24]) == [8, 10, 24]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_video_is_turned_upright(tmp_path, turn):
    """By the matrix that telephones write into the header; ``turn`` is clockwise, as the player must turn it."""
    path = write_video(tmp_path / "a.mp4")
    upright = VideoFile(path)[0]
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix follows 40 bytes
    one = 1 << 16
    a, b, c, d = {90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0)}[turn]
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    turned = VideoFile(path)[0]
    np.testing.assert_array_equal(turned, np.rot90(upright, -turn // 90))
    assert turned[:8, -8:].mean() > 240 if turn == 90 else True


def test_a_video_is_a_clips_frames_and_is_stamped(tmp_path):
    path = write_video(tmp_path / "a.mp4")
    clip = Clip("d/s/c", "d", "d/s", "positive", VideoFile(path), 2, 5, 9)
    assert isinstance(clip.frames, Stamped)
    before = clip.frames.stamp(2, 9)
    os.utime(path, ns=(0, 0))
    assert clip.frames.stamp(2, 9) != before


def test_without_pyav_only_videos_are_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(ModuleNotFoundError) as caught:
        VideoFile(tmp_path / "a.mp4")
    assert caught.value.name == "av"


@pytest.mark.parametrize("name", ["single_face.mp4", "no_face.mp4", "face_noface.mov"])
def test_free_videos(shared, name):
    av = pytest.importorskip("av")
    path = shared / "data" / "videos" / name
    if not path.is_file():
        pytest.skip("no videos here")
    expected: list[tuple[float, Image]] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            expected.append((frame.time, frame.to_ndarray(format="rgb24")))
            if len(expected) == 12:
                break
    video = VideoFile(path)
    np.testing.assert_allclose(video.times[:12], [at - expected[0][0] for at, _ in expected], atol=1e-6)
    assert (np.diff(video.times) > 0).all()
    for k in (0, 1, 11, 5):
        np.testing.assert_array_equal(video[k], expected[k][1])
    assert video[len(video) - 1].shape == expected[0][1].shape


def test_a_header_that_claims_more_than_can_be_is_a_sentence(tmp_path):
    """OpenCV raises an error of its own for it."""
    done, data = cv2.imencode(".png", np.zeros((4, 4), np.uint8))
    assert done
    head = bytearray(data.tobytes())
    head[16:24] = (60_000).to_bytes(4, "big") * 2
    head[29:33] = zlib.crc32(bytes(head[12:29])).to_bytes(4, "big")
    path = tmp_path / "huge.png"
    path.write_bytes(bytes(head))
    with pytest.raises(UserError, match=r"huge\.png: not a picture that decodes"):
        read_image(path)
