"""ME-PLAN, as far as it is published: class prototypes of the flow to a few key frames around the apex.

Zhao et al.: "ME-PLAN: A deep prototypical learning with local attention network for dynamic micro-expression
recognition", Neural Networks 153 (2022) 427-443. Published: a 3D residual network, trained in episodes to bring each
clip near the mean of its class (prototypes); attention to local regions; optical flow of a sequence of key frames
around an apex that a spotter of its own finds; pre-training on macro-expressions; 2.53 M parameters and 70.56 GFLOP.
Not obtainable: the sizes of the layers, the number of key frames, the optimiser. ``differences`` says what ours are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dfrnet.features import FeatureSpec
from dfrnet.features.keyframes import KEYFRAME_MAPS
from dfrnet.methods.method import Method
from dfrnet.training import TrainingConfig
from dfrnet.types import Classifier, UserError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Settings:
    """``widths`` of the network's stages; ``embedding`` numbers in which distances to the prototypes are taken.

    ``maps``: pairs of u and v in the order of time; ``maps=u,v`` is the flow to the apex alone, for sets of maps.
    """

    features: FeatureSpec = field(default_factory=lambda: FeatureSpec(maps=tuple(KEYFRAME_MAPS), size=56))
    widths: tuple[int, ...] = (36, 72, 144)
    embedding: int = 128
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(epochs=60, batch_size=32, learning_rate=1e-3, schedule="cosine")
    )

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1:
            raise UserError(f"widths={self.widths} must be above 0, one for each stage")
        if self.embedding < 1:
            raise UserError(f"embedding={self.embedding}: it must be 1 or more")
        maps = self.features.maps
        if [name.partition("@")[0] for name in maps] != ["u", "v"] * (len(maps) // 2) or any(
            u[1:] != v[1:] for u, v in zip(maps[::2], maps[1::2], strict=True)
        ):
            raise UserError(f"maps={','.join(maps)}: me_plan takes pairs of u and v, such as u@1,v@1,u@2,v@2")


def network(settings: Settings, features: FeatureSpec, classes: int) -> nn.Module:
    """The network for the flow to any number of key frames, of any size; about 2.6 M parameters."""
    from dfrnet.networks.prototypes import PrototypeNet

    del features
    return PrototypeNet(classes, settings.widths, settings.embedding)


def build(settings: Settings, features: FeatureSpec, classes: int, seed: int) -> Classifier:
    """A fresh classifier."""
    from dfrnet.training.classifier import TorchClassifier

    return TorchClassifier(
        lambda: network(settings, features, classes), features.maps, classes, settings.training, seed
    )


METHOD = Method(
    name="me_plan",
    reference="Zhao et al., Neural Networks 153, 2022",
    settings=Settings(),
    inputs=lambda settings: settings.features,
    build=build,
    network=network,
    differences=(
        "Layer sizes, input size and the number of key frames are not obtainable: ours are three stages of two 3D "
        "residual blocks, 56x56 and seven frames, made to have about the published number of parameters (2.6 M for "
        "2.53 M) at about a hundredth of the published operations.",
        "There is no pre-training on macro-expressions; training starts from random weights.",
        "The apex is the annotated one, else the one that apex=auto finds, not the authors' spotter; the key frames "
        "lie evenly between onset, apex and offset.",
        "The regions are those of a 4x4 grid with one learned softmax over them, in place of the authors' attention.",
        "An episode is a random batch, half of each class its support; optimiser, rate, batch and epochs are ours.",
    ),
)
