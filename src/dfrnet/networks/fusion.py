"""How the branches meet, by name. A fusion takes shallow features of one to three branches and returns one map.

Branches are ``spatial`` (Fs, the apex frame), ``differential`` (Fd, the difference map) and ``temporal`` (Ft, flow and
strain). A fusion is built as ``FUSIONS[name](branches, channels)`` and called with a dict branch -> (N, C, H, W); it
returns (N, C, H, W). Where a branch is missing, the step that needs it is omitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BRANCHES = ("spatial", "differential", "temporal")


def _two_convolutions(inputs: int, outputs: int, kernel: int, last: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, kernel, padding=kernel // 2),
        last,
    )


class PaperFusion(nn.Module):
    """The printed fusion (eq. 9 and 10), or a named change to its gate.

    F_fused = relu(f2(relu(f1([Fs, Fd])))); A = relu(f2(relu(f1([pool F_fused, pool Ft])))); F_final = F_fused * A.
    The pools bring both to 1x1, so A weighs channels: the motion says how much, not where. ``gate`` is the last
    activation of A: ReLU as printed, or a sigmoid, which cannot die.
    """

    def __init__(self, branches: Sequence[str], channels: int, gate: Callable[[], nn.Module] = nn.ReLU) -> None:
        super().__init__()
        appearance = [name for name in ("spatial", "differential") if name in branches]
        self.appearance = appearance
        self.fuse = _two_convolutions(2 * channels, channels, 3, nn.ReLU()) if len(appearance) == 2 else None
        self.weigh = (
            _two_convolutions(2 * channels, channels, 1, gate()) if appearance and "temporal" in branches else None
        )

    def forward(self, branches: Mapping[str, Tensor]) -> Tensor:
        if not self.appearance:
            return branches["temporal"]
        fused = torch.cat([branches[name] for name in self.appearance], dim=1)
        if self.fuse is not None:
            fused = self.fuse(fused)  # eq. 9
        if self.weigh is None:
            return fused
        pooled = [F.adaptive_avg_pool2d(part, 1) for part in (fused, branches["temporal"])]
        weights: Tensor = self.weigh(torch.cat(pooled, dim=1))
        return fused * weights  # eq. 10


class PlaceFusion(nn.Module):
    """Eq. 9 and 10, then the flow features joined to the result, so that the place of the motion is not lost.

    F_final = relu(f([F_fused * A, Ft])) with a 1x1 convolution f. Not in the paper: the first improvement to try.
    """

    def __init__(self, branches: Sequence[str], channels: int) -> None:
        super().__init__()
        self.paper = PaperFusion(branches, channels, nn.Sigmoid)
        both = self.paper.weigh is not None
        self.join = nn.Sequential(nn.Conv2d(2 * channels, channels, 1), nn.ReLU()) if both else None

    def forward(self, branches: Mapping[str, Tensor]) -> Tensor:
        fused: Tensor = self.paper(branches)
        if self.join is None:
            return fused
        joined: Tensor = self.join(torch.cat([fused, branches["temporal"]], dim=1))
        return joined


class ElementwiseFusion(nn.Module):
    """The branches combined element by element; ``combine`` reduces the first axis of (branches, N, C, H, W)."""

    def __init__(self, branches: Sequence[str], combine: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.branches, self.combine = tuple(branches), combine

    def forward(self, branches: Mapping[str, Tensor]) -> Tensor:
        return self.combine(torch.stack([branches[name] for name in self.branches]))


class ConcatFusion(nn.Module):
    """The branches side by side, brought back to C channels by a 1x1 convolution with ReLU."""

    def __init__(self, branches: Sequence[str], channels: int) -> None:
        super().__init__()
        self.branches = tuple(branches)
        several = len(self.branches) > 1
        self.join = nn.Sequential(nn.Conv2d(len(self.branches) * channels, channels, 1), nn.ReLU()) if several else None

    def forward(self, branches: Mapping[str, Tensor]) -> Tensor:
        if self.join is None:
            return branches[self.branches[0]]
        joined: Tensor = self.join(torch.cat([branches[name] for name in self.branches], dim=1))
        return joined


FUSIONS: dict[str, Callable[[Sequence[str], int], nn.Module]] = {
    "paper": PaperFusion,
    "paper_sigmoid": lambda branches, channels: PaperFusion(branches, channels, nn.Sigmoid),
    "place": PlaceFusion,
    "add": lambda branches, channels: ElementwiseFusion(branches, lambda x: x.sum(dim=0)),  # noqa: ARG005
    "multiply": lambda branches, channels: ElementwiseFusion(branches, lambda x: x.prod(dim=0)),  # noqa: ARG005
    "concat": ConcatFusion,
}
