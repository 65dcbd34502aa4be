"""Equations 9 and 10, and every other fusion, on every set of branches."""

from itertools import combinations

import pytest
import torch
from torch.nn import functional as F

from dfrnet.networks.fusion import BRANCHES, FUSIONS, PaperFusion

SUBSETS = [subset for n in (1, 2, 3) for subset in combinations(BRANCHES, n)]
C = 6


def shallow(branches=BRANCHES, seed=0):
    """Features after a ReLU."""
    torch.manual_seed(seed)
    return {name: torch.rand(4, C, 7, 5) for name in branches}


def conv(layer, x, kernel):
    return F.conv2d(x, layer.weight, layer.bias, padding=kernel // 2)


@pytest.mark.parametrize("name", FUSIONS)
@pytest.mark.parametrize("branches", SUBSETS, ids="+".join)
def test_every_fusion_of_every_set_of_branches(name, branches):
    torch.manual_seed(3)
    module = FUSIONS[name](branches, C)
    given = {key: value.requires_grad_() for key, value in shallow(branches).items()}
    out = module(given)
    assert out.shape == (4, C, 7, 5)
    assert bool(out.isfinite().all())
    out.pow(2).sum().backward()
    without = [key for key, value in module.named_parameters() if value.grad is None]
    assert not without, f"no gradient reaches {without}"
    deaf = [key for key, value in given.items() if value.grad is None or not bool(value.grad.any())]
    assert not deaf, f"the output does not depend on the branches {deaf}"


@pytest.mark.parametrize("gate", ["paper", "paper_sigmoid"])
def test_the_printed_fusion_is_equations_9_and_10(gate):
    torch.manual_seed(0)
    module, branches = FUSIONS[gate](BRANCHES, C), shallow()
    f1, _, f2, _ = module.fuse
    pair = torch.cat([branches["spatial"], branches["differential"]], 1)
    fused = torch.relu(conv(f2, torch.relu(conv(f1, pair, 3)), 3))  # eq. 9
    g1, _, g2, _ = module.weigh
    pooled = torch.cat([fused.mean((2, 3)), branches["temporal"].mean((2, 3))], 1)
    hidden = torch.relu(pooled @ g1.weight[:, :, 0, 0].T + g1.bias)
    logits = hidden @ g2.weight[:, :, 0, 0].T + g2.bias
    weights = torch.sigmoid(logits) if gate == "paper_sigmoid" else torch.relu(logits)
    torch.testing.assert_close(module(branches), fused * weights[..., None, None], atol=1e-5, rtol=1e-5)  # eq. 10


def test_the_flow_says_how_much_and_not_where():
    """The pools of eq. 10: moving the motion about changes nothing under the printed fusion, but does under place."""
    branches = shallow()
    moved = branches | {"temporal": branches["temporal"].flip(2)}
    torch.manual_seed(1)
    paper, place = FUSIONS["paper_sigmoid"](BRANCHES, C), FUSIONS["place"](BRANCHES, C)
    torch.testing.assert_close(paper(moved), paper(branches))
    assert (place(moved) - place(branches)).abs().max() > 1e-3


def test_place_joins_the_flow_to_the_printed_result():
    torch.manual_seed(0)
    module, branches = FUSIONS["place"](BRANCHES, C), shallow()
    joined = torch.cat([module.paper(branches), branches["temporal"]], 1)
    torch.testing.assert_close(module(branches), torch.relu(conv(module.join[0], joined, 1)))


@pytest.mark.parametrize("branches", SUBSETS, ids="+".join)
def test_the_step_of_a_missing_branch_is_omitted(branches):
    module = PaperFusion(branches, C)
    assert (module.fuse is not None) == {"spatial", "differential"}.issubset(branches)
    assert (module.weigh is not None) == ("temporal" in branches and len(branches) > 1)
    if len(branches) == 1:
        given = shallow(branches)
        torch.testing.assert_close(module(given), given[branches[0]])


def test_add_multiply_and_concat_by_hand():
    given = shallow()
    s, d, t = (given[name] for name in BRANCHES)
    torch.testing.assert_close(FUSIONS["add"](BRANCHES, C)(given), s + d + t)
    torch.testing.assert_close(FUSIONS["multiply"](BRANCHES, C)(given), s * d * t)
    concat = FUSIONS["concat"](BRANCHES, C)
    torch.testing.assert_close(concat(given), torch.relu(conv(concat.join[0], torch.cat([s, d, t], 1), 1)))
