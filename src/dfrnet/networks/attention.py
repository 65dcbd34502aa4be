"""Channel and spatial attention of DFR-Net (eq. 13 and 14). Each module returns its input times its weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelAttention(nn.Module):
    """CA(x) = sigmoid(f2(relu(f1(AvgPool(x) + MaxPool(x))))) (eq. 13): (N, C, H, W) -> (N, C, H, W).

    The two pools are summed before the one shared pair of convolutions; CBAM (Woo et al. 2018) would sum after it.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.f1 = nn.Conv2d(channels, max(channels // reduction, 1), 1, bias=False)
        self.f2 = nn.Conv2d(max(channels // reduction, 1), channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool2d(x, 1) + F.adaptive_max_pool2d(x, 1)
        return x * torch.sigmoid(self.f2(torch.relu(self.f1(pooled))))


class SpatialAttention(nn.Module):
    """SA(x) = sigmoid(f1([mean_c(x), max_c(x)])) (eq. 14): (N, C, H, W) -> (N, C, H, W); a 7x7 convolution."""

    def __init__(self, kernel: int = 7) -> None:
        super().__init__()
        self.f1 = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        summary = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.f1(summary))


ATTENTIONS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: nn.Identity(),  # noqa: ARG005
    "spatial": lambda channels: SpatialAttention(),  # noqa: ARG005
    "channel": ChannelAttention,
    "both": lambda channels: nn.Sequential(ChannelAttention(channels), SpatialAttention()),
}
"""Attention of a residual block, a function of its channels; ``both`` is the paper's: channel, then spatial."""
