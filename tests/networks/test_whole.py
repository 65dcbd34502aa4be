"""Whole networks: shapes, gradients, sizes, where every channel goes."""

from itertools import combinations

import pytest
import torch

from dfrnet.features import FeatureSpec
from dfrnet.methods import METHODS, dfrnet
from dfrnet.networks.attention import ATTENTIONS
from dfrnet.networks.dfrnet import DFRNet
from dfrnet.networks.fusion import BRANCHES, FUSIONS
from dfrnet.networks.resnet import STEMS, AttentionResNet
from dfrnet.networks.ststnet import STSTNet

ROWS = {"temporal": [0, 1, 2], "spatial": [3], "differential": [4]}
SUBSETS = [subset for n in (1, 2, 3) for subset in combinations(BRANCHES, n)]


def trains(network, shape, classes=3):
    """Logits of the right shape, finite, and a gradient in every parameter."""
    torch.manual_seed(0)
    logits = network.train()(torch.randn(*shape))
    assert logits.shape == (shape[0], classes)
    assert bool(logits.isfinite().all())
    torch.nn.functional.cross_entropy(logits, torch.arange(shape[0]) % classes).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None]
    assert not without, f"no gradient reaches {without}"
    broken = [name for name, p in network.named_parameters() if not bool(p.grad.isfinite().all())]
    assert not broken, f"the gradient is not finite in {broken}"


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("branches", SUBSETS, ids="+".join)
def test_every_fusion_with_every_set_of_branches(fusion, branches):
    torch.manual_seed(0)
    rows = {name: ROWS[name] for name in branches}
    trains(DFRNet(rows, 3, fusion=fusion, widths=(4, 6), stem="small"), (3, 5, 16, 16))


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_attention_stem_and_depth(attention, stem, layers):
    torch.manual_seed(0)
    network = DFRNet(ROWS, 4, attention=attention, stem=stem, widths=(4, 6, 8, 10)[:layers])
    assert len(network.resnet.stages) == layers
    assert all(len(stage) == 2 for stage in network.resnet.stages)
    trains(network, (3, 5, 28, 28), classes=4)


@pytest.mark.parametrize("size", [8, 20, 28, 64, 128])
def test_any_size_of_map(size):
    torch.manual_seed(0)
    network = DFRNet(ROWS, 3, widths=(4, 6)).eval()
    assert network(torch.randn(2, 5, size, size)).shape == (2, 3)


@pytest.mark.parametrize("stem", STEMS)
def test_a_stem_quarters_the_side(stem):
    assert STEMS[stem](4)(torch.randn(2, 4, 64, 64)).shape == (2, 4, 16, 16)


def test_each_stage_but_the_first_halves_the_side():
    network = AttentionResNet(4, 3, (4, 6, 8, 10))
    x, sides = network.stem(torch.randn(2, 4, 128, 128)), []
    for stage in network.stages:
        x = stage(x)
        sides.append((x.shape[1], x.shape[2]))
    assert sides == [(4, 32), (6, 16), (8, 8), (10, 4)]


@pytest.mark.parametrize("channel", range(5))
def test_every_channel_goes_to_its_own_branch(channel):
    torch.manual_seed(0)
    network = DFRNet(ROWS, 3, fusion="concat", widths=(4,)).eval()
    owner = next(name for name, rows in ROWS.items() if channel in rows)
    seen = {}
    for name, module in network.shallow.items():
        module.register_forward_hook(lambda _module, given, _out, name=name: seen.update({name: given[0]}))
    x = torch.zeros(1, 5, 16, 16)
    x[:, channel] = 7
    network(x)
    assert [name for name, given in seen.items() if bool((given == 7).any())] == [owner]


def test_the_three_layer_network_has_three_million_parameters():
    settings = METHODS["dfrnet"].settings
    assert settings.layers == 3
    network = dfrnet.network(settings, dfrnet.inputs(settings), 3)
    assert 3.0e6 <= count(network) <= 3.3e6
    paper = METHODS["dfrnet"].presets["paper"]
    assert 3.0e6 <= count(dfrnet.network(paper, dfrnet.inputs(paper), 3)) <= 3.3e6


def test_ststnet_has_1683_parameters():
    assert count(STSTNet(3, 28, 3)) == 1683


@pytest.mark.parametrize("size", [14, 16, 27, 28, 30, 64])
def test_ststnet_at_any_size(size):
    torch.manual_seed(0)
    trains(STSTNet(3, size, 3), (4, 3, size, size))


def test_ststnet_is_three_streams_side_by_side():
    """One convolution of 16 filters equals the paper's streams of 3, 5 and 8, weight for weight."""
    torch.manual_seed(0)
    network, x = STSTNet(3, 28, 3).eval(), torch.randn(4, 3, 28, 28)
    conv, norm = network.streams[0], network.streams[2]
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    parts, start = [], 0
    for filters in (3, 5, 8):
        rows = slice(start, start + filters)
        stream = torch.relu(torch.conv2d(x, conv.weight[rows], conv.bias[rows], padding=2))
        stream = torch.nn.functional.batch_norm(stream, norm.running_mean[rows], norm.running_var[rows],
                                                norm.weight[rows], norm.bias[rows])  # fmt: skip
        parts.append(torch.max_pool2d(stream, 3, 3, 1))
        start += filters
    joined = torch.nn.functional.avg_pool2d(torch.cat(parts, 1), 2)
    assert joined.shape == (4, 16, 5, 5)
    torch.testing.assert_close(network(x), network.head(joined.flatten(1)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("inputs", ["all", "flow", "spatial", "differential", "flow+spatial", "differential+flow"])
def test_the_method_sends_maps_to_their_branches(inputs):
    settings = METHODS["dfrnet"].configured(changes={"inputs": inputs, "widths": "4,6,8,10", "size": "16"})
    spec = dfrnet.inputs(settings)
    network = dfrnet.network(settings, spec, 3)
    names = {"flow": "temporal"}
    for branch in settings.branches:
        rows = network.channels_of[names.get(branch, branch)]
        assert [spec.maps[row] for row in rows] == list(dfrnet.MAPS_OF[branch])
    assert len(spec.maps) == sum(map(len, network.channels_of.values()))


@pytest.mark.parametrize(("size", "kernel"), [(28, 3), (63, 3), (64, 7), (128, 7)])
def test_the_stem_suits_the_size(size, kernel):
    settings = METHODS["dfrnet"].configured(changes={"stem": "auto"})
    network = dfrnet.network(settings, FeatureSpec(maps=dfrnet.inputs(settings).maps, size=size), 3)
    assert network.resnet.stem[0].kernel_size == (kernel, kernel)
