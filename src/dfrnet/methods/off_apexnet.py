"""OFF-ApexNet: horizontal and vertical flow in two streams, joined by two wide layers.

Gan, Liong, Yau, Huang, Tan: "OFF-ApexNet on Micro-expression Recognition System", Signal Processing: Image
Communication 74, 2019, arXiv:1805.08699. Published training: Adam 1e-4, 3,000 iterations, the last one counts. The
batch is not known from the sources at hand; with the 64 of the re-implementation in the Off-TANet repository, 3,000
iterations on some 436 clips (7 batches) are 429 epochs.
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
    """28x28 maps of u and v, a stream for each map; ``dropout`` after each of the two wide layers."""

    features: FeatureSpec = field(default_factory=lambda: FeatureSpec(maps=("u", "v")))
    dropout: float = 0.5
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(epochs=429, batch_size=64, learning_rate=1e-4, flip=False)
    )

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout={self.dropout}: it must lie in 0..1, below 1")


def network(settings: Settings, features: FeatureSpec, classes: int) -> nn.Module:
    """The network for maps of ``features.size``; 2,664,475 parameters for two maps of 28x28 and three classes."""
    from dfrnet.networks.off_apexnet import OffApexNet

    return OffApexNet(len(features.maps), features.size, classes, settings.dropout)


def build(settings: Settings, features: FeatureSpec, classes: int, seed: int) -> Classifier:
    """A fresh classifier."""
    from dfrnet.training.classifier import TorchClassifier

    return TorchClassifier(
        lambda: network(settings, features, classes), features.maps, classes, settings.training, seed
    )


METHOD = Method(
    name="off_apexnet",
    reference="Gan et al., Signal Processing: Image Communication 74, 2019, arXiv:1805.08699",
    settings=Settings(),
    inputs=lambda settings: settings.features,
    build=build,
    network=network,
    differences=(
        "The published 3,000 iterations are counted as 429 epochs at a batch of 64, the batch of a public "
        "re-implementation; the paper's own batch was not found.",
        "It has 2.664 M parameters, as public re-implementations have; the paper gives 2.77 M.",
        "On frames the flow is DIS; which one the paper has was not found, the re-implementation takes TV-L1 "
        "(flow=tvl1).",
        "Maps are centred, scaled per clip (no value is cut off) and normalised over the training clips; the "
        "re-implementation feeds the flow as it is, in pixels.",
    ),
)
