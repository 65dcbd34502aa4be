"""One table of a study: rows of named cells, in five formats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from dfrnet.evaluation.page import LONG
from dfrnet.evaluation.tables import latex_text
from dfrnet.types import unknown_name

Row = dict[str, Any]
"""Column -> value: a word, a number, a pair (an interval), or sentences by clip id."""


@dataclass(frozen=True)
class Sheet:
    """A titled table; ``notes`` is what a reader must know beside the numbers, a sentence each."""

    name: str
    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The columns of all rows, in order of appearance."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    @property
    def told(self) -> list[str]:
        """All notes: those of its columns, what failed, its own."""
        lines = [COLUMNS[name].note for name in self.columns if name in COLUMNS and COLUMNS[name].note]
        reasons = [reason for row in self.rows for reason in (row.get("failed") or {}).values()]
        return [*lines, *(f"failed: {reason}." for reason in dict.fromkeys(reasons)), *self.notes]


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
    "uf1": Column("UF1", 4),
    "uf1_ci": Column("UF1 interval", 3, "Scores of pooled predictions; intervals: 95 % bootstrap over subjects."),
    "uar": Column("UAR", 4),
    "accuracy": Column("accuracy", 4),
    "stars": Column("", 0),
    "p_holm": Column(
        "p",
        4,
        "p: paired permutation test over subjects, UF1 against the row marked 'reference', after Holm's correction "
        "over the rows; * below 0.05, ** below 0.01, *** below 0.001. LEAKY rows are not tested: they are no results.",
    ),
    "parameters": Column("parameters"),
    "mflop": Column("MFLOP", 1, "MFLOP: one clip, a multiplication and an addition are two."),
    "ms_1": Column("ms, 1 thread", 2, "ms: median of 100 inferences of one clip whose features are there."),
    "ms_2": Column("ms, 2 threads", 2),
    "fold_s": Column(
        "s a fold",
        1,
        "s a fold: mean time of one fold in one process, with all that its selection needs (an audit trains twice).",
    ),
}
DECIMALS = 3
"""Of a number whose column says nothing else."""


def render_sheet(sheet: Sheet, format: str = "text", width: int = 100) -> str:  # noqa: A002
    """The sheet as ``text``, ``markdown``, ``latex``, ``csv`` or ``json`` (``{"rows": [...]}``), ending in a newline.

    ``width`` is in characters and for text only; a table that needs more is wider rather than cut.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    return FORMATS[format](sheet, width)


def cell(name: str, value: object) -> str:
    """A value as it is printed."""
    decimals = COLUMNS[name].decimals if name in COLUMNS else DECIMALS
    if value is None:
        return "-"
    if isinstance(value, dict):
        return str(len(value))
    if isinstance(value, float):
        return f"{value:.{decimals}f}"
    if isinstance(value, tuple):
        return f"[{', '.join(f'{part:.{decimals}f}' for part in value)}]"
    if isinstance(value, int) and not isinstance(value, bool) and value >= 10_000:
        return f"{value:,}"
    return str(value)


def title(name: str) -> str:
    """A column's title as it is printed."""
    return COLUMNS[name].title if name in COLUMNS else name


def is_word(sheet: Sheet, name: str) -> bool:
    """Whether the column holds words, set flush left."""
    return any(isinstance(row.get(name), str) for row in sheet.rows)


def _text(sheet: Sheet, width: int) -> str:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in sheet.columns:
        longest = max(len(text) for text in (title(name), *(cell(name, row.get(name)) for row in sheet.rows)))
        justify: JustifyMethod = "left" if is_word(sheet, name) else "right"
        table.add_column(title(name), justify=justify, no_wrap=longest <= LONG, min_width=min(longest, LONG))
    for before, row in zip([None, *sheet.rows], sheet.rows, strict=False):
        if before is not None and before.get("data") != row.get("data"):
            table.add_section()
        # Text, not str: square brackets would be read as markup.
        table.add_row(*(Text(cell(name, row.get(name))) for name in sheet.columns))
    out = io.StringIO()
    needed = Console(width=10_000).measure(table).minimum
    console = Console(file=out, width=max(width, needed), color_system=None, highlight=False)
    console.print(Text(sheet.title))
    if sheet.rows:
        console.print(table)
    for note in sheet.told:
        console.print(Text(note))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _markdown(sheet: Sheet, width: int) -> str:  # noqa: ARG001
    names = sheet.columns
    lines = [[title(name) for name in names], [":--" if is_word(sheet, name) else "--:" for name in names]]
    lines += [[cell(name, row.get(name)).replace("|", "\\|") for name in names] for row in sheet.rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines) if sheet.rows else ""
    return f"**{sheet.title}**\n\n{table}\n\n" + "\n".join(f"- {note}" for note in sheet.told) + "\n"


def _latex(sheet: Sheet, width: int) -> str:  # noqa: ARG001
    names = sheet.columns
    layout = "".join("l" if is_word(sheet, name) else "r" for name in names)
    lines = ["% needs \\usepackage{booktabs}", f"\\begin{{tabular}}{{{layout}}}", "\\toprule"]
    lines += [" & ".join(latex_text(title(name)) for name in names) + " \\\\", "\\midrule"]
    lines += [" & ".join(latex_text(cell(name, row.get(name))) for name in names) + " \\\\" for row in sheet.rows]
    lines += ["\\bottomrule", "\\end{tabular}", *(f"% {note}" for note in sheet.told)]
    return "\n".join(lines) + "\n"


def _csv(sheet: Sheet, width: int) -> str:  # noqa: ARG001
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(sheet.columns)
    for row in sheet.rows:
        values = [row.get(name) for name in sheet.columns]
        # An interval as its two ends, failures as the ids of the clips.
        writer.writerow([" ".join(map(str, v)) if isinstance(v, tuple | dict) else v for v in values])
    return out.getvalue()


def _json(sheet: Sheet, width: int) -> str:  # noqa: ARG001
    return json.dumps({"rows": list(sheet.rows), "notes": sheet.told}, indent=2, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Sheet, int], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
    "csv": _csv,
    "json": _json,
}
