import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from sklearn.metrics import f1_score

from dfrnet.evaluation.calibration import (
    COVERAGES,
    calibrate,
    card_of,
    coverage_curve,
    expected_calibration_error,
    temperature,
    threshold,
)
from dfrnet.evaluation.records import load_run
from dfrnet.evaluation.scores import score_rows
from dfrnet.recognizer import load
from dfrnet.types import CLASSES, Prediction, UserError
from trees import REPOSITORY

KEPT = REPOSITORY / "results" / "maps" / "dfrnet"


def answers(n=3000, factor=1.0, seed=0, subjects=20):
    """Predictions of a network that knows the true chances and says them ``factor`` times too sure."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, (n, 3))
    truth = [random.choice(3, p=row) for row in special.softmax(logits, axis=1)]
    said = special.softmax(factor * logits, axis=1)
    return [
        Prediction(
            "m", 0, f"d/s{i % subjects}", f"d/s{i % subjects}/{i}", "d", f"d/s{i % subjects}", CLASSES[t],
            CLASSES[int(row.argmax())], tuple(row),
        )
        for i, (t, row) in enumerate(zip(truth, said, strict=True))
    ]  # fmt: skip


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0, 4.0])
def test_the_temperature_is_how_much_too_sure_a_network_is(factor):
    found = calibrate(answers(factor=factor), CLASSES)
    assert found.temperature == pytest.approx(factor, rel=0.1)
    assert found.nll[1] <= found.nll[0] + 1e-3
    if factor != 1:
        assert found.ece[1] < 0.5 * found.ece[0]


def test_a_network_that_says_nothing_true_becomes_unsure():
    shuffled = answers(factor=3.0)
    random = np.random.default_rng(1)
    unrelated = [replace(p, truth=CLASSES[random.integers(3)]) for p in shuffled]
    assert temperature(unrelated, CLASSES) > 15


def test_after_is_measured_with_the_temperature_of_the_others():
    given_answers = answers(n=60, factor=3.0, subjects=3)
    total = 0.0
    for subject in {p.subject for p in given_answers}:
        t = temperature([p for p in given_answers if p.subject != subject], CLASSES)
        for p in given_answers:
            if p.subject == subject:
                total -= np.log(special.softmax(np.log(p.probabilities) / t)[CLASSES.index(p.truth)])
    assert calibrate(given_answers, CLASSES).nll[1] == pytest.approx(total / 60, rel=1e-6)


def test_probabilities_of_zero_are_survived():
    rows = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)]
    found = [
        Prediction("m", 0, "f", f"d/s{i}/c", "d", f"d/s{i}", truth, CLASSES[int(np.argmax(row))], row)
        for i, (truth, row) in enumerate(zip(("negative", "positive", "positive", "surprise"), rows, strict=True))
    ]
    result = calibrate(found, CLASSES)
    assert all(np.isfinite(value) for value in (*result.nll, *result.ece, result.temperature))


@pytest.mark.parametrize("what", ["one subject", "one class", "unknown class"])
def test_too_little_is_named(what):
    found = answers(n=20)
    if what == "one subject":
        found = [p for p in found if p.subject == "d/s0"]
    elif what == "one class":
        found = [replace(p, truth="positive") for p in found]
    else:
        found[3] = replace(found[3], truth="angry")
    with pytest.raises(UserError, match="two subjects and of two classes" if "one" in what else "angry"):
        calibrate(found, CLASSES)


chances = st.lists(st.tuples(*[st.floats(0.01, 1)] * 3), min_size=1, max_size=40)


def table(rows, seed):
    p = np.array(rows)
    return p / p.sum(axis=1, keepdims=True), np.random.default_rng(seed).integers(0, 3, len(p))


@given(chances, st.integers(0, 5))
def test_calibration_error_by_hand(rows, seed):
    p, y = table(rows, seed)
    total = 0.0
    for one in range(15):
        inside = [
            i for i in range(len(y)) if one / 15 <= p[i].max() < (one + 1) / 15 or (one == 14 and p[i].max() == 1)
        ]
        if inside:
            right = np.mean([p[i].argmax() == y[i] for i in inside])
            total += len(inside) / len(y) * abs(right - np.mean([p[i].max() for i in inside]))
    assert expected_calibration_error(p, y) == pytest.approx(total, abs=1e-9)


def test_calibration_error_of_the_extremes():
    sure = np.tile([1.0, 0.0, 0.0], (10, 1))
    assert expected_calibration_error(sure, np.zeros(10, np.int64)) == 0
    assert expected_calibration_error(sure, np.ones(10, np.int64)) == 1


@given(chances, st.integers(0, 5))
def test_the_coverage_curve_by_hand(rows, seed):
    p, y = table(rows, seed)
    curve = coverage_curve(p, y)
    assert len(curve) == len(COVERAGES)
    assert [point.threshold for point in curve] == sorted(point.threshold for point in curve)
    for asked, point in zip(COVERAGES, curve, strict=True):
        assert point.coverage >= asked - 1e-9
        kept = p.max(axis=1) >= point.threshold
        answered = p[kept].argmax(axis=1)
        assert point.coverage == pytest.approx(kept.mean())
        assert point.accuracy == pytest.approx((answered == y[kept]).mean())
        expected = f1_score(y[kept], answered, labels=[0, 1, 2], average="macro", zero_division=0)
        assert point.uf1 == pytest.approx(expected)
    assert (curve[0].coverage, curve[0].threshold) == (1, 0)


def test_a_threshold_for_a_coverage_or_an_accuracy():
    curve = coverage_curve(
        np.array([one.probabilities for one in answers()]), np.array([CLASSES.index(one.truth) for one in answers()])
    )
    assert threshold(curve, coverage=0.8).coverage == pytest.approx(0.8, abs=0.01)
    assert threshold(curve, coverage=0.75).coverage == pytest.approx(0.8, abs=0.01)
    chosen = threshold(curve, accuracy=0.8)
    assert chosen.accuracy >= 0.8
    assert all(one.accuracy < 0.8 for one in curve if one.coverage > chosen.coverage)
    with pytest.raises(UserError, match="accuracy 1 is not reached on held-out subjects, the best is 0"):
        threshold(curve, accuracy=1)
    with pytest.raises(UserError, match="not for both"):
        threshold(curve, accuracy=0.8, coverage=0.8)


def test_the_card_of_a_kept_run():
    run = load_run(KEPT)
    card = card_of(run)
    json.dumps(card, allow_nan=False)
    rows = {row.data: row for row in score_rows([run], "fixed")}
    assert [row["data"] for row in card["scores"]] == list(rows)
    for row in card["scores"]:
        assert (row["uf1"], row["uf1_ci"]) == (rows[row["data"]].uf1, rows[row["data"]].uf1_ci)
    assert card["calibration"]["curve"][0]["uf1"] == pytest.approx(rows["full"].uf1)
    assert (card["protocol"], card["selection"]) == ("loso", "fixed")
    with pytest.raises(UserError, match="folds are finished, not all"):
        card_of(replace(run, config={**run.config, "folds": 69}))


QUICK = ("--set", "inputs=flow", "--set", "widths=4,6,8", "--set", "batch_size=4", "--jobs", 1)


@pytest.fixture
def run(dfrnet, maps_root, tmp_path):
    made = dfrnet(
        "evaluate", "dfrnet", "--data", f"maps={maps_root}", "--out", tmp_path / "run", "--no-controls",
        "--set", "epochs=2", *QUICK,
    )  # fmt: skip
    assert made.status == 0, made.err
    return tmp_path / "run"


def test_train_with_a_run(dfrnet, maps_root, run, tmp_path):
    words = ("train", "dfrnet", "--data", f"maps={maps_root}", "--out", tmp_path / "m.safetensors", *QUICK)
    done = dfrnet(*words, "--set", "epochs=2", "--run", run, "--set", "threads=2")
    assert done.status == 0, done.err
    model = load(tmp_path / "m.safetensors")
    assert model.card == json.loads(json.dumps(card_of(load_run(run))))
    assert model.spec.align == "face"  # the frames that it will meet are not cropped
    assert model.temperature == model.card["calibration"]["temperature"]
    assert f"temperature {model.temperature:.3f}, no label below {model.threshold:.3f}" in done.err
    assert model.threshold in [point["threshold"] for point in model.card["calibration"]["curve"]]
    (tmp_path / "m.safetensors").unlink()
    refused = dfrnet(*words, "--set", "epochs=3", "--run", run).sentence()
    assert "measured epochs=2, and the model has epochs=3" in refused
    other = dfrnet("train", "ststnet", *words[2:6], "--run", run).sentence()
    assert "measured method=dfrnet, and the model has method=ststnet" in other
    assert "need a --run" in dfrnet(*words, "--coverage", "0.5").sentence()
    assert not (tmp_path / "m.safetensors").exists()


def test_train_with_a_run_of_other_clips(dfrnet, maps_root, run, tmp_path):
    sheet = next(maps_root.glob("*.csv"))
    lines = sheet.read_text().splitlines(keepends=True)
    sheet.write_text("".join(lines[:-1]))
    done = dfrnet(
        "train", "dfrnet", "--data", f"maps={maps_root}", "--out", tmp_path / "m", *QUICK, "--set", "epochs=2",
        "--run", run,
    )  # fmt: skip
    assert "are not those of --data" in done.sentence()
    assert not (tmp_path / "m").exists()


def test_train_without_a_run_says_so(dfrnet, maps_root, tmp_path):
    done = dfrnet(
        "train", "dfrnet", "--data", f"maps={maps_root}", "--out", tmp_path / "m", *QUICK, "--set", "epochs=2"
    )
    assert done.status == 0, done.err
    assert "not calibrated" in done.err
    model = load(tmp_path / "m")
    assert (model.temperature, model.threshold, model.card) == (1.0, 0.0, {})
