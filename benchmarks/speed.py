"""How fast the path from frames to an answer is: medians over repeats, and ratios to the default.

    python benchmarks/speed.py --out benchmarks/results.json

Absolute times hold for one machine on one day; the ratios travel.
"""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import cv2

from dfrnet.datasets import synthetic
from dfrnet.evaluation.cost import measure
from dfrnet.features import FLOWS, FeatureSpec, extract
from dfrnet.methods import METHODS


def timed(call, repeats: int) -> float:
    """Median milliseconds of ``repeats`` calls after two that are not counted."""
    times = []
    for _ in range(repeats + 2):
        start = perf_counter()
        call()
        times.append((perf_counter() - start) * 1000)
    return median(times[2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    clip = synthetic.load("default", subjects=1, clips_per_subject=1)[0]
    frames = [clip.frames[clip.onset], clip.frames[clip.apex]]
    spec = FeatureSpec()
    rows = [
        {
            "what": f"extract, flow={name}",
            "ms": timed(partial(extract, frames, replace(spec, flow=name), 0, 1), options.repeats),
        }
        for name in FLOWS
    ]
    for row in rows:
        row["ratio"] = row["ms"] / rows[0]["ms"]
    for name, changes in (("dfrnet", {}), ("dfrnet", {"inputs": "flow", "size": "28"}), ("ststnet", {})):
        cost = measure(METHODS[name], METHODS[name].configured("", changes), repeats=options.repeats)
        rows += [
            {"what": f"{name} {changes or ''} {threads} thread(s)", "ms": times["p50"], "p95": times["p95"]}
            for threads, times in cost.latency_ms.items()
        ]
    for row in rows:
        print(f"{row['what']:60} {row['ms']:9.2f} ms" + (f"  x{row['ratio']:.2f}" if "ratio" in row else ""))
    if options.out:
        record = {"machine": platform.processor() or platform.machine(), "repeats": options.repeats, "rows": rows}
        options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
