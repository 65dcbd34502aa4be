"""The DFR-Net: shallow features per branch, their fusion, and the residual network with attention (Fig. 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from dfrnet.networks.backbones import BACKBONES, Options
from dfrnet.networks.fusion import FUSIONS


class DFRNet(nn.Module):
    """(N, maps, H, W) -> (N, classes) logits.

    ``branches`` says which channels of the input belong to which branch: ``{"temporal": [0, 1, 2], "spatial": [3],
    "differential": [4]}``; one to three of them. Each gets shallow features by a 3x3 convolution with stride 1 and
    ReLU (Fs, Fd, Ft in section 3.2): (N, maps of the branch, H, W) -> (N, channels, H, W). ``backbone`` is what stands
    after the fusion; all but the paper's attention ResNet need to know the ``side`` of the maps, in pixels, and take
    nothing of ``attention``, ``stem`` and ``widths`` but the first width, which is the channels.
    """

    def __init__(
        self,
        branches: Mapping[str, Sequence[int]],
        classes: int,
        fusion: str = "paper",
        attention: str = "both",
        widths: tuple[int, ...] = (64, 128, 256),
        stem: str = "resnet",
        dropout: float = 0.0,
        backbone: str = "attention_resnet",
        side: int = 128,
    ) -> None:
        super().__init__()
        channels = widths[0]
        self.channels_of = {name: list(rows) for name, rows in branches.items()}
        self.shallow = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Conv2d(len(rows), channels, 3, padding=1), nn.ReLU())
                for name, rows in self.channels_of.items()
            }
        )
        self.fusion = FUSIONS[fusion](tuple(self.channels_of), channels)
        # The name is older than the choice, and model files have it.
        self.resnet = BACKBONES[backbone](channels, classes, side, Options(dropout, widths, attention, stem))

    def forward(self, x: Tensor) -> Tensor:
        shallow = {name: self.shallow[name](x[:, rows]) for name, rows in self.channels_of.items()}
        logits: Tensor = self.resnet(self.fusion(shallow))
        return logits
