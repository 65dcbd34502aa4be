import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from dfrnet.evaluation.metrics import METRICS, accuracy, confusion, f1s, recalls, uar, uf1
from dfrnet.types import CLASSES, UserError

answers = st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1, max_size=40)


def matrix(pairs):
    return confusion([t for t, _ in pairs], [p for _, p in pairs], CLASSES)


def test_hand_made_case():
    counts = np.array([[5, 1, 0], [2, 2, 0], [0, 1, 1]])
    assert f1s(counts) == pytest.approx([10 / 13, 4 / 8, 2 / 3])
    assert uf1(counts) == pytest.approx((10 / 13 + 4 / 8 + 2 / 3) / 3)
    assert recalls(counts) == pytest.approx([5 / 6, 1 / 2, 1 / 2])
    assert uar(counts) == pytest.approx((5 / 6 + 1) / 3)
    assert accuracy(counts) == pytest.approx(8 / 12)


def test_rows_are_the_truth():
    assert confusion(["a", "a", "b"], ["a", "b", "b"], ["a", "b"]).tolist() == [[1, 1], [0, 1]]


@given(answers)
def test_equal_to_scikit_learn(pairs):
    truth, label = zip(*pairs, strict=True)
    counts = matrix(pairs)
    assert uf1(counts) == pytest.approx(f1_score(truth, label, labels=CLASSES, average="macro", zero_division=0))
    # recall_score with a class that is absent from the truth counts it as 0, as here.
    assert uar(counts) == pytest.approx(recall_score(truth, label, labels=CLASSES, average="macro", zero_division=0))
    assert accuracy(counts) == pytest.approx(accuracy_score(truth, label))


@given(answers, st.permutations(range(3)), st.randoms())
def test_order_of_clips_and_names_of_classes_do_not_matter(pairs, order, random):
    counts = matrix(pairs)
    shuffled = random.sample(pairs, len(pairs))
    assert (matrix(shuffled) == counts).all()
    renamed = dict(zip(CLASSES, [CLASSES[i] for i in order], strict=True))
    relabelled = matrix([(renamed[t], renamed[p]) for t, p in pairs])
    for metric in METRICS.values():
        assert metric(relabelled) == pytest.approx(metric(counts))


@given(st.lists(answers, min_size=1, max_size=4))
def test_leading_axes_are_free(groups):
    stacked = np.stack([matrix(pairs) for pairs in groups])
    for metric in METRICS.values():
        assert metric(stacked) == pytest.approx([float(metric(counts)) for counts in stacked])


def test_an_absent_class_counts_as_zero():
    counts = confusion(["negative", "positive"], ["negative", "positive"], CLASSES)
    assert uf1(counts) == uar(counts) == pytest.approx(2 / 3)


def test_always_negative_on_the_composite():
    truth = ["negative"] * 250 + ["positive"] * 109 + ["surprise"] * 83
    counts = confusion(truth, ["negative"] * 442, CLASSES)
    assert accuracy(counts) == pytest.approx(250 / 442)
    assert uar(counts) == pytest.approx(1 / 3)
    assert uf1(counts) == pytest.approx(0.2408, abs=5e-5)


def test_nothing_at_all_scores_zero():
    assert [float(metric(np.zeros((3, 3), int))) for metric in METRICS.values()] == [0, 0, 0]


def test_unknown_class_is_named():
    with pytest.raises(UserError, match="'anger'"):
        confusion(["anger"], ["negative"], CLASSES)
