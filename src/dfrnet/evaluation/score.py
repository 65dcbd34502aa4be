"""The metrics alone, for predictions that anybody's program wrote as CSV.

Columns ``truth`` and ``prediction`` are required; ``dataset``, ``subject``, ``clip`` and a probability column a class
(``p_<class>`` or ``probability_<class>``) are optional, and so is ``selection``, by which the
rows of one file are scored apart (``leaky`` ones are labelled as such); others are ignored. Rows are counted as a
spreadsheet does: the header is row 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dfrnet.evaluation.rows import Row, read_rows
from dfrnet.evaluation.scores import GIVEN, ScoreRow, data_subsets, score_row, subset
from dfrnet.types import Prediction, UserError

REQUIRED = ("truth", "prediction")


def read_predictions(path: Path, classes: Sequence[str] | None = None) -> tuple[list[Prediction], tuple[str, ...]]:
    """The file's predictions and its classes: those given, else the sorted union of what both columns hold.

    Labels stay strings (``"0"``). Subjects become ``dataset/subject`` where there is a data set, for two data sets may
    both have a subject 1; without the column a subject is "". Commas, semicolons and tabs are told apart by the header.
    UserError names file and row.
    """
    named, groups = _read_groups(path, classes)
    if len(groups) > 1:
        raise UserError(f"{path}: holds the predictions of {len(groups)} selections; keep those of one")
    return next(iter(groups.values())), named


def _read_groups(path: Path, classes: Sequence[str] | None) -> tuple[tuple[str, ...], dict[str, list[Prediction]]]:
    """The classes, and the predictions by what the column ``selection`` says; GIVEN without one."""
    rows = _read_rows(path)
    for number, row in rows:
        for column in REQUIRED:
            if not row[column]:
                raise UserError(f"{path}, row {number}: column {column!r} is empty; give every clip a {column}")
            if classes is not None and row[column] not in classes:
                known = ", ".join(classes)
                raise UserError(f"{path}, row {number}: {column} {row[column]!r} is not among the classes {known}")
    named = tuple(classes) if classes is not None else tuple(sorted({row[c] for _, row in rows for c in REQUIRED}))
    parts: dict[str, list[Row]] = {}
    for number, row in rows:
        parts.setdefault(row.get("selection") or GIVEN, []).append((number, row))
    groups = {}
    for selection, part in parts.items():
        groups[selection] = [_prediction(path, number, row, named) for number, row in part]
        _check_unique(path, part, groups[selection])
    return named, groups


def score_file(path: Path, classes: Sequence[str] | None = None) -> list[ScoreRow]:
    """Scores of the whole file, then of each data set where there are several; intervals are over subjects.

    Without a subject on every row the interval is over clips, and the row's ``units`` say so: it is too narrow then.
    """
    named, groups = _read_groups(path, classes)
    units = "subjects" if all(p.subject for group in groups.values() for p in group) else "clips"
    if units == "clips":
        groups = {name: [replace(p, subject=p.clip) for p in group] for name, group in groups.items()}
    return [
        score_row(subset(group, data), named, run=path.stem, method=path.stem, selection=selection, data=data,
                  units=units)
        for data in data_subsets([p for group in groups.values() for p in group])
        for selection, group in groups.items()
        if subset(group, data)
    ]  # fmt: skip


def _read_rows(path: Path) -> list[Row]:
    """Every row that is not blank; UserError where there is none."""
    names, rows = read_rows(path, REQUIRED, "clip")
    if "seed" in names and "clip" not in names:
        raise UserError(f"{path}: a column 'seed' needs a column 'clip', to tell which rows are one clip; add it")
    if not rows:
        raise UserError(f"{path}: only a header, no predictions; give it a row a clip")
    return rows


def _prediction(path: Path, number: int, row: dict[str, str], classes: Sequence[str]) -> Prediction:
    dataset, subject, clip = (row.get(column, "") for column in ("dataset", "subject", "clip"))
    if subject and dataset and not subject.startswith(f"{dataset}/"):
        subject = f"{dataset}/{subject}"
    owner = subject or dataset
    if clip and owner and not clip.startswith(f"{owner}/"):
        clip = f"{owner}/{clip}"
    return Prediction(
        method=path.stem,
        seed=_seed(path, number, row),
        fold="",
        clip=clip or f"row {number}",
        dataset=dataset,
        subject=subject,
        truth=row["truth"],
        label=row["prediction"],
        probabilities=_probabilities(path, number, row, classes),
    )


def _seed(path: Path, number: int, row: dict[str, str]) -> int:
    """The optional column ``seed``: a clip may stand once for each."""
    try:
        return int(row.get("seed") or 0)
    except ValueError:
        raise UserError(f"{path}, row {number}: seed {row['seed']!r} is no whole number; correct it") from None


def _probabilities(path: Path, number: int, row: dict[str, str], classes: Sequence[str]) -> tuple[float, ...]:
    """Class probabilities where the file has a column for every class, else ()."""
    for prefix in ("p_", "probability_"):
        columns = [prefix + name for name in classes]
        if all(column in row for column in columns):
            try:
                return tuple(float(row[column]) for column in columns)
            except ValueError:
                raise UserError(
                    f"{path}, row {number}: a column of {', '.join(columns)} is no number; correct or remove them"
                ) from None
    return ()


def _check_unique(path: Path, rows: Sequence[Row], predictions: Sequence[Prediction]) -> None:
    """A clip that stands twice would count twice."""
    first: dict[tuple[int, str], int] = {}
    for (number, _), p in zip(rows, predictions, strict=True):
        if (p.seed, p.clip) in first:
            raise UserError(
                f"{path}, rows {first[p.seed, p.clip]} and {number}: clip {p.clip!r} stands twice; keep one row a clip "
                "(several seeds want a column seed)"
            )
        first[p.seed, p.clip] = number
