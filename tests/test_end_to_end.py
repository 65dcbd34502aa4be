"""The whole of it on a tiny drawn set: faces, flow, network, audit, controls, table, report, model."""

import json
import re

import numpy as np
import pytest

from dfrnet.datasets import synthetic
from dfrnet.evaluation.compare import compare_runs
from dfrnet.evaluation.records import SELECTIONS, load_run
from dfrnet.evaluation.report import write_report
from dfrnet.evaluation.run import evaluate, evaluate_controls
from dfrnet.evaluation.score import score_file
from dfrnet.evaluation.scores import score_rows, with_controls
from dfrnet.evaluation.tables import render
from dfrnet.methods import METHODS
from dfrnet.recognizer import load, train

CHANGES = {"size": "28", "frame_size": "64", "widths": "4,6,8", "epochs": "2", "batch_size": "6"}


@pytest.fixture(scope="module")
def clips():
    return synthetic.load("easy", subjects=3, clips_per_subject=6, fps=30)


@pytest.fixture(scope="module")
def run(clips, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    method = METHODS["dfrnet"]
    evaluate(method, clips, out, settings=method.configured(changes=CHANGES), data=["synthetic"], selection="audit")
    assert evaluate_controls(out, clips, data=["synthetic"]) == []
    return load_run(out)


def test_all_three_branches_were_fed(run):
    assert set(run.config["features"]["maps"]) == {"apex", "difference", "u", "v", "strain"}
    assert run.config["settings"]["inputs"] == "all"


def test_the_run_is_complete_and_every_clip_answered(run, clips):
    assert run.complete
    for selection in SELECTIONS:
        assert sorted(p.clip for p in run.predictions(selection)) == sorted(c.id for c in clips)


def test_the_table_has_the_controls_and_the_three_selections(run):
    rows = score_rows(with_controls([run]))
    assert [(row.method, row.selection) for row in rows] == [
        ("constant", "fixed"), ("svm_flow", "fixed"), *(("dfrnet", s) for s in SELECTIONS),
    ]  # fmt: skip
    assert all(row.n == 18 and row.subjects == 3 for row in rows)
    assert rows[-1].accuracy >= rows[2].accuracy
    text = render(rows)
    assert "LEAKY" in text
    assert json.loads(render(rows, "json"))["rows"][2]["uf1"] == rows[2].uf1


def test_scores_of_the_predictions_file_are_the_tables(run):
    row = score_file(run.path / "predictions.csv")[0]
    assert row.uf1 == pytest.approx(next(r for r in score_rows([run]) if r.selection == "fixed").uf1)


def test_the_report_opens_offline(run):
    path = run.path / "report.html"
    write_report([run], path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    addresses = re.findall(r"(?:src|href)=[\"']([^\"']*)", text)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "http://" not in text
    assert "https://" not in text
    assert "LEAKY" in text


def test_it_is_compared_with_its_control(run):
    control = load_run(run.path / "controls" / "svm_flow")
    compared = compare_runs(run, control).comparison
    assert compared.n == 18
    assert compared.uf1.value == pytest.approx(compared.uf1.a - compared.uf1.b)


def test_a_model_of_all_clips_answers_for_frames(clips, tmp_path):
    method = METHODS["dfrnet"]
    model = train(method, clips[:6], method.configured(changes=CHANGES), data=["synthetic"])
    model.save(tmp_path / "model.safetensors")
    clip = clips[-1]
    frames = [clip.frames[i] for i in range(len(clip.frames))]
    one = model.predict(frames, clip.onset, clip.apex)
    two = load(tmp_path / "model.safetensors").predict(clip.frames, clip.onset, clip.apex)
    np.testing.assert_allclose(list(one.values()), list(two.values()), atol=1e-12)
