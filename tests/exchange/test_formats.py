"""Every format through the same promises: what is written comes back, and programs that are not ours can open it."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from recordings import CASES, RECORDINGS, expected, ordinary, sorted_parts

from dfrnet.exchange import FORMATS, Recording, file_name, guess, read, write
from dfrnet.exchange.formats import LOSSES, losses_of
from dfrnet.types import Event, Interval, UserError

every_format = pytest.mark.parametrize("name", FORMATS)
every_case = pytest.mark.parametrize("case", CASES)


def there_and_back(recording, name, folder):
    path = Path(folder) / ("events" + FORMATS[name].suffix)
    write(recording, path)
    assert sorted(p.suffix for p in Path(folder).iterdir() if p.name.startswith(".")) == []
    return path, read(path)


@every_format
@every_case
def test_what_is_written_comes_back(name, case, tmp_path):
    recording = CASES[case]()
    path, back = there_and_back(recording, name, tmp_path)
    assert guess(path) == name
    assert sorted_parts(back) == sorted_parts(expected(recording, name))


@every_format
@given(recording=RECORDINGS)
def test_whatever_is_written_comes_back(name, recording):
    with tempfile.TemporaryDirectory() as folder:
        _, back = there_and_back(recording, name, folder)
        assert sorted_parts(back) == sorted_parts(expected(recording, name))


@every_format
def test_a_second_journey_changes_nothing(name, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, once = there_and_back(CASES["hard"](), name, tmp_path / "a")
    _, twice = there_and_back(once, name, tmp_path / "b")
    assert sorted_parts(once) == sorted_parts(twice)


@every_format
def test_losses_are_admitted(name):
    assert bool(FORMATS[name].losses) == (name != "json")
    assert set(FORMATS[name].losses) <= set(LOSSES)


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_the_tables_of_boris_come_back_too(ending, tmp_path):
    for case, recording in CASES.items():
        path = tmp_path / f"{case}{ending}"
        write(recording(), path, "boris")
        if recording().events:
            assert guess(path) == "boris"
            assert sorted_parts(read(path)) == sorted_parts(expected(recording(), "boris"))


def test_the_text_of_datavyu_comes_back_too(tmp_path):
    path = tmp_path / "events.csv"
    write(CASES["hard"](), path, "datavyu")
    assert guess(path) == "datavyu"
    assert sorted_parts(read(path)) == sorted_parts(expected(CASES["hard"](), "datavyu"))


def test_names_of_files():
    assert file_name("x/talk one.mp4", "elan") == "talk one.eaf"
    assert file_name("sub-01_task-rest_video.mp4", "bids") == "sub-01_task-rest_events.tsv"
    assert file_name("my_video.mp4", "bids") == "my_video_events.tsv"
    assert file_name("", "csv") == "recording.csv"


def test_an_ending_that_names_no_format(tmp_path):
    with pytest.raises(UserError, match=r"\.docx: its ending names no format"):
        write(ordinary(), tmp_path / "events.docx")
    with pytest.raises(UserError, match="did you mean 'elan'"):
        write(ordinary(), tmp_path / "events.eaf", "elam")


def test_json_has_what_json_cannot_hold_as_text(tmp_path):
    record = {"a": float("nan"), "b": Path("x"), "c": (1, 2), 3: {"d"}}
    write(replace(ordinary(), record=record), tmp_path / "events.json")
    assert read(tmp_path / "events.json").record == {"a": None, "b": "x", "c": [1, 2], "3": ["d"]}


@every_format
def test_half_a_character_does_not_stop_a_write(name, tmp_path):
    odd = replace(ordinary(), source="bad\udcff.mp4", events=(Event(1, 1, 2, note="\udcff"),))
    path = tmp_path / ("events" + FORMATS[name].suffix)
    write(odd, path)
    assert read(path).events[0].start == 1


def test_a_recording_checks_itself():
    with pytest.raises(UserError, match="duration"):
        Recording("x", float("nan"), 30)
    with pytest.raises(UserError, match="interval 2"):
        Recording("x", 1, 30, intervals=(Interval(2, 1, "blur"),))
    with pytest.raises(UserError, match="start of -1"):
        Recording("x", 1, 30, start=-1)
    with pytest.raises(UserError, match="face 3, 2 s, 1 s"):
        Recording("x", 1, 30, spans={3: (2, 1)})


@pytest.mark.parametrize(
    ("intervals", "tracks", "share"),
    [
        ((), (), 1.0),
        ((Interval(0, 10, "no face"),), (), 0.0),
        ((Interval(0, 4, "no face"), Interval(2, 5, "blur")), (), 0.5),
        ((Interval(0, 4, "blur", 1),), (), 0.6),
        ((Interval(0, 4, "blur", 1),), (2,), 1.0),
        ((Interval(0, 4, "blur", 1), Interval(2, 6, "pose", 2)), (), 0.8),
        ((Interval(0, 4, "blur", 1), Interval(2, 6, "pose", 2), Interval(9, 20, "no face")), (), 0.7),
    ],
)
def test_the_share_that_is_assessable(intervals, tracks, share):
    assert Recording("x", 10, 30, (), intervals, {}, tracks).assessable == pytest.approx(share)
    assert Recording("x", 0, 30, (), intervals, {}, tracks).assessable == (not intervals)


@every_format
@given(recording=RECORDINGS)
def test_what_is_not_told_as_lost_is_there(name, recording):
    """No loss told: the very same comes back. The order of sheets with equal starts is nobody's promise."""
    with tempfile.TemporaryDirectory() as folder:
        _, back = there_and_back(recording, name, folder)
        if not losses_of(recording, name):
            assert sorted_parts(back) == sorted_parts(replace(recording, source=back.source))
    assert all(loss in FORMATS[name].losses for loss in losses_of(recording, name))


def test_losses_are_those_of_the_recording():
    plain = Recording("talk.mp4", 10.0, 200.0, (Event(1.0, 1.125, 1.25, score=0.5),))
    assert [losses_of(plain, name) for name in FORMATS if name != "csv"] == [[]] * (len(FORMATS) - 1)
    assert [loss.partition(":")[0] for loss in losses_of(plain, "csv")] == [
        "no source, duration, fps, tracks and record"
    ]
    finer = replace(plain, events=(Event(1.0001, 1.1, 1.25), Event(0.5, 0.5, 0.5, score=1 / 3)), curve=((0.0, 0.1),))
    told = losses_of(finer, "elan")
    assert [words.split()[0] for words in told] == ["times", "score", "an", "events", "no"]
    assert losses_of(finer, "json") == []


def test_a_text_with_a_comma_stands_as_it_is(tmp_path):
    one = replace(ordinary().events[0], quality=("face too small, 42 px",), regions=("a, b", "c"))
    for name in FORMATS:
        path, back = there_and_back(replace(ordinary(), events=(one,), record={}), name, tmp_path)
        assert (back.events[0].quality, back.events[0].regions) == (one.quality, one.regions)
        if name in {"csv", "elan"}:
            text = path.read_text(encoding="utf-8")
            assert "face too small, 42 px" in text
            assert '["' not in text


def test_what_a_coders_sheet_does_not_say_is_not_made_up(tmp_path):
    (tmp_path / "coder.csv").write_text("onset_s,offset_s\n1,1.2\n", encoding="utf-8")
    recording = read(tmp_path / "coder.csv")
    assert recording.duration == 0
    write(recording, tmp_path / "coder.json")
    said = json.loads((tmp_path / "coder.json").read_text(encoding="utf-8"))
    assert (said["duration"], said["assessable"]) == (0.0, None)
    assert read(tmp_path / "coder.json") == recording
    write(replace(recording, duration=9.0), tmp_path / "coder.json")  # known length, and nobody looked at the face
    assert json.loads((tmp_path / "coder.json").read_text(encoding="utf-8"))["assessable"] is None
