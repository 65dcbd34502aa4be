"""HTNet: its size as published, blocks that do not see each other, and what cannot be trained in it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402

from dfrnet.features import FeatureSpec  # noqa: E402
from dfrnet.methods import METHODS  # noqa: E402
from dfrnet.networks.htnet import Attention, HTNet, Level  # noqa: E402
from dfrnet.types import UserError  # noqa: E402
from trees import separable  # noqa: E402

METHOD = METHODS["htnet"]


def small(size=28, repeats=(1, 1, 2), seed=0):
    """Seven heads' worth of odd channels: 14 does not divide by 3, as 256 does not."""
    torch.manual_seed(seed)
    return HTNet(3, size, 3, patch=7, width=14, heads=3, repeats=repeats)


def straightforward(network, x):
    """The network by the formulas of the paper's code: pictures of channels, blocks one at a time, full attention."""

    def norm(part, x):  # over the channels of (C, h, w)
        x = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
        return x * part.weight[:, None, None] + part.bias[:, None, None]

    def attend(part, x):
        channels, h, w = x.shape
        rows = x.reshape(channels, -1)
        weight = torch.cat([part.queries_keys.weight, part.values.weight])
        query, key, value = (weight @ rows).chunk(3)
        size = len(query) // part.heads
        found = torch.zeros_like(value)
        for k in range(part.heads):
            own = slice(k * size, (k + 1) * size)
            share = (query[own].T @ key[own] * size**-0.5).softmax(dim=1)
            found[own] = value[own] @ share.T
        return (part.out.weight @ found + part.out.bias[:, None]).reshape(channels, h, w)

    def transform(level, x):
        x = x + level.position.view(1, *x.shape[1:])
        for layer in level.layers:
            x = x + attend(layer.attend[1], norm(layer.attend[0], x))
            before, widen, _, narrow = layer.feed_forward
            hidden = F.gelu(torch.einsum("oc,chw->ohw", widen.weight, norm(before, x)) + widen.bias[:, None, None])
            x = x + torch.einsum("oc,chw->ohw", narrow.weight, hidden) + narrow.bias[:, None, None]
        return x

    side, patch = x.shape[-1] // network.patch, network.patch
    picture = torch.empty(network.embed.out_features, side, side, dtype=x.dtype)
    for row in range(side):
        for column in range(side):
            cut = x[:, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
            picture[:, row, column] = network.embed(cut.permute(1, 2, 0).flatten())
    for step in network.levels:
        if isinstance(step, Level):
            rows = [torch.cat([transform(step, block) for block in strip.chunk(step.blocks, dim=2)], dim=2)
                    for strip in picture.chunk(step.blocks, dim=1)]  # fmt: skip
            picture = torch.cat(rows, dim=1)
        else:
            picture = F.max_pool2d(norm(step.norm, step.convolution(picture[None])[0]), 3, stride=2, padding=1)
    return network.head(norm(network.norm, picture).mean(dim=(1, 2)))


def test_the_published_number_of_parameters():
    with torch.device("meta"):
        network = METHOD.network(METHOD.settings, METHOD.settings.features, 3)
    count = 3 * 49 * 256 + 256
    for channels, heads, layers in ((256, 3, 2), (512, 6, 2), (1024, 12, 10)):
        inner = channels // heads * heads
        attention = 2 * channels + 3 * inner * channels + inner * channels + channels
        feed_forward = 2 * channels + 2 * 4 * channels * channels + 5 * channels
        count += 1 + layers * (attention + feed_forward)
    for channels in (256, 512):
        count += 9 * channels * 2 * channels + 2 * channels + 2 * 2 * channels
    count += 2 * 1024 + 3 * 1024 + 3
    assert sum(p.numel() for p in network.parameters()) == count == 139_582_982  # 139.58 M
    without = sum(p.numel() for name, p in network.named_parameters() if "queries_keys" in name)
    assert without == 22_195_200


@pytest.mark.parametrize(("size", "tokens"), [(28, 1), (56, 4), (84, 9)])
def test_the_same_as_the_formulas(size, tokens):
    network = small(size).double().eval()
    x = torch.randn(3, 3, size, size, dtype=torch.float64)
    assert all(len(step.position) == tokens for step in network.levels if isinstance(step, Level))
    torch.testing.assert_close(network(x), torch.stack([straightforward(network, one) for one in x]))


def test_what_is_left_out_for_one_token_has_no_effect():
    """The value alone is the full formula, whatever the queries and keys are."""
    part = Attention(10, 3).double()
    x = torch.randn(6, 1, 10, dtype=torch.float64)
    query, key = (f.unflatten(-1, (3, 3)).transpose(1, 2) for f in part.queries_keys(x).chunk(2, dim=-1))
    value = part.values(x).unflatten(-1, (3, 3)).transpose(1, 2)
    full = (query @ key.transpose(2, 3) * 3**-0.5).softmax(dim=-1) @ value
    torch.testing.assert_close(part(x), part.out(full.transpose(1, 2).flatten(2)))
    with torch.no_grad():
        part.queries_keys.weight.mul_(100)
    torch.testing.assert_close(part(x), part.out(full.transpose(1, 2).flatten(2)))


@pytest.mark.parametrize("size", [28, 56])
def test_a_gradient_in_every_parameter_that_can_have_one(size):
    """Without any: queries and keys where a block is one token (a softmax over one number is 1), and the position of
    the last level everywhere, which adds one number to all channels of a token: every layer norm takes it off again.
    """
    network = small(size).double()
    F.cross_entropy(network(torch.randn(6, 3, size, size, dtype=torch.float64)), torch.arange(6) % 3).backward()
    for name, parameter in network.named_parameters():
        if size == 28 and "queries_keys" in name:
            assert parameter.grad is None, name
            continue
        assert torch.isfinite(parameter.grad).all(), name
        top = parameter.grad.abs().max()
        assert top < 1e-12 if name == "levels.4.position" else top > 1e-9, name


@pytest.mark.parametrize(("size", "still"), [("28", True), ("56", False)])
def test_training_passes_over_queries_and_keys_of_one_token(size, still):
    settings = METHOD.configured(changes={"size": size, "width": "12", "repeats": "1,1,1", "epochs": "1"})
    x, y, groups = separable(12, size=int(size))
    classifier = METHOD.build(settings, settings.features, 3, 0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        before = dict(METHOD.network(settings, settings.features, 3).named_parameters())
    after = dict(classifier.fit(x, y, groups).network[1].named_parameters())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    queries_keys = {name for name in before if "queries_keys" in name}
    assert queries_keys.isdisjoint(changed) if still else queries_keys <= changed
    assert len(changed) >= len(before) - len(queries_keys) - 1


def test_blocks_do_not_see_each_other_before_they_merge():
    torch.manual_seed(0)
    level = Level(6, 3, blocks=2, tokens=4, repeats=2).eval()
    x = torch.randn(1, 4, 4, 6)
    other = x.clone()
    other[0, 1, 2, 0] += 1  # one channel, as a layer norm takes off what is added to all; in the block upper right
    moved = (level(other) - level(x)).abs().amax(dim=(0, 3)) > 1e-6
    expected = torch.zeros(4, 4, dtype=torch.bool)
    expected[:2, 2:] = True
    assert torch.equal(moved, expected)


def test_any_batch_and_number_of_maps_and_classes():
    network = HTNet(5, 28, 7, patch=7, width=6, heads=2, repeats=(1, 0, 1)).eval()
    x = torch.randn(4, 5, 28, 28)
    found = network(x)
    assert found.shape == (4, 7)
    torch.testing.assert_close(network(x[2:3]), found[2:3])
    torch.testing.assert_close(network(x.contiguous(memory_format=torch.channels_last)), found)


def test_it_learns():
    changes = {"width": "24", "repeats": "1,1,2", "epochs": "12", "learning_rate": "0.002", "batch_size": "12"}
    settings = METHOD.configured(changes=changes)
    x, y, groups = separable(36, size=28)
    new, truth, _ = separable(18, size=28, seed=5)
    classifier = METHOD.build(settings, settings.features, 3, 0).fit(x, y, groups)
    assert (classifier.predict_proba(new).argmax(axis=1) == truth).mean() > 0.9


def test_settings_as_published():
    settings = METHOD.settings
    assert settings.features == FeatureSpec(maps=("u", "v", "strain"), size=28, tiles="eyes_lips")
    assert (settings.patch, settings.width, settings.heads, settings.repeats) == (7, 256, 3, (2, 2, 10))
    training = settings.training
    assert (training.epochs, training.batch_size, training.learning_rate) == (800, 256, 5e-5)
    assert (training.optimiser, training.schedule, training.flip) == ("adam", "constant", False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch": "0"}, "patch=0: it must be at least 1"),
        ({"heads": "300"}, "heads=300: it must lie in 1..256, the width"),
        ({"repeats": ""}, "name a number of layers"),
        ({"repeats": "1,-1"}, "name a number of layers"),
        ({"size": "30"}, "size=30: patch and repeats need a multiple of 28"),
        ({"size": "27"}, "size=27: tiles=eyes_lips needs an even number"),
    ],
    ids=str,
)
def test_a_wrong_value_is_a_sentence(change, message):
    def try_it():
        settings = METHOD.configured(changes=change)
        METHOD.network(settings, settings.features, 3)

    with pytest.raises(UserError, match=message):
        try_it()


def test_answers_are_probabilities_and_the_same_for_a_seed():
    settings = METHOD.configured(changes={"width": "12", "repeats": "1,1,1", "epochs": "2"})
    x, y, groups = separable(12, size=28)
    one, two = (METHOD.build(settings, settings.features, 3, 3).fit(x, y, groups).predict_proba(x) for _ in range(2))
    np.testing.assert_array_equal(one, two)
