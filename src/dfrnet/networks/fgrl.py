"""FGRL-AUF (Lei et al. 2021): patches of a face in two small transformers, read by a graph of action units."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BROWS, MOUTH = 10, 20  # patches
SIDE = 7  # pixels of a patch
BROW_UNITS = 3  # the first units move the brows, the others the mouth
EMBEDDING, HIDDEN, FEATURES = 40, 80, 160  # widths of the graph; the face's features are as wide as its last

FACTORS = (1.2, 3.0, 0.2)  # of the magnification in training: lowest, highest, step
FACTOR = 2.0  # and otherwise


class EncoderLayer(nn.Module):
    """Self-attention, then a wide layer, each added to its input and normalised: (N, tokens, width) -> the same."""

    def __init__(self, width: int, heads: int = 8, head: int = 16, hidden: int = 128, dropout: float = 0.5) -> None:
        super().__init__()
        self.parts = (3, heads, head)
        self.look = nn.Linear(width, 3 * heads * head, bias=False)  # queries, keys, values
        self.join = nn.Sequential(nn.Linear(heads * head, width, bias=False), nn.Dropout(dropout))
        self.looked = nn.LayerNorm(width, eps=1e-6)
        self.think = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width), nn.Dropout(dropout)
        )  # fmt: skip
        self.thought = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        queries, keys, values = self.look(x).unflatten(2, self.parts).permute(2, 0, 3, 1, 4)
        weights = (queries @ keys.mT / self.parts[2] ** 0.5).softmax(dim=-1)
        x = self.looked(x + self.join((weights @ values).transpose(1, 2).flatten(2)))
        out: Tensor = self.thought(x + self.think(x))
        return out


class UnitGraph(nn.Module):
    """Two graph convolutions over embeddings of action units: () -> (units, 160).

    ``relations`` (units, units) weighs what each unit (row) takes from each other; a buffer, so files carry it.
    """

    relations: Tensor

    def __init__(self, relations: Tensor) -> None:
        super().__init__()
        self.register_buffer("relations", relations)
        self.units = nn.Parameter(0.01 * torch.randn(len(relations), EMBEDDING))
        # Matrices and no layers: the counter of operations fails where a layer is given a parameter.
        self.first, self.second = (
            nn.Parameter(torch.empty(wide, out).uniform_(-(out**-0.5), out**-0.5))
            for wide, out in ((EMBEDDING, HIDDEN), (HIDDEN, FEATURES))
        )

    def forward(self) -> Tensor:
        x = F.leaky_relu(self.relations @ self.units @ self.first, 0.2)
        return F.leaky_relu(self.relations @ x @ self.second, 0.2)


class FGRL(nn.Module):
    """(N, 60, S, S) -> (N, classes) logits; the channels are 30 patches of the onset, then the 30 changes to the apex.

    The network sees onset + factor x change, the factor drawn anew for each clip in training. ``relations`` (units,
    units), see :class:`UnitGraph`. Patches of a side other than 7 are averaged to 7x7.
    """

    def __init__(self, relations: Tensor, classes: int, layers: int = 6, dropout: float = 0.5) -> None:
        super().__init__()
        patches = BROWS + MOUTH
        # Without a bias: the normalisation that follows would take it off again.
        self.local = nn.Sequential(
            nn.Conv2d(patches, patches, 3, padding=1, groups=patches, bias=False), nn.BatchNorm2d(patches), nn.ReLU()
        )
        self.brows = _encoder(BROWS, layers, dropout)
        self.mouth = _encoder(MOUTH, layers, dropout)
        self.graph = UnitGraph(relations)
        self.head = nn.Sequential(nn.LayerNorm(len(relations), eps=1e-6), nn.Linear(len(relations), classes))

    def forward(self, x: Tensor) -> Tensor:
        onset, change = F.adaptive_avg_pool2d(x, SIDE).chunk(2, dim=1)
        tokens = self.local(onset + self._factors(x) * change).flatten(2)
        units = self.graph()
        brows = self.brows(tokens[:, :BROWS]) @ units[:BROW_UNITS].T
        mouth = self.mouth(tokens[:, BROWS:]) @ units[BROW_UNITS:].T
        logits: Tensor = self.head(torch.cat([brows, mouth], dim=1))
        return logits

    def _factors(self, x: Tensor) -> Tensor | float:
        if not self.training:
            return FACTOR
        low, high, step = FACTORS
        return low + step * torch.randint(round((high - low) / step) + 1, (len(x), 1, 1, 1), device=x.device)


def _encoder(tokens: int, layers: int, dropout: float) -> nn.Sequential:
    """(N, tokens, 49) -> (N, 160)."""
    width = SIDE * SIDE
    return nn.Sequential(
        *(EncoderLayer(width, dropout=dropout) for _ in range(layers)),
        nn.Flatten(),
        nn.Linear(tokens * width, 2 * FEATURES),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(2 * FEATURES, FEATURES),
        nn.ReLU(),
    )
