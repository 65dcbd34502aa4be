"""Each written file through a reader that shares nothing with ours: of Python, of pympi, or a few lines here."""

import csv
import itertools
import json
import re
import xml.etree.ElementTree as ET
import zipfile
from bisect import bisect_left
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from recordings import CASES, HARD, hard, ordinary

from dfrnet.exchange import FORMATS, write
from dfrnet.exchange.results import Wanted, analyze_all

every_case = pytest.mark.parametrize("case", CASES)


def test_csv_by_column(tmp_path):
    write(ordinary(), tmp_path / "events.csv")
    with (tmp_path / "events.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert first == {
        "start_s": "1.2004", "apex_s": "1.3104", "end_s": "1.4804", "duration_ms": "280", "kind": "micro",
        "label": "surprise", "p_negative": "0.1000", "p_positive": "0.2000", "p_surprise": "0.7000", "score": "0.6123",
        "regions": "between_brows+left_brow", "action_units": "AU1+AU2+LAU12C", "quality": "low frame rate",
        "track": "1", "note": "to be confirmed",
    }  # fmt: skip
    assert second["label"] == ""
    assert second["score"] == "0.9000"
    write(hard(), tmp_path / "events.csv")
    with (tmp_path / "events.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["note"] == HARD


def test_json_names_its_schema_and_units(tmp_path):
    write(ordinary(), tmp_path / "events.json")
    whole = json.loads((tmp_path / "events.json").read_text(encoding="utf-8"))
    assert (whole["schema"], whole["version"]) == ("dfrnet-events", 1)
    assert whole["dfrnet"]
    assert whole["units"]["start"].startswith("seconds")
    assert whole["assessable"] == pytest.approx(1 - 2.5 / 12.5)
    assert whole["events"][0]["regions"] == ["between_brows", "left_brow"]
    assert whole["intervals"][1] == {"start": 8.0, "end": 9.0, "reason": "no face", "track": None}


@every_case
def test_elan_file_is_sound(case, tmp_path):
    path = tmp_path / "events.eaf"
    write(CASES[case](), path)
    root = ET.parse(path).getroot()
    assert root.find("HEADER").get("TIME_UNITS") == "milliseconds"
    slots = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")}
    assert len(slots) == len(root.findall("TIME_ORDER/TIME_SLOT"))
    assert list(slots.values()) == sorted(slots.values())
    types = {one.get("LINGUISTIC_TYPE_ID") for one in root.iter("LINGUISTIC_TYPE")}
    ids = [one.get("ANNOTATION_ID") for one in root.iter("ALIGNABLE_ANNOTATION")]
    assert len(ids) == len(set(ids))
    names = [tier.get("TIER_ID") for tier in root.iter("TIER")]
    assert len(names) == len(set(names))
    for tier in root.iter("TIER"):
        assert tier.get("LINGUISTIC_TYPE_REF") in types
        spans = sorted(
            (slots[a.get("TIME_SLOT_REF1")], slots[a.get("TIME_SLOT_REF2")]) for a in tier.iter("ALIGNABLE_ANNOTATION")
        )
        assert all(start < end for start, end in spans)
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans)), "overlap on a tier"


def test_elan_by_pympi(tmp_path):
    elan = pytest.importorskip("pympi").Elan
    video = tmp_path / "talk.mp4"
    video.write_bytes(b"")
    write(replace(ordinary(), source=str(video)), tmp_path / "events.eaf")
    eaf = elan.Eaf(str(tmp_path / "events.eaf"))
    assert {"ME_candidate", "apex", "AU", "emotion", "quality", "quality@face1"} == set(eaf.get_tier_names())
    assert eaf.get_annotation_data_for_tier("ME_candidate")[0] == (
        1200, 1480,
        "micro; score=0.6123; regions=between_brows+left_brow; quality=low frame rate; note=to be confirmed; id=1",
    )  # fmt: skip
    assert eaf.get_annotation_data_for_tier("apex")[0] == (1310, 1320, "apex; id=1")  # a frame at 99.87 a second
    assert eaf.get_annotation_data_for_tier("AU") == [(1200, 1480, "AU1+AU2+LAU12C; id=1")]
    said = eaf.get_annotation_data_for_tier("emotion")[0][2]
    assert said == "surprise; p=negative:0.1+positive:0.2+surprise:0.7; id=1"
    assert eaf.get_annotation_data_for_tier("quality") == [(8000, 9000, "no face")]
    assert eaf.get_parameters_for_tier("AU")["PARTICIPANT"] == "face 1"
    media = eaf.get_linked_files()[0]
    assert media["MEDIA_URL"] == video.as_uri()
    assert media["RELATIVE_MEDIA_URL"] == "./talk.mp4"
    assert media["MIME_TYPE"] == "video/mp4"


@every_case
def test_boris_project_is_what_boris_reads(case, tmp_path):
    recording = CASES[case]()
    path = tmp_path / "events.boris"
    write(recording, path)
    raw = path.read_bytes()
    project = json.loads(raw.decode("ascii"))
    assert {
        "time_format", "project_date", "project_name", "project_description", "project_format_version",
        "subjects_conf", "behaviors_conf", "observations", "behavioral_categories", "independent_variables",
        "coding_map", "behaviors_coding_map", "converters",
    } == set(project)  # fmt: skip
    kinds = {one["code"]: one["type"] for one in project["behaviors_conf"].values()}
    subjects = {one["name"] for one in project["subjects_conf"].values()} | {""}
    ((_, observation),) = project["observations"].items()
    events = observation["events"]
    assert events == sorted(events, key=lambda row: row[0])
    if recording.source:
        assert observation["file"]["1"] == [recording.source]
        assert observation["media_info"]["length"] == {recording.source: recording.duration}
    times = {}
    for at, row in enumerate(events):
        time, subject, code, modifier, comment, *_ = row
        assert isinstance(comment, str)
        assert subject in subjects
        assert round(time, 3) == time
        if kinds[code] == "Point event":
            continue
        # BORIS: a state starts where an even number of equal ones came earlier, by time alone.
        key = (subject, code, modifier)
        seen = times.setdefault(key, [])
        assert bisect_left(seen, time) == len(seen), f"event {at} would be paired otherwise"
        seen.append(time)
    assert not any(len(seen) % 2 for seen in times.values())


def test_boris_table_by_column(tmp_path):
    write(ordinary(), tmp_path / "events.csv", "boris")
    with (tmp_path / "events.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["Behavior"] in {"micro", "apex"}]
    assert [(row["Time"], row["Behavior type"]) for row in rows[:3]] == [
        ("1.200", "START"), ("1.310", "POINT"), ("1.480", "STOP"),
    ]  # fmt: skip
    assert {row["Subject"] for row in rows} == {"face 1"}


CELL = re.compile(r"\d\d:\d\d:\d\d:\d\d\d,\d\d:\d\d:\d\d:\d\d\d,\(((?:[^\\(),|\n-]|\\[\s\S]|,)*)\)")
COLUMN = re.compile(r"\w+ \(MATRIX,true,\)-\w+\|NOMINAL(,\w+\|NOMINAL)*")


@every_case
def test_datavyu_text_keeps_its_grammar(case, tmp_path):
    path = tmp_path / "events.opf"
    write(CASES[case](), path)
    with zipfile.ZipFile(path) as file:
        assert file.namelist() == ["project", "db"]
        assert file.read("project").decode().startswith("!project\n")
        text = file.read("db").decode("utf-8")
    lines = re.sub(r"\\\n", "\\\0", text).split("\n")  # a backslash takes the next line in
    assert lines[0] == "#4"
    assert lines[-1] == ""
    columns = cells = 0
    for line in lines[1:-1]:
        columns += bool(COLUMN.fullmatch(line))
        cells += bool(CELL.fullmatch(line))
    assert (columns, cells) == (3, len(CASES[case]().events) + len(CASES[case]().intervals) + 1)
    assert columns + cells == len(lines) - 2


@every_case
def test_bids_table_and_sidecar(case, tmp_path):
    recording = CASES[case]()
    write(recording, tmp_path / "sub-01_task-talk_events.tsv")
    text = (tmp_path / "sub-01_task-talk_events.tsv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE))
    sidecar = json.loads((tmp_path / "sub-01_task-talk_events.json").read_text(encoding="utf-8"))
    head = text.split("\n")[0].split("\t")
    assert head[:3] == ["onset", "duration", "trial_type"]
    assert all(sidecar[name]["Description"] for name in head)
    assert len(rows) == len(recording.events) + len(recording.intervals)
    onsets = [float(row["onset"]) for row in rows]
    assert onsets == sorted(onsets)
    assert all(float(row["duration"]) >= 0 for row in rows)
    assert all(cell != "" and None not in row for row in rows for cell in row.values()), "n/a, never empty"
    levels = sidecar["trial_type"]["Levels"]
    assert {"micro", "macro", "not_assessable"} == set(levels)
    assert sidecar["dfrnet"]["record"] == recording.record


def long_text_grid(text):
    """Tiers of a TextGrid in Praat's long form: {name: (class, [fields])}, by its labels."""
    value = r'"(?:[^"]|"")*"|[\d.]+'
    tiers = {}
    for part in re.split(r"\n    item \[\d+\]:\n", text)[1:]:
        head = re.match(rf'\s*class = "(\w+)"\s*name = ({value})\s*xmin = (\S+)\s*xmax = (\S+)\s*', part)
        count = int(re.match(r"(?:intervals|points): size = (\d+)", part[head.end() :])[1])
        rows = re.findall(
            rf"(?:xmin|number) = ({value})\n\s*(?:xmax = ({value})\n\s*)?(?:text|mark) = ({value})", part[head.end() :]
        )
        assert len(rows) == count
        tiers[head[2][1:-1]] = (head[1], float(head[4]), rows)
    return tiers


@every_case
def test_text_grid_is_what_praat_reads(case, tmp_path):
    path = tmp_path / "events.TextGrid"
    write(CASES[case](), path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = ')
    tiers = long_text_grid(text)
    assert len(tiers) == int(re.search(r"^size = (\d+)$", text, re.MULTILINE)[1])
    for name, (kind, last, rows) in tiers.items():
        if kind == "TextTier":
            assert name.startswith("apex")
            times = [float(row[0]) for row in rows]
            assert all(one < other for one, other in itertools.pairwise(times))
            continue
        assert float(rows[0][0]) == 0
        assert float(rows[-1][1]) == last
        assert all(float(row[0]) < float(row[1]) for row in rows)
        assert all(one[1] == other[0] for one, other in itertools.pairwise(rows)), "gap or overlap"


def test_text_grid_by_pympi(tmp_path):
    praat = pytest.importorskip("pympi").Praat
    write(ordinary(), tmp_path / "events.TextGrid")
    grid = praat.TextGrid(str(tmp_path / "events.TextGrid"), codec="utf-8")
    assert grid.get_tier("apex").tier_type == "TextTier"
    assert [row[:2] for row in grid.get_tier("ME_candidate").get_intervals() if row[2]] == [
        (1.2004, 1.4804), (3.0, 4.25),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def analysed(drawn, tmp_path_factory):
    """The folder of one recording as an analysis leaves it: every format, the picture, the overlay."""
    out = tmp_path_factory.mktemp("analysed")
    wanted = Wanted(formats=tuple(FORMATS), overlay="plain", purpose="a test")
    (found,) = analyze_all([drawn[0]], out, wanted)
    assert not found.failed
    assert found.micro > 1
    return out / "person", json.loads((out / "person" / "events.json").read_text(encoding="utf-8"))


def columns(path, separator=","):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=separator))


def test_what_an_analysis_wrote_opens_everywhere(analysed):
    """Times, kinds and regions of each movement through the readers of other people, to the millisecond."""
    folder, whole = analysed
    pympi = pytest.importorskip("pympi")
    true = [tuple(round(event[name] * 1000) for name in ("start", "apex", "end")) for event in whole["events"]]
    kinds = [event["kind"] for event in whole["events"]]

    rows = columns(folder / "events.csv")
    assert [tuple(round(float(row[f"{n}_s"]) * 1000) for n in ("start", "apex", "end")) for row in rows] == true
    assert [row["regions"].split("+")[0] for row in rows] == [event["regions"][0] for event in whole["events"]]

    eaf = pympi.Elan.Eaf(str(folder / "person.eaf"))
    marks = eaf.get_annotation_data_for_tier("ME_candidate")
    assert [(start, end) for start, end, _ in marks] == [(start, end) for start, _, end in true]
    assert [words.partition(";")[0] for _, _, words in marks] == kinds
    assert eaf.get_linked_files()[0]["MEDIA_URL"] == Path(whole["source"]).as_uri()

    grid = pympi.Praat.TextGrid(str(folder / "person.TextGrid"), codec="utf-8")
    spans = [row for row in grid.get_tier("ME_candidate").get_intervals() if row[2]]
    assert [(round(start * 1000), round(end * 1000)) for start, end, _ in spans] == [(s, e) for s, _, e in true]
    assert [round(time * 1000) for time, *_ in grid.get_tier("apex").get_intervals()] == [apex for _, apex, _ in true]

    (observation,) = json.loads((folder / "person.boris").read_text(encoding="ascii"))["observations"].values()
    points = [row for row in observation["events"] if row[2] == "apex"]
    assert [round(row[0] * 1000) for row in points] == [apex for _, apex, _ in true]
    assert observation["file"]["1"] == [whole["source"]]

    rows = [row for row in columns(folder / "person_events.tsv", "\t") if row["trial_type"] in ("micro", "macro")]
    assert [round(float(row["onset"]) * 1000) for row in rows] == [start for start, _, _ in true]
    assert [row["trial_type"] for row in rows] == kinds
    assert json.loads((folder / "person_events.json").read_text(encoding="utf-8"))["dfrnet"]["record"]["purpose"]

    with zipfile.ZipFile(folder / "person.opf") as file:
        cells = [line for line in file.read("db").decode("utf-8").split("\n") if CELL.fullmatch(line)]
    times = [
        tuple(sum(int(v) * f for v, f in zip(part.split(":"), FACTORS, strict=True)) for part in line.split(",")[:2])
        for line in cells
    ]
    assert all((start, end) in times for start, _, end in true)


FACTORS = (3_600_000, 60_000, 1000, 1)  # milliseconds of hours, minutes, seconds and themselves


def test_the_pictures_of_an_analysis_open(analysed):
    av = pytest.importorskip("av")
    pytest.importorskip("matplotlib")
    folder, whole = analysed
    picture = cv2.imread(str(folder / "timeline.png"))
    assert picture.shape[1] > 1000
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    with av.open(str(folder / "overlay.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert len(times) == whole["record"]["frames"]
    assert times[-1] == pytest.approx(whole["duration"], abs=0.05)
