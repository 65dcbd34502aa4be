import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from dfrnet.datasets import synthetic
from dfrnet.recognizer import MODELS, load
from dfrnet.runtime import INPUT, OUTPUT, OnnxClassifier, softmax
from dfrnet.types import CLASSES, Classifier, UserError

pytest.importorskip("onnxruntime")

NO_TORCH = """
import sys
for name in ("torch", "onnx", "onnxscript"):
    sys.modules[name] = None  # any import of it raises
from dfrnet.datasets import synthetic
from dfrnet.recognizer import load
model = load(sys.argv[1])
clip = synthetic.load("easy", subjects=1, clips_per_subject=1, fps=30)[0]
found = model.predict(clip.frames, clip.onset, clip.apex)
known = model.label(found) in (None, *model.classes)
print(round(sum(found.values()), 6), known, [name for name in sys.modules if "torch" in name])
"""


@pytest.fixture(scope="module")
def path():
    return MODELS["synthetic"].with_suffix(".onnx")


@pytest.fixture(scope="module")
def classifier(path):
    return OnnxClassifier(path)


@pytest.fixture(scope="module")
def x(classifier):
    return np.random.default_rng(0).standard_normal((300, *classifier.shape[:3])).astype(np.float32)


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_answers_where_torch_is_not_installed(python, name):
    done = python("-c", NO_TORCH, name)
    assert done.stdout.split(" ", 2) == ["1.0", "True", "['torch']\n"], done.stderr


@pytest.mark.parametrize("name", MODELS)
def test_both_files_of_a_shipped_model_are_one_model(name):
    pytest.importorskip("torch")
    one, other = (load(MODELS[name].with_suffix(suffix)) for suffix in (".onnx", ".safetensors"))
    assert one.record() == other.record()
    maps = np.random.default_rng(1).standard_normal((3, len(one.spec.maps), one.spec.size, one.spec.size))
    a, b = (model.classifier.predict_proba(maps.astype(np.float32)) for model in (one, other))
    np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_has_a_measured_card(name):
    model = load(name)
    assert model.temperature != 1
    assert model.threshold > 0
    assert {row["data"] for row in model.card["scores"]} >= {"full"}
    assert all(low < row["uf1"] < high for row in model.card["scores"] for low, high in [row["uf1_ci"]])
    text = MODELS[name].with_suffix(".md").read_text(encoding="utf-8")
    assert f"{model.card['scores'][0]['uf1']:.3f}" in text
    assert "Not for" in text
    assert ("research only" in text) == (name == "maps")


def test_shipped_models_are_small():
    files = [base.with_suffix(suffix) for base in MODELS.values() for suffix in (".onnx", ".safetensors", ".md")]
    assert sum(file.stat().st_size for file in files) < 15e6
    for file in files:  # and none says where it was made
        assert not [word for word in (b"site-packages", b"/home/", b"/src/dfrnet/") if word in file.read_bytes()]


def test_it_is_a_classifier(classifier, x):
    assert isinstance(classifier, Classifier)
    found = classifier.predict_proba(x)
    assert found.shape == (300, 3)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    pieces = np.concatenate([classifier.predict_proba(x[start : start + 7]) for start in range(0, 300, 7)])
    np.testing.assert_allclose(found, pieces, atol=1e-6)
    assert classifier.predict_proba(x[:0]).shape == (0, 3)


def test_threads_change_nothing(path, classifier, x):
    np.testing.assert_allclose(OnnxClassifier(path, threads=2).predict_proba(x), classifier.predict_proba(x), atol=1e-6)
    with pytest.raises(UserError, match="threads=0"):
        OnnxClassifier(path, threads=0)


def test_it_cannot_be_trained(classifier, x):
    with pytest.raises(UserError, match="cannot be trained"):
        classifier.fit(x, np.zeros(len(x), np.int64), ["a"] * len(x))


def test_an_answer_that_is_no_number_is_refused(classifier, x):
    with pytest.raises(UserError, match="NaN"):
        classifier.predict_proba(np.full_like(x[:1], np.nan))


def test_it_cannot_be_saved_as_safetensors(tmp_path):
    with pytest.raises(UserError, match="copy its file"):
        load("synthetic").save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_model_abstains_below_its_threshold():
    clip = synthetic.load("easy", subjects=1, clips_per_subject=1, fps=30)[0]
    model = load("synthetic")
    found = model.predict(clip.frames, clip.onset, clip.apex)
    assert list(found) == list(CLASSES)
    even = dict.fromkeys(CLASSES, 1 / 3)
    assert model.label(even) is None
    sure = {"negative": 0.01, "positive": 0.98, "surprise": 0.01}
    assert model.label(sure) == "positive"


def test_the_temperature_is_applied(x):
    model = load("synthetic")
    raw = model.classifier.predict_proba(x[:5])
    expected = special.softmax(np.log(raw) / model.temperature, axis=1)
    found = [list(row.values()) for row in model.predict_features(x[:5])]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert not np.allclose(found, raw, atol=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_cut_file_is_named(path, tmp_path, share):
    data = path.read_bytes()
    (tmp_path / "m.onnx").write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match=r"m\.onnx: .*dfrnet export") as caught:
        load(tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "folder", "text"])
def test_what_is_no_model_is_named(tmp_path, kind):
    file = tmp_path / "m.onnx"
    if kind == "folder":
        file.mkdir()
    elif kind == "text":
        file.write_text("hello, I am no model")
    with pytest.raises(UserError, match=r"m\.onnx: .*make one with dfrnet export"):
        load(file)


def rewritten(path, target, **changes):
    """The model with another record; None takes the entry away."""
    import onnx

    model = onnx.load(path)
    record = json.loads(model.metadata_props[0].value)
    record = {name: value for name, value in (record | changes).items() if value is not None}
    model.metadata_props[0].value = json.dumps(record)
    onnx.save(model, target)
    return target


def test_files_from_before_calibration_still_load(path, tmp_path):
    model = load(rewritten(path, tmp_path / "old.onnx", temperature=None, threshold=None, card=None))
    assert (model.temperature, model.threshold, model.card) == (1.0, 0.0, {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "dfrnet-99"}, "not a model file of this version"),
        ({"spec": None}, "not a model file of this version"),
        ({"temperature": "warm"}, "not a model file of this version"),
        ({"temperature": -1}, "wrong record .*temperature"),
        ({"temperature": float("nan")}, "wrong record .*temperature"),
        ({"threshold": 2}, "wrong record .*threshold"),
        ({"classes": ["yes", "no"]}, "does not fit its record"),
    ],
)
def test_a_wrong_record_is_named(path, tmp_path, changes, message):
    with pytest.raises(UserError, match=rf"m\.onnx: .*{message}"):
        load(rewritten(path, tmp_path / "m.onnx", **changes))


def test_an_onnx_model_of_others_is_named(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in (INPUT, OUTPUT)]
    graph = helper.make_graph([helper.make_node("Relu", [INPUT], [OUTPUT])], "g", shapes[:1], shapes[1:])
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]), tmp_path / "m.onnx")
    with pytest.raises(UserError, match=r"m\.onnx: an ONNX model, but none of dfrnet"):
        load(tmp_path / "m.onnx")


@given(st.lists(st.lists(st.floats(-300, 300), min_size=3, max_size=3), min_size=1), st.floats(0.1, 10))
def test_softmax(rows, temperature):
    logits = np.array(rows)
    np.testing.assert_allclose(softmax(logits, temperature), special.softmax(logits / temperature, axis=1), atol=1e-12)
