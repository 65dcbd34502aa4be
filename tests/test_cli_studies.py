"""``dfrnet study`` and ``table`` of kept runs: what a user types, and one sentence for every mistake."""

import csv
import json
from pathlib import Path

import pytest

from dfrnet.evaluation.records import load_run
from trees import write_maps

RESULTS = Path(__file__).parent.parent / "results"
KEPT = sorted(path.parent for path in RESULTS.glob("*/*/run.json"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_maps(tmp_path_factory.mktemp("data") / "htnet")


def test_a_study_from_command_to_files(dfrnet, root, tmp_path):
    out = tmp_path / "out"
    words = ("study", "comparison", "--data", f"maps={root}", "--only", "svm_flow", "--only", "constant", "--jobs", 1,
             "--out", out, "--cache", tmp_path / "cache")  # fmt: skip
    done = dfrnet(*words, "--format", "csv")
    assert done.status == 0
    rows = list(csv.DictReader((out / "comparison" / "scores.csv").open(newline="")))
    assert [row["row"] for row in rows] == ["svm_flow", "constant"]
    assert (out / "comparison" / "report.html").exists()
    assert json.loads((out / "comparison" / "cost.json").read_text())["rows"][0]["row"] == "svm_flow"
    again = dfrnet(*words, "--set", "svm_flow.cells=4")
    assert (again.status, "cells was 7 and is now 4" in again.err) == (1, True)
    table = dfrnet("table", out / "runs", "--format", "json")
    assert {row["method"] for row in json.loads(table.out)["rows"]} == {"svm_flow", "constant"}


def test_nothing_that_can_run_is_a_failure_with_its_reason(dfrnet, root, tmp_path):
    done = dfrnet("study", "fusion", "--data", f"maps={root}", "--out", tmp_path / "out", "--jobs", 1)
    assert done.status == 1
    assert "needs frames" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("comparision",), "unknown study 'comparision'; did you mean 'comparison'"),
        (("depth",), "no data given; add --data NAME=ROOT"),
        (("depth", "--data", "synthetic", "--selection", "best"), "unknown selection 'best'"),
        (("depth", "--data", "synthetic", "--only", "svm_flo"), "unknown row 'svm_flo'; did you mean 'svm_flow'"),
        (("depth", "--data", "synthetic", "--set", "epochs=abc"), "--set epochs=abc: that is not a whole number"),
        (("depth", "--data", "synthetic", "--set", "epoch=3"), "unknown setting of any method 'epoch'"),
        (("depth", "--data", "synthetic", "--set", "htnet.seeds=0"), "not a whole number above 0"),
        (("depth", "--data", "synthetic", "--set", "htnet.selection=x"), "unknown selection 'x'"),
        (("depth", "--data", "synthetic", "--set", "htnt.epochs=3"), "unknown method 'htnt'; did you mean 'htnet'"),
        (("depth", "--data", "synthetic", "--format", "word"), "unknown format 'word'"),
        (("depth", "--data", "synthetic", "--engine", "rey"), "unknown engine 'rey'; did you mean 'ray'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_a_sentence(dfrnet, words, message):
    done = dfrnet("study", *words)
    assert done.status == 1
    assert message in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("path", KEPT, ids=lambda path: "-".join(path.parts[-2:]))
def test_every_kept_result_is_a_complete_run(path):
    run = load_run(path)
    assert run.complete
    assert run.name.startswith(run.method)
    assert len({p.clip for p in run.predictions(run.selections[0])}) == run.config["clips"]


def test_the_kept_results_are_one_table(dfrnet):
    assert KEPT
    done = dfrnet("table", *sorted(RESULTS.iterdir()), "--format", "json")
    assert done.status == 0
    rows = json.loads(done.out)["rows"]
    assert {row["run"] for row in rows} == {path.name for path in KEPT}
    assert "passed over" in done.err


def test_no_run_anywhere_is_a_sentence(dfrnet, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    done = dfrnet("table", tmp_path / "a", tmp_path / "b")
    assert (done.status, "no run is there, nor in the others" in done.err) == (1, True)
