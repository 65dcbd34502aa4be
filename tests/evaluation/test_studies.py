"""The tables of the paper: every row is run once, shown in every format, and never dropped in silence."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dfrnet.datasets import load
from dfrnet.evaluation.records import load_run
from dfrnet.evaluation.scores import FULL, score_rows
from dfrnet.evaluation.statistics import COMPARED, holm, paired_confusions, permutation_p
from dfrnet.evaluation.studies import (
    FORMATS,
    STUDIES,
    VIEWS,
    Entry,
    Material,
    Options,
    Study,
    finish,
    make,
    render_sheet,
    run_study,
    write_made,
    write_page,
)
from dfrnet.evaluation.studies.made import QUICK_NOTE
from dfrnet.evaluation.studies.paper import METHOD_ROWS, QUICK
from dfrnet.evaluation.studies.published import HONEST, PUBLISHED, TEST
from dfrnet.evaluation.studies.runs import run_name, settled
from dfrnet.evaluation.studies.views import stars
from dfrnet.methods import METHODS, flat
from dfrnet.types import UserError
from trees import write_maps

TINY = {"widths": "4,6,8,10", "epochs": "2", "batch_size": "8"}
OF_THE_PAPER = {"composition", "comparison", "significance", "confusion", "features", "fusion", "backbone", "attention",
                "depth", "convergence"}  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Made-up motion maps in the released layout, of people of three data sets."""
    return f"maps={write_maps(tmp_path_factory.mktemp('studies') / 'maps')}"


@pytest.fixture(scope="module")
def material(source):
    return Material((source,))


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    return Options(tmp_path_factory.mktemp("studies") / "out", selection="audit", repeats=3, changes=TINY)


@pytest.fixture(scope="module")
def depth(material, options):
    return run_study(STUDIES["depth"], material, options)


# The list of studies


def test_every_table_and_figure_of_the_paper_has_its_study():
    assert set(STUDIES) >= OF_THE_PAPER | {"protocols", "cd6me"}
    assert [entry.method for entry in STUDIES["comparison"].entries] == list(METHODS)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_whole(name):
    study = STUDIES[name]
    assert study.name == name
    assert study.question.endswith("?")
    assert set(study.shows) <= set(VIEWS)
    labels = [entry.label for entry in study.entries]
    assert len(set(labels)) == len(labels)
    assert not study.reference or study.reference in labels
    for entry in study.entries:
        METHODS[entry.method].configured("", entry.changes)


def test_a_rehearsal_changes_settings_that_exist():
    everything = {name for method in METHODS.values() for name in flat(method.settings)}
    assert set(QUICK[""]) <= everything
    for name in set(QUICK) - {""}:
        METHODS[name].configured("", QUICK[name])


# Running


def test_each_setting_is_trained_once_for_all_studies(depth, material, options):
    assert [result.entry.label for result in depth.results] == ["1 layer", "2 layers", "3 layers", "4 layers"]
    folders = sorted(path.name for path in (options.out / "runs").iterdir())
    assert [name for name in folders if name.startswith("dfrnet")] == [
        "dfrnet", "dfrnet-layers=1", "dfrnet-layers=2", "dfrnet-layers=4"
    ]  # fmt: skip
    before = {path: path.stat().st_mtime_ns for path in (options.out / "runs").rglob("folds/*.json")}
    again = run_study(STUDIES["convergence"], material, options)
    assert again.results[0].run.path == options.out / "runs" / "dfrnet"
    assert {path: path.stat().st_mtime_ns for path in (options.out / "runs").rglob("folds/*.json")} == before


def test_clips_without_frames_leave_flow_to_dfrnet_and_the_rest_is_said(depth, material, options):
    assert {result.run.config["settings"]["inputs"] for result in depth.results} == {"flow"}
    found = run_study(STUDIES["features"], material, options)
    assert [result.entry.label for result in found.results] == ["flow"]
    assert set(found.left_out) == {entry.label for entry in STUDIES["features"].entries} - {"flow"}
    assert all("needs frames" in why for why in found.left_out.values())
    told = "\n".join(note for sheet in finish(found, options).sheets for note in sheet.told)
    for label in found.left_out:
        assert f"Not run: {label}: " in told


def test_a_study_of_which_nothing_can_run_says_why(material, options):
    made = make(STUDIES["fusion"], material, options)
    (sheet,) = made.sheets
    assert sheet.rows == ()
    assert "needs frames" in " ".join(sheet.notes)


def test_one_method_may_have_fewer_seeds_and_other_settings(material, tmp_path):
    own = {"ststnet": {"seeds": "1", "epochs": "1"}, "svm_flow": {"cells": "4"}}
    options = Options(tmp_path, seeds=2, audit_seeds=1, repeats=2, changes=TINY, own=own,
                      only=("ststnet", "svm_flow", "dfrnet"))  # fmt: skip
    runs = {r.entry.method: r.run for r in run_study(STUDIES["comparison"], material, options).results}
    assert {name: run.seeds for name, run in runs.items()} == {"dfrnet": (0, 1), "ststnet": (0,), "svm_flow": (0, 1)}
    assert runs["dfrnet"].audited == (0,)
    assert runs["ststnet"].config["settings"]["epochs"] == 1
    assert runs["dfrnet"].config["settings"]["epochs"] == 2
    assert runs["svm_flow"].config["settings"]["cells"] == 4


def test_a_rehearsal_leaves_no_row_out_without_need(tmp_path):
    """On drawn faces every row of every study finds its settings and its maps."""
    clips = Material(("synthetic",), quick=True).clips(STUDIES["features"]).clips
    options = Options(tmp_path, quick=True)
    for study in STUDIES.values():
        for entry in study.entries:
            settings, spec = settled(entry, clips, options)
            METHODS[entry.method].build(settings, spec, 3, 0)
            if entry.changes.get("backbone", "") and METHODS[entry.method].network:
                METHODS[entry.method].network(settings, spec, 3)


def test_what_is_broken_outside_stops_a_study(material, options, tmp_path):
    """A row that cannot be run is left out; a full disk or a damaged file would meet the next row too."""
    mine = Options(tmp_path, selection="fixed", repeats=2, only=("svm_flow",))
    run = run_study(STUDIES["comparison"], material, mine).results[0].run
    fold = next((run.path / "folds").iterdir())
    fold.write_text("{")
    with pytest.raises(UserError, match="damaged"):
        run_study(STUDIES["comparison"], material, mine)


def test_a_row_on_other_clips_is_not_tested_and_that_is_said(material, tmp_path):
    mine = Options(tmp_path, selection="fixed", repeats=2, changes=TINY, only=("dfrnet", "svm_flow", "constant"))
    outcome = run_study(STUDIES["comparison"], material, mine)
    svm = next(result for result in outcome.results if result.entry.method == "svm_flow")
    fewer = replace(svm, run=replace(svm.run, folds=svm.run.folds[1:]))
    outcome = replace(outcome, results=tuple(fewer if r is svm else r for r in outcome.results))
    for study in ("comparison", "significance"):
        made = finish(replace(outcome, study=STUDIES[study]), mine)
        told = " ".join(note for sheet in made.sheets for note in sheet.told)
        assert "Not tested: svm_flow: " in told
        assert "Not tested: constant" not in told


def test_a_rehearsal_is_small_and_says_so_everywhere(source, tmp_path):
    options = Options(tmp_path, quick=True, selection="fixed", repeats=2, only=("svm_flow",))
    made = make(STUDIES["protocols"], Material((source,), quick=True), options)
    assert all(QUICK_NOTE in sheet.told for sheet in made.sheets)
    (sheet,) = (sheet for sheet in made.sheets if sheet.name == "scores")
    assert len(sheet.rows) == 4
    with pytest.raises(UserError, match="another configuration"):
        run_study(STUDIES["comparison"], Material((source,)), Options(tmp_path, selection="fixed", only=("svm_flow",),
                                                                      own={"svm_flow": {"C": "9"}}))  # fmt: skip


def test_drawn_sets_of_different_people_stand_for_several_data_sets():
    loaded = Material(("synthetic",), quick=True).clips(STUDIES["protocols"])
    sets = sorted({clip.dataset for clip in loaded.clips})
    assert sets == ["synthetic", "synthetic_easy", "synthetic_hard"] or len(sets) == 3
    first = {name: next(clip for clip in loaded.clips if clip.dataset == name).frames[0] for name in sets}
    pictures = list(first.values())
    assert not any(np.array_equal(a, b) for i, a in enumerate(pictures) for b in pictures[i + 1 :])
    units = Material(("synthetic",), quick=True).clips(STUDIES["cd6me"], "AU12")
    assert units.classes == ("absent", "present")


def test_a_runs_name_tells_what_sets_it_apart(source, tmp_path):
    clips = load([source]).clips
    options = Options(tmp_path)

    def named(**words):
        entry = Entry("row", "dfrnet", **words)
        return run_name(entry, METHODS["dfrnet"], settled(entry, clips, options)[0], clips, options)

    assert named() == named(changes={"layers": "3"}) == "dfrnet"
    assert named(changes={"layers": "2"}, protocol="hde") == "dfrnet-layers=2-hde"
    assert named(changes={"widths": "8,8,8"}) == "dfrnet-widths=8+8+8"


# What is made of it


def test_scores_are_those_of_the_runs(depth, options):
    sheet = next(sheet for sheet in finish(depth, options).sheets if sheet.name == "scores")
    assert len(sheet.rows) == 4 * 3
    for result in depth.results:
        for row in score_rows([result.run]):
            if row.data == FULL:
                label = result.entry.label + (" (LEAKY)" if row.leaky else "")
                found = next(r for r in sheet.rows if (r["row"], r["selection"]) == (label, row.selection))
                assert (found["uf1"], found["uar"], found["n"]) == (row.uf1, row.uar, row.n)


def test_stars_come_from_corrected_paired_tests(depth, options):
    sheet = next(sheet for sheet in finish(depth, options).sheets if sheet.name == "scores")
    reference = next(r.run for r in depth.results if r.entry.label == "3 layers")
    others = [r for r in depth.results if r.run is not reference]
    raw = []
    for result in others:
        _, a, b = paired_confusions(reference.predictions("fixed"), result.run.predictions("fixed"), reference.classes)
        raw.append(permutation_p(a, b, COMPARED["uf1"][0]))
    for result, p in zip(others, holm(raw), strict=True):
        row = next(r for r in sheet.rows if (r["row"], r["selection"]) == (result.entry.label, "fixed"))
        assert row["p_holm"] == p
        assert row["stars"] == stars(p)
    marked = [row["row"] for row in sheet.rows if row["stars"] == "reference"]
    assert marked == ["3 layers"]
    assert all(row["p_holm"] is None for row in sheet.rows if row["selection"] != "fixed")


def test_stars():
    assert [stars(p) for p in (0.0009, 0.009, 0.049, 0.05, 1.0)] == ["***", "**", "*", "", ""]


def test_costs_are_measured_in_the_same_run(depth, options):
    sheet = next(sheet for sheet in finish(depth, options).sheets if sheet.name == "cost")
    parameters = [row["parameters"] for row in sheet.rows]
    assert parameters == sorted(parameters)
    assert len(set(parameters)) == 4
    assert all(row["mflop"] > 0 and row["ms_1"] > 0 and row["ms_2"] > 0 and row["fold_s"] > 0 for row in sheet.rows)
    kept = json.loads((depth.results[0].run.path / "cost.json").read_text())
    assert kept["repeats"] == 3


def test_the_composition_is_counted_from_the_clips(material, options):
    (sheet,) = make(STUDIES["composition"], material, options).sheets
    clips = load(material.sources).clips
    rows = {row["class"]: row for row in sheet.rows}
    assert rows["clips"]["all"] == len(clips)
    assert rows["subjects"]["all"] == len({clip.subject for clip in clips})
    for label in ("negative", "positive", "surprise"):
        for name in {clip.dataset for clip in clips}:
            assert rows[label][name] == sum((c.label, c.dataset) == (label, name) for c in clips)


def test_every_other_method_is_tested_against_the_reference(material, tmp_path):
    options = Options(tmp_path, selection="fixed", repeats=2, changes=TINY, only=("dfrnet", "svm_flow", "constant"))
    (sheet,) = make(STUDIES["significance"], material, options).sheets
    assert [(row["data"], row["against"]) for row in sheet.rows] == [
        (metric, name) for metric in ("UF1", "UAR") for name in ("svm_flow", "constant")
    ]
    for row in sheet.rows:
        assert row["p Holm"] >= row["p permutation"]
        assert row["interval"][0] <= row["difference"] <= row["interval"][1]


def test_published_figures_have_sources_and_none_is_of_dfrnet(material, tmp_path):
    assert "dfrnet" not in PUBLISHED
    assert set(PUBLISHED) | set(HONEST) <= set(METHODS)
    for one in (*PUBLISHED.values(), *(two for several in HONEST.values() for two in several)):
        assert one.source
        assert set(one.scores) <= {"full", "smic", "casme2", "samm"}
        assert all(np.isnan(value) or 0 < value < 1 for pair in one.scores.values() for value in pair)
    assert PUBLISHED["htnet"].epoch == PUBLISHED["capsulenet"].epoch == TEST
    options = Options(tmp_path, selection="fixed", repeats=2, only=("svm_flow", "constant", "bi_woof"))
    made = make(STUDIES["comparison"], material, options)
    sheet = next(sheet for sheet in made.sheets if sheet.name == "published")
    (row,) = sheet.rows
    assert (row["row"], row["published full UF1"]) == ("bi_woof", 0.6296)
    told = next(sheet for sheet in made.sheets if sheet.name == "differences")
    assert {row["method"] for row in told.rows} == {"svm_flow", "constant", "bi_woof"}


def test_a_study_is_left_in_every_format(depth, options):
    made = finish(depth, options)
    folder = write_made(made, options.out)
    for sheet in made.sheets:
        for suffix in ("txt", "md", "tex", "csv", "json"):
            assert (folder / f"{sheet.name}.{suffix}").stat().st_size > 20
        rows = list(csv.DictReader((folder / f"{sheet.name}.csv").open(newline="")))
        assert len(rows) == len(sheet.rows)
    assert {path.name for path in folder.glob("*.png")} == {"scores.png", "cost.png"}
    assert not list(folder.glob(".*"))
    latex = render_sheet(made.sheets[0], "latex")
    assert latex.count("\\\\\n") == len(made.sheets[0].rows) + 1
    assert made.sheets[0].title in (folder / "scores.txt").read_text()
    assert set(FORMATS) == {"text", "markdown", "latex", "csv", "json"}


def test_the_page_asks_nobody_for_anything(depth, options, material, tmp_path):
    made = [finish(depth, options), make(STUDIES["confusion"], material, options),
            make(STUDIES["convergence"], material, options)]  # fmt: skip
    write_page(made, tmp_path / "report.html", ["Data: maps."], quick=False)
    text = (tmp_path / "report.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)
    for one in made:
        assert f'id="{one.study.name}"' in text
    assert text.count("data:image/png") == sum(len(one.pictures) for one in made) >= 4
    assert QUICK_NOTE not in text


def test_kept_rows_are_runs_like_any_other(depth):
    for result in depth.results:
        assert load_run(result.run.path).complete


def test_a_study_of_ones_own(material, tmp_path):
    mine = Study("mine", "none", "Does the stem matter?", (
        Entry("small", "dfrnet", {"stem": "small"}), Entry("resnet", "dfrnet", {"stem": "resnet"}),
    ), reference="small")  # fmt: skip
    made = make(mine, material, Options(tmp_path, selection="fixed", repeats=2, changes=TINY))
    assert [row["row"] for row in made.sheets[0].rows] == ["small", "resnet"]
    assert Path(tmp_path / "runs" / "dfrnet-stem=small").is_dir()


def test_all_methods_stand_in_the_comparison():
    assert {entry.method for entry in METHOD_ROWS} == set(METHODS)
