"""The drawn data set: the same everywhere, its truth true, its clips what their annotations say."""

from __future__ import annotations

import csv
import hashlib
import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from dfrnet.datasets import synthetic
from dfrnet.datasets.synthetic import (
    CASME2_APEX,
    DIFFICULTIES,
    EMOTIONS,
    Difficulty,
    SyntheticFrames,
    _between,
    draw_clips,
    load,
)
from dfrnet.datasets.synthetic_face import identity_of, landmarks
from dfrnet.datasets.synthetic_motion import (
    ACTION_UNITS,
    BLINK,
    MIRROR,
    Style,
    arrived,
    expressed,
    field,
    place,
    scaled,
    split_side,
    time_course,
)
from dfrnet.frames import image_folder
from dfrnet.types import CLASSES, Clip, UserError

QUIET = Difficulty(motion=(1.0, 2.5), drift=0.8, rotation=0.5, turn=0.2, restless=0.2, variation=0.5, one_sided=0.3)
POINTS = landmarks(identity_of(0, 1))


def truth(clip: Clip) -> SyntheticFrames:
    assert isinstance(clip.frames, SyntheticFrames)
    return clip.frames


def grid() -> np.ndarray:
    y, x = np.mgrid[:128, :128]
    return np.stack([x.ravel(), y.ravel()], 1).astype(float)


def test_same_arguments_same_clips_and_pixels() -> None:
    one, two = load(subjects=2, clips_per_subject=3), load(subjects=2, clips_per_subject=3)
    assert one == two
    np.testing.assert_array_equal(one[4].frames[7], two[4].frames[7])


def test_another_seed_gives_other_people() -> None:
    one, two = load(subjects=1), load(subjects=1, seed=1)
    assert one != two
    assert np.abs(truth(one[0]).scene(0) - truth(two[0]).scene(0)).mean() > 5


def test_more_subjects_leave_the_earlier_ones_alone() -> None:
    assert load(subjects=5)[:24] == load(subjects=2)


@pytest.mark.parametrize(
    ("index", "before_jpeg"),
    [
        (0, "f324504061cc0d94c204bc7c7df6fd425b7c2aba09abab5e037e0f30288c2b12"),
        (14, "0edc987bea7424245050af72f3e21d36d0688541a23b7f859cb9b565cc01409f"),
    ],
)
def test_golden_frames(index: int, before_jpeg: str) -> None:
    """These pictures are the same on every machine; a change here is a new data set and belongs in the change log."""
    clip = load(subjects=2, clips_per_subject=8)[index]
    assert clip.apex is not None
    frame = truth(clip).exposed(clip.apex)
    assert hashlib.sha256(frame.tobytes()).hexdigest() == before_jpeg
    assert np.abs(clip.frames[clip.apex].astype(int) - frame).mean() < 3


@pytest.mark.parametrize("name", DIFFICULTIES)
def test_clips_are_what_their_annotations_say(name: str) -> None:
    clips = load(name)
    assert len({c.id for c in clips}) == 288
    for clip in clips:
        assert clip.apex is not None
        assert 0 < clip.onset < clip.apex < clip.offset < len(clip.frames) - 1
        assert 0.1 - 1e-9 <= (clip.offset - clip.onset) / clip.fps <= 0.5 + 1e-9
        assert EMOTIONS[clip.emotion].label == clip.label
        assert clip.action_units
        assert all(split_side(u)[1] in ACTION_UNITS for u in clip.action_units)
        assert truth(clip).expression[1:] == (clip.onset, clip.apex, clip.offset)
    counts = Counter(c.label for c in clips)
    shares = np.array([counts[c] for c in CLASSES]) / 288
    np.testing.assert_allclose(shares, [250 / 442, 109 / 442, 83 / 442], atol=0.04)


def test_every_subject_shows_the_classes_in_their_proportions() -> None:
    clips = load()
    for k in range(0, len(clips), 12):
        counts = Counter(c.label for c in clips[k : k + 12])
        assert counts["negative"] in (6, 7, 8)
        assert counts["positive"] in (2, 3, 4)
        assert counts["surprise"] in (2, 3)


@pytest.mark.parametrize("fps", [10.0, 25.0, 30.0, 200.0])
def test_other_frame_rates(fps: float) -> None:
    for clip in load(fps=fps, subjects=3):
        assert 0.1 - 1e-9 <= (clip.offset - clip.onset) / fps <= 0.5 + 1e-9
        assert clip.frames.times[1] == pytest.approx(1 / fps)


@pytest.mark.parametrize("name", DIFFICULTIES)
def test_peak_motion(name: str) -> None:
    low, high = DIFFICULTIES[name].motion
    assert 0.5 <= low < high <= 3.0
    for clip in load(name, subjects=2, clips_per_subject=3):
        flow = truth(clip).expression_flow(clip.apex or 0)
        assert 0.9 * low <= np.hypot(*flow).max() <= 1.1 * high
        for still in (clip.onset, clip.offset):
            assert np.abs(truth(clip).expression_flow(still)).max() < 1e-3


def test_frames_are_pictures() -> None:
    frames = load("hard", subjects=1)[0].frames
    frame = frames[-1]
    assert frame.shape == (128, 128, 3)
    assert frame.dtype == np.uint8
    assert 30 < frame.mean() < 220
    with pytest.raises(IndexError):
        frames[len(frames)]


def test_flow_is_what_the_rendering_does() -> None:
    """The apex frame, looked up where the flow says, is the onset frame."""
    for clip in draw_clips(QUIET, subjects=2, clips_per_subject=3):
        frames, apex = truth(clip), clip.apex or 0
        onset_grey, apex_grey = frames.scene(clip.onset).mean(2), frames.scene(apex).mean(2)
        u, v = frames.flow(apex).astype(float)
        y, x = np.mgrid[:128, :128]
        warped = map_coordinates(apex_grey, [y + v, x + u], order=3, mode="nearest")
        inner = np.s_[4:-4, 4:-4]
        error = np.abs(warped - onset_grey)[inner].mean()
        assert error < 0.3  # grey levels: what sampling leaves
        assert error < 0.2 * np.abs(apex_grey - onset_grey)[inner].mean()


def test_flow_leads_to_the_same_skin_even_in_a_blink() -> None:
    for clip in draw_clips(replace(QUIET, blink=1.0), subjects=2, clips_per_subject=2):
        frames = truth(clip)
        blink = int(np.clip(frames.others[0].apex, 0, len(frames) - 1))
        there = grid() + frames.flow(blink).reshape(2, -1).T.astype(float)
        onset = frames._source(clip.onset, clip.onset, grid())
        np.testing.assert_allclose(frames._source(blink, blink, there), onset, atol=2e-3)


def test_flow_of_a_still_head_is_the_expression_alone() -> None:
    clip = draw_clips(Difficulty(), subjects=1, clips_per_subject=1)[0]
    np.testing.assert_array_equal(truth(clip).flow(clip.apex or 0), truth(clip).expression_flow(clip.apex or 0))


def test_landmarks_ride_on_the_flow() -> None:
    clip = draw_clips(QUIET, subjects=1, clips_per_subject=1)[0]
    frames, apex = truth(clip), clip.apex or 0
    start, end = frames.landmarks(clip.onset), frames.landmarks(apex)
    assert start.shape == (68, 2)
    moved = [map_coordinates(part, start.T[::-1], order=1) for part in frames.flow(apex)]
    np.testing.assert_allclose(start + np.stack(moved, 1), end, atol=0.05)


def test_landmarks_are_a_face() -> None:
    for subject in range(1, 25):
        p = landmarks(identity_of(0, subject))
        assert p.shape == (68, 2)
        assert p.min() > 8
        assert p.max() < 124
        np.testing.assert_allclose(p[list(MIRROR)] * [-1, 1] + [128, 0], p, atol=1e-9)
        rows = [
            p[part, 1].mean() for part in (slice(17, 27), slice(36, 48), slice(31, 36), slice(48, 68), slice(7, 10))
        ]
        assert rows == sorted(rows)  # brows, eyes, nose, mouth, chin


@pytest.mark.parametrize("unit", ACTION_UNITS)
def test_action_units_move_their_place_and_little_else(unit: str) -> None:
    for side in "LR":
        bumps = tuple(place(pull, side, POINTS, Style(), 1.5) for pull in ACTION_UNITS[unit])
        assert max(np.hypot(*field(bumps, np.array([b[:2]])).T)[0] for b in bumps) > 0.7
        distance = np.min([np.hypot(*(grid() - b[:2]).T) for b in bumps], axis=0)
        assert np.hypot(*field(bumps, grid()).T)[distance > 36].max(initial=0) < 0.05


@pytest.mark.parametrize("unit", [u for u, pulls in ACTION_UNITS.items() if not any(p.middle for p in pulls)])
def test_one_sided_units_move_one_side(unit: str) -> None:
    bumps = [place(pull, "L", POINTS, Style(), 1.0) for pull in ACTION_UNITS[unit]]
    strength = np.hypot(*field(bumps, grid()).T).reshape(128, 128)
    assert strength[:, 65:].sum() > 4 * strength[:, :64].sum()  # the person's left is the picture's right


def test_sides_mirror() -> None:
    for pulls in ACTION_UNITS.values():
        for pull in pulls:
            left, right = (place(pull, side, POINTS, Style(turn=0.2, out=1.0), 1.0) for side in "LR")
            assert left.x + right.x == pytest.approx(128)
            assert left.move_x == pytest.approx(-right.move_x)
            assert (left.y, left.move_y) == pytest.approx((right.y, right.move_y))


@pytest.mark.parametrize("unit", [*ACTION_UNITS, "blink"])
def test_fields_fold_nothing(unit: str) -> None:
    """At 3 pixels, the largest motion there is, neighbours stay neighbours, so the flow exists."""
    pulls = ACTION_UNITS.get(unit, (BLINK,))
    bumps = tuple(place(pull, side, POINTS, Style(), 1.0) for pull in pulls for side in "LR"[: 2 - pull.middle])
    bumps = scaled(bumps, 6.0 if unit == "blink" else 3.0)
    source = expressed(bumps, grid()).reshape(128, 128, 2)
    assert np.diff(source[..., 0], axis=1).min() > 0
    assert np.diff(source[..., 1], axis=0).min() > 0
    there = arrived(lambda p: expressed(bumps, p), grid())
    np.testing.assert_allclose(expressed(bumps, there), grid(), atol=1e-3)


def test_time_course() -> None:
    course = time_course(np.arange(50.0), 10, 18, 37)
    assert course.argmax() == 18
    assert course[18] == 1
    assert not course[:11].any()
    assert not course[37:].any()
    assert (np.diff(course[10:19]) > 0).all()
    assert (np.diff(course[18:38]) < 0).all()


def test_clips_travel_between_processes() -> None:
    clip = load(subjects=1, clips_per_subject=1)[0]
    data = pickle.dumps(clip)
    assert len(data) < 10_000  # a recipe, no pictures
    again = pickle.loads(data)
    assert again == clip
    np.testing.assert_array_equal(again.frames[3], clip.frames[3])


def test_unknown_difficulty_names_the_closest() -> None:
    with pytest.raises(UserError, match=r"'hart'.*did you mean 'hard'"):
        load("hart")
    assert load("", subjects=1) == load("default", subjects=1)


@pytest.mark.parametrize("wrong", [{"subjects": 0}, {"clips_per_subject": 0}, {"fps": 5.0}, {"seed": -1}])
def test_impossible_sets(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError):
        load(**wrong)  # type: ignore[arg-type]


def test_write_gives_folders_that_read_back(tmp_path: Path) -> None:
    clips = load(subjects=1, clips_per_subject=2, fps=30)
    synthetic.write(clips, tmp_path / "set")
    with (tmp_path / "set" / "annotations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["id"] for r in rows] == [c.id for c in clips]
    assert tuple(rows[0]["action_units"].split("+")) == clips[0].action_units
    assert int(rows[1]["apex"]) == clips[1].apex
    frames = image_folder(tmp_path / "set" / rows[0]["id"], float(rows[0]["fps"]))
    assert len(frames) == len(clips[0].frames)
    np.testing.assert_array_equal(frames[2], clips[0].frames[2])
    with pytest.raises(UserError, match="exists"):
        synthetic.write(clips, tmp_path / "set")


def test_broken_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):  # the same clip twice
        synthetic.write(load(subjects=1, clips_per_subject=1, fps=10) * 2, tmp_path / "set")
    assert not list(tmp_path.iterdir())


def test_timed_clips_are_the_default_ones_with_the_apexes_of_casme2() -> None:
    plain, timed = load(fps=200.0), load("timed", fps=200.0)
    for one, other in zip(plain, timed, strict=True):
        assert replace(other, apex=one.apex, frames=one.frames) == one
        assert truth(other).expression.bumps == truth(one).expression.bumps
        assert replace(truth(other), expression=truth(one).expression) == truth(one)
    places = [((c.apex or 0) - c.onset) / (c.offset - c.onset) for c in timed]
    # Of 288 draws a share is sure to 0.03 (one standard deviation) at most.
    found = [np.mean(np.array(places) <= quantile) for quantile in CASME2_APEX]
    np.testing.assert_allclose(found, np.linspace(0, 1, 21), atol=0.08)


def test_two_quantiles_are_a_uniform_draw_of_numpy() -> None:
    """Bit by bit: the sets that are older than the quantiles stay as they were."""
    shares = np.random.default_rng(5).random(200)
    wanted = np.random.default_rng(5).uniform(0.35, 0.6, 200)
    assert [_between((0.35, 0.6), share) for share in shares] == wanted.tolist()
    found = [_between(CASME2_APEX, share) for share in (0, 0.025, 0.5, 0.975, 1)]
    np.testing.assert_allclose(found, [0, 0.125, 0.51, 0.885, 1])
