"""Long drawn recordings: planned in seconds, drawn as the clips are, their truth true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dfrnet.datasets.synthetic import EMOTIONS, Difficulty
from dfrnet.datasets.synthetic_drawing import picture_of, sample
from dfrnet.datasets.synthetic_face import identity_of, landmarks
from dfrnet.datasets.synthetic_frames import _grid
from dfrnet.datasets.synthetic_motion import ACTION_UNITS, expressed, neutral, split_side, time_course
from dfrnet.datasets.synthetic_recordings import GAP, Recording, framed, recordings
from dfrnet.types import Frames, UserError

STILL = Difficulty(motion=(1.0, 2.5))


@pytest.fixture(scope="module")
def hours() -> list[Recording]:
    """Plans only: nothing is drawn before a frame is asked for."""
    return recordings(6, 10, 200)


def test_same_arguments_same_pixels_and_another_seed_other_ones() -> None:
    one, two, other = (recordings(1, 0.1, 100, seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one[7], two[7])
    assert one.events == two.events
    assert np.abs(one[7].astype(int) - other[7]).mean() > 5


def test_more_people_and_another_camera_leave_the_plan_as_it_is() -> None:
    few, many, slow = recordings(2, 2, 200), recordings(3, 2, 200), recordings(2, 2, 30)
    assert [r.events for r in few] == [r.events for r in many[:2]] == [r.events for r in slow]
    seen, also = replace(few[0], camera=replace(few[0].camera, noise=0.0)), slow[0]
    np.testing.assert_allclose(seen.scene(2.0), also.scene(2.0))


def test_it_is_frames() -> None:
    recording = recordings(1, 0.1, 50)[0]
    assert isinstance(recording, Recording)
    frames: Frames = recording
    assert len(frames) == 300
    assert frames.times[1] == pytest.approx(0.02)
    assert frames[0].shape == (128, 128, 3)
    assert frames[0].dtype == np.uint8
    np.testing.assert_array_equal(frames[-1], frames[299])
    with pytest.raises(IndexError, match="300"):
        frames[300]
    assert recordings(1, 0.1, 50, colour=False)[0][0].shape == (128, 128)


def test_planted_movements_are_what_their_events_say(hours: list[Recording]) -> None:
    for recording in hours:
        events = recording.events
        for event, planted in zip(events, recording.planted, strict=True):
            length = event.end - event.start
            low, high = {"micro": (0.1, 0.5), "macro": (0.6, 3.0)}[event.kind]
            assert low <= length <= high
            assert (planted.onset, planted.apex, planted.offset) == (event.start, event.apex, event.end)
            assert event.action_units in [s for e in EMOTIONS.values() for s in e.prototypes + e.blends] or any(
                split_side(u)[0] for u in event.action_units
            )
            assert all(split_side(u)[1] in ACTION_UNITS for u in event.action_units)
        gaps = np.diff([0.0, *(t for e in events for t in (e.start, e.end)), recording.seconds])[::2]
        assert gaps.min() >= GAP


def test_they_come_as_often_as_said(hours: list[Recording]) -> None:
    minutes = sum(r.seconds for r in hours) / 60
    often = {kind: sum(e.kind == kind for r in hours for e in r.events) / minutes for kind in ("micro", "macro")}
    assert 4 <= often["micro"] <= 6
    assert 1 <= often["macro"] <= 2
    assert sum(len(r.blinks) for r in hours) / minutes == pytest.approx(15, rel=0.15)


def test_frames_are_drawn_as_those_of_the_clips_are() -> None:
    """The fast way, on a grid in single precision, against the formulas."""
    recording = recordings(1, 0.3, 20)[0]
    for index in range(0, len(recording), 45):
        time = float(recording.times[index])
        points = expressed(recording.bumps(time), neutral(recording.head(time), _grid()))
        exact = 255 * sample(picture_of(0, 1), points).reshape(128, 128, 3)
        off = np.abs(exact - recording.scene(time))
        assert off.mean() < 0.05
        assert off.max() < 3


def test_landmarks_lie_where_the_skin_is() -> None:
    recording = recordings(1, 0.3, 20)[0]
    time, large = float(recording.times[90]), replace(recording, camera=replace(recording.camera, size=256))
    points = recording.landmarks(90).astype(float)
    back = expressed(recording.bumps(time), neutral(recording.head(time), points))
    np.testing.assert_allclose(back, landmarks(identity_of(0, 1)), atol=1e-3)
    np.testing.assert_allclose(large.landmarks(90), (points + 0.5) * 2 - 0.5, atol=1e-4)


def test_without_difficulty_only_what_is_planted_moves() -> None:
    recording = recordings(1, 1, 50, difficulty=STILL)[0]
    event = recording.events[0]
    np.testing.assert_array_equal(recording.scene(0.0), recording.scene(event.start - 0.01))
    assert np.abs(recording.scene(event.apex) - recording.scene(0.0)).max() > 3


def test_the_face_in_a_larger_picture() -> None:
    recording = recordings(1, 0.1, 50)[0]
    whole = framed(recording, 640, 480, 2.0)
    assert whole[5].shape == (480, 640, 3)
    assert len(whole) == len(recording)
    inner = whole.landmarks(5) - np.array([192, 112])
    np.testing.assert_allclose(inner, (recording.landmarks(5) + 0.5) * 2 - 0.5, atol=1e-3)
    with pytest.raises(UserError, match="640x480"):
        framed(recording, 640, 480, 4)


@pytest.mark.parametrize(
    ("given", "words"),
    [((0, 1, 100), "one person"), ((1, 0, 100), "length"), ((1, 1, 5), "10 is the least"), ((1, 1, 100, -1), "seed"),
     ((1, 1, 100, 0, "nasty"), "difficulty")],
)  # fmt: skip
def test_what_cannot_be_drawn(given: tuple, words: str) -> None:
    with pytest.raises(UserError, match=words):
        recordings(*given)


def test_a_movement_may_be_held() -> None:
    times = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    np.testing.assert_allclose(time_course(times, 1, 2, 5, 4), [0, 0, 1, 1, 1, 0])
    np.testing.assert_allclose(time_course(times, 1, 2, 5), time_course(times, 1, 2, 5, 2))
