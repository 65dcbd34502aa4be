"""A run on disk: ``run.json`` (what was run) and one file a finished fold (what it predicted). Nothing else counts.

A fold file is JSON::

    {"fold": "casme2/sub01", "seed": 0,
     "clips": [{"id": ..., "dataset": ..., "subject": ..., "truth": ...}, ...],
     "probabilities": [[...], ...],           # per clip, of the last epoch; classes in run.json's order
     "epochs": [[[...], ...], ...],           # (epochs, clips, classes), only where the classifier is trained in epochs
     "nested_epoch": 17,                      # chosen on held-out training subjects; null where not asked for
     "history": {"loss": [...], "held_out_loss": [...]},
     "seconds": 31.4}

``predictions.csv`` beside them is derived from the folds, with a row for each selection, seed and clip. A run that is
kept or passed on needs no more than it and ``run.json``: without fold files the answers are read from there.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dfrnet.types import BrokenError, Prediction, UserError

CONTROLS = ("constant", "svm_flow")
"""Methods that every result should beat; an evaluation leaves their runs in ``RUN/controls/``."""

SELECTIONS = ("fixed", "nested", "leaky")
"""How the epoch is chosen: the last one; on held-out training subjects; on the test subject, to show what that adds."""


@dataclass(frozen=True)
class FoldRecord:
    """One finished fold as read from its file; arrays as described at the top of this file."""

    fold: str
    seed: int
    clips: tuple[Mapping[str, str], ...]
    probabilities: tuple[tuple[float, ...], ...]
    epochs: tuple[tuple[tuple[float, ...], ...], ...]
    nested_epoch: int | None
    history: Mapping[str, tuple[float, ...]]
    seconds: float


@dataclass(frozen=True)
class Run:
    """A run folder: its configuration (``run.json``) and its finished folds, in order of seed and fold name.

    ``kept`` holds the predictions by selection of a run that was kept without its fold files.
    """

    path: Path
    config: Mapping[str, Any]
    folds: tuple[FoldRecord, ...]
    kept: Mapping[str, tuple[Prediction, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def method(self) -> str:
        """The method's name."""
        return str(self.config["method"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The explicit class list, in the order of all probabilities."""
        return tuple(self.config["classes"])

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds asked for."""
        return tuple(self.config["seeds"])

    @property
    def audited(self) -> tuple[int, ...]:
        """The seeds of an audit whose test predictions were kept for each epoch; all, unless fewer were asked for."""
        return tuple(self.config.get("audited", self.seeds))

    @property
    def complete(self) -> bool:
        """Whether every fold of every seed is finished."""
        return len(self.folds) == int(self.config["folds"]) * len(self.seeds)

    @property
    def in_epochs(self) -> bool:
        """Whether the method is trained in epochs, so that there is something to choose."""
        if self.kept:
            return len(self.kept) > 1 or "epochs" in self.config.get("settings", {})
        return any(record.history.get("loss") for record in self.folds)

    @property
    def selections(self) -> tuple[str, ...]:
        """The rows this run can report: all three after an audit, one otherwise."""
        if self.kept:
            return tuple(name for name in SELECTIONS if name in self.kept)
        asked = str(self.config["selection"])
        if asked in ("audit", "leak") and any(record.epochs for record in self.folds):
            return SELECTIONS if asked == "audit" else ("fixed", "leaky")
        if asked == "leaky":  # no command writes this; whoever did may not have it told as a result
            return ("leaky",)
        # A classifier that is not trained in epochs has nothing to select.
        return ("nested",) if asked == "nested" and any(r.nested_epoch for r in self.folds) else ("fixed",)

    def predictions(self, selection: str) -> list[Prediction]:
        """Every prediction under ``selection``, in order of seed, fold and clip.

        Of an audit of its first seeds only, ``nested`` and ``leaky`` hold those seeds.
        """
        if selection not in self.selections:
            raise UserError(
                f"{self.path}: holds no {selection!r} predictions, only {', '.join(self.selections)}; "
                "evaluate it again with --selection audit"
            )
        if self.kept:
            return list(self.kept[selection])
        audited = self.audited if selection != self.selections[0] else self.seeds
        records = [record for record in self.folds if record.seed in audited]
        return [p for record in records for p in fold_predictions(record, self.method, self.classes, selection)]


def fold_predictions(record: FoldRecord, method: str, classes: tuple[str, ...], selection: str) -> list[Prediction]:
    """The fold's predictions under one selection rule, from the one record of all epochs."""
    truth = np.array([classes.index(clip["truth"]) for clip in record.clips])
    if selection == "fixed" or not record.epochs:
        rows = np.array(record.probabilities)
    elif selection == "nested":
        if record.nested_epoch is None:
            raise UserError(f"fold {record.fold}: no epoch was chosen on inner subjects; use --selection audit")
        rows = np.array(record.epochs[record.nested_epoch - 1])
    else:
        # What released code of this field does: keep the epoch whose accuracy on the test subject is best, the later
        # one of equals. It is here to be measured, never to be reported as a result.
        correct = (np.array(record.epochs).argmax(axis=2) == truth).sum(axis=1)
        rows = np.array(record.epochs[len(correct) - 1 - int(correct[::-1].argmax())])
    return [
        Prediction(
            method, record.seed, record.fold, clip["id"], clip["dataset"], clip["subject"], clip["truth"],
            classes[int(row.argmax())], tuple(float(p) for p in row),
        )
        for clip, row in zip(record.clips, rows, strict=True)
    ]  # fmt: skip


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all, see :func:`write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write the file whole or not at all: to a temporary file beside it, then renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BrokenError(
            f"{path}: cannot be written ({error.strerror}); free some space or choose another --out"
        ) from None


def write_json(path: Path, value: object) -> None:
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(value) + "\n")


def read_json(path: Path) -> Any:
    """The file's value; UserError where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise UserError(f"{path}: {problem}; is this the folder of a run?") from None
    except ValueError as error:
        remedy = "restore it, or choose another --out" if path.name == "run.json" else "delete it and run again"
        raise BrokenError(f"{path}: damaged ({error}); {remedy}") from None


def read_config(run: Path) -> dict[str, Any]:
    """What ``run.json`` of a run folder says; UserError where it is missing, damaged or of something else."""
    path = run / "run.json"
    config = read_json(path)
    needed = ("method", "classes", "seeds", "folds", "selection")
    if not isinstance(config, dict) or any(name not in config for name in needed):
        raise UserError(f"{path}: not the record of a run; is {run} the folder of another program?")
    return config


def find_runs(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The run folders among ``paths`` and directly within them, and what holds none.

    So that ``results/*`` may hold pages beside runs. A single path is taken as it is, whatever it holds.
    """
    given = list(paths)
    if len(given) == 1 and not any(given[0].glob("*/run.json")):
        return given, []
    found: list[Path] = []
    others: list[Path] = []
    for path in given:
        inner = [path] if (path / "run.json").exists() else sorted(one.parent for one in path.glob("*/run.json"))
        found += inner
        others += [] if inner else [path]
    if not found:
        raise UserError(f"{others[0]}: no run is there, nor in the others; name folders that hold a run.json")
    return found, others


def fold_path(run: Path, fold: str, seed: int) -> Path:
    """Where a finished fold lies: ``folds/casme2-sub01.seed0.json``."""
    return run / "folds" / f"{fold.replace('/', '-')}.seed{seed}.json"


def read_fold(path: Path) -> FoldRecord:
    """One fold file; UserError where it is missing, damaged or of another version."""
    raw = read_json(path)
    try:
        return FoldRecord(
            fold=raw["fold"],
            seed=raw["seed"],
            clips=tuple(raw["clips"]),
            probabilities=tuple(map(tuple, raw["probabilities"])),
            epochs=tuple(tuple(map(tuple, epoch)) for epoch in raw["epochs"]),
            nested_epoch=raw["nested_epoch"],
            history={k: tuple(v) for k, v in raw["history"].items()},
            seconds=raw["seconds"],
        )
    except (KeyError, TypeError) as error:
        raise BrokenError(f"{path}: not a fold of this version ({error}); delete it and run again") from None


PREDICTIONS = "predictions.csv"


def write_predictions(run: Run) -> None:
    """``predictions.csv``: every answer under every selection that the run reports, for people and other programs."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    head = ("selection", "seed", "fold", "dataset", "subject", "clip", "truth", "prediction")
    writer.writerow([*head, *(f"p_{name}" for name in run.classes)])
    for selection in run.selections:
        for p in run.predictions(selection):
            row = (selection, p.seed, p.fold, p.dataset, p.subject, p.clip, p.truth, p.label)
            writer.writerow([*row, *(f"{chance:.4f}" for chance in p.probabilities)])
    write_text(run.path / PREDICTIONS, text.getvalue())


def _read_kept(path: Path, config: Mapping[str, Any]) -> Run:
    """A run of which only ``run.json`` and ``predictions.csv`` were kept."""
    kept: dict[str, list[Prediction]] = {}
    rows: Iterable[Mapping[str, str]] = csv.DictReader(io.StringIO((path / PREDICTIONS).read_text(encoding="utf-8")))
    seen: set[tuple[str, ...]] = set()
    try:
        for row in rows:
            chances = tuple(float(row[f"p_{name}"]) for name in config["classes"])
            which = (row["selection"], row["seed"], row["clip"])
            if which in seen or not {row["truth"], row["prediction"]} <= set(config["classes"]):
                raise ValueError(f"clip {row['clip']} stands twice or has an unknown class")
            seen.add(which)
            kept.setdefault(row["selection"], []).append(
                Prediction(
                    config["method"], int(row["seed"]), row["fold"], row["clip"], row["dataset"], row["subject"],
                    row["truth"], row["prediction"], chances,
                )
            )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path / PREDICTIONS}: not the predictions of this run ({error}); restore the file") from None
    strange = [name for name in kept if name not in SELECTIONS]
    if strange or not kept:
        what = repr(strange[0]) if strange else "no"
        raise UserError(f"{path / PREDICTIONS}: holds {what} predictions; restore the file")
    first = next(name for name in SELECTIONS if name in kept)
    return Run(path, config, _kept_folds(kept[first]), {name: tuple(rows) for name, rows in kept.items()})


def _kept_folds(predictions: Sequence[Prediction]) -> tuple[FoldRecord, ...]:
    """The folds that predictions come from; what was not kept, the training, is empty."""
    found: dict[tuple[int, str], list[Prediction]] = {}
    for p in predictions:
        found.setdefault((p.seed, p.fold), []).append(p)
    return tuple(
        FoldRecord(
            fold, seed,
            tuple({"id": p.clip, "dataset": p.dataset, "subject": p.subject, "truth": p.truth} for p in group),
            tuple(p.probabilities for p in group), (), None, {}, 0.0,
        )
        for (seed, fold), group in sorted(found.items())
    )  # fmt: skip


def load_run(path: Path) -> Run:
    """A run folder as :class:`Run`; UserError where it is none or has no finished fold."""
    config = read_config(path)
    folds = [read_fold(file) for file in sorted((path / "folds").glob("*.json"))]
    if not folds and (path / PREDICTIONS).exists():
        return _read_kept(path, config)
    if not folds:
        raise UserError(f"{path}: no fold is finished yet; run the same evaluate command again to go on")
    seen: set[tuple[int, str]] = set()
    for one in folds:
        if (one.seed, one.fold) in seen:
            raise BrokenError(f"{path}: two files hold fold {one.fold} of seed {one.seed}; remove the copy")
        seen.add((one.seed, one.fold))
    return Run(path, config, tuple(sorted(folds, key=lambda record: (record.seed, record.fold))))
