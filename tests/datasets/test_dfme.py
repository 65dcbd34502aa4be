import archive_faults
from archive_rows import make_row
from archives import found, stems, write_dfme
from dfrnet.datasets import ARCHIVES, load
from dfrnet.datasets.surveys import survey

DFME = ARCHIVES["dfme"]


def row(clip="sub0003_01", emotion="happiness", onset=17, apex=21, offset=25, fps=500, **more):
    return make_row("dfme", clip[:7], clip, emotion, onset, apex, offset, fps=fps, **more)


ROWS = (row(), row("sub0003_02", "anger", fps=300), row("sub0104_11", "contempt", 97, 99, 103, fps=200))


def test_the_layout_is_read(tmp_path):
    """Each clip has its own frame rate, and its folder the name of the clip alone."""
    written = write_dfme(tmp_path, rows=ROWS, cheap=True)
    seen = survey(DFME, tmp_path)
    assert seen.findings == ()
    assert [clip.id for clip in seen.clips] == written.ids
    assert written.ids == ["dfme/sub0003/sub0003_01", "dfme/sub0003/sub0003_02", "dfme/sub0104/sub0104_11"]
    assert [clip.fps for clip in seen.clips] == [500, 300, 200]
    assert [stems(clip) for clip in seen.clips] == [("17", "21", "25"), ("17", "21", "25"), ("97", "99", "103")]
    assert [clip.emotion for clip in seen.clips] == ["happiness", "anger", "contempt"]
    assert seen.clips[2].frames.times[-1] == 6 / 200


def test_pictures_are_what_they_should_be(tmp_path):
    write_dfme(tmp_path, rows=ROWS[:1])
    assert survey(DFME, tmp_path).clips[0].frames[0].shape == (480, 640, 3)


def test_a_missing_folder(tmp_path):
    written = write_dfme(tmp_path, rows=ROWS, cheap=True)
    archive_faults.remove_folder(written, written.ids[1])
    seen = survey(DFME, tmp_path)
    assert found(seen.findings) == written.expected()
    assert "sub0003_02" in seen.findings[0].sentence


def test_sheets_of_two_parts_are_told_apart(tmp_path):
    """Training and test parts come with a sheet each; which one was read is said, the other's name too."""
    write_dfme(tmp_path, rows=ROWS, cheap=True).sheet.rename(tmp_path / "training_full_with_AU.xlsx")
    write_dfme(tmp_path, rows=[row("sub0500_01")], cheap=True)
    seen = survey(DFME, tmp_path)
    if {clip.id for clip in seen.clips} == {*(one.id for one in ROWS), "dfme/sub0500/sub0500_01"}:
        return  # both were read
    told = [finding.sentence for finding in seen.findings if finding.kind == "two_sheets"]
    assert len(told) == 1
    assert "training_full_with_AU.xlsx" in told[0]
    assert "testB.xlsx" in told[0]
    assert len(seen.clips) in (1, 3)


def test_the_classes(tmp_path):
    write_dfme(tmp_path, rows=ROWS, cheap=True)
    assert [clip.label for clip in load([f"dfme={tmp_path}"]).clips] == ["positive", "negative", "negative"]


def test_many_clips(tmp_path):
    written = write_dfme(tmp_path, 60, cheap=True)
    seen = survey(DFME, tmp_path)
    assert seen.findings == ()
    assert {clip.id for clip in seen.clips} == set(written.ids)
