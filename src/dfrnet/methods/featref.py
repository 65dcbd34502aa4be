"""FeatRef: features shared by all expressions, refined by one proposal with attention for each class, then fused.

Zhou, Mao, Huang, Zhang, Zhang: "Feature Refinement: An Expression-specific Feature Learning and Fusion Method for
Micro-expression Recognition", Pattern Recognition 122, 2022, arXiv:2101.04838. No code is public. The Inception
streams are those of Dual-Inception (Zhou, Mao, Xue: "Dual-Inception Network for Cross-Database Micro-Expression
Recognition", FG 2019), and so are optimiser, rate and batch here, as a public re-implementation of it has them: Adam
1e-3, batch 64. The number of epochs is not known either: at that rate nothing is left to learn from some 430 clips of
28x28 after 20 (the loss is near 0.001), so 30 are the default.
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
    """28x28 maps of u and v, a stream for each; ``proposal_weight`` of the proposals' losses in the total.

    ``shared``, ``specific`` and ``fused``: how many values all classes share, each has of its own, and fused ones.
    """

    features: FeatureSpec = field(default_factory=lambda: FeatureSpec(maps=("u", "v")))
    shared: int = 1024
    specific: int = 512
    fused: int = 128
    proposal_weight: float = 0.85
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(epochs=30, batch_size=64, learning_rate=1e-3, flip=False)
    )

    def __post_init__(self) -> None:
        if min(self.widths) < 1:
            raise UserError("shared={}, specific={} and fused={}: each must be above 0".format(*self.widths))
        if self.proposal_weight < 0:
            raise UserError(f"proposal_weight={self.proposal_weight}: it must be 0 or more")

    @property
    def widths(self) -> tuple[int, int, int]:
        """Of the shared, the specific and the fused features."""
        return self.shared, self.specific, self.fused


def network(settings: Settings, features: FeatureSpec, classes: int) -> nn.Module:
    """The network for maps of ``features.size``; 11,368,654 parameters for two maps of 28x28 and three classes."""
    from dfrnet.networks.featref import FeatRef

    return FeatRef(len(features.maps), features.size, classes, settings.widths, settings.proposal_weight)


def build(settings: Settings, features: FeatureSpec, classes: int, seed: int) -> Classifier:
    """A fresh classifier."""
    from dfrnet.training.classifier import TorchClassifier

    return TorchClassifier(
        lambda: network(settings, features, classes), features.maps, classes, settings.training, seed
    )


METHOD = Method(
    name="featref",
    reference="Zhou et al., Pattern Recognition 122, 2022, arXiv:2101.04838",
    settings=Settings(),
    inputs=lambda settings: settings.features,
    build=build,
    network=network,
    differences=(
        "No code is public and layer sizes were not found: 1,024 shared values, 512 for each class and 128 fused were "
        "chosen to give 11.37 M parameters, where 11.4 M are published.",
        "How attention weighs the shared features was not found either: here it is one sigmoid layer for each class.",
        "The number of epochs is not known: 30 here, by when the training loss has been near 0 for ten.",
        "Optimiser, rate and batch (Adam 1e-3, 64) are those of a public re-implementation of Dual-Inception, and the "
        "proposals' weight of 0.85 could not be checked against the paper.",
        "On frames the flow is DIS; which one the paper has was not found, the re-implementation of Dual-Inception "
        "takes TV-L1 (flow=tvl1).",
        "Maps are centred, scaled per clip (no value is cut off) and normalised over the training clips; how the paper "
        "scales them was not found, the re-implementation feeds the flow as it is, in pixels.",
    ),
)
