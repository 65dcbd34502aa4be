import shutil

import cv2
import numpy as np
import pytest

import archive_faults
from archive_rows import full_rows, make_row
from archives import found, stems, write_casme2
from dfrnet.datasets import ARCHIVES, load
from dfrnet.datasets.surveys import survey

CASME2 = ARCHIVES["casme2"]


def row(subject="01", clip="EP02_01f", emotion="happiness", onset=46, apex=50, offset=54, **more):
    return make_row("casme2", subject, clip, emotion, onset, apex, offset, **more)


ROWS = (row(), row("01", "EP03_02", "others", 5, 8, 11), row("26", "EP18_51", "disgust", 96, 99, 103))


@pytest.mark.parametrize(
    ("tree", "cropped", "lead"), [("cropped", True, 0), ("selected", False, 0), ("raw", False, None)]
)
def test_each_tree_is_read(tmp_path, tree, cropped, lead):
    written = write_casme2(tmp_path, rows=ROWS, trees=[tree], cheap=True)
    seen = survey(CASME2, tmp_path)
    assert seen.findings == ()
    assert [clip.id for clip in seen.clips] == written.ids
    assert written.ids[0] == "casme2/sub01/EP02_01f"
    for clip, one in zip(seen.clips, ROWS, strict=True):
        assert clip.subject == f"casme2/sub{one.subject}"
        assert (clip.emotion, clip.label, clip.fps, clip.cropped) == (one.emotion, one.emotion, 200, cropped)
        prefix = "reg_img" if cropped else "img"
        assert stems(clip) == tuple(f"{prefix}{n}" for n in (one.onset, one.apex, one.offset))
        before = one.onset - 1 if lead is None else lead
        assert (clip.onset, clip.apex, clip.offset) == tuple(
            before + n - one.onset for n in (one.onset, one.apex, one.offset)
        )


def test_pictures_are_what_they_should_be(tmp_path):
    write_casme2(tmp_path, rows=ROWS[:1], trees=["cropped", "raw"], lead=2)
    assert survey(CASME2, tmp_path).clips[0].frames[0].shape == (340, 280, 3)
    shutil.rmtree(tmp_path / "Cropped")
    assert survey(CASME2, tmp_path).clips[0].frames[0].shape == (480, 640, 3)


def test_frames_are_counted_not_spelled(tmp_path):
    """No zeros in front: img99 comes before img100."""
    write_casme2(tmp_path, rows=ROWS[2:], cheap=True)
    (clip,) = survey(CASME2, tmp_path).clips
    assert [path.stem for path in clip.frames.paths] == [f"reg_img{n}" for n in range(96, 104)]


@pytest.mark.parametrize(
    ("cell", "units"),
    [("12", ("12",)), ("4+7+L10", ("4", "7", "L10")), ("R1+R2", ("R1", "R2")), ("?", ()), ("L14", ("L14",))],
)
def test_action_units_are_numbers_or_text(tmp_path, cell, units):
    write_casme2(tmp_path, rows=[row(units=cell)], cheap=True)
    assert survey(CASME2, tmp_path).clips[0].action_units == units


def test_a_slash_is_an_apex_that_nobody_saw(tmp_path):
    written = write_casme2(tmp_path, rows=[*ROWS, row("04", "EP12_01f")], cheap=True)
    archive_faults.set_cell(written, "casme2/sub04/EP12_01f", "ApexFrame", "/", "no_apex")
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == written.expected()
    assert seen.left_out == ()
    assert [clip.apex is None for clip in seen.clips] == [False, False, False, True]


def test_an_apex_at_the_onset_is_none(tmp_path):
    written = write_casme2(tmp_path, rows=[row("05", "EP09_05f")], cheap=True)
    archive_faults.set_cell(written, written.ids[0], "ApexFrame", 46, "apex_at_onset")
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == written.expected()
    assert seen.clips[0].apex is None
    assert "row 2" in seen.findings[0].sentence
    assert "EP09_05f" in seen.findings[0].sentence


def test_an_apex_at_the_offset_is_an_apex(tmp_path):
    write_casme2(tmp_path, rows=[row("05", "EP16_04f", apex=54)], cheap=True)
    seen = survey(CASME2, tmp_path)
    assert seen.findings == ()
    assert seen.clips[0].apex == seen.clips[0].offset == 8


def test_an_apex_after_the_offset_is_none(tmp_path):
    written = write_casme2(tmp_path, rows=ROWS, cheap=True)
    archive_faults.set_cell(written, written.ids[0], "ApexFrame", 57, "apex_outside")
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == written.expected()
    assert seen.clips[0].apex is None


@pytest.mark.parametrize("name", ["EP01_2", "EP08_1", "EP09f", "EP06_02_01"])
def test_names_that_follow_no_pattern(tmp_path, name):
    write_casme2(tmp_path, rows=[row("03", name)], cheap=True)
    assert [clip.id for clip in survey(CASME2, tmp_path).clips] == [f"casme2/sub03/{name}"]


@pytest.mark.parametrize("cell", ["01", "sub01", "1", 1])
def test_spellings_of_a_subject(tmp_path, cell):
    written = write_casme2(tmp_path, rows=ROWS[:1], cheap=True)
    archive_faults.set_cell(written, written.ids[0], "Subject", cell)
    assert [clip.id for clip in survey(CASME2, tmp_path).clips] == ["casme2/sub01/EP02_01f"]


def test_folders_that_nobody_labelled(tmp_path):
    written = write_casme2(tmp_path, rows=[*ROWS, row("09", "EP09f")], cheap=True)
    archive_faults.extra_folder(written, "casme2/sub09/EP02_02f", "casme2/sub09/EP09f")
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == written.expected()
    assert "EP02_02f" in seen.findings[0].sentence
    assert len(seen.clips) == 4


def test_the_label_depends_on_the_sheets_version(tmp_path):
    """Some clips were sad in 2014 and surprised in 2019; of two sheets the later one counts, and that is said."""
    rows = [row("05", "EP12_03f", "sadness"), *ROWS]
    write_casme2(tmp_path, rows=rows, cheap=True)
    first = survey(CASME2, tmp_path)
    assert (first.sheet.name, first.clips[0].emotion) == ("CASME2-coding-20140508.xlsx", "sadness")
    write_casme2(tmp_path, rows=[row("05", "EP12_03f", "surprise"), *ROWS], trees=(), version="2019")
    both = survey(CASME2, tmp_path)
    assert (both.sheet.name, both.clips[0].emotion) == ("CASME2-coding-20190701.xlsx", "surprise")
    assert found(both.findings) == [("unused_sheet", "")]
    assert "CASME2-coding-20140508.xlsx" in both.findings[0].sentence


def test_a_sheet_is_known_by_its_columns(tmp_path):
    written = write_casme2(tmp_path, rows=ROWS, cheap=True)
    written.sheet.rename(tmp_path / "CASME2_label_Ver_2.xlsx")
    (tmp_path / "shopping.csv").write_text("what,how many\nmilk,2\n")
    seen = survey(CASME2, tmp_path)
    assert (len(seen.clips), seen.findings) == (3, ())


def test_a_sheet_of_the_old_format(tmp_path):
    xlwt = pytest.importorskip("xlwt")
    written = write_casme2(tmp_path, rows=ROWS, cheap=True)
    written.sheet.unlink()
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet1")
    for y, line in enumerate(
        [written.columns, *([cells.get(c, "") for c in written.columns] for _, cells in written.cells)]
    ):
        for x, cell in enumerate(line):
            sheet.write(y, x, cell)
    book.save(str(tmp_path / "CASME2_label_Ver_2.xls"))
    seen = survey(CASME2, tmp_path)
    assert (len(seen.clips), seen.findings) == (3, ())


def test_a_sheet_that_pandas_wrote(tmp_path):
    """Blank headers have become "Unnamed: 2" and the subject has lost its zero."""
    written = write_casme2(tmp_path, rows=ROWS, cheap=True, suffix=".csv")
    written.columns[2], written.columns[6] = "Unnamed: 2", "Unnamed: 6"
    for _, cells in written.cells:
        cells["Subject"] = int(cells["Subject"])
    written.save()
    seen = survey(CASME2, tmp_path)
    assert ([clip.id for clip in seen.clips], seen.findings) == (written.ids, ())


def test_the_sheet_may_lie_beside_the_folder(tmp_path):
    write_casme2(tmp_path, rows=ROWS, cheap=True)
    seen = survey(CASME2, tmp_path / "Cropped")
    assert len(seen.clips) == 3
    assert all(clip.cropped for clip in seen.clips)
    assert seen.findings == ()


def test_the_sheet_may_lie_deeper(tmp_path):
    written = write_casme2(tmp_path, rows=ROWS, cheap=True)
    (tmp_path / "annotations" / "coding").mkdir(parents=True)
    written.sheet.rename(tmp_path / "annotations" / "coding" / written.sheet.name)
    assert len(survey(CASME2, tmp_path).clips) == 3


@pytest.mark.parametrize(
    ("trees", "used"),
    [
        (("raw", "selected", "cropped"), "Cropped"),
        (("raw", "selected"), "CASME2_RAW_selected"),
        (("raw",), "CASME2-RAW"),
    ],
)
def test_cropped_before_selected_before_raw(tmp_path, trees, used):
    write_casme2(tmp_path / "data", rows=ROWS, trees=trees, cheap=True)
    seen = survey(CASME2, tmp_path / "data")
    assert {clip.frames.paths[0].parts[-4] for clip in seen.clips} == {used}
    assert seen.findings == ()


def test_one_crop_missing_does_not_turn_the_others_raw(tmp_path):
    written = write_casme2(tmp_path / "data", clips=12, trees=["raw", "cropped"], cheap=True)
    lacking = written.ids[4]
    archive_faults.remove_folder(written, lacking)
    seen = survey(CASME2, tmp_path / "data")
    assert [clip.id for clip in seen.clips if not clip.cropped] == [lacking]
    assert found(seen.findings) == [("other_tree", lacking)]
    assert "CASME2-RAW" in seen.findings[0].sentence


@pytest.mark.parametrize("root", ["CASME2 cropped and raw", "raw", "selected"])
def test_the_folders_above_a_tree_do_not_say_what_it_is(tmp_path, root):
    """A user may call the root anything; what is below it decides first."""
    write_casme2(tmp_path / root, rows=ROWS, trees=["raw", "cropped"], cheap=True)
    seen = survey(CASME2, tmp_path / root)
    assert {path.parts[-4] for clip in seen.clips for path in clip.frames.paths} == {"Cropped"}
    assert seen.findings == ()
    shutil.rmtree(tmp_path / root / "Cropped")
    assert not any(clip.cropped for clip in survey(CASME2, tmp_path / root).clips)


def test_the_same_clip_twice(tmp_path):
    written = write_casme2(tmp_path, rows=ROWS, cheap=True)
    shutil.copytree(tmp_path / "Cropped" / "sub01", tmp_path / "copy" / "Cropped" / "sub01")
    seen = survey(CASME2, tmp_path)
    assert [clip.id for clip in seen.clips] == written.ids
    assert found(seen.findings) == [("two_folders", clip) for clip in written.ids[:2]]
    assert all("copy" in finding.sentence for finding in seen.findings)


def test_videos_instead_of_folders(tmp_path):
    """sub01/EP02_01f.avi holds the whole take; its frames count from 1, like the pictures."""
    one = row(onset=4, apex=6, offset=9)
    write_casme2(tmp_path, rows=[one], trees=())
    folder = tmp_path / "CASME2-compressed" / "sub01"
    folder.mkdir(parents=True)
    writer = cv2.VideoWriter(str(folder / "EP02_01f.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 200, (64, 48))
    if not writer.isOpened():
        pytest.skip("OpenCV writes no video here")
    for k in range(12):
        writer.write(np.full((48, 64, 3), 20 * k, np.uint8))
    writer.release()
    seen = survey(CASME2, tmp_path)
    assert seen.left_out == ()
    (clip,) = seen.clips
    assert (clip.onset, clip.apex, clip.offset, len(clip.frames), clip.cropped) == (3, 5, 8, 12, False)
    assert abs(float(clip.frames[clip.onset].mean()) - 60) < 4


def test_the_classes_of_the_set(tmp_path):
    """Five: others are a class, the rare sadness and fear are none. Three: the clips of the public list, as it says."""
    rows = [
        row("01", "EP02_01f"), row("01", "EP03_02", "others"), row("05", "EP12_03f", "sadness"),
        row("26", "EP18_51", "disgust"),
    ]  # fmt: skip
    write_casme2(tmp_path, rows=rows, cheap=True)
    five = load([f"casme2={tmp_path}"], classes="five")
    assert [clip.label for clip in five.clips] == ["happiness", "others", "disgust"]
    assert set(five.classes) == {"disgust", "happiness", "repression", "surprise", "others"}
    three = load([f"casme2={tmp_path}"])
    assert [(clip.id, clip.label) for clip in three.clips] == [
        ("casme2/sub01/EP02_01f", "positive"), ("casme2/sub05/EP12_03f", "surprise"),
        ("casme2/sub26/EP18_51", "negative"),
    ]  # fmt: skip
    assert [clip.emotion for clip in three.clips] == ["happiness", "sadness", "disgust"]


def test_the_full_size(tmp_path):
    """255 clips of 26 people; the public list is among them."""
    written = write_casme2(tmp_path, None, cheap=True)
    seen = survey(CASME2, tmp_path)
    assert found(seen.findings) == []
    assert len(seen.clips) == 255
    assert len({clip.subject for clip in seen.clips}) == 26
    assert {clip.id for clip in seen.clips} == set(written.ids)
    assert [one.id for one in full_rows("casme2")] == written.ids
