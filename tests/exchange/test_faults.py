"""Damaged files: one sentence that names the file, whatever is wrong."""

import json
import random
from pathlib import Path

import pytest
from recordings import expected, hard, ordinary
from typer.testing import CliRunner

from dfrnet.cli.exchange import app
from dfrnet.exchange import FORMATS, Recording, read, write
from dfrnet.types import UserError

every_format = pytest.mark.parametrize("name", FORMATS)


def sentence(error, path):
    text = str(error.value)
    return str(path.parent) in text and "\n" not in text and len(text) < 600


def outcome(path, name):
    """The recording, or the sentence that refuses the file."""
    try:
        return read(path, name)
    except UserError as error:
        refusal = str(error)
    assert str(path.parent) in refusal
    assert "\n" not in refusal
    return refusal


def parts(recording):
    return {repr(part) for part in (*recording.events, *recording.intervals)}


@every_format
def test_files_that_are_cut_off(name, tmp_path):
    """Refused; only a table that ends with a whole row is read as the rows that are there."""
    path = tmp_path / ("events" + FORMATS[name].suffix)
    write(hard(), path)
    whole = path.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole[:-1]) if byte == ord("\n")]
    steps = [*random.Random(1).sample(range(1, len(whole) - 2), 60), *ends[:-1][-5:]]
    for length in steps:
        path.write_bytes(whole[:length])
        back = outcome(path, name)
        if isinstance(back, Recording):
            assert name in {"csv", "bids"}, f"{name} cut at {length} of {len(whole)} was read"
            assert whole[length - 1 : length] == b"\n"
            assert parts(back) < parts(expected(hard(), name))


@every_format
def test_files_with_wrong_bytes(name, tmp_path):
    """Changed, lost or doubled bytes: read or refused with a sentence, no other error."""
    chance = random.Random(2)
    path = tmp_path / ("events" + FORMATS[name].suffix)
    write(ordinary(), path)
    whole = path.read_bytes()
    refused = 0
    for _ in range(120):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.randint(0, 3)] = bytes(chance.choices(range(256), k=chance.randint(0, 3)))
        path.write_bytes(damaged)
        refused += isinstance(outcome(path, chance.choice([name, None])), str)
    assert refused > 5


@every_format
def test_files_of_something_else(name, tmp_path):
    path = tmp_path / "other"
    for content in (b"", b"\0" * 50, b"%PDF-1.4 x", b"PK\3\4nothing", b"[]", b"{", b"<a>", b'{"a": [' * 5000):
        path.write_bytes(content)
        with pytest.raises(UserError) as error:
            read(path, name)
        assert sentence(error, path)
        with pytest.raises(UserError) as error:
            read(path)
        assert sentence(error, path)


@pytest.mark.parametrize("place", ["missing.eaf", "."])
def test_files_that_are_not_there(place, tmp_path):
    with pytest.raises(UserError) as error:
        read(tmp_path / place)
    assert "no such file" in str(error.value) or "a folder" in str(error.value)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("start", "1", "start '1' is no number"),
        ("start", -1, "start, apex and end must be in order"),
        ("start", None, "start None is no number"),
        ("end", float("nan"), "end nan is no number"),
        ("end", float("inf"), "end inf is no number"),
        ("apex", True, "apex True is no number"),
        ("kind", 3, "kind 3 is no text"),
        ("label", [], "label [] is no text"),
        ("regions", "brow", "regions 'brow' is no list"),
        ("action_units", [4], "action_units [4] is no list"),
        ("probabilities", [1], "'[1]' is no object"),
        ("probabilities", {"a": "x"}, "probability of a 'x' is no number"),
        ("track", 1.5, "track 1.5 is no whole number"),
    ],
)
def test_wrong_values_in_json(field, value, says, tmp_path):
    path = tmp_path / "events.json"
    write(ordinary(), path)
    whole = json.loads(path.read_text())
    whole["events"][1][field] = value
    path.write_text(json.dumps(whole))
    with pytest.raises(UserError) as error:
        read(path)
    assert f"{path}, event 2: " in str(error.value)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": "other"}, "not a dfrnet-events file"),
        ({"version": 99}, "reads up to 1; update dfrnet"),
        ({"events": {}}, "its events are no list"),
        ({"events": [1]}, "event 1: '1' is no object"),
        ({"intervals": [{"start": 2, "end": 1, "reason": "x"}]}, "start and end must be in order"),
        ({"intervals": [{"start": 2, "end": 3}]}, "interval 1: reason None is no text"),
        ({"duration": "long"}, "duration 'long' is no number"),
        ({"record": 3}, "record and tracks"),
        ({"spans": [1]}, "spans '[1]' are no object"),
        ({"spans": {"1": [0.0]}}, "span of face 1 '[0.0]' is no pair of numbers"),
        ({"spans": {"1": [2.0, 1.0]}}, "when it came and went must be in order"),
        ({"start": "early"}, "start 'early' is no number"),
        ({"curve": [[1]]}, "point of the curve '[1]' is no pair of numbers"),
    ],
)
def test_wrong_wholes_in_json(change, says, tmp_path):
    path = tmp_path / "events.json"
    write(ordinary(), path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError) as error:
        read(path)
    assert str(path) in str(error.value)
    assert says in str(error.value)


@every_format
def test_a_failed_write_leaves_what_was_there(name, tmp_path, monkeypatch):
    path = tmp_path / ("events" + FORMATS[name].suffix)
    write(ordinary(), path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        write(hard(), path)
    monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_convert(tmp_path):
    write(ordinary(), tmp_path / "a.eaf")
    done = CliRunner().invoke(app, [str(tmp_path / "a.eaf"), str(tmp_path / "b.TextGrid")])
    assert done.exit_code == 0, done.output
    assert "2 events, 2 intervals" in done.output
    assert len(read(tmp_path / "b.TextGrid").events) == 2
    done = CliRunner().invoke(app, [str(tmp_path / "a.eaf"), str(tmp_path / "c.csv")])
    assert "no intervals" in done.output
    assert "shorter than a millisecond" not in done.output
    assert "no curve" not in done.output
    write(Recording("talk.mp4", 9.0, 25.0), tmp_path / "d.json")
    done = CliRunner().invoke(app, [str(tmp_path / "d.json"), str(tmp_path / "d.eaf")])
    assert done.output == f"{tmp_path / 'd.eaf'}: 0 events, 0 intervals not assessable\n"
    failed = CliRunner().invoke(app, [str(tmp_path / "a.eaf"), str(tmp_path / "c.doc")])
    assert isinstance(failed.exception, UserError)


def test_formats_have_a_page():
    page = (Path(__file__).parents[2] / "docs" / "exchange.md").read_text(encoding="utf-8")
    for name, one in FORMATS.items():
        assert f"`{name}`" in page
        assert one.suffix in page
        assert all(loss in page for loss in one.losses), name
