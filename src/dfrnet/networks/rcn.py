"""RCN-A (Xia et al. 2020): a shallow recurrent convolutional network whose attention has no parameters of its own."""

from __future__ import annotations

from torch import Tensor, nn


class RCNA(nn.Module):
    """(N, maps, S, S) -> (N, classes) logits, for any S of 8 and more.

    The last layer reads ``pool`` x ``pool`` places of ``filters`` values. What it weighs at each place says where it
    looks: :func:`attention` makes a map of that from the first convolution's output, by which the places are weighted.
    """

    def __init__(self, maps: int, classes: int, filters: int = 64, pool: int = 7, dropout: float = 0.5) -> None:
        super().__init__()
        self.first = nn.Sequential(_convolution(maps, filters, 5, 0), nn.MaxPool2d(2), nn.Dropout(dropout))
        self.recurrent = Recurrent(filters, dropout)
        self.pool = nn.AdaptiveAvgPool2d(pool)
        self.head = nn.Linear(filters * pool * pool, classes)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        where = attention(self.pool(x), self.head.weight)
        logits: Tensor = self.head((self.pool(self.recurrent(x)) * where).flatten(1))
        return logits


class Recurrent(nn.Module):
    """One layer unrolled twice: y = forward(x), then y = again(x + y) with the same weights, twice; halves the side."""

    def __init__(self, filters: int, dropout: float) -> None:
        super().__init__()
        self.forwards = _convolution(filters, filters, 1, 0)
        self.again = _convolution(filters, filters, 3, 1)
        self.end = nn.Sequential(nn.MaxPool2d(2), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        y = self.forwards(x)
        for _ in range(2):
            y = self.again(x + y)
        end: Tensor = self.end(y)
        return end


def attention(x: Tensor, weight: Tensor) -> Tensor:
    """How much each place of x says to the classes: x (N, C, H, W), weight (classes, C H W) -> (N, 1, H, W), 0 to 1.

    For each class the mean over C of x times the weights of the last layer, stretched to 0..1 within the clip; then the
    mean over the classes. A clip that is the same everywhere gives 0.
    """
    shares = (x.unsqueeze(1) * weight.view(1, -1, *x.shape[1:])).mean(dim=2)
    shares = shares - shares.amin(dim=(2, 3), keepdim=True)
    return (shares / shares.amax(dim=(2, 3), keepdim=True).clamp_min(1e-12)).mean(dim=1, keepdim=True)


def _convolution(channels: int, filters: int, kernel: int, padding: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, filters, kernel, padding=padding), nn.BatchNorm2d(filters), nn.ReLU())


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
        nn.init.zeros_(module.bias)
