"""``OnnxClassifier``: a trained network on onnxruntime alone, for machines that have no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dfrnet.types import Array, UserError

Floats = npt.NDArray[np.float64]

INPUT, OUTPUT = "maps", "logits"
"""Names in the file: maps float32 (clips, C, S, S), logits float32 (clips, classes)."""

RECORD = "dfrnet"
"""The entry of a file's metadata that holds the record, in JSON; in safetensors and in ONNX alike."""

BATCH = 256


class OnnxClassifier:
    """A classifier that only answers: ``predict_proba`` as of the network that was exported.

    ``record`` is what the file says of itself: spec, classes, what it was trained on. ``threads`` is how many cores one
    answer may use. Reading the file runs no code of its own: ONNX is a list of known operations.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._session = _session(path, threads)
        self.record: Mapping[str, Any] = _record(path, self._session)

    @property
    def shape(self) -> tuple[object, ...]:
        """(C, S, S) of the maps and the number of classes, as the graph has them."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        return (*inputs[0].shape[1:], outputs[0].shape[-1])

    def fit(self, x: Array, y: npt.NDArray[np.int64], groups: Sequence[str]) -> OnnxClassifier:
        """UserError: training needs torch."""
        del x, y, groups
        raise UserError("an ONNX model cannot be trained further; train a new one with dfrnet train and export it")

    def predict_proba(self, x: Array) -> Floats:
        """Softmax of the logits, float64 (N, classes), for maps x float32 (N, C, S, S)."""
        parts = [x[start : start + BATCH] for start in range(0, max(len(x), 1), BATCH)]
        found = [self._session.run([OUTPUT], {INPUT: np.ascontiguousarray(part, np.float32)})[0] for part in parts]
        logits = np.concatenate(found).astype(np.float64)
        if not np.isfinite(logits).all():
            raise UserError("the network answers NaN or infinity; the model or these maps are damaged")
        return softmax(logits)


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """exp(logits / T), each row (N, classes) divided by its sum. T above 1 makes answers less sure, the order stays."""
    scaled = logits / temperature
    chances = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(chances / chances.sum(axis=1, keepdims=True))


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    if threads < 1:
        raise UserError(f"threads={threads}: it must be 1 or more")
    try:
        data = path.read_bytes()
    except OSError as error:
        why = "no such model file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise UserError(f"{path}: {why}; make one with dfrnet export") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # what is wrong with a file is said here, in one sentence
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own kinds have no common name
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{path}: not an ONNX model that can be read ({first}); make one with dfrnet export") from None


def _record(path: Path, session: Any) -> dict[str, Any]:
    """The file's record; UserError where another program made the file."""
    metadata = session.get_modelmeta().custom_metadata_map
    named = [one.name for one in (*session.get_inputs(), *session.get_outputs())]
    try:
        record = json.loads(metadata[RECORD])
    except (KeyError, ValueError):
        record = None
    if not isinstance(record, dict) or named != [INPUT, OUTPUT]:
        raise UserError(f"{path}: an ONNX model, but none of dfrnet; make one with dfrnet export")
    return record
