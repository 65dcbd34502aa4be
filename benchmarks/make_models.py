"""The models that come with the package: trained, calibrated, exported, and their cards written.

    python benchmarks/make_models.py maps --data maps=../htnet --run results/maps/dfrnet
    python benchmarks/make_models.py synthetic --data synthetic --run results/synthetic/dfrnet

The run is one of ``dfrnet evaluate`` on the same data; its settings are the model's. The files go to src/dfrnet/models.
``--int8-folds N`` also trains on all but one of five groups of subjects, N times, and says in the card what 8 bits
change on the subjects left out. ``--drawn`` shows the model drawn faces too and says what it makes of them.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from dfrnet import __version__
from dfrnet.datasets import load, synthetic
from dfrnet.evaluation.calibration import measured
from dfrnet.evaluation.protocols import PROTOCOLS
from dfrnet.evaluation.records import load_run
from dfrnet.evaluation.scores import score_row
from dfrnet.export import change, to_onnx
from dfrnet.features import features
from dfrnet.methods import METHODS
from dfrnet.recognizer import MODELS, _as_text, train
from dfrnet.recognizer import load as read
from dfrnet.types import Prediction

COVERAGE = 0.8
TEXTS = Path(__file__).parent / "model_cards"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=MODELS)
    parser.add_argument("--data", required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("runs/features"))
    parser.add_argument("--int8-folds", type=int, default=0)
    parser.add_argument("--drawn", action="store_true")
    parser.add_argument("--trained", type=Path, help="take this file's network: only the card is made again")
    arguments = parser.parse_args()
    run = load_run(arguments.run)
    method = METHODS[run.method]
    settings = method.configured("", {name: _as_text(value) for name, value in run.config["settings"].items()})
    loaded = load([arguments.data])
    found = measured(arguments.run, method, settings, loaded.classes, loaded.clips, coverage=COVERAGE)
    same = {**loaded.record, "cache": arguments.cache, "half": True}
    trained = read(arguments.trained) if arguments.trained else train(method, loaded.clips, settings, **same)
    kept = {key: trained.card[key] for key in ("int8_held_out", "drawn") if key in trained.card}
    model = replace(trained, temperature=found["temperature"], threshold=found["threshold"])
    base = MODELS[arguments.name]
    x = features(loaded.clips, model.spec, cache=arguments.cache).x
    if arguments.int8_folds:
        kept["int8_held_out"] = held_out(model, loaded, arguments, same)
    if arguments.drawn:
        kept["drawn"] = {level: drawn(model, level, arguments.cache) for level in ("easy", "default")}
    model = replace(model, card={**found["card"], **kept})
    model.save(base.with_suffix(".safetensors"))
    to_onnx(model, base.with_suffix(".onnx"), x=x)
    base.with_suffix(".md").write_text(card(arguments.name, model, run), encoding="utf-8")


def held_out(model, loaded, arguments, same) -> dict:
    """UF1 before and after 8 bits, pooled over subjects that the networks were not trained on."""
    folds = PROTOCOLS["kfold5"](loaded.clips)[: arguments.int8_folds]
    before, after, truth = [], [], []
    for fold in folds:
        part = train(METHODS[model.method], [loaded.clips[i] for i in fold.train], model.settings, **same)
        x = features([loaded.clips[i] for i in fold.train], part.spec, cache=arguments.cache).x
        test = features([loaded.clips[i] for i in fold.test], part.spec, cache=arguments.cache)
        with tempfile.TemporaryDirectory() as folder:
            small = to_onnx(part, Path(folder) / "m.onnx", int8=True, x=x)
        before.append(part.classifier.predict_proba(test.x))
        after.append(small.classifier.predict_proba(test.x))
        truth += [model.classes.index(clip.label) for clip in test.clips]
    pooled = change(Answers(before), Answers(after), np.zeros((len(truth), 1, 1, 1), np.float32), np.array(truth))
    return {**vars(pooled), "folds": len(folds)}


def drawn(model, level: str, cache: Path) -> dict:
    """Scores on drawn faces, which a network that was trained on maps has never seen."""
    found = features(synthetic.load(level), model.spec, cache=cache)
    rows = model.classifier.predict_proba(found.x)
    answers = [
        Prediction(
            model.method, 0, "", clip.id, clip.dataset, clip.subject, clip.label, model.classes[int(row.argmax())],
            tuple(map(float, row)),
        )
        for clip, row in zip(found.clips, rows, strict=True)
    ]  # fmt: skip
    score = score_row(answers, model.classes, run="", method=model.method, selection="given", data=level)
    return {key: getattr(score, key) for key in ("n", "subjects", "uf1", "uf1_ci", "uar", "uar_ci", "recalls")}


class Answers:
    """Answers that were given already, as a classifier."""

    def __init__(self, parts):
        self.rows = np.concatenate(parts)

    def predict_proba(self, x):
        return self.rows[: len(x)]


def card(name: str, model, run) -> str:
    """The card: written by hand in model_cards, with the figures of the model's own record."""
    trained, measures = model.trained_on, model.card["calibration"]
    changed = model.card.get("int8_held_out")
    values = {
        "command": f"python benchmarks/make_models.py {name}",
        "version": __version__,
        "parameters": f"{sum(p.numel() for p in model.classifier.network.parameters()):,}",
        "clips": trained["clips"],
        "subjects": trained["subjects"],
        "protocol": {"loso": "Leave one subject out", "kfold5": "Five groups of subjects, each left out once"}[
            model.card["protocol"]
        ],
        "drawn": "; ".join(
            f"UAR {row['uar']:.3f} [{row['uar_ci'][0]:.3f}, {row['uar_ci'][1]:.3f}] on the difficulty `{level}`"
            for level, row in model.card.get("drawn", {}).items()
        ),
        "scores": scores(model.card["scores"]),
        "folds": len(run.folds),
        "temperature": f"{model.temperature:.3f}",
        "nll": "{:.3f} before, {:.3f} after".format(*measures["nll"]),
        "ece": "{:.3f} before, {:.3f} after".format(*measures["ece"]),
        "threshold": f"{model.threshold:.3f}",
        "coverage": coverage(measures["curve"]),
        "int8": "not measured"
        if changed is None
        else f"UF1 {changed['uf1'][0]:.3f} in float32 and {changed['uf1'][1]:.3f} in int8 on the {changed['clips']} "
        f"clips of {changed['folds']} held-out groups of subjects, {changed['same_label']:.1%} equal labels",
    }
    return (TEXTS / f"{name}.md").read_text(encoding="utf-8").format(**values)


def scores(rows) -> str:
    """The scores as a Markdown table."""
    lines = ["| Clips | n | people | UF1 | UAR | accuracy | recall by class |", "|---|--:|--:|--:|--:|--:|---|"]
    for row in rows:
        uf1, uar = (f"{row[key]:.3f} [{row[key + '_ci'][0]:.3f}, {row[key + '_ci'][1]:.3f}]" for key in ("uf1", "uar"))
        recalls = ", ".join(f"{label} {value:.2f}" for label, value in row["recalls"].items())
        cells = (row["data"], row["n"], row["subjects"], uf1, uar, f"{row['accuracy']:.3f}", recalls)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def coverage(curve) -> str:
    """The coverage curve as a Markdown table."""
    lines = ["| gets a label | probability at least | accuracy of those | their UF1 |", "|--:|--:|--:|--:|"]
    lines += [f"| {p['coverage']:.0%} | {p['threshold']:.3f} | {p['accuracy']:.3f} | {p['uf1']:.3f} |" for p in curve]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
