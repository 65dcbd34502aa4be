"""Pictures of results as PNG bytes, drawn without a display and without matplotlib's global state.

Colours are those of Okabe and Ito (2008), told apart with any colour vision; shape or text says the same again.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dfrnet.evaluation.metrics import Counts
from dfrnet.evaluation.records import FoldRecord
from dfrnet.evaluation.scores import FULL, ScoreRow
from dfrnet.types import Prediction, UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PINK, SKY, VERMILION = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, VERMILION)
MARKERS = ("o", "s", "^", "D", "v", "P")
GREY = "#666666"
DPI = 144


def confusion_figure(confusion: Counts, classes: Sequence[str], title: str) -> bytes:
    """One confusion matrix (K, K), rows the truth: counts in each cell, its share of the row as shade and per cent."""
    matrix = np.asarray(confusion, np.float64)
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros_like(matrix), where=totals > 0)
    size = 1.6 + 0.95 * len(classes)
    figure, axes = _figure(size + 0.6, size)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), share in np.ndenumerate(shares):
        # A mean over seeds need not be whole.
        count = f"{matrix[i, j]:.0f}" if matrix[i, j] % 1 == 0 else f"{matrix[i, j]:.1f}"
        axes.text(j, i - 0.1, count, ha="center", va="center", fontsize=12, color="white" if share > 0.55 else "black")
        axes.text(j, i + 0.2, f"{share:.0%}", ha="center", va="center", fontsize=9,
                  color="white" if share > 0.55 else "#333333")  # fmt: skip
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes, rotation=90, va="center")
    axes.set(xlabel="answered", ylabel="true", title=title)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return _png(figure)


def loss_figure(folds: Sequence[FoldRecord], title: str) -> bytes | None:
    """Training and held-out loss over epochs: mean and middle 80 % of the folds, ticks at the nested epochs.

    None where no fold kept a history. Folds of unequal length count as far as they go.
    """
    names = (("loss", "training", BLUE, "-"), ("held_out_loss", "held-out training subjects", ORANGE, "--"))
    curves = {key: _padded([fold.history.get(key, ()) for fold in folds]) for key, *_ in names}
    if not curves["loss"].size:
        return None
    figure, axes = _figure(7, 3.4)
    for key, label, colour, line in names:
        values = curves[key]
        if not values.size:
            continue
        epochs = np.arange(1, values.shape[1] + 1)
        low, high = np.nanquantile(values, [0.1, 0.9], axis=0)
        axes.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(epochs, np.nanmean(values, axis=0), color=colour, linestyle=line, linewidth=2, label=label)
    chosen = [fold.nested_epoch for fold in folds if fold.nested_epoch is not None]
    if chosen:
        # Along the foot of the picture, whatever the losses are.
        axes.plot(chosen, np.full(len(chosen), 0.03), "|", color=GREY, markersize=12, markeredgewidth=1.5,
                  alpha=0.4, transform=axes.get_xaxis_transform(), label="nested epoch of a fold")  # fmt: skip
    axes.set(xlabel="epoch", ylabel="loss", title=title)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=9)
    return _png(figure)


def subject_figure(predictions: Sequence[Prediction], title: str) -> bytes:
    """Accuracy of each subject, sorted, over all seeds; the area of a mark is its number of clips."""
    figure, axes = _figure(8, 3.4)
    from matplotlib.collections import PathCollection

    datasets = list(dict.fromkeys(p.dataset for p in predictions))
    seeds = len({p.seed for p in predictions})
    hits: dict[tuple[str, str], list[bool]] = {}
    for p in predictions:
        hits.setdefault((p.subject, p.dataset), []).append(p.truth == p.label)
    ordered = sorted(hits, key=lambda key: (np.mean(hits[key]), len(hits[key])))
    for i, dataset in enumerate(datasets):
        places = [place for place, (_, owner) in enumerate(ordered) if owner == dataset]
        axes.scatter(places, [np.mean(hits[ordered[place]]) for place in places],
                     s=[14 + 7 * len(hits[ordered[place]]) / seeds for place in places],
                     color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)], alpha=0.85,
                     edgecolor="white", linewidth=0.6, label=dataset, clip_on=False)  # fmt: skip
    overall = np.mean([p.truth == p.label for p in predictions])
    axes.axhline(float(overall), color=GREY, linewidth=1, linestyle=":", label=f"all clips, {overall:.3f}")
    axes.set(xlabel=f"{len(ordered)} subjects, from the worst to the best", ylabel="accuracy", title=title,
             ylim=(-0.03, 1.03))  # fmt: skip
    axes.set_xticks([])
    legend = axes.legend(frameon=False, fontsize=9, loc="lower right")
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):  # otherwise as large as the data set's first subject
            handle.set_sizes([40])
    return _png(figure)


def interval_figure(rows: Sequence[ScoreRow], data: str = FULL) -> bytes:
    """UF1 and UAR of each row with their intervals; leaky rows hollow, dashed and named, baselines grey."""
    shown = [row for row in rows if row.data == data]
    # The page's table shows runs from top to bottom; so does this.
    figure, axes = _figure(8, 1.3 + 0.5 * len(shown))
    for place, row in enumerate(reversed(shown)):
        colours = (GREY, GREY) if row.baseline else (BLUE, ORANGE)
        series = ((row.uf1, row.uf1_ci, 0.13, "o"), (row.uar, row.uar_ci, -0.13, "s"))
        for (score, interval, shift, marker), colour in zip(series, colours, strict=True):
            if interval is not None:
                axes.plot(interval, [place + shift] * 2, color=colour, linewidth=2,
                          linestyle=(0, (2, 1.5)) if row.leaky else "-")  # fmt: skip
            axes.plot(score, place + shift, marker, color=colour, markersize=7,
                      markerfacecolor="white" if row.leaky else colour)  # fmt: skip
    names = [f"{row.run}, {'LEAKY, no result' if row.leaky else row.selection}" for row in reversed(shown)]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set(xlabel="score with 95 % interval", title=f"UF1 (circle) and UAR (square) on {data}")
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    return _png(figure)


def cost_figure(points: Sequence[tuple[str, float, float, int | None]]) -> bytes:
    """UF1 against the median time of one inference, on a logarithmic axis; the area of a mark tells the parameters.

    ``points``: label, milliseconds on one thread, UF1, parameters (None for a method without any).
    """
    figure, axes = _figure(8, 4.2)
    for i, (label, time, score, parameters) in enumerate(points):
        area = 30 if parameters is None else 20 + 10 * max(np.log10(parameters) - 2, 0) ** 2
        axes.scatter([time], [score], s=area, color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)],
                     alpha=0.85, edgecolor="white", linewidth=0.6)  # fmt: skip
        axes.annotate(label, (time, score), xytext=(6, 4), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.set(xlabel="milliseconds for one clip, one thread", ylabel="UF1", title="Score and cost")
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    return _png(figure)


def dot_figure(
    points: Sequence[tuple[str, float, tuple[float, float] | None]], title: str, xlabel: str, zero: bool = False
) -> bytes:
    """A dot for each label with its interval, from top to bottom; ``zero`` draws the line of no difference."""
    figure, axes = _figure(8, 1.3 + 0.3 * len(points))
    for place, (_, value, interval) in enumerate(reversed(points)):
        if interval is not None:
            axes.plot(interval, [place, place], color=BLUE, linewidth=2)
        axes.plot(value, place, "o", color=BLUE, markersize=6)
    if zero:
        axes.axvline(0, color=GREY, linewidth=1, linestyle=":")
    axes.set_yticks(range(len(points)), [label for label, *_ in reversed(points)])
    axes.set_ylim(-0.6, len(points) - 0.4)
    axes.set(xlabel=xlabel, title=title)
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    return _png(figure)


def _padded(curves: Sequence[Sequence[float]]) -> Counts:
    """The curves as one float64 (folds, epochs), short ones filled with NaN."""
    curves = [curve for curve in curves if len(curve)]
    values = np.full((len(curves), max(map(len, curves), default=0)), np.nan)
    for row, curve in zip(values, curves, strict=True):
        row[: len(curve)] = curve
    return values


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure in inches with one set of axes."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("pictures need matplotlib; install dfrnet[report]") from None
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure: Figure) -> bytes:
    axes = figure.axes[0]
    axes.title.set_fontsize(11)
    out = io.BytesIO()
    # Without the version of the drawing program: the same numbers give the same bytes.
    figure.savefig(out, format="png", dpi=DPI, metadata={"Software": None})
    return out.getvalue()
