"""What is made of a study's finished rows: sheets of numbers, and pictures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dfrnet.evaluation import figures
from dfrnet.evaluation.metrics import f1s
from dfrnet.evaluation.scores import FULL, ScoreRow, score_rows
from dfrnet.evaluation.statistics import COMPARED, Comparison, compare_paired, holm, paired_confusions, permutation_p
from dfrnet.evaluation.studies.published import HONEST, PUBLISHED, Published
from dfrnet.evaluation.studies.runs import Outcome, Result
from dfrnet.evaluation.studies.sheet import Row, Sheet
from dfrnet.methods import METHODS
from dfrnet.types import UserError


@dataclass(frozen=True)
class View:
    """Sheets, and pictures as PNG by file name."""

    sheets: tuple[Sheet, ...] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def composition(outcome: Outcome) -> View:
    """Table 1: clips of each class in each data set, counted from the clips that were loaded."""
    counts = Counter((clip.dataset, clip.label) for clip in outcome.loaded.clips)
    sets = list(dict.fromkeys(clip.dataset for clip in outcome.loaded.clips))
    people = {name: len({c.subject for c in outcome.loaded.clips if c.dataset == name}) for name in sets}
    rows: list[Row] = []
    for label in outcome.loaded.classes:
        numbers = {name: counts[name, label] for name in sets}
        rows.append({"class": label, **numbers, "all": sum(numbers.values())})
    rows.append({"class": "clips", **{n: sum(counts[n, c] for c in outcome.loaded.classes) for n in sets},
                 "all": len(outcome.loaded.clips)})  # fmt: skip
    rows.append({"class": "subjects", **people, "all": sum(people.values())})
    bars = [(f"{name}, {label}", float(counts[name, label])) for name in sets for label in outcome.loaded.classes]
    drawn = figures.dot_figure([(label, count, None) for label, count in bars], "Clips by class and data set", "clips")
    return View((Sheet("composition", "Clips by class and data set", tuple(rows)),), {"composition.png": drawn})


def scores(outcome: Outcome) -> View:
    """One line for each row and selection: the composite with its interval, each data set beside it."""
    if not outcome.results:
        return View()
    tested, untested = _against_reference(outcome)
    rows = []
    for result in outcome.results:
        by_selection: dict[str, dict[str, ScoreRow]] = {}
        for row in score_rows([result.run]):
            by_selection.setdefault(row.selection, {})[row.data] = row
        for selection, parts in by_selection.items():
            test = tested.get(result.entry.label) if selection == result.run.selections[0] else None
            rows.append(_score_line(result, selection, parts, test, outcome.study.reference))
    if not any(row["p_holm"] is not None for row in rows):
        rows = [{k: v for k, v in row.items() if k not in ("p_holm", "stars")} for row in rows]
    notes = ["fixed: the last epoch; nested: chosen on held-out training subjects; LEAKY: chosen on the test subject, "
             "which shows what that adds and is no result."] if len(rows) > len(outcome.results) else []  # fmt: skip
    sheet = Sheet("scores", "Scores", tuple(rows), (*notes, *_about(outcome), *untested, *_missing(outcome)))
    flat = [row for result in outcome.results for row in score_rows([result.run]) if row.data == FULL]
    named = [_renamed(row, outcome) for row in flat]
    return View((sheet,), {"scores.png": figures.interval_figure(named)})


def _score_line(
    result: Result, selection: str, parts: Mapping[str, ScoreRow], test: tuple[float, str] | None, reference: str
) -> Row:
    full = parts[FULL]
    mark = "" if full.complete else f" [INCOMPLETE: {full.folds[0]} of {full.folds[1]} folds]"
    leaky = " (LEAKY)" if full.leaky else ""
    line: Row = {"row": result.entry.label + leaky + mark, "selection": selection, "n": full.n, "seeds": full.seeds}
    line |= {"uf1": full.uf1, "uf1_ci": full.uf1_ci, "uar": full.uar, "accuracy": full.accuracy}
    for name, row in parts.items():
        if name != FULL:
            line |= {f"{name} UF1": row.uf1, f"{name} UAR": row.uar}
    honest = selection == result.run.selections[0] and not full.leaky
    is_reference = result.entry.label == reference and honest
    line |= {"p_holm": test[0] if test else None, "stars": "reference" if is_reference else test[1] if test else ""}
    return line


def _renamed(row: ScoreRow, outcome: Outcome) -> ScoreRow:
    """With the row's label in the place of the run's folder."""
    labels = {result.run.name: result.entry.label for result in outcome.results}
    return replace(row, run=labels[row.run])


def _about(outcome: Outcome) -> list[str]:
    """What the rows have in common that their labels do not say."""
    notes = [outcome.study.note] if outcome.study.note else []
    if any(_flow_alone(result) for result in outcome.results):
        notes.append("These clips are ready-made motion maps: dfrnet sees the flow alone here (inputs=flow).")
    return notes


def _flow_alone(result: Result) -> bool:
    config = result.run.config["settings"]
    return result.entry.method == "dfrnet" and config["inputs"] == "flow" and "inputs" not in result.entry.changes


def _against_reference(outcome: Outcome) -> tuple[dict[str, tuple[float, str]], list[str]]:
    """Holm's p of UF1 and its stars by label, each row's honest headline against the reference's; and why not."""
    reference = next((r for r in outcome.results if r.entry.label == outcome.study.reference), None)
    if reference is None:
        lacking = outcome.study.reference and f"No row is tested: the reference {outcome.study.reference} was not run."
        return {}, [lacking] if lacking else []
    found: dict[str, float] = {}
    untested = []
    ours = reference.run.predictions(reference.run.selections[0])
    for result in outcome.results:
        if result is reference:
            continue
        try:
            theirs = result.run.predictions(result.run.selections[0])
            a, b = (part for part in paired_confusions(ours, theirs, reference.run.classes)[1:])
        except UserError as error:
            untested.append(f"Not tested: {result.entry.label}: {error}.")
            continue
        metric, _ = COMPARED["uf1"]
        found[result.entry.label] = permutation_p(a, b, metric)
    corrected = holm(list(found.values()))
    return {label: (p, stars(p)) for label, p in zip(found, corrected, strict=True)}, untested


def stars(p: float) -> str:
    """``***`` below 0.001, ``**`` below 0.01, ``*`` below 0.05: of a corrected p only."""
    return next((mark for bound, mark in ((0.001, "***"), (0.01, "**"), (0.05, "*")) if p < bound), "")


def _missing(outcome: Outcome) -> list[str]:
    return [f"Not run: {label}: {why}." for label, why in outcome.left_out.items()]


def cost(outcome: Outcome) -> View:
    """Parameters, operations and latency, measured in the same run; a picture of UF1 against time."""
    rows: list[Row] = []
    points = []
    for result in outcome.results:
        price = result.cost
        times = {threads: found["p50"] for threads, found in price.latency_ms.items()}
        seconds = [fold.seconds for fold in result.run.folds]
        rows.append(
            {
                "row": result.entry.label,
                "input": "x".join(map(str, price.input)),
                "parameters": price.parameters,
                "mflop": None if price.flops is None else price.flops / 1e6,
                "ms_1": times.get("1"),
                "ms_2": times.get("2"),
                "fold_s": float(np.mean(seconds)) if any(seconds) else None,
            }
        )
        headline = next(row for row in score_rows([result.run]) if row.data == FULL)
        points.append((result.entry.label, times.get("1", math.nan), headline.uf1, price.parameters))
    if not rows:
        return View()
    notes = ("No features are in these times; what they cost: docs/extraction.md.",)
    return View(
        (Sheet("cost", "Cost", tuple(rows), (*notes, *_about(outcome))),), {"cost.png": figures.cost_figure(points)}
    )


def published(outcome: Outcome) -> View:
    """Reproduced beside published, where the clips are MEGC2019's."""
    if {clip.dataset for clip in outcome.loaded.clips} != {"smic", "casme2", "samm"}:
        return View()
    rows: list[Row] = []
    for result in outcome.results:
        ours = {(row.selection, row.data): row for row in score_rows([result.run])}
        headline = result.run.selections[0]
        method = result.entry.method
        printed = [(PUBLISHED[method], "")] if method in PUBLISHED else []
        printed += [(one, "again by others") for one in HONEST.get(method, ())]
        rows += [_published_line(result, one, again, ours, headline) for one, again in printed]
    notes = [
        "Published figures come from other features and code, and often from another choice of the epoch.",
        "DFR-Net's tables are pictures, so none of its numbers is known; FGRL-AUF's were met only second hand.",
    ]
    without = [r.entry.label for r in outcome.results if r.entry.method not in PUBLISHED]
    notes += [f"Nothing published to print for {', '.join(without)}."] if without else []
    return View((Sheet("published", "Reproduced beside published", tuple(rows), tuple(notes)),)) if rows else View()


def _published_line(
    result: Result, one: Published, again: str, ours: Mapping[tuple[str, str], ScoreRow], headline: str
) -> Row:
    line: Row = {"row": result.entry.label + (f" ({again})" if again else "")}
    leaky = ours.get(("leaky", FULL))
    line |= {"our UF1": ours[headline, FULL].uf1, "our LEAKY UF1": leaky.uf1 if leaky else None}
    for data in ("full", "smic", "casme2", "samm"):
        pair = one.scores.get(data)
        for name, value in zip(("UF1", "UAR"), pair or (math.nan, math.nan), strict=True):
            line[f"published {data} {name}"] = None if math.isnan(value) else value
    return line | {"their epoch": one.epoch, "source": one.source}


def differences(outcome: Outcome) -> View:
    """What is not as published, method by method."""
    rows: tuple[Row, ...] = tuple(
        {"method": name, "reference": METHODS[name].reference, "differs from the publication": sentence}
        for name in dict.fromkeys(result.entry.method for result in outcome.results)
        for sentence in (METHODS[name].differences or ("-",))
    )
    return View((Sheet("differences", "Where ours differ from what was published", rows),) if rows else ())


def significance(outcome: Outcome) -> View:
    """The reference against every other row, both scores, with Holm's correction over the rows."""
    reference = next((r for r in outcome.results if r.entry.label == outcome.study.reference), None)
    if reference is None:
        why = f"Nothing to compare: the reference {outcome.study.reference} was not run."
        return View((Sheet("significance", "Paired comparisons", (), (why, *_missing(outcome))),))
    found: dict[str, Comparison] = {}
    untested = []
    ours = reference.run.predictions(reference.run.selections[0])
    for result in outcome.results:
        if result is not reference:
            theirs = result.run.predictions(result.run.selections[0])
            try:
                found[result.entry.label] = compare_paired(ours, theirs, reference.run.classes)
            except UserError as error:
                untested.append(f"Not tested: {result.entry.label}: {error}.")
    rows: list[Row] = []
    for metric in ("uf1", "uar"):
        differences = [getattr(one, metric) for one in found.values()]
        corrected = holm([one.p_permutation for one in differences])
        for label, one, p in zip(found, differences, corrected, strict=True):
            rows.append(
                {
                    "data": metric.upper(), "against": label, "its score": one.b, "difference": one.value,
                    "interval": one.interval, "p permutation": one.p_permutation, "p Holm": p, "stars": stars(p),
                    "p t-test": one.p_t,
                }
            )  # fmt: skip
    notes = (
        f"{outcome.study.reference} minus each other row; intervals: 95 % paired bootstrap over subjects; stars from "
        "the permutation test after Holm's correction: * below 0.05, ** below 0.01, *** below 0.001.",
        *_about(outcome),
        *untested,
        *_missing(outcome),
    )
    points = [
        (f"{row['against']} {row['stars']}", row["difference"], row["interval"]) for row in rows if row["data"] == "UF1"
    ]
    drawn = figures.dot_figure(points, f"UF1 of {outcome.study.reference} minus each other", "difference", zero=True)
    return View((Sheet("significance", "Paired comparisons", tuple(rows), notes),), {"significance.png": drawn})


def confusion(outcome: Outcome) -> View:
    """Confusion matrices of the honest headline on all clips and on each data set."""
    rows: list[Row] = []
    pictures = {}
    for result in outcome.results:
        run = result.run
        found = {row.data: row for row in score_rows([run]) if row.selection == run.selections[0]}
        for data, row in found.items():
            pictures[f"confusion-{data}.png"] = figures.confusion_figure(
                np.array(row.confusion), run.classes, f"{result.entry.label}, {data}"
            )
            for truth, counts in zip(run.classes, row.confusion, strict=True):
                answered = {f"answered {name}": count for name, count in zip(run.classes, counts, strict=True)}
                rows.append({"data": data, "true": truth, **answered, "recall": row.recalls[truth]})
    chosen = ", ".join(dict.fromkeys(result.run.selections[0] for result in outcome.results))
    notes = (f"Clips, mean over seeds, epoch selection: {chosen}.", *_about(outcome), *_missing(outcome))
    return View((Sheet("confusion", "Confusion", tuple(rows), notes),), pictures)


def convergence(outcome: Outcome) -> View:
    """Loss over epochs, and where each fold would have stopped."""
    rows: list[Row] = []
    pictures = {}
    for result in outcome.results:
        folds = result.run.folds
        chosen = [fold.nested_epoch for fold in folds if fold.nested_epoch is not None]
        held = [fold.history["held_out_loss"] for fold in folds if fold.history.get("held_out_loss")]
        drawn = figures.loss_figure(folds, f"{result.entry.label}: loss over epochs")
        if drawn is not None:
            pictures["loss.png"] = drawn
        rows.append(
            {
                "row": result.entry.label,
                "epochs": max((len(fold.history.get("loss", ())) for fold in folds), default=0),
                "first loss": _mean([fold.history["loss"][0] for fold in folds if fold.history.get("loss")]),
                "last loss": _mean([fold.history["loss"][-1] for fold in folds if fold.history.get("loss")]),
                "nested epoch, median": float(np.median(chosen)) if chosen else None,
                "nested epoch, range": f"{min(chosen)} to {max(chosen)}" if chosen else "-",
                "least held-out loss": _mean([min(losses) for losses in held]),
            }
        )
    notes = (*_about(outcome), *_missing(outcome))
    return View((Sheet("convergence", "Convergence", tuple(rows), notes),), pictures)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def units(outcome: Outcome) -> View:
    """CD6ME's task: F1 of each action unit in data sets that were not trained on, and their mean for each method."""
    rows: list[Row] = []
    for result in outcome.results:
        row = next(row for row in score_rows([result.run]) if row.data == FULL)
        absent, present = (float(value) for value in f1s(np.array(row.confusion)))
        line: Row = {"method": result.entry.method, "unit": result.entry.classes, "n": row.n}
        line |= {"present": row.counts["present"], "binary F1": present, "macro F1": (absent + present) / 2}
        rows.append(line)
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        mean = {name: _mean([row[name] for row in own]) for name in ("binary F1", "macro F1")}
        rows.append({"method": method, "unit": f"mean of {len(own)}", "n": max(row["n"] for row in own), **mean})
    note = (
        "Each data set is tested once, with training on the others; one classifier a unit (MEB trains one network for "
        "all). binary: F1 of 'present'; macro: mean of that and of 'absent'. Always 'absent' scores 0 and about 0.47."
    )
    points = [(f"{row['method']}, {row['unit']}", row["binary F1"], None) for row in rows]
    drawn = figures.dot_figure(points, "Action units across data sets", "binary F1")
    notes = (note, *_about(outcome), *_missing(outcome))
    return View((Sheet("units", "Action units across data sets", tuple(rows), notes),), {"units.png": drawn})


VIEWS: dict[str, Callable[[Outcome], View]] = {
    "composition": composition,
    "scores": scores,
    "cost": cost,
    "published": published,
    "differences": differences,
    "significance": significance,
    "confusion": confusion,
    "convergence": convergence,
    "units": units,
}
"""By the names in ``Study.shows``."""
