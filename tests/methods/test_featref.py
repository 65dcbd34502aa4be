"""FeatRef: its size, its streams and proposals, its loss beside a slow copy of it, and that it trains."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from dfrnet.features import FeatureSpec
from dfrnet.methods import METHODS
from dfrnet.networks.featref import FeatRef, Inception, Proposal, stream
from dfrnet.types import UserError
from trees import separable

METHOD = METHODS["featref"]
SMALL = (12, 6, 5)


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_its_size_is_near_the_published_one():
    """11.37 M, chosen to come near the published 11.4 M; the layer sizes are not known."""
    network = METHOD.network(METHOD.settings, METHOD.inputs(METHOD.settings), 3)
    proposal = (1024 + 1) * 1024 + (1024 + 1) * 512 + 512 + 1
    shared = (2 * 64 * 7 * 7 + 1) * 1024
    fuse = (3 * 512 + 1) * 128 + (128 + 1) * 3
    assert count(network) == 2 * 11_620 + shared + 3 * proposal + fuse == 11_368_654
    assert round(count(network) / 1e6, 1) == 11.4


def test_a_stream_has_the_size_of_the_public_dual_inception():
    """That one has 6.45 M in all: two streams, 6,272 -> 1,024 and 1,024 -> 3."""
    whole = 2 * count(stream()) + (2 * 3136 + 1) * 1024 + (1024 + 1) * 3
    assert whole == 6_449_867
    assert stream()(torch.randn(2, 1, 28, 28)).shape == (2, 64, 7, 7)


def test_an_inception_block_has_four_branches():
    torch.manual_seed(0)
    block, x = Inception(3, 5), torch.randn(2, 3, 12, 12)
    found = block(x)
    assert found.shape == (2, 20, 6, 6)
    wide, middle, pooled, narrow = block.branches
    kernels = [[p.shape[-1] for p in branch.parameters() if p.ndim == 4] for branch in block.branches]
    assert kernels == [[1, 5], [1, 3], [1], [1]]
    parts = [wide(x), middle(x), pooled[1](F.max_pool2d(x, 3, 1, 1)).relu(), narrow(x)]
    torch.testing.assert_close(found, F.max_pool2d(torch.cat(parts, dim=1), 2))


@pytest.mark.parametrize(("size", "classes"), [(28, 3), (8, 5), (30, 4)])
def test_every_parameter_has_a_gradient(size, classes):
    torch.manual_seed(0)
    network = FeatRef(2, size, classes, SMALL)
    x, y = torch.randn(5, 2, size, size), F.one_hot(torch.arange(5) % classes, classes).float()
    assert network(x).shape == (5, classes)
    network.loss(x, y, None).backward()
    for name, parameter in network.named_parameters():
        assert bool(parameter.grad.isfinite().all()), name
        assert bool(parameter.grad.any()), name


def test_attention_of_a_proposal_closes_and_opens():
    torch.manual_seed(0)
    proposal, shared = Proposal(6, 4), torch.rand(3, 6)
    with torch.no_grad():
        proposal.attention[0].weight.zero_()
        proposal.attention[0].bias.fill_(-100)
        closed, _ = proposal(shared)
        proposal.attention[0].bias.fill_(100)
        opened, present = proposal(shared)
    torch.testing.assert_close(closed, proposal.specific(torch.zeros(3, 6)))
    torch.testing.assert_close(opened, proposal.specific(shared))
    assert present.shape == (3, 1)


def test_a_proposal_tells_its_own_class_from_the_rest():
    """Of the proposals' loss alone, that of class k reaches only proposal k and what all share."""
    torch.manual_seed(0)
    network = FeatRef(2, 8, 3, SMALL)
    _, proposed = network.answers(torch.randn(4, 2, 8, 8))
    proposed[:, 1].sum().backward()
    reached = {name for name, p in network.named_parameters() if p.grad is not None and bool(p.grad.any())}
    assert any(name.startswith("proposals.1.") for name in reached)
    assert not any(name.startswith(("proposals.0.", "proposals.2.", "fuse.")) for name in reached)
    assert any(name.startswith("streams.0.") for name in reached)


def slow_loss(logits, proposed, y, weight, share):
    total = 0.0
    for clip in range(len(y)):
        chances = np.exp(logits[clip]) / np.exp(logits[clip]).sum()
        total -= sum(weight[k] * y[clip, k] * np.log(chances[k]) for k in range(len(weight)))
        of_clip = sum(weight[k] * y[clip, k] for k in range(len(weight)))
        for k in range(len(weight)):
            present = 1 / (1 + np.exp(-proposed[clip, k]))
            binary = y[clip, k] * np.log(present) + (1 - y[clip, k]) * np.log(1 - present)
            total -= share * of_clip * binary
    return total / len(y)


@given(seed=st.integers(0, 999), share=st.sampled_from([0.0, 0.85, 2.0]), weighted=st.booleans())
def test_the_loss_beside_a_slow_copy(seed, share, weighted):
    torch.manual_seed(seed)
    network = FeatRef(2, 8, 3, SMALL, share).double()
    x, y = torch.randn(4, 2, 8, 8).double(), torch.rand(4, 3).double().softmax(dim=1)
    weight = torch.rand(3).double() if weighted else None
    logits, proposed = (found.detach().numpy() for found in network.answers(x))
    expected = slow_loss(logits, proposed, y.numpy(), np.ones(3) if weight is None else weight.numpy(), share)
    assert float(network.loss(x, y, weight).detach()) == pytest.approx(expected, rel=1e-6)


def test_it_learns():
    x, y, groups = separable(30, size=16, channels=2)
    new, truth, _ = separable(18, size=16, channels=2, seed=5)
    changes = {"epochs": "10", "shared": "64", "specific": "32", "fused": "16", "batch_size": "8"}
    classifier = METHOD.build(METHOD.configured(changes=changes), FeatureSpec(maps=("u", "v"), size=16), 3, 0)
    classifier.fit(x, y, groups)
    assert (classifier.predict_proba(new).argmax(axis=1) == truth).mean() > 0.9


@pytest.mark.parametrize("change", ["shared=0", "specific=-1", "fused=0", "proposal_weight=-1"])
def test_a_wrong_setting_is_a_sentence(change):
    with pytest.raises(UserError, match=change):
        METHOD.configured(changes=dict([change.split("=")]))
