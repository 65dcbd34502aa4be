import csv
import io
import json
import re

import pytest

from dfrnet.evaluation.metrics import uf1
from dfrnet.evaluation.records import load_run
from dfrnet.evaluation.scores import score_rows, with_controls
from dfrnet.evaluation.statistics import run_score, subject_confusions
from dfrnet.evaluation.tables import FORMATS, notes, render
from dfrnet.types import UserError


@pytest.fixture
def rows(run):
    return score_rows(with_controls([run]))


def test_rows_are_grouped_by_data_in_the_order_of_the_runs(rows):
    found = [(row.data, row.run, row.selection) for row in rows]
    group = [("constant", "fixed"), ("svm_flow", "fixed"), *(("my_run", s) for s in ("fixed", "nested", "leaky"))]
    assert found == [(data, *entry) for data in ("full", "casme2", "smic") for entry in group]


def test_scores_are_those_of_the_predictions(run, rows):
    row = next(r for r in rows if r.run == "my_run" and r.selection == "nested" and r.data == "smic")
    part = [p for p in run.predictions("nested") if p.dataset == "smic"]
    assert row.uf1 == run_score(subject_confusions(part, run.classes)[1], uf1)
    assert (row.n, row.subjects, row.seeds) == (11, 3, 2)
    assert sum(row.counts.values()) == row.n
    assert row.uf1_ci is not None
    assert row.uf1_ci[0] <= row.uf1 <= row.uf1_ci[1]
    assert not row.baseline


def test_selection_keeps_baselines(run):
    rows = score_rows(with_controls([run]), "nested")
    assert {(row.run, row.selection) for row in rows} == {
        ("constant", "fixed"), ("svm_flow", "fixed"), ("my_run", "nested")
    }  # fmt: skip
    assert [row.baseline for row in rows[:3]] == [True, True, False]


def test_unheld_selection(tmp_path, make_run):
    run = make_run(tmp_path / "r", selection="nested")
    with pytest.raises(UserError, match="holds no 'leaky' predictions"):
        score_rows([run], "leaky")


def test_one_data_set_has_only_full(tmp_path, make_run):
    run = make_run(tmp_path / "r", subjects=["smic/s01", "smic/s02"])
    assert {row.data for row in score_rows([run])} == {"full"}


def test_one_subject_has_no_interval(tmp_path, make_run):
    rows = score_rows([make_run(tmp_path / "r", subjects=["smic/s01"])])
    assert rows[0].uf1_ci is None
    for name in FORMATS:
        assert "nan" not in render(rows, name).lower()


def test_p_above_never_looks_at_a_leak(run, make_run, tmp_path):
    copy = make_run(tmp_path / "copy", seeds=(0, 1))  # the same predictions
    rows = [row for row in score_rows([run, copy]) if row.data == "full"]
    assert rows[0].p_above is None
    by_name = {(row.run, row.selection): row for row in rows}
    alone = {row.selection: row for row in score_rows([run], None) if row.data == "full"}
    # The copy's first row is measured against my_run's nested row: fixed against nested is nested against fixed.
    assert by_name["copy", "fixed"].p_above == pytest.approx(alone["nested"].p_above, abs=0.02)


def test_p_is_none_on_other_clips(tmp_path, make_run):
    short = make_run(tmp_path / "short", subjects=["smic/s01", "smic/s02"], epochs=0)
    long = make_run(tmp_path / "long", epochs=0)
    assert all(row.p_above is None for row in score_rows([long, short]) if row.run == "short")


def test_controls_once_and_only_where_they_are(run, tmp_path, make_run):
    other = make_run(tmp_path / "other")
    make_run(other.path / "controls" / "constant", method="constant", epochs=0, selection="fixed")
    assert [r.name for r in with_controls([run, other])] == ["constant", "svm_flow", "my_run", "other"]
    given = load_run(run.path / "controls" / "constant")
    assert [r.name for r in with_controls([given, run])] == ["svm_flow", "constant", "my_run"]
    bare = make_run(tmp_path / "bare")
    (bare.path / "controls" / "constant" / "folds").mkdir(parents=True)
    assert [r.name for r in with_controls([bare])] == ["bare"]
    assert any("No constant baseline" in line for line in notes(score_rows([bare])))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_labels_the_leak(rows, name):
    text = render(rows, name, 200)
    assert text.endswith("\n")
    lines = [line for line in text.splitlines() if "my" in line and "run" in line]
    if name == "json":
        return
    leaky = [line for line in lines if re.search(r"\bleaky\b", line)]
    assert len(leaky) == 3
    assert all("LEAKY: epoch chosen on the test subject" in line for line in leaky)


def test_json_contract(rows):
    value = json.loads(render(rows, "json"))
    assert list(value) == ["rows"]
    assert len(value["rows"]) == len(rows)
    first = value["rows"][0]
    assert list(first)[:5] == ["run", "method", "selection", "data", "n"]
    assert {"uf1", "uar", "accuracy", "uf1_ci", "uar_ci", "recalls", "p_above", "subjects", "seeds"} <= set(first)
    assert first["uf1"] == rows[0].uf1
    assert len(first["uf1_ci"]) == 2
    assert all(("LEAKY" in row["method"]) == row["leaky"] == (row["selection"] == "leaky") for row in value["rows"])


def test_csv_keeps_every_digit(rows):
    read = list(csv.DictReader(io.StringIO(render(rows, "csv"))))
    assert [float(row["uf1"]) for row in read] == [row.uf1 for row in rows]
    assert [float(row["uf1_low"]) for row in read] == [row.uf1_ci[0] for row in rows]
    assert float(read[0]["recall_surprise"]) == rows[0].recalls["surprise"]


@pytest.mark.parametrize("width", [20, 80, 120, 200])
def test_text_cuts_no_number(rows, width):
    text = render(rows, "text", width)
    assert "…" not in text
    for row in rows:
        assert f"{row.uf1:.4f}  [{row.uf1_ci[0]:.4f}, {row.uf1_ci[1]:.4f}]" in text
        assert f"{row.accuracy:.4f}" in text


def test_a_leak_is_never_marked_best(rows):
    markdown = render(rows, "markdown")
    assert "**" in markdown
    assert not any("**" in line for line in markdown.splitlines() if "LEAKY:" in line)
    assert not any("textbf" in line for line in render(rows, "latex").splitlines() if "LEAKY:" in line)


def test_latex_escapes(rows):
    latex = render(rows, "latex")
    assert "my\\_run" in latex
    assert "svm_flow" not in latex
    assert latex.count("\\toprule") == latex.count("\\bottomrule") == 1
    body = [line for line in latex.splitlines() if line.startswith("{}")]
    assert {line.count(" & ") for line in body} == {latex.splitlines()[3].count(" & ")}


@pytest.mark.parametrize("name", ["text", "markdown", "latex", "csv", "json"])
def test_incomplete_runs_are_marked(tmp_path, make_run, name):
    rows = score_rows([make_run(tmp_path / "r", missing=2)])
    text = re.sub(r"\s+", " ", render(rows, name, 200))
    assert "INCOMPLETE: 4 of 6 folds" in text
    if name in ("text", "markdown", "latex"):
        assert "r is incomplete, 4 of 6 folds" in text
        assert "**" not in text


def test_unknown_format(rows):
    with pytest.raises(UserError, match="text, markdown, latex, csv, json"):
        render(rows, "excel")


@pytest.mark.parametrize("name", FORMATS)
def test_no_rows(name):
    assert render([], name).endswith("\n")


def test_p_is_against_the_nearest_row_with_the_same_clips(tmp_path, make_run):
    first = make_run(tmp_path / "first", method="svm_flow", epochs=0, selection="fixed")
    other = make_run(tmp_path / "other", epochs=0, selection="fixed", subjects=("casme2/sub01", "smic/s01"))
    second = make_run(tmp_path / "second", skill=3.0, epochs=0, selection="fixed")
    full = [row for row in score_rows([first, other, second]) if row.data == "full"]
    assert [row.p_above is None for row in full] == [True, True, False]


def test_the_confusion_adds_up_to_the_clips(run):
    for row in score_rows([run]):
        assert sum(map(sum, row.confusion)) == pytest.approx(row.n)
        assert [sum(line) for line in row.confusion] == pytest.approx(list(row.counts.values()))


def test_an_unknown_selection_is_refused_even_where_every_run_has_one_row(tmp_path, make_run):
    with pytest.raises(UserError, match="did you mean 'nested'"):
        score_rows([make_run(tmp_path / "one", epochs=0, selection="fixed")], "nestde")


def test_a_copy_of_a_fold_file_is_named(run):
    original = next((run.path / "folds").glob("*.json"))
    (run.path / "folds" / "copy.json").write_bytes(original.read_bytes())
    with pytest.raises(UserError, match="two files hold fold"):
        load_run(run.path)
