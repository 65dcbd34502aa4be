"""What ``dfrnet convert`` may not destroy: a file that is there, the one that is read, another program's sidecar."""

import shutil
from pathlib import Path

import pytest
from recordings import ordinary

from dfrnet.exchange import FORMATS, file_name, read, write
from dfrnet.types import UserError
from trees import tree_state


@pytest.fixture
def sheets(dfrnet):
    """An empty folder with the events of one recording in two forms; ``dfrnet`` runs in it."""
    write(ordinary(), Path("events.json"))
    Path("coder.csv").write_text("onset_s,offset_s,type,my own column\n1,1.2,micro,precious\n")
    return dfrnet


def refused(call, *words):
    """The sentence; nothing on disk has changed."""
    before = tree_state(Path())
    said = call("convert", *words).sentence()
    assert tree_state(Path()) == before
    return said


def test_the_sidecar_of_bids_replaces_nothing(sheets):
    """The table beside events.json would have had it for a sidecar."""
    said = refused(sheets, "events.json", "events.tsv")
    assert said == "events.tsv: BIDS wants a name that ends in _events.tsv, such as events_events.tsv"
    shutil.copy("events.json", "talk_events.json")
    for source in ("events.json", "coder.csv"):
        said = refused(sheets, source, "talk_events.tsv")
        assert "talk_events.json: it is there already; choose another name, or say --force" in said
    said = refused(sheets, "talk_events.json", "talk_events.tsv", "--force")
    assert "talk_events.json: the file that is read would be replaced" in said
    with pytest.raises(UserError, match=r"ends in _events\.tsv"):
        write(ordinary(), Path("events.tsv"))
    assert sheets("convert", "events.json", "new_events.tsv").status == 0
    assert len(read("new_events.tsv").events) == 2


def test_a_coders_sheet_stays(sheets):
    Path("link.csv").symlink_to("coder.csv")
    Path("folder").mkdir()
    for out in ("coder.csv", "./coder.csv", "folder/../coder.csv", "link.csv"):
        for words in ((), ("--force",)):
            assert "the file that is read would be replaced" in refused(sheets, "coder.csv", out, *words)
    assert "precious" in Path("coder.csv").read_text()


def test_what_is_there_is_replaced_when_asked(sheets):
    Path("talk.eaf").write_text("hours of work")
    assert "talk.eaf: it is there already" in refused(sheets, "events.json", "talk.eaf")
    assert sheets("convert", "events.json", "talk.eaf", "--force").status == 0
    assert len(read("talk.eaf").events) == 2


def test_the_sidecar_of_the_table_that_is_read_stays(sheets):
    sheets("convert", "events.json", "new_events.tsv")
    said = refused(sheets, "new_events.tsv", "new_events.json", "--force")
    assert "new_events.json: the file that is read would be replaced" in said


@pytest.mark.parametrize("stem", ["x" * 250, "ä" * 125, "面" * 83])
@pytest.mark.parametrize("name", FORMATS)
def test_long_names_are_cut_and_stay_apart(name, stem, tmp_path):
    """A recording may have the longest name there is; its results have a longer ending."""
    (tmp_path / f"{stem}.mp4").touch()
    names = {file_name(f"{stem[:-1]}{last}.mp4", name) for last in "ab"}
    assert len(names) == 2
    for one in names:
        write(ordinary(), tmp_path / one, name)
        assert len(read(tmp_path / one).events) == 2
