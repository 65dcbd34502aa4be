"""The settings of training; no torch in here, so that a method's settings can be read without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dfrnet.types import UserError


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained. Every choice is made inside ``fit``, from training clips alone.

    ``optimiser``: adam, or sgd with ``momentum``. ``schedule``: constant, cosine down to 0 after ``warmup`` epochs, or
    step: times ``decay`` after every ``decay_every`` epochs. ``class_weights``: cross entropy weighs
    classes by the inverse of their frequency. ``mixup``: alpha of the Beta distribution, 0 for none. ``average``:
    decay per step of a running average of the weights, 0 for none. Augmentation, drawn for each clip and epoch:
    ``flip`` mirrors half of the clips and negates u; ``shift`` and ``crop`` in parts of the side, ``rotate`` in
    degrees, ``zoom`` as a part of 1; each is the largest value, drawn evenly up to it. ``held_out``: whole
    training subjects are set aside for ``nested`` selection until they hold this share of the clips; ``patience``: its
    epochs without a better held-out loss.
    ``threads`` of the CPU: one, so that a fold's numbers do not depend on how many folds run at once.
    """

    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    optimiser: Literal["adam", "sgd"] = "adam"
    momentum: float = 0.9
    schedule: Literal["constant", "cosine", "step"] = "constant"
    decay: float = 0.5
    decay_every: int = 10
    warmup: int = 0
    class_weights: bool = False
    label_smoothing: float = 0.0
    mixup: float = 0.0
    average: float = 0.0
    flip: bool = True
    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    crop: float = 0.0
    held_out: float = 0.2
    patience: int = 10
    threads: int = 1
    device: str = "cpu"
    precision: Literal["float32", "bf16"] = "float32"

    def __post_init__(self) -> None:
        checks = {
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size >= 2,
            "learning_rate": self.learning_rate > 0,
            "weight_decay": self.weight_decay >= 0,
            "momentum": 0 <= self.momentum < 1,
            "decay": 0 < self.decay <= 1,
            "decay_every": self.decay_every >= 1,
            "warmup": self.warmup >= 0,
            "label_smoothing": 0 <= self.label_smoothing <= 1,
            "mixup": self.mixup >= 0,
            "average": 0 <= self.average < 1,
            "shift": self.shift >= 0,
            "rotate": self.rotate >= 0,
            "zoom": 0 <= self.zoom < 1,
            "crop": 0 <= self.crop < 1,
            "held_out": 0 < self.held_out < 1,
            "patience": self.patience >= 1,
            "threads": self.threads >= 1,
        }
        for name, good in checks.items():
            if not good:
                raise UserError(f"{name}={getattr(self, name)} is out of range; see the help of evaluate")
