"""The second landmarker: what is said where it is absent, and that it agrees where it is there."""

import importlib.util
import sys

import numpy as np
import pytest
from test_landmarks import miss, photograph

from dfrnet.faces import dlib68, find_face, find_faces
from dfrnet.types import UserError


@pytest.fixture(autouse=True)
def nothing_loaded():
    dlib68._load.cache_clear()
    yield
    dlib68._load.cache_clear()


@pytest.fixture
def dlib_here():
    pytest.importorskip("dlib")
    try:
        dlib68.model_path()
    except UserError as error:
        pytest.skip(str(error))


def test_it_agrees_with_the_mesh(dlib_here):
    face = find_face(photograph("single"), "dlib")
    assert face.mesh is None
    assert face.points.shape == (68, 2)
    assert face.points.dtype == np.float32
    assert 0.5 <= face.score <= 1
    assert miss(find_face(photograph("single")).points, face.points) < 0.05
    others = find_faces(photograph("multi"))
    for found in find_faces(photograph("multi"), "dlib"):
        assert min(miss(other.points, found.points) for other in others) < 0.06


def test_small_and_blank_pictures(dlib_here):
    small = np.ascontiguousarray(photograph("single")[150:430:2, 150:430:2])
    assert miss(find_face(small, "dlib").points, find_face(small).points) < 0.08
    assert find_faces(np.zeros((100, 100), np.uint8), "dlib") == []


def test_without_its_model(monkeypatch, tmp_path):
    monkeypatch.setattr(dlib68, "SYSTEM_FOLDER", tmp_path)
    monkeypatch.setattr(dlib68, "PACKAGE", "no_such_package")
    with pytest.raises(UserError, match=r"pip install 'dfrnet\[dlib\]'.*libdlib-data"):
        find_face(photograph("single"), "dlib")


def test_without_the_package(monkeypatch, tmp_path):
    (tmp_path / dlib68.MODEL).write_bytes(b"")
    monkeypatch.setattr(dlib68, "SYSTEM_FOLDER", tmp_path)
    monkeypatch.setattr(dlib68, "PACKAGE", "no_such_package")
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(UserError, match=r"needs the package dlib; .*pip install 'dfrnet\[dlib\]'"):
        find_face(photograph("single"), "dlib")


def test_the_model_of_the_package_is_found_without_importing_it(monkeypatch, tmp_path):
    folder = tmp_path / "a_package_of_models"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('pkg_resources')\n")
    (folder / "models" / dlib68.MODEL).write_bytes(b"")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(dlib68, "PACKAGE", folder.name)
    importlib.invalidate_caches()
    assert dlib68.model_path() == folder / "models" / dlib68.MODEL
    assert folder.name not in sys.modules
