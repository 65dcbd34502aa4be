"""``evaluate``: train and test a method fold by fold; each finished fold is a file, so a run can be cut and go on."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from dfrnet.datasets import without_roots
from dfrnet.datasets.labels import unit_numbers
from dfrnet.evaluation.identity import OtherRunError, check_same, config_of
from dfrnet.evaluation.protocols import PROTOCOLS
from dfrnet.evaluation.records import (
    CONTROLS,
    Run,
    fold_path,
    load_run,
    read_config,
    read_fold,
    write_json,
    write_predictions,
)
from dfrnet.features import FeatureSpec, features, fitted_spec
from dfrnet.methods import METHODS, Method
from dfrnet.parallel import in_parallel
from dfrnet.types import CLASSES, Array, Clip, Fold, LearnsActionUnits, TrainedInEpochs, UserError, unknown_name

SELECTION_MODES = ("fixed", "nested", "audit", "leak")
"""``fixed``: the last epoch; ``nested``: chosen on held-out training subjects; ``audit``: both, and the leaky one;
``leak``: an audit without the nested row, at half the cost, for the costliest networks."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One fold of one seed: all that a worker process needs besides the features."""

    method: Method
    settings: Any
    spec: FeatureSpec
    classes: tuple[str, ...]
    selection: str
    seed: int
    fold: Fold


def evaluate(
    method: Method,
    clips: Sequence[Clip],
    out: Path,
    *,
    settings: Any = None,
    data: Sequence[str] = (),
    classes: tuple[str, ...] = CLASSES,
    origin: Mapping[str, Any] | None = None,
    protocol: str = "loso",
    selection: str = "fixed",
    seeds: Sequence[int] = (0,),
    audit_seeds: int | None = None,
    jobs: int = 1,
    cache: Path | None = None,
    extracting: Callable[[int, int], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Run:
    """Run every missing fold of ``method`` on ``clips`` into the folder ``out`` and return the whole run.

    ``data`` names the sources for the record and ``origin`` is what it keeps of them besides: ``archives`` (sheets and
    trees), ``errata`` (corrections of the sheets), ``left_out`` (clips that cannot be used, with a sentence each). A
    clip whose features cannot be extracted joins those, and the run goes on without it. ``audit_seeds`` limits an
    audit, which trains twice, to the first of the seeds; the others count in the ``fixed`` row alone. ``jobs``
    processes work at once; a fold's numbers depend on neither their number nor the order. ``cache`` is the folder of
    extracted features. A run that is there already with the first of the ``seeds`` is gone on with.
    ``extracting(done, all)`` is called after each clip and ``progress(done, all)`` after each fold. UserError if
    ``out`` holds a run of another configuration (the difference is named) or anything else; nothing is overwritten.
    """
    settings = method.settings if settings is None else settings
    begun = (out / "run.json").exists()
    left_out = dict((origin or {}).get("left_out", {}))
    if begun:
        left_out = read_config(out).get("left_out", {})
        _name_newcomers(out, clips, left_out)
        clips = [clip for clip in clips if clip.id not in left_out]
    _checked(clips, classes, protocol, selection)
    spec = fitted_spec(clips, method.inputs(settings))
    extracted = None
    if not begun:
        # Before the folder appears: what cannot run leaves none behind that the mended command would trip over.
        _check_free(out)
        _try_build(method, settings, spec, len(classes))
        extracted = features(clips, spec, jobs=jobs, cache=cache, progress=extracting)
        clips, left_out = list(extracted.clips), left_out | extracted.left_out
        for sentence in extracted.left_out.values():
            log.warning("left out: %s", sentence)
    folds = _checked(clips, classes, protocol, selection)
    config = config_of(method, settings, spec, clips, data, classes, protocol, selection, seeds, len(folds))
    config |= {"archives": [], "errata": []} | dict(origin or {})
    audited = list(seeds)[:audit_seeds] if selection in ("audit", "leak") else list(seeds)
    if audited != list(seeds):
        config["audited"] = audited
    config["left_out"] = {clip: without_roots(why, data) for clip, why in left_out.items()}
    if begun:
        check_same(out, config)
    tasks = [
        Task(method, settings, spec, classes, selection if seed in audited else "fixed", seed, fold)
        for seed in seeds
        for fold in folds
        if not _finished(fold_path(out, fold.name, seed), fold.name)
    ]
    total = len(folds) * len(seeds)
    if progress:
        progress(total - len(tasks), total)
    if tasks:
        extracted = extracted or features(clips, spec, jobs=jobs, cache=cache, progress=extracting)
        if len(extracted.clips) < len(clips):
            why = next(iter(extracted.left_out.values()))
            raise UserError(f"{out}: a clip of this run cannot be used any more: {why}")
        _create_folder(out, config)
        units = [unit_numbers(clip) for clip in clips]
        work = partial(run_fold, x=extracted.x, table=clip_table(clips), units=units)
        finished = in_parallel(work, tasks, jobs=jobs, ordered=False)
        # Written here, not by the workers: those may be machines that do not see this folder.
        for done, record in enumerate(finished, start=total - len(tasks) + 1):
            write_json(fold_path(out, record["fold"], record["seed"]), record)
            if progress:
                progress(done, total)
    run = load_run(out)
    write_predictions(run)
    return run


def evaluate_controls(run: Path, clips: Sequence[Clip], *, jobs: int = 1, **same: Any) -> list[str]:
    """Run the controls, on the same clips and folds, into ``run/controls``; the reasons of those that cannot run.

    Every table shows the majority class and the SVM on flow beside a method; both take seconds. A run of a control
    itself gets only the other one.
    """
    reasons = []
    config = read_config(run)
    own = config["method"]
    same["origin"] = {name: config[name] for name in ("archives", "errata", "left_out") if name in config}
    clips = [clip for clip in clips if clip.id not in config.get("left_out", {})]
    for name in CONTROLS:
        if name == own:
            continue
        try:
            evaluate(METHODS[name], clips, run / "controls" / name, jobs=jobs, **same)
        except UserError as error:
            reasons.append(f"{name}: {error}")
    return reasons


def run_fold(task: Task, x: Array, table: Sequence[dict[str, str]], units: Sequence[frozenset[int]]) -> dict[str, Any]:
    """Train on the fold's training clips, then answer for its test clips: a fold file's content.

    Test clips are touched here, after ``fit`` or between its epochs, never within; their labels and their action
    ``units`` are not used at all.
    """
    start = perf_counter()
    train, test = list(task.fold.train), list(task.fold.test)
    y = np.array([task.classes.index(table[i]["truth"]) for i in train], dtype=np.int64)
    groups = [table[i]["subject"] for i in train]
    classifier = task.method.build(task.settings, task.spec, len(task.classes), fold_seed(task.seed, task.fold.name))
    if isinstance(classifier, LearnsActionUnits):
        classifier.learn_units([units[i] for i in train])
    epochs: list[Any] = []
    history: dict[str, list[float]] = {}
    chosen: int | None = None
    if isinstance(classifier, TrainedInEpochs):
        if task.selection in ("nested", "audit"):
            chosen, history["held_out_loss"] = classifier.choose_epoch(x[train], y, groups)
        history["loss"] = []
        for epoch in classifier.epochs(x[train], y, groups):
            history["loss"].append(epoch.loss)
            if task.selection in ("audit", "leak"):
                epochs.append(classifier.predict_proba(x[test]).tolist())
            if task.selection == "nested" and epoch.number == chosen:
                break
    else:
        classifier.fit(x[train], y, groups)
    return {
        "fold": task.fold.name,
        "seed": task.seed,
        "clips": [table[i] for i in test],
        "probabilities": classifier.predict_proba(x[test]).tolist(),
        "epochs": epochs,
        "nested_epoch": chosen,
        "history": history,
        "seconds": round(perf_counter() - start, 3),
    }


def fold_seed(seed: int, fold: str) -> int:
    """A fold's own seed, a hash of the run's seed and the fold's name: any order and number of processes will do."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{fold}".encode()).digest()[:4], "big") % 2**31


def clip_table(clips: Sequence[Clip]) -> list[dict[str, str]]:
    """What a prediction must say of its clip."""
    return [{"id": c.id, "dataset": c.dataset, "subject": c.subject, "truth": c.label} for c in clips]


def _checked(clips: Sequence[Clip], classes: tuple[str, ...], protocol: str, selection: str) -> list[Fold]:
    if selection not in SELECTION_MODES:
        raise unknown_name("selection", selection, SELECTION_MODES)
    if protocol not in PROTOCOLS:
        raise unknown_name("protocol", protocol, PROTOCOLS)
    strange = next((clip for clip in clips if clip.label not in classes), None)
    if strange is not None:
        raise UserError(f"clip {strange.id}: its label {strange.label!r} is none of the classes {', '.join(classes)}")
    folds = PROTOCOLS[protocol](clips)
    for fold in folds:
        if {clips[i].subject for i in fold.train} & {clips[i].subject for i in fold.test}:
            raise ValueError(f"protocol {protocol}: fold {fold.name} trains on a subject that it tests")
    return folds


def _try_build(method: Method, settings: Any, spec: FeatureSpec, classes: int) -> None:
    """Build classifier and network once: a setting that cannot work fails before anything is written."""
    method.build(settings, spec, classes, 0)
    if method.network is not None:
        method.network(settings, spec, classes)


def _name_newcomers(out: Path, clips: Sequence[Clip], left_out: Mapping[str, str]) -> None:
    """Say which clips that are at hand now stay out of a run, because they could not be used when it began."""
    new = [clip.id for clip in clips if clip.id in left_out]
    if new:
        log.warning("%s: %d clips stay left out as they were when it began, the first %s; with another --out they are "
                    "looked at anew", out, len(new), new[0])  # fmt: skip


def _check_free(out: Path) -> None:
    """UserError unless ``out`` is new, empty or holds what a killed start of a run leaves."""
    if out.is_file() or (out.is_dir() and any(not _harmless(entry) for entry in out.iterdir())):
        raise OtherRunError(f"{out}: exists and is not the folder of a run; choose another --out, nothing was changed")


def _harmless(entry: Path) -> bool:
    """Whether a folder without ``run.json`` may hold this: controls, or what a killed write left."""
    if entry.name == "folds":
        return entry.is_dir() and not any(entry.iterdir())
    return entry.name == "controls" or entry.suffix == ".part"


def _create_folder(out: Path, config: dict[str, Any]) -> None:
    """The run's folder with its record; two processes may do so at once."""
    try:
        (out / "folds").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be made a folder ({error.strerror}); choose another --out") from None
    if not (out / "run.json").exists():
        write_json(out / "run.json", config)


def _finished(path: Path, fold: str) -> bool:
    if not path.exists():
        return False
    found = read_fold(path).fold
    if found != fold:
        raise UserError(f"{path}: holds fold {found}, not {fold}; move it away and run again")
    return True
