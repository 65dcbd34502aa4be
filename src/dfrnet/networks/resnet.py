"""The residual network after the fusion: ResNet-18's stages with attention in every block (eq. 11 and 12)."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import Tensor, nn

from dfrnet.networks.attention import ATTENTIONS


class AttentionBlock(nn.Module):
    """F_out = relu(x + SA(CA(f2(relu(f1(x)))))) (eq. 12), f a 3x3 convolution with batch normalisation.

    (N, inputs, H, W) -> (N, outputs, H / stride, W / stride). Without attention it is the basic block of eq. 11.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, attention: str = "both") -> None:
        super().__init__()
        self.f1 = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
        )
        self.f2 = nn.Sequential(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))
        self.attention = ATTENTIONS[attention](outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.shortcut(x) + self.attention(self.f2(self.f1(x))))


def resnet_stem(channels: int) -> nn.Module:
    """ResNet's own stem: 7x7 convolution with stride 2 and 3x3 max pooling with stride 2; a quarter of the side."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    )


def small_stem(channels: int) -> nn.Module:
    """The same for small maps, with a 3x3 convolution: a fifth of the work."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    )


STEMS: dict[str, Callable[[int], nn.Module]] = {"resnet": resnet_stem, "small": small_stem}


class AttentionResNet(nn.Module):
    """Stem, one to four stages of two blocks, average pooling, dropout, linear layer: (N, C, H, W) -> (N, classes)."""

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: tuple[int, ...] = (64, 128, 256),
        attention: str = "both",
        stem: str = "resnet",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.stem = STEMS[stem](channels)
        stages: list[nn.Module] = []
        for stage, width in enumerate(widths):
            stride = 1 if stage == 0 else 2
            stages.append(
                nn.Sequential(
                    AttentionBlock(channels, width, stride, attention), AttentionBlock(width, width, 1, attention)
                )
            )
            channels = width
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, classes))

    def forward(self, x: Tensor) -> Tensor:
        features = self.stages(self.stem(x)).mean(dim=(2, 3))
        logits: Tensor = self.head(features)
        return logits


TORCHVISION = {
    "stem.0": "conv1",
    "stem.1": "bn1",
    "f1.0": "conv1",
    "f1.1": "bn1",
    "f2.0": "conv2",
    "f2.1": "bn2",
    "shortcut": "downsample",
    "head.1": "fc",
}


def torchvision_name(name: str) -> str:
    """What torchvision's ResNet-18 calls a tensor: ``stages.1.0.f2.0.weight`` is ``layer2.0.conv2.weight`` there."""
    for ours, theirs in TORCHVISION.items():
        name = name.replace(ours, theirs)
    return re.sub(r"^stages\.(\d)", lambda found: f"layer{int(found[1]) + 1}", name)
