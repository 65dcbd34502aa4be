"""What every method promises, for every entry of METHODS: a new one joins by itself."""

import dataclasses

import numpy as np
import pytest

from dfrnet.features import FeatureSpec
from dfrnet.methods import METHODS, flat
from dfrnet.recognizer import _as_text
from dfrnet.types import Classifier, UserError
from trees import separable

QUICK = {
    "epochs": "2",
    "batch_size": "8",
    "widths": "4,6,8,10",
    "width": "12",
    "repeats": "1,1,1",
    "size": "28",
    "frame_size": "32",
    "filters": "8",
    "shared": "16",
    "specific": "8",
    "fused": "8",
}
every_method = pytest.mark.parametrize("name", METHODS)


def quick(name, **changes):
    """The method's settings, as small as they go."""
    method = METHODS[name]
    known = flat(method.settings)
    return method.configured(changes={k: v for k, v in (QUICK | changes).items() if k in known})


def problem(name, n=18):
    method, settings = METHODS[name], quick(name)
    spec = method.inputs(settings)
    x, y, groups = separable(n, size=spec.size, channels=len(spec.maps))
    return method, settings, spec, x, y, groups


@every_method
def test_it_is_described(name):
    method = METHODS[name]
    assert method.name == name
    assert len(method.reference) > 5
    assert dataclasses.is_dataclass(method.settings)
    assert isinstance(method.inputs(method.settings), FeatureSpec)
    hash(method.settings)


def test_names_are_unique():
    assert len({method.name for method in METHODS.values()}) == len(METHODS)
    assert {"dfrnet", "ststnet", "svm_flow", "constant"} <= set(METHODS)


@every_method
def test_it_fits_and_answers(name):
    method, settings, spec, x, y, groups = problem(name)
    classifier = method.build(settings, spec, 3, 0)
    assert isinstance(classifier, Classifier)
    before = x.copy(), y.copy()
    assert classifier.fit(x, y, groups) is classifier
    found = classifier.predict_proba(x[:7])
    assert found.shape == (7, 3)
    assert found.dtype == np.float64
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


@every_method
def test_the_same_seed_gives_the_same_numbers(name):
    method, settings, spec, x, y, groups = problem(name)
    one, two = (method.build(settings, spec, 3, 7).fit(x, y, groups).predict_proba(x) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@every_method
@pytest.mark.parametrize("present", [(0, 1), (1, 2), (2,)], ids=str)
def test_classes_that_are_missing_in_training(name, present):
    method, settings, spec, x, y, groups = problem(name)
    keep = np.isin(y, present)
    classifier = method.build(settings, spec, 3, 0).fit(
        x[keep], y[keep], [g for g, k in zip(groups, keep, strict=True) if k]
    )
    found = classifier.predict_proba(x)
    assert found.shape == (18, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    if name in ("constant", "svm_flow"):
        absent = [k for k in range(3) if k not in present]
        assert set(found.argmax(axis=1)) <= set(present)
        assert (found[:, absent] < 1e-9).all()


@every_method
def test_one_clip_is_enough_to_ask_about(name):
    method, settings, spec, x, y, groups = problem(name)
    assert method.build(settings, spec, 3, 0).fit(x, y, groups).predict_proba(x[:1]).shape == (1, 3)


@every_method
def test_building_twice_shares_nothing(name):
    method, settings, spec, x, y, groups = problem(name)
    first = method.build(settings, spec, 3, 0).fit(x, y, groups)
    answers = first.predict_proba(x)
    method.build(settings, spec, 3, 1).fit(x, (y + 1) % 3, groups)
    np.testing.assert_array_equal(first.predict_proba(x), answers)


@every_method
def test_settings_survive_the_way_through_strings(name):
    """What ``run.json`` and model files hold can be given to ``--set`` again."""
    method = METHODS[name]
    for settings in (method.settings, quick(name), *method.presets.values()):
        again = method.configured(changes={key: _as_text(value) for key, value in flat(settings).items()})
        assert again == settings


@every_method
def test_setting_names_do_not_collide(name):
    def names(settings):
        for entry in dataclasses.fields(settings):
            value = getattr(settings, entry.name)
            yield from names(value) if dataclasses.is_dataclass(value) else (entry.name,)

    found = list(names(METHODS[name].settings))
    assert len(set(found)) == len(found)


@every_method
def test_an_unknown_setting_or_preset_is_a_sentence(name):
    with pytest.raises(UserError, match=f"unknown setting of {name} 'frame_sise'; did you mean 'frame_size'"):
        METHODS[name].configured(changes={"frame_sise": "64"})
    with pytest.raises(UserError, match=f"unknown preset of {name} 'papper'"):
        METHODS[name].configured("papper")


def test_a_preset_is_offered_by_its_closest_name():
    with pytest.raises(UserError, match="did you mean 'paper'"):
        METHODS["dfrnet"].configured("papper")


def test_presets_and_changes_add_up():
    settings = METHODS["dfrnet"].configured("paper", {"epochs": "3", "inputs": "flow", "flip": "false"})
    assert (settings.training.epochs, settings.training.learning_rate) == (3, 1e-5)
    assert (settings.inputs, settings.training.flip) == ("flow", False)
    assert METHODS["dfrnet"].presets["paper"].training.epochs == 100


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("dfrnet", ("epochs", "many"), "--set epochs=many: that is not a whole number"),
        ("dfrnet", ("epochs", "2.5"), "--set epochs=2.5: that is not a whole number"),
        ("dfrnet", ("learning_rate", "fast"), "--set learning_rate=fast: that is not a number"),
        ("dfrnet", ("flip", "yes"), "--set flip=yes: write true or false"),
        ("dfrnet", ("widths", "8,x"), "--set widths=x: that is not a whole number"),
        ("dfrnet", ("schedule", "cosin"), "unknown value for schedule 'cosin'; did you mean 'cosine'"),
        ("dfrnet", ("inputs", "flow+apex"), "unknown input 'apex'; .*all, spatial, differential, flow"),
        ("dfrnet", ("inputs", "flow+flow"), "inputs=flow.flow: each input at most once"),
        ("dfrnet", ("layers", "5"), "layers=5: it must lie in 1..4"),
        ("dfrnet", ("layers", "0"), "layers=0: it must lie in 1..4"),
        ("dfrnet", ("widths", "8"), "layers=3: it must lie in 1..1"),
        ("dfrnet", ("widths", "8,0,8"), r"widths=\(8, 0, 8\) must be above 0"),
        ("dfrnet", ("dropout", "1.5"), "dropout=1.5"),
        ("dfrnet", ("epochs", "0"), "epochs=0 is out of range"),
        ("ststnet", ("dropout", "-1"), "dropout=-1.0"),
        ("svm_flow", ("flow", "tvl2"), "unknown flow 'tvl2'; did you mean 'tvl1'"),
        ("svm_flow", ("size", "5"), "size=5: it must lie in 7..1024"),
        ("svm_flow", ("maps", ""), "maps: name at least one of u, v"),
        ("svm_flow", ("cells", "0"), "cells=0"),
        ("svm_flow", ("C", "-1"), "C=-1.0"),
    ],
    ids=lambda value: "=".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_value_is_a_sentence(name, change, message):
    with pytest.raises(UserError, match=message) as caught:
        METHODS[name].configured(changes=dict([change]))
    assert "\n" not in str(caught.value)


def test_cells_that_do_not_divide_the_side():
    method, settings = METHODS["svm_flow"], METHODS["svm_flow"].configured(changes={"cells": "5"})
    x, y, groups = separable(size=28)
    with pytest.raises(UserError, match=r"cells=5 does not divide the maps' side of 28"):
        method.build(settings, method.inputs(settings), 3, 0).fit(x, y, groups)


def test_the_svm_learns_and_the_constant_does_not():
    x, y, groups = separable(30, size=28)
    new, truth, _ = separable(18, size=28, seed=5)
    found = {}
    for name in ("svm_flow", "constant"):
        method = METHODS[name]
        classifier = method.build(method.settings, method.inputs(method.settings), 3, 0).fit(x, y, groups)
        found[name] = (classifier.predict_proba(new).argmax(axis=1) == truth).mean()
    assert found["svm_flow"] == 1
    assert found["constant"] == pytest.approx(1 / 3)


def test_the_constant_answers_with_the_shares():
    method = METHODS["constant"]
    x, _, groups = separable(8, size=28, channels=2)
    y = np.array([0, 0, 0, 0, 0, 1, 1, 2])
    found = method.build(method.settings, method.inputs(method.settings), 3, 0).fit(x, y, groups).predict_proba(x)
    np.testing.assert_allclose(found, np.tile([5 / 8, 2 / 8, 1 / 8], (8, 1)))


def test_pooling_is_a_mean_over_cells():
    from dfrnet.methods.svm_flow import pool

    x = np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float32)
    found = pool(x, 3).reshape(2, 3, 3, 3)
    assert found[1, 2, 0, 2] == pytest.approx(x[1, 2, 0:2, 4:6].mean(), abs=1e-6)


def test_reading_the_methods_imports_neither_torch_nor_scikit_learn(python):
    words = "import sys, dfrnet.methods; print([m for m in ('torch', 'sklearn', 'matplotlib') if m in sys.modules])"
    done = python("-c", words)
    assert done.stdout.strip() == "[]", done.stderr
