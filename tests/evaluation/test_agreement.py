"""Agreement of two codings: small cases worked by hand, kappa against scikit-learn, and what symmetry demands."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from dfrnet.evaluation.agreement import NO_APEX, agree, cohen_kappa, not_assessable, render_agreement, units_of
from dfrnet.types import Event, Interval, Recording, UserError


def event(start, end, apex=None, **more):
    return Event(start, (start + end) / 2 if apex is None else apex, end, **more)


def lines(found):
    return {group.name: group for group in found.groups}


CODER = [
    event(1.0, 1.4, kind="micro", label="positive", action_units=("LAU12B",)),
    event(5.0, 5.2, kind="micro", label="negative", action_units=("AU4C",)),
    event(9.0, 10.0, kind="macro", label="positive", action_units=("AU6", "AU12D")),
]
MACHINE = [
    event(1.1, 1.4, kind="micro", label="positive", action_units=("AU12",)),
    event(7.0, 7.2, kind="micro", label="surprise"),
    event(9.0, 9.8, kind="micro", label="negative", action_units=("AU6", "AU25")),
    event(12.0, 12.1, kind="micro"),
]


def test_by_hand():
    found = agree(MACHINE, CODER, duration=20.0)
    everything = found.groups[0]
    assert (everything.a, everything.b, everything.agreed) == (4, 3, 2)
    assert (everything.index, everything.precision, everything.recall) == (4 / 7, 2 / 4, 2 / 3)
    by_name = {name: (g.a, g.b, g.agreed) for name, g in lines(found).items()}
    assert by_name == {
        "all": (4, 3, 2), "macro": (0, 1, 0), "micro": (4, 2, 1), "negative": (1, 1, 0), "positive": (1, 2, 1),
        "surprise": (1, 0, 0), "AU4": (0, 1, 0), "AU6": (1, 1, 1), "AU12": (1, 2, 1), "AU25": (1, 0, 0),
        "all units": (3, 4, 2),
    }  # fmt: skip
    assert list(by_name) == [g.name for g in found.groups]  # units by number, not by letter
    assert lines(found)["all units"].index == 4 / 7
    kinds, labels = found.names
    assert (kinds.of, kinds.n, kinds.same) == ("kind", 2, 1)
    assert (labels.of, labels.n, labels.same) == ("label", 2, 1)
    assert labels.kappa == 0.0  # rows (1, 1), columns (0, 2): half agree, half by chance
    shifts = {shift.moment: shift for shift in found.shifts}
    assert (shifts["onset"].n, shifts["onset"].median, shifts["onset"].absolute) == (
        2,
        pytest.approx(50),
        pytest.approx(50),
    )
    assert shifts["offset"].median == pytest.approx(-100)


def test_kappa_of_time_by_hand():
    """A marks 0 to 2 s, B 1 to 3 s, of 10 s: both 1, A only 1, B only 1, neither 7."""
    found = agree([event(0, 2)], [event(1, 3)], duration=10.0)
    chance = (0.2 * 0.2) + (0.8 * 0.8)
    assert found.groups[0].kappa == pytest.approx((0.8 - chance) / (1 - chance))


times = st.integers(0, 400).map(lambda n: n / 100)
events = st.lists(
    st.builds(
        lambda start, long, kind, label, units: event(start, start + long, kind=kind, label=label, action_units=units),
        times, st.integers(1, 100).map(lambda n: n / 100), st.sampled_from(["micro", "macro"]),
        st.sampled_from([None, "x", "y"]), st.sampled_from([(), ("AU4",), ("LAU12A", "AU6")]),
    ),
    max_size=5,
)  # fmt: skip
rules = st.sampled_from([{"iou": 0.5}, {"iou": 0.1}, {"tolerance": 0.1}, {"tolerance": 0.0}])


@given(events, events, rules)
def test_exchanging_the_two_exchanges_precision_and_recall_only(a, b, rule):
    one, other = agree(a, b, 5.0, **rule), agree(b, a, 5.0, **rule)
    for mine, theirs in zip(one.groups, other.groups, strict=True):
        assert (mine.name, mine.a, mine.b, mine.agreed) == (theirs.name, theirs.b, theirs.a, theirs.agreed)
        assert (mine.index, mine.kappa) == (theirs.index, theirs.kappa)
        assert (mine.precision, mine.recall) == (theirs.recall, theirs.precision)


@given(events, rules)
def test_everybody_agrees_with_himself(a, rule):
    for group in agree(a, a, 10.0, **rule).groups:
        assert group.a == group.b == group.agreed
        assert group.index in (1, None)
        assert group.kappa in (1, None)
    assert all(shift.absolute == 0 for shift in agree(a, a, 10.0, iou=1.0).shifts)


@given(events, events)
def test_kappa_of_time_is_that_of_scikit_learn(a, b):
    middles = (np.arange(500) + 0.5) * 0.01

    def marked(side):
        return [any(e.start - 1e-9 <= t <= e.end + 1e-9 for e in side) for t in middles]

    kappa = agree(a, b, 5.0).groups[0].kappa
    if kappa is None:
        assert len({*marked(a), *marked(b)}) == 1
    else:
        assert kappa == pytest.approx(cohen_kappa_score(marked(a), marked(b)))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=30))
def test_kappa_of_names_is_that_of_scikit_learn(named):
    counts = np.zeros((3, 3), np.int64)
    for mine, theirs in named:
        counts["abc".index(mine), "abc".index(theirs)] += 1
    kappa = cohen_kappa(counts)
    if kappa is None:
        assert len({name for pair in named for name in pair}) == 1
    else:
        assert kappa == pytest.approx(cohen_kappa_score(*zip(*named, strict=True)))


def test_nothing_on_one_side_or_on_both():
    nothing = agree([], [], 60.0).groups
    assert [(g.name, g.a, g.b, g.agreed, g.index, g.kappa) for g in nothing] == [("all", 0, 0, 0, None, None)]
    one = agree([event(1, 2)], [], 60.0).groups[0]
    assert (one.index, one.precision, one.recall, one.kappa) == (0, 0, None, 0)
    assert "confirms 0 of the 0 movements" in render_agreement(agree([], []), "text")


def test_a_tolerance_looks_at_onsets_or_apexes():
    a = [event(1.0, 2.0, apex=1.5)]
    assert len(agree(a, [event(1.1, 1.2)], tolerance=0.1).pairs) == 1  # onsets
    assert len(agree(a, [event(0.2, 1.6, apex=1.4)], tolerance=0.1).pairs) == 1  # apexes
    assert not agree(a, [event(1.2, 1.9, apex=1.7)], tolerance=0.1).pairs
    stand_in = [event(0.2, 1.6, apex=1.4, quality=(NO_APEX,))]
    found = agree(a, stand_in, tolerance=0.1)
    assert not found.pairs
    assert "apex" not in [s.moment for s in agree(a, [replace(a[0], quality=(NO_APEX,))]).shifts]


def test_the_nearest_are_paired():
    a, b = [event(1.0, 1.5), event(1.2, 1.7)], [event(1.21, 1.7), event(1.01, 1.5)]
    assert [(x.start, y.start) for x, y in agree(a, b, tolerance=0.5).pairs] == [(1.0, 1.01), (1.2, 1.21)]


def test_the_words_for_an_uncoded_apex_are_those_of_the_files():
    rows = pytest.importorskip("dfrnet.exchange.rows")
    assert rows.NO_APEX == NO_APEX


@pytest.mark.parametrize(
    ("units", "numbers"),
    [(("LAU12C", "AU4"), {12, 4}), (("12", "R6A"), {12, 6}), ((), set()), (("soft focus",), set())],
)
def test_units_by_number(units, numbers):
    assert units_of(event(0, 1, action_units=units)) == numbers


@pytest.mark.parametrize("rule", [{"iou": 0.0}, {"iou": 2.0}, {"tolerance": -1.0}, {"tolerance": float("nan")}])
def test_rules_that_are_none(rule):
    with pytest.raises(UserError, match="choose"):
        agree([], [], **rule)


def test_a_recording_that_is_too_long():
    with pytest.raises(UserError, match="too long"):
        agree([], [], 1e9)


def test_text_and_json_say_the_same():
    found = agree(MACHINE, CODER, 20.0)
    text = render_agreement(found, "text", "machine.csv", "coder.csv", ["note"])
    sentence = "coder.csv confirms 2 of the 4 movements of machine.csv (50%); 1 more of coder.csv has no counterpart"
    assert sentence in text
    assert text.endswith("note\n")
    said = json.loads(render_agreement(found, "json", "machine.csv", "coder.csv"))
    assert said["groups"][0]["index"] == 4 / 7
    assert sentence in said["sentence"]
    assert len(said["pairs"]) == 2
    with pytest.raises(UserError, match="unknown format"):
        render_agreement(found, "xml")


def test_what_is_not_assessable_counts_nowhere():
    """B's movement at 5 s lies in what A's machine did not see: not missed, and its time is in no kappa."""
    found = agree(MACHINE, CODER, 20.0, blocked=[(4.0, 6.0), (5.0, 6.5), (30.0, 40.0)])
    everything = found.groups[0]
    assert (everything.a, everything.b, everything.agreed, everything.recall) == (4, 2, 2, 1.0)
    assert (found.aside, found.blocked) == ((0, 1), 2.5)
    assert "AU4" not in lines(found)
    cut = [replace(one, start=one.start - 2.5, apex=one.apex - 2.5, end=one.end - 2.5) for one in MACHINE[1:]]
    same = [replace(CODER[2], start=6.5, apex=7.0, end=7.5)]
    assert everything.kappa == agree([MACHINE[0], *cut], [CODER[0], *same], 17.5).groups[0].kappa
    text = render_agreement(found, "text", "machine.json", "coder.eaf")
    assert "Not assessable are 2.5 s of it. Movements there count nowhere (1 of coder.eaf, 0 of machine.json)" in text
    said = json.loads(render_agreement(found, "json"))
    assert said["not_assessable"] == {"seconds": 2.5, "a": 0, "b": 1}


def test_a_movement_half_of_which_is_not_assessable():
    def aside(*blocked):
        return agree([event(1.0, 2.0), event(3.0, 3.0)], [], 5.0, blocked=blocked).aside[0]

    assert [aside((0.0, 1.4)), aside((0.0, 1.5)), aside((2.9, 3.1)), aside((0.0, 5.0))] == [0, 1, 1, 2]
    assert agree([event(1.0, 2.0)], [], 5.0, blocked=[(0.0, 5.0)]).groups[0].kappa is None


def test_when_no_face_is_assessable():
    blur, pose, nobody = Interval(1, 3, "blur", 1), Interval(2, 4, "pose", 2), Interval(6, 7, "no face")
    assert not_assessable(Recording("x", 10, 30)) == []
    assert not_assessable(Recording("x", 10, 30, (), (blur, nobody))) == [(1, 3), (6, 7)]
    assert not_assessable(Recording("x", 10, 30, (), (blur, pose, nobody))) == [(2, 3), (6, 7)]
    assert not_assessable(Recording("x", 10, 30, (), (blur,), tracks=(2,))) == []
    assert not_assessable(Recording("x", 10, 30, start=2, spans={0: (3, 8)})) == [(0, 3), (8, 10)]


def test_what_was_not_looked_at_counts_nowhere():
    part = Recording("x", 60, 30, (event(10, 10.3), event(70, 70.3)), start=5, record={"asked": {"end": 60}})
    whole = Recording("x", 120, 30, tuple(event(at, at + 0.3) for at in (2, 10, 70, 80, 90)))
    assert not_assessable(part) == [(0, 5), (60, np.inf)]
    found = agree(part.events, whole.events, duration=120, blocked=not_assessable(part))
    assert (found.groups[0].a, found.groups[0].b, found.groups[0].agreed) == (1, 1, 1)
    assert not_assessable(replace(part, record={"asked": "nothing"})) == [(0, 5)], "another program's record"


# Command line


@pytest.fixture
def files(tmp_path, monkeypatch):
    exchange = pytest.importorskip("dfrnet.exchange")
    monkeypatch.chdir(tmp_path)
    for name, side in (("machine", MACHINE), ("coder", CODER)):
        recording = exchange.Recording("talk.mp4", 20.0, 200.0, tuple(side))
        for form, end in (("csv", "csv"), ("json", "json"), ("elan", "eaf"), ("textgrid", "TextGrid")):
            exchange.FORMATS[form].write(recording, tmp_path / f"{name}.{end}")


@pytest.fixture
def agreement(capsys):
    """The command alone."""
    import typer

    from dfrnet.cli.agreement import app

    def call(*words):
        typer.main.get_command(app).main([str(word) for word in words], standalone_mode=False)
        return capsys.readouterr().out

    return call


@pytest.mark.parametrize("b", ["coder.csv", "coder.json", "coder.eaf", "coder.TextGrid"])
def test_command_on_files_of_two_programs(files, agreement, b):
    said = json.loads(agreement("machine.csv", b, "--format", "json"))
    assert said["b"] == b
    assert {g["name"]: (g["a"], g["b"], g["agreed"]) for g in said["groups"]}["all"] == (4, 3, 2)


def test_command_in_words(files, agreement):
    out = agreement("machine.json", "coder.json", "--tolerance", "0.1")
    first, second = out.splitlines()[:2]
    assert first.startswith("coder.json confirms 2 of the 4 movements of machine.json (50%)")
    assert second == (
        "A is machine.json, B is coder.json, of 20.0 s. Two movements are the same where their onsets or their apexes "
        "lie within 0.1 s."
    )
    assert "the same where their overlap (IoU) is at least 0.5.\n" in agreement("machine.json", "coder.json")
    assert "ot assessable" not in out
    assert "Neither file says" not in out
    assert "Neither file says" in agreement("machine.csv", "coder.csv")
    with pytest.raises(UserError, match="give one of them"):
        agreement("machine.csv", "coder.csv", "--tolerance", "0.1", "--iou", "0.5")


def test_command_leaves_out_what_the_machine_did_not_see(files, agreement):
    exchange = pytest.importorskip("dfrnet.exchange")
    unseen = (Interval(4.5, 6.0, "face too small"),)
    exchange.write(exchange.Recording("talk.mp4", 20.0, 200.0, tuple(MACHINE), unseen), "events.json")
    exchange.write(exchange.Recording("talk.mp4", 20.0, 200.0, tuple(MACHINE), unseen), "events.csv")
    out = agreement("events.json", "coder.eaf")
    assert out.startswith("coder.eaf confirms 2 of the 4 movements of events.json (50%).\n")
    assert "(1 of coder.eaf, 0 of events.json)" in out
    assert "events.csv does not say what was not assessable; events.json beside it does" in agreement(
        "events.csv", "coder.eaf"
    )
