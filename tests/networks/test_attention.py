"""Equations 12, 13 and 14 against plain numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from dfrnet.networks.attention import ATTENTIONS, ChannelAttention, SpatialAttention
from dfrnet.networks.resnet import AttentionBlock


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def inputs(channels=32, side=9, seed=0):
    torch.manual_seed(seed)
    return torch.randn(3, channels, side, side)


def channel_by_hand(module, x):
    """Eq. 13: (N, C, H, W) -> weights (N, C)."""
    down, up = (w.detach().numpy()[:, :, 0, 0] for w in (module.f1.weight, module.f2.weight))
    pooled = x.mean(axis=(2, 3)) + x.max(axis=(2, 3))
    return sigmoid(np.maximum(pooled @ down.T, 0) @ up.T)


def spatial_by_hand(module, x):
    """Eq. 14: (N, C, H, W) -> weights (N, H, W), the convolution as loops."""
    kernel = module.f1.weight.detach().numpy()[0]
    half = kernel.shape[-1] // 2
    summary = np.stack([x.mean(axis=1), x.max(axis=1)], axis=1)
    padded = np.pad(summary, ((0, 0), (0, 0), (half, half), (half, half)))
    out = np.empty((len(x), *x.shape[2:]))
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            window = padded[:, :, i : i + 2 * half + 1, j : j + 2 * half + 1]
            out[:, i, j] = (window * kernel).sum(axis=(1, 2, 3))
    return sigmoid(out)


def test_channel_attention_is_equation_13():
    torch.manual_seed(1)  # a layer of two neurons may begin dead, and then says 0.5 to everything
    module, x = ChannelAttention(32), inputs()
    weights = channel_by_hand(module, x.numpy())
    assert np.ptp(weights) > 0.01
    np.testing.assert_allclose(module(x).detach().numpy(), x.numpy() * weights[..., None, None], atol=1e-5)


def test_the_pools_are_summed_before_the_shared_convolutions():
    module, x = ChannelAttention(32), inputs()
    one, other = (nn.functional.adaptive_avg_pool2d(x, 1), nn.functional.adaptive_max_pool2d(x, 1))
    cbam = torch.sigmoid(sum(module.f2(torch.relu(module.f1(pool))) for pool in (one, other)))
    assert (module(x) - x * cbam).abs().max() > 1e-3


def test_spatial_attention_is_equation_14():
    module, x = SpatialAttention(), inputs(8)
    weights = spatial_by_hand(module, x.numpy())
    assert np.ptp(weights) > 0.01
    np.testing.assert_allclose(module(x).detach().numpy(), x.numpy() * weights[:, None], atol=1e-5)


def test_both_is_channel_then_spatial():
    both, x = ATTENTIONS["both"](32), inputs()
    after_channel = x.numpy() * channel_by_hand(both[0], x.numpy())[..., None, None]
    expected = after_channel * spatial_by_hand(both[1], after_channel)[:, None]
    np.testing.assert_allclose(both(x).detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("name", ATTENTIONS)
@pytest.mark.parametrize("channels", [1, 8, 64])
def test_every_attention_keeps_the_shape_and_weighs_between_0_and_1(name, channels):
    x = inputs(channels)
    out = ATTENTIONS[name](channels)(x)
    assert out.shape == x.shape
    ratio = (out / x).detach()
    assert bool(((ratio > 0) & (ratio <= 1)).all())
    assert (name == "none") == bool((ratio == 1).all())


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize(("wide", "stride"), [(8, 1), (16, 1), (16, 2)], ids=["same", "wider", "halved"])
def test_the_block_is_equation_12(attention, wide, stride):
    """relu(x + SA(CA(f2(relu(f1(x)))))), with f1, f2 convolution and batch normalisation, and eq. 11 without."""
    torch.manual_seed(1)
    block, x = AttentionBlock(8, wide, stride, attention).eval(), inputs(8, 8)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):  # not the identity that it starts as
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.weight.data.normal_()
    f1, n1, _ = block.f1
    f2, n2 = block.f2
    inner = n2(f2(torch.relu(n1(f1(x)))))
    if attention in ("channel", "both"):
        ca = block.attention if attention == "channel" else block.attention[0]
        inner = inner * torch.from_numpy(channel_by_hand(ca, inner.detach().numpy()))[..., None, None]
    if attention in ("spatial", "both"):
        sa = block.attention if attention == "spatial" else block.attention[1]
        inner = inner * torch.from_numpy(spatial_by_hand(sa, inner.detach().numpy()))[:, None]
    short = x if (wide, stride) == (8, 1) else block.shortcut[1](block.shortcut[0](x))
    assert block(x).shape == (3, wide, 8 // stride, 8 // stride)
    torch.testing.assert_close(block(x), torch.relu(short + inner).float(), atol=1e-4, rtol=1e-4)
