"""The files of the networks, and the arithmetic around them."""

import hashlib
import re

import numpy as np
import pytest

from dfrnet.faces import find_face, mesh
from dfrnet.frames import read_image
from dfrnet.types import UserError
from trees import REPOSITORY


@pytest.fixture
def other_models(tmp_path, monkeypatch):
    """An empty folder in place of the package's; nothing that was loaded before or during the test is kept."""
    mesh._network.cache_clear()
    monkeypatch.setattr(mesh, "MODELS", tmp_path)
    yield tmp_path
    mesh._network.cache_clear()


def test_the_files_are_those_of_the_notices():
    for name, wanted in mesh.SHA256.items():
        assert hashlib.sha256((mesh.MODELS / name).read_bytes()).hexdigest() == wanted
        for notice in (mesh.MODELS / "NOTICE", REPOSITORY / "NOTICE"):
            assert re.search(rf"{re.escape(name)}\s.*?{wanted}", notice.read_text(encoding="utf-8"), re.DOTALL)
    assert "Apache License" in (mesh.MODELS / "LICENSE.mediapipe").read_text(encoding="utf-8")


def test_a_file_that_was_changed(other_models):
    data = bytearray((REPOSITORY / "src/dfrnet/faces/models" / mesh.DETECTOR).read_bytes())
    data[-1] ^= 1
    (other_models / mesh.DETECTOR).write_bytes(data)
    with pytest.raises(UserError, match=rf"{mesh.DETECTOR}: .*SHA-256.*install dfrnet again"):
        find_face(np.zeros((64, 64, 3), np.uint8))


def test_a_file_that_is_missing(other_models):
    with pytest.raises(UserError, match=rf"{mesh.DETECTOR}: cannot be read.*install dfrnet again"):
        find_face(np.zeros((64, 64, 3), np.uint8))


def test_anchors():
    anchors = mesh._anchors()
    assert anchors.shape == (896, 2)
    assert len(np.unique(anchors, axis=0)) == 16 * 16 + 8 * 8
    np.testing.assert_allclose(anchors.mean(0), 0.5, atol=1e-6)
    np.testing.assert_allclose(anchors[:3], [[1 / 32, 1 / 32], [1 / 32, 1 / 32], [3 / 32, 1 / 32]])  # x runs first


def row(x, y, side):
    """What the detector says of a box: centre, sides, six points at the centre."""
    return np.array([(x, y), (side, side), *[(x, y)] * 6], np.float32)


def test_overlap():
    rows = np.stack([row(0, 0, 2), row(1, 0, 2), row(2, 0, 2), row(5, 5, 2), row(0, 0, 4)])
    np.testing.assert_allclose(mesh._overlap(rows, rows[0]), [1, 1 / 3, 0, 0, 1 / 4])


def test_boxes_that_overlap_become_their_weighted_mean():
    rows = np.stack([row(10, 10, 8), row(11, 10, 8), row(60, 10, 8)])
    merged = mesh._merge(rows, np.array([0.6, 0.9, 0.7], np.float32))
    assert [score for _, score in merged] == pytest.approx([0.9, 0.7])
    np.testing.assert_allclose(merged[0][0][0], [(10 * 0.6 + 11 * 0.9) / 1.5, 10], rtol=1e-6)
    np.testing.assert_allclose(merged[1][0], row(60, 10, 8))
    assert mesh._merge(rows[:0], np.zeros(0, np.float32)) == []


def test_where_to_look_again():
    """The box of turned points is theirs, turned: its line of the eyes, centre and sides go along."""
    points = np.random.default_rng(1).uniform(-50, 50, (468, 2)).astype(np.float32)
    left, right = mesh.OUTER_CORNERS
    points[left], points[right] = (-30, -10), (30, -10)
    level = mesh.around(points)
    low, high = points.min(0), points.max(0)
    np.testing.assert_allclose(level.centre, (low + high) / 2, atol=1e-4)
    np.testing.assert_allclose(level.sides, high - low, rtol=1e-5)
    turn = np.array([[np.cos(0.6), -np.sin(0.6)], [np.sin(0.6), np.cos(0.6)]], np.float32)
    turned = mesh.around(points @ turn.T + 7)
    assert turned.roll == pytest.approx(0.6, abs=1e-5)
    np.testing.assert_allclose(turned.centre, turn @ level.centre + 7, atol=1e-3)
    np.testing.assert_allclose(turned.sides, level.sides, rtol=1e-4)


def test_looked_at_again_and_again_the_mesh_stays():
    image = read_image(REPOSITORY / "tests/data/single_face.jpg")
    first, _ = mesh.mesh(image, mesh.detect(image)[0])
    points = first
    for _ in range(10):
        points, chance = mesh.mesh(image, mesh.around(points))
        assert chance > 0.99
    assert np.linalg.norm(points - first, axis=1).mean() < 0.02 * np.hypot(*(first[263] - first[33]))
