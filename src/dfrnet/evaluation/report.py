"""One HTML file that tells a run: opens offline, no request to anywhere, pictures inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dfrnet.evaluation import figures
from dfrnet.evaluation.page import escape, page, picture, section, table
from dfrnet.evaluation.records import CONTROLS, Run, write_text
from dfrnet.evaluation.scores import FULL, ScoreRow, data_subsets, score_rows, subset, with_controls
from dfrnet.evaluation.statistics import Comparison, Difference, compare_paired, holm, subject_confusions
from dfrnet.evaluation.tables import notes
from dfrnet.types import Prediction, UserError

READING = (
    "Every clip is predicted by a model that never saw its person. UF1 and UAR are computed once, "
    "on the pooled predictions; a mean of per-fold scores would be another number.",
    "<b>fixed</b> is the last epoch. <b>nested</b> is an epoch chosen on held-out training subjects. <b>leaky</b> is "
    "the epoch that is best on the test subject itself: it cannot be known before the test and is shown only to "
    "measure what this habit adds. Compare published numbers with the row whose rule they used.",
    "Intervals are 95 % bootstrap intervals over subjects, not over clips: the clips of one person are alike. With "
    "few subjects they are wide, and two overlapping intervals decide nothing; use the paired comparison.",
    "A result that does not beat the constant answer and a support vector machine on optical flow shows little.",
    "This is about movements, not about what a person feels. A class names how annotators labelled a brief facial "
    "movement in a laboratory. Nothing here detects lies, intentions or hidden feelings.",
)


def write_report(runs: Sequence[Run], path: Path) -> None:
    """Write the report of ``runs`` and their controls; the first run is what it is about.

    Its headline is the ``fixed`` row, else ``nested``; a leaky row is never one. Written whole or not at all.
    UserError where matplotlib is missing or ``path`` cannot be written.
    """
    text = report_html(runs)
    if path.is_dir():
        raise UserError(f"{path}: a folder; name a file, such as {path / 'report.html'}")
    write_text(path, text)


def report_html(runs: Sequence[Run]) -> str:
    """The page as text."""
    main = runs[0]
    everything = with_controls(runs)
    rows = score_rows(everything)
    selection = headline_selection(main)
    predictions = main.predictions(selection)
    title = f"{main.method}: {main.name}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _opening(main, rows, selection),
        section("What was run", _about(main)),
        section("Scores", _scores(rows, main, selection) + picture(figures.interval_figure(rows), "score intervals")),
        section("Paired comparisons", _comparisons(everything, main, selection)),
        section("Answers by class", _classes(rows, main, selection) + _confusions(main, predictions)),
        section("Subjects", picture(figures.subject_figure(predictions, "Each subject"), "accuracy of each subject")),
        section("Training", _training(main)),
        section("How to read this", "".join(f"<p>{line}</p>" for line in READING)),
    ]
    return page(title, parts)


def headline_selection(run: Run) -> str:
    """The selection that speaks for a run: ``fixed``, else ``nested``; UserError where it has only a leaky row."""
    for selection in ("fixed", "nested"):
        if selection in run.selections:
            return selection
    raise UserError(f"{run.path}: only leaky predictions; evaluate it again with --selection audit")


def _opening(run: Run, rows: Sequence[ScoreRow], selection: str) -> str:
    """The headline in one sentence, the leak in the next, and what is missing."""
    # The first of equal names is the one: runs of two folders may be called the same.
    own = {row.selection: row for row in reversed(rows) if row.data == FULL and _is_of(row, run)}
    row = own[selection]
    text = (
        f"<p>UF1 <b>{row.uf1:.4f}</b>{_between(row.uf1_ci)}, UAR <b>{row.uar:.4f}</b>{_between(row.uar_ci)} on "
        f"{row.n} clips of {row.subjects} subjects, {escape(_seeds(row.seeds))}, "
        f"epoch selection: {escape(selection)}.</p>"
    )
    if "leaky" in own:
        gap = own["leaky"].uf1 - row.uf1
        text += (
            f'<p class="quiet">Choosing the epoch on the test subject would print UF1 {own["leaky"].uf1:.4f} (LEAKY), '
            f"{gap:+.4f} with the same trained models.</p>"
        )
    if left_out := run.config.get("left_out"):
        listed = "".join(f"<li>{escape(sentence)}</li>" for sentence in left_out.values())
        text += (
            f'<details class="warn"><summary>{len(left_out)} of {run.config["clips"] + len(left_out)} clips cannot be '
            f"used and are in no number here</summary><ul>{listed}</ul></details>"
        )
    if not run.complete:
        done, planned = row.folds
        text += f'<p class="warn">Incomplete: {done} of {planned} folds are finished; these numbers will change.</p>'
    return text


def _between(pair: tuple[float, float] | None) -> str:
    return "" if pair is None else f" ({pair[0]:.4f} to {pair[1]:.4f})"


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"mean of {count} seeds"


def _is_of(row: ScoreRow, run: Run) -> bool:
    return (row.run, row.method) == (run.name, run.method)


def _about(run: Run) -> str:
    """The configuration: what fits in a line or two, then all of it, folded."""
    lines = [(key.replace("_", " "), _plain(value)) for key, value in run.config.items()]
    lines = [(key, value) for key, value in lines if 0 < len(value) <= 300]
    listed = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in lines)
    rest = json.dumps(dict(run.config), indent=2, ensure_ascii=False, default=str)
    return f"<dl>{listed}</dl><details><summary>The whole of run.json</summary><pre>{escape(rest)}</pre></details>"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return str(value)


def _scores(rows: Sequence[ScoreRow], main: Run, selection: str) -> str:
    titles = ("run", "method", "selection", "data", "n", "subjects", "seeds", "UF1", "95 % interval", "UAR",
              "95 % interval", "accuracy", "p")  # fmt: skip
    lines = []
    for before, row in zip([None, *rows], rows, strict=False):
        marks = ["group"] if before is not None and before.data != row.data else []
        if row.leaky:
            marks.append("leaky")
        elif _is_of(row, main) and row.selection == selection:
            marks.append("headline")
        cells = (row.run, row.label, row.selection, row.data, row.n, row.subjects, row.seeds, f"{row.uf1:.4f}",
                 _between(row.uf1_ci).strip(" ()"), f"{row.uar:.4f}", _between(row.uar_ci).strip(" ()"),
                 f"{row.accuracy:.4f}", "" if row.p_above is None else f"{row.p_above:.4f}")  # fmt: skip
        lines.append((" ".join(marks), cells))
    told = "".join(f"<li>{escape(note)}</li>" for note in notes(rows))
    return table(titles, lines, words=4) + f'<ul class="notes">{told}</ul>'


def _comparisons(runs: Sequence[Run], main: Run, selection: str) -> str:
    """The headline against the headline of every other run, p corrected after Holm over the comparisons."""
    found: list[tuple[str, Comparison]] = []
    left_out = []
    for other in runs:
        if other is main:
            continue
        try:
            rule = headline_selection(other)
            compared = compare_paired(main.predictions(selection), other.predictions(rule), main.classes)
            found.append((f"{other.name}, {rule}", compared))
        except UserError as error:
            left_out.append(f"{other.name} is not compared: {error}")
    metrics: dict[str, list[Difference]] = {"UF1": [c.uf1 for _, c in found], "UAR": [c.uar for _, c in found]}
    lines = []
    for metric, differences in metrics.items():
        for (name, _c), d, p in zip(found, differences, holm([d.p_permutation for d in differences]), strict=True):
            interval = f"{d.interval[0]:+.4f} to {d.interval[1]:+.4f}"
            cells = (name, metric, f"{d.b:.4f}", f"{d.value:+.4f}", interval, f"{d.p_bootstrap:.4f}",
                     f"{d.p_permutation:.4f}", f"{p:.4f}", f"{d.p_t:.4f}")  # fmt: skip
            lines.append(("", cells))
    titles = ("against", "metric", "its score", "difference", "95 % interval", "p bootstrap", "p permutation",
              "p permutation, Holm", "p t-test")  # fmt: skip
    body = table(titles, lines, words=2) if lines else "<p>There is no other run on the same clips.</p>"
    about = (
        f'<p class="quiet">{escape(main.name)}, {escape(selection)}, minus each other run on the same clips. '
        "The bootstrap draws subjects, the permutation swaps the two runs subject by subject; the t-test compares each "
        "subject's own score over the classes that it shows.</p>"
    )
    return body + about + "".join(f'<p class="quiet">{escape(line)}</p>' for line in left_out)


def _classes(rows: Sequence[ScoreRow], main: Run, selection: str) -> str:
    """Recall by class of the headline and the controls."""
    shown = [row for row in rows if row.method in CONTROLS or (_is_of(row, main) and row.selection == selection)]
    lines = [
        ("", (row.run, row.data, *(f"{row.recalls[name]:.3f} of {row.counts[name]}" for name in main.classes)))
        for row in shown
        if set(main.classes) <= set(row.recalls)
    ]
    return "<p>Recall, of so many clips:</p>" + table(("run", "data", *main.classes), lines, words=2)


def _confusions(run: Run, predictions: Sequence[Prediction]) -> str:
    pictures = []
    for data in data_subsets(predictions):
        _names, matrices = subject_confusions(subset(predictions, data), run.classes)
        mean = matrices.sum(axis=1).mean(axis=0)
        pictures.append(picture(figures.confusion_figure(mean, run.classes, data), f"confusion matrix, {data}"))
    return "".join(pictures)


def _training(run: Run) -> str:
    seconds = sum(fold.seconds for fold in run.folds)
    text = f"<p>{len(run.folds)} folds, {seconds / 60:.1f} minutes of training and testing in all.</p>"
    drawn = figures.loss_figure(run.folds, "Loss over epochs, mean and middle 80 % of folds")
    return text + ("<p>No loss was recorded.</p>" if drawn is None else picture(drawn, "loss over epochs"))
