import pytest

import archive_faults
from archive_rows import make_row
from archives import found, write_casme3
from dfrnet.datasets import ARCHIVES, load
from dfrnet.datasets.surveys import survey

CASME3 = ARCHIVES["casme3"]


def row(subject="spNO.1", clip="a", emotion="disgust", onset=112, apex=116, offset=120, **more):
    return make_row("casme3", subject, clip, emotion, onset, apex, offset, **more)


ROWS = (row(), row(onset=166, apex=170, offset=174, emotion="surprise"), row("spNO.40", "m", "happy", 9, 12, 17))


def amiss(seen):
    """Findings but for one note: that the pictures of depth were passed over."""
    return [one for one in found(seen.findings) if one[0] != "stray_files"]


def stems(clip):
    return [clip.frames.paths[k].stem for k in (clip.onset, clip.apex, clip.offset) if k is not None]


def test_the_layout_is_read(tmp_path):
    """All cells are text, junk sheets follow, a take holds several movements, depth lies beside the colour."""
    written = write_casme3(tmp_path, rows=ROWS, cheap=True)
    seen = survey(CASME3, tmp_path)
    assert amiss(seen) == []
    assert [clip.id for clip in seen.clips] == written.ids
    assert [clip.id for clip in seen.clips] == [
        "casme3/spNO.1/a_112", "casme3/spNO.1/a_166", "casme3/spNO.40/m_9",
    ]  # fmt: skip
    assert [clip.emotion for clip in seen.clips] == ["disgust", "surprise", "happy"]
    assert stems(seen.clips[1]) == ["166", "170", "174"]
    assert stems(seen.clips[2]) == ["9", "12", "17"]
    assert {path.parent.name for clip in seen.clips for path in clip.frames.paths} == {"color"}
    assert {clip.subject for clip in seen.clips} == {"casme3/spNO.1", "casme3/spNO.40"}
    assert not any(clip.cropped for clip in seen.clips)
    assert {clip.fps for clip in seen.clips} == {30}


def test_pictures_are_what_they_should_be(tmp_path):
    write_casme3(tmp_path, rows=ROWS[:1])
    assert survey(CASME3, tmp_path).clips[0].frames[0].shape == (720, 1280, 3)


@pytest.mark.parametrize(("cell", "folder"), [("J", "j"), ("j", "J"), ("J", "J")])
def test_the_one_take_with_a_capital(tmp_path, cell, folder):
    written = write_casme3(tmp_path, rows=[row(clip="j")], cheap=True)
    archive_faults.set_cell(written, written.ids[0], "Filename", cell)
    if folder == "J":
        take = tmp_path / "data" / "part_A" / "spNO.1"
        (take / "j").rename(take / "take")
        (take / "take").rename(take / "J")
    seen = survey(CASME3, tmp_path)
    assert amiss(seen) == []
    assert [clip.id for clip in seen.clips] == ["casme3/spNO.1/j_112"]


def test_others_and_others_are_one_emotion(tmp_path):
    write_casme3(tmp_path, rows=[row(emotion="Others"), row(clip="b", emotion="others")], cheap=True)
    assert [clip.emotion for clip in survey(CASME3, tmp_path).clips] == ["others", "others"]


def test_the_same_movement_twice(tmp_path):
    written = write_casme3(tmp_path, rows=ROWS, cheap=True)
    archive_faults.repeat_row(written, written.ids[1])
    seen = survey(CASME3, tmp_path)
    assert amiss(seen) == written.expected()
    (sentence,) = (finding.sentence for finding in seen.findings if finding.kind == "twice")
    assert "row 3" in sentence
    assert "row 5" in sentence
    assert len(seen.clips) == 3


@pytest.mark.parametrize(
    ("subject", "take", "onset", "apex", "offset", "column", "typo", "kind"),
    [
        ("spNO.149", "d", 112, 123, 131, "Apex", 83, "apex_outside"),
        ("spNO.216", "d", 2647, 2668, 2680, "Onset", 3647, "no_onset"),
        ("spNO.214", "c", 22, 28, 34, "Offset", 3460, "short"),
    ],
)
def test_known_errors(tmp_path, subject, take, onset, apex, offset, column, typo, kind):
    """Corrected unless told not to; in a sheet that somebody mended nothing happens."""
    one = row(subject, take, "disgust", onset, apex, offset)
    written = write_casme3(tmp_path, rows=[one, *ROWS], cheap=True)
    assert survey(CASME3, tmp_path).errata == ()
    archive_faults.set_cell(written, one.id, column, str(typo))
    seen = survey(CASME3, tmp_path)
    assert amiss(seen) == []
    assert [(erratum.field, erratum.old) for erratum in seen.errata] == [(column.lower(), typo)]
    assert stems(seen.clips[0]) == [str(onset), str(apex), str(offset)]
    untouched = survey(CASME3, tmp_path, errata=False)
    assert untouched.errata == ()
    assert kind in {finding.kind for finding in untouched.findings}


def test_onset_and_apex_zero(tmp_path):
    """spNO.216 e: frames count from 1."""
    one = row("spNO.216", "e", "disgust", 1, 5, 9)
    written = write_casme3(tmp_path, rows=[one], cheap=True)
    archive_faults.set_cell(written, one.id, "Onset", "0")
    archive_faults.set_cell(written, one.id, "Apex", "0")
    seen = survey(CASME3, tmp_path)
    assert [(erratum.field, erratum.new) for erratum in seen.errata] == [("onset", 1), ("apex", 1)]
    assert amiss(seen) == [("apex_at_onset", seen.annotations[0].id)]
    assert len(seen.clips) == 1


def test_an_offset_of_zero_leaves_the_clip_out(tmp_path):
    written = write_casme3(tmp_path, rows=[row("spNO.40", "e"), *ROWS], cheap=True)
    archive_faults.set_cell(written, written.ids[0], "Offset", "0")
    seen = survey(CASME3, tmp_path)
    assert amiss(seen) == [("order", written.ids[0])]
    assert len(seen.clips) == 3


def test_an_apex_at_the_onset_is_none(tmp_path):
    """55 rows of the released sheet."""
    written = write_casme3(tmp_path, rows=ROWS, cheap=True)
    archive_faults.set_cell(written, written.ids[0], "Apex", "112", "apex_at_onset")
    seen = survey(CASME3, tmp_path)
    assert amiss(seen) == written.expected()
    assert seen.clips[0].apex is None


def test_the_classes(tmp_path):
    rows = [
        row(clip=take, emotion=emotion)
        for take, emotion in zip("abcd", ("sad", "happy", "others", "anger"), strict=True)
    ]
    write_casme3(tmp_path, rows=rows, cheap=True)
    assert [c.label for c in load([f"casme3={tmp_path}"]).clips] == ["negative", "positive", "negative"]
    assert [c.label for c in load([f"casme3={tmp_path}"], classes="five").clips] == ["sad", "happy", "others", "anger"]


def test_many_clips(tmp_path):
    written = write_casme3(tmp_path, 60, cheap=True)
    seen = survey(CASME3, tmp_path)
    assert amiss(seen) == []
    assert {clip.id for clip in seen.clips} == set(written.ids)


def test_a_sheet_of_macro_expressions_is_passed_over(tmp_path):
    written = write_casme3(tmp_path, rows=ROWS, cheap=True)
    macro = written.sheet.with_name("cas(me)3_part_A_MaE_label_JpgIndex_v2_emotion.xlsx")
    macro.write_bytes(written.sheet.read_bytes())
    seen = survey(CASME3, tmp_path)
    assert (seen.sheet, len(seen.clips)) == (written.sheet, len(ROWS))
    assert not [finding for finding in seen.findings if finding.kind == "two_sheets"]
