"""``dfrnet analyze`` as from a shell: what is written, what is said, and what is left when it is cut."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from dfrnet.cli import STOPPED
from dfrnet.exchange import read
from test_cli import COMMANDS
from trees import child_environment

pytest.importorskip("av")

VIDEOS = Path(__file__).parent / "videos"
FACE, CARTOON = VIDEOS / "single_face.mp4", VIDEOS / "no_face.mp4"


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_analyze_end_to_end_as_a_program(python, tmp_path):
    done = python(
        "-m", "dfrnet", "analyze", FACE, CARTOON, tmp_path / "gone.mp4", "--movement-only", "--to", "elan",
        "--to", "bids", "--overlay", "blurred", "--end", "1", "--purpose", "a test", "--out", "out", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stderr == f"dfrnet: {tmp_path}/gone.mp4: no such video file or folder of pictures; check its name\n"
    lines = [line for line in done.stdout.splitlines() if not line.startswith("  ")]
    assert [line.partition(":")[0] for line in lines] == ["out/single_face", "out/no_face"]
    assert "0 micro and 0 macro candidates in 1.0 s at 30 frames a second" in lines[0]
    assert "  no face was found in it" in done.stdout
    each = ("done.json", "events.csv", "events.json", "timeline.png", "overlay.mp4")
    expected = {f"{name}/{file}" for name in ("single_face", "no_face") for file in each}
    expected |= {f"{n}/{n}{end}" for n in ("single_face", "no_face") for end in (".eaf", "_events.tsv", "_events.json")}
    assert files(tmp_path / "out") == expected | {"summary.csv", "audit.jsonl"}
    found = read(tmp_path / "out" / "single_face" / "events.json")
    assert found.tracks == (1,)
    assert found.record["model"] is None
    assert found.record["purpose"] == "a test"


def test_analyze_with_a_model(dfrnet, tmp_path):
    pytest.importorskip("onnxruntime")
    words = ("analyze", FACE, "--model", "synthetic", "--end", "1", "--jobs", "1", "--out", "out")
    done = dfrnet(*words)
    assert done.status == 0, done.err
    assert "note: Candidates for a person to confirm" in done.err
    assert "AI Act" in done.err
    assert "note: model synthetic: Apache-2.0, as dfrnet itself: it was trained on drawn faces alone." in done.err
    assert "Its labels on real faces mean nothing." in done.err
    assert read(tmp_path / "out" / "single_face" / "events.json").record["model"]["method"] == "dfrnet"
    assert "results are there already" in dfrnet(*words).sentence()
    assert dfrnet(*words, "--resume").status == 0
    said = dfrnet(*words[:2], "--model", "maps", *words[4:], "--resume").sentence()
    assert "made otherwise (--model: synthetic, now maps)" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--face", "biggest"), "face must be largest, all or the number of a track"),
        (("--start", "5", "--end", "2"), "the end must come after the start"),
        (("--to", "elam"), "did you mean 'elan'"),
        (("--overlay", "dim"), "unknown overlay 'dim'"),
        (("--model", "mapz"), "unknown model 'mapz'; did you mean 'maps'?"),
    ],
)
def test_a_mistake_is_told_before_anything_is_done(dfrnet, words, says, tmp_path):
    assert says in dfrnet("analyze", FACE, CARTOON, "--out", "out", *words).sentence()
    assert list(tmp_path.iterdir()) == []


def test_formats_with_commas_and_again(dfrnet, tmp_path):
    words = ("analyze", CARTOON, "--movement-only", "--jobs", "1", "--end", "0.3", "--out", "out")
    assert dfrnet(*words, "--to", "csv, boris,", "--to", "bids").status == 0
    found = {Path(name).suffix for name in files(tmp_path / "out" / "no_face")}
    assert found == {".csv", ".json", ".png", ".boris", ".tsv"}
    assert "did you mean 'elan'" in dfrnet(*words, "--to", "boris,elam").sentence()


def test_an_extra_that_is_not_installed(dfrnet, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pympi", None)
    said = dfrnet("analyze", FACE, "--movement-only", "--to", "elan", "--out", "out").sentence()
    assert said == "--to elan: this needs pympi; install it with: pip install 'dfrnet[elan]'"
    assert list(tmp_path.iterdir()) == []


def test_all_that_lies_in_a_folder(dfrnet, tmp_path):
    """As a shell names it with a star: two that are no recordings, and one that is."""
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(CARTOON, folder)
    shutil.copy(VIDEOS / "README.md", folder)
    (folder / "empty").mkdir()
    done = dfrnet("analyze", *sorted(folder.iterdir()), "--movement-only", "--jobs", "1", "--end", "1", "--out", "out")
    assert done.status == 1
    assert [line.partition(": ")[0] for line in done.err.splitlines()] == ["dfrnet", "dfrnet"]
    assert f"{folder / 'README.md'}: no video" in done.err
    assert f"{folder / 'empty'}: neither videos nor pictures in it" in done.err
    assert done.out.startswith("out/no_face: 0 micro and 0 macro candidates")


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_was_cut_goes_on_with_resume(jobs, drawn, tmp_path):
    paths = [shutil.copy(drawn[0], tmp_path / f"{name}.mp4") for name in "abc"]
    words = [sys.executable, "-m", "dfrnet", "analyze", *map(str, paths), "--movement-only", "--end", "4"]
    words += ["--jobs", jobs, "--out", "out"]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    child = subprocess.Popen(
        words, cwd=tmp_path, env=child_environment(), stderr=subprocess.PIPE, text=True, preexec_fn=heard
    )
    out, until = tmp_path / "out", time.monotonic() + 60
    while not list(out.glob(".dfrnet-*")) and time.monotonic() < until:
        time.sleep(0.02)
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    goes_on = "dfrnet: stopped; given again with --resume, the same command goes on with what is not done"
    assert err.splitlines()[-1] == goes_on
    assert not list(out.glob(".*")), "no draft is left"
    assert not {"a", "b", "c"} <= {path.name for path in out.iterdir()}
    done = subprocess.run([*words, "--resume"], cwd=tmp_path, env=child_environment(), check=False, capture_output=True)
    assert done.returncode == 0
    assert {path.name for path in out.iterdir()} == {"a", "b", "c", "summary.csv", "audit.jsonl"}


def test_what_an_interrupted_command_says_is_of_commands_that_exist():
    assert set(STOPPED) <= set(COMMANDS)


@pytest.mark.skipif(os.name == "nt", reason="needs a terminal of its own")
def test_progress_is_shown_on_a_terminal(tmp_path):
    import pty

    theirs, ours = pty.openpty()
    words = ["analyze", str(FACE), "--movement-only", "--overlay", "plain", "--jobs", "1", "--out", "out"]
    child = subprocess.Popen(
        [sys.executable, "-m", "dfrnet", *words], cwd=tmp_path, env=child_environment() | {"TERM": "xterm"},
        stderr=ours, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(ours)
    shown = b""
    try:
        while part := os.read(theirs, 65536):
            shown += part
    except OSError:  # the other end is closed
        pass
    assert child.wait() == 0
    os.close(theirs)
    text = shown.decode()
    for unit in ("seconds looked at", "seconds drawn", "recordings"):
        assert unit in text
    assert "2/3" in text
    assert "1/1" in text
    assert json.loads((tmp_path / "out" / "audit.jsonl").read_text())["failed"] is None
