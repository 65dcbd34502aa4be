import shutil

import pytest

import archive_faults
from archive_rows import make_row
from archives import found, stems, write_mmew
from dfrnet.datasets import ARCHIVES, load
from dfrnet.datasets.surveys import survey

MMEW = ARCHIVES["mmew"]


def row(clip="S01-01-001", emotion="happiness", onset=1, apex=5, offset=9, **more):
    return make_row("mmew", clip[1:3], clip, emotion, onset, apex, offset, **more)


ROWS = (row(), row("S01-02-003", "surprise"), row("S30-04-010", "others", apex=9, offset=12))


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_the_layout_is_read(tmp_path, suffix):
    """Frames count from the onset, 1; the subject is a number; clips lie under their emotion."""
    written = write_mmew(tmp_path, rows=ROWS, cheap=True, suffix=suffix)
    seen = survey(MMEW, tmp_path)
    assert seen.findings == ()
    assert [clip.id for clip in seen.clips] == written.ids
    assert written.ids == ["mmew/S01/S01-01-001", "mmew/S01/S01-02-003", "mmew/S30/S30-04-010"]
    assert [stems(clip) for clip in seen.clips] == [("1", "5", "9"), ("1", "5", "9"), ("1", "9", "12")]
    assert [clip.emotion for clip in seen.clips] == ["happiness", "surprise", "others"]
    assert {(clip.fps, clip.cropped) for clip in seen.clips} == {(90, True)}


def test_pictures_are_what_they_should_be(tmp_path):
    write_mmew(tmp_path, rows=ROWS[:1])
    assert survey(MMEW, tmp_path).clips[0].frames[0].shape == (231, 231, 3)


def test_action_units_with_a_side(tmp_path):
    write_mmew(tmp_path, rows=[row(units="4+L7"), row("S01-01-002", units="12L")], cheap=True)
    assert [clip.action_units for clip in survey(MMEW, tmp_path).clips] == [("4", "L7"), ("12L",)]


def test_posed_expressions_are_passed_over(tmp_path):
    """Macro_Expression lies beside Micro_Expression."""
    written = write_mmew(tmp_path, rows=ROWS, cheap=True)
    parts = tmp_path / "MMEW_Final"
    (parts / "Macro_Expression" / "S01" / "anger").mkdir(parents=True)
    picture = written.files(written.ids[0])[1]
    shutil.copyfile(picture, parts / "Macro_Expression" / "S01" / "anger" / "S01-07-001.jpg")
    seen = survey(MMEW, tmp_path)
    assert [clip.id for clip in seen.clips] == written.ids
    assert {kind for kind, _ in found(seen.findings)} <= {"stray_files"}


def test_rows_whose_frames_are_not_there(tmp_path):
    """The released sheet has rows whose apex or offset lies behind the last frame."""
    written = write_mmew(tmp_path, rows=ROWS, cheap=True)
    archive_faults.set_cell(written, written.ids[0], "OffsetFrame", 11, "short")
    archive_faults.set_cell(written, written.ids[1], "ApexFrame", 14, "apex_outside")
    seen = survey(MMEW, tmp_path)
    assert found(seen.findings) == written.expected()
    assert [(clip.apex, clip.offset) for clip in seen.clips] == [(4, 8), (None, 8), (8, 11)]


def test_the_classes(tmp_path):
    write_mmew(tmp_path, rows=ROWS, cheap=True)
    assert [clip.label for clip in load([f"mmew={tmp_path}"]).clips] == ["positive", "surprise"]
    five = load([f"mmew={tmp_path}"], classes="five")
    assert [clip.label for clip in five.clips] == ["happiness", "surprise", "others"]


def test_many_clips(tmp_path):
    written = write_mmew(tmp_path, 60, cheap=True)
    seen = survey(MMEW, tmp_path)
    assert seen.findings == ()
    assert {clip.id for clip in seen.clips} == set(written.ids)
