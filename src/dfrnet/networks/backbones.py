"""What stands after the fusion, by name (Table 5 of the paper). The only file that imports torchvision.

All but the paper's own are torchvision's; they begin with the fused features instead of three colours and end in
dropout and a linear layer. Their weights are random and nothing is downloaded. docs/backbones.md says what is changed.
"""

from __future__ import annotations

import importlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import torch
from torch import nn

from dfrnet.networks.resnet import AttentionResNet
from dfrnet.types import UserError

SMALL = 64
"""Maps with a smaller side, in pixels, get a beginning that keeps more of it."""

LEAST = 16
"""The smallest side that torchvision's backbones take; the paper's own takes any."""


@dataclass(frozen=True)
class Options:
    """``dropout`` before the last linear layer of any backbone; the rest is for :class:`AttentionResNet` alone."""

    dropout: float = 0.0
    widths: tuple[int, ...] = (64, 128, 256)
    attention: str = "both"
    stem: str = "resnet"


def attention_resnet(channels: int, classes: int, side: int, options: Options) -> nn.Module:
    """The paper's (section 3.4), for maps of any side."""
    del side
    return AttentionResNet(channels, classes, options.widths, options.attention, options.stem, options.dropout)


def resnet18(channels: int, classes: int, side: int, options: Options) -> nn.Module:
    """ResNet-18 (He et al., CVPR 2016); for small maps with a 3x3 convolution at the start, as the stem ``small``."""
    network = torchvision_models().resnet18()
    small = {"kernel_size": 3, "padding": 1} if side < SMALL else {}
    network.conv1 = _first(network.conv1, channels, **small)
    network.fc = _head(network.fc.in_features, classes, options.dropout)
    return cast(nn.Module, network)


def alexnet(channels: int, classes: int, side: int, options: Options) -> nn.Module:
    """AlexNet's five convolutions (Krizhevsky 2014) without its two layers of 4096; small maps: 3x3, stride 1 first."""
    features = _features(torchvision_models().alexnet)
    small = {"kernel_size": 3, "stride": 1, "padding": 1} if side < SMALL else {}
    features[0] = _first(features[0], channels, **small)
    return _convolutional(features, classes, options.dropout)


def vgg11(channels: int, classes: int, side: int, options: Options) -> nn.Module:
    """VGG-11's eight convolutions (Simonyan and Zisserman, ICLR 2015); small maps skip the first of its five pools."""
    features = _features(torchvision_models().vgg11)
    features[0] = _first(features[0], channels)
    if side < SMALL:
        features[2] = nn.Identity()  # a place holder, so that the names of the rest stay
    return _convolutional(features, classes, options.dropout)


def mobilenet_v3_small(channels: int, classes: int, side: int, options: Options) -> nn.Module:
    """MobileNetV3-small (Howard et al., ICCV 2019); for small maps the first convolution has stride 1."""
    # Its batch normalisation averages over hundreds of steps; a fold has about as many in all.
    normalise = partial(nn.BatchNorm2d, eps=0.001, momentum=0.1)
    network = torchvision_models().mobilenet_v3_small(
        num_classes=classes, dropout=options.dropout, norm_layer=normalise
    )
    network.features[0][0] = _first(network.features[0][0], channels, **({"stride": 1} if side < SMALL else {}))
    return cast(nn.Module, network)


def efficientnet_b0(channels: int, classes: int, side: int, options: Options) -> nn.Module:
    """EfficientNet-B0 (Tan and Le, ICML 2019); for small maps the first convolution has stride 1."""
    network = torchvision_models().efficientnet_b0()
    network.features[0][0] = _first(network.features[0][0], channels, **({"stride": 1} if side < SMALL else {}))
    # torchvision draws its last layer as wide as 1 / sqrt(classes), which for few classes begins at a loss above 5.
    network.classifier = _head(network.classifier[1].in_features, classes, options.dropout)
    return cast(nn.Module, network)


def vit(channels: int, classes: int, side: int, options: Options) -> nn.Module:
    """A vision transformer (Dosovitskiy et al., ICLR 2021) of DeiT-Ti's size, with about 8x8 patches whatever the side.

    Where the patch does not divide the side, the map is filled up with zeros at the right and at the bottom.
    """
    patch = -(-side // 8)
    whole = patch * -(-side // patch)
    network = torchvision_models().VisionTransformer(
        image_size=whole, patch_size=patch, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768
    )
    network.conv_proj = _first(network.conv_proj, channels)
    network.heads = _head(192, classes, options.dropout)  # torchvision's is all zeros: no gradient would pass it
    return network if whole == side else nn.Sequential(nn.ZeroPad2d((0, whole - side, 0, whole - side)), network)


def swin_t(channels: int, classes: int, side: int, options: Options) -> nn.Module:
    """Swin-T (Liu et al., ICCV 2021), windows of 7x7 tokens; patches of 4x4 pixels, for small maps 2x2."""
    patch = 2 if side < SMALL else 4
    network = torchvision_models().SwinTransformer(
        patch_size=[patch, patch], embed_dim=96, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24], window_size=[7, 7],
        stochastic_depth_prob=0.2,
    )  # fmt: skip
    network.features[0][0] = _first(network.features[0][0], channels)
    network.head = _head(network.head.in_features, classes, options.dropout)
    return cast(nn.Module, network)


BACKBONES: dict[str, Callable[[int, int, int, Options], nn.Module]] = {
    "attention_resnet": attention_resnet,
    "resnet18": resnet18,
    "alexnet": alexnet,
    "vgg11": vgg11,
    "mobilenet_v3_small": mobilenet_v3_small,
    "efficientnet_b0": efficientnet_b0,
    "vit": vit,
    "swin_t": swin_t,
}
"""Backbones, built as (channels, classes, side, options): (N, channels, side, side) -> (N, classes) logits."""


@cache
def torchvision_models() -> Any:
    """``torchvision.models``, also beside a torch that its compiled part was not made for.

    torchvision's wheels on PyPI are made for torch with CUDA. Beside a CPU torch the compiled part is not loaded, and
    the import ends at two of its operators (pytorch/vision issues 8985 and 9085). No backbone uses them, so they are
    declared without content. ModuleNotFoundError where torchvision is missing, UserError where that is not enough.
    """
    try:
        return importlib.import_module("torchvision").models
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise _unfit(error) from None
    for name in ("nms", "qnms"):
        _DECLARED.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    try:
        return importlib.import_module("torchvision").models
    except (RuntimeError, ImportError) as error:
        raise _unfit(error) from None


_DECLARED = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
"""Kept for as long as the process lives: with it the operators would go."""


def _unfit(error: Exception) -> UserError:
    return UserError(
        f"the installed torchvision does not fit torch {torch.__version__} ({str(error).splitlines()[0]}); install the "
        "release made for it, 0.N+15 for torch 2.N, as in torchvision==0.28.0 for torch==2.13.0"
    )


def _first(conv: nn.Conv2d, channels: int, **changed: Any) -> nn.Conv2d:
    """``conv`` for that many channels, with ``changed`` arguments, initialised after He et al. (ICCV 2015)."""
    same = {"kernel_size": conv.kernel_size, "stride": conv.stride, "padding": conv.padding}
    return _he(nn.Conv2d(channels, conv.out_channels, **{**same, **changed}, bias=conv.bias is not None))


def _he(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _head(width: int, classes: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, classes))


def _features(build: Callable[[], Any]) -> Any:
    """The convolutional part without content: no memory for the large linear layers that stay behind."""
    with torch.device("meta"):
        return build().features


def _convolutional(features: nn.Sequential, classes: int, dropout: float) -> nn.Sequential:
    """``features`` from the meta device, initialised, then a mean over the places and a linear layer."""
    features.to_empty(device=torch.get_default_device())
    convolutions = [_he(layer) for layer in features if isinstance(layer, nn.Conv2d)]
    head = _head(convolutions[-1].out_channels, classes, dropout)
    parts = {"features": features, "pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "head": head}
    return nn.Sequential(OrderedDict(parts))
