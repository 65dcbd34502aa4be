"""A made-up run folder, written with the package's own writer."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from dfrnet.evaluation.records import Run, fold_path, load_run, write_json
from dfrnet.types import CLASSES, Prediction

SUBJECTS = {"casme2/sub01": 4, "casme2/sub02": 3, "casme2/sub03": 4, "smic/s01": 5, "smic/s02": 2, "smic/s03": 4}
EPOCHS = 6


def _make_run(
    path: Path,
    method: str = "dfrnet",
    skill: float = 1.0,
    seeds: Sequence[int] = (0,),
    subjects: Sequence[str] = tuple(SUBJECTS),
    selection: str = "audit",
    epochs: int = EPOCHS,
    missing: int = 0,
    data: str = "casme2 and smic",
) -> Run:
    """Folds with noise plus ``skill`` on the true class; the last ``missing`` subjects stay unfinished."""
    (path / "folds").mkdir(parents=True)
    config = {"method": method, "classes": list(CLASSES), "seeds": list(seeds), "folds": len(subjects),
              "selection": selection, "data": data, "versions": {"dfrnet": "0.1", "numpy": "2"}}  # fmt: skip
    write_json(path / "run.json", config)
    random = np.random.default_rng(7)
    for seed in seeds:
        for subject in subjects[: len(subjects) - missing]:
            truth = np.arange(SUBJECTS[subject]) % 3
            scores = random.gumbel(size=(max(epochs, 1), len(truth), 3)) + skill * np.eye(3)[truth]
            rows = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
            fold = {
                "fold": subject,
                "seed": seed,
                "clips": [
                    {"id": f"{subject}/{i}", "dataset": subject.split("/")[0], "subject": subject, "truth": CLASSES[t]}
                    for i, t in enumerate(truth)
                ],
                "probabilities": rows[-1].tolist(),
                "epochs": rows.tolist() if epochs else [],
                "nested_epoch": 3 if epochs else None,
                "history": {"loss": [1 / (e + 1) for e in range(epochs)], "held_out_loss": [0.9] * epochs},
                "seconds": 1.5,
            }
            write_json(fold_path(path, subject, seed), fold)
    return load_run(path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """An audited run of two seeds with both controls."""
    path = tmp_path / "my_run"
    made = _make_run(path, seeds=(0, 1))
    for name, skill in (("constant", 0.0), ("svm_flow", 2.0)):
        _make_run(path / "controls" / name, method=name, skill=skill, epochs=0, selection="fixed")
    return made


def _predict(clips: Sequence[tuple[str, str, str]], seed: int = 0) -> list[Prediction]:
    """Predictions from (subject, truth, label)."""
    return [
        Prediction("m", seed, subject, f"{subject}/{i}", subject.split("/")[0], subject, truth, label, ())
        for i, (subject, truth, label) in enumerate(clips)
    ]


@pytest.fixture
def make_run() -> Callable[..., Run]:
    return _make_run


@pytest.fixture
def predict() -> Callable[..., list[Prediction]]:
    return _predict
