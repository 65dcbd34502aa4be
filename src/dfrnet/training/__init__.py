"""Fitting a network: settings (``config``), augmentation, and the classifier around it, which needs torch."""

from dfrnet.training.config import TrainingConfig

__all__ = ["TrainingConfig"]
