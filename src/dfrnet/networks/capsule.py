"""CapsuleNet (Van Quang et al. 2019): a ResNet-18 without its last stage, and capsules with routing by agreement."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from dfrnet.networks.resnet import AttentionBlock

CHANNELS = 256
PRIMARY, CLASS = 8, 16
"""Lengths of the vectors: of the primary capsules, 32 of them at each place, and of the one for each class."""

TINY = 1e-20
"""Under a root whose slope at 0 would be infinite."""

INSIDE, OUTSIDE, ABSENT = 0.99, 0.01, 0.5
"""m+, m- and lambda of the margin loss, as in the authors' code (Sabour et al.: 0.9, 0.1 and 0.5)."""


def squash(s: Tensor) -> Tensor:
    """The same direction with length |s|^2 / (1 + |s|^2), below 1 (Sabour et al. 2017, eq. 1): (..., D) -> (..., D)."""
    square = s.square().sum(-1, keepdim=True)
    return s * ((square + TINY).sqrt() / (1 + square))


def route(votes: Tensor, iterations: int) -> Tensor:
    """Routing by agreement (Sabour et al. 2017, procedure 1): votes (N, capsules, classes, D) -> (N, classes, D).

    Each capsule shares its vote among the classes by a softmax, and shifts its shares to where its vote agrees with the
    outcome. As in the authors' code, only the last round passes gradients on: the shares are constants to it.
    """
    fixed = votes.detach()
    leaning = torch.zeros_like(fixed[..., 0])
    for _ in range(iterations - 1):
        outcome = squash((leaning.softmax(2).unsqueeze(3) * fixed).sum(1))
        leaning = leaning + torch.einsum("nckd,nkd->nck", fixed, outcome)
    return squash((leaning.softmax(2).unsqueeze(3) * votes).sum(1))


def margin_loss(lengths: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
    """Sabour et al. 2017, eq. 4, mean over the clips: lengths (N, classes), y (N, classes) shares of each class.

    ``weight`` (classes,): how much a clip of each class counts.
    """
    inside = y * (INSIDE - lengths).clamp_min(0).square()
    outside = ABSENT * (1 - y) * (lengths - OUTSIDE).clamp_min(0).square()
    of_clip = (inside + outside).sum(1)
    return (of_clip if weight is None else of_clip * (y @ weight)).mean()


def kernel_for(side: int) -> int:
    """The side of both capsule kernels for maps of ``side`` pixels: 9 at 224, and its share of the picture elsewhere.

    The trunk makes an eighth of the side, 28 of 224. Two kernels of 9 do not fit into what is left of 128 pixels.
    """
    here = -(-side // 8)
    return 2 * max(0, round((9 * here / 28 - 1) / 2)) + 1


class Trunk(nn.Module):
    """ResNet-18 up to its third stage, the max pooling left out: (N, 3, S, S) -> (N, 256, S / 8, S / 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, padding=3, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        widths = (64, 64, 128, CHANNELS)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    AttentionBlock(before, width, 1 if before == width else 2, "none"),
                    AttentionBlock(width, width, 1, "none"),
                )
                for before, width in pairwise(widths)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.stages(self.stem(x))
        return features


class CapsuleNet(nn.Module):
    """(N, 3 P, S, S), P pictures in colour of each clip, -> (N, classes): logarithms of the class capsules' lengths.

    Their softmax is each length over the sum of all. The first picture is the apex; the others are looked at in
    training only, see :meth:`draw`.
    """

    def __init__(self, side: int, classes: int, routings: int = 3, jitter: float = 0.2) -> None:
        super().__init__()
        self.routings, self.jitter = routings, jitter
        self.trunk = Trunk()
        kernel = kernel_for(side)
        self.conv = nn.Conv2d(CHANNELS, CHANNELS, kernel)
        self.primary = nn.Conv2d(CHANNELS, CHANNELS, kernel, stride=2)
        left = (-(-side // 8) - kernel + 1 - kernel) // 2 + 1
        capsules = left * left * CHANNELS // PRIMARY
        self.transform = nn.Parameter(0.01 * torch.randn(capsules, PRIMARY, classes * CLASS))

    def capsules(self, x: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, classes, 16), one vector for each class; the longest is the answer."""
        maps = self.primary(torch.relu(self.conv(self.trunk(x))))
        primary = squash(maps.permute(0, 2, 3, 1).reshape(x.shape[0], -1, PRIMARY))
        votes = torch.einsum("ncp,cpk->nck", primary, self.transform)
        return route(votes.reshape(*votes.shape[:2], -1, CLASS), self.routings)

    def lengths(self, x: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, classes), 0 to 1."""
        return (self.capsules(x).square().sum(2) + TINY).sqrt()

    def forward(self, x: Tensor) -> Tensor:
        return self.lengths(x[:, :3]).log()

    def loss(self, x: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        """The margin loss of one drawn picture of each clip, its colours changed a little."""
        return margin_loss(self.lengths(self.jittered(self.draw(x, y, weight))), y, weight)

    def draw(self, x: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        """One picture of each clip: (N, 3 P, S, S) -> (N, 3, S, S); the apex where ``weight`` (classes,) is None.

        The authors add frames near the apex until the classes are equal in number. A clip of the rarest class is here
        each of its P pictures equally often, a clip of a class k times as common is what P / k pictures would make of
        it; the weights, inverse to the frequency, make the classes equal.
        """
        pictures = x.reshape(x.shape[0], -1, 3, *x.shape[2:])
        if weight is None:
            return pictures[:, 0]
        copies = (pictures.shape[1] * (y @ weight) / weight.max()).clamp_min(1)
        beside = torch.rand(len(x)).to(copies) >= 1 / copies
        other = torch.randint(1, max(pictures.shape[1], 2), (len(x),)).to(x.device)
        return pictures[torch.arange(len(x), device=x.device), torch.where(beside, other, 0)]

    def jittered(self, x: Tensor) -> Tensor:
        """Contrast, colour and brightness of each picture changed by up to ``jitter``: (N, 3, S, S), standardised."""
        contrast, colour, light = ((torch.rand(3, len(x), 1, 1, 1) * 2 - 1) * self.jitter).to(x)
        grey = x.mean(1, keepdim=True)
        middle = grey.mean((2, 3), keepdim=True)
        changed: Tensor = middle + (1 + contrast) * (grey + (1 + colour) * (x - grey) - middle) + light
        return changed
