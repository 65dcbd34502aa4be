"""Faces followed: drawn people who stand, move, go, come back, change places, and two short videos."""

from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfrnet.datasets import synthetic
from dfrnet.datasets.synthetic_frames import SyntheticFrames
from dfrnet.frames import VideoFile, grey
from dfrnet.types import UserError
from dfrnet.video.track import FaceChoice, FaceTracker, Observation
from trees import REPOSITORY

VIDEOS = REPOSITORY / "tests/videos"
SIDE = 160  # of a pasted face, pixels
STEP = 1 / 30


@dataclass
class Shown:
    """A frame that counts how often its colours were asked for."""

    time: float
    pixels: np.ndarray
    looks: int = field(default=0, compare=False)

    @property
    def image(self):
        self.looks += 1
        return self.pixels

    @property
    def grey(self):
        return grey(self.pixels)


@cache
def person(number):
    """A drawn face, and its 68 points, at ``SIDE`` pixels."""
    clip = synthetic.load("easy", subjects=4, clips_per_subject=1)[number]
    frames = clip.frames
    assert isinstance(frames, SyntheticFrames)
    scale = SIDE / 128
    return cv2.resize(frames[0], (SIDE, SIDE)), (frames.landmarks(0) + 0.5) * scale - 0.5


@cache
def room(seed=0):
    """A backdrop with something in it, uint8 (240, 480, 3)."""
    coarse = np.random.default_rng(seed).integers(60, 190, (6, 12, 3), dtype=np.uint8)
    return cv2.resize(coarse, (480, 240), interpolation=cv2.INTER_CUBIC)


def scene(*people, backdrop=0):
    """A picture with people: each a number and the place of the upper left corner."""
    image = room(backdrop).copy()
    for number, x, y in people:
        image[y : y + SIDE, x : x + SIDE] = person(number)[0]
    return image


def follow(pictures, step=STEP, tracker=None):
    tracker = tracker or FaceTracker()
    return [tracker.update(Shown(k * step, image)) for k, image in enumerate(pictures)]


def numbers(answers):
    return [tuple(o.track for o in answer) for answer in answers]


def miss(points, number, x, y):
    truth = person(number)[1] + (x, y)
    return np.linalg.norm(points[27:] - truth[27:], axis=1).mean() / np.hypot(*(truth[45] - truth[36]))


def test_two_people_from_left_to_right():
    (answer,) = follow([scene((0, 20, 40), (1, 300, 50))])
    assert [o.track for o in answer] == [1, 2]
    for seen, place in zip(answer, ((0, 20, 40), (1, 300, 50)), strict=True):
        assert miss(seen.points, *place) < 0.1
        assert seen.points.shape == (68, 2)
        assert seen.mesh.shape == (468, 2)
        assert seen.points.dtype == seen.mesh.dtype == np.float32
        assert seen.fresh
        assert seen.score > 0.9
        assert seen.eye_distance == pytest.approx(float(np.hypot(*(seen.points[45] - seen.points[36]))))
        assert max(abs(seen.yaw), abs(seen.roll)) < 8
        assert abs(seen.pitch) < 15


@settings(max_examples=6)
@given(st.sampled_from([15, 25, 30, 60, 200, 500]), st.floats(0, 0.4), st.integers(0, 99))
def test_the_networks_look_as_often_as_they_should_at_any_rate(fps, jitter, seed):
    image = scene((0, 150, 40))
    late = np.random.default_rng(seed).uniform(0, jitter, 60) / fps
    times = (np.arange(60) / fps + late)[: max(4, int(0.4 * fps))]
    tracker, looked, last = FaceTracker(), [], None
    for time in times:
        frame = Shown(float(time), image)
        (seen,) = tracker.update(frame)
        assert seen.track == 1
        assert seen.fresh == bool(frame.looks)
        if seen.fresh:
            looked.append(time)
        else:
            np.testing.assert_array_equal(seen.points, last.points)
        last = seen
    assert looked[0] == times[0]
    gaps = np.diff(looked)
    assert (gaps >= 0.049 - 1e-9).all()
    assert (gaps <= 0.05 + 1.5 / fps).all()


def test_a_moving_face_is_followed():
    places = [(round(30 + 4 * k), 40 + k // 4) for k in range(40)]
    answers = follow([scene((1, *place)) for place in places], tracker=FaceTracker(detect_every=100))
    assert set(numbers(answers)) == {(1,)}
    for (seen,), place in zip(answers, places, strict=True):
        assert miss(seen.points, 1, *place) < (0.12 if seen.fresh else 0.25)


@pytest.mark.parametrize(("away", "number"), [(0.6, 1), (1.6, 2)])
def test_gone_and_back(away, number):
    here, empty = scene((0, 150, 40)), scene()
    gone = round(away / STEP)
    answers = numbers(follow([here] * 10 + [empty] * gone + [here] * 12))
    assert set(answers[:10]) == {(1,)}
    late = answers[10:].index(())
    assert late <= 2  # the next look
    assert set(answers[10 + late : 10 + gone]) == {()}
    back = answers[10 + gone :]
    assert back[-1] == (number,)
    assert set(back) <= {(), (number,)}
    assert back.index((number,)) <= 3


def test_one_of_two_goes_and_the_other_stays():
    both, left = scene((0, 20, 40), (1, 300, 50)), scene((0, 20, 40))
    answers = numbers(follow([both] * 6 + [left] * 12 + [both] * 8))
    assert answers[5] == (1, 2)
    assert answers[12] == (1,)
    assert answers[-1] == (1, 2)
    assert all(1 in answer for answer in answers)


def test_a_newcomer_is_seen_within_a_second():
    answers = numbers(follow([scene((0, 20, 40))] * 6 + [scene((0, 20, 40), (1, 300, 50))] * 34))
    assert answers[5] == (1,)
    assert answers[-1] == (1, 2)
    first = answers.index((1, 2))
    assert first * STEP <= 6 * STEP + 1.0 + 2 * STEP


def test_a_cut_is_a_new_person_at_once():
    answers = numbers(follow([scene((0, 60, 40))] * 5 + [scene((0, 250, 50), backdrop=5)] * 5))
    assert answers == [(1,)] * 5 + [(2,)] * 5


def test_somebody_else_in_the_same_place():
    """No cut shows, the room stays: still not the same track."""
    answers = numbers(follow([scene((0, 150, 40))] * 6 + [scene((3, 150, 40))] * 20))
    assert answers[5] == (1,)
    assert answers[-1] == (2,)
    assert all(answer in ((), (1,), (2,)) for answer in answers)
    assert answers[6:].count((1,)) <= 1


@pytest.mark.parametrize("level", [0, 255])
def test_a_blank_frame_is_no_cut(level):
    here, blank = scene((0, 150, 40)), np.full_like(room(), level)
    answers = numbers(follow([here] * 6 + [blank] * 3 + [here] * 6))
    assert answers[-1] == (1,)
    assert set(answers) <= {(), (1,)}


def test_a_flash_is_no_cut():
    here = scene((0, 150, 40))
    bright = np.clip(here * 1.35 + 10, 0, 255).astype(np.uint8)
    assert set(numbers(follow([here] * 4 + [bright] * 4 + [here] * 4))) == {(1,)}


def test_never_two_tracks_on_one_face():
    """One walks in front of the other and on."""
    pictures = [scene((1, 220, 40), (0, x, 44)) for x in range(10, 310, 6)]
    for answer in follow(pictures):
        for k, one in enumerate(answer):
            for other in answer[:k]:
                apart = np.hypot(*(one.points[36:48].mean(0) - other.points[36:48].mean(0)))
                assert apart > 0.4 * one.eye_distance
                assert one.track != other.track


def test_where_nobody_is():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    for image in (room(), noise, np.zeros((1, 1, 3), np.uint8), np.full((3, 700, 3), 90, np.uint8)):
        assert numbers(follow([image] * 4)) == [()] * 4


def test_another_size_in_mid_stream():
    answers = numbers(follow([scene((0, 150, 40))] * 3 + [scene((0, 150, 40))[:, 60:]] * 3))
    assert answers == [(1,)] * 3 + [(2,)] * 3


@pytest.mark.parametrize("numbers", [{"every": -1.0}, {"detect_every": 0.0}, {"every": float("nan")}])
def test_settings_that_make_no_sense(numbers):
    with pytest.raises(UserError, match="every"):
        FaceTracker(**numbers)


def video(name, first=0):
    frames = VideoFile(VIDEOS / name)
    tracker = FaceTracker()
    for k in range(first, len(frames)):
        yield tracker.update(Shown(float(frames.times[k]), frames[k]))


def test_a_cartoon_is_nobody():
    """From 3 seconds on the detector takes a figure for a face, and once the mesh does so too."""
    assert not any(video("no_face.mp4", first=70))


def test_a_person_is_one_track():
    answers = list(video("single_face.mp4"))
    assert set(numbers(answers)) == {(1,)}
    assert len(answers) == 72
    assert all(max(abs(o.yaw), abs(o.pitch), abs(o.roll)) < 15 for (o,) in answers)


def observation(track, eye_distance):
    points = np.zeros((68, 2), np.float32)
    return Observation(track, points, np.zeros((468, 2), np.float32), True, 1.0, 0.0, 0.0, 0.0, eye_distance)


def test_which_face_is_meant():
    small, large, larger = observation(1, 40.0), observation(2, 60.0), observation(3, 90.0)
    assert FaceChoice("all")([small, large], {1, 2}) == [small, large]
    assert FaceChoice("1")([small, large], {1, 2}) == [small]
    assert FaceChoice("7")([small, large], {1, 2}) == []
    choose = FaceChoice()
    assert choose([], set()) == []
    assert choose([small, large], {1, 2}) == [large]
    assert choose([small, large, larger], {1, 2, 3}) == [large]
    assert choose([small, larger], {1, 2, 3}) == []  # may come back
    assert choose([small, large, larger], {1, 2, 3}) == [large]
    assert choose([small, larger], {1, 3}) == [larger]
    assert choose([], set()) == []


def test_after_a_cut_somebody_is_followed_at_once():
    tracker, choose = FaceTracker(), FaceChoice()
    pictures = [scene((0, 60, 40))] * 5 + [scene((0, 250, 50), backdrop=5)] * 5
    answers = [choose(tracker.update(Shown(k * STEP, image)), tracker.kept) for k, image in enumerate(pictures)]
    assert numbers(answers) == [(1,)] * 5 + [(2,)] * 5


def test_a_lost_face_is_waited_for_as_long_as_it_keeps_its_number():
    tracker, choose = FaceTracker(), FaceChoice()
    both, right = scene((0, 20, 40), (1, 300, 50)), scene((1, 300, 50))
    followed = choose(tracker.update(Shown(0.0, both)), tracker.kept)[0].track
    other = ({1, 2} - {followed}).pop()
    alone = right if followed == 1 else scene((0, 20, 40))
    answers = []
    for k in range(1, 60):
        seen = tracker.update(Shown(k * STEP, alone))
        answers.append(tuple(o.track for o in choose(seen, tracker.kept)))
        assert (followed in tracker.kept) == (answers[-1] != (other,))
    assert answers[-1] == (other,)
    assert set(answers) <= {(followed,), (), (other,)}
    assert 0.9 < answers.index((other,)) * STEP < 1.2


@pytest.mark.parametrize("wanted", ["", "0", "-1", "biggest", "1.5"])
def test_a_face_that_cannot_be_meant(wanted):
    with pytest.raises(UserError, match="largest, all or the number"):
        FaceChoice(wanted)
