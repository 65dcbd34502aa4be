"""RCN-A: a shallow recurrent convolutional network with attention that costs no parameters.

Xia, Peng, Khor, Feng, Zhao: "Revealing the Invisible With Model and Data Shrinking for Composite-Database
Micro-Expression Recognition", IEEE Transactions on Image Processing 29, 2020. Settings of the released training
script: SGD 5e-4 with momentum 0.9, halved every 10 epochs, batch 64, cross entropy, the last epoch counts; 100 epochs,
64 filters and a pool of 7, its defaults (its page shows a run of 20 epochs with 32 filters and a pool of 5).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dfrnet.features import FeatureSpec
from dfrnet.methods.method import Method
from dfrnet.training import TrainingConfig
from dfrnet.types import Classifier, UserError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Settings:
    """60x60 maps; ``filters`` of every convolution, ``pool`` the side of what the last layer reads, ``dropout``."""

    features: FeatureSpec = field(default_factory=lambda: FeatureSpec(size=60))
    filters: int = 64
    pool: int = 7
    dropout: float = 0.5
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            epochs=100,
            batch_size=64,
            learning_rate=5e-4,
            optimiser="sgd",
            momentum=0.9,
            schedule="step",
            decay=0.5,
            decay_every=10,
            flip=False,
        )
    )

    def __post_init__(self) -> None:
        if self.filters < 1 or self.pool < 1:
            raise UserError(f"filters={self.filters} and pool={self.pool}: both must be above 0")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout={self.dropout}: it must lie in 0..1, below 1")


def network(settings: Settings, features: FeatureSpec, classes: int) -> nn.Module:
    """The network, for any size of map; 55,747 parameters for three maps and three classes."""
    from dfrnet.networks.rcn import RCNA

    return RCNA(len(features.maps), classes, settings.filters, settings.pool, settings.dropout)


def build(settings: Settings, features: FeatureSpec, classes: int, seed: int) -> Classifier:
    """A fresh classifier."""
    from dfrnet.training.classifier import TorchClassifier

    return TorchClassifier(
        lambda: network(settings, features, classes), features.maps, classes, settings.training, seed
    )


METHOD = Method(
    name="rcn_a",
    reference="Xia et al., IEEE Transactions on Image Processing 29, 2020",
    settings=Settings(),
    inputs=lambda settings: settings.features,
    build=build,
    network=network,
    differences=(
        "The three channels are u, v and optical strain; how the authors painted their flow images is not public.",
        "On frames the flow is DIS; the authors' is not known, their code begins with finished flow images.",
        "Maps are centred, scaled per clip (no value is cut off) and normalised over the training clips; the released "
        "code feeds 8-bit images as 0..1.",
        "Copies with magnified motion are left out: maps scaled by each clip's own maximum are the same for any "
        "magnification, and the released lists of training clips hold none either.",
        "On ready-made maps of 28x28 the last pooling makes 7x7 places out of 6x6; at the published 60x60, out of "
        "14x14.",
    ),
)
