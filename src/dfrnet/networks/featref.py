"""FeatRef (Zhou et al. 2022): what all expressions share, refined for each expression, then fused."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FILTERS = (6, 16)


class FeatRef(nn.Module):
    """(N, maps, S, S) -> (N, classes) logits; one Inception stream for each map, one proposal for each class.

    ``widths``: how many values all classes share, how many each has of its own, and how many these are fused to.
    ``proposal_weight`` is what the proposals' losses count beside that of the classification.
    """

    def __init__(
        self,
        maps: int,
        size: int,
        classes: int,
        widths: tuple[int, int, int] = (1024, 512, 128),
        proposal_weight: float = 0.85,
    ) -> None:
        super().__init__()
        self.proposal_weight = proposal_weight
        shared, specific, fused = widths
        self.streams = nn.ModuleList(stream() for _ in range(maps))
        side = size // 2 // 2
        self.shared = nn.Sequential(nn.Linear(maps * 4 * FILTERS[-1] * side * side, shared), nn.ReLU())
        self.proposals = nn.ModuleList(Proposal(shared, specific) for _ in range(classes))
        self.fuse = nn.Sequential(nn.Linear(classes * specific, fused), nn.ReLU(), nn.Linear(fused, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.answers(x)[0]

    def answers(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The classification's logits and the proposals', both (N, classes); a proposal's is of its class or not."""
        parts = [one(plane).flatten(1) for one, plane in zip(self.streams, torch.split(x, 1, dim=1), strict=True)]
        shared = self.shared(torch.cat(parts, dim=1))
        refined = [proposal(shared) for proposal in self.proposals]
        logits = self.fuse(torch.cat([specific for specific, _ in refined], dim=1))
        return logits, torch.cat([proposed for _, proposed in refined], dim=1)

    def loss(self, x: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        """Cross entropy, plus ``proposal_weight`` times the sum of the classes' binary cross entropies."""
        logits, proposed = self.answers(x)
        of_clip = None if weight is None else (y @ weight).unsqueeze(1)
        binary = F.binary_cross_entropy_with_logits(proposed, y, weight=of_clip, reduction="none").sum(dim=1)
        return F.cross_entropy(logits, y, weight=weight) + self.proposal_weight * binary.mean()


class Proposal(nn.Module):
    """What matters for one class: (N, shared) -> its features (N, specific) and the logit of its presence (N, 1)."""

    def __init__(self, shared: int, specific: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.Linear(shared, shared), nn.Sigmoid())
        self.specific = nn.Sequential(nn.Linear(shared, specific), nn.ReLU())
        self.present = nn.Linear(specific, 1)

    def forward(self, shared: Tensor) -> tuple[Tensor, Tensor]:
        specific = self.specific(shared * self.attention(shared))
        return specific, self.present(specific)


class Inception(nn.Module):
    """Four views of the same maps side by side, then half the side: (N, C, S, S) -> (N, 4 filters, S // 2, S // 2)."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()

        def narrow() -> nn.Conv2d:
            return nn.Conv2d(channels, filters, 1)

        self.branches = nn.ModuleList(
            (
                nn.Sequential(narrow(), nn.ReLU(), nn.Conv2d(filters, filters, 5, padding=2), nn.ReLU()),
                nn.Sequential(narrow(), nn.ReLU(), nn.Conv2d(filters, filters, 3, padding=1), nn.ReLU()),
                nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), narrow(), nn.ReLU()),
                narrow(),
            )
        )
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.pool(torch.cat([branch(x) for branch in self.branches], dim=1))
        return pooled


def stream() -> nn.Sequential:
    """(N, 1, S, S) -> (N, 64, S // 4, S // 4)."""
    first, second = FILTERS
    return nn.Sequential(Inception(1, first), Inception(4 * first, second))
