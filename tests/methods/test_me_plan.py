"""ME-PLAN: its convolution over time, its episodes and its prototypes, each against a plain computation."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from dfrnet.methods import METHODS
from dfrnet.networks.prototypes import (
    Block,
    PrototypeNet,
    RegionAttention,
    TimeConv,
    class_means,
    squared_distances,
    support_of,
)
from dfrnet.types import UserError
from trees import separable

METHOD = METHODS["me_plan"]
SMALL = (6, 8, 10)


def clips(n=9, size=28, frames=7, seed=0):
    torch.manual_seed(seed)
    return torch.randn(n, 2 * frames, size, size)


def test_size_beside_the_published_one():
    """Computed; 2.53 M are published, the layers are not."""
    settings = METHOD.settings
    network = METHOD.network(settings, METHOD.inputs(settings), 3)

    def block(before, width):
        bare = 27 * before * width + 27 * width * width + 4 * width
        return bare + (before * width if before != width else 0)

    stem = 27 * 2 * 36 + 2 * 36
    first = 36 * 36  # the first stage halves the side, so its shortcut is a convolution too
    stages = sum(block(a, b) + block(b, b) for a, b in ((36, 36), (36, 72), (72, 144)))
    attention, head = 144 + 16, 288 * 128
    count = sum(p.numel() for p in network.parameters())
    assert count == stem + first + stages + attention + head == 2_644_720
    assert abs(count / 2.53e6 - 1) < 0.05


@pytest.mark.parametrize(("pace", "stride"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_a_convolution_over_time_is_a_three_dimensional_one(pace, stride):
    torch.manual_seed(0)
    ours = TimeConv(3, 5, pace, stride).eval()
    x = torch.randn(2, 7, 3, 9, 9)
    # Our channels are (moment, input); Conv3d's kernel has the moment as its own axis.
    kernel = ours.conv.weight.reshape(5, 3, 3, 3, 3).transpose(1, 2)
    expected = F.conv3d(x.transpose(1, 2), kernel, stride=(pace, stride, stride), padding=1).transpose(1, 2)
    torch.testing.assert_close(ours(x), expected / np.sqrt(1 + 1e-5), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("pace", "stride"), [(1, 1), (2, 2)])
def test_a_block_adds_to_its_input(pace, stride):
    torch.manual_seed(0)
    block = Block(4, 4, pace, stride).eval()
    torch.nn.init.zeros_(block.f2.norm.weight)
    x = torch.rand(2, 7, 4, 8, 8)
    kept = x[:, ::pace, :, ::stride, ::stride]
    if pace > 1:
        kept = torch.einsum("oi,ntihw->ntohw", block.shortcut.weight[:, :, 0, 0], kept)
    torch.testing.assert_close(block(x), torch.relu(kept), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [14, 28, 56])
@pytest.mark.parametrize("frames", [1, 3, 7])
def test_any_size_and_number_of_key_frames(size, frames):
    assert PrototypeNet(3, SMALL, 12).eval()(clips(2, size, frames)).shape == (2, 3)


def test_a_gradient_in_every_parameter():
    torch.manual_seed(0)
    network = PrototypeNet(3, SMALL, 12).to(memory_format=torch.channels_last).train()
    network.loss(clips().contiguous(memory_format=torch.channels_last), torch.eye(3).repeat(3, 1), None).backward()
    for name, p in network.named_parameters():
        assert p.grad is not None, name
        assert bool(p.grad.isfinite().all()), name
        assert bool(p.grad.any()), name


def test_regions_are_weighed_by_what_and_where():
    torch.manual_seed(0)
    attention = RegionAttention(5)
    x = torch.randn(2, 5, 8, 8)
    with torch.no_grad():
        attention.place.copy_(torch.randn(16))
    regions = x.reshape(2, 5, 4, 2, 4, 2).mean((3, 5)).flatten(2)  # (N, C, 16)
    scores = torch.einsum("c,ncr->nr", attention.seen.weight[0], regions) + attention.place
    expected = (regions * scores.softmax(1)[:, None]).sum(2)
    torch.testing.assert_close(attention(x), expected)
    with torch.no_grad():
        attention.place[5] = 100.0  # second row, second column
    torch.testing.assert_close(attention(x), x[:, :, 2:4, 2:4].mean((2, 3)))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_half_of_each_class_is_the_support(labels):
    y = torch.tensor(labels)
    marks = support_of(y)
    for k in set(labels):
        assert int(marks[y == k].sum()) == (labels.count(k) + 1) // 2


def test_the_support_is_drawn_by_torchs_generator():
    y = torch.arange(40) % 2
    torch.manual_seed(1)
    first, second = support_of(y), support_of(y)
    torch.manual_seed(1)
    assert bool((support_of(y) == first).all())
    assert bool((first != second).any())


def test_an_episode_by_hand():
    """Loss over the queries' squared distances to the means of the support, in float64 loops."""
    network = PrototypeNet(4, SMALL, 12).eval()  # so that batch normalisation is the same for the parts
    x, labels = clips(11), torch.tensor([0, 0, 0, 0, 1, 1, 1, 3, 3, 3, 3])
    torch.manual_seed(5)
    found = float(network.loss(x, F.one_hot(labels, 4).float(), None).detach())
    torch.manual_seed(5)
    support = support_of(labels).numpy()
    e, y = network.embed(x).detach().double().numpy(), labels.numpy()
    losses = []
    for i in np.flatnonzero(~support):
        near = {k: np.exp(-((e[i] - e[support & (y == k)].mean(0)) ** 2).sum()) for k in (0, 1, 3)}
        losses.append(-np.log(near[y[i]] / sum(near.values())))
    assert found == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.parametrize("labels", [[0, 1], [0, 0], [2], [0, 1, 2]], ids=str)
def test_a_tiny_batch_has_a_finite_loss_and_gradient(labels):
    network = PrototypeNet(3, SMALL, 12).train()
    loss = network.loss(clips(len(labels)), torch.eye(3)[labels], torch.tensor([1.0, 2.0, 0.5]))
    loss.backward()
    assert bool(loss.isfinite())
    assert all(bool(p.grad.isfinite().all()) for p in network.parameters())


def test_it_answers_by_the_distance_to_the_means_of_all_training_clips():
    network = PrototypeNet(4, SMALL, 12).eval()
    x, labels = clips(70, size=14), torch.arange(70) % 3
    with torch.no_grad():
        network.settle(x, labels)
        e = network.embed(x)
        logits = network(x[:5])
    means = torch.stack([e[labels == k].mean(0) for k in range(3)])
    expected = -((e[:5, None] - means) ** 2).sum(2)
    torch.testing.assert_close(logits[:, :3], expected, atol=1e-4, rtol=1e-3)
    assert network.known.tolist() == [True, True, True, False]
    assert bool(logits.isfinite().all())
    assert float(logits.softmax(1)[:, 3].max()) < 1e-9
    assert {"prototypes", "known"} <= set(network.state_dict())


def test_means_and_distances():
    x, y = torch.tensor([[0.0, 2], [2, 4], [8, 8]]), torch.tensor([[1.0, 0, 0], [1, 0, 0], [0.5, 0.5, 0]])
    means, known = class_means(x, y)
    torch.testing.assert_close(means, torch.tensor([[2.4, 4.0], [8, 8], [0, 0]]))
    assert known.tolist() == [True, True, False]
    torch.testing.assert_close(squared_distances(x, means), torch.cdist(x, means).square(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("average", ["0", "0.5"])
def test_it_learns(average):
    settings = METHOD.configured(
        changes={"size": "28", "widths": "8,12", "epochs": "8", "batch_size": "9", "average": average}
    )
    spec = METHOD.inputs(settings)
    x, y, groups = separable(27, size=28, channels=14)
    new, truth, _ = separable(12, size=28, channels=14, seed=3)
    classifier = METHOD.build(settings, spec, 3, 0).fit(x, y, groups)
    assert (classifier.predict_proba(new).argmax(1) == truth).mean() > 0.8


@pytest.mark.parametrize("present", [(0, 1), (2,)], ids=str)
def test_a_class_without_a_training_clip_is_never_the_answer(present):
    settings = METHOD.configured(changes={"size": "28", "widths": "4,6", "epochs": "2", "batch_size": "2"})
    x, y, groups = separable(9, size=28, channels=14)
    keep = np.isin(y, present)
    classifier = METHOD.build(settings, METHOD.inputs(settings), 3, 0)
    classifier.fit(x[keep], y[keep], [g for g, k in zip(groups, keep, strict=True) if k])
    found = classifier.predict_proba(x)
    assert set(found.argmax(1)) <= set(present)
    assert (found[:, [k for k in range(3) if k not in present]] < 1e-9).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("widths", "8,0"), r"widths=\(8, 0\)"),
        (("embedding", "0"), "embedding=0"),
        (("maps", "u@1,v@2"), "takes pairs of u and v"),
        (("maps", "u,v,strain"), "takes pairs of u and v"),
        (("maps", "v@1,u@1"), "takes pairs of u and v"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_a_sentence(change, message):
    with pytest.raises(UserError, match=message):
        METHOD.configured(changes=dict([change]))


def test_released_maps_are_a_sequence_of_one():
    settings = METHOD.configured(changes={"maps": "u,v", "size": "28", "widths": "4,6", "epochs": "1"})
    x, y, groups = separable(9, size=28, channels=2)
    assert METHOD.build(settings, METHOD.inputs(settings), 3, 0).fit(x, y, groups).predict_proba(x).shape == (9, 3)
