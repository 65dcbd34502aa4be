"""From predictions to scores: one row for each run, selection and data subset.

Rows are grouped by data subset: ``full`` first (all clips of the run), then each data set where there are several.
Within a group the order is that of the runs, so that "the row above" is what stands above on the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dfrnet.evaluation.metrics import accuracy, recalls, uar, uf1
from dfrnet.evaluation.records import CONTROLS, PREDICTIONS, SELECTIONS, Run, load_run
from dfrnet.evaluation.statistics import (
    bootstrap_interval,
    paired_confusions,
    permutation_p,
    run_score,
    subject_confusions,
)
from dfrnet.types import Prediction, UserError, unknown_name

FULL = "full"
LEAKY = "LEAKY: epoch chosen on the test subject"
GIVEN = "given"
"""The selection of predictions that somebody else made."""


@dataclass(frozen=True)
class ScoreRow:
    """Scores of one run under one selection on one data subset.

    ``n`` clips of ``subjects`` subjects (0 where unknown). Scores lie in 0..1 and are means over ``seeds``; intervals
    are 95 % bootstrap intervals over ``units``, None where there are fewer than two. ``recalls`` and ``counts`` (clips
    a seed) are by class; ``confusion`` counts clips, rows truth, columns answer, mean over seeds. ``p_above`` is the
    paired permutation p of UF1 against the nearest honest row above with the same clips. ``folds`` is finished and
    planned.
    """

    run: str
    method: str
    selection: str
    data: str
    n: int
    subjects: int
    seeds: int
    uf1: float
    uar: float
    accuracy: float
    uf1_ci: tuple[float, float] | None
    uar_ci: tuple[float, float] | None
    recalls: Mapping[str, float]
    counts: Mapping[str, int]
    confusion: tuple[tuple[float, ...], ...]
    p_above: float | None = None
    baseline: bool = False
    folds: tuple[int, int] = (0, 0)
    units: str = "subjects"

    @property
    def leaky(self) -> bool:
        """Whether the test subject chose the epoch: a measurement of the leak, never a result."""
        return self.selection == "leaky"

    @property
    def complete(self) -> bool:
        """Whether every planned fold is finished."""
        return self.folds[0] == self.folds[1]

    @property
    def label(self) -> str:
        """The method as every format prints it: a leak or a missing fold cannot be overlooked."""
        mark = "" if self.complete else f" [INCOMPLETE: {self.folds[0]} of {self.folds[1]} folds]"
        return self.method + (f" ({LEAKY})" if self.leaky else "") + mark


def with_controls(runs: Sequence[Run]) -> list[Run]:
    """The runs with their controls on top: constant, then svm_flow, each once for the same clips.

    A control that a run folder lacks, or that has no finished fold yet, is left out; so is one that stands among the
    runs already.
    """
    given = {(run.method, _clip_ids(run)) for run in runs}
    found: dict[tuple[str, frozenset[str]], Run] = {}
    for name in CONTROLS:
        for path in (run.path / "controls" / name for run in runs):
            if not any((path / "folds").glob("*.json")) and not (path / PREDICTIONS).exists():
                continue
            control = load_run(path)
            if (name, _clip_ids(control)) not in given:
                found.setdefault((name, _clip_ids(control)), control)
    return [*found.values(), *runs]


def _clip_ids(run: Run) -> frozenset[str]:
    return frozenset(str(clip["id"]) for fold in run.folds for clip in fold.clips)


def score_rows(runs: Sequence[Run], selection: str | None = None) -> list[ScoreRow]:
    """One row for each data subset, run and selection; ``selection`` asks for one of fixed, nested, leaky.

    A run with no choice of epoch (a baseline, say) keeps its only row under every ``selection``. Other runs that hold
    no such predictions are a UserError.
    """
    if selection is not None and selection not in SELECTIONS:
        raise unknown_name("selection", selection, SELECTIONS)
    entries = [
        (run, chosen, run.predictions(chosen))
        for run in runs
        for chosen in (run.selections if selection is None or not run.in_epochs else (selection,))
    ]
    rows = []
    for data in data_subsets([p for _, _, predictions in entries for p in predictions]):
        above: list[tuple[Run, list[Prediction]]] = []
        for run, chosen, predictions in entries:
            part = subset(predictions, data)
            if not part:
                continue
            rows.append(
                score_row(
                    part,
                    run.classes,
                    run=run.name,
                    method=run.method,
                    selection=chosen,
                    data=data,
                    p_above=_p_above(run, part, above),
                    baseline=run.method in CONTROLS,
                    folds=(len(run.folds), int(run.config["folds"]) * len(run.seeds)),
                )
            )
            if chosen != "leaky":  # an honest row is never measured against a leak
                above.append((run, part))
    return rows


def score_row(
    predictions: Sequence[Prediction],
    classes: Sequence[str],
    *,
    run: str,
    method: str,
    selection: str,
    data: str,
    p_above: float | None = None,
    baseline: bool = False,
    folds: tuple[int, int] = (0, 0),
    units: str = "subjects",
) -> ScoreRow:
    """The scores of ``predictions``, pooled over folds; with ``units`` "clips" each clip is its own subject."""
    subjects, confusions = subject_confusions(predictions, classes)
    pooled = confusions.sum(axis=1)
    known = len(subjects) > 1  # the spread over one subject is unknown, not zero
    return ScoreRow(
        run=run,
        method=method,
        selection=selection,
        data=data,
        n=len({p.clip for p in predictions}),
        subjects=0 if units == "clips" else len(subjects),
        seeds=len(confusions),
        uf1=run_score(confusions, uf1),
        uar=run_score(confusions, uar),
        accuracy=run_score(confusions, accuracy),
        uf1_ci=bootstrap_interval(confusions, uf1) if known else None,
        uar_ci=bootstrap_interval(confusions, uar) if known else None,
        recalls=dict(zip(classes, map(float, recalls(pooled).mean(axis=0)), strict=True)),
        counts=dict(zip(classes, map(int, pooled[0].sum(axis=1)), strict=True)),
        confusion=tuple(tuple(map(float, row)) for row in pooled.mean(axis=0)),
        p_above=p_above,
        baseline=baseline,
        folds=folds,
        units=units,
    )


def data_subsets(predictions: Sequence[Prediction]) -> list[str]:
    """``full``, then the data sets in order of appearance; a single one is the same as ``full`` and left out."""
    datasets = list(dict.fromkeys(p.dataset for p in predictions))
    return [FULL, *datasets] if len(datasets) > 1 else [FULL]


def subset(predictions: Sequence[Prediction], data: str) -> list[Prediction]:
    """The predictions of one data subset."""
    return [p for p in predictions if data in (FULL, p.dataset)]


def _p_above(run: Run, part: Sequence[Prediction], above: Sequence[tuple[Run, list[Prediction]]]) -> float | None:
    """The p against the nearest row above with the same clips and classes; None where there is none."""
    for other, theirs in reversed(above):
        if other.classes != run.classes:
            continue
        try:
            _, a, b = paired_confusions(part, theirs, run.classes)
        except UserError:
            continue
        return permutation_p(a, b, uf1)
    return None
