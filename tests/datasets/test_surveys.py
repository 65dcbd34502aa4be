"""What is alike for all archives: where things lie, which sheet and tree count, and that nothing goes in silence."""

import logging
import shutil

import pytest

import archive_faults
import archives
from archive_rows import full_rows
from archives import found, write_casme2, write_mmew, write_samm, write_smic
from dfrnet.datasets import ARCHIVES, load
from dfrnet.datasets.check import check, render
from dfrnet.datasets.surveys import survey
from dfrnet.types import UserError

CASME2 = ARCHIVES["casme2"]


@pytest.fixture
def written(tmp_path):
    """Six clips of CASME II in two trees."""
    return write_casme2(tmp_path / "data", clips=6, trees=["raw", "cropped"], cheap=True)


def kinds(seen):
    return {finding.kind for finding in seen.findings}


@pytest.mark.parametrize("spelling", [".", "./", "../data", "Cropped", "Cropped/", "CASME2-RAW"])
def test_any_spelling_of_the_root_will_do(written, monkeypatch, spelling):
    monkeypatch.chdir(written.root)
    (report,) = check("casme2", archives.Path(spelling))
    assert [clip.id for clip in report.usable] == written.ids
    assert all(clip.cropped for clip in report.usable) == (spelling != "CASME2-RAW")
    assert "casme2" in render([report])


def test_a_root_that_is_a_link_with_the_sheet_beside_it(written, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "link").symlink_to(written.root / "Cropped")
    sheet = tmp_path / "mine" / written.sheet.name
    shutil.move(written.sheet, sheet)
    seen = survey(CASME2, tmp_path / "mine" / "link")
    assert (seen.sheet, len(seen.clips)) == (sheet, 6)


def test_home_folders_are_found(written, monkeypatch):
    monkeypatch.setenv("HOME", str(written.root.parent))
    assert len(load(["casme2=~/data"], classes="emotion").clips) == 6
    with pytest.raises(UserError, match="no such home folder"):
        load(["casme2=~nobody-of-that-name/data"])


def test_a_tree_that_is_not_cropped_is_not_taken_for_it(tmp_path):
    written = write_casme2(tmp_path, clips=3, cheap=True, trees=["raw"])
    (tmp_path / "CASME2-RAW").rename(tmp_path / "Uncropped")
    seen = survey(CASME2, tmp_path)
    assert [clip.id for clip in seen.clips] == written.ids
    assert not any(clip.cropped for clip in seen.clips)


def test_sheets_of_other_data_sets_beside_the_root_do_not_count(tmp_path):
    parts = [write_casme2(tmp_path / "casme2", clips=3, cheap=True), write_samm(tmp_path / "samm", clips=3, cheap=True)]
    parts.append(write_smic(tmp_path / "smic", clips=3, cheap=True))
    for part in parts:
        shutil.move(part.sheet, tmp_path / part.sheet.name)
    for part in parts:
        seen = survey(ARCHIVES[part.name], part.root)
        assert seen.sheet == tmp_path / part.sheet.name
        assert [clip.id for clip in seen.clips] == part.ids
        assert "stray_row" not in kinds(seen) or part.name == "smic"


def test_a_smaller_sheet_of_the_same_clips_does_not_cut_the_set_down(written, caplog):
    subset = write_casme2(written.root.parent / "other", rows=written.rows[:2], cheap=True)
    shutil.copy(subset.sheet, written.root / "my_subset.xlsx")
    with caplog.at_level(logging.WARNING):
        loaded = load([f"casme2={written.root}"], classes="emotion")
    assert [clip.id for clip in loaded.clips] == written.ids
    assert "my_subset.xlsx (2 rows) is not used" in caplog.text


@pytest.mark.parametrize("fault", ["cut", "renamed"])
def test_a_sheet_that_cannot_be_read_is_named_though_another_one_can(written, caplog, fault):
    later = write_casme2(written.root.parent / "later", rows=written.rows, cheap=True, version="2019")
    if fault == "renamed":
        archive_faults.rename_column(later, "OnsetFrame", "Mine")
    data = later.sheet.read_bytes()
    (written.root / later.sheet.name).write_bytes(data if fault == "renamed" else data[:300])
    with caplog.at_level(logging.WARNING):
        load([f"casme2={written.root}"], classes="emotion")
    assert found(survey(CASME2, written.root).findings) == [("bad_sheet", "")]
    assert later.sheet.name in caplog.text


def test_a_sheet_without_rows_and_a_set_without_clips_are_errors(tmp_path):
    empty = write_casme2(tmp_path / "a", rows=[], cheap=True)
    with pytest.raises(UserError, match=f"{empty.sheet.name}: no row of it is an annotation of CASME II"):
        survey(CASME2, empty.root)
    bare = write_casme2(tmp_path / "b", clips=3, cheap=True)
    shutil.rmtree(bare.root / "Cropped")
    with pytest.raises(
        UserError, match=r"no clip of CASME II can be used; the first of 3 reasons: .*no folder of frames"
    ):
        load([f"casme2={bare.root}"])
    (report,) = check("casme2", bare.root)
    assert "none that can be read" in render([report])


def test_a_link_to_itself_stops_nothing(written):
    (written.root / "loop").symlink_to("loop")
    seen = survey(CASME2, written.root)
    assert found(seen.findings) == [("link_loop", "")]
    assert len(seen.clips) == 6


def test_a_csv_that_is_no_table_stops_nothing(written):
    (written.root / "notes.csv").write_text('"' + "x" * 200_000, encoding="utf-8")
    assert len(survey(CASME2, written.root).clips) == 6


def test_pictures_without_numbers_are_no_frames(tmp_path):
    written = write_casme2(tmp_path, clips=2, cheap=True)
    for index, path in enumerate(written.files(written.ids[0]).values()):
        path.rename(path.with_name("face" + "x" * index + path.suffix))
    seen = survey(CASME2, tmp_path)
    assert found(seen.left_out) == [("no_folder", written.ids[0])]
    assert "stray_files" in kinds(seen)


def test_of_two_files_with_one_number_the_copy_does_not_count(tmp_path):
    written = write_casme2(tmp_path, clips=1, cheap=True)
    number, path = next(iter(written.files(written.ids[0]).items()))
    shutil.copy(path, path.with_name(f"reg_img999 ({number}).jpg"))
    (clip,) = survey(CASME2, tmp_path).clips
    assert clip.frames.paths[0] == path


def test_the_same_names_in_another_set_are_a_warning(tmp_path, caplog):
    write_casme2(tmp_path / "CASME2", clips=3, cheap=True)
    write_casme2(tmp_path / "CASME", clips=3, cheap=True).sheet.unlink()
    with caplog.at_level(logging.WARNING):
        load([f"casme2={tmp_path}"], classes="emotion")
    assert "something is amiss with 3 clips" in caplog.text


def test_names_are_made_alike(tmp_path):
    rows = [row for row in full_rows("casme2") if row.name.startswith("EP")][:3]
    written = write_casme2(tmp_path / "c", rows=rows, cheap=True)
    for row in rows:
        archive_faults.set_cell(written, row.id, "Filename", row.name.lower())
    assert [clip.id for clip in survey(CASME2, written.root).clips] == written.ids
    mmew = write_mmew(tmp_path / "m", clips=3, cheap=True)
    for row in mmew.rows:
        archive_faults.set_cell(mmew, row.id, "Filename", row.name.replace("S0", "S", 1))
    seen = survey(ARCHIVES["mmew"], mmew.root)
    assert [clip.id for clip in seen.clips] == mmew.ids


@pytest.mark.parametrize("folder", ["VIS", "NIR"])
def test_pointing_at_the_slow_camera_gives_no_clips(tmp_path, folder):
    written = write_smic(tmp_path / "x", clips=3, cheap=True)
    written.sheet.unlink()
    (tmp_path / "x" / "SMIC_all_cropped" / "HS").rename(tmp_path / folder)
    assert survey(ARCHIVES["smic"], tmp_path / folder).clips == ()


@pytest.mark.parametrize("text", ["250 fps", "0", "-1", "inf", "nan", ""])
def test_a_frame_rate_that_is_none_is_named(tmp_path, text):
    written = archives.write_dfme(tmp_path, clips=2, cheap=True)
    archive_faults.set_cell(written, written.ids[0], "Fps", text)
    seen = survey(ARCHIVES["dfme"], tmp_path)
    assert found(seen.findings) == [("bad_fps", written.ids[0])]
    assert seen.clips[0].fps == 500


def test_a_mapping_named_like_a_scheme_is_a_mapping(written):
    mapping = written.root / "three_plus.toml"
    emotions = sorted({row.emotion for row in written.rows})
    mapping.write_text("[casme2]\n" + "".join(f'{emotion} = "x"\n' for emotion in emotions), encoding="utf-8")
    loaded = load([f"casme2={written.root}"], classes=str(mapping))
    assert (loaded.classes, loaded.left_out) == (("x",), {})


def test_a_sheet_beside_the_root_is_found_past_other_tables_in_it(written):
    shutil.move(written.sheet, written.root.parent / written.sheet.name)
    (written.root / "notes.csv").write_text("day,weather\n1,rain\n", encoding="utf-8")
    seen = survey(CASME2, written.root)
    assert (seen.sheet, len(seen.clips)) == (written.root.parent / written.sheet.name, 6)


def test_a_folder_above_that_cannot_be_read_does_no_harm(written, monkeypatch):
    """Whoever runs this: the folder above fails as one does that may be entered and not listed."""
    listed = archives.Path.iterdir

    def iterdir(self):
        if self == written.root.parent:
            raise PermissionError(13, "Permission denied", str(self))
        return listed(self)

    monkeypatch.setattr(archives.Path, "iterdir", iterdir)
    assert len(survey(CASME2, written.root).clips) == 6


def test_all_parts_of_a_set_beside_the_root_are_read(tmp_path):
    rows = full_rows("dfme")[:4]
    one = archives.write_dfme(tmp_path / "x" / "data", rows=rows[:2], cheap=True)
    other = archives.write_dfme(tmp_path / "y" / "data", rows=rows[2:], cheap=True)
    for part, name in ((one, "train.xlsx"), (other, "test.xlsx")):
        shutil.move(part.sheet, tmp_path / "x" / name)
    shutil.copytree(other.root, one.root, dirs_exist_ok=True)
    seen = survey(ARCHIVES["dfme"], one.root)
    assert sorted(clip.id for clip in seen.clips) == sorted(row.id for row in rows)
    assert found(seen.findings) == [("two_sheets", "")]
