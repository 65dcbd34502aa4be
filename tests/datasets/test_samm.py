import csv

import pytest

import archive_faults
from archive_rows import make_row
from archives import found, stems, write_samm
from dfrnet.datasets import ARCHIVES, load
from dfrnet.datasets.surveys import survey

SAMM = ARCHIVES["samm"]


def row(clip="006_1_2", emotion="Anger", onset=5562, apex=5566, offset=5570, **more):
    return make_row("samm", clip[:3], clip, emotion, onset, apex, offset, **more)


ROWS = (row(pad=5), row("028_3_1", "Happiness", 1071, 1075, 1079), row("037_4_1", "Other", 988, 996, 1004))


def test_the_layout_is_read(tmp_path):
    """13 rows of text before the header; numbers of four digits in some clips and of five in others."""
    written = write_samm(tmp_path, rows=ROWS, cheap=True)
    seen = survey(SAMM, tmp_path)
    assert seen.findings == ()
    assert [clip.id for clip in seen.clips] == written.ids
    assert [clip.id for clip in seen.clips] == ["samm/006/006_1_2", "samm/028/028_3_1", "samm/037/037_4_1"]
    assert [clip.emotion for clip in seen.clips] == ["anger", "happiness", "other"]
    assert stems(seen.clips[0]) == ("006_05562", "006_05566", "006_05570")
    assert stems(seen.clips[1]) == ("028_1071", "028_1075", "028_1079")
    assert stems(seen.clips[2]) == ("037_0988", "037_0996", "037_1004")
    assert {(clip.fps, clip.cropped) for clip in seen.clips} == {(200, False)}


def test_frames_are_grey(tmp_path):
    write_samm(tmp_path, rows=ROWS[:1])
    assert survey(SAMM, tmp_path).clips[0].frames[0].shape == (650, 960)


def test_a_clip_with_both_paddings(tmp_path):
    written = write_samm(tmp_path, rows=ROWS[:1], cheap=True)
    for number, path in written.files(written.ids[0]).items():
        if number % 2:
            path.rename(path.with_name(f"006_{number}.jpg"))
    seen = survey(SAMM, tmp_path)
    assert seen.findings == ()
    numbers = [int(path.stem.split("_")[1]) for path in seen.clips[0].frames.paths]
    assert numbers == list(range(5562, 5571))


def test_rows_are_numbered_as_the_spreadsheet_does(tmp_path):
    written = write_samm(tmp_path, rows=ROWS, cheap=True)
    archive_faults.set_cell(written, written.ids[1], "Onset Frame", "soon", "bad_number")
    seen = survey(SAMM, tmp_path)
    assert found(seen.findings) == written.expected()
    assert "row 16" in seen.findings[0].sentence
    assert written.sheet.name in seen.findings[0].sentence


@pytest.mark.parametrize(
    ("cell", "units"),
    [
        ("4", ("4",)),
        ("15A+17", ("15A", "17")),
        ("(R6 or R12)+R15", ("(R6 or R12)", "R15")),
        ("ref(7B)+43", ("ref(7B)", "43")),
        ("10A/B", ("10A/B",)),
        ("L12 + 61", ("L12", "61")),
        ("12+15 ", ("12", "15")),
    ],
)
def test_spellings_of_action_units(tmp_path, cell, units):
    write_samm(tmp_path, rows=[row(units=cell)], cheap=True)
    assert survey(SAMM, tmp_path).clips[0].action_units == units


@pytest.mark.parametrize(
    ("clip", "onset", "offset", "typo"), [("028_4_1", 1126, 1134, 1143), ("032_3_1", 4896, 4904, 1930)]
)
def test_the_two_apexes_that_cannot_be(tmp_path, clip, onset, offset, typo):
    """In the untouched sheet; the edited copies say something possible there, and are left alone."""
    written = write_samm(tmp_path, rows=[row(clip, onset=onset, apex=onset + 4, offset=offset), *ROWS], cheap=True)
    edited = survey(SAMM, tmp_path)
    assert (edited.errata, edited.findings) == ((), ())
    assert edited.clips[0].apex == 4
    archive_faults.set_cell(written, written.ids[0], "Apex Frame", typo)
    seen = survey(SAMM, tmp_path)
    assert [(erratum.clip, erratum.field, erratum.old) for erratum in seen.errata] == [(written.ids[0], "apex", typo)]
    assert seen.clips[0].apex is None
    assert seen.errata[0].source
    untouched = survey(SAMM, tmp_path, errata=False)
    assert untouched.errata == ()
    assert found(untouched.findings) == [("apex_outside", written.ids[0])]
    assert untouched.clips[0].apex is None
    told = load([f"samm={tmp_path}"]).errata
    assert len(told) == 1
    assert clip in told[0]


def test_a_trimmed_copy_with_semicolons(tmp_path):
    """Public copies are .csv with ; between the cells and a subject that has lost its zeros."""
    written = write_samm(tmp_path, rows=ROWS, cheap=True)
    written.sheet.unlink()
    with (tmp_path / "samm.csv").open("w", newline="", encoding="utf-8-sig") as file:
        sheet = csv.writer(file, delimiter=";")
        sheet.writerow(["Subject", "Filename", "Onset Frame", "Apex Frame", "Offset Frame", "Estimated Emotion"])
        for one in ROWS:
            sheet.writerow([int(one.subject), one.name, one.onset, one.apex, one.offset, one.emotion])
    seen = survey(SAMM, tmp_path)
    assert [clip.id for clip in seen.clips] == written.ids
    assert found(seen.findings) == [("no_column", "")]  # action units
    assert "samm.csv" in seen.findings[0].sentence


def test_the_classes_of_the_set(tmp_path):
    rows = [row(), row("006_1_3", "Contempt"), row("020_1_1", "Happiness"), row("035_5_1", "Other")]
    write_samm(tmp_path, rows=rows, cheap=True)
    five = load([f"samm={tmp_path}"], classes="five")
    assert [clip.label for clip in five.clips] == ["anger", "contempt", "happiness", "other"]
    assert set(five.classes) == {"anger", "contempt", "happiness", "surprise", "other"}


def test_the_full_size(tmp_path):
    written = write_samm(tmp_path, None, cheap=True)
    seen = survey(SAMM, tmp_path)
    assert found(seen.findings) == []
    assert [clip.id for clip in seen.clips] == written.ids
    assert len(seen.clips) == 159
    assert len({clip.subject for clip in seen.clips}) == 29
    assert {len(path.stem) for clip in seen.clips for path in clip.frames.paths} == {8, 9}
