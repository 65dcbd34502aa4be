"""Fixtures for all tests. One thread each: the machine runs other things, and numbers must not depend on it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from dfrnet import cli
from dfrnet.datasets import released_maps, synthetic
from dfrnet.datasets.synthetic_recordings import framed, recordings
from dfrnet.types import Clip, Recording
from trees import REPOSITORY, child_environment, write_maps

SHARED = REPOSITORY.parent / "shared"

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # for the processes that tests start

# No deadline: a busy machine is no failure. Derandomised: the same examples everywhere.
settings.register_profile(
    "here", deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("here")

try:
    import torch

    torch.set_num_threads(1)
except ModuleNotFoundError:
    pass


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data that the project does not own."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared here")
    return SHARED


@pytest.fixture
def maps_root(tmp_path: Path) -> Path:
    """A tiny clone of the released maps: 6 subjects of three data sets, 18 clips."""
    return write_maps(tmp_path / "htnet")


@pytest.fixture
def maps_clips(maps_root: Path) -> list[Clip]:
    return released_maps.load(str(maps_root))


@pytest.fixture(scope="session")
def drawn_clips() -> list[Clip]:
    """Six synthetic clips of two subjects, 30 frames a second."""
    return synthetic.load("easy", subjects=2, clips_per_subject=3, fps=30)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recording]:
    """A recording of 12 s with 60 frames a second: a drawn person before a camera; and the movements planted in it."""
    av = pytest.importorskip("av")
    fps, seconds = 60, 12
    frames = framed(recordings(1, seconds / 60, fps, 12, "easy")[0], 320, 240, 1.6)
    path = tmp_path_factory.mktemp("drawn") / "person.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.options = {"crf": "16", "preset": "ultrafast"}
        for index in range(len(frames)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frames[index], format="rgb24")))
        container.mux(stream.encode())
    return path, Recording("truth", seconds, fps, frames.events)


@pytest.fixture
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the interpreter on the source tree: ``python("-m", "dfrnet", "--help")``."""

    def run(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, words)], env=child_environment(), cwd=cwd, capture_output=True, text=True,
            timeout=240, check=False,
        )  # fmt: skip

    return run


class Answer:
    """What one call of the command line did."""

    def __init__(self, status, captured):
        self.status, self.out, self.err = status, captured.out, captured.err

    def sentence(self):
        """The one line on standard error after "dfrnet: "; nothing on standard output, no traceback."""
        assert self.status == 1, (self.out, self.err)
        assert self.out == ""
        assert "Traceback" not in self.err
        lines = [line for line in self.err.splitlines() if not line.startswith("note: ")]
        assert len(lines) == 1
        assert lines[0].startswith("dfrnet: ")
        return lines[0].removeprefix("dfrnet: ")


@pytest.fixture
def dfrnet(monkeypatch, capsys, tmp_path):
    """``dfrnet("table", path)`` as from a shell, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["dfrnet", *map(str, words)])
        capsys.readouterr()
        try:
            cli.main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
        return Answer(status, capsys.readouterr())

    return call
