"""The motion of a drawn face against what was drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dfrnet.datasets.synthetic import Difficulty
from dfrnet.datasets.synthetic_motion import Head, field, neutral
from dfrnet.datasets.synthetic_recordings import Posture, Recording, framed, recordings
from dfrnet.types import Array
from dfrnet.video.motion import SIDE, FaceMotion, Motion, MotionSettings
from dfrnet.video.places import PLACES, REGIONS
from dfrnet.video.spotting import Spotter

STILL = Difficulty(motion=(1.5, 2.5), variation=0.3)
CALM = Difficulty(motion=(1.5, 2.5), drift=0.5, rotation=0.3, turn=0.1, blink=1.0, flicker=0.02, noise=2.0)


def drawn(difficulty: Difficulty, fps: float = 100, seed: int = 3, minutes: float = 1.0) -> Recording:
    return recordings(1, minutes, fps, seed, difficulty, colour=False)[0]


def followed(recording: Recording, begin: float, end: float, settings: MotionSettings | None = None) -> list[Motion]:
    """The rows between two times; the landmarks are shaken, as they are in life."""
    motion, rng, rows = FaceMotion(settings), np.random.default_rng(0), []
    points = np.zeros((68, 2), np.float32)
    for index in range(round(begin * recording.camera.fps), round(end * recording.camera.fps)):
        if index % 6 == 0 or not rows:
            points = (recording.landmarks(index) + rng.normal(0, 0.5, (68, 2))).astype(np.float32)
        rows.append(motion.update(float(recording.times[index]), recording[index], points))
    return rows


def true_motion(recording: Recording, time: float) -> Array:
    """What the expression moves in each region, the mean over a small disc, (R, 2)."""
    points = recording.landmarks(0)
    disc = np.stack(np.meshgrid(np.arange(-6, 7, 2.0), np.arange(-6, 7, 2.0)), -1).reshape(-1, 2)
    weight = np.exp(-0.5 * np.square(disc / 4).sum(1))
    centres = [points[list(place.points)].mean(0) + place.shift for place in PLACES.values()]
    return np.array([np.average(field(recording.bumps(time), c + disc), axis=0, weights=weight) for c in centres])


def only(recording: Recording, kind: str, number: int = 0) -> tuple[Recording, float, float, float]:
    """The recording with one of its movements, and when that is."""
    at = [k for k, e in enumerate(recording.events) if e.kind == kind][number]
    event = recording.events[at]
    one = replace(recording, events=(event,), planted=(recording.planted[at],))
    return one, event.start, event.apex, event.end


@pytest.mark.parametrize(("number", "fps"), [(0, 100), (1, 100), (2, 100), (1, 30)])
def test_a_movement_is_measured_where_and_as_large_as_it_is(number: int, fps: float) -> None:
    recording, start, apex, end = only(drawn(STILL, fps), "micro", number)
    rows = followed(recording, start - 0.2, end + 0.2)
    now = min(rows, key=lambda row: abs(row.time - apex))
    true, seen = true_motion(recording, now.time), now.displacement
    assert true.shape == seen.shape == (len(REGIONS), 2)
    strong = np.argsort(-np.hypot(*true.T))[:4]
    assert np.corrcoef(true[strong].ravel(), seen[strong].ravel())[0, 1] > 0.8
    assert 0.6 < np.linalg.norm(seen[strong]) / np.linalg.norm(true[strong]) < 1.4
    assert np.abs(rows[-1].displacement).max() < 0.15, "it comes back to where it was"


def test_the_head_alone_moves_nothing_in_the_face() -> None:
    """It shifts by 9 pixels, turns by 3 degrees and comes nearer by 3 % within a second."""
    head = Head(8, -5, np.deg2rad(3), 0.03, 0, 0)
    still = replace(drawn(STILL), planted=(), events=(), postures=(Posture(-1, 0, Head()), Posture(0.2, 1.2, head)))
    rows = followed(still, 0, 1.4)
    assert not any(row.begins for row in rows[1:])
    assert max(np.abs(row.displacement).max() for row in rows) < 0.25
    assert max(row.unexplained.max() for row in rows) < 0.3, "all of it is explained"
    points, back = np.array([[64.0, 70.0]]), neutral(head, np.array([[72.0, 65.0]]))
    np.testing.assert_allclose(back, points, atol=0.01)


def test_a_turning_head_moves_the_face_but_little() -> None:
    turned = Head(0, 0, 0, 0, 1.5, -1.0)
    still = replace(drawn(STILL), planted=(), events=(), postures=(Posture(-1, 0, Head()), Posture(0.2, 1.0, turned)))
    rows = followed(still, 0, 1.2)
    assert max(np.abs(row.displacement).max() for row in rows) < 0.5 * np.hypot(1.5, 1.0)


def test_a_blink_is_seen_and_little_else_is() -> None:
    recording = replace(drawn(CALM), planted=(), events=())
    blink = recording.blinks[1]
    rows = followed(recording, blink.onset - 0.6, blink.offset + 0.6)
    inside = [row.blink for row in rows if blink.onset + 0.03 < row.time < blink.offset - 0.03]
    outside = [row.blink for row in rows if not blink.onset - 0.03 < row.time < blink.offset + 0.03]
    assert max(inside) > 0.3
    assert max(outside) < 0.1


def test_noise_and_flicker_move_nothing() -> None:
    noisy = Difficulty(motion=(1, 2), flicker=0.05, noise=2.0)
    rows = followed(replace(drawn(noisy), planted=(), events=()), 0, 0.6)
    moved = np.stack([row.displacement for row in rows[1:]])
    assert np.abs(moved - moved.mean(0)).mean() < 0.04


def test_a_renewed_reference_is_tied_to_the_last_one() -> None:
    recording, start, apex, end = only(drawn(STILL), "macro")
    once = followed(recording, start - 0.1, apex + 0.3, MotionSettings(renew=99, latest=99))
    often = followed(recording, start - 0.1, apex + 0.3, MotionSettings(renew=0.05, latest=0.1))
    assert end > apex + 0.3
    size = np.abs(once[-1].displacement).max()
    assert np.abs(once[-1].displacement - often[-1].displacement).max() < 0.35 * size


def test_the_size_of_the_picture_changes_little() -> None:
    recording, start, apex, _ = only(drawn(STILL), "micro", 1)
    large = framed(recording, 320, 280, 2.0)
    motion, rows = FaceMotion(), []
    for index in range(round((start - 0.1) * 100), round(apex * 100) + 1):
        rows.append(motion.update(float(large.times[index]), large[index], large.landmarks(index)))
    small = followed(recording, start - 0.1, apex + 0.01)
    strong = np.argsort(-np.hypot(*true_motion(recording, apex).T))[:3]
    np.testing.assert_allclose(rows[-1].displacement[strong], small[-1].displacement[strong], atol=0.35)


def test_a_face_that_is_elsewhere_begins_anew() -> None:
    recording = drawn(STILL)
    motion, picture, points = FaceMotion(), recording[0], recording.landmarks(0)
    assert motion.update(0.0, picture, points).begins
    assert not motion.update(0.01, picture, points).begins
    there = np.roll(picture, 20, axis=1)
    assert motion.update(0.02, there, points + np.float32([20, 0])).begins
    motion.reset()
    assert motion.update(0.03, there, points + np.float32([20, 0])).begins


def test_a_blank_picture_is_no_accident() -> None:
    motion, points = FaceMotion(), drawn(STILL).landmarks(0)
    for k in range(5):
        row = motion.update(k / 10, np.full((SIDE, SIDE), 90, np.uint8), points)
        assert np.isfinite(row.displacement).all()
        assert np.abs(row.displacement).max() < 0.1


def test_from_pictures_to_events() -> None:
    """Head, blinks, noise and flicker tell of nothing; one movement planted among them is the one that is found."""
    whole = drawn(CALM, 60)
    recording, start, apex, end = only(whole, "micro", 1)
    begin = start - 5
    for there in (True, False):
        shown = recording if there else replace(recording, planted=(), events=())
        spotter = Spotter()
        found = [e for row in followed(shown, begin, end + 2) for e in spotter.update(row)] + spotter.finish()
        assert len(found) == there
        if there:
            assert found[0].kind == "micro"
            assert abs(found[0].start - start) < 0.08
            assert abs(found[0].apex - apex) < 0.08
            assert abs(found[0].end - end) < 0.08
