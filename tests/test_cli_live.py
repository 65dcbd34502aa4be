"""``dfrnet live`` and ``dfrnet bench`` as from a shell."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dfrnet.video.watch import STAGES
from trees import REPOSITORY, child_environment

pytest.importorskip("av")

FACE = REPOSITORY / "tests/videos/single_face.mp4"


def start(*words: object, folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "dfrnet", "live", *map(str, words)], env=child_environment(), cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip


def ended(running: subprocess.Popen) -> tuple[int, str, str]:
    """Exit status and what is still to be read."""
    try:
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert "Traceback" not in err
    assert "Exception" not in err
    return running.returncode, out, err


def audit_of(folder: Path) -> dict:
    (line,) = (folder / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    return json.loads(line)


@pytest.fixture
def endless(tmp_path):
    """A folder of pictures that takes a minute to show at two a second."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture = (REPOSITORY / "tests/data/single_face.jpg").read_bytes()
    for number in range(120):
        (folder / f"{number}.jpg").write_bytes(picture)
    return folder


def test_a_file_as_a_camera(tmp_path):
    running = start(FACE, "--movement-only", "--purpose", "pilot, für 表情", "--audit", "audit.jsonl", folder=tmp_path)
    status, out, err = ended(running)
    assert status == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert {line["type"] for line in lines} == {"status"}
    assert len(lines) >= 2
    assert [line.get("purpose") for line in lines] == ["pilot, für 表情"] + [None] * (len(lines) - 1)
    assert 0 < lines[-1]["fps"] < 32
    assert err.count("frames a second: ") == 1
    audit = audit_of(tmp_path)
    assert (audit["source"], audit["purpose"], audit["model"]) == (str(FACE), "pilot, für 表情", None)
    assert (audit["micro"], audit["macro"], audit["failed"]) == (0, 0, None)
    assert audit["seconds"] == pytest.approx(lines[-1]["time"], abs=1e-3)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to the whole console")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_quietly(endless, tmp_path, number):
    running = start(endless, "--fps", 2, "--movement-only", "--audit", "audit.jsonl", folder=tmp_path)
    first = json.loads(running.stdout.readline())  # at once, not when a buffer is full
    assert first["time"] == 0
    running.send_signal(number)
    begun = time.monotonic()
    status, out, err = ended(running)
    assert time.monotonic() - begun < 10
    assert status == 0
    assert all(json.loads(line)["type"] == "status" for line in out.splitlines())
    assert all(line.startswith("note: ") for line in err.splitlines())
    assert audit_of(tmp_path)["source"] == str(endless)


def test_whoever_reads_may_go(endless, tmp_path):
    """As ``| head -1`` does."""
    running = start(endless, "--fps", 2, "--movement-only", "--audit", "audit.jsonl", folder=tmp_path)
    assert json.loads(running.stdout.readline())["type"] == "status"
    running.stdout.close()
    running.stdout = None
    status, _, err = ended(running)
    assert status == 0
    assert all(line.startswith("note: ") for line in err.splitlines())
    assert audit_of(tmp_path)["failed"] is None


@pytest.mark.parametrize(
    ("package", "wish", "extra"), [("websockets", ("--websocket", 8765), "live"), ("pylsl", ("--lsl",), "lsl")]
)
def test_a_missing_extra_is_said_before_the_camera_opens(dfrnet, monkeypatch, package, wish, extra):
    monkeypatch.setitem(sys.modules, package, None)
    said = dfrnet("live", "97", "--movement-only", *wish).sentence()
    assert f"needs {package}; install it with: pip install 'dfrnet[{extra}]'" in said


def test_a_port_is_a_number_below_65536(dfrnet):
    answer = dfrnet("live", "97", "--websocket", 99_999)
    assert answer.status == 2
    assert "65535" in answer.err


def test_a_camera_that_is_not_there_is_in_the_audit(dfrnet, tmp_path):
    said = dfrnet("live", "97", "--movement-only", "--audit", "audit.jsonl", "--fps", 120).sentence()
    assert said.startswith("camera 97: it does not open")
    assert audit_of(tmp_path)["failed"] == said


def test_an_audit_that_cannot_be_written(dfrnet):
    said = dfrnet("live", "97", "--movement-only", "--audit", "none/audit.jsonl").sentence()
    assert "--audit none" in said


def test_terms_and_a_rate_that_a_file_does_not_need_are_told(tmp_path):
    pytest.importorskip("onnxruntime")
    status, _, err = ended(start(FACE, "--model", "synthetic", "--fps", 60, folder=tmp_path))
    assert status == 0
    assert "note: --fps 60: the time stamps of the video file count, and --fps only where they are missing" in err
    assert "note: model synthetic: Apache-2.0" in err
    assert "Its labels on real faces mean nothing." in err


def test_a_folder_needs_the_rate_that_live_can_be_told(dfrnet, endless):
    assert "say with --fps" in dfrnet("live", endless, "--movement-only").sentence()


def test_bench_in_words_and_for_programs(dfrnet):
    words = ("bench", "--seconds", 1, "--fps", 60, "--movement-only")
    text = dfrnet(*words)
    assert text.status == 0
    rows = [line.split() for line in text.out.splitlines()]
    table = {row[0]: [float(value) for value in row[1:]] for row in rows if row and row[0] in ("decode", *STAGES)}
    assert list(table) == ["decode", *STAGES]
    assert all(p50 <= p95 for p50, p95, _ in table.values())
    read = json.loads(dfrnet(*words, "--format", "json").out)
    assert [stage["name"] for stage in read["stages"]] == list(table)
    assert all(stage["p50"] <= stage["p95"] for stage in read["stages"])
    assert dfrnet("bench", "--format", "xml").sentence() == "--format xml: text or json"
