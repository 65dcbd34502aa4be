"""DFR-Net: three branches, fused, then a residual network with channel and spatial attention.

Li, Huang, Wu: "A Semi-Lightweight Multi-Feature Integration Architecture for Micro-Expression Recognition", Computers,
Materials & Continua 84(1), 2025. Equation numbers are the paper's. Where it is silent (input size, widths, stem,
epochs without a validation set) the choice is a setting below, and docs/method.md says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dfrnet.features import FeatureSpec
from dfrnet.methods.method import Method
from dfrnet.training import TrainingConfig
from dfrnet.types import Classifier, UserError, unknown_name

if TYPE_CHECKING:
    from torch import nn

MAPS_OF = {"spatial": ("apex",), "differential": ("difference",), "flow": ("u", "v", "strain")}
"""The three inputs by their names in the paper's Table 3, and the maps of each."""

WIDTHS = (64, 128, 256, 512)


@dataclass(frozen=True)
class Settings:
    """``inputs``: ``all``, or one or more of flow, spatial, differential joined by ``+`` (``flow+spatial``).

    ``fusion`` a name in FUSIONS; ``attention`` none, spatial, channel or both; ``layers`` 1 to 4 stages of ``widths``;
    ``stem`` resnet, small, or auto: ResNet's own for maps of 64 pixels and more, the small one below. ``backbone`` a
    name in BACKBONES; only ``attention_resnet`` has ``attention``, ``layers``, ``stem`` and more than the first of the
    ``widths``. ``weights`` a safetensors file from which the backbone starts, such as ImageNet's for ResNet-18, which
    suit ``resnet18`` and ``attention_resnet``; empty for random ones.
    """

    features: FeatureSpec = field(default_factory=lambda: FeatureSpec(size=128))
    inputs: str = "all"
    fusion: str = "paper"
    attention: str = "both"
    layers: int = 3
    widths: tuple[int, ...] = WIDTHS
    stem: str = "auto"
    dropout: float = 0.0
    backbone: str = "attention_resnet"
    weights: str = ""
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        for name in self.branches:
            if name not in MAPS_OF:
                raise unknown_name("input", name, ("all", *MAPS_OF))
        if self.features.maps != FeatureSpec().maps:
            raise UserError("dfrnet takes its maps from its inputs; use --set inputs=... instead of maps")
        if len(set(self.branches)) < len(self.branches):
            raise UserError(f"inputs={self.inputs}: each input at most once")
        if not 1 <= self.layers <= len(self.widths):
            raise UserError(f"layers={self.layers}: it must lie in 1..{len(self.widths)}, one for each width")
        if min(self.widths) < 1 or not 0 <= self.dropout < 1:
            raise UserError(f"widths={self.widths} must be above 0 and dropout={self.dropout} in 0..1, below 1")

    @property
    def branches(self) -> tuple[str, ...]:
        """The inputs in use, in the paper's order."""
        chosen = tuple(MAPS_OF) if self.inputs == "all" else tuple(self.inputs.split("+"))
        return tuple(sorted(chosen, key=lambda name: [*MAPS_OF, name].index(name)))


PAPER = Settings(
    fusion="paper",
    stem="resnet",
    training=TrainingConfig(epochs=100, batch_size=32, learning_rate=1e-5, patience=10, flip=True, crop=0.1),
)
"""Section 4.2 as printed: Adam at 1e-5, batch 32, at most 100 epochs, flip and random crop, no class weights."""

DEFAULT = Settings(
    training=TrainingConfig(
        epochs=12,
        learning_rate=3e-3,
        schedule="cosine",
        warmup=2,
        weight_decay=1e-4,
        class_weights=True,
        mixup=0.4,
        average=0.97,
        shift=0.05,
        rotate=5.0,
        zoom=0.05,
    )
)
"""Chosen on held-out subjects of the public maps by ``benchmarks/choose_settings.py`` (results/choose_settings.md)."""


def inputs(settings: Settings) -> FeatureSpec:
    """The maps of the inputs in use, at the settings' size."""
    return replace(settings.features, maps=tuple(name for branch in settings.branches for name in MAPS_OF[branch]))


def network(settings: Settings, features: FeatureSpec, classes: int) -> nn.Module:
    """The network for maps in the order of ``features.maps``."""
    from dfrnet.networks.attention import ATTENTIONS
    from dfrnet.networks.backbones import BACKBONES, SMALL
    from dfrnet.networks.dfrnet import DFRNet
    from dfrnet.networks.fusion import FUSIONS
    from dfrnet.networks.resnet import STEMS, torchvision_name
    from dfrnet.networks.weights import load_weights

    stems = {"auto": None, **STEMS}
    named = (("fusion", FUSIONS), ("attention", ATTENTIONS), ("stem", stems), ("backbone", BACKBONES))
    for kind, known in named:
        if getattr(settings, kind) not in known:
            raise unknown_name(kind, getattr(settings, kind), known)
    _check_backbone(settings, features.size)
    branches = {
        "temporal" if name == "flow" else name: [features.maps.index(one) for one in MAPS_OF[name]]
        for name in settings.branches
    }
    stem = settings.stem
    if stem == "auto":
        stem = "resnet" if features.size >= SMALL else "small"
    whole = DFRNet(
        branches, classes, settings.fusion, settings.attention, settings.widths[: settings.layers], stem,
        settings.dropout, settings.backbone, features.size,
    )  # fmt: skip
    if settings.weights:
        names = torchvision_name if settings.backbone == Settings.backbone else str
        load_weights(whole.resnet, Path(settings.weights), names=names)
    return whole


def _check_backbone(settings: Settings, side: int) -> None:
    """UserError for a setting that only the attention ResNet has, and for maps that are too small for another."""
    from dfrnet.networks.backbones import LEAST

    name = settings.backbone
    if name == Settings.backbone:
        return
    # The stem "resnet" passes: the paper's preset has it, and the paper's Table 5 changes nothing but the backbone.
    for setting, without in (("attention", ("both",)), ("layers", (3,)), ("stem", ("auto", "resnet"))):
        value = getattr(settings, setting)
        if value not in without:
            raise UserError(
                f"{setting}={value}: backbone={name} has no such choice; leave {setting}={without[0]}, or take "
                f"backbone={Settings.backbone}"
            )
    if side < LEAST:
        raise UserError(f"size={side}: backbone={name} needs maps of {LEAST} pixels or more")


def build(settings: Settings, features: FeatureSpec, classes: int, seed: int) -> Classifier:
    """A fresh classifier."""
    from dfrnet.training.classifier import TorchClassifier

    return TorchClassifier(
        lambda: network(settings, features, classes), features.maps, classes, settings.training, seed
    )


METHOD = Method(
    name="dfrnet",
    reference="Li, Huang, Wu, CMC 84(1), 2025, doi:10.32604/cmc.2025.062621",
    settings=DEFAULT,
    inputs=inputs,
    build=build,
    network=network,
    presets={"paper": PAPER},
    differences=(
        "The training is not the printed one, which the preset paper has: rate, schedule, mixup and class weights were "
        "chosen on held-out subjects of the public maps.",
        "Input size, widths and stem are not in the paper's text: 128 pixels and the widths of ResNet-18.",
        "The paper stops on a validation loss whose clips it does not name; here the last epoch counts, or one that is "
        "chosen on training subjects.",
        "The apex of SMIC is found by flow_prior, not by D&C-RoIs (apex=dc_rois).",
        "Strain is the standard magnitude; the printed formula would be raised by a mere turn of the head.",
    ),
)
