import json
import re
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from dfrnet.features import FeatureSpec, features
from dfrnet.methods import METHODS
from dfrnet.recognizer import load, train
from dfrnet.types import CLASSES, UserError

SMALL = {"inputs": "flow", "widths": "4,6,8", "epochs": "2", "batch_size": "4", "size": "16", "frame_size": "48"}


@pytest.fixture(scope="module")
def model(drawn_clips):
    method = METHODS["dfrnet"]
    return train(method, drawn_clips, method.configured(changes=SMALL), data=["synthetic=easy"], seed=3)


@pytest.fixture
def path(model, tmp_path):
    model.save(tmp_path / "models" / "m.safetensors")
    return tmp_path / "models" / "m.safetensors"


def test_it_answers_for_frames(model, drawn_clips):
    clip = drawn_clips[0]
    found = model.predict(clip.frames, clip.onset, clip.apex)
    assert list(found) == list(CLASSES)
    assert sum(found.values()) == pytest.approx(1)
    x = features(drawn_clips, model.spec).x
    assert model.predict_features(x)[0] == pytest.approx(found, abs=1e-6)


def test_it_says_what_it_was_trained_on(model):
    assert model.trained_on == {
        "data": ["synthetic=easy"], "clips": 6, "subjects": 2, "seed": 3, "archives": [], "errata": [], "left_out": [],
    }  # fmt: skip
    assert model.spec == FeatureSpec(maps=("u", "v", "strain"), size=16, frame_size=48, align="none")


def test_save_and_load_give_the_same_answers(model, path, drawn_clips):
    again = load(path)
    x = features(drawn_clips, model.spec).x
    np.testing.assert_array_equal(again.classifier.predict_proba(x), model.classifier.predict_proba(x))
    assert (again.method, again.settings, again.spec, again.classes) == ("dfrnet", model.settings, model.spec, CLASSES)
    assert again.trained_on == model.trained_on
    assert [p.name for p in path.parent.iterdir()] == ["m.safetensors"]


def test_a_loaded_model_can_be_saved_again(path, tmp_path):
    load(path).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("changes", [{"average": "0.9"}, {"precision": "bf16"}], ids=["average", "bf16"])
def test_other_trainings_survive_too(drawn_clips, tmp_path, changes):
    method = METHODS["ststnet"]
    chosen = method.configured(changes={"epochs": "2", "size": "16", "frame_size": "32", **changes})
    model = train(method, drawn_clips, chosen)
    model.save(tmp_path / "m")
    x = features(drawn_clips, model.spec).x
    np.testing.assert_array_equal(load(tmp_path / "m").classifier.predict_proba(x), model.classifier.predict_proba(x))


def test_the_file_is_a_table_of_numbers_and_no_pickle(path):
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    record = json.loads(header["__metadata__"]["dfrnet"])
    assert record["classes"] == list(CLASSES)
    assert record["spec"]["size"] == 16
    assert "0.mean" in header
    assert not zipfile.is_zipfile(path)  # torch.save's form
    assert b"ctorch" not in data


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_cut_file_is_named(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match=r"m\.safetensors: not a model file of dfrnet"):
        load(path)


@pytest.mark.parametrize("kind", ["text", "other-safetensors", "other-version", "other-network"])
def test_another_file_is_named(tmp_path, path, kind):
    import torch
    from safetensors.torch import save_file

    other = tmp_path / "other.file"
    tensors = {"a": torch.zeros(2)}
    if kind == "text":
        other.write_text("hello, I am no model")
    elif kind == "other-safetensors":
        save_file(tensors, other)
    elif kind == "other-version":
        save_file(tensors, other, metadata={"dfrnet": json.dumps({"format": "dfrnet-99", "method": "dfrnet"})})
    else:
        data = path.read_bytes()
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        save_file(tensors, other, metadata=header["__metadata__"])
    with pytest.raises(UserError, match=r"other\.file: .*make one with dfrnet train"):
        load(other)


def test_a_model_trained_on_cuda_loads_without_it(path, model, drawn_clips):
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(path, framework="pt") as file:
        record = json.loads(file.metadata()["dfrnet"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    record["settings"]["device"] = "cuda"
    save_file(tensors, path, metadata={"dfrnet": json.dumps(record)})
    again = load(path)
    assert again.settings.training.device == ("cuda" if torch.cuda.is_available() else "cpu")
    x = features(drawn_clips, model.spec).x
    np.testing.assert_allclose(again.classifier.predict_proba(x), model.classifier.predict_proba(x), atol=1e-5)


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_missing_file_is_named(tmp_path, kind):
    name = "gone.safetensors" if kind == "missing" else "."
    with pytest.raises(UserError, match="make one with dfrnet train"):
        load(tmp_path / name)


def test_a_wrong_name_is_told_before_torch_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    with pytest.raises(
        UserError, match="unknown model 'map'; did you mean 'maps'\\? known: maps, synthetic; one of your"
    ):
        load("map")
    for name in ("models/map", "map.safetensors", "map.onnx"):
        with pytest.raises(UserError, match=f"{name}: no such model file; .* or name one of maps, synthetic"):
            load(name)


def test_a_shipped_model_asks_for_the_smaller_package(monkeypatch):
    for package in ("torch", "onnxruntime"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match="onnxruntime"):
        load("maps")


@pytest.mark.parametrize(
    ("trained_on", "says"),
    [
        ({"data": ["synthetic", "synthetic=hard"]}, "Apache-2.0, .* Its labels on real faces mean nothing"),
        (
            {"data": ["synthetic"], "weights": "resnet18"},
            "trained on synthetic, .* Its labels on real faces mean nothing",
        ),
        ({"data": ["synthetic", "maps"]}, "trained on synthetic, maps, and the terms of that data hold .* only.$"),
        ({}, "trained on data that its file does not name"),
    ],
)
def test_terms_are_those_of_the_data(model, trained_on, says):
    assert re.search(says, replace(model, trained_on=trained_on).terms)


def test_a_place_that_cannot_be_written_is_named(model, tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UserError, match=r"file.m: cannot be written"):
        model.save(tmp_path / "file" / "m")
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.network is None])
def test_a_method_that_is_no_network_cannot_be_saved(drawn_clips, name):
    method = METHODS[name]
    with pytest.raises(UserError, match=f"{name}: only networks can be saved"):
        train(method, drawn_clips, method.settings)
