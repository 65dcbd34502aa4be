"""Augmentation that knows what its maps are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from dfrnet.training.config import TrainingConfig


def augment(x: Tensor, names: Sequence[str], config: TrainingConfig, generator: torch.Generator) -> Tensor:
    """A mirrored, shifted, rotated, zoomed and cropped copy of each clip: (N, C, H, W) -> (N, C, H, W).

    The maps are pictures of vectors, so the vectors turn with them: a mirror negates u and a rotation turns (u, v), and
    so for the flow to each key frame, (u@1, v@1) and on.
    """
    if not (config.flip or config.shift or config.rotate or config.zoom or config.crop):
        return x
    n = len(x)

    def draw(largest: float) -> Tensor:
        return (torch.rand(n, generator=generator) * 2 - 1) * largest

    mirror = torch.ones(n)
    if config.flip:
        mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    angle = draw(math.radians(config.rotate))
    keep = 1 - torch.rand(n, generator=generator) * config.crop
    size = keep * (1 + draw(config.zoom))
    # A window of `keep` of the side lies anywhere within the picture; coordinates run from -1 to 1, hence the factors.
    shift = torch.stack([draw(2 * config.shift) + draw(1) * (1 - keep) for _ in range(2)], dim=1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    linear = torch.stack([torch.stack([cos * mirror, sin], 1), torch.stack([-sin * mirror, cos], 1)], 1)
    theta = torch.cat([linear * size.view(-1, 1, 1), shift.unsqueeze(2)], dim=2).to(x)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    out = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    for row, name in enumerate(names):
        stem, _, frame = name.partition("@")
        if stem != "u":
            continue
        partner = f"v@{frame}" if frame else "v"
        if partner in names:
            # Output position p shows input position L p, so a displacement d seen there is inverse(L) d. L is a
            # rotation of a mirror (its inverse is its transpose); the size of the motion is left to the per-clip scale.
            rows = [row, names.index(partner)]
            out[:, rows] = torch.einsum("nji,njhw->nihw", linear.to(x), out[:, rows])
        else:
            out[:, row] *= mirror.view(-1, 1, 1).to(x)
    return out
