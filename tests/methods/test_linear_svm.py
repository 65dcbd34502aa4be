"""The choice of C and the answers, against scikit-learn's own tools."""

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.svm import SVC

from dfrnet.methods.linear_svm import CANDIDATES, LinearSVM, choose, middle, probabilities, products
from dfrnet.types import UserError


def problem(n=90, subjects=9, seed=0, size=12):
    """Three classes that overlap, as vectors (n, size) in the shape of maps."""
    random = np.random.default_rng(seed)
    y = np.arange(n, dtype=np.int64) % 3
    x = random.standard_normal((n, size))
    x[np.arange(n), y] += 1.2
    return x.astype(np.float32).reshape(n, 1, 1, size), y, [f"d/s{i * subjects // n}" for i in range(n)]


def flat(x):
    return x.reshape(len(x), -1).astype(np.float64)


@pytest.mark.parametrize("seed", range(4))
def test_the_choice_is_that_of_a_search_by_subject(seed):
    x, y, groups = problem(seed=seed)
    scores = []
    for cost in CANDIDATES:
        machine = SVC(C=cost, kernel="linear", break_ties=True)
        found = cross_val_predict(machine, flat(x), y, groups=groups, cv=GroupKFold(5))
        scores.append(f1_score(y, found, average="macro"))
    assert len(set(scores)) > 1
    chosen = choose(products(flat(x), flat(x)), y, groups, CANDIDATES[::-1])
    assert chosen == CANDIDATES[int(np.argmax(scores))]


def test_the_choice_is_made_on_other_subjects():
    """What repeats within a subject alone is worth nothing: among clips of all subjects a large C would win."""
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 60)
    own = np.repeat(random.standard_normal((20, 40)), 3, axis=0)  # each subject looks like itself
    y = np.repeat(y[::3], 3)
    kernel = products(own, own)
    by_subject = choose(kernel, y, [f"d/s{i // 3}" for i in range(60)], (1e-4, 10.0))
    by_clip = choose(kernel, y, [f"d/s{i % 3}" for i in range(60)], (1e-4, 10.0))
    assert by_clip == 10.0
    found = cross_val_predict(SVC(C=10, kernel="linear"), own, y, groups=np.arange(60) // 3, cv=GroupKFold(5))
    other = cross_val_predict(SVC(C=1e-4, kernel="linear"), own, y, groups=np.arange(60) // 3, cv=GroupKFold(5))
    better = f1_score(y, found, average="macro") > f1_score(y, other, average="macro")
    assert by_subject == (10.0 if better else 1e-4)


def test_answers_are_those_of_a_linear_machine():
    x, y, groups = problem()
    ours = LinearSVM(flat, (0.5,), 3).fit(x, y, groups)
    assert ours.C == 0.5
    new, _, _ = problem(seed=9)
    found = ours.predict_proba(new)
    theirs = SVC(C=0.5, kernel="linear").fit(flat(x), y).decision_function(flat(new))
    np.testing.assert_allclose(found, np.exp(theirs) / np.exp(theirs).sum(axis=1, keepdims=True), atol=1e-6)


def test_it_keeps_what_it_chose():
    x, y, groups = problem()
    ours = LinearSVM(flat, CANDIDATES, 3).fit(x, y, groups)
    assert ours.C == choose(products(flat(x), flat(x)), y, groups, CANDIDATES)


@pytest.mark.parametrize(("subjects", "classes"), [(1, 3), (2, 3), (9, 1)])
def test_where_nothing_can_be_chosen_the_middle_stands(subjects, classes):
    x, y, groups = problem(subjects=subjects)
    ours = LinearSVM(flat, CANDIDATES, 3).fit(x, y % classes, groups)
    assert ours.C == middle(CANDIDATES) == 1.0
    found = ours.predict_proba(x[:4])
    np.testing.assert_allclose(found.sum(axis=1), 1)
    if classes == 1:
        np.testing.assert_array_equal(found, [[1, 0, 0]] * 4)


def test_of_equal_candidates_the_smallest():
    x, y, groups = problem(n=30, subjects=5)
    x[np.arange(30), 0, 0, y] += 20  # every C is right
    assert choose(products(flat(x), flat(x)), y, groups, (100.0, 1.0, 10.0)) == 1.0


def test_an_inner_fold_may_lack_a_class():
    """A class that one subject alone shows is absent when that subject is held out."""
    x, y, groups = problem(n=30, subjects=3)
    y = np.where(np.array(groups) == "d/s0", 1, 0)
    assert choose(products(flat(x), flat(x)), y, groups, CANDIDATES) in CANDIDATES


def test_one_value_for_two_classes():
    scores = np.array([0.3, -2.0])
    found = probabilities(scores, np.array([0, 2]), 3)
    np.testing.assert_allclose(found[:, 2] / found[:, 0], np.exp(2 * scores))
    np.testing.assert_array_equal(found[:, 1], 0)
    np.testing.assert_allclose(found.sum(axis=1), 1)


@pytest.mark.parametrize("name", ["lbp_top", "bi_woof"])
@pytest.mark.parametrize("value", ["", "0", "1,-1", "nan"])
def test_a_wrong_c_is_a_sentence(name, value):
    from dfrnet.methods import METHODS

    with pytest.raises(UserError, match=r"name at least one value above 0, such as --set C=0.1,1,10"):
        METHODS[name].configured(changes={"C": value})
