"""The commands that look after data, on fake archives in the true layout: check, extract, evaluate, study."""

import csv
import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import archive_faults
import archive_rows
import archives
from dfrnet.datasets import load
from dfrnet.datasets.labels import official
from dfrnet.evaluation import studies
from dfrnet.evaluation.records import load_run
from dfrnet.parallel import ENGINES
from trees import child_environment


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Small CASME II, SAMM and SMIC in one folder, all unharmed, of clips on the official list."""
    root = tmp_path_factory.mktemp("archives")
    for name, write in (
        ("casme2", archives.write_casme2), ("samm", archives.write_samm), ("smic", archives.write_smic),
    ):  # fmt: skip
        rows = [row for row in archive_rows.full_rows(name) if row.id in official()]
        write(root / name, rows=rows[:: max(1, len(rows) // 8)][:8])
    return root


@pytest.fixture
def call(dfrnet):
    """``call("extract", ...)`` as from a shell in an empty folder -> (status, out, err)."""

    def run(*words):
        answer = dfrnet(*words)
        assert "Traceback" not in answer.err
        return answer.status, answer.out, answer.err

    return run


def answers(run):
    return {(p.seed, p.clip) for p in run.predictions("fixed")}


def sources(root):
    return [word for name in ("casme2", "samm", "smic") for word in ("--data", f"{name}={root / name}")]


def test_check_exits_0_on_a_whole_archive_and_1_on_a_damaged_one(call, three, tmp_path):
    status, out, _ = call("data", "check", "samm", three / "samm", "--jobs", 1)
    assert (status, "every annotated clip can be used" in out) == (0, True)
    written = archives.write_casme2(tmp_path / "casme2", clips=3)
    written.files(written.ids[0])[written.rows[0].onset].write_bytes(b"")
    status, out, _ = call("data", "check", "casme2", written.root, "--format", "json", "--jobs", 1)
    assert status == 1
    (report,) = json.loads(out)["reports"]
    assert [(f["kind"], f["clip"]) for f in report["findings"]] == [("undecodable", written.ids[0])]


def test_check_of_the_composite_reports_each_part(call, three):
    status, out, _ = call("data", "check", "megc2019", three, "--format", "json", "--jobs", 1)
    assert status == 0
    assert [report["data"] for report in json.loads(out)["reports"]] == ["casme2", "samm", "smic"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("data", "check", "casme22", "."), "did you mean 'casme2'"),
        (("data", "check", "casme2", "nowhere"), "nowhere: no such folder"),
        (("data", "check", "casme2", ".", "--format", "yaml"), "text or json"),
        (("extract", "--data", "casme2=nowhere"), "nowhere: no such folder"),
        (("extract", "--data", "casme2"), "where is it"),
        (("extract", "--data", "synthetic", "--as", "released-maps"), "go together"),
        (("extract", "out", "--data", "synthetic"), "go together"),
        (("extract", "--data", "synthetic", "--set", "sise=28"), "did you mean 'size'"),
        (("extract", "--data", "synthetic", "--classes", "thre"), "did you mean 'three'"),
        (("extract", "--data", "synthetic", "--engine", "rey"), "unknown engine 'rey'; did you mean 'ray'"),
        (("study", "apexx"), "did you mean 'apex'"),
    ],
)
def test_a_mistake_is_one_sentence(call, words, sentence):
    status, out, err = call(*words)
    assert (status, out) == (1, "")
    assert sentence in err
    assert len([line for line in err.splitlines() if not line.startswith("note: ")]) == 1


def test_extract_then_evaluate_from_the_cache(call, three):
    status, out, _ = call("extract", *sources(three), "--jobs", 1)
    assert (status, "features of 24 clips extracted, of 0 there already" in out) == (0, True)
    entries = {path: path.stat().st_mtime_ns for path in Path("runs/features").rglob("*.safetensors")}
    assert len(entries) == 24
    assert "of 0 clips extracted, of 24 there already" in call("extract", *sources(three), "--jobs", 1)[1]
    status, out, _ = call("evaluate", "svm_flow", *sources(three), "--out", "runs/svm", "--jobs", 1)
    assert status == 0
    assert {path: path.stat().st_mtime_ns for path in Path("runs/features").rglob("*.safetensors")} == entries
    run = load_run(Path("runs/svm"))
    assert (run.config["clips"], run.config["data"]) == (24, ["casme2", "samm", "smic"])
    answered = {clip for seed, clip in answers(run)}
    assert run.config["errata"] == []
    assert set(run.config["left_out"]) == set(official()) - answered  # the rest of the official list is named
    status, _, _ = call("evaluate", "svm_flow", "--data", f"megc2019={three}", "--out", "runs/all", "--jobs", 1)
    assert status == 0
    assert load_run(Path("runs/all")).config["clips_sha256"] == run.config["clips_sha256"]


def test_a_damaged_clip_is_named_left_out_of_every_row_and_recorded(call, tmp_path):
    written = archives.write_casme2(tmp_path / "casme2", clips=9)
    damaged = written.files(written.ids[4])[written.rows[4].apex]
    damaged.write_bytes(damaged.read_bytes()[:-100])
    words = (
        "evaluate",
        "svm_flow",
        "--data",
        f"casme2={written.root}",
        "--classes",
        "five",
        "--out",
        "run",
        "--jobs",
        1,
    )
    status, _, err = call(*words)
    assert (status, "1 clip is left out" in err) == (0, True)
    run = load_run(Path("run"))
    why = run.config["left_out"][written.ids[4]]
    assert str(damaged.relative_to(written.root)) in why
    assert str(written.root) not in why  # where data lie on somebody's disk is nobody's business
    assert run.config["classes"] == ["disgust", "happiness", "repression", "surprise", "others"]
    assert load_run(Path("run/controls/constant")).config["clips_sha256"] == run.config["clips_sha256"]
    assert call(*words)[0] == 0  # and goes on as it is


def test_errata_are_in_the_record_and_a_run_without_them_is_another(call, tmp_path):
    rows = [archive_rows.make_row("smic", str(k), f"s{k}_ne_01", "negative", 100, 104, 108) for k in (1, 2, 3)]
    rows.append(archive_rows.make_row("smic", "18", "s18_sur_03", "negative", 200, 204, 208))
    archives.write_smic(tmp_path / "smic", rows=rows, trees=("long",), cheap=True)
    words = ("evaluate", "svm_flow", "--data", f"smic={tmp_path / 'smic'}", "--classes", "five", "--out", "run")
    words += ("--set", "align=none", "--no-controls", "--jobs", 1)
    assert call(*words)[0] == 0
    assert load_run(Path("run")).config["errata"] == ["smic/s18/s18_sur_03: emotion negative -> surprise"]
    status, _, err = call(*words, "--no-errata")
    assert (status, "errata was" in err) == (1, True)


def test_maps_for_other_peoples_code_are_read_back(call, three):
    status, out, _ = call("extract", *sources(three), "--as", "released-maps", "maps", "--jobs", 1)
    assert (status, "maps of 24 clips" in out) == (0, True)
    frames = {clip.id: clip.label for clip in load([word for word in sources(three) if word != "--data"]).clips}
    assert {clip.id: clip.label for clip in load(["maps=maps"]).clips} == frames
    status, out, _ = call("evaluate", "svm_flow", "--data", "maps=maps", "--jobs", 1)
    assert status == 0
    status, _, err = call("extract", *sources(three), "--as", "released-maps", "maps")
    assert (status, "maps: " in err) == (1, True)


@pytest.mark.parametrize("layout", [(), ("--as", "released-maps", "maps")])
@pytest.mark.parametrize("jobs", [0, 3])
def test_extraction_works_on_the_engine_that_was_chosen(call, tmp_path, monkeypatch, layout, jobs):
    """All clips, with as many jobs as were asked for; 0 is the engine's to say."""
    begun, done = [], []

    @contextmanager
    def noted(jobs, address):
        def work(function, items, jobs, ordered):
            for item in items:
                done.append((jobs, item[1].id))
                yield function(item)

        begun.append((jobs, address))
        yield work

    monkeypatch.setitem(ENGINES, "noted", noted)
    root = archives.write_casme2(tmp_path / "casme2", clips=3).root
    clips = [clip.id for clip in load([f"casme2={root}"]).clips]
    assert clips
    words = ("--data", f"casme2={root}", *layout, "--jobs", jobs, "--engine", "noted")
    status, out, _ = call("extract", *words)
    assert (status, f"of {len(clips)} clips" in out) == (0, True)
    assert (begun, done) == ([(jobs, None)], [(jobs, clip) for clip in clips])


def test_a_killed_extraction_goes_on(three, tmp_path):
    words = [sys.executable, "-m", "dfrnet", "extract", *sources(three), "--jobs", "1", "--method", "dfrnet"]
    child = subprocess.Popen(words, cwd=tmp_path, env=child_environment(), stderr=subprocess.DEVNULL)
    folder = tmp_path / "runs" / "features"
    for _ in range(600):
        if len(list(folder.rglob("*.safetensors"))) >= 3 or child.poll() is not None:
            break
        time.sleep(0.02)
    child.kill()
    child.wait()
    kept = {path: path.read_bytes() for path in folder.rglob("*.safetensors")}
    done = subprocess.run(words, cwd=tmp_path, env=child_environment(), capture_output=True, text=True, check=True)
    assert f"of {len(kept)} there already" in done.stdout
    assert {path: path.read_bytes() for path in kept} == kept
    assert len(list(folder.rglob("*.safetensors"))) == 24


def test_the_apex_study_prints_its_contract(call, three, monkeypatch):
    few = partial(studies.study_clips, every=72)  # the usual 144 drawn clips take a minute
    monkeypatch.setattr(studies, "study_clips", few)
    status, out, _ = call("study", "apex", "--data", f"casme2={three / 'casme2'}", "--format", "json", "--jobs", 1)
    assert status == 0
    rows = json.loads(out)["rows"]
    assert {path.suffix for path in Path("runs/study/apex").iterdir()} == {
        ".txt", ".md", ".tex", ".csv", ".json", ".html", ".png"
    }  # fmt: skip
    assert {row["data"]: row["n"] for row in rows} == {"casme2": 8, "synthetic": 4, "synthetic_timed": 4}
    assert {"flow_prior", "dc_rois", "max_difference", "middle"} <= {row["method"] for row in rows}
    assert all({"method", "data", "n", "mae_frames", "median_frames", "mae_ms"} <= set(row) for row in rows)


def test_a_table_of_a_run_on_archives_has_a_row_for_each_set(call, three):
    call("evaluate", "constant", *sources(three), "--out", "run", "--jobs", 1, "--no-controls")
    status, out, _ = call("table", "run", "--format", "csv")
    assert status == 0
    assert {row["data"] for row in csv.DictReader(out.splitlines())} == {"full", "casme2", "samm", "smic"}


def test_a_run_does_not_go_on_with_other_frames_of_the_same_clips(call, tmp_path):
    written = archives.write_casme2(tmp_path / "casme2", clips=9, trees=["selected", "cropped"])
    words = ("evaluate", "svm_flow", "--classes", "five", "--no-controls", "--jobs", 1, "--out", "run", "--data")
    assert call(*words, f"casme2={written.root / 'Cropped'}")[0] == 0
    (archive,) = load_run(Path("run")).config["archives"]
    assert archive == {"data": "casme2", "sheet": written.sheet.name, "tree": "cropped"}
    next(iter(Path("run/folds").iterdir())).unlink()
    status, _, err = call(*words, f"casme2={written.root / 'CASME2_RAW_selected'}")
    assert (status, "the clips, their labels or frames differ" in err) == (1, True)
    archive_faults.set_cell(written, written.ids[0], "ApexFrame", written.rows[0].apex + 1)
    assert call(*words, f"casme2={written.root / 'Cropped'}")[0] == 1


def test_a_mended_clip_stays_out_of_the_run_and_that_is_said(call, caplog, tmp_path):
    written = archives.write_casme2(tmp_path / "casme2", clips=9)
    apex = written.files(written.ids[4])[written.rows[4].apex]
    data = apex.read_bytes()
    apex.write_bytes(data[:-100])
    words = ("evaluate", "svm_flow", "--data", f"casme2={written.root}", "--classes", "five", "--jobs", 1)
    assert call(*words, "--out", "run")[0] == 0
    apex.write_bytes(data)
    assert call(*words, "--out", "run")[0] == 0
    assert f"the first {written.ids[4]}; with another --out" in caplog.text
    assert call(*words, "--out", "again")[0] == 0
    assert load_run(Path("run")).config["clips"] + 1 == load_run(Path("again")).config["clips"]


def test_a_model_knows_whether_its_faces_were_aligned(call, tmp_path):
    from dfrnet.features import clip_features
    from dfrnet.recognizer import load as load_model

    written = archives.write_casme2(tmp_path / "casme2", clips=6, trees=["selected", "cropped"])
    words = ("train", "dfrnet", "--classes", "five", "--jobs", 1, "--set", "inputs=flow", "--set", "widths=4,6,8")
    words += ("--set", "epochs=1", "--set", "size=28")
    for tree, align in (("Cropped", "none"), ("CASME2_RAW_selected", "face")):
        source = f"casme2={written.root / tree}"
        assert call(*words, "--data", source, "--out", f"{align}.safetensors")[0] == 0
        model = load_model(Path(f"{align}.safetensors"))
        assert model.spec.align == align
        assert str(written.root) not in str(model.trained_on)
        clip = load([source], classes="five").clips[0]
        expected = model.predict_features(clip_features(clip, replace(model.spec, align="auto")).maps[None])[0]
        assert model.predict(clip.frames, clip.onset, clip.apex) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM"])
def test_a_stopped_command_says_how_to_go_on(three, tmp_path, signal_name):
    words = [sys.executable, "-m", "dfrnet", "study", "apex", "--jobs", "1", "--set", "frame_size=512"]
    # A shell starts what it runs in the background deaf to Ctrl-C, and children inherit that.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    child = subprocess.Popen(
        words, cwd=tmp_path, env=child_environment(), stderr=subprocess.PIPE, text=True, preexec_fn=heard
    )
    time.sleep(4)  # past its imports, far from its end
    child.send_signal(getattr(signal, signal_name))
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert err.splitlines()[-1] == "dfrnet: stopped; given again, the same command goes on where it was cut"
