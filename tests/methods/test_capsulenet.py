"""CapsuleNet: its published size, routing and loss against plain loops, which picture training sees."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from dfrnet.methods import METHODS
from dfrnet.networks.backbones import torchvision_models
from dfrnet.networks.capsule import CapsuleNet, kernel_for, margin_loss, route, squash
from dfrnet.types import UserError
from trees import separable

METHOD = METHODS["capsulenet"]


def made(**changes):
    settings = METHOD.configured(changes=changes)
    return METHOD.network(settings, METHOD.inputs(settings), 3)


def test_published_and_computed_size():
    """13.84 M are published; by hand: ResNet-18 to its third stage, two 9x9 convolutions, 1152 capsules."""
    trunk = 2_782_784
    convolutions = 2 * (256 * 256 * 81 + 256)
    capsules = 6 * 6 * 32 * 8 * 3 * 16
    assert sum(p.numel() for p in made().parameters()) == trunk + convolutions + capsules == 13_842_496


@pytest.mark.parametrize(("size", "kernel", "side"), [(224, 9, 6), (128, 5, 4), (64, 3, 2), (28, 1, 2), (8, 1, 1)])
def test_other_sizes_keep_the_kernels_share_of_the_picture(size, kernel, side):
    assert kernel_for(size) == kernel
    network = CapsuleNet(size, 3)
    assert network.conv.kernel_size == network.primary.kernel_size == (kernel, kernel)
    assert network.transform.shape == (side * side * 32, 8, 48)


@given(st.integers(8, 400))
def test_any_size_leaves_a_capsule(size):
    kernel, here = kernel_for(size), -(-size // 8)
    assert kernel % 2 == 1
    assert here - kernel + 1 >= kernel


def test_shapes_and_a_gradient_in_every_parameter():
    torch.manual_seed(0)
    network = CapsuleNet(64, 3).train()
    x, y = torch.randn(4, 9, 64, 64), torch.eye(3)[[0, 1, 2, 0]]
    assert network(x).shape == (4, 3)
    network.loss(x, y, None).backward()
    for name, p in network.named_parameters():
        assert p.grad is not None, name
        assert bool(p.grad.isfinite().all()), name
        assert bool(p.grad.any()), name


def test_answers_are_shares_of_the_lengths_of_the_apex_alone():
    torch.manual_seed(0)
    network = CapsuleNet(32, 3).eval()
    x = torch.randn(5, 9, 32, 32)
    lengths = network.capsules(x[:, :3]).norm(dim=2)
    assert bool((lengths < 1).all())
    torch.testing.assert_close(network(x).softmax(1), lengths / lengths.sum(1, keepdim=True), rtol=1e-3, atol=1e-5)
    assert network(x).argmax(1).tolist() == lengths.argmax(1).tolist()
    torch.testing.assert_close(network(torch.cat([x[:, :3], torch.randn(5, 6, 32, 32)], 1)), network(x))


@given(st.lists(st.floats(-50, 50, width=32), min_size=3, max_size=3))
def test_squash_keeps_the_direction_and_is_shorter_than_one(values):
    s = torch.tensor(values)
    length = float(s.norm())
    torch.testing.assert_close(squash(s) * max(length, 1e-9), s * length**2 / (1 + length**2), atol=1e-5, rtol=1e-4)
    assert squash(s).norm() < 1 + 1e-6


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_routing_is_sabours_procedure(rounds):
    """In loops over clips, capsules and classes, as the procedure is printed."""
    random = np.random.default_rng(1)
    votes = random.standard_normal((2, 5, 3, 4))
    expected = np.zeros((2, 3, 4))
    for n in range(2):
        b = np.zeros((5, 3))
        for _ in range(rounds):
            c = np.exp(b) / np.exp(b).sum(axis=1, keepdims=True)
            v = np.zeros((3, 4))
            for j in range(3):
                s = sum(c[i, j] * votes[n, i, j] for i in range(5))
                v[j] = (s @ s) / (1 + s @ s) * s / np.sqrt(s @ s)
            for i in range(5):
                for j in range(3):
                    b[i, j] += votes[n, i, j] @ v[j]
        expected[n] = v
    np.testing.assert_allclose(route(torch.from_numpy(votes), rounds).numpy(), expected, atol=1e-6)


def test_routing_goes_where_the_votes_agree():
    votes = torch.randn(1, 40, 2, 8, generator=torch.Generator().manual_seed(0))
    votes[:, :, 1] = votes[:, :1, 1]
    once, thrice = (route(votes, rounds).norm(dim=2)[0] for rounds in (1, 3))
    assert thrice[1] > thrice[0]
    assert thrice[1] > once[1]


def test_margin_loss_by_hand():
    lengths, y = torch.tensor([[0.9, 0.2, 0.0], [0.5, 1.0, 0.01]]), torch.eye(3)[[0, 2]]
    first = 0.09**2 + 0.5 * 0.19**2
    second = 0.98**2 + 0.5 * (0.49**2 + 0.99**2)
    assert float(margin_loss(lengths, y)) == pytest.approx((first + second) / 2, abs=1e-6)
    weight = torch.tensor([2.0, 0.0, 0.5])
    assert float(margin_loss(lengths, y, weight)) == pytest.approx((2 * first + 0.5 * second) / 2, abs=1e-6)


def test_rarer_classes_show_more_of_their_other_pictures():
    """Classes of 60, 30 and 20 clips: as if each clip were there once, twice and three times in pictures."""
    torch.manual_seed(0)
    network = CapsuleNet(8, 3)
    n = 6000
    labels = torch.arange(n) % 3
    x = torch.arange(3.0).repeat_interleave(3).view(1, 9, 1, 1).expand(n, 9, 2, 2)
    weight = 1 / torch.tensor([60.0, 30, 20])
    drawn = network.draw(x, torch.eye(3)[labels], weight)
    assert drawn.shape == (n, 3, 2, 2)
    assert bool((drawn == drawn[:, :1, :1, :1]).all())
    which = drawn[:, 0, 0, 0]
    shares = [[float((which[labels == k] == p).float().mean()) for p in range(3)] for k in range(3)]
    np.testing.assert_allclose(shares, [[1, 0, 0], [1 / 2, 1 / 4, 1 / 4], [1 / 3, 1 / 3, 1 / 3]], atol=0.05)
    assert not network.draw(x, torch.eye(3)[labels], None).any()
    assert network.draw(x[:, :3], torch.eye(3)[labels], weight).shape == (n, 3, 2, 2)


def test_jitter_changes_each_picture_a_little_and_zero_changes_nothing():
    torch.manual_seed(0)
    x = torch.randn(6, 3, 8, 8)
    torch.testing.assert_close(CapsuleNet(8, 3, jitter=0.0).jittered(x), x, atol=1e-5, rtol=1e-5)
    changed = CapsuleNet(8, 3, jitter=0.2).jittered(x)
    assert 0.01 < float((changed - x).abs().mean()) < 0.5
    slopes = (changed.flatten(1).std(1) / x.flatten(1).std(1)).tolist()
    assert len({round(s, 4) for s in slopes}) == 6
    assert all(0.6 < s < 1.5 for s in slopes)


def test_imagenet_weights_fill_the_whole_trunk(tmp_path):
    """Names and shapes are torchvision's; a later stage and the classifier in the file are not wanted."""
    try:
        models = torchvision_models()
    except ModuleNotFoundError:
        pytest.skip("torchvision is not installed")
    torch.manual_seed(0)
    source = models.resnet18(weights=None).eval()
    save_file(source.state_dict(), tmp_path / "resnet18.safetensors")
    network = made(weights=str(tmp_path / "resnet18.safetensors"), size="64").eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        stem = source.relu(source.bn1(source.conv1(x)))
        expected = source.layer3(source.layer2(source.layer1(stem)))
        torch.testing.assert_close(network.trunk(x), expected, atol=1e-4, rtol=1e-4)


def test_it_learns():
    settings = METHOD.configured(
        changes={"size": "28", "epochs": "4", "batch_size": "6", "learning_rate": "5e-4", "rotate": "0"}
    )
    spec = METHOD.inputs(settings)
    x, y, groups = separable(18, size=28, channels=9)
    new, truth, _ = separable(12, size=28, channels=9, seed=3)
    classifier = METHOD.build(settings, spec, 3, 0).fit(x, y, groups)
    assert (classifier.predict_proba(new).argmax(1) == truth).mean() > 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("routings", "0"), "routings=0"),
        (("jitter", "1"), "jitter=1.0"),
        (("maps", "red,green"), "takes pictures of red, green and blue"),
        (("maps", "blue,green,red"), "takes pictures of red, green and blue"),
        (("maps", "u,v,strain"), "takes pictures of red, green and blue"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_a_sentence(change, message):
    with pytest.raises(UserError, match=message):
        METHOD.configured(changes=dict([change]))


def test_the_apex_alone_is_enough():
    settings = METHOD.configured(changes={"maps": "red,green,blue", "size": "28", "epochs": "1"})
    x, y, groups = separable(8, size=28)
    assert METHOD.build(settings, METHOD.inputs(settings), 3, 0).fit(x, y, groups).predict_proba(x).shape == (8, 3)
