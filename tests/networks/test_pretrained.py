"""Weights from a file: what arrives, what stays, and what is said of a wrong file."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dfrnet.methods import METHODS, dfrnet
from dfrnet.networks.backbones import torchvision_models
from dfrnet.networks.resnet import torchvision_name
from dfrnet.networks.weights import described, load_weights
from dfrnet.types import UserError


@pytest.fixture(scope="module")
def models():
    try:
        return torchvision_models()
    except ModuleNotFoundError:
        pytest.skip("torchvision is not installed")


@pytest.fixture(scope="module")
def imagenet(models, tmp_path_factory):
    """A file with torchvision's names and shapes of ResNet-18, 1000 classes, and made-up values."""
    torch.manual_seed(1)
    tensors = {
        name: torch.rand_like(tensor) if tensor.is_floating_point() else tensor + 7
        for name, tensor in models.resnet18().state_dict().items()
    }
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(tensors, path)
    return path, tensors


def network(path="", **changes):
    settings = METHODS["dfrnet"].configured(changes={"inputs": "flow", "weights": str(path), **changes})
    torch.manual_seed(0)
    return dfrnet.network(settings, dfrnet.inputs(settings), 3)


def saved(folder, tensors, name="w.safetensors"):
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / name)
    return folder / name


def small():
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(5, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 6, 3), nn.Linear(6, 3))


def test_every_tensor_arrives(models, imagenet):
    path, tensors = imagenet
    module = models.resnet18()
    report = load_weights(module, path)
    assert set(report.tensors) == set(tensors)
    assert report.left == {}
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in module.state_dict().items())


def test_resnet18_after_the_fusion_keeps_its_own_beginning_and_end(imagenet):
    path, tensors = imagenet
    loaded, fresh = network(path, backbone="resnet18", size="64"), network(backbone="resnet18", size="64")
    before = fresh.resnet.state_dict()
    for name, tensor in loaded.resnet.state_dict().items():
        own = name == "conv1.weight" or name.startswith("fc.")
        assert torch.equal(tensor, before[name] if own else tensors[name]), name
    assert torch.equal(loaded.shallow["temporal"][0].weight, fresh.shallow["temporal"][0].weight)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_the_attention_resnet_starts_from_a_resnet18(imagenet, layers):
    path, tensors = imagenet
    loaded, fresh = network(path, layers=layers, size="28"), network(layers=layers, size="28")
    blocks = loaded.resnet.stages
    assert torch.equal(blocks[0][1].f2[0].weight, tensors["layer1.1.conv2.weight"])
    assert torch.equal(blocks[-1][0].f1[1].running_var, tensors[f"layer{layers}.0.bn1.running_var"])
    if layers > 1:
        assert torch.equal(blocks[1][0].shortcut[0].weight, tensors["layer2.0.downsample.0.weight"])
        assert torch.equal(blocks[1][0].shortcut[1].bias, tensors["layer2.0.downsample.1.bias"])
    own = {"stem.0.weight", "head.1.weight", "head.1.bias"}
    before, taken = fresh.resnet.state_dict(), set()
    for name, tensor in loaded.resnet.state_dict().items():
        if name in own or "attention" in name:
            assert torch.equal(tensor, before[name]), name
        else:
            assert torch.equal(tensor, tensors[torchvision_name(name)]), name
            taken.add(torchvision_name(name))
    skipped = tuple(f"layer{stage}." for stage in range(layers + 1, 5))
    expected = {name for name in tensors if not name.startswith(("conv1", "fc", *skipped))}
    assert taken == expected


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "mobilenet_v3_small", "efficientnet_b0"])
def test_other_backbones_take_what_fits(models, tmp_path, name):
    with torch.device("meta"):
        features = getattr(models, name)().features
    torch.manual_seed(3)
    tensors = {
        f"features.{key}": torch.rand(tensor.shape) if tensor.is_floating_point() else torch.tensor(7)
        for key, tensor in features.state_dict().items()
    }
    loaded = network(saved(tmp_path, tensors), backbone=name, size="28").resnet.state_dict()
    same = {key for key in tensors if torch.equal(loaded[key], tensors[key])}
    assert set(tensors) - same == {next(iter(tensors))}  # the kernel of the first convolution


def test_swin_takes_its_own_windows(models, tmp_path):
    swin = models.SwinTransformer([4, 4], 96, [2, 2, 6, 2], [3, 6, 12, 24], [7, 7], num_classes=2)
    for parameter in swin.parameters():
        nn.init.uniform_(parameter)
    path = saved(tmp_path, swin.state_dict())
    tensors, loaded = swin.state_dict(), network(path, backbone="swin_t", size="32").resnet.state_dict()
    same = {key for key in tensors if key in loaded and torch.equal(loaded[key], tensors[key])}
    assert set(tensors) - same == {"features.0.0.weight", "head.weight", "head.bias"}


def test_the_report_names_what_stays(tmp_path):
    module = small()
    other = {name: torch.rand_like(t) if t.is_floating_point() else t for name, t in module.state_dict().items()}
    other["0.weight"] = torch.rand(8, 3, 3, 3)
    del other["3.bias"], other["1.num_batches_tracked"]
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    report = load_weights(module, saved(tmp_path, other))
    assert report.left == {"0.weight": "[8, 3, 3, 3] in the file, [8, 5, 3, 3] here", "3.bias": "not in the file"}
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, other[name] if name in report.tensors else before[name]), name


def test_half_precision_is_widened(tmp_path):
    module, other = small(), small().half()
    nn.init.uniform_(other[2].weight)
    load_weights(module, saved(tmp_path, other.state_dict()))
    assert module[2].weight.dtype == torch.float32
    assert torch.equal(module[2].weight, other[2].weight.float())


def test_the_file_of_another_network_is_a_sentence(tmp_path):
    path = saved(tmp_path, {f"blocks.{k}.norm": torch.rand(3) for k in range(5)} | {"0.bias": torch.rand(8)})
    module = small()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(UserError) as caught:
        load_weights(module, path)
    assert str(caught.value) == (
        f"{path}: its weights are for another network: 1 of 10 tensors fit; it holds 0.bias, blocks.0.norm, "
        "blocks.1.norm, ..., and 0.weight, 1.weight, 1.bias, ... are wanted"
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_the_wrong_backbone_is_found_out(imagenet):
    with pytest.raises(UserError, match=r"resnet18.safetensors: its weights are for another network: 0 of \d+"):
        network(imagenet[0], backbone="vgg11", size="28")


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".ckpt"])
def test_a_pickle_is_refused_before_it_is_read(tmp_path, suffix):
    path = tmp_path / f"resnet18{suffix}"
    with pytest.raises(UserError, match="a pickle, which may run code"):
        load_weights(small(), path)


def test_the_line_that_converts_a_pickle_works(tmp_path, python):
    """The remedy of the error, run as it is printed."""
    torch.save(small().state_dict(), tmp_path / "old.pth")
    with pytest.raises(UserError) as caught:
        load_weights(small(), tmp_path / "old.pth")
    line = str(caught.value).split('python -c "')[1].rstrip('"')
    done = python("-c", line, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert load_weights(small(), tmp_path / "old.safetensors").left == {}


@pytest.mark.parametrize("content", [None, b"", b"not at all", b"\xff" * 64])
def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path, content):
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"w.safetensors: cannot be read .* name a safetensors file") as caught:
        load_weights(small(), path)
    assert "\n" not in str(caught.value)


def test_a_file_that_ends_early_is_a_sentence(tmp_path):
    path = saved(tmp_path, small().state_dict())
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match="cannot be read"):
        load_weights(small(), path)


def test_a_folder_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load_weights(small(), tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        described(tmp_path)


def test_a_record_names_the_file_and_not_its_place(tmp_path):
    path = saved(tmp_path, small().state_dict(), "mine.safetensors")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert described(path) == f"mine.safetensors (sha256 {digest[:16]})"
    assert str(tmp_path) not in json.dumps(described(path))
    with pytest.raises(UserError, match=r"gone.safetensors: cannot be read \(No such file"):
        described(tmp_path / "gone.safetensors")
