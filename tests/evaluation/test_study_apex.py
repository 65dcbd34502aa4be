"""Studies: what the apex rules give on clips whose apex is known, and how any study's rows are printed."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from dfrnet.datasets import synthetic
from dfrnet.evaluation.studies import FORMATS, Sheet, apex, apex_study, render_sheet, study_clips
from dfrnet.features import APEX, FeatureSpec
from dfrnet.types import Clip, UserError

KEYS = {"method", "data", "n", "fps", "mae_frames", "mae_interval", "median_frames", "mae_ms", "ms_per_clip", "failed"}
RULES = [name for name in APEX if name not in ("auto", "annotated")]


def render_rows(rows, form="text", width=100):
    return render_sheet(Sheet("apex", "Apex", tuple(rows)), form, width)


@pytest.fixture(scope="module")
def clips(drawn_clips):
    """Four drawn clips of two subjects, and one of another data set that shows no face."""
    blank = Clip("d/s1/c", "d", "d/s1", "positive", [np.full((64, 64), 80, np.uint8)] * 9, 1, 3, 7)
    return [*drawn_clips[1:5], blank]


@pytest.fixture(scope="module")
def rows(clips):
    return apex_study(clips)


def test_a_row_for_each_data_set_and_rule(rows):
    assert [(row["data"], row["method"]) for row in rows] == [(data, r) for data in ("synthetic", "d") for r in RULES]
    assert all(set(row) == KEYS for row in rows)


def test_errors_are_those_of_the_rules(rows, clips):
    for row in rows[: len(RULES)]:
        errors = [abs(APEX[row["method"]](clip, clip.frames) - clip.apex) for clip in clips[:4]]
        assert (row["n"], row["fps"], row["failed"]) == (4, 30, {})
        assert row["mae_frames"] == np.mean(errors)
        assert row["median_frames"] == np.median(errors)
        assert row["mae_ms"] == pytest.approx(1000 * np.mean(errors) / 30)
        assert row["mae_interval"][0] <= row["mae_frames"] <= row["mae_interval"][1]
        assert row["ms_per_clip"] > 0


def test_a_clip_without_a_face_is_named_and_not_counted(rows):
    other = {row["method"]: row for row in rows if row["data"] == "d"}
    assert other["dc_rois"]["n"] == 0
    assert other["dc_rois"]["mae_frames"] is None
    assert "clip d/s1/c: no face" in other["dc_rois"]["failed"]["d/s1/c"]
    assert (other["middle"]["n"], other["middle"]["mae_frames"], other["middle"]["mae_ms"]) == (1, 1, None)
    for form in ("text", "markdown"):
        assert render_rows(rows, form).count("clip d/s1/c: no face is found in its onset frame") == 1


def test_processes_change_nothing_but_the_time(rows, clips):
    seen = []
    again = apex_study(clips, jobs=2, progress=lambda done, total: seen.append((done, total)))
    assert [{**row, "ms_per_clip": 0} for row in again] == [{**row, "ms_per_clip": 0} for row in rows]
    assert seen == [(k, 5) for k in range(1, 6)]


def test_frames_are_aligned_where_they_show_more_than_a_face(clips):
    """Drawn clips with a border all round are cut to the face; a clip where none is found fails for every rule."""
    wide = [np.pad(clips[0].frames[i], ((30, 30), (50, 50), (0, 0))) for i in range(len(clips[0].frames))]
    blank = replace(clips[4], cropped=False)
    rows = apex_study([replace(clips[0], frames=wide, cropped=False), blank], FeatureSpec())
    assert [row["n"] for row in rows] == [1] * len(RULES) + [0] * len(RULES)
    assert all("d/s1/c" in row["failed"] for row in rows[len(RULES) :])


def test_clips_without_frames_or_apex_are_left_out(clips, maps_clips):
    bare = replace(clips[0], apex=None)
    with pytest.raises(UserError, match="no clip has both frames and an annotated apex"):
        apex_study([bare, *maps_clips])
    assert {row["n"] for row in apex_study([bare, clips[1], *maps_clips])} == {1}


def test_the_clips_to_study_are_drawn_at_200_frames_a_second():
    clips = study_clips()
    assert len({clip.id for clip in clips}) == len(clips) == 144
    assert {clip.fps for clip in clips} == {200.0}
    assert len({clip.subject for clip in clips}) == 48
    plain, timed = clips[:72], clips[72:]
    assert plain == synthetic.load(fps=200.0)[::4]
    assert {clip.dataset for clip in timed} == {"synthetic_timed"}
    assert [clip.onset for clip in plain] == [clip.onset for clip in timed]


def test_an_interval_is_one_over_subjects():
    """Clips of one person are one draw: with equal clips in each subject it is the interval of their means."""
    values, subjects = np.array([1.0, 1, 5, 5, 9, 9]), ["a", "a", "b", "b", "c", "c"]
    assert apex._interval(values, subjects) == (1, 9)
    assert apex._interval(values[:2], subjects[:2]) == (1, 1)
    means = np.random.default_rng(1).normal(size=400)
    low, high = apex._interval(means, [str(i) for i in range(400)])
    assert high - low == pytest.approx(2 * 1.96 * means.std() / 20, rel=0.1)


# Formats


def test_json_holds_everything_in_full(rows):
    found = json.loads(render_rows(rows, "json"))["rows"]
    assert [set(row) for row in found] == [KEYS] * len(rows)
    assert [row["mae_frames"] for row in found] == [row["mae_frames"] for row in rows]


def test_csv_reads_back(rows):
    found = list(csv.DictReader(io.StringIO(render_rows(rows, "csv"))))
    assert [row["method"] for row in found] == [row["method"] for row in rows]
    assert [float(row["mae_frames"]) for row in found[: len(RULES)]] == [r["mae_frames"] for r in rows[: len(RULES)]]
    assert found[-1]["failed"] == "d/s1/c"


@pytest.mark.parametrize("width", [20, 200])
def test_text_cuts_no_number_and_no_name(rows, width):
    text = render_rows(rows, "text", width)
    for row in rows:
        line = next(part.split() for part in text.splitlines() if part.split()[:2] == [row["method"], row["data"]])
        assert line[2] == str(row["n"])
    assert "MAE frames" in text
    assert "bootstrap" in text
    assert "…" not in text


def test_markdown_is_a_table(rows):
    title, _, *lines = render_rows(rows, "markdown").splitlines()
    assert title == "**Apex**"
    table = lines[: lines.index("")]
    assert len(table) == len(rows) + 2
    assert len({line.count("|") for line in table}) == 1


@pytest.mark.parametrize("form", FORMATS)
def test_any_rows_can_be_printed(form):
    """Columns that nobody described, missing values, and nothing at all."""
    text = render_rows([{"method": "a|[b]", "score": 3}, {"method": "c", "extra": None}], form)
    assert "score" in text
    assert "c" in text
    assert render_rows([], form).endswith("\n") or form == "text"


def test_latex_escapes_what_it_would_read_otherwise():
    text = render_rows([{"a_b": "50 % & more", "c": 0.5}], "latex")
    assert r"a\_b" in text
    assert r"50 \% \& more & 0.500 \\" in text


def test_an_unknown_format_is_named(rows):
    with pytest.raises(UserError, match="unknown format 'jsno'; did you mean 'json'"):
        render_rows(rows, "jsno")
