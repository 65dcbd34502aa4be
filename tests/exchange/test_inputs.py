"""What is meant by the words of the command line, and names that never meet."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfrnet.exchange.files import LONGEST
from dfrnet.exchange.inputs import TAKEN, check_kind, find_recordings, folder_names
from dfrnet.types import UserError

VIDEOS = Path(__file__).parents[1] / "videos"
WORDS = st.sampled_from(
    ["t", "T", "t.mp4", "t.mov", "t.mp4.avi", "T.MP4", ".t.mp4", "t .mp4", "t..mp4", ".", "..", "a", "a-t.mp4", "ä.avi",
     "a\u0308.avi", "x" * 250, "x" * 249 + "y", "summary.csv", "summary.csv.mp4", "audit.jsonl.mp4"]
) | st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=6)  # fmt: skip
PATHS = st.lists(st.lists(WORDS, min_size=1, max_size=3).map(lambda words: Path(*words)), max_size=8)


@given(PATHS)
def test_names_are_apart_and_can_be_folders(paths):
    """Whatever is asked for, also the same twice; where capitals and the spelling of an accent do not count, too."""
    names = folder_names(paths)
    assert len(names) == len(paths)
    seen = {name.casefold() for name in names}
    assert len(seen) == len(names)
    assert not seen & set(TAKEN)
    for name in names:
        assert name
        assert name == Path(name).name
        assert not name.startswith(".")
        assert len(name.encode(errors="replace")) <= LONGEST + 10
    assert folder_names(paths) == names


def test_a_name_that_another_one_would_take():
    names = folder_names([Path("a/t.mp4"), Path("b/t.mov"), Path("c/t.mp4.avi")])
    assert names == ["a-t.mp4", "t.mov", "t.mp4"]


def test_names_are_as_short_as_they_can_be():
    assert folder_names([Path("a/x.mp4"), Path("b/y.mp4")]) == ["x", "y"]
    assert folder_names([Path("a/x.mp4"), Path("b/x.mov")]) == ["x.mp4", "x.mov"]
    assert folder_names([Path("a/x.mp4"), Path("b/x.mp4")]) == ["a-x.mp4", "b-x.mp4"]
    same = folder_names([Path("a/b/x.mp4"), Path("c/b/x.mp4"), Path("a/b/../b/x.mp4")])
    assert all(name.startswith("x-") for name in same)


def test_this_folder_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert folder_names([Path(), Path("..")]) == [tmp_path.name, tmp_path.parent.name]


def test_an_empty_folder_among_others_is_left_to_be_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").touch()
    with pytest.raises(UserError, match="empty: neither videos nor pictures in it"):
        find_recordings([tmp_path / "empty"])
    several = [tmp_path / "empty", tmp_path / "videos", tmp_path / "not there"]
    assert find_recordings(several) == [tmp_path / "empty", tmp_path / "videos" / "a.mp4", tmp_path / "not there"]


def test_what_is_no_recording(tmp_path):
    (tmp_path / "README.md").write_text("Five videos")
    (tmp_path / "face.JPG").write_bytes(cv2.imencode(".jpg", np.zeros((64, 64), np.uint8))[1].tobytes())
    (tmp_path / "empty").mkdir()
    for name, words in {
        "README.md": "no video, by its name or by what is in it; leave it out",
        "face.JPG": "a still picture; a folder of pictures or a video is wanted",
        "empty": "neither videos nor pictures in it (its sub-folders are not searched)",
    }.items():
        with pytest.raises(UserError) as caught:
            check_kind(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {words}"


def test_a_video_by_what_is_in_it(tmp_path):
    pytest.importorskip("av")
    (tmp_path / "take 1.dat").write_bytes((VIDEOS / "single_face.mp4").read_bytes())
    check_kind(tmp_path / "take 1.dat")
    for name in ("not there.mp4", "0"):  # the number of a camera is none either
        with pytest.raises(UserError, match="no such video file or folder of pictures"):
            check_kind(tmp_path / name)
