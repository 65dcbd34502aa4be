"""Augmentation knows that its maps are pictures of vectors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dfrnet.training import TrainingConfig
from dfrnet.training.augment import augment

OFF = {"flip": False, "shift": 0, "rotate": 0, "zoom": 0, "crop": 0}
NAMES = ("u", "v", "strain", "apex", "difference")
EVERYTHING = {"flip": True, "shift": 0.1, "rotate": 10, "zoom": 0.1, "crop": 0.1}


def maps(n=16, size=12, channels=5, seed=0):
    torch.manual_seed(seed)
    return torch.randn(n, channels, size, size)


def run(x, names=NAMES, seed=0, **changes):
    generator = torch.Generator().manual_seed(seed)
    return augment(x, names, TrainingConfig(**OFF | changes), generator)


def test_nothing_asked_for_changes_nothing():
    x = maps()
    torch.testing.assert_close(run(x), x, atol=1e-6, rtol=0)


def test_a_flip_mirrors_all_and_negates_u_alone():
    x = maps(64)
    out = run(x, flip=True)
    signs = torch.tensor([-1.0, 1, 1, 1, 1]).view(5, 1, 1)
    mirrored = x.flip(3) * signs
    flipped = [bool(torch.allclose(o, m, atol=1e-5)) for o, m in zip(out, mirrored, strict=True)]
    kept = [bool(torch.allclose(o, i, atol=1e-5)) for o, i in zip(out, x, strict=True)]
    assert all(a != b for a, b in zip(flipped, kept, strict=True))
    assert 16 <= sum(flipped) <= 48


@pytest.mark.parametrize(
    "names", [("u",), ("u", "strain"), ("v", "apex"), ("strain",), ("v", "strain", "u")], ids="+".join
)
def test_a_flip_finds_its_maps_by_name(names):
    x = maps(32, channels=len(names))
    signs = torch.tensor([-1.0 if name == "u" else 1.0 for name in names]).view(-1, 1, 1)
    out, mirrored = run(x, names, flip=True), x.flip(3) * signs
    assert all(torch.allclose(o, m, atol=1e-5) or torch.allclose(o, i, atol=1e-5)
               for o, m, i in zip(out, mirrored, x, strict=True))  # fmt: skip
    assert any(torch.allclose(o, m, atol=1e-5) for o, m in zip(out, mirrored, strict=True))


@given(st.lists(st.floats(-2, 2), min_size=4, max_size=4), st.booleans(), st.floats(1, 40), st.integers(0, 99))
def test_vectors_turn_with_their_picture(field, flip, rotate, seed):
    """A linear field u = a x + b y, v = c x + d y, beside maps that say where each pixel came from.

    Those give the matrix L of the picture's own change (p shows what was at L p); a displacement is then L^-1 d.
    """
    axis = (torch.arange(24) + 0.5) / 12 - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    a, b, c, d = field
    one = torch.stack([a * x + b * y, c * x + d * y, x, y])
    out = run(one[None].repeat(3, 1, 1, 1), ("u", "v", "apex", "difference"), seed, flip=flip, rotate=rotate).numpy()
    inner = (x.numpy() ** 2 + y.numpy() ** 2) < 0.6  # the border is padded
    here = np.stack([x.numpy()[inner], y.numpy()[inner]])
    for u, v, from_x, from_y in out:
        came = np.stack([from_x[inner], from_y[inner]])
        matrix = came @ np.linalg.pinv(here)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(2), atol=1e-3)  # a rotation, perhaps mirrored
        assert np.linalg.det(matrix) == pytest.approx(1, abs=1e-3) or flip
        expected = np.linalg.inv(matrix) @ (np.array(field).reshape(2, 2) @ came)
        np.testing.assert_allclose(np.stack([u[inner], v[inner]]), expected, atol=2e-3)


@pytest.mark.parametrize("names", [("u@1", "v@1", "u@2", "v@2"), ("u@2", "v@1", "v@2", "u@1")], ids="+".join)
def test_the_flow_to_each_key_frame_turns_like_the_one_to_the_apex(names):
    x = maps(6, channels=4)
    out = run(x, names, **EVERYTHING)
    for frame in "12":
        rows = [names.index(f"u@{frame}"), names.index(f"v@{frame}")]
        torch.testing.assert_close(out[:, rows], run(x[:, rows], ("u", "v"), **EVERYTHING))


def test_a_key_frame_without_its_other_half_is_mirrored_only():
    x = maps(8, channels=3)
    out = run(x, ("u@3", "v@2", "strain"), flip=True)
    torch.testing.assert_close(out, run(x, ("u", "apex", "strain"), flip=True))


def test_a_rotation_keeps_the_length_of_motion():
    x = torch.zeros(8, 2, 9, 9)
    x[:, 0] = 2.0
    out = run(x, ("u", "v"), rotate=30)
    torch.testing.assert_close(out.norm(dim=1), torch.full((8, 9, 9), 2.0))
    assert out[:, 1].abs().max() > 0.1


def test_shift_moves_by_at_most_its_part_of_the_side():
    x = torch.zeros(64, 1, 41, 41)
    x[:, :, 20, 20] = 1
    out = run(x, ("apex",), shift=0.1)
    axis = torch.arange(41.0)
    places = torch.stack([(out.sum((1, 2)) * axis).sum(1), (out.sum((1, 3)) * axis).sum(1)]) / out.sum((1, 2, 3))
    moved = (places - 20).abs()
    assert moved.max() <= 4.2
    assert moved.max() > 2


@pytest.mark.parametrize("setting", ["zoom", "crop"])
def test_zoom_and_crop_change_the_size(setting):
    axis = (torch.arange(32) + 0.5) / 16 - 1
    x = axis.repeat(32, 1).repeat(64, 1, 1, 1)
    out = run(x, ("apex",), **{setting: 0.2})
    slopes = (out[:, 0, 16, 20] - out[:, 0, 16, 12]) / (x[:, 0, 16, 20] - x[:, 0, 16, 12])
    low, high = (0.8, 1.2) if setting == "zoom" else (0.8, 1.0)
    assert low - 1e-3 <= slopes.min() < 0.9
    assert slopes.max() <= high + 1e-3
    assert slopes.max() > high - 0.1


def test_the_same_generator_gives_the_same_and_another_does_not():
    x = maps()
    torch.testing.assert_close(run(x, **EVERYTHING), run(x, **EVERYTHING), atol=0, rtol=0)
    assert (run(x, **EVERYTHING) - run(x, seed=1, **EVERYTHING)).abs().max() > 0.1


def test_neither_the_input_nor_the_global_generator_is_touched():
    x = maps()
    before, state = x.clone(), torch.random.get_rng_state()
    run(x, **EVERYTHING)
    torch.testing.assert_close(x, before, atol=0, rtol=0)
    assert bool((torch.random.get_rng_state() == state).all())


def test_each_clip_gets_its_own():
    x = maps(1).repeat(8, 1, 1, 1)
    out = run(x, **EVERYTHING | {"flip": False})
    assert len({round(float(one.sum()), 4) for one in out}) == 8
