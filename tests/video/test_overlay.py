"""The recording with the findings drawn in: the right face, the right stretch, and nobody to be known where blurred."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from dfrnet.types import Event, Interval, Recording, UserError
from dfrnet.video.analyze import analyze
from dfrnet.video.overlay import MICRO, _hides, overlay
from dfrnet.video.sources import open_source
from dfrnet.video.track import FaceTracker

av = pytest.importorskip("av")

SINGLE = Path(__file__).parents[1] / "videos" / "single_face.mp4"
FACE = (slice(130, 300), slice(215, 370))  # rows and columns of the face of that video, well within its box
NOTHING = Recording("x.mp4", 3.0, 30.0)


def frames_of(path, count=None):
    """Seconds and RGB uint8 (N, H, W, 3)."""
    with av.open(str(path)) as container:
        found = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)][:count]
    return [time for time, _ in found], np.stack([image for _, image in found])


@pytest.fixture(scope="module")
def face():
    """One picture, 360x640, with a face about in its middle."""
    return frames_of(SINGLE, 1)[1][0]


def write(path, images, fps=30):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], "yuv420p"
        stream.options = {"crf": "12", "preset": "ultrafast"}
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode())
    return path


def placed(face, *places, scale=0.5, ground=120):
    """A scene of 240x640 with the face at each column of ``places``."""
    scene = np.full((240, 640, 3), ground, np.uint8)
    small = cv2.resize(face[80:, 160:440], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for x in places:
        scene[40 : 40 + small.shape[0], x : x + small.shape[1]] = small
    return scene


def detail(image):
    return cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var()


def columns(images, colour):
    """In which columns a drawn line has this colour, in any of the pictures (N, H, W, 3)."""
    near = (np.abs(images.astype(int) - colour) < 40).all(-1)
    return np.flatnonzero(near.sum(1).max(0) > 15)  # a side of a box, no letter


def test_blurred_hides_the_face_and_leaves_the_rest(tmp_path):
    overlay(SINGLE, NOTHING, tmp_path / "plain.mp4", end=0.5)
    overlay(SINGLE, NOTHING, tmp_path / "blurred.mp4", end=0.5, blur=True)
    (_, before), (_, plain), (_, blurred) = (
        frames_of(path, 16) for path in (SINGLE, tmp_path / "plain.mp4", tmp_path / "blurred.mp4")
    )
    assert len(plain) == len(blurred) == len(before) == 16
    for k in range(16):
        assert detail(blurred[k][FACE]) < 0.05 * detail(before[k][FACE])
        assert detail(plain[k][FACE]) > 0.7 * detail(before[k][FACE])
        for beside in (slice(0, 120), slice(500, 640)):  # columns
            assert np.abs(blurred[k][60:, beside].astype(int) - before[k][60:, beside]).mean() < 3


@pytest.mark.parametrize(("scale", "smooth", "middle"), [(0.2, 0, (64, 329)), (0.3, 3, (81, 342))])
def test_a_face_that_has_no_number_yet_is_blurred(face, scale, smooth, middle, tmp_path):
    """One that is small or unsure has none for its first 0.3 seconds; ``middle``: its row and column."""
    scene = placed(face, 300, scale=scale)
    scene = cv2.GaussianBlur(scene, (0, 0), smooth) if smooth else scene
    write(tmp_path / "v.mp4", [scene] * 6)
    tracker = FaceTracker()
    with open_source(tmp_path / "v.mp4") as source:
        assert not any(tracker.update(frame) for frame in source)
    where = tuple(slice(at - 15, at + 15) for at in middle)
    changes = []
    for blur in (False, True):
        overlay(tmp_path / "v.mp4", NOTHING, tmp_path / "o.mp4", blur=blur)
        images = frames_of(tmp_path / "o.mp4")[1][:, *where]
        changes.append(np.abs(images.astype(int) - scene[where]).mean((1, 2, 3)))
    assert changes[1].min() > 2 * changes[0].max() > 0


def test_a_face_that_goes_stays_blurred_for_a_moment(face, tmp_path):
    """It turns away before it is out of the picture."""
    empty = placed(face)
    ground = np.random.default_rng(0).integers(0, 255, empty.shape, np.uint8)
    ground = cv2.resize(ground[::8, ::8], empty.shape[1::-1], interpolation=cv2.INTER_NEAREST) // 4 + 90
    scene = np.where(placed(face, 260) == 120, ground, placed(face, 260))
    write(tmp_path / "v.mp4", [scene] * 3 + [ground] * 24)
    overlay(tmp_path / "v.mp4", NOTHING, tmp_path / "o.mp4", blur=True)
    _, images = frames_of(tmp_path / "o.mp4")
    where = (slice(70, 140), slice(300, 370))
    sharp = [detail(image[where]) > 0.5 * detail(ground[where]) for image in images]
    assert sharp == [False] * 17 + [True] * 10 or sharp == [False] * 18 + [True] * 9


def test_a_movement_is_drawn_on_its_own_face(face, tmp_path):
    write(tmp_path / "v.mp4", [placed(face, 60, 440)] * 12)
    for track, left, right in ((1, 60, 200), (2, 440, 580)):
        found = replace(NOTHING, events=(Event(0.1, 0.2, 0.3, track=track),))
        overlay(tmp_path / "v.mp4", found, tmp_path / "o.mp4")
        _, images = frames_of(tmp_path / "o.mp4")
        drawn = columns(images[4:9], MICRO)
        assert len(drawn)
        assert left <= drawn.min() < drawn.max() <= right
        assert not len(columns(images[:3], MICRO))
        assert not len(columns(images[10:], MICRO))


def test_faces_have_the_numbers_of_the_analysis(face, tmp_path):
    """The recording has a cut before the part that was analysed: from its first frame on the second face is another."""
    first, second = placed(face, 60, ground=30), placed(face, 440, ground=220)
    write(tmp_path / "v.mp4", [first] * 15 + [second] * 30)
    part = {"start": 0.6, "end": 1.2}
    found = analyze(tmp_path / "v.mp4", **part)
    assert found.tracks == (1,)
    found = replace(found, events=(Event(0.8, 0.9, 1.0, track=1),))
    seen = []
    overlay(tmp_path / "v.mp4", found, tmp_path / "o.mp4", **part, progress=lambda *now: seen.append(now))
    times, images = frames_of(tmp_path / "o.mp4")
    assert len(times) == 19  # 0.6 s to 1.2 s, both
    assert times == pytest.approx(np.arange(19) / 30, abs=1e-3)
    drawn = columns(images, MICRO)
    assert len(drawn)
    assert 440 <= drawn.min() < drawn.max() <= 580
    assert [time for time, _ in seen] == pytest.approx(0.6 + np.arange(19) / 30, abs=1e-3)
    assert seen[0][1] == pytest.approx(1.5, abs=0.1)


def test_a_stretch_that_cannot_be_assessed_is_told(face, tmp_path):
    write(tmp_path / "v.mp4", [placed(face, 260, ground=220)] * 9)
    overlay(tmp_path / "v.mp4", NOTHING, tmp_path / "o.mp4")
    _, plain = frames_of(tmp_path / "o.mp4")
    for reason in (Interval(0.1, 0.2, "blink", 1), Interval(0.1, 0.2, "frame_rate")):
        overlay(tmp_path / "v.mp4", replace(NOTHING, intervals=(reason,)), tmp_path / "o.mp4")
        changed = np.abs(frames_of(tmp_path / "o.mp4")[1].astype(int) - plain).max(-1) > 50
        assert (changed.sum((1, 2)) > 150).tolist() == [0.1 <= k / 30 <= 0.2 for k in range(9)]
        assert changed[4, :60].any(), "the words"
        columns_of_box = np.flatnonzero(changed[4, 60:].any(0))
        assert 240 < columns_of_box.min() < columns_of_box.max() < 420


def test_an_odd_size_loses_a_pixel(face, tmp_path):
    for k in range(3):
        image = placed(face, 100)[:201, :301]
        (tmp_path / "pictures").mkdir(exist_ok=True)
        (tmp_path / "pictures" / f"{k}.png").write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())
    overlay(tmp_path / "pictures", NOTHING, tmp_path / "o.mp4", fps=30)
    assert frames_of(tmp_path / "o.mp4")[1].shape == (3, 200, 300, 3)


def test_nothing_is_left_of_what_fails(tmp_path):
    with pytest.raises(UserError, match="it ends before --start 9 s"):
        overlay(SINGLE, NOTHING, tmp_path / "o.mp4", start=9)
    with pytest.raises(UserError, match=r"o\.mp4: the overlay cannot be written"):
        overlay(SINGLE, NOTHING, tmp_path / "not there" / "o.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_neighbour_does_not_uncover_a_face_that_is_found_no_more():
    here, beside, within = (np.array(box, np.float64) for box in ((0, 0, 10, 10), (8, 0, 18, 10), (1, 1, 9, 9)))
    assert not _hides(beside, here)
    assert _hides(here, within)
    assert _hides(within, here), "most of it"
    assert not _hides(np.array([20.0, 0, 30, 10]), here)
