"""STSTNet (Liong et al. 2019): three streams of 3, 5 and 8 filters side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class STSTNet(nn.Module):
    """(N, maps, S, S) -> (N, classes) logits; at S = 28: 30x30 after the convolutions, 10x10, then 5x5x16."""

    def __init__(self, maps: int, size: int, classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(maps, filters, 3, padding=2),
                nn.ReLU(),
                nn.BatchNorm2d(filters),
                nn.MaxPool2d(3, stride=3, padding=1),
                nn.Dropout(dropout),
            )
            for filters in (3, 5, 8)
        )
        side = ((size + 2 + 2 - 3) // 3 + 1) // 2
        self.head = nn.Linear(16 * side * side, classes)

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([stream(x) for stream in self.streams], dim=1)
        logits: Tensor = self.head(F.avg_pool2d(joined, 2).flatten(1))
        return logits
