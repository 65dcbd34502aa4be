"""A trained network as one ONNX file, which onnxruntime reads without torch: same record, same answers."""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dfrnet.evaluation.metrics import uf1
from dfrnet.recognizer import Recognizer, write_model
from dfrnet.runtime import INPUT, OUTPUT, RECORD, OnnxClassifier
from dfrnet.types import Array, Classifier, UserError

PARITY = 1e-4
"""The largest difference of a probability between torch and onnxruntime that an export may have."""

CALIBRATION_CLIPS = 256

EIGHT_BITS = ("Conv", "Gemm", "MatMul", "Relu", "Concat", "MaxPool", "GlobalAveragePool")
"""Nearly all of the work. Sums and gates stay in 32 bits: that costs no time, and answers stay closer."""

LARGE = 256
"""Numbers in a tensor from which on it is worth a node that reads it from 16 bits."""


@dataclass(frozen=True)
class Change:
    """What 8 bits changed on ``clips`` clips: the share of equal labels, and differences of probabilities, 0..1.

    ``uf1`` before and after, where the true classes were given. On clips that the network was trained on it says what
    rounding does and nothing about how good the model is; on held-out clips it is the price of int8.
    """

    clips: int
    same_label: float
    mean_difference: float
    largest_difference: float
    uf1: tuple[float, float] | None = None


def to_onnx(
    model: Recognizer, path: Path, *, int8: bool = False, x: Array | None = None, y: npt.NDArray[np.int64] | None = None
) -> Recognizer:
    """Write ``model`` as an ONNX file with its record in the metadata; returns the model that the file holds.

    Its probabilities are compared with torch's on random maps and on the features ``x`` (N, C, S, S) before anything
    is written. ``int8`` rounds weights and activations to 8 bits, whose ranges are those of ``x``, features of the
    kind that the model is to meet; ``y`` are their classes. What that changes (:class:`Change`) is in ``card["int8"]``
    of the written model. UserError where the network cannot be exported, differs by more than ``PARITY``, or where
    int8 has no ``x``.
    """
    network = getattr(model.classifier, "network", None)
    if network is None:
        raise UserError(f"{path}: the model is an ONNX file already; export from the safetensors file of dfrnet train")
    if int8 and (x is None or not len(x)):
        raise UserError("int8 needs clips like those it will meet, to see what ranges their maps take; name --data")
    spec = model.spec
    made_up = np.random.default_rng(0).standard_normal((5, len(spec.maps), spec.size, spec.size)).astype(np.float32)
    given = made_up if x is None else np.concatenate([made_up, np.asarray(x, np.float32)])
    graph = _graph(model.method, network, made_up, folded=int8)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.onnx"
        draft.write_bytes(_described(_compact(graph), model))
        exported = OnnxClassifier(draft)
        for part in (given, given[:1]):
            _check_parity(model, exported.predict_proba(part), part)
        if int8:
            assert x is not None
            graph = _quantised(graph, x[:: max(len(x) // CALIBRATION_CLIPS, 1)][:CALIBRATION_CLIPS], Path(folder))
            draft.write_bytes(_described(graph, model))
            changed = change(model.classifier, OnnxClassifier(draft), x, y)
            model = replace(model, card={**model.card, "int8": asdict(changed)})
            draft.write_bytes(_described(graph, model))
            exported = OnnxClassifier(draft)
        write_model(path, draft.read_bytes())
    return replace(model, classifier=exported)


def change(one: Classifier, other: Classifier, x: Array, y: npt.NDArray[np.int64] | None = None) -> Change:
    """How the answers of ``other`` differ from those of ``one`` on features x (N, C, S, S) with classes y (N,)."""
    before, after = one.predict_proba(x), other.predict_proba(x)
    labels = before.argmax(axis=1), after.argmax(axis=1)
    scores = None
    if y is not None:
        matrices = np.zeros((2, before.shape[1], before.shape[1]), np.int64)
        for matrix, answered in zip(matrices, labels, strict=True):
            np.add.at(matrix, (y, answered), 1)
        scores = (float(uf1(matrices[0])), float(uf1(matrices[1])))
    gaps = np.abs(before - after)
    return Change(len(x), float((labels[0] == labels[1]).mean()), float(gaps.mean()), float(gaps.max()), scores)


def _check_parity(model: Recognizer, answers: npt.NDArray[np.float64], x: Array) -> None:
    gap = float(np.abs(answers - model.classifier.predict_proba(x)).max())
    if not gap <= PARITY:
        raise UserError(
            f"{model.method}: exported, its probabilities differ by {gap:.1e}, more than {PARITY:.0e}; use the "
            "safetensors file with torch"
        )


def _graph(name: str, network: Any, x: Array, folded: bool = False) -> Any:
    """The network as an ONNX model, float32, any number of clips at once.

    ``folded``: batch normalisation is part of the convolution before it. onnxruntime does so by itself, but not with
    8 bits; and weights that were rounded to 16 bits are no longer so when folded.
    """
    import onnx  # noqa: F401
    import onnxscript  # noqa: F401  (without either torch says something longer)
    import torch

    clips = torch.export.Dim("clips", min=1, max=65_536)
    network = deepcopy(network).cpu().eval()
    try:
        with _quiet():
            program = torch.onnx.export(
                network, (torch.from_numpy(x),), dynamo=True, dynamic_shapes=({0: clips},), optimize=folded,
                input_names=[INPUT], output_names=[OUTPUT], external_data=False, verbose=False,
            )  # fmt: skip
    except Exception as error:  # torch has many kinds of its own
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise UserError(
            f"{name}: its network has a step that ONNX lacks ({lines[-1][:200] if lines else type(error).__name__}); "
            "use the safetensors file with torch"
        ) from None
    assert program is not None
    graph = program.model_proto
    for part in (graph, graph.graph, *graph.graph.node, *graph.graph.value_info, *graph.functions):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")  # torch writes there which lines of which files a node comes from
    return graph


def _described(graph: Any, model: Recognizer) -> bytes:
    """The file's bytes, with the model's record in the metadata."""
    graph.ClearField("metadata_props")
    entry = graph.metadata_props.add()
    entry.key, entry.value = RECORD, json.dumps(model.record())
    return bytes(graph.SerializeToString(deterministic=True))


def _compact(graph: Any) -> Any:
    """Large tensors that 16 bits hold exactly kept in 16 bits; onnxruntime widens them when it reads the file."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in graph.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < LARGE or not np.array_equal(half.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.graph.node]
    graph.graph.ClearField("node")
    graph.graph.node.extend(nodes)
    return graph


def _quantised(graph: Any, x: Array, folder: Path) -> Any:
    """The graph in 8 bits: weights by output channel, activations by the ranges they take for x."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Clips(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left: Iterator[Array] = iter(x[:, None])

        def get_next(self) -> dict[str, Array] | None:
            one = next(self.left, None)
            return None if one is None else {INPUT: one}

    whole, ready, small = (folder / name for name in ("whole.onnx", "ready.onnx", "small.onnx"))
    onnx.save(_pooled(graph), whole)
    with _quiet():
        quant_pre_process(whole, ready, skip_symbolic_shape=True)
        quantize_static(
            ready, small, Clips(), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8, op_types_to_quantize=EIGHT_BITS,
            # Processors without VNNI add pairs of products in 16 bits, which overflow with 8-bit weights: 7 bits give
            # the same numbers everywhere.
            reduce_range=True,
        )  # fmt: skip
    return onnx.load(small)


def _pooled(graph: Any) -> Any:
    """Means over height and width as the pooling that onnxruntime knows in 8 bits too: nothing is widened for them."""
    from onnx import numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in graph.graph.value_info}
    for node in graph.graph.node:
        keeps = all(part.i for part in node.attribute if part.name == "keepdims")
        if node.op_type == "ReduceMean" and keeps and len(node.input) == 2 and ranks.get(node.input[0]) == 4:
            axes = constants.get(node.input[1], np.zeros(0))
            if sorted(np.ravel(axes) % 4) == [2, 3]:
                node.op_type = "GlobalAveragePool"
                del node.input[1:], node.attribute[:]
    used = {name for node in graph.graph.node for name in node.input}
    kept = [tensor for tensor in graph.graph.initializer if tensor.name in used]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    return graph


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' remarks on themselves."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
