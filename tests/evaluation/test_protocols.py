"""Leave one subject out, for any data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfrnet.evaluation.protocols import PROTOCOLS, loso
from dfrnet.types import Clip, UserError

FRAME = np.zeros((1, 2, 2), np.uint8)


def clip(dataset, subject, number):
    return Clip(f"{dataset}/{subject}/c{number}", dataset, f"{dataset}/{subject}", "positive", FRAME)


owners = st.tuples(st.sampled_from(["smic", "samm", "casme2"]), st.sampled_from(["s1", "s2", "s10", "006"]))
data = st.lists(owners, min_size=2, max_size=40).map(
    lambda chosen: [clip(d, s, number) for number, (d, s) in enumerate(chosen)]
).filter(lambda clips: len({c.subject for c in clips}) > 1)  # fmt: skip


@pytest.mark.parametrize("name", PROTOCOLS)
@given(clips=data)
def test_folds_are_disjoint_and_share_no_subject(name, clips):
    for fold in PROTOCOLS[name](clips):
        assert fold.train
        assert fold.test
        assert not set(fold.train) & set(fold.test)
        assert not {clips[i].subject for i in fold.train} & {clips[i].subject for i in fold.test}


@pytest.mark.parametrize("name", PROTOCOLS)
@given(clips=data)
def test_every_clip_is_tested_once(name, clips):
    tested = [i for fold in PROTOCOLS[name](clips) for i in fold.test]
    assert sorted(tested) == list(range(len(clips)))


@given(data)
def test_loso_trains_on_all_others_and_is_named_by_its_subject(clips):
    folds = loso(clips)
    assert [fold.name for fold in folds] == sorted({c.subject for c in clips})
    for fold in folds:
        assert {clips[i].subject for i in fold.test} == {fold.name}
        assert len(fold.train) + len(fold.test) == len(clips)


@given(data, st.randoms(use_true_random=False))
def test_the_order_of_the_clips_changes_no_fold(clips, random):
    shuffled = list(clips)
    random.shuffle(shuffled)

    def by_id(folds, of):
        return [(f.name, {of[i].id for i in f.train}, {of[i].id for i in f.test}) for f in folds]

    assert by_id(loso(clips), clips) == by_id(loso(shuffled), shuffled)


def test_the_same_name_in_two_data_sets_is_two_people():
    clips = [clip("smic", "s1", 0), clip("samm", "s1", 1)]
    assert [fold.name for fold in loso(clips)] == ["samm/s1", "smic/s1"]


@pytest.mark.parametrize("count", [0, 1])
def test_one_subject_is_too_few(count):
    with pytest.raises(UserError, match=f"at least two subjects; the data has {count}"):
        loso([clip("smic", "s1", number) for number in range(3 * count)])
