"""A trained network in one file: weights, feature settings, classes, and what it was trained on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dfrnet import __version__
from dfrnet.datasets import described
from dfrnet.datasets.labels import unit_numbers
from dfrnet.features import FeatureSpec, extract, features, fitted_spec
from dfrnet.methods import METHODS, Method, flat
from dfrnet.runtime import RECORD, OnnxClassifier, softmax
from dfrnet.types import CLASSES, Array, Classifier, Clip, Frames, LearnsActionUnits, UserError, unknown_name

log = logging.getLogger(__name__)

FORMAT = "dfrnet-1"

LEAST = 1e-12
"""A probability of 0 counts as this where its logarithm is taken."""

SHIPPED = Path(__file__).parent / "models"

MODELS = {"maps": SHIPPED / "maps", "synthetic": SHIPPED / "synthetic"}
"""The models that come with the package; each as .onnx, as .safetensors, and its card as .md."""


@dataclass(frozen=True)
class Recognizer:
    """A trained method that meets frames instead of clips.

    ``trained_on`` says which data sets, how many clips and subjects: a model trained on research-only data is itself
    for research only. ``temperature`` calibrates: probabilities are softmax(log p / T) of the network's p, T chosen on
    held-out subjects (1: not calibrated). A probability below ``threshold`` gives no label (0: never abstains).
    ``card``: what was measured of the same method and settings on held-out subjects, empty where nothing was.
    ``file``, ``sha256``: name and digest of the file it was read from, empty where it was not.
    """

    method: str
    settings: Any
    spec: FeatureSpec
    classes: tuple[str, ...]
    trained_on: dict[str, Any]
    classifier: Classifier
    temperature: float = 1.0
    threshold: float = 0.0
    card: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise UserError(f"temperature={self.temperature}: it must be a number above 0")
        if not 0 <= self.threshold <= 1:
            raise UserError(f"threshold={self.threshold}: it must lie in 0..1")

    def predict(self, frames: Frames, onset: int, apex: int, offset: int | None = None) -> dict[str, float]:
        """The probability of each class for the movement from frame ``onset`` over ``apex`` to ``offset``."""
        return self.predict_features(extract(frames, self.spec, onset, apex, offset).maps[None])[0]

    def predict_features(self, x: Array) -> list[dict[str, float]]:
        """The same for features (N, C, H, W) that ``extract`` made with :attr:`spec`."""
        rows = self.classifier.predict_proba(x)
        if self.temperature != 1:
            rows = softmax(np.log(np.maximum(rows, LEAST)), self.temperature)
        return [dict(zip(self.classes, map(float, row), strict=True)) for row in rows]

    def label(self, probabilities: Mapping[str, float]) -> str | None:
        """The most probable class; None, the model abstains, where its probability is below :attr:`threshold`."""
        best = max(probabilities, key=lambda name: probabilities[name])
        return best if probabilities[best] >= self.threshold else None

    @property
    def terms(self) -> str:
        """What its training data allow, which a network inherits, and a warning where they show no real face."""
        data = list(self.trained_on.get("data", ()))
        weights = bool(self.trained_on.get("weights"))
        drawn = bool(data) and all(name.partition("=")[0] == "synthetic" for name in data)
        if drawn and not weights:
            terms = "Apache-2.0, as dfrnet itself: it was trained on drawn faces alone."
        else:
            terms = (
                f"It was trained on {', '.join(data) or 'data that its file does not name'}, and the terms of that "
                "data hold for it and its answers; those of the published sets of micro-expressions are academic "
                "research only."
            )
        return f"{terms} Its labels on real faces mean nothing." if drawn else terms

    def record(self) -> dict[str, Any]:
        """What a model file says of itself, as JSON holds it."""
        record = {
            "format": FORMAT,
            "dfrnet": __version__,
            "method": self.method,
            # What training started from is told in trained_on; the file holds all weights and needs no other.
            "settings": {name: "" if name == "weights" else value for name, value in flat(self.settings).items()},
            "spec": dataclasses.asdict(self.spec),
            "classes": self.classes,
            "trained_on": self.trained_on,
            "temperature": self.temperature,
            "threshold": self.threshold,
            "card": dict(self.card),
        }
        plain: dict[str, Any] = json.loads(json.dumps(record))
        return plain

    def save(self, path: Path) -> None:
        """Write one safetensors file, whole or not at all; a tensor that 16 bits hold exactly takes no more.

        UserError for a model that came from an ONNX file: that one holds the graph, not the method's tensors.
        """
        from safetensors.torch import save

        network = getattr(self.classifier, "network", None)
        if network is None:
            raise UserError(f"{path}: an ONNX model cannot be saved as safetensors; copy its file")
        tensors = {name: _compact(tensor).contiguous() for name, tensor in network.state_dict().items()}
        write_model(path, save(tensors, metadata={RECORD: json.dumps(self.record())}))


def write_model(path: Path, data: bytes) -> None:
    """Write a model file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
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
    half: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Recognizer:
    """One final fit on all clips, for use; UserError for a method that is not a network.

    ``data``, ``origin`` and ``cache`` as for ``evaluate``; ``progress`` is that of the extraction. ``half`` rounds the
    trained weights to 16 bits, which halves the model's files.
    """
    if method.network is None:
        raise UserError(f"{method.name}: only networks can be saved as a model; evaluate it instead")
    spec = fitted_spec(clips, method.inputs(settings))
    found = features(clips, spec, jobs=jobs, cache=cache, progress=progress)
    for sentence in found.left_out.values():
        log.warning("left out: %s", sentence)
    clips = found.clips
    if spec.align == "auto":  # new frames come without a data set that says what they show: the model says it
        # Ready-made maps were of aligned faces; whatever frames come now are not.
        cropped = all(clip.cropped and len(clip.frames) for clip in clips)
        spec = replace(spec, align="none" if cropped else "face")
    y = np.array([classes.index(clip.label) for clip in clips], dtype=np.int64)
    classifier: Any = method.build(settings, spec, len(classes), seed)
    if isinstance(classifier, LearnsActionUnits):
        classifier.learn_units([unit_numbers(clip) for clip in clips])
    classifier.fit(found.x, y, [clip.subject for clip in clips])
    if half:
        _round_to_half(classifier.network)
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


def load(path: Path | str, threads: int = 1) -> Recognizer:
    """Read a model file: ``.onnx`` without torch, any other as safetensors; or one of ``MODELS`` by its name.

    ``threads``: cores for one answer of an ONNX model. UserError where the file is missing, damaged or something else.
    """
    if str(path) in MODELS:
        # The ONNX file where it can be read: it is faster, and the same within 1e-4. Without either, the smaller need.
        torch_alone = find_spec("torch") and not find_spec("onnxruntime")
        path = MODELS[str(path)].with_suffix(".safetensors" if torch_alone else ".onnx")
    path = Path(path)
    if not path.exists():  # said before a package is asked for that a wrong name does not need
        raise _not_there(path)
    model = _load_onnx(path, threads) if path.suffix == ".onnx" else _load_safetensors(path)
    return replace(model, file=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def _not_there(path: Path) -> UserError:
    if path.suffix or path.name != str(path):  # it was meant as a file
        maker = "export" if path.suffix == ".onnx" else "train"
        return UserError(
            f"{path}: no such model file; make one with dfrnet {maker}, or name one of {', '.join(MODELS)}"
        )
    return UserError(f"{unknown_name('model', str(path), MODELS)}; one of your own is a file that dfrnet train makes")


def _load_onnx(path: Path, threads: int) -> Recognizer:
    classifier = OnnxClassifier(path, threads)
    model = _recorded(path, classifier.record, classifier)
    if classifier.shape != (len(model.spec.maps), model.spec.size, model.spec.size, len(model.classes)):
        raise UserError(f"{path}: its network does not fit its record; make one with dfrnet export")
    return model


def _load_safetensors(path: Path) -> Recognizer:
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            record = json.loads((file.metadata() or {}).get(RECORD, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except OSError:
        raise UserError(f"{path}: no such model file; make one with dfrnet train") from None
    except (SafetensorError, ValueError) as error:
        raise UserError(f"{path}: not a model file of dfrnet ({error}); make one with dfrnet train") from None
    model = _recorded(path, record, None)
    if not torch.cuda.is_available():  # wherever it was trained
        model = replace(model, settings=METHODS[model.method].configured("", _changes(record) | {"device": "cpu"}))
    classifier: Any = METHODS[model.method].build(model.settings, model.spec, len(model.classes), 0)
    try:
        with torch.inference_mode():
            classifier.restore(tensors, channels=len(model.spec.maps))
    except RuntimeError:  # torch lists every tensor that does not fit
        raise UserError(f"{path}: its weights do not fit its settings; make one with dfrnet train") from None
    return replace(model, classifier=classifier)


def _recorded(path: Path, record: Any, classifier: Any) -> Recognizer:
    """The recogniser that a file's record describes; UserError where it does not."""
    try:
        if record["format"] != FORMAT:
            raise KeyError(record["format"])
        return Recognizer(
            method=record["method"],
            settings=METHODS[record["method"]].configured("", _changes(record)),
            spec=FeatureSpec(**{**record["spec"], "maps": tuple(record["spec"]["maps"])}),
            classes=tuple(record["classes"]),
            trained_on=dict(record["trained_on"]),
            classifier=classifier,
            temperature=float(record.get("temperature", 1.0)),
            threshold=float(record.get("threshold", 0.0)),
            card=dict(record.get("card", {})),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{path}: not a model file of this version of dfrnet; make one with dfrnet train") from None
    except UserError as error:
        raise UserError(f"{path}: a model file with a wrong record ({error}); make one with dfrnet train") from None


def _changes(record: Mapping[str, Any]) -> dict[str, str]:
    return {name: _as_text(value) for name, value in record["settings"].items()}


def _round_to_half(network: Any) -> None:
    """Convolutions and matrices only: biases and the numbers that normalise take little room."""
    import torch

    with torch.no_grad():
        for tensor in network.parameters():
            if tensor.ndim > 1:
                tensor.copy_(tensor.half())


def _compact(tensor: Any) -> Any:
    """The tensor in 16 bits where they hold it exactly, else as it is."""
    half = tensor.half() if tensor.is_floating_point() else tensor
    return half if bool((half == tensor).all()) else tensor


def _as_text(value: object) -> str:
    """A setting as --set would spell it."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
