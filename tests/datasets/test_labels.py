"""Which class a clip belongs to: MEGC2019's list, a set's own classes, or a mapping of one's own."""

from collections import Counter

import numpy as np
import pytest

from dfrnet.datasets import ARCHIVES, load
from dfrnet.datasets.labels import THREE, labelled, official, three
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
