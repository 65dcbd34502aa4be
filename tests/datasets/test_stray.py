"""What a folder may hold that nobody ordered: one clear sentence each, and the rest is used all the same."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

import archive_faults
from archives import found, write_casme2
from dfrnet.datasets import ARCHIVES, load
from dfrnet.datasets.check import check
from dfrnet.datasets.surveys import survey
from dfrnet.types import UserError

CASME2 = ARCHIVES["casme2"]


def doctor(written):
    (report,) = check("casme2", written.root)
    return report


def sentence_of(findings, kind):
    (sentence,) = [finding.sentence for finding in findings if finding.kind == kind]
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("damage", [archive_faults.truncate_frame, archive_faults.empty_frame])
def test_a_damaged_picture_is_named_and_costs_one_clip(tmp_path, damage):
    written = write_casme2(tmp_path, clips=3)
    damage(written, written.ids[1])
    report = doctor(written)
    assert found(report.findings) == written.expected()
    assert written.planted[0].what.split()[0] in sentence_of(report.findings, "undecodable")
    assert [clip.id for clip in report.usable] == [written.ids[0], written.ids[2]]


def test_a_picture_of_another_size_and_a_picture_twice(tmp_path):
    written = write_casme2(tmp_path, clips=3)
    archive_faults.resize_frame(written, written.ids[0])
    archive_faults.repeat_frame(written, written.ids[2])
    report = doctor(written)
    assert found(report.findings) == written.expected()


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [
        ("OnsetFrame", "46?", "bad_number"),
        ("OffsetFrame", "86 or 87", "bad_number"),
        ("OnsetFrame", 46.5, "bad_number"),
        ("ApexFrame", "about 59", "bad_apex"),
    ],
)
def test_text_in_a_number_cell(tmp_path, column, value, kind):
    """The row is named. An apex can be searched for; without onset or offset the clip is left out."""
    written = write_casme2(tmp_path, clips=3, cheap=True)
    archive_faults.set_cell(written, written.ids[1], column, value, kind)
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == written.expected()
    sentence = sentence_of(seen.findings, kind)
    assert f"{written.sheet.name}, row 3" in sentence
    assert str(value) in sentence
    assert written.ids[1] in sentence
    assert len(seen.clips) == (3 if kind == "bad_apex" else 2)


def test_a_row_without_an_emotion(tmp_path):
    written = write_casme2(tmp_path, clips=3, cheap=True)
    archive_faults.set_cell(written, written.ids[1], "Estimated Emotion", "", "no_emotion")
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == written.expected()
    assert "row 3" in sentence_of(seen.findings, "no_emotion")


def test_an_offset_before_the_onset(tmp_path):
    written = write_casme2(tmp_path, clips=3, cheap=True)
    row = written.rows[1]
    archive_faults.set_cell(written, row.id, "OffsetFrame", row.onset - 1, "order")
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == written.expected()
    assert "row 3" in sentence_of(seen.findings, "order")
    assert len(seen.clips) == 2


def test_a_row_twice(tmp_path):
    written = write_casme2(tmp_path, clips=3, cheap=True)
    archive_faults.repeat_row(written, written.ids[0])
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == written.expected()
    assert "row 2" in sentence_of(seen.findings, "twice")
    assert "row 5" in sentence_of(seen.findings, "twice")
    assert len(seen.clips) == 3


@pytest.mark.parametrize("column", ["OnsetFrame", "OffsetFrame", "Filename", "Estimated Emotion"])
def test_a_renamed_column_is_named(tmp_path, column):
    written = write_casme2(tmp_path, clips=3, cheap=True)
    archive_faults.rename_column(written, column, "Mine")
    with pytest.raises(UserError) as error:
        survey(CASME2, tmp_path)
    assert written.sheet.name in str(error.value)
    assert column in str(error.value)
    assert "Mine" in str(error.value)


def test_a_renamed_apex_column_costs_no_clip(tmp_path):
    written = write_casme2(tmp_path, clips=3, cheap=True)
    archive_faults.rename_column(written, "ApexFrame", "Mine")
    seen = survey(CASME2, tmp_path)
    assert "ApexFrame" in sentence_of(seen.findings, "no_column")
    assert {finding.kind for finding in seen.findings} <= {"no_column", "no_apex"}
    assert [clip.apex for clip in seen.clips] == [None] * 3


@pytest.mark.parametrize("which", ["onset", "apex", "offset", "between"])
def test_a_missing_frame(tmp_path, which):
    written = write_casme2(tmp_path, clips=3, cheap=True)
    archive_faults.remove_frame(written, written.ids[1], which)
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == written.expected()
    assert all(written.ids[1] in finding.sentence for finding in seen.findings)
    assert len(seen.clips) == (2 if which == "onset" else 3)


def test_two_files_with_one_number(tmp_path):
    written = write_casme2(tmp_path, clips=3)
    archive_faults.double_number(written, written.ids[1])
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == written.expected()
    assert "reg_img" in sentence_of(seen.findings, "duplicate_number")
    assert len(seen.clips) == 3
    assert len(seen.clips[1].frames) == 9


def test_a_missing_folder(tmp_path):
    written = write_casme2(tmp_path, clips=3, cheap=True)
    archive_faults.remove_folder(written, written.ids[1])
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == written.expected()
    assert "row 3" in sentence_of(seen.findings, "no_folder")
    assert len(seen.clips) == 2


def test_an_empty_folder(tmp_path):
    written = write_casme2(tmp_path, clips=3, cheap=True)
    for path in written.files(written.ids[1]).values():
        path.unlink()
    seen = survey(CASME2, tmp_path)
    assert [finding.clip for finding in seen.left_out] == [written.ids[1]]
    assert len(seen.clips) == 2


@contextmanager
def somebody_else():
    """Root may read everything: the rest of the test is done by a user who may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_without_permission():
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        written = write_casme2(root / "data", clips=3, cheap=True)
        survey(CASME2, written.root)  # everything is imported now, whoever runs the rest
        folder = archive_faults.lock_folder(written, written.ids[1])
        try:
            with somebody_else():
                if os.access(folder, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
                    pytest.skip("permissions do not count here")
                seen = survey(CASME2, written.root)
        finally:
            folder.chmod(0o755)
    assert found(seen.findings) == written.expected()
    assert str(folder) in sentence_of(seen.findings, "unreadable")
    assert len(seen.clips) == 2


def test_a_link_that_leads_back(tmp_path):
    written = write_casme2(tmp_path, clips=3, cheap=True)
    archive_faults.add_link_loop(written)
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == written.expected()
    assert "again" in sentence_of(seen.findings, "link_loop")
    assert len(seen.clips) == 3


def test_a_link_to_another_disk_is_followed(tmp_path):
    written = write_casme2(tmp_path / "data", clips=3, cheap=True)
    (tmp_path / "data" / "Cropped").rename(tmp_path / "elsewhere")
    (tmp_path / "data" / "Cropped").symlink_to(tmp_path / "elsewhere")
    seen = survey(CASME2, written.root)
    assert seen.findings == ()
    assert len(seen.clips) == 3
    assert all(clip.cropped for clip in seen.clips)


def test_a_link_that_leads_nowhere(tmp_path):
    written = write_casme2(tmp_path, clips=3, cheap=True)
    (tmp_path / "Cropped" / "sub99").symlink_to(tmp_path / "gone")
    seen = survey(CASME2, written.root)
    assert len(seen.clips) == 3
    assert seen.left_out == ()


def test_ten_thousand_stray_files(tmp_path):
    written = write_casme2(tmp_path, clips=3, cheap=True)
    archive_faults.add_strays(written, 10_000)
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == written.expected()
    assert "10000" in sentence_of(seen.findings, "stray_files").replace(",", "")
    assert len(seen.clips) == 3


def test_what_systems_leave_behind_is_not_worth_a_word(tmp_path):
    written = write_casme2(tmp_path, clips=3, cheap=True)
    folder = next(iter(written.files(written.ids[0]).values())).parent
    for name in (".DS_Store", "._reg_img46.jpg"):
        (folder / name).write_bytes(b"left behind")
    (tmp_path / "~$CASME2-coding-20140508.xlsx").write_bytes(b"open in a spreadsheet program")
    (tmp_path / "__MACOSX").mkdir()
    seen = survey(CASME2, tmp_path)
    assert seen.findings == ()
    assert len(seen.clips) == 3


def test_everything_at_once(tmp_path):
    """The full set of faults on one archive; the doctor finds these and no others."""
    written = write_casme2(tmp_path, None, trees=["cropped"], frames=9, cheap=True)
    archive_faults.plant_full(written)
    cheap = {"undecodable", "sizes", "odd_size", "duplicate_file", "damaged"}  # one picture stands for all here
    expected = [one for one in written.expected() if one[0] not in cheap]
    assert [one for one in found(survey(CASME2, tmp_path).findings) if one[0] not in cheap] == expected


def test_the_root(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        survey(CASME2, tmp_path / "nowhere")
    (tmp_path / "empty" / "folder").mkdir(parents=True)
    with pytest.raises(UserError, match="sheet"):
        survey(CASME2, tmp_path / "empty" / "folder")
    with pytest.raises(UserError):
        load([f"casme2={tmp_path / 'nowhere'}"])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a spreadsheet", b"<html>log in first</html>"])
def test_a_sheet_that_is_none(tmp_path, content):
    written = write_casme2(tmp_path / "data", clips=3, cheap=True)
    written.sheet.write_bytes(content)
    with pytest.raises(UserError) as error:
        survey(CASME2, written.root)
    assert written.sheet.name in str(error.value)


def test_the_command_line(tmp_path, python):
    """Faults of every sort: one sentence each, status 1, no traceback."""
    written = write_casme2(tmp_path / "data", clips=8)
    archive_faults.truncate_frame(written, written.ids[0])
    archive_faults.remove_folder(written, written.ids[1])
    archive_faults.set_cell(written, written.ids[2], "OnsetFrame", "soon", "bad_number")
    archive_faults.double_number(written, written.ids[3])
    archive_faults.add_link_loop(written)
    archive_faults.add_strays(written)
    done = python("-m", "dfrnet", "data", "check", "casme2", written.root, "--all", "--jobs", 1)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    for planted in written.planted:
        assert planted.kind in done.stdout
        assert planted.clip in done.stdout


def test_the_command_line_on_a_whole_archive(tmp_path, python):
    written = write_casme2(tmp_path / "data", clips=3)
    done = python("-m", "dfrnet", "data", "check", "casme2", written.root, "--jobs", 1)
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize("fault", ["no folder", "renamed column"])
def test_the_command_line_says_what_a_user_must_mend(tmp_path, python, fault):
    written = write_casme2(tmp_path / "data", clips=2, cheap=True)
    if fault == "no folder":
        shutil.rmtree(written.root)
    else:
        archive_faults.rename_column(written, "OnsetFrame", "Mine")
    done = python("-m", "dfrnet", "data", "check", "casme2", written.root)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert str(written.root) in (done.stdout + done.stderr).replace("\n", "")


def test_the_generator_never_writes_through_a_link(tmp_path):
    """A test may have put a link to somebody's true sheet where a fake one goes."""
    true = tmp_path / "true.xlsx"
    true.write_bytes(b"not ours")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "CASME2-coding-20140508.xlsx").symlink_to(true)
    write_casme2(tmp_path / "data", clips=2, cheap=True)
    assert true.read_bytes() == b"not ours"
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with pytest.raises(ValueError, match="link"):
        write_casme2(tmp_path / "link", clips=2, cheap=True)
