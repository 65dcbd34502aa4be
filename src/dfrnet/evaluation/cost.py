"""What a method costs: parameters, floating-point operations, latency on the CPU, memory."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np

from dfrnet.features import FeatureSpec
from dfrnet.methods import Method
from dfrnet.types import CLASSES, Array, UserError, unknown_name


@dataclass(frozen=True)
class Cost:
    """One method's price for one clip whose features are there; null where a method has no such thing.

    ``flops``: a multiplication and an addition count as two. ``latency_ms``: per thread count, p50 and p95 over the
    repeats, batch of one. ``megabytes``: parameters and buffers.
    """

    method: str
    input: tuple[int, int, int]
    parameters: int | None
    flops: int | None
    megabytes: float | None
    latency_ms: dict[str, dict[str, float]]


def measure(
    method: Method,
    settings: Any,
    threads: Sequence[int] = (1, 2),
    repeats: int = 50,
    spec: FeatureSpec | None = None,
    classes: int = len(CLASSES),
) -> Cost:
    """Measure one method for features of ``spec``, by default those of its own input size."""
    spec = spec or method.inputs(settings)
    shape = (len(spec.maps), spec.size, spec.size)
    x = np.random.default_rng(0).standard_normal((1, *shape)).astype(np.float32)
    if method.network is None:
        latency = {"1": _latency(_fitted(method, settings, spec, x, classes), repeats)}
        return Cost(method.name, shape, None, None, None, latency)
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    network = method.network(settings, spec, classes).eval()
    parameters = sum(p.numel() for p in network.parameters())
    size = sum(t.numel() * t.element_size() for t in (*network.parameters(), *network.buffers()))
    # On the meta device every operation is counted and none computed, whatever kernels this machine would choose.
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network.to("meta")(torch.empty(1, *shape, device="meta"))
    network = method.network(settings, spec, classes).eval()
    network = network.to(memory_format=torch.channels_last)
    before, latency = torch.get_num_threads(), {}
    inputs = torch.from_numpy(x).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        for count in threads:
            torch.set_num_threads(count)
            latency[str(count)] = _latency(lambda: network(inputs), repeats)
    torch.set_num_threads(before)
    return Cost(method.name, shape, parameters, int(counter.get_total_flops()), round(size / 2**20, 3), latency)


def _fitted(method: Method, settings: Any, spec: FeatureSpec, x: Array, classes: int) -> Callable[[], object]:
    """A prediction of a classifier that was fitted on as many made-up clips as the composite has."""
    rng = np.random.default_rng(0)
    many = rng.standard_normal((442, *x.shape[1:])).astype(np.float32)
    labels = rng.integers(0, classes, len(many))
    classifier = method.build(settings, spec, classes, 0).fit(many, labels, [str(i) for i in range(len(many))])
    return lambda: classifier.predict_proba(x)


def _latency(call: Callable[[], object], repeats: int) -> dict[str, float]:
    for _ in range(5):
        call()
    times = []
    for _ in range(repeats):
        start = perf_counter()
        call()
        times.append((perf_counter() - start) * 1000)
    return {"p50": round(float(np.percentile(times, 50)), 3), "p95": round(float(np.percentile(times, 95)), 3)}


def render_costs(costs: Sequence[Cost], form: str, width: int = 100) -> str:
    """The costs as ``text`` or ``json`` (``{"rows": [{"method", "parameters", "flops", ...}]}``)."""
    if form == "json":
        return json.dumps({"rows": [asdict(cost) for cost in costs]}, indent=2) + "\n"
    if form != "text":
        raise unknown_name("format", form, ("text", "json"))
    if not costs:
        raise UserError("no method given")
    from rich.console import Console
    from rich.table import Table

    table = Table("method", "input", "parameters", "MFLOP", "MiB", "threads", "p50 ms", "p95 ms", box=None)
    for cost in costs:
        for row, (threads, times) in enumerate(cost.latency_ms.items()):
            head = (
                cost.method,
                "x".join(map(str, cost.input)),
                "-" if cost.parameters is None else f"{cost.parameters:,}",
                "-" if cost.flops is None else f"{cost.flops / 1e6:,.1f}",
                "-" if cost.megabytes is None else f"{cost.megabytes:.1f}",
            )
            table.add_row(*(head if row == 0 else ("",) * 5), threads, f"{times['p50']:.2f}", f"{times['p95']:.2f}")
    text = io.StringIO()
    Console(file=text, width=max(width, 100)).print(table)
    return text.getvalue()
