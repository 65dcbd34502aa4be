"""A drawn person before a camera, for all that needs a recording whose movements are known."""

from fractions import Fraction
from pathlib import Path

import pytest

from dfrnet.datasets.synthetic_recordings import framed, recordings
from dfrnet.types import Recording

FPS, SECONDS = 60, 12


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> tuple[Path, Recording]:
    """A drawn person before a camera, and the movements that were planted."""
    frames = framed(recordings(1, SECONDS / 60, FPS, 12, "easy")[0], 320, 240, 1.6)
    av = pytest.importorskip("av")
    path = tmp_path_factory.mktemp("drawn") / "person.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS))
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.options = {"crf": "16", "preset": "ultrafast"}
        for index in range(len(frames)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frames[index], format="rgb24")))
        container.mux(stream.encode())
    return path, Recording("truth", SECONDS, FPS, frames.events)
