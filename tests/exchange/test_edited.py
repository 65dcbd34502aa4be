"""What a coder does to our files in his own program: candidates deleted, moved, copied and added."""

import json
import re

import pytest
from recordings import ordinary
from typer.testing import CliRunner

from dfrnet.cli.agreement import app
from dfrnet.exchange import Recording, read, write
from dfrnet.exchange.rows import NO_APEX
from dfrnet.types import Event

ONE = Event(1.0, 1.1, 1.3, "micro", None, {"negative": 0.4, "positive": 0.6}, 0.5, ("chin",), ("AU17",), track=1)
OTHER = Event(
    5.0, 5.2, 5.4, "micro", "positive", {"negative": 0.1, "positive": 0.9}, 0.7, action_units=("AU12",), track=1
)
TOUCHING = Event(1.05, 1.15, 1.35, "micro", "negative", {"negative": 0.8, "positive": 0.2}, 0.6, track=1)


def talk(*events):
    return Recording("talk.mp4", 10.0, 200.0, events)


@pytest.fixture
def elan(tmp_path):
    """Writes events to ELAN, lets ``edit(eaf)`` work on the file with pympi as a coder would, reads it again."""
    pympi = pytest.importorskip("pympi")

    def edited(events, edit):
        path = tmp_path / "edited.eaf"
        write(talk(*events), path)
        eaf = pympi.Elan.Eaf(str(path))
        edit(eaf)
        eaf.to_file(str(path))
        return read(path)

    return edited


def moved(eaf, old, start, end, tier="ME_candidate"):
    """The annotation at the time ``old`` (ms) of a tier now lies at ``start`` to ``end``."""
    ((*_, text),) = eaf.get_annotation_data_at_time(tier, old)
    eaf.remove_annotation(tier, old)
    eaf.add_annotation(tier, start, end, text)


def test_a_deleted_candidate_does_not_come_back(elan):
    back = elan([ONE, OTHER], lambda eaf: eaf.remove_annotation("ME_candidate", 1100))
    assert back.events == (OTHER,)
    (note,) = back.record["not_read"]
    assert note == "1 on AU, 1 on emotion, 1 on apex: left over, their ME_candidate was deleted or lies elsewhere"


def test_all_deleted(elan):
    def edit(eaf):
        eaf.remove_annotation("ME_candidate", 1100)
        eaf.remove_annotation("ME_candidate", 5100)

    assert elan([ONE, OTHER], edit).events == ()


def test_a_deleted_candidate_leaves_nothing_to_its_neighbour(elan):
    """The two share most of their time, so by times alone the class of one would go to the other."""
    back = elan([ONE, TOUCHING, OTHER], lambda eaf: eaf.remove_annotation("ME_candidate (2)", 1100))
    assert back.events == (ONE, OTHER)
    back = elan([ONE, TOUCHING, OTHER], lambda eaf: eaf.remove_annotation("ME_candidate", 1100))
    assert back.events == (TOUCHING, OTHER)


def test_a_moved_candidate_keeps_what_belongs_to_it(elan):
    back = elan([ONE, OTHER], lambda eaf: moved(eaf, 1100, 3000, 3400))
    first, second = back.events
    assert (first.start, first.end, first.probabilities) == (3.0, 3.4, ONE.probabilities)
    assert first.action_units == ("AU17",)
    assert NO_APEX in first.quality  # the point of the apex stayed where the movement was
    assert second == OTHER
    assert back.record["not_read"][0].startswith("1 on apex:")


def test_a_moved_candidate_takes_nothing_of_where_it_comes_to_lie(elan):
    def edit(eaf):
        eaf.remove_annotation("ME_candidate", 5100)
        moved(eaf, 1100, 5000, 5400)

    (event,) = elan([ONE, OTHER], edit).events
    assert (event.label, event.probabilities, event.action_units) == (None, ONE.probabilities, ("AU17",))


def test_a_copied_candidate_leaves_the_class_at_its_place(elan):
    def edit(eaf):
        ((*_, text),) = eaf.get_annotation_data_at_time("ME_candidate", 5100)
        eaf.add_annotation("ME_candidate", 7000, 7300, text)

    first, second, third = elan([ONE, OTHER], edit).events
    assert (first, second) == (ONE, OTHER)
    assert (third.label, third.action_units, third.score) == (None, (), 0.7)


def test_what_a_coder_adds_counts(elan):
    def edit(eaf):
        eaf.add_annotation("ME_candidate", 7000, 7300, "missed by the machine")
        eaf.add_annotation("emotion", 7000, 7300, "surprise")
        eaf.add_tier("AU4")
        eaf.add_annotation("AU4", 8000, 8300, "B")
        eaf.add_annotation("emotion", 9000, 9300, "bored")

    back = elan([ONE], edit)
    assert [(e.start, e.label, e.action_units) for e in back.events] == [
        (1.0, None, ("AU17",)), (7.0, "surprise", ()), (8.0, None, ("AU4B",)),
    ]  # fmt: skip
    assert back.events[1].note == "missed by the machine"
    assert back.record["not_read"][0].startswith("1 on emotion:")


def test_words_behind_the_number_are_kept(elan):
    def edit(eaf):
        eaf.remove_annotation("emotion", 5100)
        eaf.add_annotation("emotion", 5000, 5400, "happiness")
        eaf.remove_annotation("ME_candidate", 5100)
        eaf.add_annotation("ME_candidate", 5000, 5400, "micro; score=0.7; id=2; note=doubtful")

    (event,) = elan([OTHER], edit).events
    assert (event.label, event.note, event.score) == ("happiness", "doubtful", 0.7)


def test_deleted_in_praat(tmp_path):
    path = tmp_path / "talk.TextGrid"
    write(talk(ONE, OTHER), path)
    text = path.read_text()
    assert read(path).events == (ONE, OTHER)
    path.write_text(re.sub(r'"micro; score=0\.5;[^"]*"', '""', text))
    back = read(path)
    assert back.events == (OTHER,)
    assert back.record["not_read"][0].startswith("1 on AU, 1 on emotion, 1 on apex: left over")


def test_deleted_in_boris(tmp_path):
    """Start and stop go together; the point of the apex may stay."""
    path = tmp_path / "talk.boris"
    write(talk(ONE, OTHER), path)
    project = json.loads(path.read_text())
    (observation,) = project["observations"].values()
    observation["events"] = [row for row in observation["events"] if row[2] == "apex" or row[0] > 2]
    path.write_text(json.dumps(project))
    back = read(path)
    assert back.events == (OTHER,)
    assert back.record["not_read"] == ["1 apexes outside every movement"]


def test_deleted_in_datavyu(tmp_path):
    path = tmp_path / "talk.csv"
    write(talk(ONE, OTHER), path, "datavyu")
    path.write_text("".join(line for line in path.open() if not line.startswith("00:00:01")))
    assert read(path).events == (OTHER,)


def test_agreement_sees_what_was_deleted(elan, tmp_path):
    write(ordinary(), tmp_path / "events.json")
    machine = read(tmp_path / "events.json").events
    elan(machine, lambda eaf: eaf.remove_annotation("ME_candidate", 1300))
    out = CliRunner().invoke(app, [str(tmp_path / "events.json"), str(tmp_path / "edited.eaf")]).output
    assert "confirms 1 of the 2 movements" in out
    assert "edited.eaf: not read: 1 on AU, 1 on emotion, 1 on apex: left over" in out
