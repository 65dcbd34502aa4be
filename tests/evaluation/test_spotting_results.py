"""What dfrnet's own analysis found, scored from its folder; and classes that are asked for."""

import json

import pytest

from dfrnet.evaluation.spotting import Tally
from dfrnet.evaluation.spotting_files import score_spotting_files
from dfrnet.evaluation.spotting_text import render_spotting
from dfrnet.exchange import Recording, write
from dfrnet.types import Event, UserError

TRUTH = (
    "video,onset,apex,offset,kind,label,fps\ntalk,100,120,140,micro,positive,100\ntalk,600,610,630,micro,negative,100\n"
    "calm.mp4,,,,,,\n"
)
MINUTE = 60.0


@pytest.fixture
def results(tmp_path, monkeypatch):
    """``truth.csv`` and a folder ``out`` as analyze leaves it: two recordings, one of them without events."""
    monkeypatch.chdir(tmp_path)

    def made(truth=TRUTH, fps=99.9, **more):
        found = (Event(1.0, 1.2, 1.42, "micro", "positive", score=0.8), Event(30.0, 30.1, 30.2, "micro", score=0.3))
        recordings = {
            "talk": Recording("films/talk.avi", MINUTE, fps, found, tracks=(0,)),
            "calm": Recording("films/calm.mp4", 2 * MINUTE, fps, start=MINUTE),
        } | more
        for name, recording in recordings.items():
            (tmp_path / "out" / name).mkdir(parents=True, exist_ok=True)
            write(recording, tmp_path / "out" / name / "events.json")
        (tmp_path / "out" / ".draft").mkdir(exist_ok=True)
        (tmp_path / "out" / ".draft" / "events.json").write_text("{", encoding="utf-8")
        (tmp_path / "truth.csv").write_text(truth, encoding="utf-8")

    return made


def test_results_of_analyze_are_scored(results, dfrnet):
    results()
    said = json.loads(dfrnet("score", "--spotting", "truth.csv", "out", "--format", "json").out)
    micro, overall = said["rows"]
    assert (overall["tp"], overall["fp"], overall["fn"], overall["videos"]) == (1, 1, 1, 2)
    assert (overall["minutes"], overall["false_alarms_per_minute"]) == (2.0, 0.5)  # what was not looked at counts not
    assert micro["errors_ms"]["offset"]["median"] == pytest.approx(2000 / 99.9)  # two frames
    assert overall["strs"]["analysis"]["tp"] == 1
    assert said["notes"] == []


def test_results_in_seconds_and_of_one_recording(results, dfrnet):
    results("video,onset,offset\ntalk.avi,1.05,1.4\nlost,5,5.2\n")
    out = dfrnet("score", "--spotting", "truth.csv", "out/talk", "--seconds").out
    assert "talk against truth.csv: 2 videos; right" in out
    assert "talk has no results of video 'lost': all that is annotated there is missed." in out


def test_rates_that_cannot_be_those_of_the_annotation(results, dfrnet):
    results(TRUTH.replace(",100\n", ",200\n"))
    said = dfrnet("score", "--spotting", "truth.csv", "out").sentence()
    assert said.startswith("truth.csv, row 2: fps 200 of video 'talk', but 99.9 were measured")


def test_recordings_that_cannot_be_told_apart(results, dfrnet):
    results(other=Recording("more/talk.mp4", MINUTE, 100.0))
    said = dfrnet("score", "--spotting", "truth.csv", "out").sentence()
    assert "talk" in said
    assert "would be the video 'talk' too" in said


def test_what_else_is_wrong_with_results(results, dfrnet, tmp_path):
    results(fps=0.0)
    call = ("score", "--spotting", "truth.csv")
    assert "its frame rate is unknown; give --fps" in dfrnet(*call, "out").sentence()
    assert dfrnet(*call, "out", "--fps", "100").status == 0
    (tmp_path / "empty").mkdir()
    assert dfrnet(*call, "empty").sentence().startswith("empty: no results in it (NAME/events.json)")
    assert "leave --videos out" in dfrnet(*call, "out", "--videos", "videos.csv").sentence()


# Classes that are asked for

LABELLED = "video,onset,offset,label\na,0,9,positive\na,20,29,negative\na,40,49,surprise\n"


@pytest.fixture
def files(tmp_path):
    for name in ("truth", "found"):
        (tmp_path / f"{name}.csv").write_text(LABELLED, encoding="utf-8")
    return tmp_path / "truth.csv", tmp_path / "found.csv"


def test_a_class_that_no_row_has(files):
    with pytest.raises(UserError, match=r"the label 'positve'; is it 'positive'\? They have negative, positive"):
        score_spotting_files(*files, classes=("negative", "positve"))


def test_classes_that_are_left_out_are_told(files):
    score = score_spotting_files(*files, classes=("negative", "positive"))
    assert "Not among --classes, so counted for spotting only: surprise (1 annotated, 1 found)." in score.notes
    assert not any("--classes" in note for note in score_spotting_files(*files).notes)


# Words


def test_few_subjects_give_no_usable_interval(tmp_path):
    def text(subjects):
        rows = "".join(f"{i},v{i},0,9\n" for i in range(subjects))
        for name in ("truth", "found"):
            (tmp_path / f"{name}.csv").write_text("subject,video,onset,offset\n" + rows, encoding="utf-8")
        lengths = "video,duration\n" + "".join(f"v{i},{195 / subjects}\n" for i in range(subjects))
        (tmp_path / "videos.csv").write_text(lengths, encoding="utf-8")
        paths = (tmp_path / f"{name}.csv" for name in ("truth", "found", "videos"))
        return render_spotting(score_spotting_files(*paths), "text")

    assert "Only 2 subjects: so few give no usable interval" in text(2)
    assert "3.25 minutes" in text(2)
    assert "usable" not in text(5)


def test_the_tally_of_results_is_that_of_tables(results, tmp_path):
    results()
    found = "video,onset,offset\ntalk,100,142\ntalk,2997,3017\n"
    (tmp_path / "found.csv").write_text(found, encoding="utf-8")
    score = score_spotting_files(tmp_path / "truth.csv", tmp_path / "found.csv")
    assert score.rows[-1].tally == Tally(1, 1, 1)
