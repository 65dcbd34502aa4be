"""A run: honest folds, the same numbers however it is run, and nothing lost when it is cut."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from dfrnet.datasets import released_maps
from dfrnet.evaluation.records import SELECTIONS, fold_predictions, load_run, read_json
from dfrnet.evaluation.run import evaluate, evaluate_controls, fold_seed
from dfrnet.evaluation.scores import score_rows
from dfrnet.features import Extracted, FeatureSpec
from dfrnet.methods import METHODS, Method
from dfrnet.types import CLASSES, Clip, UserError
from trees import SUBJECTS, child_environment, tree_state, write_maps

DFRNET = METHODS["dfrnet"]
SVM = METHODS["svm_flow"]
CHANGES = {"inputs": "flow", "widths": "4,6,8", "epochs": "3", "batch_size": "8", "patience": "2", "flip": "true",
           "learning_rate": "1e-2"}  # fmt: skip
SETTINGS = DFRNET.configured(changes=CHANGES)
PEOPLE = (*SUBJECTS[:1], *SUBJECTS[2:5])  # four of three data sets


def answers(run, selection="fixed"):
    return {(p.seed, p.clip): p.probabilities for p in run.predictions(selection)}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return released_maps.load(str(write_maps(tmp_path_factory.mktemp("data") / "htnet", PEOPLE)))


@pytest.fixture(scope="module")
def audited(clips, tmp_path_factory):
    """One audit of two seeds; nobody writes to it."""
    out = tmp_path_factory.mktemp("runs") / "audited"
    return evaluate(DFRNET, clips, out, settings=SETTINGS, data=["maps=x"], selection="audit", seeds=(0, 1))


def test_the_folder_holds_a_record_a_file_a_fold_and_predictions(audited, clips):
    folder = audited.path
    assert sorted(p.name for p in folder.iterdir()) == ["folds", "predictions.csv", "run.json"]
    names = {f"{s.replace('/', '-')}.seed{k}.json" for s in {c.subject for c in clips} for k in (0, 1)}
    assert {p.name for p in (folder / "folds").iterdir()} == names
    config = json.loads((folder / "run.json").read_text())
    assert (config["method"], config["clips"], config["subjects"], config["folds"]) == ("dfrnet", 12, 4, 4)
    assert config["data"] == ["maps"]
    assert config["settings"]["epochs"] == 3
    assert config["features"]["maps"] == ["u", "v", "strain"]
    assert config["features"]["size"] == 28
    assert set(config["versions"]) >= {"python", "numpy", "torch"}
    assert audited.complete


@pytest.mark.parametrize("selection", SELECTIONS)
def test_every_clip_has_one_answer_a_seed_by_a_fold_without_its_subject(audited, clips, selection):
    predictions = audited.predictions(selection)
    assert sorted((p.seed, p.clip) for p in predictions) == sorted((k, c.id) for k in (0, 1) for c in clips)
    truth = {c.id: (c.label, c.subject, c.dataset) for c in clips}
    for p in predictions:
        assert (p.truth, p.subject, p.dataset) == truth[p.clip]
        assert p.fold == p.subject
        assert sum(p.probabilities) == pytest.approx(1)
        assert p.label == CLASSES[int(np.argmax(p.probabilities))]


def test_predictions_csv_says_the_same(audited):
    with (audited.path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(r["selection"], int(r["seed"]), r["clip"]): (r["prediction"], float(r["p_positive"])) for r in rows}
    assert len(found) == len(rows)
    for selection, p in ((name, p) for name in SELECTIONS for p in audited.predictions(name)):
        label, chance = found[selection, p.seed, p.clip]
        assert label == p.label
        assert chance == pytest.approx(p.probabilities[1], abs=1e-4)


def test_a_run_is_kept_in_two_small_files(audited, tmp_path):
    """Record and predictions are the whole of it for tables: no fold file is needed."""
    for name in ("run.json", "predictions.csv"):
        shutil.copy(audited.path / name, tmp_path / name)
    kept = load_run(tmp_path)
    assert (kept.selections, kept.seeds, kept.complete, kept.in_epochs) == (SELECTIONS, (0, 1), True, True)
    for selection in SELECTIONS:
        before = [(p.seed, p.fold, p.clip, p.truth, p.label) for p in audited.predictions(selection)]
        assert [(p.seed, p.fold, p.clip, p.truth, p.label) for p in kept.predictions(selection)] == before
    both = [score_rows([run]) for run in (audited, kept)]
    assert [(r.selection, r.data, r.uf1, r.uf1_ci, r.seeds, r.folds) for r in both[0]] == [
        (r.selection, r.data, r.uf1, r.uf1_ci, r.seeds, r.folds) for r in both[1]
    ]


@pytest.mark.parametrize("damage", [("fixed,", "best,"), ("p_positive", "p_happy"), ("selection", "rule")], ids=str)
def test_damaged_kept_predictions_are_a_sentence(audited, tmp_path, damage):
    shutil.copy(audited.path / "run.json", tmp_path)
    text = (audited.path / "predictions.csv").read_text()
    (tmp_path / "predictions.csv").write_text(text.replace(*damage))
    with pytest.raises(UserError, match=r"predictions.csv: .*restore the file"):
        load_run(tmp_path)


def test_an_audit_of_the_first_seeds_only(audited, clips, tmp_path):
    run = evaluate(DFRNET, clips, tmp_path / "part", settings=SETTINGS, data=["maps=x"], selection="audit",
                   seeds=(0, 1), audit_seeds=1)  # fmt: skip
    assert {p.seed for p in run.predictions("fixed")} == {0, 1}
    assert {p.seed for p in run.predictions("nested")} == {p.seed for p in run.predictions("leaky")} == {0}
    assert run.predictions("fixed") == audited.predictions("fixed")
    assert run.predictions("leaky") == [p for p in audited.predictions("leaky") if p.seed == 0]
    with pytest.raises(UserError, match="audited was"):
        evaluate(DFRNET, clips, run.path, settings=SETTINGS, data=["maps=x"], selection="audit", seeds=(0, 1))


@pytest.mark.parametrize(("audit_seeds", "seeds"), [(None, (0, 1)), (1, (0, 1))])
def test_seeds_can_be_added_to_a_run(clips, tmp_path, audit_seeds, seeds):
    same = {"settings": SETTINGS, "data": ["maps=x"], "selection": "audit", "audit_seeds": audit_seeds}
    first = evaluate(DFRNET, clips, tmp_path / "grown", seeds=(0,), **same)
    kept = {path.name: path.read_bytes() for path in (first.path / "folds").iterdir()}
    grown = evaluate(DFRNET, clips, first.path, seeds=seeds, **same)
    at_once = evaluate(DFRNET, clips, tmp_path / "at_once", seeds=seeds, **same)
    assert grown.seeds == (0, 1)
    assert kept.items() <= {path.name: path.read_bytes() for path in (first.path / "folds").iterdir()}.items()
    assert read_json(grown.path / "run.json") == read_json(at_once.path / "run.json")
    assert (grown.path / "predictions.csv").read_bytes() == (at_once.path / "predictions.csv").read_bytes()
    with pytest.raises(UserError, match="seeds was"):
        evaluate(DFRNET, clips, first.path, seeds=(0,), **same)


def test_the_three_selections_come_from_one_record_of_epochs(audited):
    assert audited.selections == SELECTIONS
    for record in audited.folds:
        assert len(record.epochs) == len(record.history["loss"]) == 3
        assert record.epochs[-1] == record.probabilities
        assert 1 <= record.nested_epoch <= 3
        held = record.history["held_out_loss"]
        assert record.nested_epoch == int(np.argmin(held)) + 1
        nested = fold_predictions(record, "dfrnet", CLASSES, "nested")
        assert [p.probabilities for p in nested] == list(record.epochs[record.nested_epoch - 1])


def test_the_leaky_accuracy_of_a_subject_is_the_best_of_all_epochs(audited):
    for record in audited.folds:
        truth = [clip["truth"] for clip in record.clips]

        def accuracy(rows, truth=truth):
            return np.mean([CLASSES[int(np.argmax(row))] == t for row, t in zip(rows, truth, strict=True)])

        best = max(accuracy(rows) for rows in record.epochs)
        leaky, fixed, nested = (
            accuracy([p.probabilities for p in fold_predictions(record, "dfrnet", CLASSES, s)])
            for s in ("leaky", "fixed", "nested")
        )
        assert leaky == best
        assert leaky >= fixed
        assert leaky >= nested
    rows = {row.selection: row for row in score_rows([audited]) if row.data == "full"}
    assert rows["leaky"].accuracy >= rows["fixed"].accuracy
    assert "LEAKY" in rows["leaky"].label


def test_watching_and_choosing_change_no_answer(audited, clips, tmp_path):
    """A fixed run equals the audit's fixed rows, a nested run its nested rows."""
    fixed = evaluate(DFRNET, clips, tmp_path / "fixed", settings=SETTINGS)
    assert answers(fixed) == {k: v for k, v in answers(audited).items() if k[0] == 0}
    nested = evaluate(DFRNET, clips, tmp_path / "nested", settings=SETTINGS, selection="nested")
    assert answers(nested, "nested") == {k: v for k, v in answers(audited, "nested").items() if k[0] == 0}
    assert fixed.folds[0].epochs == ()
    with pytest.raises(UserError, match="holds no 'leaky' predictions"):
        nested.predictions("leaky")


def test_two_processes_give_the_numbers_of_one(audited, clips, tmp_path):
    two = evaluate(DFRNET, clips, tmp_path / "two", settings=SETTINGS, selection="audit", jobs=2)
    for selection in SELECTIONS:
        assert answers(two, selection) == {k: v for k, v in answers(audited, selection).items() if k[0] == 0}


def test_the_order_of_the_clips_changes_nothing_for_the_svm(clips, tmp_path):
    """A network sees its batches in the order of the data, but the folds, seeds and records do not depend on it."""
    one = evaluate(SVM, clips, tmp_path / "one", data=["maps"])
    two = evaluate(SVM, clips[::-1], tmp_path / "two", data=["maps"])
    assert one.config["clips_sha256"] == two.config["clips_sha256"]
    for key, row in answers(one).items():
        np.testing.assert_allclose(answers(two)[key], row, atol=1e-4)  # libsvm stops at a tolerance


def test_seeds_of_folds_differ_and_are_fixed():
    seeds = {fold_seed(seed, fold) for seed in range(3) for fold in ("a/s1", "a/s2", "b/s1")}
    assert len(seeds) == 9
    assert fold_seed(0, "casme2/sub01") == 624364722
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_seeds_differ(audited):
    found = answers(audited)
    assert any(found[0, clip] != found[1, clip] for _, clip in found)


@dataclass(frozen=True)
class SpySettings:
    features: FeatureSpec = field(default_factory=lambda: FeatureSpec(maps=("u",)))


class Spy:
    """Notes what it is given; every clip of the test carries its own number as its only value."""

    log: list[tuple[str, list[int], list[str]]] = []  # noqa: RUF012

    def fit(self, x, y, groups):
        self.log.append(("fit", [round(float(v) * 1000) for v in x.mean((1, 2, 3))], list(groups)))
        assert len(x) == len(y) == len(groups)
        return self

    def predict_proba(self, x):
        self.log.append(("predict", [round(float(v) * 1000) for v in x.mean((1, 2, 3))], []))
        return np.tile([0.2, 0.5, 0.3], (len(x), 1))


@pytest.fixture
def spied(monkeypatch):
    """Twelve clips of four subjects whose u is their number; a method that writes down what it meets."""
    spy = Method("spy", "a test", SpySettings(), lambda s: s.features, lambda *_: Spy())
    monkeypatch.setitem(METHODS, "spy", spy)
    monkeypatch.setattr(Spy, "log", [])
    frame = np.zeros((4, 16, 16), np.uint8)
    people = [k % 4 for k in range(12)]
    drawn = [Clip(f"d/s{p}/c{k}", "d", f"d/s{p}", CLASSES[k % 3], frame, 0, 1, 2) for k, p in enumerate(people)]
    numbered = np.stack([np.full((1, 8, 8), k / 1000, np.float32) for k in range(12)])
    monkeypatch.setattr("dfrnet.evaluation.run.features", lambda clips, *_, **__: Extracted(tuple(clips), numbered, {}))
    return spy, drawn


def test_fit_never_meets_a_test_clip(spied, tmp_path):
    spy, drawn = spied
    evaluate(spy, drawn, tmp_path / "run")
    assert [kind for kind, *_ in Spy.log] == ["fit", "predict"] * 4
    for (_, trained, groups), (_, tested, _) in zip(Spy.log[::2], Spy.log[1::2], strict=True):
        assert sorted(trained + tested) == list(range(12))
        assert groups == [drawn[k].subject for k in trained]
        assert not {drawn[k].subject for k in trained} & {drawn[k].subject for k in tested}


def test_a_label_of_a_test_clip_changes_no_answer_of_its_fold(clips, tmp_path):
    subject = clips[0].subject
    changed = [replace(c, label="surprise") if c.subject == subject else c for c in clips]
    one, two = (evaluate(SVM, some, tmp_path / name) for name, some in (("a", clips), ("b", changed)))
    for clip in clips:
        if clip.subject == subject:
            assert answers(one)[0, clip.id] == answers(two)[0, clip.id]


def test_a_finished_run_is_not_run_again(spied, tmp_path):
    spy, drawn = spied
    evaluate(spy, drawn, tmp_path / "run")
    before, calls = tree_state(tmp_path / "run" / "folds"), len(Spy.log)
    run = evaluate(spy, drawn, tmp_path / "run")
    assert len(Spy.log) == calls
    assert tree_state(tmp_path / "run" / "folds") == before
    assert run.complete


def test_only_missing_folds_are_run(spied, tmp_path):
    spy, drawn = spied
    evaluate(spy, drawn, tmp_path / "run")
    before = tree_state(tmp_path / "run" / "folds")
    (tmp_path / "run" / "folds" / "d-s2.seed0.json").unlink()
    Spy.log.clear()
    seen = []
    evaluate(spy, drawn, tmp_path / "run", progress=lambda done, total: seen.append((done, total)))
    assert len(Spy.log) == 2
    assert seen == [(3, 4), (4, 4)]
    after = tree_state(tmp_path / "run" / "folds")
    assert {k for k in before if before[k] != after[k]} == {"d-s2.seed0.json"}


def folds_of(out: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in (out / "folds").glob("*.json")}


def test_a_killed_run_goes_on_to_the_identical_result(tmp_path, audited):
    """kill -9 of the real command, then the same command: only the missing folds run, the answers are the same."""
    root, out = write_maps(tmp_path / "htnet", PEOPLE), tmp_path / "run"
    changes = [word for k, v in CHANGES.items() for word in ("--set", f"{k}={v}")]
    command = [sys.executable, "-m", "dfrnet", "evaluate", "dfrnet", "--data", f"maps={root}", "--out", str(out),
               "--selection", "audit", "--seeds", "2", "--jobs", "1", "--no-controls", *changes]  # fmt: skip
    with subprocess.Popen(command, env=child_environment(), start_new_session=True, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as child:  # fmt: skip
        end = time.monotonic() + 200
        while len(folds_of(out)) < 2 and child.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        assert child.poll() is None, f"it ended before it could be killed: {child.stderr.read()}"
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
    finished = folds_of(out)
    assert 2 <= len(finished) < 8
    kept = tree_state(out)
    again = subprocess.run(command, env=child_environment(), capture_output=True, text=True, timeout=240, check=False)
    assert again.returncode == 0, again.stderr
    after = folds_of(out)
    assert len(after) == 8
    assert {name: after[name] for name in finished} == finished
    assert tree_state(out)["run.json"] == kept["run.json"]
    run = load_run(out)
    for selection in SELECTIONS:
        assert answers(run, selection) == answers(audited, selection)
    assert (out / "predictions.csv").read_bytes() == (audited.path / "predictions.csv").read_bytes()


@pytest.fixture
def run(spied, tmp_path):
    """A finished run of the spy."""
    return evaluate(*spied, tmp_path / "run").path


@pytest.mark.parametrize(
    "content", ["", '{"fold": "d/s1", "seed": 0, "cli', "{}", "[]"], ids=["empty", "cut", "bare", "list"]
)
def test_a_damaged_fold_is_named_and_nothing_is_changed(spied, run, content):
    (run / "folds" / "d-s1.seed0.json").write_text(content)
    before = tree_state(run)
    for again in (lambda: evaluate(*spied, run), lambda: load_run(run)):
        with pytest.raises(UserError, match=r"d-s1\.seed0\.json: (damaged|not a fold).*delete it"):
            again()
    assert tree_state(run) == before
    (run / "folds" / "d-s1.seed0.json").unlink()
    assert evaluate(*spied, run).complete


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"settings": SpySettings(FeatureSpec(maps=("v",)))}, r"maps was \['u'\] and is now \['v'\]"),
        ({"settings": SpySettings(FeatureSpec(maps=("u",), size=14))}, "size was 28 and is now 14"),
        ({"seeds": (1, 0)}, r"seeds was \[0\] and is now \[1, 0\]"),
        ({"selection": "audit"}, "selection was fixed and is now audit"),
        ({"data": ["maps=elsewhere"]}, r"data was \[\] and is now \['maps'\]"),
        ({"classes": ("surprise", "negative", "positive")}, "classes was"),
    ],
    ids=["maps", "size", "seeds", "selection", "data", "classes"],
)
def test_another_configuration_is_refused_by_its_difference(spied, run, changes, difference):
    before = tree_state(run)
    with pytest.raises(
        UserError, match=f"run: holds a run of another configuration .*{difference}.*nothing was changed"
    ):
        evaluate(*spied, run, **changes)
    assert tree_state(run) == before


def test_another_method_or_other_labels_are_refused(spied, run, monkeypatch):
    spy, drawn = spied
    before = tree_state(run)
    with pytest.raises(UserError, match="method was spy and is now svm_flow"):
        evaluate(SVM, drawn, run)
    with pytest.raises(UserError, match="the clips, their labels or frames differ"):
        evaluate(spy, [replace(drawn[0], label="surprise"), *drawn[1:]], run)
    assert tree_state(run) == before


@pytest.mark.parametrize("kind", ["other-files", "a-file", "below-a-file", "folds-without-record", "not-a-record"])
def test_a_folder_that_is_no_run_is_left_alone(spied, tmp_path, kind):
    out = tmp_path / "place"
    if kind == "other-files":
        out.mkdir()
        (out / "thesis.tex").write_text("precious")
    elif kind in ("a-file", "below-a-file"):
        out.write_text("precious")
    elif kind == "folds-without-record":
        (out / "folds").mkdir(parents=True)
        (out / "folds" / "d-s1.seed0.json").write_text("{}")
    else:
        out.mkdir()
        (out / "run.json").write_text('{"scripts": {}}')
    before = tree_state(tmp_path)
    with pytest.raises(UserError, match=r"place.*: "):
        evaluate(*spied, out / "run" if kind == "below-a-file" else out)
    assert tree_state(tmp_path) == before
    assert not Spy.log


@pytest.mark.parametrize("leftover", ["nothing", "empty-folds", "half-a-record", "controls"])
def test_what_a_kill_before_the_first_record_leaves_is_no_obstacle(spied, tmp_path, leftover):
    out = tmp_path / "run"
    out.mkdir()
    if leftover == "half-a-record":
        (out / ".run.json.77.part").write_text('{"meth')
    elif leftover != "nothing":
        (out / {"empty-folds": "folds"}.get(leftover, leftover)).mkdir()
    assert evaluate(*spied, out).complete


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [("dfrnet", {}, "lack apex, difference"), ("dfrnet", {"inputs": "flow", "fusion": "papr"}, "unknown fusion 'papr'"),
     ("dfrnet", {"inputs": "flow", "device": "gpu"}, "device=gpu")],
    ids=["a-map-that-is-not-there", "fusion", "device"],
)  # fmt: skip
def test_what_cannot_run_leaves_no_folder_that_the_mended_command_would_meet(
    maps_clips, tmp_path, method, changes, message
):
    chosen = METHODS[method]
    with pytest.raises(UserError, match=message):
        evaluate(chosen, maps_clips, tmp_path / "runs" / "one", settings=chosen.configured(changes=changes))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_within_a_fold_is_still_a_sentence(maps_clips, tmp_path, jobs):
    settings = SVM.configured(changes={"cells": "5"})
    with pytest.raises(UserError, match="cells=5 does not divide"):
        evaluate(SVM, maps_clips, tmp_path / "run", settings=settings, jobs=jobs)


def test_a_full_disk_is_a_sentence_and_leaves_no_half_file(spied, tmp_path, monkeypatch):
    spy, drawn = spied
    real, written = Path.write_bytes, []

    def full(self, data, *args, **kwargs):
        if len(written) == 3:  # the record and two folds fit
            real(self, data[: len(data) // 2], *args, **kwargs)
            raise OSError(28, "No space left on device")
        written.append(self)
        return real(self, data, *args, **kwargs)

    monkeypatch.setattr(Path, "write_bytes", full)
    out = tmp_path / "run"
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\); free some space"):
        evaluate(spy, drawn, out)
    left = sorted(p.name for p in out.rglob("*") if p.is_file())
    assert left == ["d-s0.seed0.json", "d-s1.seed0.json", "run.json"]
    monkeypatch.setattr(Path, "write_bytes", real)
    assert evaluate(spy, drawn, out).complete


def test_controls_stand_beside_the_run(clips, tmp_path):
    run = evaluate(METHODS["ststnet"], clips, tmp_path / "run", settings=METHODS["ststnet"].configured(
        changes={"epochs": "1"}))  # fmt: skip
    assert evaluate_controls(run.path, clips) == []
    for name in ("constant", "svm_flow"):
        control = load_run(run.path / "controls" / name)
        assert control.method == name
        assert control.complete
        assert {p.clip for p in control.predictions("fixed")} == {c.id for c in clips}
    constant = {p.label for p in load_run(run.path / "controls" / "constant").predictions("fixed")}
    assert constant == {"negative"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"protocol": "lozo"}, "unknown protocol 'lozo'; did you mean 'loso'"),
     ({"selection": "nestd"}, "unknown selection 'nestd'; did you mean 'nested'"),
     ({"classes": ("negative", "positive")}, "its label 'surprise' is none of the classes")],
    ids=["protocol", "selection", "classes"],
)  # fmt: skip
def test_wrong_words_are_sentences(spied, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        evaluate(*spied, tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_a_run_of_the_svm_has_one_row_under_any_selection(clips, tmp_path):
    run = evaluate(SVM, clips, tmp_path / "run", selection="audit")
    assert run.selections == ("fixed",)
    row = score_rows([run])[0]
    assert row.accuracy > 0.9  # the tree's classes differ in the place of their motion


def test_a_fold_file_is_whole_json_with_numbers_in_full(audited):
    path = next((audited.path / "folds").iterdir())
    raw = json.loads(path.read_text())
    assert set(raw) == {"fold", "seed", "clips", "probabilities", "epochs", "nested_epoch", "history", "seconds"}
    assert any(len(str(value)) > 12 for row in raw["probabilities"] for value in row)


def test_weights_are_recorded_by_name_and_contents_not_by_place(tmp_path):
    from safetensors.numpy import save_file

    from dfrnet.evaluation.identity import recorded

    (tmp_path / "here").mkdir()
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "here" / "w.safetensors")
    settings = DFRNET.configured(changes={**CHANGES, "weights": str(tmp_path / "here" / "w.safetensors")})
    said = recorded(settings)["weights"]
    assert said.startswith("w.safetensors (sha256 ")
    assert str(tmp_path) not in said
    (tmp_path / "here").rename(tmp_path / "there")
    moved = DFRNET.configured(changes={**CHANGES, "weights": str(tmp_path / "there" / "w.safetensors")})
    assert recorded(moved)["weights"] == said


def test_a_leak_is_an_audit_without_the_nested_row(audited, clips, tmp_path):
    run = evaluate(DFRNET, clips, tmp_path / "leak", settings=SETTINGS, data=["maps=x"], selection="leak", seeds=(0,))
    assert run.selections == ("fixed", "leaky")
    for selection in run.selections:
        assert run.predictions(selection) == [p for p in audited.predictions(selection) if p.seed == 0]
