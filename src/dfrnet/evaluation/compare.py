"""Two runs on the same clips, side by side."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from dfrnet.evaluation.records import Run
from dfrnet.evaluation.statistics import Comparison, Difference, compare_paired
from dfrnet.types import UserError, unknown_name


@dataclass(frozen=True)
class Compared:
    """Runs a and b, the selection of each, and what came out."""

    a: Run
    b: Run
    selections: tuple[str, ...]
    comparison: Comparison


def compare_runs(a: Run, b: Run, selection: str = "") -> Compared:
    """The paired comparison of two runs, each under ``selection`` or else under its first one.

    UserError where the classes or the clips differ, or where someone asks for the leaky rows: they are no result.
    """
    if selection == "leaky":
        raise UserError("leaky rows are no result, so they are not compared; choose fixed or nested")
    if a.classes != b.classes:
        raise UserError(f"{a.path} has classes {', '.join(a.classes)} but {b.path} has {', '.join(b.classes)}")
    chosen = tuple(_selection(run, selection) for run in (a, b))
    first, second = (run.predictions(one) for run, one in zip((a, b), chosen, strict=True))
    return Compared(a, b, chosen, compare_paired(first, second, a.classes))


def render_comparison(found: Compared, form: str) -> str:
    """As ``text`` or ``json``."""
    a, b, comparison = found.a, found.b, found.comparison
    if form == "json":
        return (
            json.dumps({"a": a.name, "b": b.name, "selections": found.selections, **asdict(comparison)}, indent=2)
            + "\n"
        )
    if form != "text":
        raise unknown_name("format", form, ("text", "json"))
    names = [f"{run.name} ({run.method}, {one})" for run, one in zip((a, b), found.selections, strict=True)]
    lines = [f"{' against '.join(names)}: {comparison.n} clips, {comparison.subjects} subjects"]
    lines += [_line(name, one) for name, one in (("UF1", comparison.uf1), ("UAR", comparison.uar))]
    return "\n".join(lines) + "\n"


def _line(name: str, one: Difference) -> str:
    low, high = one.interval
    return (
        f"{name}: {one.a:.4f} against {one.b:.4f}, difference {one.value:+.4f} [{low:+.4f}, {high:+.4f}] "
        f"(95 % over subjects); p: bootstrap {_p(one.p_bootstrap)}, "
        f"permutation {_p(one.p_permutation)}, t-test {_p(one.p_t)}"
    )


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def _selection(run: Run, asked: str) -> str:
    """A run without epochs has one row only, which then stands for any selection."""
    return asked if asked and run.in_epochs else run.selections[0]
