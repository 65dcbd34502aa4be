"""Spotting: small cases worked by hand, a second matcher that tries everything, and the files."""

import json
import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_fscore_support, recall_score

from dfrnet.evaluation.spotting import (
    Errors,
    Point,
    Span,
    Tally,
    Video,
    assign,
    average_precision,
    curve,
    match,
    overlaps,
    score_spotting,
)
from dfrnet.evaluation.spotting_files import score_spotting_files
from dfrnet.evaluation.spotting_text import render_spotting
from dfrnet.evaluation.strs import score_strs, strs_metric
from dfrnet.types import UserError

A, B = "negative", "positive"


def spans(*pairs, video="v", **more):
    return [Span(video, onset, offset, **more) for onset, offset in pairs]


def rows(truths, predictions, videos=(), **more):
    return {row.kind: row for row in score_spotting(truths, predictions, videos, **more)}


# Overlap and matching


def test_overlap_of_frames_counts_the_last_one():
    assert overlaps(spans((0, 9)), spans((5, 14))).tolist() == [[5 / 15]]
    assert overlaps(spans((0, 9)), spans((0, 4))).tolist() == [[0.5]]
    assert overlaps(spans((7, 7)), spans((7, 7), (8, 8))).tolist() == [[1.0, 0.0]]


def test_overlap_of_seconds_does_not():
    assert overlaps(spans((0, 1)), spans((0.5, 1.5), (1, 2)), frames=False) == pytest.approx(np.array([[1 / 3, 0]]))
    assert overlaps(spans((1, 1)), spans((1, 1)), frames=False).tolist() == [[0.0]]


frame_spans = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 9), st.sampled_from("ab")).map(
        lambda t: Span(t[2], t[0], t[0] + t[1])
    ),
    max_size=5,
)


@given(frame_spans, frame_spans)
def test_overlap_is_that_of_sets_of_frames(a, b):
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            mine, theirs = (set(range(int(s.onset), int(s.offset) + 1)) for s in (one, other))
            assert overlaps(a, b)[i, j] == len(mine & theirs) / len(mine | theirs)


def every_matching(allowed, closeness):
    """The most pairs, and the largest sum among them, by trying all."""
    n, m = allowed.shape
    best = (0, 0.0)
    for columns in permutations([*range(m), *[None] * n], n):
        pairs = [(i, j) for i, j in enumerate(columns) if j is not None and allowed[i, j]]
        best = max(best, (len(pairs), sum(closeness[i, j] for i, j in pairs)))
    return best


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2**20))
def test_the_matching_is_the_best_of_all(n, m, seed):
    random = np.random.default_rng(seed)
    closeness = random.random((n, m))
    allowed = closeness > random.random()
    pairs = assign(allowed, closeness)
    assert all(allowed[i, j] for i, j in pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    most, total = every_matching(allowed, closeness)
    assert len(pairs) == most
    assert sum(closeness[i, j] for i, j in pairs) == pytest.approx(total)


def test_more_pairs_count_before_more_overlap():
    allowed = np.array([[True, True], [True, False]])
    assert assign(allowed, np.array([[1.0, 0.5], [0.5, 0.0]])) == [(0, 1), (1, 0)]


@given(frame_spans, frame_spans, st.randoms())
def test_the_order_of_rows_and_the_sides_change_nothing(truths, predictions, random):
    before = Tally(n := len(match(truths, predictions)), len(predictions) - n, len(truths) - n)
    shuffled = random.sample(predictions, len(predictions))
    assert len(match(truths, shuffled)) == n
    assert len(match(predictions, truths)) == n
    assert before.tp <= min(len(truths), len(predictions))


def test_spans_of_two_videos_never_match():
    assert match(spans((0, 9), video="a"), spans((0, 9), video="b")) == []


def test_a_threshold_that_rounding_misses_is_reached_in_seconds():
    truth, found = spans((0.1, 0.5)), spans((0.3, 0.5))
    assert overlaps(truth, found, frames=False)[0, 0] < 0.5
    assert len(match(truth, found, frames=False)) == 1


# Counts, rates, errors


def test_all_videos_count_also_the_empty_ones():
    truths = [*spans((0, 9), (20, 29), video="a"), *spans((0, 9), video="missed")]
    found = [*spans((0, 9), (50, 59), video="a"), *spans((0, 9), (20, 29), video="no event")]
    row = rows(truths, found, [Video(name, 30.0) for name in ("a", "missed", "no event", "empty")])["overall"]
    assert row.tally == Tally(1, 3, 2)
    assert (row.tally.precision, row.tally.recall, row.tally.f1) == (1 / 4, 1 / 3, 2 / 7)
    assert (row.videos, row.minutes, row.alarms) == (4, 2.0, 1.5)
    low, high = row.alarms_interval
    assert low < 1.5 < high
    assert row.units == "videos"


def test_f1_agrees_with_the_challenge_formula():
    """2A / (M + N): MEGC2019."""
    row = rows(spans((0, 9), (20, 29), (40, 49)), spans((1, 9), (60, 69)))["overall"]
    assert row.tally.f1 == 2 * 1 / (3 + 2)


def test_nothing_to_find_and_nothing_found():
    row = rows([], [], [Video("v", 60.0)])["overall"]
    assert (row.tally, row.tally.f1, row.alarms, row.average_precision, row.curve) == (Tally(0, 0, 0), 0, 0, None, ())
    with pytest.raises(UserError, match="no video"):
        score_spotting([], [])


def test_kinds_are_matched_apart_and_added_up():
    truths = [Span("v", 0, 9, kind="micro"), Span("v", 100, 199, kind="macro"), Span("w", 0, 9, kind="micro")]
    found = [Span("v", 0, 9, kind="micro"), Span("v", 100, 199, kind="micro"), Span("w", 0, 9, kind="macro")]
    scored = score_spotting(truths, found)
    assert [row.kind for row in scored] == ["micro", "macro", "overall"]
    assert [row.tally for row in scored] == [Tally(1, 1, 1), Tally(0, 1, 1), Tally(1, 2, 2)]


def test_without_every_kind_kinds_do_not_count():
    scored = score_spotting([Span("v", 0, 9, kind="micro")], [Span("v", 0, 9)])
    assert [(row.kind, row.tally) for row in scored] == [("overall", Tally(1, 0, 0))]


def test_kinds_that_never_meet_are_a_mistake():
    with pytest.raises(UserError, match="the truth has the kinds micro, the predictions ME"):
        score_spotting([Span("v", 0, 9, kind="micro")], [Span("v", 0, 9, kind="ME")])


def test_errors_in_milliseconds_use_the_rate_of_each_video():
    truths = [Span("fast", 100, 180, 140), Span("slow", 30, 45, 36)]
    found = [Span("fast", 110, 180, 130), Span("slow", 30, 42, None)]
    row = rows(truths, found, [Video("fast", fps=200.0), Video("slow", fps=30.0)])["overall"]
    assert row.errors["onset"] == Errors(2, 25.0, pytest.approx(47.5), 25.0)
    assert row.errors["apex"] == Errors(1, 50.0, 50.0, -50.0)
    assert row.errors["offset"] == Errors(2, pytest.approx(50), pytest.approx(95), pytest.approx(-50))
    assert rows(truths, found)["overall"].errors == {}
    assert rows(spans((1.0, 2.0)), spans((1.1, 2.0)), frames=False)["overall"].errors["onset"].bias == pytest.approx(
        100
    )


def test_the_interval_is_over_subjects_where_all_have_one():
    truths = [Span(f"v{i}", 0, 9, subject=f"s{i % 3}") for i in range(9)]
    found = [replace(truth, onset=0 if i % 2 else 8) for i, truth in enumerate(truths)]
    row = rows(truths, found)["overall"]
    assert row.units == "subjects"
    low, high = row.f1_interval
    assert 0 <= low <= row.tally.f1 <= high <= 1
    assert rows(truths[:1], found[:1])["overall"].f1_interval is None


# The precision-recall curve


def test_a_curve_by_hand():
    truths = spans((0, 9), (20, 29))
    found = [Span("v", 0, 9, score=0.9), Span("v", 50, 59, score=0.8), Span("v", 20, 29, score=0.8),
             Span("v", 70, 79, score=0.1)]  # fmt: skip
    points = curve(truths, found)
    assert points == (Point(0.9, 1.0, 0.5), Point(0.8, 2 / 3, 1.0), Point(0.1, 0.5, 1.0))
    assert average_precision(points) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_average_precision_is_that_of_scikit_learn():
    truths = spans(*((100 * i, 100 * i + 9) for i in range(20)))
    random = np.random.default_rng(0)
    found = [Span("v", 100 * i, 100 * i + 9, score=float(s)) for i, s in enumerate(random.integers(0, 9, 40))]
    right = [i < 20 for i in range(40)]
    expected = average_precision_score(right, [p.score for p in found])
    assert average_precision(curve(truths, found)) == pytest.approx(expected)


@given(frame_spans, frame_spans, st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=5, max_size=5))
def test_each_point_is_the_matching_of_what_scores_so_much(truths, predictions, scores):
    scored = [replace(p, score=s) for p, s in zip(predictions, scores, strict=False)]
    for point in curve(truths, scored):
        kept = [p for p in scored if p.score >= point.score]
        assert point.precision == len(match(truths, kept)) / len(kept)
        assert point.recall == len(match(truths, kept)) / max(len(truths), 1)


def test_a_curve_of_very_many_movements():
    many = [Span("v", 0, 9, score=1 - k / 2000) for k in range(1500)]
    last = curve(many, many)[-1]
    assert (last.score, last.precision, last.recall) == (many[-1].score, 1.0, 1.0)


def test_no_curve_where_a_score_is_missing():
    assert curve(spans((0, 9)), [Span("v", 0, 9, score=1.0), Span("v", 0, 9)]) == ()


# STRS


def found_and_named(*named):
    """Movements that are all found, one a video; (truth, answer) each."""
    truths = [Span(str(i), 0, 9, label=truth, subject="s") for i, (truth, _) in enumerate(named)]
    return truths, [replace(t, label=answer) for t, (_, answer) in zip(truths, named, strict=True)]


def corrected(truths, predictions, classes):
    pairs = match(truths, predictions)
    tally = Tally(len(pairs), len(predictions) - len(pairs), len(truths) - len(pairs))
    return score_strs(tally, pairs, classes)


def test_one_prediction_is_credited_twice_by_the_script_and_once_here():
    truths = spans((0, 49), (50, 99), subject="s", label=A)
    found = spans((0, 99), subject="s", label=A)
    assert strs_metric(truths, found, [A]).spotting == Tally(2, 0, 0)
    assert corrected(truths, found, [A]).spotting == Tally(1, 0, 1)


def test_the_script_forgets_subjects_without_a_prediction():
    seen, missed = spans((0, 9), subject="1", label=A), spans((0, 9), (20, 29), video="w", subject="2", label=A)
    found = spans((0, 9), subject="1", label=A)
    assert strs_metric([*seen, *missed], found, [A]).spotting == Tally(1, 0, 0)
    assert corrected([*seen, *missed], found, [A]).spotting == Tally(1, 0, 2)


def test_the_script_forgets_alarms_in_videos_without_an_event():
    truths = spans((0, 9), subject="1", label=A)
    found = [*truths, *spans((0, 9), (20, 29), video="w", subject="1", label=A)]
    assert strs_metric(truths, found, [A]).spotting == Tally(1, 0, 0)
    assert corrected(truths, found, [A]).spotting == Tally(1, 2, 0)


def test_what_the_script_calls_uar_is_mean_precision():
    named = [(A, A), (A, B), *[(B, B)] * 8]
    truths, found = found_and_named(*named)
    theirs, ours = strs_metric(truths, found, [A, B]), corrected(truths, found, [A, B])
    assert (ours.uar, theirs.uar) == pytest.approx((0.75, 17 / 18))
    assert (ours.f1, ours.uf1) == pytest.approx((0.836, 0.804), abs=5e-4)
    assert (theirs.f1, theirs.uf1, theirs.strs) == pytest.approx((ours.f1, ours.uf1, ours.strs))


def test_nan_of_the_script_is_zero_here():
    truths, found = found_and_named((A, B), (B, A))
    assert math.isnan(strs_metric(truths, found, [A, B]).strs)
    assert corrected(truths, found, [A, B]).strs == 0
    nothing = spans((50, 59), video="0", subject="s", label=A)
    assert math.isnan(strs_metric(truths, nothing, [A, B]).strs)
    assert corrected(truths, nothing, [A, B]).strs == 0


def test_a_perfect_result_of_one_class_is_nan_in_the_script():
    truths, found = found_and_named((A, A), (A, A))
    assert math.isnan(strs_metric(truths, found, [A]).strs)
    assert corrected(truths, found, [A]).strs == 1


@pytest.mark.parametrize(
    ("tally", "named", "precision", "recall", "strs", "uar"),
    [
        ((6, 217, 202), [(A, A), (B, A)], 0.1667, 0.3333, 0.0062, 0.1667),
        ((3, 115, 34), [(A, A), (A, B)], 0.3333, 0.1667, 0.0086, 0.3333),
    ],
    ids=["SAMM", "CAS(ME)3"],
)
def test_the_published_baseline_of_megc2025(tally, named, precision, recall, strs, uar):
    """Its table (arXiv 2506.15298) prints mean precision as UAR; these names give its figures."""
    truths, found = found_and_named(*named)
    tp, fp, fn = tally
    others = [Span("more", 100 * i, 100 * i + 9, label="other", subject="s") for i in range(tp - len(named))]
    missed = [Span("more", 100_000 + 100 * i, 100_009 + 100 * i, label="other", subject="s") for i in range(fn)]
    wrong = [Span("more", 200_000 + 100 * i, 200_009 + 100 * i, label=A, subject="s") for i in range(fp)]
    score = strs_metric([*truths, *others, *missed], [*found, *others, *wrong], [A, B, "surprise"])
    assert (score.spotting, score.analysis) == (Tally(*tally), Tally(1, 1, 1))
    printed = (score.precision, score.recall, score.f1, score.uf1, score.uar, score.strs)
    assert printed == pytest.approx((precision, recall, 0.2222, 0.2222, uar, strs), abs=5e-5)
    ours = corrected([*truths, *others, *missed], [*found, *others, *wrong], [A, B, "surprise"])
    assert (ours.strs, ours.uar) == pytest.approx((strs, recall), abs=5e-5)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcx")), min_size=1, max_size=12))
def test_the_parts_of_strs_are_those_of_scikit_learn(named):
    truths, found = found_and_named(*named)
    classes = ["a", "b", "c"]
    score = corrected(truths, found, classes)
    shown, said = zip(*named, strict=True)
    precision, recall, f1, _ = precision_recall_fscore_support(
        shown, said, labels=classes, average="macro", zero_division=0
    )
    assert (score.precision, score.recall, score.uf1) == pytest.approx((precision, recall, f1))
    assert score.uar == pytest.approx(recall_score(shown, said, labels=classes, average="macro", zero_division=0))
    harmonic = 2 * precision * recall / (precision + recall) if precision else 0
    assert score.strs == pytest.approx(harmonic)  # all were found


def test_an_abstention_is_a_missed_name_and_no_wrong_one():
    truths, found = found_and_named((A, ""), (B, B))
    assert corrected(truths, found, [A, B]).analysis == Tally(1, 0, 1)


def test_the_script_counts_whole_frames():
    with pytest.raises(UserError, match=r"whole frames, not 0\.5"):
        strs_metric(spans((0.5, 2)), [], [A])


# Files


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.csv").write_text(text)
        return [tmp_path / f"{name}.csv" for name in texts]

    return write


TRUTH = "video,onset,offset,fps\na,0,9,100\nb,20,29,100\nquiet,,,100\n"
FOUND = "video,onset,offset,score\na,0,9,.9\nquiet,5,9,.4\n"


def test_files_in_full(write):
    score = score_spotting_files(*write(truth=TRUTH, found=FOUND, videos="video,duration\na,20\nb,20\nquiet,20\n"))
    (row,) = score.rows
    assert (row.tally, row.videos, row.minutes, row.alarms) == (Tally(1, 1, 1), 3, 1.0, 1.0)
    assert row.average_precision == 0.5
    assert row.errors["onset"].n == 1
    assert score.strs == {}


def test_files_in_seconds_with_frames_and_rates_for_lengths(write):
    truth = "video;onset;offset\na;0.5;0.9\n"
    found = "video;onset;offset\na;0.55;0.9\n"
    paths = write(truth=truth, found=found, videos="video;frames;fps\na;600;30\n")
    (row,) = score_spotting_files(*paths, frames=False).rows
    assert (row.tally, row.minutes) == (Tally(1, 0, 0), pytest.approx(1 / 3))
    assert row.errors["onset"].median == pytest.approx(50)


def test_subjects_tell_videos_of_one_name_apart(write):
    truth = "subject,video,onset,offset\n1,a,0,9\n2,a,0,9\n"
    paths = write(truth=truth, found="subject,video,onset,offset\n1,a,0,9\n")
    (row,) = score_spotting_files(*paths).rows
    assert (row.tally, row.videos, row.units) == (Tally(1, 0, 1), 2, "subjects")
    paths = write(truth=truth, found="video,onset,offset\na,0,9\n")
    with pytest.raises(UserError, match=r"found\.csv, row 2: video 'a' is one of subjects 1, 2; say which"):
        score_spotting_files(*paths)


def test_a_file_without_subjects_takes_them_from_the_other(write):
    paths = write(truth="subject,video,onset,offset,label\n1,a,0,9,x\n2,b,0,9,x\n",
                  found="video,onset,offset,label\na,0,9,x\n")  # fmt: skip
    score = score_spotting_files(*paths, compat="strs-metric")
    assert score.rows[0].units == "subjects"
    assert score.compat.spotting == Tally(1, 0, 0)  # subject 2, for whom nothing was found, is forgotten
    assert score.strs["overall"].spotting == Tally(1, 0, 1)


def test_notes_say_what_is_missing(write):
    paths = write(truth="video,onset,offset\na,0,9\n", found="video,onset,offset,scores\na,0,9,1\nA,0,9,1\n")
    notes = " ".join(score_spotting_files(*paths).notes)
    for words in ("'scores' is not read; is it 'score'?", "video 'A', of which truth.csv says nothing", "--videos",
                  "--fps", "no precision-recall curve"):  # fmt: skip
        assert words in notes
    assert "--fps" not in " ".join(score_spotting_files(*paths, fps=30.0).notes)


@pytest.mark.parametrize(
    ("truth", "found", "message"),
    [
        ("", FOUND, r"truth\.csv: empty; it needs a header with the columns video, onset and offset"),
        ("video,onset,offest\na,0,9\n", FOUND, r"no column 'offset' among .*; is it 'offest'\? Rename it"),
        (TRUTH, "video,onset,offset\na,9,0\n", r"found\.csv, row 2: onset 9, offset 0 must be in order"),
        (TRUTH, "video,onset,apex,offset\na,0,12,9\n", r"row 2: onset 0, apex 12, offset 9 must be in order"),
        (TRUTH, "video,onset,offset\na,x,9\n", r"row 2: onset 'x' is no number"),
        (TRUTH, "video,onset,offset\na,nan,9\n", r"row 2: onset 'nan' is no number"),
        (TRUTH, "video,onset,offset\na,0.5,9\n", r"row 2: onset '0.5' is no whole frame number; give --seconds"),
        (TRUTH, "video,onset,offset\na,0,\n", r"row 2: column 'offset' is empty"),
        (TRUTH, "video,onset,offset\n,0,9\n", r"row 2: column 'video' is empty"),
        (TRUTH, "video,onset,offset,score\na,0,9,high\n", r"row 2: score 'high' is no number"),
        (TRUTH, "video,onset,offset,fps\na,0,9,0\n", r"row 2: fps '0' must be above 0"),
        (TRUTH, "video,onset,offset,fps\na,0,9,30\n", r"row 2: fps 30 of video 'a', 100 elsewhere"),
    ],
)
def test_faults_name_file_and_row(write, truth, found, message):
    with pytest.raises(UserError, match=message):
        score_spotting_files(*write(truth=truth, found=found))


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        ("video\na\n", "neither a column 'duration'"),
        ("video,frames\na,30\n", r"row 2: frames without fps"),
        ("video,duration\na,\n", r"row 2: video 'a' has no length"),
        ("video,duration\na,-1\n", r"row 2: duration '-1' must be above 0"),
        ("video,duration\na,1\na,2\n", r"row 3: duration 2 of video 'a', 1 elsewhere"),
        ("video,duration\na,1\n", r"videos\.csv: does not list 2 videos \('b', 'quiet'\)"),
    ],
)
def test_faults_of_the_list_of_videos(write, videos, message):
    truth = TRUTH.replace(",fps", "").replace(",100", "")
    with pytest.raises(UserError, match=message):
        score_spotting_files(*write(truth=truth, found=FOUND, videos=videos))


def test_text_and_json_say_the_same(write):
    truth = "subject,video,onset,offset,kind,label\n1,a,0,9,micro,x\n2,b,0,90,macro,y\n"
    score = score_spotting_files(*write(truth=truth, found=truth), compat="strs-metric", fps=30.0)
    said = json.loads(render_spotting(score, "json"))
    assert [row["kind"] for row in said["rows"]] == ["micro", "macro", "overall"]
    assert said["rows"][2]["strs"]["strs"] == said["compat"]["strs"] == 1
    assert "as strs-metric" in (text := render_spotting(score, "text"))
    assert text.count("1.0000") > 10
    with pytest.raises(UserError, match="unknown format 'jsn'; did you mean 'json'"):
        render_spotting(score, "jsn")


def test_json_has_null_for_nan(write):
    truth = "video,onset,offset,label\na,0,9,x\n"
    score = score_spotting_files(*write(truth=truth, found=truth.replace("x", "y")), compat="strs-metric")
    assert json.loads(render_spotting(score, "json"))["compat"]["strs"] is None
    assert "NaN" in render_spotting(score, "text")


# Command line


def test_command(dfrnet, write):
    write(truth=TRUTH, found=FOUND, nothing="video,onset,offset\n")
    done = dfrnet("score", "--spotting", "truth.csv", "found.csv")
    assert (done.status, done.err) == (0, "")
    assert "found.csv against truth.csv: 3 videos" in done.out
    assert json.loads(dfrnet("score", "--spotting", "truth.csv", "nothing.csv", "--format", "json").out)["rows"][0][
        "fn"
    ] == 2  # fmt: skip
    assert dfrnet("score", "--spotting", "truth.csv", "found.csv", "--iou", "1.5").sentence().startswith("an overlap")


def test_command_refuses_what_makes_no_sense(dfrnet, write):
    write(truth=TRUTH, found=FOUND, p="truth,prediction\nx,x\n")
    call = ("score", "--spotting", "truth.csv", "found.csv")
    assert "did you mean 'strs-metric'" in dfrnet(*call, "--compat", "strs-metrics").sentence()
    assert "column 'label'" in dfrnet(*call, "--compat", "strs-metric").sentence()
    assert "counts frames" in dfrnet(*call, "--compat", "strs-metric", "--seconds").sentence()
    assert dfrnet("score", "p.csv", "--seconds").sentence() == (
        "--seconds: of spotting only; give --spotting TRUTH.csv too"
    )
    assert "none.csv: cannot be read" in dfrnet("score", "--spotting", "none.csv", "found.csv").sentence()
