"""What every backbone promises, for every entry of BACKBONES: a new one joins by itself."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import dfrnet as package
from dfrnet.methods import METHODS, dfrnet
from dfrnet.networks.backbones import BACKBONES, LEAST, SMALL, Options, torchvision_models
from dfrnet.networks.fusion import FUSIONS
from dfrnet.networks.resnet import AttentionResNet
from dfrnet.types import UserError
from trees import REPOSITORY, separable

PAPERS = "attention_resnet"
CHANNELS, CLASSES = 64, 3


def need_torchvision(name):
    if name != PAPERS:
        try:
            torchvision_models()
        except ModuleNotFoundError:
            pytest.skip("torchvision is not installed")


@pytest.fixture(params=BACKBONES)
def name(request):
    need_torchvision(request.param)
    return request.param


def built(name, side, device="cpu", **options):
    with torch.device(device):
        return BACKBONES[name](CHANNELS, CLASSES, side, Options(stem="resnet" if side >= SMALL else "small", **options))


def configured(name, **changes):
    return METHODS["dfrnet"].configured(changes={"inputs": "flow", "backbone": name, **changes})


def whole(name, side, **changes):
    settings = configured(name, size=str(side), **changes)
    return dfrnet.network(settings, dfrnet.inputs(settings), CLASSES)


def size(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("side", [LEAST, 28, 37, 64, 128])
def test_logits_at_every_side(name, side):
    network = built(name, side, "meta").eval()
    assert network(torch.empty(5, CHANNELS, side, side, device="meta")).shape == (5, CLASSES)


@pytest.mark.parametrize("channels", [1, 3, 8])
def test_any_number_of_channels_and_classes(name, channels):
    with torch.device("meta"):
        network = BACKBONES[name](channels, 7, 28, Options(widths=(channels, 6), stem="small")).eval()
        assert network(torch.empty(2, channels, 28, 28)).shape == (2, 7)


def test_a_gradient_in_every_parameter(name):
    torch.manual_seed(0)
    network = built(name, 28, dropout=0.1).train()
    logits = network(torch.randn(4, CHANNELS, 28, 28))
    assert bool(logits.isfinite().all())
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    without = [one for one, p in network.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert not without, f"no gradient reaches {without}"
    broken = [one for one, p in network.named_parameters() if not bool(p.grad.isfinite().all())]
    assert not broken, f"the gradient is not finite in {broken}"


@pytest.mark.parametrize("side", [28, 64])
def test_a_clip_alone_gets_the_answer_it_gets_among_others(name, side):
    torch.manual_seed(0)
    network, x = built(name, side), torch.randn(3, CHANNELS, side, side)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # one look is enough; as new, the deepest ones answer with almost nothing
    with torch.inference_mode():
        network.train()(x)
        together = network.eval()(x)
        torch.testing.assert_close(network(x[1:2]), together[1:2], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together[0], together[1])


def test_a_seed_says_all(name):
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(built(name, 28).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert any(not torch.equal(states[0][key], states[2][key]) for key in states[0])


def test_no_weight_is_left_without_a_value(name):
    """A layer that was made without content would hold whatever the memory held."""
    torch.manual_seed(0)
    for key, tensor in built(name, 28).state_dict().items():
        assert tensor.device.type == "cpu"
        assert bool(tensor.isfinite().all()), key
        assert float(tensor.abs().max()) < 1e3, key
        if tensor.dim() == 4:
            assert float(tensor.std()) > 1e-3, key


def test_dropout_stands_before_the_last_layer(name):
    network = built(name, 28, "meta", dropout=0.37)
    kinds = [module for module in network.modules() if isinstance(module, (torch.nn.Dropout, torch.nn.Linear))]
    assert isinstance(kinds[-1], torch.nn.Linear)
    assert kinds[-1].out_features == CLASSES
    assert isinstance(kinds[-2], torch.nn.Dropout)
    assert kinds[-2].p == 0.37


def documented():
    """``{name: (parameters at 28, 64, 128, MFLOP at 28, 64, 128)}`` of the page's table."""
    page = (REPOSITORY / "docs" / "backbones.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d,.| ]+)$", page, re.MULTILINE)
    return {name: [float(cell.replace(",", "")) for cell in cells.strip(" |").split("|")] for name, cells in rows}


def test_the_page_has_every_backbone():
    assert list(documented()) == list(BACKBONES)


def test_parameters_and_operations_are_those_of_the_page(name):
    found = []
    for side in (28, 64, 128):
        network = built(name, side, "meta").eval()
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            network(torch.empty(1, CHANNELS, side, side, device="meta"))
        found.append((size(network), round(counter.get_total_flops() / 1e6, 1)))
    assert [row[0] for row in found] + [row[1] for row in found] == documented()[name]


@pytest.mark.parametrize(
    ("name", "published", "beginning", "end"),
    [
        # Published with 3 colours and 1000 classes; what is taken out and put in is counted by hand.
        ("resnet18", 11_689_512, (3 * 49 * 64, CHANNELS * 49 * 64), (513 * 1000, 513 * CLASSES)),
        ("alexnet", 61_100_840, (3 * 121 * 64, CHANNELS * 121 * 64), (58_631_144, 257 * CLASSES)),
        ("vgg11", 132_863_336, (3 * 9 * 64, CHANNELS * 9 * 64), (123_642_856, 513 * CLASSES)),
        ("mobilenet_v3_small", 2_542_856, (3 * 9 * 16, CHANNELS * 9 * 16), (1025 * 1000, 1025 * CLASSES)),
        ("efficientnet_b0", 5_288_548, (3 * 9 * 32, CHANNELS * 9 * 32), (1281 * 1000, 1281 * CLASSES)),
        ("swin_t", 28_288_354, (3 * 16 * 96, CHANNELS * 16 * 96), (769 * 1000, 769 * CLASSES)),
        ("vit", 5_717_416, (3 * 256 * 192 + 197 * 192, CHANNELS * 256 * 192 + 65 * 192), (193 * 1000, 193 * CLASSES)),
    ],
)
def test_the_size_follows_from_the_published_one(name, published, beginning, end):
    need_torchvision(name)
    expected = published - beginning[0] + beginning[1] - end[0] + end[1]
    assert size(built(name, 128, "meta")) == expected


def test_the_method_trains_with_it(name):
    settings = configured(name, size="16", frame_size="16", epochs="1", batch_size="8", widths="8,8,8,8")
    spec = dfrnet.inputs(settings)
    x, y, groups = separable(6, size=16, channels=len(spec.maps))
    found = dfrnet.build(settings, spec, CLASSES, 0).fit(x, y, groups).predict_proba(x)
    assert found.shape == (6, CLASSES)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_the_default_is_the_network_it_was():
    """Model files that are older than the setting must load, and seeds must give the weights they gave."""
    settings = configured(PAPERS, size="28")
    torch.manual_seed(5)
    network = whole(PAPERS, 28)
    torch.manual_seed(5)
    shallow = torch.nn.Conv2d(3, 64, 3, padding=1)
    fusion = FUSIONS["paper"](("temporal",), 64)
    resnet = AttentionResNet(64, CLASSES, settings.widths[:3], "both", "small")
    expected = {"shallow.temporal.0." + key: value for key, value in shallow.state_dict().items()}
    expected |= {"fusion." + key: value for key, value in fusion.state_dict().items()}
    expected |= {"resnet." + key: value for key, value in resnet.state_dict().items()}
    found = network.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[key], expected[key]) for key in found)


def test_the_paper_preset_takes_any_backbone(name):
    settings = METHODS["dfrnet"].configured("paper", {"backbone": name})
    with torch.device("meta"):
        dfrnet.network(settings, dfrnet.inputs(settings), CLASSES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "resnet"}, "unknown backbone 'resnet'; did you mean 'resnet18'"),
        ({"backbone": "vgg16"}, "unknown backbone 'vgg16'; did you mean 'vgg11'"),
        ({"backbone": "vit", "attention": "none"}, "attention=none: backbone=vit has no such choice"),
        ({"backbone": "vit", "layers": "2"}, "layers=2: backbone=vit has no such choice; leave layers=3"),
        ({"backbone": "swin_t", "stem": "small"}, "stem=small: backbone=swin_t has no such choice; leave stem=auto"),
        ({"backbone": "alexnet", "size": "15"}, "size=15: backbone=alexnet needs maps of 16 pixels or more"),
    ],
    ids=str,
)
def test_a_choice_that_cannot_be_is_a_sentence(changes, message):
    settings = METHODS["dfrnet"].configured(changes=changes)
    with pytest.raises(UserError, match=message):
        dfrnet.network(settings, dfrnet.inputs(settings), CLASSES)


def test_without_torchvision_only_the_others_are_missing(python):
    words = """
import sys
sys.modules["torchvision"] = None
from dfrnet.networks.backbones import BACKBONES, Options
print(type(BACKBONES["attention_resnet"](4, 3, 28, Options(widths=(4,)))).__name__)
try:
    BACKBONES["resnet18"](4, 3, 28, Options())
except ModuleNotFoundError as error:
    print(error.name)
"""
    done = python("-c", words)
    assert done.stdout.split() == ["AttentionResNet", "torchvision"], done.stderr


def test_one_file_imports_torchvision():
    source = Path(package.__file__).parent
    pattern = re.compile(r"^\s*(import|from) torchvision|import_module\(.torchvision", re.MULTILINE)
    found = [path for path in source.rglob("*.py") if pattern.search(path.read_text(encoding="utf-8"))]
    assert [path.name for path in found] == ["backbones.py"]
