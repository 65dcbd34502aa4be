"""RCN-A: its size, its recurrence, its attention beside a slow copy of it, and that it trains."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from dfrnet.features import FeatureSpec
from dfrnet.methods import METHODS
from dfrnet.networks.rcn import RCNA, Recurrent, attention
from dfrnet.types import UserError
from trees import separable

METHOD = METHODS["rcn_a"]


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("size", [28, 60])
def test_its_size_is_that_of_the_released_code(size):
    """Computed from the authors' code, for both pairs of sizes that they name."""
    spec = FeatureSpec(size=size)
    assert count(METHOD.network(METHOD.settings, spec, 3)) == 55_747
    assert count(METHOD.network(METHOD.configured(changes={"filters": "32", "pool": "5"}), spec, 3)) == 15_331


def test_its_settings_are_those_of_the_released_code():
    settings, training = METHOD.settings, METHOD.settings.training
    assert (settings.features.size, settings.filters, settings.pool) == (60, 64, 7)
    assert (training.optimiser, training.learning_rate, training.momentum) == ("sgd", 5e-4, 0.9)
    assert (training.schedule, training.decay, training.decay_every, training.batch_size) == ("step", 0.5, 10, 64)
    assert 20 <= training.epochs <= 100


@pytest.mark.parametrize(("size", "classes"), [(60, 3), (28, 3), (8, 5), (33, 4)])
def test_every_parameter_has_a_gradient(size, classes):
    """But a bias before batch normalisation, which takes it off again: there only rounding is left."""
    torch.manual_seed(0)
    network = RCNA(3, classes, filters=8)
    logits = network(torch.randn(6, 3, size, size))
    assert logits.shape == (6, classes)
    F.cross_entropy(logits, torch.arange(6) % classes).backward()
    normalised = {"first.0.0.bias", "recurrent.forwards.0.bias", "recurrent.again.0.bias"}
    assert normalised < {name for name, _ in network.named_parameters()}
    for name, parameter in network.named_parameters():
        assert bool(parameter.grad.isfinite().all()), name
        if name in normalised:
            assert float(parameter.grad.abs().max()) < 1e-5, name
        else:
            assert bool(parameter.grad.any()), name


def slow_attention(x, weight):
    """Clip by clip and class by class, with loops."""
    clips, channels, height, width = x.shape
    found = np.zeros((clips, 1, height, width))
    for clip in range(clips):
        for row in weight:
            looks = np.zeros((height, width))
            for i in range(height):
                for j in range(width):
                    at = [(channel * height + i) * width + j for channel in range(channels)]
                    looks[i, j] = np.mean([row[k] * x[clip, c, i, j] for c, k in enumerate(at)])
            found[clip, 0] += (looks - looks.min()) / (looks.max() - looks.min()) / len(weight)
    return found


@given(seed=st.integers(0, 999), channels=st.integers(1, 4), side=st.integers(2, 5), classes=st.integers(2, 4))
def test_attention_beside_a_slow_copy(seed, channels, side, classes):
    random = np.random.default_rng(seed)
    x = random.standard_normal((2, channels, side, side))
    weight = random.standard_normal((classes, channels * side * side))
    found = attention(torch.from_numpy(x), torch.from_numpy(weight)).numpy()
    np.testing.assert_allclose(found, slow_attention(x, weight), atol=1e-9)
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-12


def test_attention_of_a_clip_without_any_motion_is_finite():
    found = attention(torch.zeros(2, 3, 4, 4), torch.randn(3, 48))
    assert bool((found == 0).all())


def test_attention_weighs_what_the_last_layer_reads():
    """The network's answer put together by hand from its parts."""
    torch.manual_seed(0)
    network = RCNA(3, 3, filters=4, pool=5).eval()
    x = torch.randn(2, 3, 28, 28)
    early = network.first(x)
    assert early.shape == (2, 4, 12, 12)
    late = network.recurrent(early)
    assert late.shape == (2, 4, 6, 6)
    where = attention(F.adaptive_avg_pool2d(early, 5), network.head.weight)
    read = (F.adaptive_avg_pool2d(late, 5) * where).flatten(1)
    torch.testing.assert_close(network(x), read @ network.head.weight.T + network.head.bias)


def test_the_recurrent_convolution_is_shared():
    """With the forward convolution shut and the other passing on: y = 0, then x, then 2 x."""
    layer = Recurrent(2, dropout=0.0).eval()
    assert sum(isinstance(part, nn.Conv2d) for part in layer.modules()) == 2
    with torch.no_grad():
        for part in (layer.forwards, layer.again):
            part[0].weight.zero_()
            part[0].bias.zero_()
            part[1].eps = 0.0
        layer.again[0].weight[[0, 1], [0, 1], 1, 1] = 1
    x = torch.rand(1, 2, 6, 6)
    torch.testing.assert_close(layer(x), 2 * F.max_pool2d(x, 2))


def test_it_learns():
    x, y, groups = separable(30, size=16)
    new, truth, _ = separable(18, size=16, seed=5)
    settings = METHOD.configured(changes={"epochs": "12", "learning_rate": "5e-3", "filters": "16"})
    classifier = METHOD.build(settings, FeatureSpec(size=16), 3, 0).fit(x, y, groups)
    assert (classifier.predict_proba(new).argmax(axis=1) == truth).mean() > 0.9


@pytest.mark.parametrize("change", ["filters=0", "pool=0", "dropout=1", "dropout=-0.5"])
def test_a_wrong_setting_is_a_sentence(change):
    with pytest.raises(UserError, match=change.split("=")[0]):
        METHOD.configured(changes=dict([change.split("=")]))
