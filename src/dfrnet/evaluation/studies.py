"""Questions that are asked of many clips at once, answered by a table.

A study is a function (clips, spec, jobs, progress) -> rows and a line in ``STUDIES``; a row is a dict, and
``render_study`` prints the rows of any study. A new column needs a line in ``COLUMNS`` where its name does not say how
it is printed.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from dfrnet.datasets import synthetic
from dfrnet.features import APEX, FeatureSpec, clip_frames
from dfrnet.parallel import in_parallel
from dfrnet.types import Clip, Frames, Image, UserError, unknown_name

Row = dict[str, Any]
"""Column -> value: a word, a number, a pair (an interval), or sentences by clip id."""

Progress = Callable[[int, int], None] | None
"""Told (done, total) after every step."""

DRAWN = ("default", "timed")
"""The difficulties of the synthetic set that the study of the apex looks at."""


@dataclass(frozen=True)
class Column:
    """How one column is printed: its title, its decimals, and a sentence below the table."""

    title: str
    decimals: int = 0
    note: str = ""


COLUMNS: dict[str, Column] = {
    "fps": Column("fps"),
    "mae_frames": Column("MAE frames", 1, "MAE: mean absolute distance from the annotated apex."),
    "mae_interval": Column("interval", 1, "interval: 95 % of 2000 bootstrap resamples of the subjects."),
    "median_frames": Column("median frames", 1),
    "mae_ms": Column("MAE ms", 1),
    "ms_per_clip": Column("ms/clip", 1, "ms/clip: median time of the rule once the frames are in memory."),
}


Looks = dict[str, tuple[int, float] | str]
"""By rule: the position it chose and the seconds that took, or the sentence why it could not."""


@dataclass(frozen=True)
class _Held:
    """Frames ``start`` and following, in memory, at their own positions; with the points of aligned ones."""

    start: int
    images: tuple[Image, ...]
    frames: Frames

    @property
    def points(self) -> Any:
        return getattr(self.frames, "points", None)

    @property
    def times(self) -> Any:
        return self.frames.times

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int, /) -> Image:
        return self.images[index - self.start]


def study_clips(difficulties: Sequence[str] = DRAWN, every: int = 4) -> list[Clip]:
    """Drawn clips at 200 frames a second, the rate of CASME II and SAMM: every fourth, 72 of 24 subjects a difficulty.

    Those of ``timed`` are those of ``default`` with other apexes. A set other than ``default`` bears its difficulty in
    the name of its data set, as ``synthetic_timed``, so that all are told apart.
    """
    clips: list[Clip] = []
    for name in difficulties:
        drawn = synthetic.load(name, fps=200.0)[::every]
        clips += drawn if name == "default" else [_renamed(clip, f"synthetic_{name}") for clip in drawn]
    return clips


def apex_study(
    clips: Sequence[Clip],
    spec: FeatureSpec | None = None,
    *,
    jobs: int = 1,
    progress: Progress = None,
) -> list[Row]:
    """How far each rule of APEX lies from the annotated apex: a row for each data set and rule.

    Counted are the clips with frames and an annotated apex, read as ``spec`` wants them (aligned where they show more
    than a face). ``auto`` and ``annotated`` are left out, for they are the annotation. A clip for which a rule raises
    a UserError is not counted in the rule's row; ``failed`` has the sentence by the clip's id.
    """
    usable = [clip for clip in clips if len(clip.frames) and clip.apex is not None]
    if not usable:
        raise UserError("no clip has both frames and an annotated apex; add --data with one that has, or synthetic")
    rules = [name for name in APEX if name not in ("auto", "annotated")]
    found: list[Looks] = []
    for looks in in_parallel(partial(_look, spec=spec or FeatureSpec(), rules=rules), usable, jobs=jobs):
        found.append(looks)
        if progress:
            progress(len(found), len(usable))
    rows = []
    for name in dict.fromkeys(clip.dataset for clip in usable):
        own = [(clip, looks) for clip, looks in zip(usable, found, strict=True) if clip.dataset == name]
        rows += [_apex_row(rule, name, [(clip, looks[rule]) for clip, looks in own]) for rule in rules]
    return rows


STUDIES: dict[str, Callable[..., list[Row]]] = {"apex": apex_study}


def _look(clip: Clip, spec: FeatureSpec, rules: Sequence[str]) -> Looks:
    """All rules on one clip, whose frames are read once for all of them."""
    looks: Looks = {}
    try:
        frames, _ = clip_frames(clip, spec)
        images = tuple(frames[position] for position in range(clip.onset, clip.offset + 1))
    except UserError as error:
        return dict.fromkeys(rules, str(error))
    held = _Held(clip.onset, images, frames)
    for rule in rules:
        start = perf_counter()
        try:
            looks[rule] = APEX[rule](clip, held), perf_counter() - start
        except UserError as error:
            looks[rule] = str(error)
    return looks


def _apex_row(rule: str, data: str, looks: Sequence[tuple[Clip, tuple[int, float] | str]]) -> Row:
    done = [(clip, *look) for clip, look in looks if not isinstance(look, str)]
    rates = {clip.fps for clip, _ in looks}
    row: Row = {"method": rule, "data": data, "n": len(done), "fps": rates.pop() if len(rates) == 1 else None}
    row |= dict.fromkeys(("mae_frames", "mae_interval", "median_frames", "mae_ms", "ms_per_clip"))
    row["failed"] = {clip.id: look for clip, look in looks if isinstance(look, str)}
    if not done:
        return row
    errors = np.array([abs(position - (clip.apex or 0)) for clip, position, _ in done], np.float64)
    seconds = [error / clip.fps for error, (clip, *_) in zip(errors, done, strict=True) if clip.fps > 0]
    return row | {
        "mae_frames": float(errors.mean()),
        "mae_interval": _interval(errors, [clip.subject for clip, *_ in done]),
        "median_frames": float(np.median(errors)),
        "mae_ms": 1000 * float(np.mean(seconds)) if seconds else None,
        "ms_per_clip": 1000 * float(np.median([took for *_, took in done])),
    }


def _interval(values: Any, subjects: Sequence[str], resamples: int = 2000) -> tuple[float, float]:
    """95 % percentile interval of the mean when subjects are drawn again with all their clips."""
    names, owner = np.unique(np.array(subjects), return_inverse=True)
    sums, counts = np.bincount(owner, values), np.bincount(owner)
    draws = np.random.default_rng(0).integers(len(names), size=(resamples, len(names)))
    low, high = np.percentile(sums[draws].sum(1) / counts[draws].sum(1), [2.5, 97.5])
    return float(low), float(high)


def _renamed(clip: Clip, dataset: str) -> Clip:
    subject, clip_id = (f"{dataset}/{name.partition('/')[2]}" for name in (clip.subject, clip.id))
    return replace(clip, id=clip_id, subject=subject, dataset=dataset)


def render_study(rows: Sequence[Row], format: str = "text", width: int = 100) -> str:  # noqa: A002
    """The rows as ``text``, ``markdown``, ``csv`` or ``json`` (``{"rows": [...]}``), ending in a newline.

    ``width`` is in characters and for text only; a table that needs more is wider rather than cut.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    return FORMATS[format](rows, width)


def _cell(name: str, value: object) -> str:
    decimals = COLUMNS[name].decimals if name in COLUMNS else 0
    if value is None:
        return "-"
    if isinstance(value, dict):
        return str(len(value))
    if isinstance(value, float):
        return f"{value:.{decimals}f}"
    if isinstance(value, tuple):
        return f"[{', '.join(f'{part:.{decimals}f}' for part in value)}]"
    return str(value)


def _notes(rows: Sequence[Row]) -> list[str]:
    """What a reader must know beside the numbers, one sentence each."""
    lines = [COLUMNS[name].note for name in _names(rows) if name in COLUMNS and COLUMNS[name].note]
    reasons = [reason for row in rows for reason in (row.get("failed") or {}).values()]
    return lines + [f"failed: {reason}." for reason in dict.fromkeys(reasons)]


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _title(name: str) -> str:
    return COLUMNS[name].title if name in COLUMNS else name


def _is_word(rows: Sequence[Row], name: str) -> bool:
    return any(isinstance(row.get(name), str) for row in rows)


def _text(rows: Sequence[Row], width: int) -> str:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in _names(rows):
        longest = max(len(text) for text in (_title(name), *(_cell(name, row.get(name)) for row in rows)))
        justify: JustifyMethod = "left" if _is_word(rows, name) else "right"
        table.add_column(_title(name), justify=justify, no_wrap=True, min_width=longest)
    for before, row in zip([None, *rows], rows, strict=False):
        if before is not None and before.get("data") != row.get("data"):
            table.add_section()
        # Text, not str: square brackets would be read as markup.
        table.add_row(*(Text(_cell(name, row.get(name))) for name in _names(rows)))
    out = io.StringIO()
    needed = Console(width=10_000).measure(table).minimum
    console = Console(file=out, width=max(width, needed), color_system=None, highlight=False)
    console.print(table)
    for note in _notes(rows):
        console.print(Text(note))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _markdown(rows: Sequence[Row], width: int) -> str:  # noqa: ARG001
    names = _names(rows)
    lines = [[_title(name) for name in names], [":--" if _is_word(rows, name) else "--:" for name in names]]
    lines += [[_cell(name, row.get(name)).replace("|", "\\|") for name in names] for row in rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return table + "\n\n" + "\n".join(f"- {note}" for note in _notes(rows)) + "\n"


def _csv(rows: Sequence[Row], width: int) -> str:  # noqa: ARG001
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_names(rows))
    for row in rows:
        values = [row.get(name) for name in _names(rows)]
        # An interval as its two ends, failures as the ids of the clips.
        writer.writerow([" ".join(map(str, v)) if isinstance(v, tuple | dict) else v for v in values])
    return out.getvalue()


def _json(rows: Sequence[Row], width: int) -> str:  # noqa: ARG001
    return json.dumps({"rows": list(rows)}, indent=2, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Sequence[Row], int], str]] = {
    "text": _text,
    "markdown": _markdown,
    "csv": _csv,
    "json": _json,
}
