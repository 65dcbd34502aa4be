"""STSTNet (Liong et al. 2019): three streams of 3, 5 and 8 filters side by side."""

from __future__ import annotations

from torch import Tensor, nn

STREAMS = (3, 5, 8)


class STSTNet(nn.Module):
    """(N, maps, S, S) -> (N, classes) logits; at S = 28: 30x30 after the convolution, 10x10, then 5x5x16.

    The three streams see the same maps with the same 3x3 kernel, and everything up to their concatenation works on
    each filter alone, so they are computed as one convolution of 3 + 5 + 8 = 16 filters: the same network, faster.
    """

    def __init__(self, maps: int, size: int, classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        filters = sum(STREAMS)
        side = ((size + 2 + 2 - 3) // 3 + 1) // 2
        self.streams = nn.Sequential(
            nn.Conv2d(maps, filters, 3, padding=2),
            nn.ReLU(),
            nn.BatchNorm2d(filters),
            nn.MaxPool2d(3, stride=3, padding=1),
            nn.Dropout(dropout),
            nn.AvgPool2d(2),
        )
        self.head = nn.Linear(filters * side * side, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.streams(x).flatten(1))
        return logits
