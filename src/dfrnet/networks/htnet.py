"""HTNet (Wang et al. 2023): transformers over blocks of a square of tokens, in three levels that grow coarser."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDER = 4  # the hidden layer of a feed-forward part, times the channels


class Attention(nn.Module):
    """Self-attention among the tokens of a block: (blocks, tokens, channels) -> the same.

    In a block of one token the softmax is over one number and so is 1, whatever query and key are: what comes out is
    the projected value. Query and key are not computed then, and get no gradient. Their weights have a tensor of their
    own, so that an optimiser can pass over it.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        inner = channels // heads * heads
        self.queries_keys = nn.Linear(channels, 2 * inner, bias=False)
        self.values = nn.Linear(channels, inner, bias=False)
        self.out = nn.Linear(inner, channels)

    def forward(self, x: Tensor) -> Tensor:
        value = self.values(x)
        if x.shape[1] > 1:
            query, key = self.queries_keys(x).chunk(2, dim=-1)
            query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query, key, value))
            value = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        out: Tensor = self.out(value)
        return out


class Layer(nn.Module):
    """Attention and a feed-forward part, each after a layer norm and added to what it was given."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(channels), Attention(channels, heads))
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, WIDER * channels),
            nn.GELU(),
            nn.Linear(WIDER * channels, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(x)
        found: Tensor = x + self.feed_forward(x)
        return found


class Level(nn.Module):
    """Layers over each block for itself: (N, side, side, channels) -> the same.

    ``blocks`` x ``blocks`` of them have ``(side / blocks)^2`` tokens each. ``position`` is one number per token of a
    block, added to all of the token's channels. Every layer norm takes it off again, so only what reads the sum
    without one, :class:`Merge`, can feel it: that of the last level has no effect.
    """

    def __init__(self, channels: int, heads: int, blocks: int, tokens: int, repeats: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.position = nn.Parameter(torch.randn(tokens))
        self.layers = nn.Sequential(*(Layer(channels, heads) for _ in range(repeats)))

    def forward(self, x: Tensor) -> Tensor:
        n, side, _, channels = x.shape
        part = side // self.blocks
        cut = x.view(n, self.blocks, part, self.blocks, part, channels).transpose(2, 3)
        found: Tensor = self.layers(cut.reshape(-1, part * part, channels) + self.position[:, None])
        return found.view(n, self.blocks, self.blocks, part, part, channels).transpose(2, 3).reshape(x.shape)


class Merge(nn.Module):
    """A 3x3 convolution, a layer norm over the channels and a 3x3 maximum: (N, s, s, C) -> (N, s / 2, s / 2, D)."""

    def __init__(self, channels: int, wider: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, wider, 3, padding=1)
        self.norm = nn.LayerNorm(wider)

    def forward(self, x: Tensor) -> Tensor:
        found = self.norm(self.convolution(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        return F.max_pool2d(found.permute(0, 3, 1, 2), 3, stride=2, padding=1).permute(0, 2, 3, 1)


class HTNet(nn.Module):
    """(N, maps, S, S) -> (N, classes) logits.

    Patches of ``patch`` pixels become tokens of ``width`` channels. Each of the levels, one for each of ``repeats``,
    has its number of layers; from one level to the next the square of tokens and the square of blocks halve and
    channels and heads double, so that a block has the same number of tokens at all levels: 1 at S = 28 and ``patch``
    7. S must be a multiple of ``patch * 2 ** (levels - 1)``, ``width`` at least ``heads``.
    """

    def __init__(
        self, maps: int, size: int, classes: int, patch: int, width: int, heads: int, repeats: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.patch = patch
        last = len(repeats) - 1
        tokens = (size // patch >> last) ** 2
        self.embed = nn.Linear(maps * patch * patch, width)
        steps: list[nn.Module] = []
        for level, times in enumerate(repeats):
            channels = width << level
            steps.append(Level(channels, heads << level, 1 << (last - level), tokens, times))
            if level < last:
                steps.append(Merge(channels, 2 * channels))
        self.levels = nn.Sequential(*steps)
        self.norm = nn.LayerNorm(width << last)
        self.head = nn.Linear(width << last, classes)

    def forward(self, x: Tensor) -> Tensor:
        n, maps, size, _ = x.shape
        side = size // self.patch
        cut = x.reshape(n, maps, side, self.patch, side, self.patch).permute(0, 2, 4, 3, 5, 1)
        tokens = self.levels(self.embed(cut.reshape(n, side, side, -1)))
        logits: Tensor = self.head(self.norm(tokens).mean(dim=(1, 2)))
        return logits
