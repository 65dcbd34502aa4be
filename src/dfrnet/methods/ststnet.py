"""STSTNet: three parallel shallow convolutions on u, v and strain.

Liong, Gan, See, Khor, Huang: "Shallow Triple Stream Three-dimensional CNN (STSTNet) for Micro-expression Recognition",
FG 2019, arXiv:1902.03634. Settings of the released code: Adam 5e-5, batch 256, 500 epochs, the last one counts, no
augmentation.
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
    """28x28 maps of u, v and strain; ``dropout`` after each stream."""

    features: FeatureSpec = field(default_factory=FeatureSpec)
    dropout: float = 0.5
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(epochs=500, batch_size=256, learning_rate=5e-5, flip=False)
    )

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout={self.dropout}: it must lie in 0..1, below 1")


def network(settings: Settings, features: FeatureSpec, classes: int) -> nn.Module:
    """The network for maps of ``features.size``; 1,683 parameters at 28x28 and three classes."""
    from dfrnet.networks.ststnet import STSTNet

    return STSTNet(len(features.maps), features.size, classes, settings.dropout)


def build(settings: Settings, features: FeatureSpec, classes: int, seed: int) -> Classifier:
    """A fresh classifier."""
    from dfrnet.training.classifier import TorchClassifier

    return TorchClassifier(
        lambda: network(settings, features, classes), features.maps, classes, settings.training, seed
    )


METHOD = Method(
    name="ststnet",
    reference="Liong et al., FG 2019, arXiv:1902.03634",
    settings=Settings(),
    inputs=lambda settings: settings.features,
    build=build,
    network=network,
    differences=(
        "Maps are centred, scaled per clip and normalised over the training clips; the authors' code feeds 0..255.",
        "On frames the flow is DIS, not TV-L1 (flow=tvl1).",
    ),
)
