"""The measurement of speed: all stages are there, also the one that only a movement reaches."""

import json
from dataclasses import replace

import pytest

from dfrnet.types import UserError
from dfrnet.video.bench import LEAST, bench, drawn_video, render
from dfrnet.video.watch import STAGES

pytest.importorskip("av")


@pytest.fixture(scope="module")
def short():
    return bench(seconds=1, fps=60)


def test_a_second_is_enough_to_measure_every_stage(short):
    assert [stage.name for stage in short.stages] == ["decode", *STAGES]
    assert all(0 <= stage.p50 <= stage.p95 for stage in short.stages)
    assert (short.width, short.height, short.frames) == (640, 480, 40)
    assert short.fps == pytest.approx(40 / short.seconds)


def test_what_is_too_short_for_a_movement_says_so(short):
    assert (short.events, short.micro) == (0, 0)
    *_, before, note = render(short, "text").splitlines()
    assert "from file to 0 events" in before
    assert note.startswith("note: no micro-movement was found in it, so that no model was asked")
    assert f"{LEAST:g} s or more" in note
    moved = render(replace(short, events=1, micro=1), "text")
    assert "from file to 1 event (" in moved
    assert "40 frames measured (the first 20 are not)" in moved
    assert "note" not in moved


def test_the_drawn_face_moves_and_a_model_is_asked():
    """Within the least length, so that no measurement of the default length is without it."""
    pytest.importorskip("onnxruntime")
    found = bench(model="synthetic", seconds=LEAST, fps=30)
    assert found.micro == 1
    assert found.stages[-1].name == "recognise"
    assert found.stages[-1].mean > found.stages[-1].p50  # one call that costs much


def test_json_holds_what_the_text_shows(short):
    read = json.loads(render(short, "json"))
    assert read["fps"] == pytest.approx(short.fps)
    assert [stage["name"] for stage in read["stages"]] == ["decode", *STAGES]
    assert read["micro"] == 0


def test_too_few_frames_are_one_sentence(tmp_path):
    path = drawn_video(tmp_path / "drawn.mp4", 0.5, 30)
    with pytest.raises(UserError, match="15 frames are too few to measure"):
        bench(path)
