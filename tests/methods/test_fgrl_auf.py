"""FGRL-AUF: size, gradients, the graph of action units, and from whose units it comes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dfrnet.datasets.labels import unit_numbers
from dfrnet.evaluation.cost import measure
from dfrnet.evaluation.run import Task, clip_table, evaluate, run_fold
from dfrnet.features import FeatureSpec
from dfrnet.methods import METHODS
from dfrnet.methods.fgrl_auf import UNITS, build, network, unit_relations
from dfrnet.networks.fgrl import FACTOR, FGRL, EncoderLayer, UnitGraph
from dfrnet.recognizer import load, train
from dfrnet.types import CLASSES, Fold, LearnsActionUnits, TrainedInEpochs, UserError
from trees import separable

METHOD = METHODS["fgrl_auf"]
SPEC = METHOD.inputs(METHOD.settings)
QUICK = METHOD.configured(changes={"epochs": "2", "layers": "1", "batch_size": "8"})
some_units = st.lists(st.frozensets(st.sampled_from((*UNITS, 6, 7))), max_size=12)


def test_the_published_size():
    """1.05 M in re-implementations, 16.6 MFLOP after the magnifier (computed from them, not in the paper)."""
    parameters = {
        "convolution": 30 * 9 + 2 * 30,
        "encoders": 12 * (49 * 3 * 128 + 128 * 49 + (49 * 128 + 128) + (128 * 49 + 49) + 4 * 49),
        "layers": (490 * 320 + 320) + (980 * 320 + 320) + 2 * (320 * 160 + 160),
        "units": 9 * 40 + 40 * 80 + 80 * 160,
        "head": 2 * 9 + 9 * 3 + 3,
    }
    cost = measure(METHOD, METHOD.settings, threads=(1,), repeats=1)
    assert cost.parameters == sum(parameters.values()) == 1_046_558
    assert cost.flops == pytest.approx(16.6e6, rel=0.005)
    assert cost.input == (60, 7, 7)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_a_gradient_in_every_parameter(classes):
    torch.manual_seed(0)
    whole = network(METHOD.settings, SPEC, classes).train()
    logits = whole(torch.randn(6, 60, 7, 7))
    assert logits.shape == (6, classes)
    torch.nn.functional.cross_entropy(logits, torch.arange(6) % classes).backward()
    for name, parameter in whole.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().max()) > 0, name


def test_an_encoder_layer_is_torchs_own():
    """Against ``nn.TransformerEncoderLayer``, whose heads are as wide as its tokens allow: 48 = 3 x 16."""
    torch.manual_seed(0)
    ours = EncoderLayer(48, heads=3, head=16, hidden=128).eval()
    theirs = torch.nn.TransformerEncoderLayer(48, 3, 128, batch_first=True, layer_norm_eps=1e-6, bias=True).eval()
    pairs = {
        "self_attn.in_proj_weight": ours.look.weight,
        "self_attn.out_proj.weight": ours.join[0].weight,
        "linear1.weight": ours.think[0].weight,
        "linear1.bias": ours.think[0].bias,
        "linear2.weight": ours.think[2].weight,
        "linear2.bias": ours.think[2].bias,
    }
    state = theirs.state_dict() | {name: tensor.detach() for name, tensor in pairs.items()}
    for name in ("self_attn.in_proj_bias", "self_attn.out_proj.bias"):
        state[name] = torch.zeros_like(state[name])
    theirs.load_state_dict(state)
    x = torch.randn(4, 10, 48)
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)


def test_a_graph_convolution_is_a_sum_over_units():
    torch.manual_seed(0)
    relations = torch.rand(9, 9)
    graph = UnitGraph(relations)

    def convolved(rows, weights):
        mixed = [sum(relations[i, j] * rows[j] for j in range(9)) for i in range(9)]
        sums = torch.stack([sum(row[k] * weights[k] for k in range(len(row))) for row in mixed])
        return torch.where(sums > 0, sums, 0.2 * sums)

    expected = convolved(convolved(graph.units, graph.first), graph.second)
    torch.testing.assert_close(graph(), expected, atol=1e-7, rtol=1e-3)


def test_the_magnification_is_two_in_a_test_and_drawn_in_training():
    torch.manual_seed(0)
    whole = FGRL(torch.eye(9), 3, layers=1).eval()
    seen = []
    whole.local.register_forward_hook(lambda _module, given, _out: seen.append(given[0]))
    onset, change = torch.randn(150, 30, 7, 7), torch.randn(150, 30, 7, 7)
    x = torch.cat([onset, change], dim=1)
    whole(x)
    torch.testing.assert_close(seen[0], onset + FACTOR * change)
    whole.train()(x)
    factors = ((seen[1] - onset) / change).flatten(1).median(dim=1).values
    assert sorted({round(float(factor), 3) for factor in factors}) == [1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0]
    torch.testing.assert_close(seen[1], onset + factors.view(-1, 1, 1, 1) * change, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("patch", "first", "last"), [(0, 0, 3), (9, 0, 3), (10, 3, 9), (29, 3, 9)])
def test_brows_meet_brow_units_and_the_mouth_the_others(patch, first, last):
    torch.manual_seed(0)
    whole = FGRL(torch.eye(9), 3).eval()
    seen = []
    whole.head.register_forward_hook(lambda _module, given, _out: seen.append(given[0]))
    x = torch.randn(2, 60, 7, 7)
    whole(x)
    x[:, patch] += 1
    whole(x)
    moved = (seen[0] != seen[1]).any(dim=0)
    assert bool(moved[first:last].all())
    assert int(moved.sum()) == last - first


def test_larger_patches_are_averaged():
    torch.manual_seed(0)
    whole, x = FGRL(torch.eye(9), 3).eval(), torch.randn(2, 60, 7, 7)
    torch.testing.assert_close(whole(x.repeat_interleave(4, 2).repeat_interleave(4, 3)), whole(x))


@given(some_units)
def test_the_relations_are_chances(units):
    """Against counting with two loops; each unit counts itself once."""
    chances = np.eye(9)
    for i, one in enumerate(UNITS):
        have = [clip for clip in units if one in clip]
        for j, other in enumerate(UNITS):
            if i != j and have:
                chances[i, j] = sum(other in clip for clip in have) / len(have)
    degree = chances.sum(axis=1)
    expected = [[chances[j, i] / np.sqrt(degree[i] * degree[j]) for j in range(9)] for i in range(9)]
    np.testing.assert_allclose(unit_relations(units), expected, rtol=1e-6)


@pytest.mark.parametrize("units", [[], [frozenset()] * 3, [frozenset({6}), frozenset({7, 9})]], ids=str)
def test_without_units_none_is_related_to_another(units):
    np.testing.assert_array_equal(unit_relations(units), np.eye(9, dtype=np.float32))


def test_clips_without_units_change_nothing():
    units = [frozenset({1, 2}), frozenset({1}), frozenset({12, 25})]
    np.testing.assert_array_equal(unit_relations(units), unit_relations([*units, frozenset(), frozenset()]))


def relations_of(classifier):
    return classifier.network[1].graph.relations.numpy()


def trained_in_a_fold(units, clips):
    """The classifier that ``run_fold`` trains with the second subject's clips left out."""
    built = []

    def capture(*words):
        built.append(build(*words))
        return built[0]

    x = np.random.default_rng(0).standard_normal((len(clips), 60, 7, 7)).astype(np.float32)
    fold = Fold("s02", (0, 1, 2), (3, 4, 5))
    task = Task(replace(METHOD, build=capture), QUICK, SPEC, CLASSES, "fixed", 0, fold)
    content = run_fold(task, x, clip_table(clips), units)
    content.pop("seconds")
    return built[0], content


def test_only_the_units_of_training_clips_count(drawn_clips):
    assert [clip.subject for clip in drawn_clips] == 3 * ["synthetic/s01"] + 3 * ["synthetic/s02"]
    units = [unit_numbers(clip) for clip in drawn_clips]
    assert all(units)
    first, answers = trained_in_a_fold(units, drawn_clips)
    np.testing.assert_array_equal(relations_of(first), unit_relations(units[:3]))

    other, same = trained_in_a_fold([*units[:3], *(frozenset({1, 12, 25}),) * 3], drawn_clips)
    np.testing.assert_array_equal(relations_of(other), relations_of(first))
    assert same == answers

    changed, others = trained_in_a_fold([*(frozenset({1, 12, 25}),) * 3, *units[3:]], drawn_clips)
    assert not np.array_equal(relations_of(changed), relations_of(first))
    assert others["probabilities"] != answers["probabilities"]


def test_a_run_takes_the_units_from_the_clips(drawn_clips, tmp_path):
    """Through ``evaluate``: other units of the one subject change the answers for the other subject's clips only."""
    swapped = [replace(clip, action_units=("AU1", "L12", "25B")) for clip in drawn_clips[:3]] + drawn_clips[3:]
    runs = [
        {p.clip: p.probabilities for p in evaluate(METHOD, clips, tmp_path / name, settings=QUICK).predictions("fixed")}
        for name, clips in (("as they are", drawn_clips), ("swapped", swapped))
    ]
    for clip in drawn_clips[:3]:
        assert runs[0][clip.id] == runs[1][clip.id]
    assert any(runs[0][clip.id] != runs[1][clip.id] for clip in drawn_clips[3:])


def test_a_saved_model_carries_the_relations(drawn_clips, tmp_path):
    model = train(METHOD, drawn_clips, QUICK)
    known = unit_relations([unit_numbers(clip) for clip in drawn_clips])
    np.testing.assert_array_equal(relations_of(model.classifier), known)
    assert not np.array_equal(known, np.eye(9))
    model.save(tmp_path / "m.safetensors")
    again, clip = load(tmp_path / "m.safetensors"), drawn_clips[0]
    np.testing.assert_array_equal(relations_of(again.classifier), known)
    assert again.predict(clip.frames, clip.onset, clip.apex) == model.predict(clip.frames, clip.onset, clip.apex)


def test_what_the_classifier_is():
    classifier = METHOD.build(QUICK, SPEC, 3, 0)
    assert isinstance(classifier, LearnsActionUnits)
    assert isinstance(classifier, TrainedInEpochs)
    assert classifier.network is None
    x, y, groups = separable(18, size=7, channels=60)
    epoch, losses = classifier.choose_epoch(x, y, groups)
    assert 1 <= epoch <= len(losses) <= 2


def test_it_learns():
    settings = METHOD.configured(changes={"epochs": "15", "batch_size": "8", "learning_rate": "3e-4", "layers": "1"})
    x, y, groups = separable(30, size=7, channels=60)
    new, truth, _ = separable(18, size=7, channels=60, seed=5)
    classifier = METHOD.build(settings, SPEC, 3, 0).fit(x, y, groups)
    assert (classifier.predict_proba(new).argmax(axis=1) == truth).mean() == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("maps", "u,v"), "takes the patches of brows and mouth"),
        (("flip", "true"), "fgrl_auf needs flip=false"),
        (("dropout", "1"), r"dropout=1\.0: it must lie in 0\.\.1"),
        (("layers", "0"), "layers=0: it must be 1 or more"),
    ],
    ids=lambda value: "=".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_setting_is_a_sentence(change, message):
    with pytest.raises(UserError, match=message):
        METHOD.configured(changes=dict([change]))


def test_the_published_settings():
    training = METHOD.settings.training
    assert (training.optimiser, training.learning_rate, training.batch_size, training.epochs) == ("adam", 1e-4, 32, 15)
    assert FeatureSpec(maps=SPEC.maps, size=7, scale="none") == SPEC
    assert len(METHOD.differences) == 6
