"""dfrnet: facial micro-expression recognition, measured honestly.

A ``Clip`` becomes ``Features``, a ``Method`` learns from features inside each ``Fold``, every test clip yields one
``Prediction``, and every table is computed from predictions.
"""

from importlib import import_module
from typing import Any

from dfrnet.types import CLASSES, Clip, Event, Features, Fold, Interval, Prediction, Recording, UserError

__version__ = "0.1.0"

__all__ = ["CLASSES", "Clip", "Event", "Features", "Fold", "Interval", "Prediction", "Recording", "UserError",
           "__version__", "analyze", "live"]  # fmt: skip

LATER = {"analyze": "dfrnet.video.analyze", "live": "dfrnet.video.live"}
"""What is loaded when it is asked for, so that ``import dfrnet`` stays light."""


def __getattr__(name: str) -> Any:
    if name not in LATER:
        raise AttributeError(f"module 'dfrnet' has no attribute {name!r}")
    return getattr(import_module(LATER[name]), name)
