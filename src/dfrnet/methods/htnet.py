"""HTNet: transformers over four facial areas, attending within blocks that grow coarser.

Wang, Zhang, Liu, Luo, Tang: "HTNet for micro-expression recognition", 2023, arXiv:2307.14637, and its released code.
Settings of that code: 28x28 maps of u, v and strain cut into four tiles around eyes and lips, patch 7, 256 channels,
3 heads, layers 2 + 2 + 10, Adam 5e-5, batch 256, 800 epochs, cross entropy, no augmentation, no dropout. The code keeps
the epoch that is best on the test subject; here it is the last.

With these sizes there are 4x4 tokens and 4x4 blocks, so that every block is one token at all three levels and attention
has nothing to choose from: queries and keys, 22.2 of the 139.6 million parameters, have no effect and are never
trained. They are kept, as they were published, and not computed.
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
    """``patch`` in pixels; ``width`` channels and ``heads`` of the first level, doubled at each further one;
    ``repeats`` layers of each level. Augmentation would move content from one tile to the next and is off.
    """

    features: FeatureSpec = field(default_factory=lambda: FeatureSpec(tiles="eyes_lips"))
    patch: int = 7
    width: int = 256
    heads: int = 3
    repeats: tuple[int, ...] = (2, 2, 10)
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(epochs=800, batch_size=256, learning_rate=5e-5, flip=False)
    )

    def __post_init__(self) -> None:
        if self.patch < 1:
            raise UserError(f"patch={self.patch}: it must be at least 1")
        if not 1 <= self.heads <= self.width:
            raise UserError(f"heads={self.heads}: it must lie in 1..{self.width}, the width")
        if not self.repeats or min(self.repeats) < 0:
            raise UserError(f"repeats={self.repeats}: name a number of layers, 0 or more, for at least one level")


def network(settings: Settings, features: FeatureSpec, classes: int) -> nn.Module:
    """The network for maps of ``features.size``; 139,582,982 parameters as published, for three classes."""
    from dfrnet.networks.htnet import HTNet

    least = settings.patch * 2 ** (len(settings.repeats) - 1)
    if features.size % least:
        raise UserError(
            f"size={features.size}: patch and repeats need a multiple of {least}, such as --set size={least}"
        )
    return HTNet(
        len(features.maps), features.size, classes, settings.patch, settings.width, settings.heads, settings.repeats
    )


def build(settings: Settings, features: FeatureSpec, classes: int, seed: int) -> Classifier:
    """A fresh classifier."""
    from dfrnet.training.classifier import TorchClassifier

    return TorchClassifier(
        lambda: network(settings, features, classes), features.maps, classes, settings.training, seed
    )


METHOD = Method(
    name="htnet",
    reference="Wang et al., 2023, arXiv:2307.14637",
    settings=Settings(),
    inputs=lambda settings: settings.features,
    build=build,
    network=network,
    differences=(
        "The last epoch counts; the released code keeps the one that is best on the test subject.",
        "Maps are centred, scaled per clip and normalised over the training clips; the released code feeds 0..255.",
        "Clips are shuffled in each epoch; the released code takes them in one order.",
        "The points come from the apex frame at its full size by MediaPipe, from MTCNN on 28x28 pixels in the released "
        "code; where no face is found, and on ready-made maps, they are the code's default ones, as for all clips of "
        "a data set whose faces MTCNN does not see at that size (likely most).",
        "A block has one token at 28x28 and patch 7, so queries and keys have no effect; their parameters are kept, "
        "and their computation, a seventh of the whole, left out.",
    ),
)
