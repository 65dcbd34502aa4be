"""The same evaluation on every engine gives the same numbers, also when a worker is killed in the middle of it."""

from __future__ import annotations

import dataclasses
import os
import signal

import pytest

from dfrnet.datasets import synthetic
from dfrnet.evaluation.run import evaluate
from dfrnet.methods import METHODS
from dfrnet.parallel import engine, in_parallel

STSTNET = METHODS["ststnet"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """What every evaluation here has in common: four folds of three epochs and their inner selection."""
    return {
        "clips": synthetic.load("default", subjects=4, clips_per_subject=4, fps=30),
        "settings": STSTNET.configured(changes={"epochs": "3"}),
        "selection": "audit",
        "cache": tmp_path_factory.mktemp("features"),
    }


@pytest.fixture(scope="module")
def usual(small, tmp_path_factory):
    """By the default engine, in this process."""
    return numbers(evaluate(STSTNET, out=tmp_path_factory.mktemp("usual") / "run", **small))


def numbers(run):
    """All that a run found out: every probability of every epoch as it was written, and all losses."""
    assert run.complete
    return [dataclasses.replace(record, seconds=0.0) for record in run.folds]


def mortal(method, marker):
    """The method, but the first worker to reach the middle of a fold dies there, as by the kernel's hand."""
    here = os.getpid()

    def build(settings, inputs, classes, seed):
        classifier = method.build(settings, inputs, classes, seed)
        network, built = classifier.build, []

        def second_is_fatal():
            # The first network of an audit looks for the epoch on inner subjects, the second is trained for good.
            built.append(1)
            if len(built) == 2 and os.getpid() != here:
                try:
                    marker.touch(exist_ok=False)
                except FileExistsError:
                    return network()
                os.kill(os.getpid(), signal.SIGKILL)
            return network()

        classifier.build = second_is_fatal
        return classifier

    return dataclasses.replace(method, build=build)


@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("dask", "distributed")])
def test_a_worker_killed_in_the_middle_changes_no_number(name, package, small, usual, tmp_path):
    pytest.importorskip(package)
    marker, finished = tmp_path / "killed", []
    with engine(name, jobs=2):
        run = evaluate(
            mortal(STSTNET, marker),
            out=tmp_path / "run",
            jobs=2,
            progress=lambda done, _: finished.append(done),
            **small,
        )
    assert marker.exists(), "nobody was killed"
    assert finished == [0, 1, 2, 3, 4]
    assert numbers(run) == usual


def test_two_processes_may_fill_one_folder(small, usual, tmp_path):
    """As the jobs of a batch system do that were given the same --out."""
    runs = list(in_parallel(lambda _: evaluate(STSTNET, out=tmp_path / "run", **small), range(2), jobs=2))
    assert [numbers(run) for run in runs] == [usual, usual]
    assert not list((tmp_path / "run").rglob("*.part"))
