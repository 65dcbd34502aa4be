"""``TorchClassifier``: fit and predict_proba around any network, with one record of what happened in each epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dfrnet.training.augment import augment
from dfrnet.training.config import TrainingConfig
from dfrnet.types import Array, Epoch, UserError

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]


class Normalise(nn.Module):
    """(x - mean) / std per channel, learned from the training clips; buffers, so an exported file carries them."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("std", torch.ones(channels, 1, 1))

    def learn(self, x: Tensor) -> None:
        """Set mean and standard deviation from x (N, C, H, W)."""
        self.mean.copy_(x.mean(dim=(0, 2, 3)).view(-1, 1, 1))
        std = x.std(dim=(0, 2, 3))
        # A channel that never changes is not divided: a test clip that differs a little would be blown up.
        self.std.copy_(torch.where(std > 1e-6, std, 1.0).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class TorchClassifier:
    """A network as a classifier: ``fit(x, y, groups)`` and ``predict_proba(x)``.

    ``build`` makes the network, called (N, C, H, W) -> (N, classes) logits; ``names`` are the maps of the channels.
    :meth:`epochs` trains and yields after every epoch, so that whoever evaluates may look at test clips from outside:
    nothing in here ever receives one.

    A network may bring two things of its own. ``loss(x, y, weight) -> Tensor`` takes the place of the cross entropy: x
    normalised (N, C, H, W), y (N, classes) shares of each class, ``weight`` (classes,) or None. ``settle(x, y)`` is
    called after each epoch, in evaluation mode, with all training clips and their labels (N,): there a network sets
    buffers that are computed from all of them, such as the prototypes of the classes.
    """

    def __init__(
        self, build: Callable[[], nn.Module], names: Sequence[str], classes: int, config: TrainingConfig, seed: int
    ) -> None:
        self.build, self.names, self.classes = build, tuple(names), classes
        self.config, self.seed = config, seed
        self.device = _device(config.device)
        self.network: nn.Module | None = None

    def fit(self, x: Array, y: Labels, groups: Sequence[str]) -> TorchClassifier:
        """Train for all epochs; see :meth:`epochs`."""
        for _ in self.epochs(x, y, groups):
            pass
        return self

    def epochs(self, x: Array, y: Labels, groups: Sequence[str]) -> Iterator[Epoch]:
        """Train from scratch; yields after each epoch, when ``predict_proba`` answers as of that epoch.

        x float32 (N, C, H, W), y int64 (N,), groups the subject of each clip (unused: the weights see only x and y).
        """
        del groups
        config = self.config
        torch.set_num_threads(config.threads)
        inputs, labels = torch.from_numpy(x).to(self.device), torch.from_numpy(y).to(self.device)
        network, average = self._start(inputs)
        weights = _class_weights(labels, self.classes) if config.class_weights else None
        optimiser = _optimiser(network, config)
        for number in range(1, config.epochs + 1):
            # Each epoch has its own seeds, so nothing that happens between epochs can change the numbers.
            with torch.random.fork_rng(devices=[] if self.device.type == "cpu" else None):
                torch.manual_seed(self.seed * 100_003 + number)
                generator = torch.Generator().manual_seed(self.seed * 100_003 + number)
                loss = self._one_epoch(network, average, optimiser, inputs, labels, weights, number, generator)
                self._settle(inputs, labels)
            yield Epoch(number, loss)

    def predict_proba(self, x: Array) -> Probabilities:
        """Softmax of the logits, float64 (N, classes)."""
        if self.network is None:
            raise RuntimeError("predict_proba before fit")
        self.network.eval()
        with torch.inference_mode():
            parts = torch.split(torch.from_numpy(x), 256)
            logits = torch.cat([self._logits(self.network, part.to(self.device)) for part in parts])
        if not bool(torch.isfinite(logits).all()):
            # Otherwise the first class, the commonest, would count as its answer.
            raise UserError(
                "the training diverged, the network answers NaN; lower learning_rate or use precision=float32"
            )
        return np.asarray(logits.double().softmax(dim=1).cpu().numpy())

    def choose_epoch(self, x: Array, y: Labels, groups: Sequence[str]) -> tuple[int, list[float]]:
        """The epoch with the least loss on held-out *training* subjects, and that loss for each epoch tried.

        A fresh network is trained on the other training subjects until the held-out loss has not improved for
        ``patience`` epochs (paper 4.2, which leaves open whose clips validate; here never the test subject's).
        """
        held = _held_out(groups, self.config.held_out, self.seed)
        inner = TorchClassifier(self.build, self.names, self.classes, self.config, self.seed)
        losses: list[float] = []
        for epoch in inner.epochs(x[~held], y[~held], [g for g, out in zip(groups, held, strict=True) if not out]):
            chances = inner.predict_proba(x[held])[np.arange(held.sum()), y[held]]
            losses.append(float(-np.log(np.maximum(chances, 1e-12)).mean()))
            if epoch.number - (int(np.argmin(losses)) + 1) >= self.config.patience:
                break
        return int(np.argmin(losses)) + 1, losses

    def restore(self, tensors: dict[str, Tensor], channels: int) -> None:
        """Become the classifier whose network's ``state_dict`` this is."""
        network = nn.Sequential(Normalise(channels), self.build())
        network.load_state_dict(tensors)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _start(self, inputs: Tensor) -> tuple[nn.Module, AveragedModel | None]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            normalise = Normalise(inputs.shape[1])
            network = nn.Sequential(normalise, self.build())
        if self.config.label_smoothing and hasattr(network[1], "loss"):
            raise UserError("label_smoothing is for cross entropy; this network has a loss of its own, leave it at 0")
        normalise.learn(inputs.cpu())
        network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if not self.config.average:
            self.network = network
            return network, None
        average = AveragedModel(network, multi_avg_fn=_following(self.config.average), use_buffers=True)
        self.network = average.module
        return network, average

    def _one_epoch(
        self,
        network: nn.Module,
        average: AveragedModel | None,
        optimiser: torch.optim.Optimizer,
        inputs: Tensor,
        labels: Tensor,
        weights: Tensor | None,
        number: int,
        generator: torch.Generator,
    ) -> float:
        config = self.config
        network.train()
        batches = _batches(len(inputs), config.batch_size, generator)
        total = 0.0
        for step, rows in enumerate(batches):
            progress = number - 1 + step / len(batches)
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * _rate(progress, config)
            x = augment(inputs[rows], self.names, config, generator)
            y = F.one_hot(labels[rows], self.classes).to(x)
            if config.mixup:
                share = float(torch.distributions.Beta(config.mixup, config.mixup).sample())
                x, y = share * x + (1 - share) * x.flip(0), share * y + (1 - share) * y.flip(0)
            loss = self._loss(network, x, y, weights)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if average is not None:
                average.update_parameters(network)
            total += float(loss.detach()) * len(rows)
        return total / sum(map(len, batches))

    def _loss(self, network: nn.Module, x: Tensor, y: Tensor, weights: Tensor | None) -> Tensor:
        normalise, inner = network.children()
        own = getattr(inner, "loss", None)
        if own is None:
            smoothing = self.config.label_smoothing
            return F.cross_entropy(self._logits(network, x), y, weight=weights, label_smoothing=smoothing)
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            loss: Tensor = own(normalise(x), y, weights)
        return loss.float()

    def _settle(self, inputs: Tensor, labels: Tensor) -> None:
        assert self.network is not None
        normalise, inner = self.network.children()
        settle = getattr(inner, "settle", None)
        if settle is not None:
            self.network.eval()
            with torch.no_grad():
                settle(normalise(inputs), labels)

    def _logits(self, network: nn.Module, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            logits: Tensor = network(x)
        return logits.float()


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"device={name}: no such device; use cpu or cuda")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device={name}: this torch sees no such CUDA device; leave the setting out to train on the CPU"
        )
    return device


def _following(decay: float) -> Callable[..., None]:
    """The running average of numbers; an index or a count has no mean and is copied."""
    mean = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]

    def follow(averaged: Any, now: Any, steps: Any) -> None:
        if averaged[0].is_floating_point():
            mean(averaged, now, steps)
        else:
            for mine, current in zip(averaged, now, strict=True):
                mine.copy_(current)

    return follow


def _optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    shared: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay, "fused": True}
    if config.optimiser == "sgd":
        return torch.optim.SGD(network.parameters(), momentum=config.momentum, **shared)
    return torch.optim.Adam(network.parameters(), **shared)


def _class_weights(labels: Tensor, classes: int) -> Tensor:
    """Inverse frequency, mean 1 over the clips; a class without a clip weighs nothing."""
    counts = torch.bincount(labels, minlength=classes).float()
    return torch.where(counts > 0, len(labels) / (counts.clamp_min(1) * (counts > 0).sum()), 0.0)


def _rate(progress: float, config: TrainingConfig) -> float:
    """The learning rate as a part of its setting; ``progress`` in epochs since the start."""
    if progress < config.warmup:
        return max(progress / config.warmup, 0.01)
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "step":
        return float(config.decay ** (int(progress) // config.decay_every))
    return 0.5 * (1 + math.cos(math.pi * (progress - config.warmup) / max(config.epochs - config.warmup, 1)))


def _batches(n: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """All rows once, shuffled; a last batch of one joins the one before it, batch normalisation needs two."""
    batches = list(torch.split(torch.randperm(n, generator=generator), size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _held_out(groups: Sequence[str], share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Marks the clips of randomly drawn training subjects until ``share`` of the clips is reached."""
    subjects = sorted(set(groups))
    if len(subjects) < 2:
        raise UserError("nested selection needs at least two training subjects; use --selection fixed")
    order = np.random.default_rng(seed).permutation(len(subjects))
    of_clip = np.array(groups)
    held = np.zeros(len(groups), dtype=bool)
    for position in order[:-1]:
        held |= of_clip == subjects[position]
        if held.mean() >= share:
            break
    return held
