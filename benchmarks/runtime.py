"""The three-branch network at 128x128 on onnxruntime, beside what this machine's matrix product reaches.

    python benchmarks/runtime.py --out benchmarks/runtime.json

Times are of a clip whose features are there, batch of one; the weights are random, which costs the same. ``ratio`` is
the time on one thread over the network's FLOPs at the measured rate: 1 would be a network that is nothing but one large
matrix product. ``cpu_p50_ms`` is the time that the processor worked: on a machine that does other things it is the one
to read. 8-bit products are fastest where the processor has VNNI (``vnni``).
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from dfrnet.evaluation.cost import measure
from dfrnet.export import to_onnx
from dfrnet.methods import METHODS
from dfrnet.recognizer import Recognizer
from dfrnet.runtime import OnnxClassifier
from dfrnet.types import CLASSES

SIDE = 1024
CALLS = 30


NETWORKS = ("", "32,64,128,256")
"""Widths: the default, which are ResNet-18's, and half of them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=CALLS)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    found = {
        "processor": processor(),
        "vnni": "vnni" in flags(),
        "matrix_product_1_thread": matrix_rate(arguments.repeats),
        "networks": [network(widths, arguments.repeats) for widths in NETWORKS],
    }
    for one in found["networks"]:
        at_rate = one["flops"] / (found["matrix_product_1_thread"]["cpu_gflops"] * 1e9) * 1000
        one["ratio"] = round(one["rows"][0]["cpu_p50_ms"] / at_rate, 3)
    text = json.dumps(found, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


def network(widths: str, repeats: int) -> dict:
    """Parameters, FLOPs and times of the three-branch network with these widths."""
    method = METHODS["dfrnet"]
    settings = method.configured(changes={"widths": widths} if widths else {})
    spec = method.inputs(settings)
    x = np.random.default_rng(0).standard_normal((16, len(spec.maps), spec.size, spec.size)).astype(np.float32)
    price = measure(method, settings, threads=(1,), repeats=5)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        model = untrained(method, settings, spec)
        files = {"float32": Path(folder) / "float.onnx", "int8": Path(folder) / "int8.onnx"}
        for kind, file in files.items():
            to_onnx(model, file, int8=kind == "int8", x=x)
        for kind, threads in (("float32", 1), ("float32", 2), ("int8", 1), ("int8", 2)):
            classifier = OnnxClassifier(files[kind], threads)
            times = timed(lambda c=classifier: c.predict_proba(x[:1]), repeats)
            rows.append({"kind": kind, "threads": threads, **times})
    return {
        "widths": settings.widths[: settings.layers],
        "input": [len(spec.maps), spec.size, spec.size],
        "parameters": price.parameters,
        "flops": price.flops,
        "torch_1_thread_p50_ms": price.latency_ms["1"]["p50"],
        "rows": rows,
    }


def untrained(method, settings, spec) -> Recognizer:
    """The method with random weights."""
    from torch import nn

    from dfrnet.training.classifier import Normalise

    spec = replace(spec, align="face")
    classifier = method.build(settings, spec, len(CLASSES), 0)
    fresh = nn.Sequential(Normalise(len(spec.maps)), method.network(settings, spec, len(CLASSES)))
    classifier.restore(fresh.state_dict(), channels=len(spec.maps))
    return Recognizer(method.name, settings, spec, CLASSES, {}, classifier)


def matrix_rate(repeats: int) -> dict[str, float]:
    """GFLOP/s of a product of two float32 squares on one thread, by the clock and by the processor's own time."""
    import torch

    torch.set_num_threads(1)
    square = torch.rand(SIDE, SIDE)
    times = [clocked(lambda: square @ square) for _ in range(repeats + 3)][3:]
    wall, cpu = (float(np.median([one[i] for one in times])) for i in range(2))
    work = 2 * SIDE**3 / 1e9
    return {"side": SIDE, "wall_gflops": round(work / wall, 1), "cpu_gflops": round(work / cpu, 1)}


def timed(call, repeats: int) -> dict[str, float]:
    times = np.array([clocked(call) for _ in range(repeats + 3)][3:]) * 1000
    p50, p95 = np.percentile(times, [50, 95], axis=0)
    return {"p50_ms": round(p50[0], 2), "p95_ms": round(p95[0], 2), "cpu_p50_ms": round(p50[1], 2)}


def clocked(call) -> tuple[float, float]:
    """Seconds by the clock, and seconds that the processor worked in all threads together."""
    wall, cpu = perf_counter(), process_time()
    call()
    return perf_counter() - wall, process_time() - cpu


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def flags() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line for line in lines if line.startswith("flags")), "")


if __name__ == "__main__":
    main()
