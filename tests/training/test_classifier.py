"""The classifier around a network: same seed same numbers, nothing learned from where it must not be."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dfrnet.training import TrainingConfig
from dfrnet.training.classifier import Normalise, TorchClassifier, _batches, _class_weights, _held_out, _rate
from dfrnet.types import Classifier, TrainedInEpochs, UserError
from trees import separable

PLAIN = {"epochs": 4, "batch_size": 8, "learning_rate": 1e-2, "flip": False}


def small(channels=3, dropout=0.2):
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(3),
        nn.Flatten(), nn.Dropout(dropout), nn.Linear(54, 3),
    )  # fmt: skip


def classifier(seed=0, build=small, names=("u", "v", "strain"), **changes):
    return TorchClassifier(build, names, 3, TrainingConfig(**PLAIN | changes), seed)


def fitted(**changes):
    x, y, groups = separable()
    return classifier(**changes).fit(x, y, groups).predict_proba(x)


def test_it_is_a_classifier_that_is_trained_in_epochs():
    assert isinstance(classifier(), Classifier)
    assert isinstance(classifier(), TrainedInEpochs)
    with pytest.raises(RuntimeError, match="before fit"):
        classifier().predict_proba(separable()[0])


@pytest.mark.parametrize(
    "changes",
    [{}, {"flip": True, "shift": 0.05}, {"mixup": 0.4, "class_weights": True}, {"average": 0.9},
     {"schedule": "cosine", "warmup": 1, "label_smoothing": 0.1}, {"weight_decay": 1e-2}, {"precision": "bf16"}],
    ids=lambda changes: "+".join(changes) or "plain",
)  # fmt: skip
def test_same_seed_same_numbers_other_seed_others(changes):
    one = fitted(**changes)
    assert one.shape == (24, 3)
    assert one.dtype == np.float64
    np.testing.assert_allclose(one.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_array_equal(fitted(**changes), one)
    assert np.abs(fitted(seed=1, **changes) - one).max() > 1e-4


@pytest.mark.parametrize(
    "changes",
    [{"mixup": 0.4}, {"average": 0.9}, {"label_smoothing": 0.2}, {"weight_decay": 0.1}, {"schedule": "cosine"},
     {"warmup": 2}, {"flip": True}, {"shift": 0.2}, {"rotate": 20}, {"zoom": 0.3}, {"crop": 0.3}, {"batch_size": 6},
     {"precision": "bf16"}, {"learning_rate": 1e-3}, {"epochs": 5}],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_every_setting_does_something(changes):
    assert np.abs(fitted(**changes) - fitted()).max() > 1e-5


def test_class_weights_do_something_where_classes_are_unequal():
    x, y, groups = separable()
    keep = np.array([i for i in range(24) if y[i] == 0 or i < 9])
    chosen = [groups[i] for i in keep]
    with_and_without = [
        classifier(class_weights=w).fit(x[keep], y[keep], chosen).predict_proba(x) for w in (True, False)
    ]
    assert np.abs(with_and_without[0] - with_and_without[1]).max() > 1e-4


def test_looking_between_epochs_changes_nothing():
    x, y, groups = separable()
    watched = classifier(flip=True, mixup=0.4, average=0.9)
    seen = []
    for _ in watched.epochs(x, y, groups):
        seen.append(watched.predict_proba(x))
        torch.rand(7)  # someone else draws
        np.random.default_rng().random(3)
    np.testing.assert_array_equal(seen[-1], fitted(flip=True, mixup=0.4, average=0.9))
    assert len({array.tobytes() for array in seen}) == 4


def test_what_was_drawn_before_changes_nothing_and_the_global_generator_is_kept():
    one = fitted()
    torch.manual_seed(12345)
    state = torch.random.get_rng_state()
    np.testing.assert_array_equal(fitted(), one)
    assert bool((torch.random.get_rng_state() == state).all())


def test_epochs_are_numbered_and_the_loss_falls():
    x, y, groups = separable()
    epochs = list(classifier(epochs=12).epochs(x, y, groups))
    assert [epoch.number for epoch in epochs] == list(range(1, 13))
    assert epochs[-1].loss < 0.5 * epochs[0].loss


def test_a_second_fit_starts_afresh():
    x, y, groups = separable()
    again = classifier()
    again.fit(x, (y + 1) % 3, groups)
    np.testing.assert_array_equal(again.fit(x, y, groups).predict_proba(x), fitted())


@pytest.mark.parametrize("changes", [{}, {"precision": "bf16"}, {"average": 0.8}], ids=["plain", "bf16", "average"])
def test_it_learns_what_is_easy(changes):
    x, y, groups = separable(36)
    new, truth, _ = separable(30, seed=9)
    found = classifier(epochs=25, **changes).fit(x, y, groups).predict_proba(new)
    assert (found.argmax(axis=1) == truth).mean() > 0.95


def test_answers_do_not_depend_on_company():
    x, y, groups = separable()
    trained = classifier().fit(x, y, groups)
    together = trained.predict_proba(x)
    for i in (0, 7, 23):
        np.testing.assert_allclose(trained.predict_proba(x[i : i + 1])[0], together[i], atol=1e-6)
    many = np.concatenate([x] * 12)  # more than one part of the forward pass
    np.testing.assert_allclose(trained.predict_proba(many)[-24:], together, atol=1e-6)


def test_normalisation_is_learned_from_training_clips_and_lives_in_buffers():
    x, y, groups = separable()
    x = x * np.array([1, 5, 20], np.float32).reshape(3, 1, 1) + 3
    trained = classifier().fit(x, y, groups)
    state = trained.network.state_dict()
    np.testing.assert_allclose(state["0.mean"].flatten(), x.mean((0, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(state["0.std"].flatten(), x.std((0, 2, 3)), rtol=1e-3)
    assert "0.mean" not in dict(trained.network.named_parameters())
    trained.predict_proba(x * 100)
    np.testing.assert_allclose(trained.network.state_dict()["0.mean"].flatten(), x.mean((0, 2, 3)), rtol=1e-4)


def test_normalised_channels_have_mean_0_and_deviation_1():
    x = torch.randn(5, 2, 8, 8) * torch.tensor([3.0, 0.01]).view(2, 1, 1) + 7
    module = Normalise(2)
    module.learn(x)
    assert module(x).mean((0, 2, 3)).abs().max() < 1e-3
    torch.testing.assert_close(module(x).std((0, 2, 3)), torch.ones(2), atol=1e-3, rtol=0)


@pytest.mark.parametrize("value", [0.0, 0.3, -5.0])
def test_a_constant_channel_is_fine(value):
    x, y, groups = separable()
    x[:, 1] = value
    trained = classifier(epochs=15).fit(x, y, groups)
    assert (trained.predict_proba(x).argmax(1) == y).mean() > 0.9
    x[:, 1] += 0.01  # a test clip that differs a little is not blown up
    assert (trained.predict_proba(x).argmax(1) == y).mean() > 0.9


@given(st.integers(2, 70), st.integers(2, 33))
def test_batches_hold_every_row_once_and_never_one_alone(n, size):
    batches = _batches(n, size, torch.Generator().manual_seed(n))
    assert sorted(torch.cat(batches).tolist()) == list(range(n))
    assert all(len(batch) > 1 for batch in batches)
    assert all(len(batch) <= size + 1 for batch in batches)


@pytest.mark.parametrize("n", [9, 17, 2])
def test_a_last_batch_of_one(n):
    x, y, groups = separable(n)
    assert classifier(epochs=1).fit(x, y, groups).predict_proba(x).shape == (n, 3)


def test_a_class_that_is_missing_in_training():
    x, y, groups = separable()
    keep = y != 1
    trained = classifier(class_weights=True, epochs=10).fit(
        x[keep], y[keep], [g for g, k in zip(groups, keep, strict=True) if k]
    )
    found = trained.predict_proba(x)
    assert np.isfinite(found).all()
    assert (found[keep].argmax(axis=1) == y[keep]).mean() > 0.9


def test_class_weights_are_inverse_frequencies_with_mean_1_over_clips():
    labels = torch.tensor([0] * 6 + [1] * 3 + [2])
    weights = _class_weights(labels, 3)
    np.testing.assert_allclose(weights * torch.tensor([6, 3, 1]), [10 / 3] * 3, rtol=1e-5)
    assert float(weights[labels].mean()) == pytest.approx(1)
    weights = _class_weights(torch.tensor([0, 0, 2]), 3)
    assert weights[1] == 0
    assert bool(weights.isfinite().all())


def test_schedules():
    constant = TrainingConfig(epochs=10)
    assert [_rate(p, constant) for p in (0, 5, 9.9)] == [1, 1, 1]
    cosine = TrainingConfig(epochs=10, schedule="cosine", warmup=2)
    rates = [_rate(p, cosine) for p in np.arange(0, 10, 0.25)]
    assert rates[4] == 0.5
    assert rates[8] == 1
    assert all(a > b for a, b in itertools.pairwise(rates[8:]))
    assert 0 < rates[-1] < 0.01
    assert min(rates) > 0


class Watched(nn.Module):
    """Remembers the mean of every training input it met."""

    seen: list[float]

    def __init__(self, seen):
        super().__init__()
        self.seen, self.inner = seen, small(dropout=0.0)

    def forward(self, x):
        if self.training:
            self.seen += x.mean((1, 2, 3)).round(decimals=3).tolist()
        return self.inner(x)


def test_choose_epoch_holds_out_whole_subjects_and_trains_on_none_of_them():
    x, y, groups = separable(36)
    x += (100 * np.array([int(g[-1]) for g in groups], np.float32)).reshape(-1, 1, 1, 1)  # a subject shows in the mean
    held = _held_out(groups, 0.2, 0)
    met: list[float] = []
    chooser = classifier(build=lambda: Watched(met), epochs=6, patience=6)
    chosen, losses = chooser.choose_epoch(x, y, groups)
    assert len(losses) == 6
    assert losses[chosen - 1] == min(losses)
    trained = x[~held]  # the inner network's own normalisation, from its training clips alone
    expected = ((trained - trained.mean((0, 2, 3), keepdims=True)) / trained.std((0, 2, 3), keepdims=True)).mean(
        (1, 2, 3)
    )
    assert sorted({round(v, 1) for v in met}) == sorted({round(float(v), 1) for v in expected})
    assert len(met) == 6 * len(trained)
    assert chooser.network is None


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_held_out_are_whole_subjects_and_never_all(seed, share):
    groups = [f"d/s{i}" for i, n in enumerate([1, 5, 3, 8, 2]) for _ in range(n)]
    held = _held_out(groups, share, seed)
    out, kept = ({g for g, h in zip(groups, held, strict=True) if h == side} for side in (True, False))
    assert out
    assert kept
    assert not out & kept
    assert held.mean() >= share or len(kept) == 1


def test_choose_epoch_is_repeatable_and_stops_early():
    x, _, groups = separable(36)
    noise = np.random.default_rng(0).integers(0, 3, 36)  # nothing to learn: the held-out loss soon rises
    one = classifier(epochs=60, patience=3).choose_epoch(x, noise, groups)
    assert one == classifier(epochs=60, patience=3).choose_epoch(x, noise, groups)
    assert len(one[1]) == one[0] + 3 < 60


def test_choose_epoch_needs_two_subjects():
    x, y, _ = separable()
    with pytest.raises(UserError, match="at least two training subjects"):
        classifier().choose_epoch(x, y, ["d/s1"] * 24)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_without_cuda_is_a_sentence():
    with pytest.raises(UserError, match=r"device=cuda: this torch sees no such CUDA device; leave the setting out"):
        classifier(device="cuda")


def test_an_unknown_device_is_a_sentence():
    with pytest.raises(UserError, match="device=gpu: no such device"):
        classifier(device="gpu")


def test_restore_gives_the_same_answers():
    x, y, groups = separable()
    trained = classifier().fit(x, y, groups)
    other = classifier(seed=5)
    other.restore(trained.network.state_dict(), channels=3)
    np.testing.assert_array_equal(other.predict_proba(x), trained.predict_proba(x))


def test_a_diverged_training_is_said_and_not_scored_as_the_first_class():
    x, y, groups = separable()
    config = TrainingConfig(epochs=1, batch_size=8, learning_rate=float("inf"), flip=False)
    flat = x[0].size
    classifier = TorchClassifier(lambda: nn.Sequential(nn.Flatten(), nn.Linear(flat, 3)), ("u",), 3, config, 0)
    classifier.fit(x, y, groups)
    with pytest.raises(UserError, match="diverged"):
        classifier.predict_proba(x)


@pytest.mark.parametrize("device", ["cuda:99", "mps", "meta", "nonsense"])
def test_a_device_that_is_not_there_is_one_sentence(device):
    with pytest.raises(UserError, match=f"device={device}"):
        TorchClassifier(lambda: nn.Flatten(), ("u",), 3, TrainingConfig(device=device), 0)


class Own(nn.Module):
    """A network with a loss of its own, and a buffer that all training clips give."""

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(3, 3)
        self.register_buffer("settled", torch.zeros(3))
        self.register_buffer("index", torch.arange(200).reshape(10, 20))
        self.seen = []

    def forward(self, x):
        return self.line(x.mean(dim=(2, 3)))

    def loss(self, x, y, weight):
        self.seen.append((x.shape, y.shape, weight, self.training))
        return (self.line.weight**2).sum() + 0 * self(x).sum()

    def settle(self, x, y):
        assert not self.training
        self.settled = torch.stack([x[y == k].mean(dim=(0, 2, 3))[0] for k in range(3)])


def own(**changes):
    x, y, groups = separable()
    config = TrainingConfig(**{"epochs": 3, "batch_size": 8, "learning_rate": 1e-2, "flip": False, **changes})
    return TorchClassifier(Own, ("u", "v", "strain"), 3, config, 0).fit(x, y, groups), x, y


def test_a_network_may_bring_its_own_loss():
    trained, _, _ = own(epochs=60, learning_rate=0.05, class_weights=True)
    (_, inner) = trained.network.children()
    assert float(inner.line.weight.detach().abs().max()) < 0.05  # that loss wants no weights at all
    shape, labels, weight, training = inner.seen[0]
    assert (tuple(shape), tuple(labels), training) == ((8, 3, 16, 16), (8, 3), True)
    assert weight is not None


@pytest.mark.parametrize("average", [0.0, 0.5])
def test_a_network_may_settle_what_all_training_clips_give(average):
    trained, x, y = own(average=average)
    normalise, inner = trained.network.children()
    with torch.no_grad():
        seen = normalise(torch.from_numpy(x))
    for k in range(3):
        assert float(inner.settled[k]) == pytest.approx(float(seen[torch.from_numpy(y) == k, 0].mean()), abs=1e-5)


def test_an_average_of_weights_leaves_indices_alone():
    trained, _, _ = own(average=0.9, epochs=5)
    (_, inner) = trained.network.children()
    assert torch.equal(inner.index, torch.arange(200).reshape(10, 20))


def test_plain_gradient_descent_is_what_it_says():
    """One batch, one epoch, no momentum yet: the step is the rate times the gradient of that loss, 2 w."""
    config = {"epochs": 1, "batch_size": 64, "optimiser": "sgd", "learning_rate": 0.1}
    trained, _, _ = own(**config)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        start = Own().line.weight.detach()
    (_, inner) = trained.network.children()
    torch.testing.assert_close(inner.line.weight.detach(), start - 0.1 * 2 * start)


def test_steps_of_the_rate():
    config = TrainingConfig(schedule="step", decay=0.5, decay_every=10)
    assert [_rate(progress, config) for progress in (0, 9.9, 10, 19.9, 20)] == [1, 1, 0.5, 0.5, 0.25]


def test_smoothing_is_refused_where_the_loss_is_the_networks_own():
    with pytest.raises(UserError, match="label_smoothing is for cross entropy"):
        own(label_smoothing=0.1)
