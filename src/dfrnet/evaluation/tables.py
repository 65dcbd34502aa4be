"""Scores as one table, in five formats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dfrnet.evaluation.scores import GIVEN, ScoreRow
from dfrnet.types import UserError


def render(rows: Sequence[ScoreRow], format: str = "text", width: int = 100) -> str:  # noqa: A002
    """The table as a string that ends in a newline; UserError names the known formats.

    ``width`` is in characters and for text only; a table whose numbers need more is wider rather than cut.
    """
    if format not in FORMATS:
        raise UserError(f"format {format!r} is unknown; choose one of {', '.join(FORMATS)}")
    return FORMATS[format](rows, width)


def record(row: ScoreRow) -> dict[str, object]:
    """The row as a JSON object, floats in full."""
    return {
        "run": row.run,
        "method": row.label,
        "selection": row.selection,
        "data": row.data,
        "n": row.n,
        "subjects": row.subjects,
        "seeds": row.seeds,
        "uf1": row.uf1,
        "uar": row.uar,
        "accuracy": row.accuracy,
        "uf1_ci": row.uf1_ci,
        "uar_ci": row.uar_ci,
        "interval_over": row.units,
        "recalls": dict(row.recalls),
        "counts": dict(row.counts),
        "confusion": row.confusion,
        "p_above": row.p_above,
        "baseline": row.baseline,
        "leaky": row.leaky,
        "folds_finished": row.folds[0],
        "folds_planned": row.folds[1],
    }


def notes(rows: Sequence[ScoreRow]) -> list[str]:
    """What a reader must know beside the numbers, one sentence each."""
    units = " and ".join(dict.fromkeys(row.units for row in rows))
    lines = [f"Scores of pooled predictions; in brackets 95 % bootstrap intervals over {units}."]
    if "clips" in units:
        lines.append("No subject column: clips of one person count as independent, so the interval is too narrow.")
    if any(row.p_above is not None for row in rows):
        lines.append("p: paired permutation test over subjects, UF1 against the nearest honest row above, same clips.")
    if any(row.leaky for row in rows):
        lines.append("LEAKY rows choose the epoch on the test subject: they show what that adds and are no results.")
    incomplete = {(row.run, row.folds) for row in rows if not row.complete}
    lines += [
        f"{run} is incomplete, {done} of {planned} folds: its scores are of the finished ones only."
        for run, (done, planned) in sorted(incomplete)
    ]
    if rows and not any(row.method == "constant" for row in rows):
        lines.append(_constant_note(rows[0]))
    return lines


def _constant_note(row: ScoreRow) -> str:
    """The scores of always answering the commonest class, for a table with no such row."""
    commonest = max(row.counts, key=lambda name: row.counts[name])
    share, classes = row.counts[commonest] / max(sum(row.counts.values()), 1), len(row.counts)
    return (
        f"No constant baseline in this table; always answering {commonest} scores UF1 "
        f"{2 * share / (1 + share) / classes:.4f}, UAR {1 / classes:.4f}, accuracy {share:.4f} on {row.data}."
    )


WORDS = ("run", "method", "selection", "data")
"""The columns that hold words, set flush left; the others hold numbers."""

Column = tuple[str, Callable[[ScoreRow], str]]


def _columns(rows: Sequence[ScoreRow]) -> list[Column]:
    """Titles and cells of the printed formats; a column that tells nothing in this table is left out."""
    columns: list[Column] = []
    if any(row.run != row.method for row in rows):
        columns.append(("run", lambda row: row.run))
    columns.append(("method", lambda row: row.label))
    if any(row.selection != GIVEN for row in rows):
        columns.append(("selection", lambda row: row.selection))
    columns += [("data", lambda row: row.data), ("n", lambda row: str(row.n))]
    if any(row.seeds > 1 for row in rows):
        columns.append(("seeds", lambda row: str(row.seeds)))
    columns += [
        ("UF1", lambda row: _decimals(row.uf1)),
        ("UF1 interval", lambda row: _interval(row.uf1_ci)),
        ("UAR", lambda row: _decimals(row.uar)),
        ("UAR interval", lambda row: _interval(row.uar_ci)),
        ("accuracy", lambda row: _decimals(row.accuracy)),
    ]
    if any(row.p_above is not None for row in rows):
        columns.append(("p", lambda row: _decimals(row.p_above)))
    return columns


def _decimals(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _interval(pair: tuple[float, float] | None) -> str:
    return "-" if pair is None else f"[{pair[0]:.4f}, {pair[1]:.4f}]"


def _best(rows: Sequence[ScoreRow], row: ScoreRow, title: str) -> bool:
    """Whether the cell is the best of its data subset: among honest, complete rows on as many clips, of two or more."""
    field = {"UF1": "uf1", "UAR": "uar"}.get(title)
    rivals = [r for r in rows if r.complete and not r.leaky and (r.data, r.n) == (row.data, row.n)]
    if field is None or row not in rivals or len(rivals) < 2:
        return False
    return bool(getattr(row, field) == max(getattr(r, field) for r in rivals))


def _text(rows: Sequence[ScoreRow], width: int) -> str:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    columns = _columns(rows)
    for title, cell in columns:
        words = title in WORDS
        # Rich would break "[0.67, 0.79]" at its space and crop it: a column is never narrower than what may not break.
        pieces = [piece for row in rows for piece in (cell(row).split() if words else [cell(row)])]
        table.add_column(title, justify="left" if words else "right", no_wrap=not words, overflow="fold",
                         min_width=max(map(len, [title, *pieces])))  # fmt: skip
    grouped = len(rows) > len({row.data for row in rows})
    for before, row in zip([None, *rows], rows, strict=False):
        if grouped and before is not None and before.data != row.data:
            table.add_section()
        # Text, not str: square brackets would be read as markup.
        table.add_row(*(Text(cell(row)) for _, cell in columns))
    needed = Console(width=10_000).measure(table).minimum
    out = io.StringIO()
    console = Console(file=out, width=max(width, needed), color_system=None, highlight=False)
    console.print(table)
    for note in notes(rows):
        console.print(Text(note))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _markdown(rows: Sequence[ScoreRow], width: int) -> str:  # noqa: ARG001
    columns = _columns(rows)
    lines = [[title for title, _ in columns], [":--" if title in WORDS else "--:" for title, _ in columns]]
    for row in rows:
        cells = [(cell(row).replace("|", "\\|"), _best(rows, row, title)) for title, cell in columns]
        lines.append([f"**{text}**" if best else text for text, best in cells])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return table + "\n\n" + "\n".join(f"- {note}" for note in notes(rows)) + "\n"


def _latex(rows: Sequence[ScoreRow], width: int) -> str:  # noqa: ARG001
    columns = _columns(rows)
    layout = "".join("l" if title in WORDS else "r" for title, _ in columns)
    lines = ["% needs \\usepackage{booktabs}", f"\\begin{{tabular}}{{{layout}}}", "\\toprule"]
    lines.append(" & ".join(latex_text(title) for title, _ in columns) + " \\\\")
    for before, row in zip([None, *rows], rows, strict=False):
        if before is None or before.data != row.data:
            lines.append("\\midrule")
        cells = [(latex_text(cell(row)), _best(rows, row, title)) for title, cell in columns]
        # {} keeps a cell that opens with a bracket from being read as the argument of the \\ before it.
        lines.append("{}" + " & ".join(f"\\textbf{{{text}}}" if best else text for text, best in cells) + " \\\\")
    lines.append("\\bottomrule")
    span = f"\\multicolumn{{{len(columns)}}}{{@{{}}p{{\\linewidth}}@{{}}}}"
    lines += [f"{span}{{\\footnotesize {latex_text(note)}}} \\\\" for note in notes(rows)]
    return "\n".join([*lines, "\\end{tabular}", ""])


_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "\\": "\\textbackslash{}"}
)


def latex_text(text: str) -> str:
    """Text with the characters that mean something to LaTeX escaped."""
    return text.translate(_LATEX)


def _csv(rows: Sequence[ScoreRow], width: int) -> str:  # noqa: ARG001
    classes = list(dict.fromkeys(name for row in rows for name in row.recalls))
    flat = []
    for row in rows:
        fields = record(row)
        del fields["recalls"], fields["counts"], fields["confusion"]
        for metric, pair in (("uf1", row.uf1_ci), ("uar", row.uar_ci)):
            del fields[f"{metric}_ci"]
            fields[f"{metric}_low"], fields[f"{metric}_high"] = pair or (None, None)
        flat.append(fields | {f"recall_{name}": row.recalls.get(name) for name in classes})
    out = io.StringIO()
    writer = csv.DictWriter(out, list(flat[0]) if flat else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()


def _json(rows: Sequence[ScoreRow], width: int) -> str:  # noqa: ARG001
    return json.dumps({"rows": [record(row) for row in rows]}, indent=2, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Sequence[ScoreRow], int], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
    "csv": _csv,
    "json": _json,
}
