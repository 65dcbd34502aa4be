"""Folders whole or not at all, and nothing left of processes that were killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dfrnet.exchange.drafts import draft, remove_stale
from trees import child_environment

SCRIPT = """
import os, sys, time
from pathlib import Path
from dfrnet.exchange.drafts import draft
with draft(Path(sys.argv[1], "a")) as folder:
    (folder / "half").touch()
    print(folder, flush=True)
    time.sleep(60)
"""


def test_a_folder_appears_whole(tmp_path):
    with draft(tmp_path / "a") as folder:
        (folder / "x").write_text("1")
        assert not (tmp_path / "a").exists()
        assert folder.parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a" / "x").read_text() == "1"
    assert os.access(tmp_path / "a", os.R_OK)


def filled(folder, error=None):
    with draft(folder) as drafted:
        (drafted / "x").write_text("mine")
        if error:
            raise error
        folder.mkdir()
        (folder / "x").write_text("theirs")


def test_nothing_is_left_of_an_error(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        filled(tmp_path / ("n" * 250), KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_has_come_meanwhile_stays(tmp_path):
    with pytest.raises(OSError, match="a"):
        filled(tmp_path / "a")
    assert (tmp_path / "a" / "x").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="drafts of killed processes stay there")
def test_only_drafts_of_killed_processes_are_removed(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], env=child_environment(), stdout=subprocess.PIPE, text=True
    )
    theirs = Path(child.stdout.readline().strip())
    other_machine = tmp_path / theirs.name.replace(theirs.name.split("-")[1], "0" * 8)
    other_machine.mkdir()
    (tmp_path / ".mine.part").mkdir()
    with draft(tmp_path / "b") as mine:
        remove_stale(tmp_path)
        assert (theirs / "half").exists(), "its process lives"
        child.kill()
        child.communicate()
        remove_stale(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {mine.name, other_machine.name, ".mine.part"}
