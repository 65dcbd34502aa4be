"""Weights in the layout that STSTNet's authors published, made up here, against a plain network of three streams."""

import logging
from collections import OrderedDict
from itertools import permutations

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from dfrnet.cli import weights as command
from dfrnet.datasets import released_maps
from dfrnet.evaluation.compare import compare_runs
from dfrnet.evaluation.records import load_run
from dfrnet.evaluation.score import score_file
from dfrnet.evaluation.scores import score_rows
from dfrnet.evaluation.weights import ORIGIN, STSTNET_SHAPES, read_state, score_weights, write_run
from dfrnet.types import CLASSES, UserError
from trees import SUBJECTS, tree_state, write_maps

NAMES = [name for _, name in SUBJECTS]  # sub01, s03, 006 and so on: what the authors' files are called


class ThreeStreams(nn.Module):
    """The paper's figure, stream by stream."""

    def __init__(self):
        super().__init__()
        for k, filters in enumerate((3, 5, 8), start=1):
            setattr(self, f"conv{k}", nn.Conv2d(3, filters, 3, padding=2))
            setattr(self, f"bn{k}", nn.BatchNorm2d(filters))
        self.fc = nn.Linear(400, 3)

    def forward(self, x):
        streams = []
        for k in (1, 2, 3):
            y = getattr(self, f"bn{k}")(getattr(self, f"conv{k}")(x).relu())
            streams.append(nn.functional.max_pool2d(y, 3, stride=3, padding=1))
        return self.fc(nn.functional.avg_pool2d(torch.cat(streams, 1), 2).flatten(1))


def make_state(name):
    """Weights of one subject, drawn anew for each, of sizes that suit pixels of 0..255."""
    draw = torch.Generator().manual_seed(sum(name.encode()))
    state = ThreeStreams().state_dict()
    for key, value in state.items():
        if key.endswith("running_var"):
            state[key] = 1e3 + 1e4 * torch.rand(value.shape, generator=draw)
        elif key.endswith("running_mean"):
            state[key] = 60 * torch.rand(value.shape, generator=draw)
        elif key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(1600)
        else:
            state[key] = torch.randn(value.shape, generator=draw)
    # Where something moves decides, not how bright a map is: else one class would win for every clip of a subject.
    by_place = state["fc.weight"].view(3, 16, 25)
    state["fc.weight"] = 0.3 * (by_place - by_place.mean(2, keepdim=True)).reshape(3, 400)
    return state


def as_the_authors_read(clip, order=(0, 1, 2)):
    """The picture as OpenCV reads it, (3, 28, 28): blue, green, red, which are strain, v, u."""
    picture = cv2.imread(str(clip.maps["u"].path))
    return torch.Tensor(picture[..., list(order)]).permute(2, 0, 1)


def as_the_authors_answer(clips, order=(0, 1, 2)):
    """Logits by clip id of the plain network, with the weights of the clip's subject."""
    answers = {}
    for clip in clips:
        network = ThreeStreams().eval()
        network.load_state_dict(make_state(clip.subject.split("/")[1]))
        with torch.no_grad():
            answers[clip.id] = network(as_the_authors_read(clip, order)[None])[0]
    return answers


def write_weights(folder, names=NAMES, **how):
    folder.mkdir()
    for name in names:
        torch.save(make_state(name), folder / f"{name}.pth", **how)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_maps(tmp_path_factory.mktemp("data") / "htnet", clips=5)


@pytest.fixture(scope="module")
def clips(root):
    return released_maps.load(str(root))


@pytest.fixture
def folder(tmp_path):
    return write_weights(tmp_path / "STSTNet_Weights")


def labels(run):
    return {p.clip: p.label for p in run.predictions("fixed")}


def test_the_layout_is_that_of_the_plain_network():
    assert {name: tuple(value.shape) for name, value in ThreeStreams().state_dict().items()} == STSTNET_SHAPES


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "as before PyTorch 1.6"])
def test_the_answers_are_the_authors(clips, tmp_path, zipped):
    run = score_weights(
        "ststnet", write_weights(tmp_path / "w", _use_new_zipfile_serialization=zipped), clips, data=["maps=x"]
    )
    wanted = as_the_authors_answer(clips)
    assert labels(run) == {name: CLASSES[int(row.argmax())] for name, row in wanted.items()}
    assert set(labels(run).values()) == set(CLASSES)  # else it would say little
    for p in run.predictions("fixed"):
        np.testing.assert_allclose(p.probabilities, wanted[p.clip].double().softmax(0), atol=1e-4)
        assert p.subject == p.fold
    assert run.complete
    assert sorted(labels(run)) == sorted(clip.id for clip in clips)


@pytest.mark.parametrize("order", [order for order in permutations(range(3)) if order != (0, 1, 2)])
def test_another_order_of_channels_gives_other_answers(clips, folder, order):
    other = {name: CLASSES[int(row.argmax())] for name, row in as_the_authors_answer(clips, order).items()}
    assert labels(score_weights("ststnet", folder, clips)) != other


def test_every_subject_is_answered_by_its_own_weights(clips, folder):
    """The weights of one person exchanged for another's change that person's answers and nobody else's."""
    before = {p.clip: p.probabilities for p in score_weights("ststnet", folder, clips).predictions("fixed")}
    torch.save(make_state("somebody else"), folder / "006.pth")
    after = {p.clip: p.probabilities for p in score_weights("ststnet", folder, clips).predictions("fixed")}
    assert {name for name in before if before[name] != after[name]} == {
        clip.id for clip in clips if clip.subject == "samm/006"
    }


def test_it_is_a_run_like_any_other(clips, folder, tmp_path):
    made = score_weights("ststnet", folder, clips, data=["maps=/somewhere"])
    run = write_run(made, tmp_path / "published")
    assert load_run(run.path) == run
    assert run.folds == made.folds
    assert (run.method, run.selections, run.complete) == ("ststnet", ("fixed",), True)
    assert run.config["weights"] == ORIGIN
    assert run.config["data"] == ["maps"]
    rows, again = score_rows([run]), score_rows([made])
    assert [row.data for row in rows] == ["full", "casme2", "samm", "smic"]
    assert [(row.n, row.uf1, row.uar) for row in rows] == [(row.n, row.uf1, row.uar) for row in again]
    scored = score_file(run.path / "predictions.csv", CLASSES)
    assert [row.uf1 for row in scored] == [row.uf1 for row in rows]
    assert compare_runs(run, write_run(made, tmp_path / "twin"), "")


def test_the_command(root, folder, tmp_path, clips):
    words = ["ststnet", str(folder), "--data", f"maps={root}", "--format", "csv"]
    out = tmp_path / "published"
    alone = CliRunner().invoke(command.app, words)
    assert (alone.exit_code, out.exists()) == (0, False), alone.output
    written = CliRunner().invoke(command.app, [*words, "--out", str(out)])
    assert written.exit_code == 0, written.output
    assert labels(load_run(out)) == labels(score_weights("ststnet", folder, clips))
    for line, row in zip(alone.stdout.splitlines()[1:], score_rows([load_run(out)]), strict=True):
        assert repr(row.uf1)[:8] in line
    before = tree_state(out)
    refused = CliRunner().invoke(command.app, [*words, "--out", str(out)])
    assert isinstance(refused.exception, UserError)
    assert "choose another --out" in str(refused.exception)
    assert tree_state(out) == before


def test_another_method(clips, folder):
    with pytest.raises(UserError, match=r"unknown method with published weights 'htnet'; .*known: ststnet"):
        score_weights("htnet", folder, clips)


def test_missing_weights_are_named_and_partial_is_incomplete(clips, folder, tmp_path, caplog):
    for name in NAMES[:-1]:
        (folder / f"{name}.pth").unlink()
    sentence = r"no weights for 5 of 6 subjects \(casme2/sub01, casme2/sub02, samm/006 and 2 more\); .*--partial"
    with pytest.raises(UserError, match=sentence):
        score_weights("ststnet", folder, clips)
    run = write_run(score_weights("ststnet", folder, clips, partial=True), tmp_path / "some")
    assert "no weights for 5 of 6 subjects" in caplog.text
    assert not run.complete
    assert {p.subject for p in run.predictions("fixed")} == {"samm/037"}
    assert "INCOMPLETE: 1 of 6 folds" in score_rows([run])[0].label


def test_spellings_doubles_and_strangers(clips, folder, caplog):
    (folder / "s03.pth").rename(folder / "S3.pth")
    torch.save(make_state("another"), folder / "6.pth")
    torch.save(make_state("another"), folder / "sub77.pth")
    (folder / "README.md").write_text("nothing of ours")
    with caplog.at_level(logging.WARNING):
        run = score_weights("ststnet", folder, clips)
    said = [record.getMessage().removeprefix(f"{folder}/") for record in caplog.records]
    assert said == [
        "6.pth: samm/006 has 006.pth already; passed over",
        "sub77.pth: no subject of the data is called so; passed over",
    ]
    assert labels(run) == {name: CLASSES[int(row.argmax())] for name, row in as_the_authors_answer(clips).items()}


@pytest.mark.parametrize("kind", ["nowhere", "empty", "of-others"])
def test_a_folder_without_weights_of_theirs(clips, tmp_path, kind):
    folder = tmp_path / "w"
    if kind == "of-others":
        write_weights(folder, ["sub77"])
    elif kind == "empty":
        folder.mkdir()
    sentence = {"nowhere": "cannot be read", "empty": "no weights in it", "of-others": "are these files of other data"}
    with pytest.raises(UserError, match=f"w: .*{sentence[kind]}"):
        score_weights("ststnet", folder, clips, partial=True)


class Harmful:
    """What a pickle may do to whoever reads it."""

    ran: list[str] = []  # noqa: RUF012

    def __reduce__(self):
        return Harmful.ran.append, ("code of the file",)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_not_run(clips, folder, zipped):
    torch.save({**make_state("s03"), "fc.bias": Harmful()}, folder / "s03.pth", _use_new_zipfile_serialization=zipped)
    Harmful.ran.clear()
    with pytest.raises(UserError, match=r"s03\.pth: refused, it holds more than tensors") as caught:
        score_weights("ststnet", folder, clips)
    assert "\n" not in str(caught.value)
    assert Harmful.ran == []


def changed(**entries):
    state = make_state("s03")
    for key, value in entries.items():
        name = key.replace("__", ".")
        if value is None:
            del state[name]
        else:
            state[name] = value
    return state


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no whole file of weights; restore"),
        (b"<html>" + 900 * b"x", "no whole file of weights; restore"),
        (b"version https://git-lfs.github.com/spec/v1\n", "no whole file of weights; restore"),
        ("cut", "no whole file of weights; restore"),
        ([torch.zeros(3)], "not a dict of tensors by name"),
        ({"epoch": 3}, "not a dict of tensors by name"),
        (nn.Linear(2, 2).state_dict(), r"conv1.weight is not there and should be \(3, 3, 3, 3\); these are weights of"),
        (changed(fc__weight=torch.zeros(5, 400)), r"fc.weight is \(5, 400\) and should be \(3, 400\); these are"),
        (changed(bn2__running_var=None), r"bn2.running_var is not there and should be \(5,\)"),
        (changed(more=torch.zeros(1)), r"more is \(1,\) and should be not there"),
        (changed(fc__bias=torch.tensor([0.0, float("nan"), 0.0])), "fc.bias is not finite"),
        (nn.Linear(2, 2), "refused, it holds more than tensors"),
    ],
    ids=["empty", "page", "pointer", "cut", "list", "other", "alien", "shape", "lacks", "more", "nan", "module"],
)
def test_a_file_that_is_not_such_weights(folder, content, sentence):
    path = folder / "s03.pth"
    if content == "cut":
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(UserError, match=rf"s03\.pth: {sentence}") as caught:
        read_state(path, STSTNET_SHAPES)
    assert "\n" not in str(caught.value)


def test_a_state_dict_of_any_kind_of_dict_is_read(folder):
    state = OrderedDict((name, value.half()) for name, value in make_state("s03").items())
    torch.save(state, folder / "s03.pth")
    assert set(read_state(folder / "s03.pth", STSTNET_SHAPES)) == set(STSTNET_SHAPES)


def test_clips_that_the_weights_do_not_fit(drawn_clips, tmp_path):
    folder = write_weights(tmp_path / "w", sorted({clip.subject.split("/")[1] for clip in drawn_clips}))
    with pytest.raises(UserError, match=r"comes without the map strain .*--data maps=ROOT"):
        score_weights("ststnet", folder, drawn_clips)
    large = released_maps.load(str(write_maps(tmp_path / "htnet", size=32)))
    with pytest.raises(UserError, match=r"\.png: clip .* needs a picture of 28x28 pixels"):
        score_weights("ststnet", write_weights(tmp_path / "v"), large)
