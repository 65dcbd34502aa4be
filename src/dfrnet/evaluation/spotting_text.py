"""The figures of spotting as text for a terminal, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from dfrnet.evaluation.rows import in_columns
from dfrnet.evaluation.spotting import SpottingRow, Tally
from dfrnet.evaluation.spotting_files import SpottingScore
from dfrnet.evaluation.strs import Strs
from dfrnet.types import unknown_name

TITLES = ("kind", "truth", "found", "TP", "FP", "FN", "precision", "recall", "F1", "95 % interval", "alarms/min",
          "95 % interval", "AP")  # fmt: skip
FEWEST = 5
"""Subjects or videos from which on a bootstrap over them says anything."""

ERROR_TITLES = ("kind", "moment", "pairs", "median ms", "p95 ms", "bias ms")
STRS_TITLES = ("STRS", "TP", "FP", "FN", "F1 spotting", "precision", "recall", "F1 analysis", "UF1", "UAR", "STRS")


def render_spotting(score: SpottingScore, form: str) -> str:
    """As ``text`` or ``json``, ended by a newline; UserError names the formats."""
    if form not in FORMATS:
        raise unknown_name("format", form, FORMATS)
    return FORMATS[form](score)


def _text(score: SpottingScore) -> str:
    overall = score.rows[-1]
    length = "" if overall.minutes is None else f", {overall.minutes:.2f} minutes"
    videos = "1 video" if overall.videos == 1 else f"{overall.videos} videos"
    unit = "frames, the last included" if score.frames else "seconds"
    parts = [
        f"{score.predictions} against {score.truth}: {videos}{length}; right from an overlap (IoU) of {score.iou:g} "
        f"on; {unit}\n",
        in_columns(TITLES, [_line(row) for row in score.rows]),
    ]
    errors = [
        (row.kind, moment, str(e.n), f"{e.median:.1f}", f"{e.p95:.1f}", f"{e.bias:+.1f}")
        for row in score.rows
        for moment, e in row.errors.items()
    ]
    if errors:
        parts.append(in_columns(ERROR_TITLES, errors, words=2))
    named = dict(score.strs)
    if score.compat is not None:
        named[f"as {score.compat_name}"] = score.compat
    if named:
        parts.append(in_columns(STRS_TITLES, [_strs_line(kind, strs) for kind, strs in named.items()]))
    return "\n".join(parts) + "\n" + "".join(f"{note}\n" for note in _notes(score))


def _notes(score: SpottingScore) -> list[str]:
    overall = score.rows[-1]
    notes = [f"Intervals: 95 % bootstrap over {overall.units}. Bias: found minus annotated, below 0 is early."]
    if 1 < overall.drawn < FEWEST:
        notes.append(f"Only {overall.drawn} {overall.units}: so few give no usable interval, leave it out.")
    if score.strs:
        notes.append(
            "STRS is F1 of spotting times F1 of analysis, the harmonic mean of the classes' mean precision and mean "
            "recall among right intervals."
        )
    if score.compat_name:
        notes.append(f"The row 'as {score.compat_name}' repeats faults of that script, its UAR is the mean precision.")
    return notes + list(score.notes)


def _line(row: SpottingRow) -> tuple[str, ...]:
    tally = row.tally
    return (
        row.kind, str(tally.tp + tally.fn), str(tally.tp + tally.fp), *_counts(tally), _decimals(tally.precision),
        _decimals(tally.recall), _decimals(tally.f1), _between(row.f1_interval, 4),
        "-" if row.alarms is None else f"{row.alarms:.2f}", _between(row.alarms_interval, 2),
        _decimals(row.average_precision),
    )  # fmt: skip


def _strs_line(kind: str, strs: Strs) -> tuple[str, ...]:
    shares = (strs.spotting.f1, strs.precision, strs.recall, strs.f1, strs.uf1, strs.uar, strs.strs)
    return (kind, *_counts(strs.spotting), *map(_decimals, shares))


def _counts(tally: Tally) -> tuple[str, str, str]:
    return str(tally.tp), str(tally.fp), str(tally.fn)


def _decimals(value: float | None) -> str:
    return "-" if value is None else "NaN" if math.isnan(value) else f"{value:.4f}"


def _between(pair: tuple[float, float] | None, digits: int) -> str:
    return "-" if pair is None else f"[{pair[0]:.{digits}f}, {pair[1]:.{digits}f}]"


def _json(score: SpottingScore) -> str:
    value = {
        "truth": score.truth,
        "predictions": score.predictions,
        "iou": score.iou,
        "unit": "frames" if score.frames else "seconds",
        "rows": [_record(row, score.strs.get(row.kind)) for row in score.rows],
        "compat": None if score.compat is None else {"name": score.compat_name, **_strs_record(score.compat)},
        "notes": list(score.notes),
    }
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _record(row: SpottingRow, strs: Strs | None) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "videos": row.videos,
        **_tally_record(row.tally),
        "f1_ci": row.f1_interval,
        "interval_over": row.units,
        "interval_units": row.drawn,
        "minutes": row.minutes,
        "false_alarms_per_minute": row.alarms,
        "false_alarms_per_minute_ci": row.alarms_interval,
        "average_precision": row.average_precision,
        "curve": [asdict(point) for point in row.curve],
        "errors_ms": {moment: asdict(errors) for moment, errors in row.errors.items()},
        "strs": None if strs is None else _strs_record(strs),
    }


def _tally_record(tally: Tally) -> dict[str, Any]:
    return {**asdict(tally), "precision": tally.precision, "recall": tally.recall, "f1": tally.f1}


def _strs_record(strs: Strs) -> dict[str, Any]:
    """JSON knows no NaN: null."""
    shares = {name: getattr(strs, name) for name in ("precision", "recall", "f1", "uf1", "uar", "strs")}
    shares = {name: None if math.isnan(value) else value for name, value in shares.items()}
    return {
        "strs": shares.pop("strs"), "spotting": _tally_record(strs.spotting),
        "analysis": {**asdict(strs.analysis), **shares},
    }  # fmt: skip


FORMATS: dict[str, Callable[[SpottingScore], str]] = {"text": _text, "json": _json}
