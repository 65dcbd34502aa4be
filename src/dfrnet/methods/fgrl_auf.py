"""FGRL-AUF (AU-GCN): magnified patches of brows and mouth in two transformers, joined with a graph of action units.

Lei, Chen, Li, Li, Chai: "Micro-expression Recognition Based on Facial Graph Representation Learning and Facial Action
Unit Fusion", CVPR Workshops 2021. The network is that of the authors' code (github.com/raying777/FGRMER); the training
is that of a public re-implementation: Adam 1e-4, batch 32, 15 epochs, the last one counts, the magnification drawn from
1.2, 1.4 ... 3.0. Which units occur together is counted in the training clips of each fold; where none of them has its
units annotated (SMIC, released maps), no unit is related to another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dfrnet.features import FeatureSpec
from dfrnet.features.patches import CHANGES, PATCHES, SIDE
from dfrnet.methods.method import Method
from dfrnet.training import TrainingConfig
from dfrnet.types import Array, Classifier, Epoch, UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

UNITS = (1, 2, 4, 10, 12, 14, 15, 17, 25)
"""The action units of the graph, in its order: three of the brows, six of the mouth."""


@dataclass(frozen=True)
class Settings:
    """``layers`` of each of the two transformers; ``dropout`` in them and in the two layers after them.

    ``features`` must keep its maps, which are the patches; they are 7x7 pixels of the frames, whatever ``size``.
    """

    features: FeatureSpec = field(default_factory=lambda: FeatureSpec(maps=PATCHES + CHANGES, size=SIDE, scale="none"))
    layers: int = 6
    dropout: float = 0.5
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(epochs=15, batch_size=32, learning_rate=1e-4, flip=False)
    )

    def __post_init__(self) -> None:
        if self.features.maps != PATCHES + CHANGES:
            raise UserError("fgrl_auf takes the patches of brows and mouth and no other maps; leave maps as it is")
        if self.training.flip:
            raise UserError("flip=true: a mirrored face has its patches in another order; fgrl_auf needs flip=false")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout={self.dropout}: it must lie in 0..1, below 1")
        if self.layers < 1:
            raise UserError(f"layers={self.layers}: it must be 1 or more")


def unit_relations(units: Sequence[frozenset[int]]) -> Array:
    """How the graph mixes the units of UNITS, from those of each clip: float32 (9, 9).

    A holds the chance of unit j where unit i is seen, in row i and column j, and 1 in its diagonal; the result is
    D^-1/2 A^T D^-1/2, D the sums of the rows of A (as in the authors' code). The unit matrix where no clip has units.
    """
    seen = np.array([[unit in one for unit in UNITS] for one in units], np.float64).reshape(-1, len(UNITS))
    together = np.einsum("ni,nj->ij", seen, seen)
    chances = together / np.maximum(np.diag(together), 1)[:, None]
    np.fill_diagonal(chances, 1)
    root = np.sqrt(chances.sum(axis=1))
    return np.asarray(chances.T / np.outer(root, root), np.float32)


def network(settings: Settings, features: FeatureSpec, classes: int, relations: Array | None = None) -> nn.Module:
    """The network: 1,046,558 parameters with six layers and three classes; ``relations`` of :func:`unit_relations`."""
    import torch

    from dfrnet.networks.fgrl import FGRL

    del features
    known = unit_relations(()) if relations is None else relations
    return FGRL(torch.from_numpy(known.copy()), classes, settings.layers, settings.dropout)


class UnitClassifier:
    """A ``TorchClassifier`` whose network is built with what :meth:`learn_units` found in the training clips.

    ``choose_epoch`` uses the units of all training clips, also of those whose subjects it holds out.
    """

    def __init__(self, settings: Settings, features: FeatureSpec, classes: int, seed: int) -> None:
        from dfrnet.training.classifier import TorchClassifier

        self.relations = unit_relations(())
        self.inner = TorchClassifier(
            lambda: network(settings, features, classes, self.relations),
            features.maps, classes, settings.training, seed,
        )  # fmt: skip

    @property
    def network(self) -> nn.Module | None:
        """The trained network, None before."""
        return self.inner.network

    def learn_units(self, units: Sequence[frozenset[int]]) -> None:
        """Take the relations of the units from those of each training clip."""
        self.relations = unit_relations(units)

    def fit(self, x: Array, y: npt.NDArray[np.int64], groups: Sequence[str]) -> UnitClassifier:
        """Train for all epochs."""
        self.inner.fit(x, y, groups)
        return self

    def epochs(self, x: Array, y: npt.NDArray[np.int64], groups: Sequence[str]) -> Iterator[Epoch]:
        """Train from scratch; yields after each epoch."""
        return self.inner.epochs(x, y, groups)

    def choose_epoch(self, x: Array, y: npt.NDArray[np.int64], groups: Sequence[str]) -> tuple[int, list[float]]:
        """The best epoch on held-out training subjects, and the loss of each epoch tried."""
        return self.inner.choose_epoch(x, y, groups)

    def predict_proba(self, x: Array) -> npt.NDArray[np.float64]:
        """float64 (N, classes)."""
        return self.inner.predict_proba(x)

    def restore(self, tensors: dict[str, Tensor], channels: int) -> None:
        """Become the classifier whose network's ``state_dict`` this is; the relations are in it."""
        self.inner.restore(tensors, channels)


def build(settings: Settings, features: FeatureSpec, classes: int, seed: int) -> Classifier:
    """A fresh classifier."""
    return UnitClassifier(settings, features, classes, seed)


METHOD = Method(
    name="fgrl_auf",
    reference="Lei et al., CVPR Workshops 2021 (AU-GCN)",
    settings=Settings(),
    inputs=lambda settings: settings.features,
    build=build,
    network=network,
    differences=(
        "The learned magnifier MagNet is replaced by linear magnification of grey levels, onset + factor x change, "
        "after patches and changes have been brought to mean 0 and deviation 1 over the training clips.",
        "Landmarks are those of MediaPipe's mesh in the onset frame.",
        "Each encoder layer feeds the next; in the authors' code all six get the first one's input, so that only the "
        "last counts.",
        "The training is a re-implementation's, with the last epoch; the authors' code trains at 2e-4 with batch 64 "
        "for up to 2,000 epochs and keeps the one that is best on the test subject.",
        "The convolution has no bias, and the relations of the units are no parameters, since neither would learn.",
        "Without annotated action units in the training clips no unit is related to another.",
    ),
)
