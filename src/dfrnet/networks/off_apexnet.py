"""OFF-ApexNet (Gan et al. 2019): one small stream of two convolutions for each map, then two wide layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FILTERS = (6, 16)
HIDDEN = 1024


class OffApexNet(nn.Module):
    """(N, maps, S, S) -> (N, classes) logits; at S = 28 each stream ends in 7x7x16 = 784 values."""

    def __init__(self, maps: int, size: int, classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.streams = nn.ModuleList(stream() for _ in range(maps))
        side = size // 2 // 2
        self.head = nn.Sequential(
            nn.Linear(maps * FILTERS[-1] * side * side, HIDDEN),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(HIDDEN, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        parts = [one(plane).flatten(1) for one, plane in zip(self.streams, torch.split(x, 1, dim=1), strict=True)]
        logits: Tensor = self.head(torch.cat(parts, dim=1))
        return logits


def stream() -> nn.Sequential:
    """(N, 1, S, S) -> (N, 16, S // 4, S // 4)."""
    first, second = FILTERS
    return nn.Sequential(
        nn.Conv2d(1, first, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
