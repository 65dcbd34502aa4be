"""CapsuleNet: capsules over a ResNet-18, on nothing but the apex frame in colour.

Van Quang, Chun, Tokuyama: "CapsuleNet for Micro-expression Recognition", FG 2019. Settings of the released code: 224 x
224, ImageNet's ResNet-18 up to its third stage, 3 rounds of routing, Adam 1e-4 times 0.9 after each epoch, batch 32, 30
epochs; frames near the apex fill up the rarer classes; rotation up to 8 degrees, mirror, crop, and colours changed.
Reported: the best of the epochs on the test subject, which ``fixed`` selection does not do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dfrnet.features import FeatureSpec
from dfrnet.features.colour import COLOUR_MAPS, COLOURS
from dfrnet.methods.method import Method
from dfrnet.training import TrainingConfig
from dfrnet.types import Classifier, UserError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Settings:
    """``routings`` rounds of routing by agreement; ``jitter`` of the colours in training, 0 for none.

    ``maps``: red, green and blue of the apex, then of any further pictures that training may see. ``weights`` a
    safetensors file with ImageNet's ResNet-18, from which the trunk starts; empty for random ones.
    ``class_weights`` make the classes equal, and are what lets rarer ones show frames beside their apex.
    """

    features: FeatureSpec = field(
        default_factory=lambda: FeatureSpec(maps=tuple(COLOUR_MAPS), size=224, frame_size=224)
    )
    routings: int = 3
    jitter: float = 0.2
    weights: str = ""
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            epochs=30, batch_size=32, learning_rate=1e-4, schedule="step", decay=0.9, decay_every=1,
            class_weights=True, flip=True, rotate=8.0, crop=0.06,
        )
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.routings < 1:
            raise UserError(f"routings={self.routings}: it must be 1 or more")
        if not 0 <= self.jitter < 1:
            raise UserError(f"jitter={self.jitter}: it must lie in 0..1, below 1")
        if not _in_colour(self.features.maps):
            raise UserError(
                f"maps={','.join(self.features.maps)}: capsulenet takes pictures of red, green and blue in this order, "
                f"of {', '.join(COLOUR_MAPS)}"
            )


def _in_colour(maps: tuple[str, ...]) -> bool:
    """Whether these are one or more pictures, each its red, green and blue of one frame."""
    steps = [name.removeprefix("red") for name in maps[::3]]
    return all(name in COLOUR_MAPS for name in maps) and maps == tuple(c + step for step in steps for c in COLOURS)


def network(settings: Settings, features: FeatureSpec, classes: int) -> nn.Module:
    """The network for pictures of ``features.size``; 13,842,496 parameters at 224 and three classes."""
    from dfrnet.networks.capsule import CapsuleNet
    from dfrnet.networks.resnet import torchvision_name
    from dfrnet.networks.weights import load_weights

    whole = CapsuleNet(features.size, classes, settings.routings, settings.jitter)
    if settings.weights:
        load_weights(whole.trunk, Path(settings.weights), names=torchvision_name)
    return whole


def build(settings: Settings, features: FeatureSpec, classes: int, seed: int) -> Classifier:
    """A fresh classifier."""
    from dfrnet.training.classifier import TorchClassifier

    return TorchClassifier(
        lambda: network(settings, features, classes), features.maps, classes, settings.training, seed
    )


METHOD = Method(
    name="capsulenet",
    reference="Van Quang, Chun, Tokuyama, FG 2019",
    settings=Settings(),
    inputs=lambda settings: settings.features,
    build=build,
    network=network,
    differences=(
        "The ResNet-18 starts from random weights unless weights= names a file with ImageNet's.",
        "Colours are standardised by the training clips, not by ImageNet's mean and deviation.",
        "Each clip has two frames near the apex, the second before it and the second after it; training draws one of "
        "the three and weighs the classes, where the authors enlarge their training set with up to four.",
        "Colours change in contrast, saturation and brightness, not in hue, and a crop is of up to 6 % of the side.",
        "Where no apex is annotated it is found by flow, not by the authors' ratio of differences over ten face cells.",
        "At other sizes than 224 the 9x9 kernels shrink with the picture.",
    ),
)
