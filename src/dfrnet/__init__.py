"""dfrnet: facial micro-expression recognition, measured honestly.

A ``Clip`` becomes ``Features``, a ``Method`` learns from features inside each ``Fold``, every test clip yields one
``Prediction``, and every table is computed from predictions.
"""

from dfrnet.types import CLASSES, Clip, Features, Fold, Prediction, UserError

__version__ = "0.1.0"

__all__ = ["CLASSES", "Clip", "Features", "Fold", "Prediction", "UserError", "__version__"]
