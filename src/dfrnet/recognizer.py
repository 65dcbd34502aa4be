"""A trained network in one file: weights, feature settings, classes, and what it was trained on."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfrnet import __version__
from dfrnet.datasets import described
from dfrnet.datasets.labels import unit_numbers
from dfrnet.features import FeatureSpec, extract, features, fitted_spec
from dfrnet.methods import METHODS, Method, flat
from dfrnet.types import CLASSES, Array, Clip, Frames, LearnsActionUnits, UserError

if TYPE_CHECKING:
    from dfrnet.training.classifier import TorchClassifier

log = logging.getLogger(__name__)

FORMAT = "dfrnet-1"


@dataclass(frozen=True)
class Recognizer:
    """A trained method that meets frames instead of clips.

    ``trained_on`` says which data sets, how many clips and subjects: a model trained on research-only data is itself
    for research only. Its accuracy is not in here: quote it from leave-one-subject-out on the same data.
    """

    method: str
    settings: Any
    spec: FeatureSpec
    classes: tuple[str, ...]
    trained_on: dict[str, Any]
    classifier: TorchClassifier

    def predict(self, frames: Frames, onset: int, apex: int, offset: int | None = None) -> dict[str, float]:
        """The probability of each class for the movement from frame ``onset`` over ``apex`` to ``offset``."""
        return self.predict_features(extract(frames, self.spec, onset, apex, offset).maps[None])[0]

    def predict_features(self, x: Array) -> list[dict[str, float]]:
        """The same for features (N, C, H, W) that ``extract`` made with :attr:`spec`."""
        rows = self.classifier.predict_proba(x)
        return [dict(zip(self.classes, map(float, row), strict=True)) for row in rows]

    def save(self, path: Path) -> None:
        """Write one safetensors file, whole or not at all."""
        from safetensors.torch import save

        network = self.classifier.network
        assert network is not None
        record = {
            "format": FORMAT,
            "dfrnet": __version__,
            "method": self.method,
            # What training started from is told in trained_on; the file holds all weights and needs no other.
            "settings": {name: "" if name == "weights" else value for name, value in flat(self.settings).items()},
            "spec": dataclasses.asdict(self.spec),
            "classes": self.classes,
            "trained_on": self.trained_on,
        }
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(save(tensors, metadata={"dfrnet": json.dumps(record)}))
            temporary.replace(path)
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error}); choose another place") from None
        finally:
            with suppress(OSError):
                temporary.unlink()


def check_target(path: Path) -> None:
    """UserError where no model file can be written there: to be asked before hours of training, not after."""
    if path.is_dir() or not path.name:
        raise UserError(f"{path}: a folder; name a file, such as {path / 'model.safetensors'}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"{path}: its folder cannot be written to; choose another place")


def train(
    method: Method,
    clips: Sequence[Clip],
    settings: Any,
    *,
    data: Sequence[str] = (),
    classes: tuple[str, ...] = CLASSES,
    origin: Mapping[str, Any] | None = None,
    seed: int = 0,
    jobs: int = 1,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Recognizer:
    """One final fit on all clips, for use; UserError for a method that is not a network.

    ``data``, ``origin`` and ``cache`` as for ``evaluate``; ``progress`` is that of the extraction.
    """
    if method.network is None:
        raise UserError(f"{method.name}: only networks can be saved as a model; evaluate it instead")
    spec = fitted_spec(clips, method.inputs(settings))
    found = features(clips, spec, jobs=jobs, cache=cache, progress=progress)
    for sentence in found.left_out.values():
        log.warning("left out: %s", sentence)
    clips = found.clips
    if spec.align == "auto":  # new frames come without a data set that says what they show: the model says it
        spec = replace(spec, align="none" if all(clip.cropped for clip in clips) else "face")
    y = np.array([classes.index(clip.label) for clip in clips], dtype=np.int64)
    classifier: Any = method.build(settings, spec, len(classes), seed)
    if isinstance(classifier, LearnsActionUnits):
        classifier.learn_units([unit_numbers(clip) for clip in clips])
    classifier.fit(found.x, y, [clip.subject for clip in clips])
    trained_on = {
        "data": [described(source) for source in data],
        "clips": len(clips),
        "subjects": len({clip.subject for clip in clips}),
        "seed": seed,
        "archives": list((origin or {}).get("archives", [])),
        "errata": list((origin or {}).get("errata", [])),
        "left_out": sorted({*(origin or {}).get("left_out", {}), *found.left_out}),
    }
    if flat(settings).get("weights"):
        from dfrnet.networks.weights import described as described_weights

        trained_on["weights"] = described_weights(Path(flat(settings)["weights"]))
    return Recognizer(method.name, settings, spec, classes, trained_on, classifier)


def load(path: Path) -> Recognizer:
    """Read a file that :meth:`Recognizer.save` wrote; UserError where it is missing, damaged or something else."""
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            record = json.loads((file.metadata() or {}).get("dfrnet", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except OSError:
        raise UserError(f"{path}: no such model file; make one with dfrnet train") from None
    except (SafetensorError, ValueError) as error:
        raise UserError(f"{path}: not a model file of dfrnet ({error}); make one with dfrnet train") from None
    try:
        if record["format"] != FORMAT:
            raise KeyError(record["format"])
        method = METHODS[record["method"]]
        changes = {name: _as_text(value) for name, value in record["settings"].items()}
        if not torch.cuda.is_available():
            changes["device"] = "cpu"  # wherever it was trained
        settings = method.configured("", changes)
        spec = FeatureSpec(**{**record["spec"], "maps": tuple(record["spec"]["maps"])})
        classes, trained_on = tuple(record["classes"]), dict(record["trained_on"])
    except (AttributeError, KeyError, TypeError):
        raise UserError(f"{path}: not a model file of this version of dfrnet; make one with dfrnet train") from None
    classifier: Any = method.build(settings, spec, len(classes), 0)
    try:
        with torch.inference_mode():
            classifier.restore(tensors, channels=len(spec.maps))
    except RuntimeError:  # torch lists every tensor that does not fit
        raise UserError(f"{path}: its weights do not fit its settings; make one with dfrnet train") from None
    return Recognizer(method.name, settings, spec, classes, trained_on, classifier)


def _as_text(value: object) -> str:
    """A setting as --set would spell it."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
