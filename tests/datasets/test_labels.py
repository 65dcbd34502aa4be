"""Which class a clip belongs to: MEGC2019's list, a set's own classes, or a mapping of one's own."""

from collections import Counter

import numpy as np
import pytest

from archive_rows import make_row
from archives import write_casme2
from dfrnet.datasets import ARCHIVES, load
from dfrnet.datasets.annotations import action_units
from dfrnet.datasets.labels import (
    CD6ME_UNITS,
    THREE,
    UNIT_CLASSES,
    labelled,
    official,
    three,
    undecided_units,
    unit_numbers,
)
from dfrnet.types import CLASSES, Clip, UserError

OWN = {name: archive.own for name, archive in ARCHIVES.items()}
PICTURES = [np.zeros((4, 4), np.uint8)] * 3


def clip(dataset, subject, name, emotion, label=None):
    person = f"{dataset}/{subject}"
    return Clip(f"{person}/{name}", dataset, person, label or emotion, PICTURES, 0, 1, 2, 100.0, emotion)


def test_the_official_list_is_that_of_the_challenge():
    """Counts that the organisers print; 68 subjects."""
    counts = Counter((name.split("/")[0], label) for name, label in official().items())
    assert counts == {
        ("casme2", "negative"): 88, ("casme2", "positive"): 32, ("casme2", "surprise"): 25,
        ("samm", "negative"): 92, ("samm", "positive"): 26, ("samm", "surprise"): 15,
        ("smic", "negative"): 70, ("smic", "positive"): 51, ("smic", "surprise"): 43,
    }  # fmt: skip
    assert len({name.rsplit("/", 1)[0] for name in official()}) == 68


def test_three_classes_follow_the_list_and_not_the_emotion():
    listed = clip("casme2", "sub01", "EP02_01f", "disgust")  # the list has it as positive
    off = clip("casme2", "sub04", "EP12_01f", "disgust")  # a fitting emotion, and not on the list
    assert three(listed) == official()["casme2/sub01/EP02_01f"] == "positive"
    assert three(off) is None


@pytest.mark.parametrize("name", ["casme3", "mmew", "dfme"])
def test_sets_outside_the_list_are_grouped_by_emotion(name):
    group = {emotion: label for label, emotions in THREE.items() for emotion in emotions}
    for emotion in ARCHIVES[name].own:
        assert three(clip(name, "s1", "c1", emotion)) == group.get(emotion), emotion
    assert {group.get(emotion) for emotion in ARCHIVES[name].own} >= set(CLASSES)


def test_data_that_come_labelled_keep_their_labels():
    assert three(clip("synthetic", "s1", "c1", "contempt", "negative")) == "negative"


def test_own_classes_of_one_set():
    clips = [clip("samm", "006", f"006_1_{k}", emotion) for k, emotion in enumerate(["anger", "fear", "other"])]
    kept, classes, apart = labelled(clips, "five", OWN)
    assert classes == ("anger", "contempt", "happiness", "surprise", "other")
    assert [one.label for one in kept] == ["anger", "other"]
    assert apart == ["samm/006/006_1_1"]


def test_own_classes_of_sets_that_differ_are_an_error():
    clips = [clip("samm", "006", "006_1_1", "anger"), clip("casme2", "sub01", "EP01", "disgust")]
    with pytest.raises(UserError, match=r"samm: anger, .*; casme2: disgust"):
        labelled(clips, "five", OWN)
    with pytest.raises(UserError, match="maps has no classes of its own"):
        labelled([clip("maps", "s1", "c1", "negative")], "five", OWN)


MAPPING = """
classes = ["smile", "frown"]
[samm]
anger = "frown"
happiness = "smile"
[mmew]
anger = "frown"
"""


@pytest.fixture
def mapping(tmp_path):
    def write(text):
        path = tmp_path / "classes.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_a_mapping_of_ones_own(mapping):
    clips = [clip("samm", "006", "006_1_1", "anger"), clip("samm", "006", "006_1_2", "fear")]
    clips += [clip("samm", "006", "006_1_3", "happiness"), clip("mmew", "S01", "S01-01-001", "anger")]
    kept, classes, apart = labelled(clips, mapping(MAPPING), OWN)
    assert classes == ("smile", "frown")
    assert [one.label for one in kept] == ["frown", "smile", "frown"]
    assert apart == ["samm/006/006_1_2"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("classes = [", "not TOML"),
        ("", "needs a table for each data set"),
        ("samm = 3", "needs a table for each data set"),
        ("[samm]\nangr = 'frown'", "'angr'; did you mean 'anger'"),
        ("[samm]\nanger = 3", "the class must be a text"),
        ("classes = ['frown', 'smile']\n[samm]\nanger = 'frown'", "must list each class"),
        ("classes = [1]\n[samm]\nanger = '1'", "must list each class"),
        ("[casme2]\ndisgust = 'frown'", r"no table \[samm\]"),
    ],
)
def test_what_is_wrong_with_a_mapping(mapping, text, sentence):
    with pytest.raises(UserError, match=sentence):
        labelled([clip("samm", "006", "006_1_1", "anger")], mapping(text), OWN)


def test_unknown_schemes_and_missing_files():
    one = [clip("samm", "006", "006_1_1", "anger")]
    with pytest.raises(UserError, match="did you mean 'three'"):
        labelled(one, "thre", OWN)
    with pytest.raises(UserError, match="cannot be read"):
        labelled(one, "nowhere.toml", OWN)
    with pytest.raises(UserError, match="none of the 1 clips"):
        labelled(one, "three", OWN)


def test_load_takes_a_mapping_for_drawn_faces(mapping):
    emotions = sorted({one.emotion for one in load(["synthetic"]).clips})
    text = "[synthetic]\n" + "\n".join(f'{e} = "{"up" if e == "surprise" else "down"}"' for e in emotions)
    found = load(["synthetic"], classes=mapping(text))
    assert set(found.classes) == {"up", "down"}
    assert {one.label for one in found.clips if one.emotion == "surprise"} == {"up"}


def acted(dataset, *units, emotion="others", name=None):
    """A clip of those action units."""
    person = f"{dataset}/s1"
    return Clip(f"{person}/{name or '+'.join(units) or 'none'}", dataset, person, emotion, PICTURES, 0, 1, 2, 100.0,
                emotion, units)  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "sure", "undecided"),
    [
        ("12", {12}, set()), ("L12", {12}, set()), ("R4", {4}, set()), ("AU12", {12}, set()), ("LAU12", {12}, set()),
        ("12A", {12}, set()), ("A12B", {12}, set()), ("12L", {12}, set()), ("12+?", {12}, set()), ("12?", {12}, set()),
        ("10A/B", {10}, set()), ("A/L12", {12}, set()), ("T18+B18", {18}, set()), ("ref(7B)+43", {7, 43}, set()),
        ("4,7", {4, 7}, set()), ("4 7", {4, 7}, set()), ("1+2+L10", {1, 2, 10}, set()), ("soft focus", set(), set()),
        ("?", set(), set()), ("", set(), set()), ("7 or 7B", {7}, set()), ("(R6 or R12)+R15", {15}, {6, 12}),
        ("L12 or L14", set(), {12, 14}), ("R14A or 17A or 24A", set(), {14, 17, 24}), ("12/14", set(), {12, 14}),
        ("12+L12 or L14", {12}, {14}),
    ],
)  # fmt: skip
def test_spellings_of_action_units(cell, sure, undecided):
    """As the sheets of CASME II and SAMM spell them, and as others might."""
    one = acted("samm", *action_units(cell))
    assert unit_numbers(one) == sure
    assert undecided_units(one) == undecided


def test_one_action_unit_as_the_classes(caplog):
    smic, maps = acted("smic"), clip("maps", "s1", "c1", "negative")
    samm = [acted("samm", "R12A"), acted("samm", "4", "7"), acted("samm"), acted("samm", "(R6 or R12)", "R15")]
    casme2 = [acted("casme2", "112"), acted("casme2", "1", "12")]
    kept, classes, apart = labelled([smic, maps, *samm, *casme2], "AU12", OWN)
    assert classes == ("absent", "present")
    assert [(one.id, one.label) for one in kept] == [
        ("samm/s1/R12A", "present"), ("samm/s1/4+7", "absent"), ("casme2/s1/112", "absent"),
        ("casme2/s1/1+12", "present"),
    ]  # fmt: skip
    assert apart == ["smic/s1/none", "maps/s1/c1", "samm/s1/none", "samm/s1/(R6 or R12)+R15"]
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "--classes AU12: smic annotates no action units; its 1 clips are left out",
        "--classes AU12: maps annotates no action units; its 1 clips are left out",
        "--classes AU12: 1 clips of samm name no action unit; left out",
    ]


def test_what_is_undecided_for_one_unit_is_decided_for_another():
    pair = [acted("samm", "(R6 or R12)", "R15"), acted("samm", "6", "12")]
    assert [one.label for one in labelled(pair, "au015", OWN)[0]] == ["present", "absent"]
    assert [one.label for one in labelled(pair, "AU6", OWN)[0]] == ["present"]


def test_an_action_unit_that_nobody_has():
    with pytest.raises(UserError, match=r"AU3: no clip has it; choose .*: AU4 2, AU12 1$"):
        labelled([acted("samm", "4"), acted("casme2", "L4", "12")], "AU3", OWN)
    with pytest.raises(UserError, match="AU12: none of the 2 clips has annotated action units; SMIC"):
        labelled([acted("smic"), acted("samm", "soft focus")], "AU12", OWN)
    with pytest.raises(UserError, match=r"unknown class scheme 'AU'; .*AU12"):
        labelled([acted("samm", "4")], "AU", OWN)


def test_an_action_unit_takes_more_than_the_challenges_clips(tmp_path):
    """Others, and what is not on MEGC2019's list; CD6ME takes every annotated clip."""
    rows = [
        make_row("casme2", "01", "EP02_01f", "happiness", 46, 50, 54, units="6+L12"),
        make_row("casme2", "04", "EP12_01f", "others", 46, 50, 54, units="4"),
        make_row("casme2", "05", "EP05_03", "others", 46, 50, 54, units="?"),
    ]
    root = write_casme2(tmp_path, rows=rows, cheap=True).root
    assert len(load([f"casme2={root}"]).clips) == 1
    found = load([f"casme2={root}"], classes="AU12")
    assert found.classes == UNIT_CLASSES
    assert [(one.id, one.label) for one in found.clips] == [
        ("casme2/sub01/EP02_01f", "present"), ("casme2/sub04/EP12_01f", "absent"),
    ]  # fmt: skip


def test_drawn_faces_have_action_units():
    clips = load(["synthetic"], classes="AU12").clips
    assert {one.label for one in clips} == {"absent", "present"}
    for one in clips:
        assert (one.label == "present") == any(unit.removeprefix("L").removeprefix("R") == "AU12"
                                               for unit in one.action_units)  # fmt: skip


def test_the_twelve_units_of_cd6me():
    assert len(set(CD6ME_UNITS)) == 12
    assert list(CD6ME_UNITS) == sorted(CD6ME_UNITS)
