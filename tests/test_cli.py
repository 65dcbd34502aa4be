"""The command line: what each command prints, and one sentence for every mistake."""

import csv
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from dfrnet import __version__, cli
from dfrnet.datasets import released_maps
from dfrnet.evaluation.records import load_run
from dfrnet.evaluation.tables import FORMATS
from dfrnet.methods import METHODS
from trees import tree_state, write_maps, write_png

COMMANDS = [
    command.name or command.callback.__name__
    for group in cli.app.registered_groups
    for command in group.typer_instance.registered_commands
]
TINY = ["--set", "inputs=flow", "--set", "widths=4,6,8", "--set", "epochs=2", "--jobs", "1"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_maps(tmp_path_factory.mktemp("data") / "htnet")


@pytest.fixture(scope="module")
def run(tmp_path_factory, root):
    """A finished audit with its controls, made through the command line."""
    from dfrnet.datasets import load
    from dfrnet.evaluation.run import evaluate, evaluate_controls

    out = tmp_path_factory.mktemp("runs") / "tiny"
    settings = METHODS["dfrnet"].configured(changes={"inputs": "flow", "widths": "4,6,8", "epochs": "2"})
    clips = load([f"maps={root}"]).clips
    evaluate(METHODS["dfrnet"], clips, out, settings=settings, data=["maps"], selection="audit")
    evaluate_controls(out, clips, data=["maps"])
    return out


def test_python_dash_m_reports_version_help_and_mistakes(python):
    """The real program, from a source tree."""
    assert python("-m", "dfrnet", "--version").stdout == f"dfrnet {__version__}\n"
    wrong = python("-m", "dfrnet", "evaluate", "dfrnte", "--data", "synthetic")
    assert wrong.returncode == 1
    assert wrong.stdout == ""
    assert wrong.stderr.startswith("dfrnet: unknown method 'dfrnte'; did you mean 'dfrnet'? known: ")
    assert wrong.stderr.count("\n") == 1


def test_a_second_demo_says_that_it_shows_the_first(dfrnet, monkeypatch, tmp_path):
    from dfrnet.evaluation import demo

    monkeypatch.setattr(demo, "SUBJECTS", 3)
    monkeypatch.setattr(demo, "CLIPS_PER_SUBJECT", 4)
    monkeypatch.setattr(demo, "SETTINGS", demo.SETTINGS | {"widths": "4,6,8", "epochs": "2", "frame_size": "64"})
    first = dfrnet("demo", "--out", "out", "--jobs", 1)
    assert first.out.startswith("Drawing faces, ")
    again = dfrnet("demo", "--out", "out", "--jobs", 1)
    told, _, table = again.out.partition("\n")
    assert told == "out: run before, and shown again; remove the folder or name another --out to run it anew"
    assert table == first.out.partition("\n")[2]
    next((tmp_path / "out" / "folds").iterdir()).unlink()
    cut = dfrnet("demo", "--out", "out", "--jobs", 1)
    assert cut.out.startswith("out: begun before, with 2 of 3 folds done; going on with the others ...\n")
    assert cut.out.partition("\n")[2] == table


def test_evaluate_end_to_end_as_a_program(python, root, tmp_path):
    done = python(
        "-m", "dfrnet", "evaluate", "svm_flow", "--data", f"maps={root}", "--out", "runs/svm", "--jobs", 1, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "svm_flow" in done.stdout
    assert "constant" in done.stdout
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr  # no colours, no bar: this is no terminal
    assert load_run(tmp_path / "runs" / "svm").complete
    assert (tmp_path / "runs" / "svm" / "report.html").is_file()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["runs"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(dfrnet, command):
    answer = dfrnet(command, "--help")
    assert answer.status == 0
    assert re.search(rf"Example:\s+dfrnet {command}", answer.out)
    if command in ("evaluate", "train", "cost"):
        words = " ".join(answer.out.split())
        assert all(name in words for name in METHODS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_says_what_every_word_means_and_what_holds_without_it(dfrnet, command):
    """Brackets in the words of a help are taken for a style and not shown; so a default has a place of its own."""
    import typer

    without = {"--data", "--set", "--only", "--to", "--run", "--accuracy", "--report", "--spotting", "--fps", "--as"}
    # Without them nothing of the kind is done or known.
    without |= {"--videos", "--compat", "--purpose", "--audit", "--tolerance"}
    parameters = typer.main.get_command(cli.app).commands[command].params
    assert "[[" not in dfrnet(command, "--help").out
    for one in parameters:
        assert one.help, one.name
        assert "[" not in one.help, one.name
        optional = not one.required and one.param_type_name == "option" and not getattr(one, "is_flag", False)
        if optional and not without & set(one.opts) and command != "score-weights":
            assert one.show_default, one.opts
            assert isinstance(one.show_default, str) or one.default not in (None, ""), one.opts


def test_the_commands_of_the_design():
    assert {"demo", "extract", "evaluate", "table", "compare", "study", "score", "train", "cost"} <= set(COMMANDS)


def test_top_level_help_lists_the_commands(dfrnet):
    answer = dfrnet("--help")
    assert answer.status == 0
    assert all(command in answer.out for command in COMMANDS)


def test_examples_in_the_help_name_options_that_exist(dfrnet):
    for command in COMMANDS:
        text = dfrnet(command, "--help").out
        example = text.partition("Example:")[2].partition("╭")[0]
        for option in re.findall(r"--[a-z-]+", example):
            assert text.count(option) > 1


def test_evaluate_prints_the_table_with_both_controls(dfrnet, root):
    answer = dfrnet("evaluate", "dfrnet", "--data", f"maps={root}", "--selection", "audit", *TINY)
    assert answer.status == 0, answer.err
    for word in ("dfrnet", "svm_flow", "constant", "LEAKY", "nested", "fixed"):
        assert word in answer.out
    assert Path("runs/dfrnet/report.html").is_file()
    assert "runs/dfrnet/report.html" in answer.err


def test_evaluate_without_controls(dfrnet, root):
    answer = dfrnet("evaluate", "svm_flow", "--data", f"maps={root}", "--out", "x", "--no-controls", "--jobs", "1")
    assert answer.status == 0
    assert not Path("x/controls").exists()


def test_seeds_count_from_the_seed(dfrnet, root):
    dfrnet("evaluate", "constant", "--data", f"maps={root}", "--out", "x", "--seed", "5", "--seeds", "2", "--jobs", "1")
    assert load_run(Path("x")).seeds == (5, 6)


def test_table_as_json_keeps_its_contract(dfrnet, run):
    answer = dfrnet("table", run, "--format", "json")
    assert answer.status == 0
    rows = json.loads(answer.out)["rows"]
    assert {row["data"] for row in rows} == {"full", "casme2", "smic", "samm"}
    for row in rows:
        assert {"run", "method", "data", "n", "uf1", "uar", "uf1_ci", "uar_ci", "selection", "leaky"} <= set(row)
        assert 0 <= row["uf1"] <= 1
    full = {(row["run"], row["selection"]): row for row in rows if row["data"] == "full"}
    assert set(full) == {("constant", "fixed"), ("svm_flow", "fixed"),
                         ("tiny", "fixed"), ("tiny", "nested"), ("tiny", "leaky")}  # fmt: skip
    assert all(row["n"] == 18 for row in full.values())
    assert "LEAKY" in full["tiny", "leaky"]["method"]
    low, high = full["tiny", "fixed"]["uf1_ci"]
    assert low <= full["tiny", "fixed"]["uf1"] <= high


@pytest.mark.parametrize("form", list(FORMATS))
def test_table_in_every_format(dfrnet, run, form):
    answer = dfrnet("table", run, "--format", form)
    assert answer.status == 0
    assert answer.err == ""
    assert "svm" in answer.out


def test_table_of_one_selection_and_a_report(dfrnet, run, tmp_path):
    answer = dfrnet("table", run, "--selection", "nested", "--no-controls", "--format", "csv", "--report", "r.html")
    rows = list(csv.DictReader(answer.out.splitlines()))
    assert {row["selection"] for row in rows} == {"nested"}
    assert Path("r.html").is_file()


def test_score_of_a_runs_own_predictions_is_the_tables(dfrnet, run):
    scored = json.loads(dfrnet("score", run / "predictions.csv", "--format", "json").out)["rows"]
    rows = json.loads(dfrnet("table", run, "--format", "json", "--no-controls").out)["rows"]
    assert {row["selection"] for row in scored} == {"fixed", "nested", "leaky"}
    for one, other in zip(scored, rows, strict=True):
        assert (one["data"], one["selection"], one["leaky"]) == (other["data"], other["selection"], other["leaky"])
        assert one["uf1"] == pytest.approx(other["uf1"])
        assert one["uar"] == pytest.approx(other["uar"])


def test_score_takes_a_class_list(dfrnet):
    Path("p.csv").write_text("truth,prediction\na,a\nb,b\n")
    assert json.loads(dfrnet("score", "p.csv", "--format", "json").out)["rows"][0]["uf1"] == 1
    three = json.loads(dfrnet("score", "p.csv", "--format", "json", "--classes", "a,b,c").out)
    assert three["rows"][0]["uf1"] == pytest.approx(2 / 3)


def test_compare(dfrnet, run):
    answer = dfrnet("compare", run, run / "controls" / "constant")
    assert answer.status == 0
    for word in ("UF1", "UAR", "18 clips, 6 subjects", "bootstrap", "permutation", "t-test"):
        assert word in answer.out
    found = json.loads(dfrnet("compare", run, run / "controls" / "svm_flow", "--format", "json").out)
    assert (found["a"], found["b"], found["n"]) == ("tiny", "svm_flow", 18)
    assert found["uf1"]["value"] == pytest.approx(found["uf1"]["a"] - found["uf1"]["b"])


def test_cost_as_json(dfrnet):
    answer = dfrnet("cost", "ststnet", "svm_flow", "--format", "json", "--repeats", "2")
    ststnet, svm = json.loads(answer.out)["rows"]
    assert (ststnet["method"], ststnet["parameters"], ststnet["input"]) == ("ststnet", 1683, [3, 28, 28])
    assert ststnet["flops"] >= 2 * 16 * 27 * 30 * 30 + 2 * 400 * 3
    assert set(ststnet["latency_ms"]) == {"1", "2"}
    for times in ststnet["latency_ms"].values():
        assert 0 < times["p50"] <= times["p95"]
    assert (svm["parameters"], svm["flops"]) == (None, None)
    assert set(svm["latency_ms"]) == {"1"}


def test_cost_of_changed_settings(dfrnet):
    words = ["--set", "inputs=flow", "--set", "size=28", "--set", "widths=8,8,8", "--repeats", "1"]
    row = json.loads(dfrnet("cost", "dfrnet", *words, "--format", "json").out)["rows"][0]
    assert row["input"] == [3, 28, 28]
    assert row["parameters"] < 10_000
    assert "dfrnet" in dfrnet("cost", "dfrnet", *words).out


def test_train_writes_a_model(dfrnet, root):
    from dfrnet.recognizer import load

    answer = dfrnet("train", "dfrnet", "--data", f"maps={root}", "--out", "models/m.safetensors", *TINY)
    assert answer.status == 0, answer.err
    assert "18 clips of 6 subjects" in answer.err
    assert load(Path("models/m.safetensors")).trained_on["clips"] == 18


EVALUATE = "evaluate dfrnet --data synthetic"
WRONG_WORDS = {
    "unknown-method": ("evaluate svm_flw --data synthetic", "unknown method 'svm_flw'; did you mean 'svm_flow'"),
    "unknown-data-set": ("evaluate svm_flow --data synthetc", "data set 'synthetc'; did you mean 'synthetic'"),
    "unknown-difficulty": ("evaluate svm_flow --data synthetic=hrd", "'hrd'; did you mean 'hard'"),
    "data-without-place": ("evaluate svm_flow --data maps", "Write --data maps=FOLDER"),
    "missing-folder": ("evaluate svm_flow --data maps=/nowhere/at/all", "/nowhere/at/all/.*no such sheet"),
    "unknown-setting": (f"{EVALUATE} --set fusoin=add", "setting of dfrnet 'fusoin'; did you mean 'fusion'"),
    "setting-of-wrong-type": (f"{EVALUATE} --set epochs=ten", "--set epochs=ten: that is not a whole number"),
    "setting-without-value": (f"{EVALUATE} --set epochs", "write it as --set name=value"),
    "unknown-preset": (f"{EVALUATE} --preset papr", "did you mean 'paper'"),
    "unknown-protocol": (f"{EVALUATE} --protocol losso", "did you mean 'loso'"),
    "no-run": ("table /nowhere/run", "/nowhere/run/run.json: no such file; is this the folder of a run"),
    "no-predictions-file": ("score /nowhere/p.csv", "/nowhere/p.csv: cannot be read"),
    "cost-of-unknown-method": ("cost dfrnt", "unknown method 'dfrnt'; did you mean 'dfrnet'"),
    "train-no-network": ("train constant --data synthetic --out m", "constant: only networks"),
}


@pytest.mark.parametrize("case", WRONG_WORDS)
def test_a_mistake_is_one_sentence(dfrnet, tmp_path, case):
    words, message = WRONG_WORDS[case]
    assert re.search(message, dfrnet(*words.split()).sentence())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [[], ["evaluate"], ["evaluate", "dfrnet"], ["evalute", "dfrnet"], ["table"],
     ["evaluate", "dfrnet", "--jobs", "two"],
     ["evaluate", "dfrnet", "--data", "synthetic", "--seeds", "0"], ["compare", "one"],
     ["evaluate", "dfrnet", "--data", "synthetic", "--out", "a", "--speed", "9"]],
    ids=lambda words: " ".join(words) or "nothing",
)  # fmt: skip
def test_wrong_usage_is_status_2_without_a_traceback(dfrnet, tmp_path, words):
    answer = dfrnet(*words)
    assert answer.status == 2
    assert "Usage" in answer.out + answer.err
    assert "Traceback" not in answer.err
    assert not list(tmp_path.iterdir())


def test_an_unknown_word_for_an_option_offers_the_closest(dfrnet, tmp_path):
    (tmp_path / "a.csv").write_text("truth,prediction\nx,x\n")
    assert "text, markdown, latex, csv, json" in dfrnet("score", "a.csv", "--format", "xml").sentence()
    said = dfrnet("evaluate", "constant", "--data", "synthetic", "--selection", "nestd").sentence()
    assert "unknown selection 'nestd'; did you mean 'nested'?" in said


def test_a_model_that_cannot_be_written_is_said_before_the_training(dfrnet, tmp_path):
    (tmp_path / "models").mkdir()
    said = dfrnet("train", "dfrnet", "--data", "synthetic", "--out", "models").sentence()
    assert "models: a folder; name a file" in said


def test_a_map_that_does_not_decode(dfrnet, tmp_path):
    root = write_maps(tmp_path / "data")
    (root / released_maps.FLOW_FOLDER / "006_006_1_2 .png").write_bytes(b"\x89PNG broken")
    answer = dfrnet("evaluate", "svm_flow", "--data", f"maps={root}", "--out", "run", "--jobs", "1")
    assert answer.status == 0
    left_out = load_run(Path("run")).config["left_out"]
    assert list(left_out) == ["samm/006/006_1_2"]
    assert re.search(r"006_006_1_2 \.png: ", left_out["samm/006/006_1_2"])
    assert "1 clip is left out" in answer.err
    again = dfrnet("evaluate", "svm_flow", "--data", f"maps={root}", "--out", "run", "--jobs", "1")
    assert (again.status, again.out) == (0, answer.out)


def test_a_missing_map_and_a_missing_column(dfrnet, tmp_path):
    root = write_maps(tmp_path / "data")
    words = ("evaluate", "svm_flow", "--data", f"maps={root}", "--out", "run")
    (root / released_maps.FLOW_FOLDER / "006_006_1_2 .png").unlink()
    assert "row 14: no map for clip 006_1_2 of 006" in dfrnet(*words).sentence()
    sheet = root / released_maps.SHEET
    sheet.write_text(sheet.read_text().replace("label", "class", 1))
    assert "column label is missing" in dfrnet(*words).sentence()
    assert not Path("run").exists()


def test_a_method_that_needs_maps_which_are_not_there(dfrnet, root):
    words = ["evaluate", "dfrnet", "--data", f"maps={root}", "--out", "run"]
    said = dfrnet(*words, "--jobs", "1").sentence()
    assert "lack apex, difference" in said
    assert "--set inputs=flow" in said
    assert dfrnet(*words, *TINY).status == 0  # the remedy works, in the same folder


def test_another_configuration_changes_nothing(dfrnet, run, root):
    before = tree_state(run)
    said = dfrnet("evaluate", "dfrnet", "--data", f"maps={root}", "--selection", "audit", *TINY, "--set", "epochs=3",
                  "--out", run).sentence()  # fmt: skip
    assert re.search("tiny: holds a run of another configuration.*epochs was 2 and is now 3", said)
    assert tree_state(run) == before


def test_a_folder_that_is_no_run_stays_as_it_is(dfrnet, root, tmp_path):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter1.tex").write_text("precious")
    said = dfrnet("evaluate", "constant", "--data", f"maps={root}", "--out", folder).sentence()
    assert "thesis: exists and is not the folder of a run" in said
    assert [p.name for p in folder.iterdir()] == ["chapter1.tex"]
    assert "is this the folder of a run?" in dfrnet("table", folder).sentence()


def test_a_run_without_a_finished_fold(dfrnet, run, tmp_path):
    (tmp_path / "new" / "folds").mkdir(parents=True)
    (tmp_path / "new" / "run.json").write_bytes((run / "run.json").read_bytes())
    assert "no fold is finished yet" in dfrnet("table", "new").sentence()


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", '{"name": "an npm package"}'], ids=["empty", "cut", "list", "other"]
)
def test_a_record_that_is_none(dfrnet, tmp_path, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(content)
    assert re.search(r"run/run\.json: (damaged|not the record of a run)", dfrnet("table", "run").sentence())


def test_a_predictions_file_without_a_column(dfrnet):
    Path("p.csv").write_text("truth,predicted\n1,1\n")
    assert dfrnet("score", "p.csv").sentence() == (
        "p.csv: no column 'prediction' among 'truth', 'predicted'; is it 'predicted'? Rename it"
    )


def test_runs_on_other_clips_are_not_compared(dfrnet, run, tmp_path):
    other = write_maps(tmp_path / "other", subjects=(("casme2", "sub01"), ("casme2", "sub02")))
    assert dfrnet("evaluate", "constant", "--data", f"maps={other}", "--out", "c", "--jobs", "1").status == 0
    assert "clip" in dfrnet("compare", run, "c").sentence()


def test_leaky_rows_are_not_compared(dfrnet, run):
    said = dfrnet("compare", run, run / "controls" / "svm_flow", "--selection", "leaky").sentence()
    assert "leaky rows are no result" in said


def test_an_unknown_selection_of_a_table(dfrnet, run):
    assert "unknown selection 'best'; did you mean 'nested'" in dfrnet("table", run, "--selection", "best").sentence()


def test_one_subject_is_too_few(dfrnet, tmp_path):
    root = write_maps(tmp_path / "data", subjects=(("casme2", "sub01"),))
    assert "at least two subjects" in dfrnet("evaluate", "constant", "--data", f"maps={root}").sentence()


def test_a_model_file_below_a_file(dfrnet, root):
    Path("file").write_text("precious")
    said = dfrnet("train", "dfrnet", "--data", f"maps={root}", "--out", "file/m", *TINY).sentence()
    assert "file/m: cannot be written" in said


def test_a_missing_optional_package_names_its_extra(dfrnet, root, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "dfrnet.training.classifier", raising=False)
    said = dfrnet("evaluate", "dfrnet", "--data", f"maps={root}", *TINY).sentence()
    assert said == "this needs torch; install it with: pip install 'dfrnet[train]'"


def test_the_grey_picture_of_a_clone(dfrnet, tmp_path):
    root = write_maps(tmp_path / "data")
    write_png(root / released_maps.FLOW_FOLDER / "006_006_1_2 .png", np.zeros((28, 28), np.uint8))
    assert dfrnet("evaluate", "svm_flow", "--data", f"maps={root}", "--jobs", "1").status == 0
    assert "it is grey" in load_run(Path("runs/svm_flow")).config["left_out"]["samm/006/006_1_2"]
