import os

import numpy as np
import pytest

from dfrnet.export import PARITY, change, to_onnx
from dfrnet.features import features
from dfrnet.methods import METHODS
from dfrnet.recognizer import Recognizer, load, train
from dfrnet.types import CLASSES, UserError
from methods.test_conformance import problem
from trees import REPOSITORY

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

SMALL = {"inputs": "flow", "widths": "8,16,24", "epochs": "2", "batch_size": "4", "size": "16", "frame_size": "48"}


@pytest.fixture(scope="module")
def model(drawn_clips):
    method = METHODS["dfrnet"]
    trained = train(method, drawn_clips, method.configured(changes=SMALL), data=["synthetic=easy"], half=True)
    return Recognizer(**{**vars(trained), "temperature": 1.5, "threshold": 0.4, "card": {"protocol": "loso"}})


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "m.onnx"
    to_onnx(model, path)
    return path


@pytest.fixture(scope="module")
def x(drawn_clips, model):
    return features(drawn_clips, model.spec).x


def kinds_of_large_tensors(path):
    return {one.data_type for one in onnx.load(path).graph.initializer if np.prod(one.dims) > 500}


def test_the_file_is_the_model(model, exported, x, drawn_clips):
    again = load(exported)
    assert again.record() == model.record()
    for part in (x, x[:1]):
        np.testing.assert_allclose(
            again.classifier.predict_proba(part), model.classifier.predict_proba(part), atol=PARITY
        )
    clip = drawn_clips[0]
    one, other = (found.predict(clip.frames, clip.onset, clip.apex) for found in (again, model))
    assert one == pytest.approx(other, abs=PARITY)
    assert [file.name for file in exported.parent.iterdir()] == ["m.onnx"]


def test_the_file_names_no_place_of_the_machine_that_wrote_it(exported):
    data = exported.read_bytes()
    for name in (str(REPOSITORY), "site-packages", os.path.expanduser("~"), ".py"):  # noqa: PTH111
        assert name.encode() not in data


def test_rounded_weights_take_half_the_room_in_both_files(model, drawn_clips, exported, tmp_path):
    method = METHODS["dfrnet"]
    full = train(method, drawn_clips, method.configured(changes=SMALL), data=["synthetic=easy"])
    full.save(tmp_path / "full.safetensors")
    model.save(tmp_path / "half.safetensors")
    sizes = {file.stem: file.stat().st_size for file in tmp_path.iterdir()}
    assert sizes["half"] < 0.65 * sizes["full"]
    assert kinds_of_large_tensors(exported) == {onnx.TensorProto.FLOAT16}
    again = load(tmp_path / "half.safetensors").classifier.network.state_dict()
    for name, tensor in model.classifier.network.state_dict().items():
        assert torch.equal(tensor, again[name])


def test_int8_is_smaller_and_says_what_it_changed(model, exported, x, tmp_path):
    y = np.arange(len(x)) % 3
    written = to_onnx(model, tmp_path / "m.onnx", int8=True, x=x, y=y)
    again = load(tmp_path / "m.onnx")
    assert again.record() == written.record()
    assert again.card["protocol"] == "loso"
    found = change(model.classifier, again.classifier, x, y)
    said = again.card["int8"]
    assert (said["clips"], said["same_label"], said["uf1"]) == (len(x), found.same_label, list(found.uf1))
    assert 0 < said["mean_difference"] <= said["largest_difference"] < 0.1
    assert kinds_of_large_tensors(tmp_path / "m.onnx") == {onnx.TensorProto.INT8}


def test_in_int8_the_means_over_the_map_are_pooled(model, x, tmp_path, capfd):
    to_onnx(model, tmp_path / "m.onnx", int8=True, x=x)
    assert capfd.readouterr() == ("", ""), "onnxruntime has nothing to say about it"
    nodes = onnx.load(tmp_path / "m.onnx").graph.node
    kinds = [node.op_type for node in nodes]
    blocks = 2 * len(model.settings.widths)
    assert kinds.count("GlobalAveragePool") >= blocks, "one in each channel attention"
    assert kinds.count("ReduceMean") == blocks + 1, "those over channels, and the one before the last layer"


def test_change_counts():
    class Fixed:
        def __init__(self, rows):
            self.rows = np.array(rows)

        def predict_proba(self, x):
            return self.rows[: len(x)]

    one = Fixed([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]])
    other = Fixed([[0.8, 0.2], [0.4, 0.6], [0.1, 0.9]])
    found = change(one, other, np.zeros((3, 1, 1, 1), np.float32), np.array([0, 0, 1]))
    assert (found.clips, found.same_label) == (3, pytest.approx(2 / 3))
    assert (found.mean_difference, found.largest_difference) == (pytest.approx(0.4 / 6), pytest.approx(0.2))
    assert found.uf1 == (1.0, pytest.approx(2 / 3))


def test_int8_needs_clips(model, tmp_path):
    with pytest.raises(UserError, match="int8 needs clips"):
        to_onnx(model, tmp_path / "m.onnx", int8=True)
    assert list(tmp_path.iterdir()) == []


def test_an_onnx_model_is_not_exported_again(exported, tmp_path):
    with pytest.raises(UserError, match="an ONNX file already"):
        to_onnx(load(exported), tmp_path / "m.onnx")


class Answers:
    """A network as a classifier whose answers are ``off`` by so much."""

    def __init__(self, network, off=0.0):
        self.network, self.off = network.eval(), off

    def predict_proba(self, x):
        with torch.inference_mode():
            found = self.network(torch.from_numpy(x)).double().softmax(dim=1).numpy()
        return found + np.array([self.off, -self.off, 0])


class Changing(torch.nn.Module):
    """What it computes depends on the numbers it sees, which a graph cannot."""

    def forward(self, x):
        return x.mean((2, 3)) if float(x.sum()) > 0 else -x.mean((2, 3))


class Linear(torch.nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


@pytest.mark.parametrize(
    ("network", "off", "message"),
    [(Changing(), 0.0, "a step that ONNX lacks"), (Linear(), 1e-3, "differ by 1.0e-03, more than 1e-04")],
    ids=["no-graph", "no-parity"],
)
def test_what_cannot_be_exported_leaves_nothing_behind(model, tmp_path, network, off, message):
    broken = Recognizer(**{**vars(model), "classifier": Answers(network, off)})
    with pytest.raises(UserError, match=message) as caught:
        to_onnx(broken, tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(model, tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UserError, match=r"m\.onnx: cannot be written"):
        to_onnx(model, tmp_path / "file" / "m.onnx")


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.network and name != "dfrnet"])
def test_every_network_can_be_exported(name, tmp_path):
    method, settings, spec, x, y, groups = problem(name, n=6)
    classifier = method.build(settings, spec, 3, 0).fit(x, y, groups)
    trained = Recognizer(name, settings, spec, CLASSES, {}, classifier)
    to_onnx(trained, tmp_path / "m.onnx", x=x)
    again = load(tmp_path / "m.onnx")
    assert (again.method, again.settings, again.spec) == (name, settings, spec)
    np.testing.assert_allclose(again.classifier.predict_proba(x), classifier.predict_proba(x), atol=PARITY)


def test_the_commands(dfrnet, model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    done = dfrnet("export", tmp_path / "m.safetensors", "--out", tmp_path / "m.onnx")
    assert (done.status, done.out) == (0, "")
    assert "within 1e-4" in done.err
    assert load(tmp_path / "m.onnx").temperature == 1.5
    assert "ends in .onnx" in dfrnet("export", tmp_path / "m.safetensors", "--out", tmp_path / "m").sentence()
    assert "unknown format" in dfrnet("export", "maps", "--to", "onx", "--out", tmp_path / "m.onnx").sentence()
    assert "int8 needs" in dfrnet("export", "maps", "--int8", "--out", tmp_path / "n.onnx").sentence()
    assert not (tmp_path / "n.onnx").exists()


def test_the_models_are_listed(dfrnet):
    done = dfrnet("models")
    assert done.status == 0
    assert [line.split()[0] for line in done.out.splitlines()] == ["maps", "synthetic"]
    assert "research only" in done.out.splitlines()[0]
    assert dfrnet("models", "maps").out.startswith("# ")
    assert "did you mean 'maps'" in dfrnet("models", "map").sentence()
