"""Two runs on the same clips, side by side."""

from __future__ import annotations

import json
from dataclasses import asdict

from dfrnet.evaluation.records import Run
from dfrnet.evaluation.statistics import Comparison, Difference, compare_paired
from dfrnet.types import UserError, unknown_name


def compare_runs(a: Run, b: Run, selection: str = "") -> tuple[Run, Run, Comparison]:
    """The paired comparison of two runs, each under ``selection`` or else under its first one.

    UserError where the classes or the clips differ, or where someone asks for the leaky rows: they are no result.
    """
    if selection == "leaky":
        raise UserError("leaky rows are no result, so they are not compared; choose fixed or nested")
    if a.classes != b.classes:
        raise UserError(f"{a.path} has classes {', '.join(a.classes)} but {b.path} has {', '.join(b.classes)}")
    first, second = (run.predictions(_selection(run, selection)) for run in (a, b))
    return a, b, compare_paired(first, second, a.classes)


def render_comparison(found: tuple[Run, Run, Comparison], form: str) -> str:
    """As ``text`` or ``json``."""
    a, b, comparison = found
    if form == "json":
        return json.dumps({"a": a.name, "b": b.name, **asdict(comparison)}, indent=2) + "\n"
    if form != "text":
        raise unknown_name("format", form, ("text", "json"))
    lines = [
        f"{a.name} ({a.method}) against {b.name} ({b.method}): {comparison.n} clips, {comparison.subjects} subjects"
    ]
    lines += [_line(name, one) for name, one in (("UF1", comparison.uf1), ("UAR", comparison.uar))]
    return "\n".join(lines) + "\n"


def _line(name: str, one: Difference) -> str:
    low, high = one.interval
    return (
        f"{name}: {one.a:.4f} against {one.b:.4f}, difference {one.value:+.4f} [{low:+.4f}, {high:+.4f}] "
        f"(95 % over subjects); p: bootstrap {one.p_bootstrap:.3f}, permutation {one.p_permutation:.3f}, "
        f"t-test {one.p_t:.3f}"
    )


def _selection(run: Run, asked: str) -> str:
    """A run without epochs has one row only, which then stands for any selection."""
    return asked if asked and run.selections != ("fixed",) else run.selections[0]
