"""Who is trained on and who is tested, for any clips."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfrnet.datasets import released_maps
from dfrnet.evaluation.protocols import PROTOCOLS, hde, kfold, loso, sde
from dfrnet.evaluation.run import evaluate
from dfrnet.methods import METHODS
from dfrnet.types import Clip, UserError
from trees import tree_state, write_maps

FRAME = np.zeros((1, 2, 2), np.uint8)
SETS, NAMES = ("smic", "samm", "casme2"), ("s1", "s2", "s10", "006")
OWNERS = [(dataset, name) for dataset in SETS for name in NAMES]


def clip(dataset, subject, number):
    return Clip(f"{dataset}/{subject}/c{number}", dataset, f"{dataset}/{subject}", "positive", FRAME)


def clips_of(owners):
    return [clip(d, s, number) for number, (d, s) in enumerate(owners)]


owners = st.sampled_from(OWNERS)
data = st.lists(owners, min_size=2, max_size=40).map(clips_of).filter(lambda clips: len({c.subject for c in clips}) > 1)
# Enough for every protocol: twelve people of three sets, and any more clips of theirs, in any order.
rich = st.lists(owners, max_size=60).flatmap(lambda more: st.permutations([*OWNERS, *more])).map(clips_of)


@pytest.mark.parametrize("name", PROTOCOLS)
@given(clips=rich)
def test_folds_are_disjoint_and_share_no_subject(name, clips):
    for fold in PROTOCOLS[name](clips):
        assert fold.train
        assert fold.test
        assert not set(fold.train) & set(fold.test)
        assert not {clips[i].subject for i in fold.train} & {clips[i].subject for i in fold.test}


@pytest.mark.parametrize("name", PROTOCOLS)
@given(clips=rich)
def test_every_clip_is_tested_once(name, clips):
    tested = [i for fold in PROTOCOLS[name](clips) for i in fold.test]
    assert sorted(tested) == list(range(len(clips)))


@pytest.mark.parametrize("name", PROTOCOLS)
@given(clips=rich, random=st.randoms(use_true_random=False))
def test_the_order_of_the_clips_changes_no_fold(name, clips, random):
    shuffled = list(clips)
    random.shuffle(shuffled)

    def by_id(of):
        return [(f.name, {of[i].id for i in f.train}, {of[i].id for i in f.test}) for f in PROTOCOLS[name](of)]

    assert by_id(clips) == by_id(shuffled)


@given(data)
def test_loso_trains_on_all_others_and_is_named_by_its_subject(clips):
    folds = loso(clips)
    assert [fold.name for fold in folds] == sorted({c.subject for c in clips})
    for fold in folds:
        assert {clips[i].subject for i in fold.test} == {fold.name}
        assert len(fold.train) + len(fold.test) == len(clips)


@given(rich)
def test_sde_is_loso_of_each_set(clips):
    found = {fold.name: fold for fold in sde(clips)}
    assert list(found) == [fold.name for fold in loso(clips)]
    for dataset in SETS:
        own = [i for i, one in enumerate(clips) if one.dataset == dataset]
        for fold in loso([clips[i] for i in own]):
            assert found[fold.name].train == tuple(own[i] for i in fold.train)
            assert found[fold.name].test == tuple(own[i] for i in fold.test)


@given(data)
def test_sde_of_one_set_is_loso(clips):
    one = [c for c in clips if c.dataset == clips[0].dataset]
    if len({c.subject for c in one}) > 1:
        assert sde(one) == loso(one)


@given(rich)
def test_hde_trains_on_every_other_set_and_on_no_clip_of_the_tested_one(clips):
    folds = hde(clips)
    assert [fold.name for fold in folds] == sorted(SETS)
    for fold in folds:
        assert {clips[i].dataset for i in fold.test} == {fold.name}
        assert {clips[i].dataset for i in fold.train} == set(SETS) - {fold.name}
        assert len(fold.train) + len(fold.test) == len(clips)


@given(rich, st.integers(2, 12))
def test_k_folds_are_balanced(clips, folds):
    made = kfold(clips, folds=folds)
    assert [fold.name for fold in made] == [f"fold{k:02d}" for k in range(1, folds + 1)]
    sizes = [len(fold.test) for fold in made]
    assert max(sizes) - min(sizes) <= max(Counter(c.subject for c in clips).values())
    for fold in made:
        assert len(fold.train) + len(fold.test) == len(clips)


def test_k_folds_of_a_case_by_hand():
    """4 | 3, then 4 | 3+3, 4+2 | 6, and of equal folds the first takes the last clip."""
    counts = {"e": 1, "b": 3, "a": 4, "d": 2, "c": 3}
    clips = [clip("samm", name, k) for name, count in counts.items() for k in range(count)]
    tested = [{clips[i].subject[-1] for i in fold.test} for fold in kfold(clips, folds=2)]
    assert tested == [{"a", "d", "e"}, {"b", "c"}]
    assert [len(fold.test) for fold in PROTOCOLS["kfold5"](clips)] == [4, 3, 3, 2, 1]


def test_the_same_name_in_two_data_sets_is_two_people():
    clips = [clip("smic", "s1", 0), clip("samm", "s1", 1)]
    assert [fold.name for fold in loso(clips)] == ["samm/s1", "smic/s1"]


@pytest.mark.parametrize("count", [0, 1])
def test_one_subject_is_too_few(count):
    with pytest.raises(UserError, match=f"at least two subjects; the data has {count}"):
        loso([clip("smic", "s1", number) for number in range(3 * count)])


@pytest.mark.parametrize(
    ("name", "people", "sentence"),
    [
        ("sde", [("smic", "s1"), ("smic", "s2"), ("samm", "006")], "sde needs .*; samm has 1: leave it out, or use"),
        ("sde", [], "at least two subjects; the data has 0"),
        ("hde", [("smic", "s1"), ("smic", "s2")], "hde needs at least two data sets; the data has 1: add another --da"),
        ("hde", [], "the data has 0"),
        ("kfold5", [("smic", f"s{k}") for k in range(4)], "kfold5 needs at least 5 subjects; the data has 4: use loso"),
        ("kfold10", [("smic", f"s{k}") for k in range(9)], "kfold10 needs at least 10 subjects; the data has 9"),
    ],
)
def test_data_that_do_not_suit_a_protocol(name, people, sentence):
    with pytest.raises(UserError, match=sentence):
        PROTOCOLS[name](clips_of(people))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_run_goes_on_where_it_was_cut(name, tmp_path):
    """Two of its folds lost, the same command again: only they are made anew, and they are the same."""
    subjects = [("casme2", f"sub{k:02d}") for k in range(1, 6)] + [("smic", f"s{k:02d}") for k in range(1, 6)]
    clips = released_maps.load(str(write_maps(tmp_path / "htnet", subjects, clips=2)))
    run = evaluate(METHODS["constant"], clips, tmp_path / "run", protocol=name)
    folds = PROTOCOLS[name](clips)
    assert run.complete
    assert [record.fold for record in run.folds] == [fold.name for fold in folds]
    for record, fold in zip(run.folds, folds, strict=True):
        assert [one["id"] for one in record.clips] == [clips[i].id for i in fold.test]
    before = tree_state(run.path / "folds")
    assert len(before) == len(folds)
    lost = sorted(before)[:2]
    for file in lost:
        (run.path / "folds" / file).unlink()
    again = evaluate(METHODS["constant"], clips, tmp_path / "run", protocol=name)
    after = tree_state(run.path / "folds")
    assert {file for file in before if before[file] != after[file]} == set(lost)
    assert again.predictions("fixed") == run.predictions("fixed")
    other = "kfold5" if name != "kfold5" else "loso"
    with pytest.raises(UserError, match=f"protocol was {name} and is now {other}"):
        evaluate(METHODS["constant"], clips, tmp_path / "run", protocol=other)
