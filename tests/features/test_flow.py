"""Every optical flow: its signs, its units, and how near it comes to a known truth."""

import cv2
import numpy as np
import pytest

from dfrnet.features import FLOWS


def textured(size=128, seed=0):
    """Grey uint8 with structure of several sizes."""
    random = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(random.standard_normal((size, size)), (0, 0), s) * s for s in (2, 4, 8)]
    picture = sum(layers)
    return np.clip(128 + 40 * picture / picture.std(), 0, 255).astype(np.uint8)


def shifted(image, dx, dy):
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float64)
    return cv2.warpAffine(image, matrix, image.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize(("dx", "dy"), [(1.5, 0), (-1.5, 0), (0, 1.5), (0, -1.5), (1, -2)],
                         ids=["right", "left", "down", "up", "oblique"])  # fmt: skip
def test_signs_and_units(name, dx, dy):
    """What moves right has u > 0, what moves down has v > 0, in pixels."""
    first = textured()
    u, v = FLOWS[name](first, shifted(first, dx, dy))[:, 16:-16, 16:-16]
    assert np.median(u) == pytest.approx(dx, abs=0.2)
    assert np.median(v) == pytest.approx(dy, abs=0.2)


@pytest.mark.parametrize("name", FLOWS)
def test_shape_type_and_stillness(name):
    first = textured(96)
    flow = FLOWS[name](first, first.copy())
    assert flow.shape == (2, 96, 96)
    assert flow.dtype == np.float32
    assert flow.flags["C_CONTIGUOUS"]
    assert np.abs(flow[:, 16:-16, 16:-16]).max() < 0.05  # Farnebäck strays at the border even then


@pytest.mark.parametrize("name", FLOWS)
def test_pictures_that_are_not_square(name):
    first = textured()[:64, :96]
    assert FLOWS[name](np.ascontiguousarray(first), np.ascontiguousarray(shifted(first, 1, 0))).shape == (2, 64, 96)


@pytest.mark.parametrize("name", FLOWS)
def test_it_comes_near_the_truth_of_drawn_faces(name, drawn_clips):
    """Where the face moves, the error is well below the motion itself."""
    errors, motions = [], []
    for clip in drawn_clips[:3]:
        first, second = (cv2.cvtColor(clip.frames[i], cv2.COLOR_RGB2GRAY) for i in (clip.onset, clip.apex))
        truth = clip.frames.flow(clip.apex)
        active = np.hypot(*clip.frames.expression_flow(clip.apex)) > 0.5
        errors.append(np.hypot(*(FLOWS[name](first, second) - truth))[active].mean())
        motions.append(np.hypot(*truth)[active].mean())
    assert np.mean(errors) < 0.5 * np.mean(motions)
