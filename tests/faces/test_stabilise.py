"""Taking back the head's motion and leaving the expression."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from dfrnet.datasets import synthetic
from dfrnet.faces import AlignedFrames, align_frames
from dfrnet.faces.stabilise import head_motion

UNMOVED = np.array([[1.0, 0, 0], [0, 1, 0]])
Y, X = np.mgrid[:128, :128].astype(np.float64)
FACE = ((X / 128 - 0.5) / 0.33) ** 2 + ((Y / 128 - 0.58) / 0.4) ** 2 < 1


def grey(frame):
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def pair(clip):
    return grey(clip.frames[clip.onset]), grey(clip.frames[clip.apex])


def left_over(flow, matrix):
    """The true flow, pixels (2, 128, 128), that remains when the apex frame is drawn through ``matrix``."""
    back = cv2.invertAffineTransform(np.asarray(matrix, np.float64))
    x, y = X + flow[0], Y + flow[1]
    return np.stack([back[k, 0] * x + back[k, 1] * y + back[k, 2] for k in (0, 1)]) - np.stack([X, Y])


def mean_length(flow):
    return float(np.hypot(*flow)[FACE].mean())


def test_the_same_picture_has_not_moved(drawn_clips):
    first = grey(drawn_clips[0].frames[0])
    np.testing.assert_allclose(head_motion(first, first), UNMOVED, atol=1e-6)


@pytest.mark.parametrize("size", [64, 128, 224])
@pytest.mark.parametrize(("angle", "shift"), [(0.0, (0.3, -0.2)), (0.01, (-1.2, 0.7)), (-0.04, (4.0, 3.0))])
def test_a_known_motion(drawn_clips, size, angle, shift):
    first = cv2.resize(grey(drawn_clips[1].frames[0]), (size, size), interpolation=cv2.INTER_CUBIC)
    middle = (size - 1) / 2
    cos, sin = np.cos(angle), np.sin(angle)
    wanted = np.array([[cos, -sin, 0], [sin, cos, 0]])
    wanted[:, 2] = middle - wanted[:, :2] @ [middle, middle] + np.array(shift) * size / 128
    later = cv2.warpAffine(first, wanted, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    found = head_motion(first, np.clip(0.9 * later + 6, 0, 255).astype(np.uint8))  # in other light
    np.testing.assert_allclose(found[:, :2], wanted[:, :2], atol=0.003)
    np.testing.assert_allclose(found @ [middle, middle, 1], wanted @ [middle, middle, 1], atol=0.12 * size / 128)


def test_most_of_the_sway_is_taken_back():
    before, after = [], []
    for clip in synthetic.load("default", subjects=2, clips_per_subject=2, fps=50, seed=7):
        flow, expression = clip.frames.flow(clip.apex), clip.frames.expression_flow(clip.apex)
        before.append(mean_length(flow - expression))
        after.append(mean_length(left_over(flow, head_motion(*pair(clip))) - expression))
    assert np.mean(after) < 0.2 * np.mean(before)
    assert max(after) < 0.15


def test_the_expression_stays():
    """Where only the face moves, hardly anything is taken for the head."""
    still = replace(
        synthetic.DIFFICULTIES["default"], drift=0, rotation=0, turn=0, blink=0, restless=0, motion=(1.5, 2.5)
    )
    for clip in synthetic.draw_clips(still, subjects=2, clips_per_subject=2, fps=50, seed=3):
        truth = clip.frames.flow(clip.apex)
        kept = left_over(truth, head_motion(*pair(clip)))
        moving = FACE & (np.hypot(*truth) > 0.3 * np.hypot(*truth).max())
        assert (kept * truth)[:, moving].sum() / np.square(truth)[:, moving].sum() > 0.95
        assert mean_length(kept - truth) < 0.06


@pytest.mark.parametrize("value", [0, 255])
def test_a_blank_picture(drawn_clips, value):
    blank = np.full((128, 128), value, np.uint8)
    np.testing.assert_allclose(head_motion(blank, blank), UNMOVED, atol=1e-9)
    assert np.isfinite(head_motion(blank, grey(drawn_clips[0].frames[0]))).all()
    assert np.isfinite(head_motion(grey(drawn_clips[0].frames[0]), blank)).all()


def test_frames_are_stabilised_by_it(drawn_clips):
    """The second frame of a large picture is shifted, its stabilised crop is not."""
    clip = drawn_clips[0]
    first = cv2.resize(clip.frames[clip.onset], (480, 480), interpolation=cv2.INTER_CUBIC)
    moved = cv2.warpAffine(first, np.array([[1.0, 0, 5], [0, 1, -3]]), (480, 480), borderMode=cv2.BORDER_REPLICATE)
    frames = _Two(first, moved)
    crops = {stabilise: align_frames(frames, 0, 128, stabilise=stabilise) for stabilise in (False, True)}
    assert all(isinstance(crop, AlignedFrames) for crop in crops.values())
    np.testing.assert_array_equal(crops[False][0], crops[True][0])
    change = {key: np.abs(crop[1].astype(float) - crop[0])[20:108, 20:108].mean() for key, crop in crops.items()}
    assert change[True] < 0.2 * change[False]


class _Two(tuple):
    times = np.array([0.0, 0.1])

    def __new__(cls, *pictures):
        return super().__new__(cls, pictures)
