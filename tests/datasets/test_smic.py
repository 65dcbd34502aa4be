import csv
import shutil
from collections import Counter

import pytest

import archive_faults
from archive_rows import make_row
from archives import found, stems, write_smic
from dfrnet.datasets import ARCHIVES, load
from dfrnet.datasets.surveys import survey
from dfrnet.types import UserError

SMIC = ARCHIVES["smic"]


def row(clip="s1_ne_01", emotion="negative", onset=559740, offset=559748, **more):
    return make_row("smic", clip[1:].split("_")[0], clip, emotion, onset, (onset + offset) // 2, offset, **more)


ROWS = (
    row(), row("s20_po_02", "positive", 17581039, 17581047), row("s3_sur_05", "surprise", 34208, 34216),
    row("s11_ne_03", "negative", 1659740, 1659748),
)  # fmt: skip


def amiss(seen):
    """Findings but for two notes: text below the table, and that SMIC annotates no apex."""
    return [one for one in found(seen.findings) if one[0] not in {"stray_row", "no_apex"}]


@pytest.mark.parametrize(("tree", "lead"), [("cropped", 0), ("raw", 0), ("long", 4)])
def test_each_tree_is_read(tmp_path, tree, lead):
    """Folders s1 or s01, clips s1_ne_01: the package says s01/s01_ne_01, like the public list."""
    written = write_smic(tmp_path, rows=ROWS, trees=[tree], cheap=True)
    seen = survey(SMIC, tmp_path)
    assert amiss(seen) == []
    assert [clip.id for clip in seen.clips] == written.ids
    assert [clip.id for clip in seen.clips[:2]] == ["smic/s01/s01_ne_01", "smic/s20/s20_po_02"]
    for clip, one in zip(seen.clips, ROWS, strict=True):
        assert (clip.onset, clip.apex, clip.offset) == (lead, None, lead + 8)
        assert (clip.emotion, clip.label, clip.fps) == (one.emotion, one.emotion, 100)
        assert clip.cropped == (tree == "cropped")
        prefix = "reg_image" if tree == "cropped" else "image"
        assert stems(clip) == (f"{prefix}{one.onset:06}", f"{prefix}{one.offset:06}")


def test_pictures_are_what_they_should_be(tmp_path):
    write_smic(tmp_path, rows=ROWS[:1])
    assert survey(SMIC, tmp_path).clips[0].frames[0].shape == (170, 140, 3)


def test_numbers_of_five_to_eight_digits(tmp_path):
    """Padded to six: image034208 is frame 34208."""
    written = write_smic(tmp_path, rows=ROWS, cheap=True)
    assert written.files("smic/s03/s03_sur_05")[34208].name == "reg_image034208.bmp"
    assert {len(str(one.onset)) for one in ROWS} == {5, 6, 7, 8}
    assert len(survey(SMIC, tmp_path).clips) == 4


def test_formulas_count_with_the_value_they_had_last(tmp_path):
    """OffsetF, FirstF and LastF are formulas, some of which refer to the sheet VIS."""
    write_smic(tmp_path, rows=ROWS, cheap=True)
    seen = survey(SMIC, tmp_path)
    assert [one.offset - one.onset for one in seen.annotations] == [8] * 4


def test_the_sheet_of_the_slow_camera_is_not_taken(tmp_path):
    """VIS has the same columns and clips, other frame numbers, and may come first."""
    import xlsxwriter

    written = write_smic(tmp_path, rows=ROWS, cheap=True, text_after=False)
    lines = [written.columns, *([cells.get(c, "") for c in written.columns] for _, cells in written.cells)]
    with xlsxwriter.Workbook(str(written.sheet)) as book:
        for title, shift in (("VIS", -500), ("HS", 0)):
            sheet = book.add_worksheet(title)
            for y, line in enumerate(lines):
                cells = [c + shift if isinstance(c, int) and c > 1000 else c for c in line]
                if title == "VIS":
                    del cells[9]  # VIS lacks LastF
                for x, cell in enumerate(cells):
                    sheet.write(y, x, cell)
    seen = survey(SMIC, tmp_path)
    assert [one.onset for one in seen.annotations] == [one.onset for one in ROWS]
    assert len(seen.clips) == 4


def test_a_clip_with_two_movements_is_the_first(tmp_path):
    rows = [row("s20_ne_06", onset=17668815, offset=17668835, second=(17668855, 17668883)), *ROWS]
    written = write_smic(tmp_path, rows=rows, trees=["long"], cheap=True)
    seen = survey(SMIC, tmp_path)
    assert amiss(seen) == []
    assert [clip.id for clip in seen.clips] == written.ids
    assert stems(seen.clips[0]) == ("image17668815", "image17668835")


def test_columns_of_a_third_movement_are_ignored(tmp_path):
    """An edited copy of the sheet has columns Onset3F and Offset3F with numbers that mean nothing."""
    written = write_smic(tmp_path, rows=ROWS, cheap=True, text_after=False)
    written.columns[14:] = ["Onset3F", "Offset3F"]
    for _, cells in written.cells:
        cells |= {"Onset3F": 3, "Offset3F": -559743}
    written.save()
    seen = survey(SMIC, tmp_path)
    assert (amiss(seen), len(seen.clips)) == ([], 4)


def test_text_below_the_table_is_no_clip(tmp_path):
    written = write_smic(tmp_path, rows=ROWS, cheap=True)
    seen = survey(SMIC, tmp_path)
    assert seen.left_out == ()
    assert [one for one in found(seen.findings) if one[0] != "no_apex"] == written.expected()
    assert all("row 7" in f.sentence or "row 8" in f.sentence for f in seen.findings if f.kind == "stray_row")


def test_that_no_apex_is_annotated_is_said_once_at_most(tmp_path):
    """It is so for every clip of the set: a note for each would hide what is amiss."""
    write_smic(tmp_path, rows=ROWS, cheap=True, text_after=False)
    assert Counter(finding.kind for finding in survey(SMIC, tmp_path).findings)["no_apex"] <= 1


def test_a_cell_with_a_remark_where_no_number_is_needed(tmp_path):
    written = write_smic(tmp_path, rows=[row("s3_ne_20", onset=426679, offset=426687), *ROWS], cheap=True)
    archive_faults.set_cell(written, written.ids[0], "FirstF", "MISSING <-426679")
    archive_faults.set_cell(written, written.ids[0], "LastF", "")
    seen = survey(SMIC, tmp_path)
    assert (amiss(seen), len(seen.clips)) == ([], 5)


@pytest.mark.parametrize("tree", ["cropped", "raw"])
def test_clips_without_a_row_are_taken_from_their_folders(tmp_path, tree):
    """The sheet lacks two of the 164 clips; their folders hold onset to offset, and lie under the class."""
    rows = [row("s1_ne_02", onset=600, offset=611), row("s2_sur_05", "surprise", 700, 706), *ROWS]
    written = write_smic(tmp_path, rows=rows, trees=[tree], cheap=True)
    for clip in written.ids[:2]:
        archive_faults.drop_row(written, clip)
    seen = survey(SMIC, tmp_path)
    assert [one for one in found(seen.findings) if one[0] != "no_apex"] == written.expected()
    clips = {clip.id: clip for clip in seen.clips}
    assert set(clips) == set(written.ids)
    for one in rows[:2]:
        clip = clips[one.id]
        assert (clip.emotion, clip.onset, clip.offset) == (one.emotion, 0, one.offset - one.onset)
    assert all(clip.rsplit("/", 1)[1] in f.sentence for f in seen.findings if f.kind == "no_row" for clip in [f.clip])


def test_a_long_take_without_a_row_is_no_clip(tmp_path):
    written = write_smic(tmp_path, rows=ROWS, trees=["long"], cheap=True)
    archive_faults.drop_row(written, written.ids[0])
    seen = survey(SMIC, tmp_path)
    assert amiss(seen) == [("unlabelled", "")]
    assert len(seen.clips) == 3


@pytest.mark.parametrize("tree", ["cropped", "raw"])
def test_the_folders_do_without_a_sheet(tmp_path, tree):
    written = write_smic(tmp_path / "smic", rows=ROWS, trees=[tree], cheap=True)
    written.sheet.unlink()
    seen = survey(SMIC, tmp_path / "smic")
    assert (amiss(seen), seen.sheet) == ([], None)
    assert {(clip.id, clip.emotion, clip.offset - clip.onset) for clip in seen.clips} == {
        (one.id, one.emotion, 8) for one in ROWS
    }


def test_long_takes_do_not(tmp_path):
    written = write_smic(tmp_path / "smic", rows=ROWS, trees=["long"], cheap=True)
    written.sheet.unlink()
    try:
        seen = survey(SMIC, tmp_path / "smic")
    except UserError as error:
        assert "sheet" in str(error)  # noqa: PT017  # either answer will do
    else:
        assert seen.clips == ()
        assert seen.findings


def test_a_label_that_the_folder_contradicts(tmp_path):
    written = write_smic(tmp_path, rows=ROWS, cheap=True)
    archive_faults.set_cell(written, written.ids[1], "Emotion", "surprise", "label_conflict")
    seen = survey(SMIC, tmp_path)
    assert amiss(seen) == [("label_conflict", written.ids[1])]
    (sentence,) = [finding.sentence for finding in seen.findings if finding.kind == "label_conflict"]
    assert "row 3" in sentence
    assert "positive" in sentence
    assert "surprise" in sentence


def test_the_one_label_that_is_known_to_be_wrong(tmp_path):
    """s18_sur_03 is negative in the sheet; its name, its folder and the public list say surprise."""
    written = write_smic(tmp_path, rows=[row("s18_sur_03", "surprise", 5000, 5008), *ROWS], cheap=True)
    archive_faults.set_cell(written, written.ids[0], "Emotion", "negative")
    seen = survey(SMIC, tmp_path)
    assert amiss(seen) == []
    assert [(erratum.clip, erratum.field) for erratum in seen.errata] == [(written.ids[0], "emotion")]
    assert seen.clips[0].emotion == "surprise"
    untouched = survey(SMIC, tmp_path, errata=False)
    assert amiss(untouched) == [("label_conflict", written.ids[0])]
    assert untouched.clips[0].emotion == "negative"


def test_clips_absent_from_a_download_are_named(tmp_path):
    written = write_smic(tmp_path, rows=[row("s3_ne_03", onset=70000, offset=70008), *ROWS], cheap=True)
    archive_faults.remove_folder(written, "smic/s03/s03_ne_03")
    seen = survey(SMIC, tmp_path)
    assert [finding.clip for finding in seen.left_out] == ["smic/s03/s03_ne_03"]
    assert "s03_ne_03" in seen.left_out[0].sentence
    assert len(seen.clips) == 4


def test_a_row_that_cannot_be_read_is_not_replaced_by_its_folder(tmp_path):
    """A clip is used or left out, never both."""
    written = write_smic(tmp_path, rows=ROWS, cheap=True)
    archive_faults.set_cell(written, written.ids[0], "OnsetF", "559740?", "bad_number")
    seen = survey(SMIC, tmp_path)
    assert amiss(seen) == [("bad_number", written.ids[0])]
    assert written.ids[0] not in {clip.id for clip in seen.clips}


def test_the_other_cameras_are_passed_over(tmp_path):
    written = write_smic(tmp_path, rows=ROWS, trees=["raw"], cheap=True)
    for camera in ("VIS", "NIR"):
        shutil.copytree(tmp_path / "SMIC_all_raw" / "HS", tmp_path / "SMIC_all_raw" / camera)
    seen = survey(SMIC, tmp_path)
    assert [clip.id for clip in seen.clips] == written.ids
    assert {path.parts[-6] for clip in seen.clips for path in clip.frames.paths} == {"HS"}
    assert {kind for kind, _ in amiss(seen)} <= {"stray_files"}


@pytest.mark.parametrize("trees", [("raw", "cropped"), ("long", "raw", "cropped"), ("long", "cropped")])
def test_cropped_before_the_others(tmp_path, trees):
    write_smic(tmp_path / "data", rows=ROWS, trees=trees, cheap=True)
    seen = survey(SMIC, tmp_path / "data")
    assert all(clip.cropped for clip in seen.clips)
    assert amiss(seen) == []


def test_a_public_copy_with_other_columns(tmp_path):
    """HS_cropped.csv: Subject, Filename, OnsetFrame, OffsetFrame, Estimated Emotion; all 164 clips."""
    written = write_smic(tmp_path, rows=ROWS, cheap=True)
    written.sheet.unlink()
    with (tmp_path / "HS_cropped.csv").open("w", newline="", encoding="utf-8") as file:
        sheet = csv.writer(file)
        sheet.writerow(["Subject", "Filename", "OnsetFrame", "OffsetFrame", "Estimated Emotion"])
        sheet.writerows([one.subject, one.name, one.onset, one.offset, one.emotion] for one in ROWS)
    seen = survey(SMIC, tmp_path)
    assert [clip.id for clip in seen.clips] == written.ids
    assert seen.left_out == ()
    assert "no_row" not in {kind for kind, _ in amiss(seen)}


def test_an_offset_a_frame_late_is_said(tmp_path):
    """Sources differ by a frame or two in four clips, so that the last frame may not be there."""
    written = write_smic(tmp_path, rows=ROWS, cheap=True)
    archive_faults.remove_frame(written, written.ids[2], "offset")
    seen = survey(SMIC, tmp_path)
    assert amiss(seen) == [("short", written.ids[2])]
    assert (len(seen.clips), seen.clips[2].offset) == (4, 7)


def test_the_full_size(tmp_path):
    written = write_smic(tmp_path, None, cheap=True)
    seen = survey(SMIC, tmp_path)
    assert amiss(seen) == []
    assert {clip.id for clip in seen.clips} == set(written.ids)
    assert len({clip.subject for clip in seen.clips}) == 16
    loaded = load([f"smic={tmp_path}"])
    assert Counter(clip.label for clip in loaded.clips) == {"negative": 70, "positive": 51, "surprise": 43}


@pytest.mark.parametrize("folder", ["SMIC-VIS-E", "VIS", "SMIC_NIR_raw", "nir"])
def test_the_slow_cameras_are_no_clips_of_hs(tmp_path, folder):
    written = write_smic(tmp_path, clips=3, cheap=True)
    (one, *_) = written.files(written.ids[0]).values()
    other = tmp_path / folder / "s1" / "micro" / "negative" / "s1_ne_99"
    other.mkdir(parents=True)
    (other / "image000001.bmp").write_bytes(one.read_bytes())
    assert sorted(clip.id for clip in survey(SMIC, tmp_path).clips) == sorted(written.ids)
