"""ME-PLAN (Zhao et al. 2022), in its spirit: a residual network over time, attention to regions, class prototypes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

REGIONS = 4
"""The face is cut into 4 x 4 regions."""

CHUNK = 64


class TimeConv(nn.Module):
    """A 3x3x3 convolution and batch normalisation over clips, time and place; zeros around.

    (N, T, C, H, W) -> (N, T / pace, outputs, H / stride, W / stride). Computed as a 3x3 convolution of each frame with
    the frames before and after it as further channels: the same sums, in a memory layout that the CPU is fast in.
    """

    def __init__(self, inputs: int, outputs: int, pace: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.pace = pace
        self.conv = nn.Conv2d(3 * inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        frames = x.shape[1]
        padded = F.pad(x, (0, 0, 0, 0, 0, 0, 1, 1))
        beside = torch.cat([padded[:, start : start + frames : self.pace] for start in range(3)], dim=2)
        return of_clips(self.norm(self.conv(beside.flatten(0, 1))), x.shape[0])


def of_clips(frames: Tensor, clips: int) -> Tensor:
    """(N T, C, H, W) -> (N, T, C, H, W)."""
    return frames.reshape(clips, -1, *frames.shape[1:])


class Block(nn.Module):
    """relu(shortcut(x) + f2(relu(f1(x)))), f a TimeConv; shapes as there."""

    def __init__(self, inputs: int, outputs: int, pace: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.f1, self.f2 = TimeConv(inputs, outputs, pace, stride), TimeConv(outputs, outputs)
        self.pace, self.stride = pace, stride
        self.shortcut: nn.Module = nn.Identity()
        if pace > 1 or stride > 1 or inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        # Not a stride of the 1x1 convolution: with few channels its gradient on the CPU writes outside its memory.
        kept = x[:, :: self.pace, :, :: self.stride, :: self.stride]
        kept = of_clips(self.shortcut(kept.flatten(0, 1)), x.shape[0])
        return torch.relu(kept + self.f2(torch.relu(self.f1(x))))


class RegionAttention(nn.Module):
    """(N, C, H, W) -> (N, C): the regions' mean features, weighed by a softmax over the regions.

    A region's score comes from what is seen there and from where it is.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.seen = nn.Linear(channels, 1, bias=False)
        self.place = nn.Parameter(torch.zeros(REGIONS**2))

    def weights(self, regions: Tensor) -> Tensor:
        """(N, regions, C) -> (N, regions), sum 1."""
        scores: Tensor = self.seen(regions).squeeze(2) + self.place
        return scores.softmax(1)

    def forward(self, x: Tensor) -> Tensor:
        regions = F.adaptive_avg_pool2d(x, REGIONS).flatten(2).transpose(1, 2)
        return torch.einsum("nr,nrc->nc", self.weights(regions), regions)


class PrototypeNet(nn.Module):
    """(N, 2 K, S, S), u and v of K key frames, -> (N, classes): minus the squared distances to the class prototypes.

    A prototype is the mean embedding of a class (Snell et al. 2017): of half of the batch in training, of all training
    clips afterwards (:meth:`settle`). ``widths`` of the stages, two blocks each; the side is halved before the first
    stage and in the first two, the number of frames in all but the first.
    """

    prototypes: Tensor
    known: Tensor

    def __init__(self, classes: int, widths: Sequence[int] = (36, 72, 144), embedding: int = 128) -> None:
        super().__init__()
        self.stem = nn.Sequential(TimeConv(2, widths[0], stride=2), nn.ReLU())
        self.stages = nn.Sequential()
        for i, (before, width) in enumerate(zip((widths[0], *widths), widths, strict=False)):
            pace, stride = 1 if i == 0 else 2, 2 if i < 2 else 1
            self.stages.append(nn.Sequential(Block(before, width, pace, stride), Block(width, width)))
        self.attention = RegionAttention(widths[-1])
        # Without a bias: the same shift of every embedding changes no distance.
        self.head = nn.Linear(2 * widths[-1], embedding, bias=False)
        self.register_buffer("prototypes", torch.zeros(classes, embedding))
        self.register_buffer("known", torch.ones(classes, dtype=torch.bool))

    def embed(self, x: Tensor) -> Tensor:
        """(N, 2 K, S, S) -> (N, embedding), from the whole face and from the regions that matter."""
        features = self.stages(self.stem(x.reshape(x.shape[0], -1, 2, *x.shape[2:]))).mean(1)
        embedded: Tensor = self.head(torch.cat([features.mean((2, 3)), self.attention(features)], 1))
        return embedded

    def forward(self, x: Tensor) -> Tensor:
        logits = -squared_distances(self.embed(x), self.prototypes)
        # Not minus infinity: a class without a training clip is out of reach, and every number stays finite.
        return torch.where(self.known, logits, logits.amin(1, keepdim=True) - 50)

    def loss(self, x: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        """One episode: half of each class's clips make the prototypes, the others are asked about.

        Where no class has two clips, those that make the prototypes are asked about too.
        """
        support = support_of(y.argmax(1))
        query = ~support if bool((~support).any()) else support
        embedded = self.embed(x)
        prototypes, present = class_means(embedded[support], y[support])
        logits = -squared_distances(embedded[query], prototypes[present])
        return F.cross_entropy(logits, y[query][:, present], None if weight is None else weight[present])

    def settle(self, x: Tensor, y: Tensor) -> None:
        """The prototypes of all training clips (N, 2 K, S, S), labels (N,)."""
        embedded = torch.cat([self.embed(part) for part in torch.split(x, CHUNK)])
        prototypes, known = class_means(embedded, F.one_hot(y, len(self.prototypes)).to(embedded))
        self.prototypes.copy_(prototypes)
        self.known.copy_(known)


def squared_distances(x: Tensor, to: Tensor) -> Tensor:
    """(N, D), (K, D) -> (N, K)."""
    return (x[:, None] - to[None]).square().sum(2)


def class_means(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of each class, zeros where it has no clip, and whether it has one: (N, D), (N, K) -> (K, D), (K,).

    ``y`` are shares: a clip that is mixed of two classes counts for each by its own.
    """
    total = y.sum(0)
    return y.T @ x / total.clamp_min(1e-6)[:, None], total > 0


def support_of(labels: Tensor) -> Tensor:
    """Marks every second clip of each class, in a random order; of an odd number the larger half: (N,) -> bool (N,)."""
    order = torch.randperm(len(labels)).to(labels.device)
    of_class = F.one_hot(labels[order])
    turn = (of_class.cumsum(0) * of_class).sum(1)
    marks = torch.empty_like(turn, dtype=torch.bool)
    marks[order] = turn % 2 == 1
    return marks
