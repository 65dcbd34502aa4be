import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfrnet.evaluation.metrics import uar, uf1
from dfrnet.evaluation.statistics import (
    bootstrap_interval,
    compare_paired,
    holm,
    paired_confusions,
    permutation_p,
    run_score,
    subject_confusions,
)
from dfrnet.types import CLASSES, UserError


def clips(skill, random, subjects=12, each=6):
    """(subject, truth, label) with the right label at rate ``skill``."""
    rows = []
    for s in range(subjects):
        for i in range(each):
            truth = CLASSES[i % 3]
            rows.append((f"d/{s:02}", truth, truth if random.random() < skill else CLASSES[int(random.integers(3))]))
    return rows


@pytest.fixture
def random():
    return np.random.default_rng(1)


def test_matrices_by_seed_and_subject(predict):
    a = predict([("d/2", "negative", "positive"), ("d/1", "surprise", "surprise")], seed=5)
    b = predict([("d/2", "negative", "negative"), ("d/1", "surprise", "surprise")], seed=3)
    subjects, counts = subject_confusions(a + b, CLASSES)
    assert subjects == ("d/1", "d/2")
    assert counts.shape == (2, 2, 3, 3)
    assert counts.dtype == np.int64
    assert counts[0, 1, 0, 0] == counts[1, 1, 0, 1] == 1  # seed 3 comes first
    assert run_score(counts, uf1) == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_unknown_class_names_the_clip(predict):
    with pytest.raises(UserError, match=r"clip d/1/0: class 'anger'"):
        subject_confusions(predict([("d/1", "anger", "negative")]), CLASSES)


def test_bootstrap_is_deterministic_and_holds_the_score(random, predict):
    _, counts = subject_confusions(predict(clips(0.5, random)), CLASSES)
    low, high = bootstrap_interval(counts, uf1)
    assert (low, high) == bootstrap_interval(counts, uf1)
    assert (low, high) == bootstrap_interval(counts[0], uf1)  # one seed may drop its axis
    assert (low, high) != bootstrap_interval(counts, uf1, seed=1)
    assert 0 < low < run_score(counts, uf1) < high < 1
    narrow = bootstrap_interval(counts, uf1, level=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_bootstrap_against_a_plain_loop(random, predict):
    _, counts = subject_confusions(predict(clips(0.6, random)), CLASSES)
    plain = [float(uar(counts[0][random.integers(12, size=12)].sum(axis=0))) for _ in range(4000)]
    assert bootstrap_interval(counts, uar) == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=0.02)


def test_a_perfect_run_has_no_width(random, predict):
    _, counts = subject_confusions(predict(clips(1.0, random)), CLASSES)
    assert bootstrap_interval(counts, uf1) == (1.0, 1.0)


def test_a_run_against_itself(random, predict):
    run = predict(clips(0.5, random))
    compared = compare_paired(run, run, CLASSES)
    assert (compared.n, compared.subjects) == (72, 12)
    for difference in (compared.uf1, compared.uar):
        assert difference.value == 0
        assert difference.interval == (0, 0)
        assert difference.p_bootstrap == difference.p_permutation == difference.p_t == 1


def test_a_clear_difference(random, predict):
    good, bad = predict(clips(0.95, random)), predict(clips(0.1, random))
    compared = compare_paired(good, bad, CLASSES)
    for difference in (compared.uf1, compared.uar):
        assert difference.value == pytest.approx(difference.a - difference.b)
        assert 0 < difference.interval[0] < difference.value < difference.interval[1]
        assert max(difference.p_bootstrap, difference.p_permutation, difference.p_t) < 0.01
    mirrored = compare_paired(bad, good, CLASSES).uf1
    assert mirrored.value == pytest.approx(-compared.uf1.value)
    assert mirrored.p_permutation == pytest.approx(compared.uf1.p_permutation, abs=0.005)


def test_permutation_against_all_sign_patterns(random, predict):
    a, b = (predict(clips(skill, random, subjects=6)) for skill in (0.7, 0.4))
    _, x, y = paired_confusions(a, b, CLASSES)
    observed = abs(run_score(x, uf1) - run_score(y, uf1))
    hits = 0
    for pattern in range(64):
        swap = np.array([pattern >> i & 1 for i in range(6)], bool)[None, :, None, None]
        gap = run_score(np.where(swap, y, x), uf1) - run_score(np.where(swap, x, y), uf1)
        hits += abs(gap) >= observed - 1e-12
    assert permutation_p(x, y, uf1) == pytest.approx(hits / 64, abs=0.02)


def test_p_is_never_zero(random, predict):
    good, bad = predict(clips(1.0, random, subjects=40)), predict(clips(0.0, random, subjects=40))
    assert compare_paired(good, bad, CLASSES).uf1.p_permutation == pytest.approx(1e-4)


def test_seeds_need_not_be_as_many(random, predict):
    a = predict(clips(0.6, random))
    b = predict(clips(0.5, random), seed=0) + predict(clips(0.5, random), seed=1) + predict(clips(0.5, random), seed=2)
    compared = compare_paired(a, b, CLASSES)
    _, alone = subject_confusions(b, CLASSES)
    assert compared.uf1.b == pytest.approx(run_score(alone, uf1))


def test_one_subject_proves_nothing(random, predict):
    a, b = (predict(clips(skill, random, subjects=1)) for skill in (1.0, 0.0))
    assert compare_paired(a, b, CLASSES).uf1.p_t == 1


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ([("d/1", "negative", "negative")], "clip d/2/1: only the first run"),
        ([("d/1", "negative", "negative"), ("d/2", "positive", "negative")], "clip d/2/1: negative of d/2 in the"),
        ([("d/1", "negative", "negative"), ("d/2", "negative", "negative"), ("d/3", "negative", "negative")],
         "clip d/3/2: only the second run"),
    ],
)  # fmt: skip
def test_clips_must_be_the_same(other, message, predict):
    mine = predict([("d/1", "negative", "negative"), ("d/2", "negative", "negative")])
    with pytest.raises(UserError, match=message):
        compare_paired(mine, predict(other), CLASSES)


def test_every_seed_must_be_finished(predict):
    whole = predict([("d/1", "negative", "negative"), ("d/2", "negative", "negative")])
    with pytest.raises(UserError, match="clip d/2/1: seed 1 of the second run lacks it"):
        compare_paired(whole, whole + predict([("d/1", "negative", "negative")], seed=1), CLASSES)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_order_and_range(p_values):
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [adjusted[i] for i in order] == sorted(adjusted)
