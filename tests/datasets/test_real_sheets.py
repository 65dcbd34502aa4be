"""The true sheets, where they are at hand: nothing of them is copied here but counts that were published."""

import csv
import hashlib
import shutil
from collections import Counter

import pytest

import archive_rows
import archives
from archive_rows import OFFICIAL
from dfrnet.datasets import ARCHIVES
from dfrnet.datasets.labels import THREE, official
from dfrnet.datasets.surveys import survey

SHEETS = {
    "casme2": "CASME2-coding-20140508.xlsx",
    "samm": "SAMM_Micro_FACS_Codes_v2.xlsx",
    "smic": "SMIC-HS-E_annotation.xlsx",
}
LIST = "combined_3class_gt.csv"


@pytest.fixture(scope="module")
def annotations(shared):
    folder = shared / "data" / "annotations"
    if not all((folder / name).is_file() for name in (*SHEETS.values(), LIST)):
        pytest.skip("no annotation sheets in ../shared")
    return folder


@pytest.fixture
def surveyed(annotations, tmp_path):
    """Read one true sheet, with no frames at all beside it but those that the caller wrote."""

    def run(name, errata=True):
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        # A copy, never a link: whatever a test writes here must not reach the true file.
        (root / SHEETS[name]).unlink(missing_ok=True)
        (root / SHEETS[name]).write_bytes((annotations / SHEETS[name]).read_bytes())
        return survey(ARCHIVES[name], root, errata)

    return run


@pytest.mark.parametrize(("name", "rows", "people"), [("casme2", 255, 26), ("samm", 159, 29), ("smic", 162, 16)])
def test_every_row_is_read(surveyed, name, rows, people):
    seen = surveyed(name)
    assert len(seen.annotations) == rows
    assert len({one.id for one in seen.annotations}) == rows
    assert len({one.subject for one in seen.annotations}) == people
    assert {finding.kind for finding in seen.findings} <= {"no_folder", "no_apex", "stray_row"}
    assert len(seen.left_out) == rows  # there are no frames
    assert seen.clips == ()


@pytest.mark.parametrize("name", ["casme2", "samm"])
def test_emotions_are_those_published(surveyed, name):
    counted = Counter(one.emotion for one in surveyed(name).annotations)
    assert counted == {emotion.lower(): count for emotion, count in archive_rows.FULL[name].items()}
    assert counted == dict(ARCHIVES[name].published.emotions)


def test_smics_labels_but_for_the_two_clips_that_lack(surveyed):
    """70, 51 and 43 are published; the erratum turns the one label that its own name contradicts."""
    assert Counter(one.emotion for one in surveyed("smic").annotations) == {
        "negative": 69, "positive": 51, "surprise": 42,
    }  # fmt: skip
    assert len(surveyed("smic").errata) == 1
    assert len(surveyed("smic", errata=False).errata) == 0


@pytest.mark.parametrize("name", list(SHEETS))
def test_frame_numbers_are_numbers_in_order(surveyed, name):
    """Formulas too: their cached values count."""
    for one in surveyed(name).annotations:
        assert one.onset is not None
        assert one.offset is not None
        assert one.onset < one.offset < one.onset + 2000
        assert one.apex is None or one.onset <= one.apex <= one.offset
        assert name != "smic" or one.apex is None
        assert one.where.startswith(SHEETS[name])


def test_casme2s_apexes(surveyed):
    """One is "/", one is the onset."""
    rows = surveyed("casme2").annotations
    assert [one.id for one in rows if one.apex is None] == ["casme2/sub04/EP12_01f"]
    assert [one.id for one in rows if one.apex == one.onset] == ["casme2/sub05/EP09_05f"]
    assert sum(one.apex == one.offset for one in rows) == 4
    assert sum(not one.action_units for one in rows) == 5


def test_every_clip_of_the_list_has_a_row_or_a_folder(surveyed, tmp_path):
    """440 rows; two clips of SMIC are in no row of this sheet and come from their folders."""
    clips = official()
    rows = {one.id: one for name in SHEETS for one in surveyed(name).annotations}
    lacking = sorted(clip for clip in clips if clip not in rows)
    assert lacking == ["smic/s01/s01_ne_02", "smic/s02/s02_sur_05"]
    assert len(clips) - len(lacking) == 440
    made = [
        archive_rows.make_row("smic", "1", "s1_ne_02", "negative", 100, 103, 106),
        archive_rows.make_row("smic", "2", "s2_sur_05", "surprise", 200, 203, 206),
    ]
    archives.write_smic(tmp_path / "made", rows=made, cheap=True)
    shutil.copytree(tmp_path / "made" / "SMIC_all_cropped", tmp_path / "smic" / "SMIC_all_cropped")
    seen = surveyed("smic")
    assert sorted(clip.id for clip in seen.clips) == lacking
    assert {one.id for one in seen.annotations} >= {clip for clip in clips if clip.startswith("smic/")}


def test_the_lists_labels_follow_from_the_sheets_emotions(surveyed):
    """But for clips of CASME II whose emotion the sheet of 2019 changed."""
    grouping = {emotion: label for label, emotions in THREE.items() for emotion in emotions}
    clips = official()
    wrong = [
        one.id for name in SHEETS for one in surveyed(name).annotations
        if one.id in clips and grouping.get(one.emotion) != clips[one.id]
    ]  # fmt: skip
    assert len(wrong) <= 3
    assert all(clip.startswith("casme2/") for clip in wrong)


def test_the_packages_list_is_the_organisers(annotations):
    text = (annotations / LIST).read_bytes()
    assert hashlib.md5(text).hexdigest() == "ed429a7d56fbf800d5aeecdedec21a7a"
    published = set()
    for dataset, subject, clip, label in csv.reader(text.decode().splitlines()):
        person = f"{int(subject):03}" if dataset == "samm" else subject
        published.add((dataset, person, clip, ("negative", "positive", "surprise")[int(label)]))
    with OFFICIAL.open(newline="", encoding="utf-8") as file:
        ours = {(line["dataset"], line["subject"], line["clip"], line["label"]) for line in csv.DictReader(file)}
    assert hashlib.md5(repr(sorted(ours)).encode()).digest() == hashlib.md5(repr(sorted(published)).encode()).digest()
    assert ours == published
