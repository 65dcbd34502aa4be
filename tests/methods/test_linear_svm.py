"""The choice of C and the answers, against scikit-learn's own tools."""

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.svm import SVC

from dfrnet.methods.linear_svm import CANDIDATES, LinearSVM, choose, middle, probabilities, products
from dfrnet.types import UserError

FEW = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def problem(n=90, subjects=9, seed=0, size=12):
    """Three classes that overlap, as vectors (n, size) in the shape of maps; clips of a subject are alike."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, n)
    y[:3] = 0, 1, 2
    subject = np.arange(n) * subjects // n
    x = random.standard_normal((n, size)) + random.standard_normal((subjects, size))[subject]
    x[np.arange(n), y] += 1.2
    return x.astype(np.float32).reshape(n, 1, 1, size), y, [f"d/s{i}" for i in subject]


def flat(x):
    return x.reshape(len(x), -1).astype(np.float64)


@pytest.mark.parametrize("seed", range(4))
def test_the_choice_is_that_of_a_search_by_subject(seed):
    x, y, groups = problem(seed=seed)
    scores = []
    for cost in FEW:
        machine = SVC(C=cost, kernel="linear", break_ties=True)
        found = cross_val_predict(machine, flat(x), y, groups=groups, cv=GroupKFold(5))
        scores.append(f1_score(y, found, average="macro"))
    assert len(set(scores)) > 1
    assert choose(products(flat(x), flat(x)), y, groups, FEW[::-1]) == FEW[int(np.argmax(scores))]


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
    chosen = choose(products(flat(x), flat(x)), y, groups, FEW)
    assert chosen != middle(FEW)
    ours = LinearSVM(flat, FEW, 3).fit(x, y, groups)
    theirs = SVC(C=chosen, kernel="linear").fit(flat(x), y)
    np.testing.assert_allclose(
        ours.svc.decision_function(products(flat(x), flat(x))), theirs.decision_function(flat(x))
    )
    assert chosen == ours.C


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
