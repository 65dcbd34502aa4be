"""Folders of results: one recording that fails, in whatever way, costs the others nothing."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dfrnet.exchange import read
from dfrnet.exchange.drafts import NAME
from dfrnet.exchange.results import Wanted, analyze_all
from dfrnet.types import Event, Recording, UserError
from trees import child_environment

pytest.importorskip("av")

VIDEOS = Path(__file__).parents[1] / "videos"
FACE, CARTOON = VIDEOS / "single_face.mp4", VIDEOS / "no_face.mp4"
SHORT = Wanted(end=0.5)


def state(out):
    return {path.name for path in out.iterdir()}


def copies(folder, *names, of=CARTOON):
    folder.mkdir(exist_ok=True)
    return [Path(shutil.copy(of, folder / name)) for name in names]


def test_names_that_are_formulas_too_long_or_no_text(tmp_path):
    """Dollar signs were a formula in the picture; a name of the greatest length left no room for that of a draft."""
    paths = copies(tmp_path / "in", "cost_$5_and_$6^.mp4", "n" * 250 + ".mp4", "n" * 249 + "m.mp4", "面" * 80 + ".mp4")
    odd = os.fsdecode(os.fsencode(tmp_path / "in") + b"/\xff.mp4")
    try:
        shutil.copy(CARTOON, odd)
        paths.append(Path(odd))
    except OSError:  # a file system that takes text only
        pass
    every = Wanted(end=0.3, formats=("elan", "boris", "datavyu", "bids", "textgrid"))
    found = analyze_all(paths, tmp_path / "out", every)
    assert [one.failed for one in found] == [""] * len(paths)
    for one in found:
        assert read(Path(one.folder) / "events.json").duration > 0.25
        assert (Path(one.folder) / "timeline.png").stat().st_size > 5000
        assert len(list(Path(one.folder).iterdir())) == 10
    rows = list(csv.DictReader((tmp_path / "out" / "summary.csv").open(encoding="utf-8")))
    assert len(rows) == len((tmp_path / "out" / "audit.jsonl").read_text(encoding="utf-8").splitlines()) == len(paths)


def test_a_fault_of_ours_ends_one_recording_only(tmp_path, monkeypatch):
    from dfrnet.exchange import results

    def faulty(found):
        return b"" if "no_face" in found.source else 1 / 0

    monkeypatch.setattr(results, "timeline", faulty)
    bad, good = analyze_all([FACE, CARTOON], tmp_path / "out", SHORT)
    assert good.failed == ""
    assert bad.failed.startswith(f"{FACE}: could not be analysed (ZeroDivisionError: division by zero); please report")
    assert "test_results.py, line " in bad.failed
    assert "\n" not in bad.failed
    assert state(tmp_path / "out") == {"no_face", "summary.csv", "audit.jsonl"}


def test_what_is_no_recording_is_told_and_left(tmp_path):
    folder = tmp_path / "in"
    (video,) = copies(folder, "a.mp4")
    (folder / "README.md").write_text("words")
    (folder / "face.jpg").write_bytes(cv2.imencode(".jpg", np.zeros((64, 64), np.uint8))[1].tobytes())
    (folder / "empty").mkdir()
    named = [*sorted(folder.iterdir()), folder / "gone.mp4"]
    found = {Path(one.source).name: one.failed for one in analyze_all(named, tmp_path / "out", SHORT)}
    assert found.pop(video.name) == ""
    assert "no video, by its name or by what is in it" in found.pop("README.md")
    assert "a still picture; a folder of pictures or a video is wanted" in found.pop("face.jpg")
    assert "neither videos nor pictures in it" in found.pop("empty")
    assert "no such video file or folder of pictures" in found.pop("gone.mp4")
    assert not found
    assert state(tmp_path / "out") == {"a", "summary.csv", "audit.jsonl"}


def test_two_jobs_tell_what_one_tells(drawn, tmp_path):
    paths = [drawn[0], CARTOON, FACE, tmp_path / "gone.mp4"]
    calls = []
    one = analyze_all(paths, tmp_path / "one", Wanted(end=3.0))
    two = analyze_all(paths, tmp_path / "two", Wanted(end=3.0), jobs=2, progress=lambda *now: calls.append(now))
    assert [(Path(s.folder).name, s.failed, s.micro, s.seconds) for s in one] == [
        (Path(s.folder).name, s.failed, s.micro, s.seconds) for s in two
    ]
    assert calls == [(k, 4) for k in range(1, 5)]
    for name in ("person", "no_face", "single_face"):
        one, two = (read(tmp_path / out / name / "events.json") for out in ("one", "two"))
        assert replace(one, record={}) == replace(two, record={})  # a record tells what was loaded, here by other tests
    assert state(tmp_path / "two") == {"person", "no_face", "single_face", "summary.csv", "audit.jsonl"}


class Killer(threading.Thread):
    """Kills every process that drafts results into ``out`` while it has the recording ``victim`` open."""

    def __init__(self, out, victim):
        super().__init__(daemon=True)
        self.out, self.victim, self.over, self.killed = out, str(victim), threading.Event(), 0

    def run(self):
        while not self.over.wait(0.01):
            for path in self.out.glob(".dfrnet-*"):
                self.look_at(int(NAME.fullmatch(path.name)[2]))

    def look_at(self, process):
        try:
            links = [os.readlink(link) for link in Path(f"/proc/{process}/fd").iterdir()]  # noqa: PTH115
            if self.victim in links and process != os.getpid():
                os.kill(process, signal.SIGKILL)
                self.killed += 1
        except OSError:  # it has ended, or closed a file meanwhile
            pass


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="reads /proc")
def test_a_recording_that_kills_its_process(drawn, tmp_path):
    """As one for which there is not enough memory does. Those that were beside it are done again."""
    out = tmp_path / "out"
    (victim,) = copies(tmp_path / "in", "victim.mp4", of=drawn[0])
    killer = Killer(out, victim)
    killer.start()
    found = analyze_all([victim, drawn[0], CARTOON, FACE], out, Wanted(end=4.0), jobs=2)
    killer.over.set()
    killer.join()
    assert killer.killed >= 2, "once beside another, once alone"
    assert [bool(one.failed) for one in found] == [True, False, False, False]
    assert found[0].failed.startswith(f"{victim}: the process that analysed it died")
    assert state(out) == {"person", "no_face", "single_face", "summary.csv", "audit.jsonl"}


def test_drafts_of_a_killed_command_are_removed(tmp_path):
    killed = "import os, sys; from pathlib import Path; from dfrnet.exchange.drafts import draft\n"
    killed += "with draft(Path(sys.argv[1], 'x')) as folder: (folder / 'half').touch(); os.kill(os.getpid(), 9)"
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run([sys.executable, "-c", killed, str(out)], env=child_environment(), check=False)
    assert len(state(out)) == 1
    analyze_all([CARTOON], out, SHORT)
    assert state(out) == {"no_face", "summary.csv", "audit.jsonl"}


@pytest.mark.parametrize(
    ("package", "wanted", "says"),
    [
        ("pympi", Wanted(formats=("bids", "elan")), "--to elan: this needs pympi; install it with: pip install"),
        ("av", Wanted(), "to read a video file: this needs av; install it with: pip install 'dfrnet[video]'"),
        ("av", Wanted(overlay="plain"), "--overlay: this needs av"),
    ],
)
def test_a_package_that_is_not_there_is_told_before_the_work(package, wanted, says, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(UserError) as caught:
        analyze_all([FACE], tmp_path / "out", wanted)
    assert says in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_without_matplotlib_the_picture_is_missed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (found,) = analyze_all([FACE], tmp_path / "out", SHORT)
    assert found.notes[-1] == "timeline.png is left out: it needs matplotlib, pip install 'dfrnet[report]'"
    assert found.notes[-1] in read(tmp_path / "out" / "single_face" / "events.json").record["notes"]
    assert not (tmp_path / "out" / "single_face" / "timeline.png").exists()


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"face": "biggest"}, "face must be largest, all or the number of a track"),
        ({"face": "0"}, "face must be"),
        ({"start": 5.0, "end": 2.0}, "--start 5.0 --end 2.0: the end must come after the start"),
        ({"start": 0.0, "end": 0.0}, "the end must come after the start"),
        ({"end": float("nan")}, "the end must come after the start"),
        ({"start": -1.0}, "--start -1.0: seconds from the first frame on"),
        ({"start": float("nan")}, "--start nan"),
        ({"fps": 0.0}, "--fps 0.0: a number above 0 and at most 10000"),
        ({"fps": float("inf")}, "--fps inf"),
        ({"formats": ("elam",)}, "did you mean 'elan'"),
        ({"overlay": "dim"}, "unknown overlay"),
    ],
)
def test_wishes_that_cannot_be(wish, says):
    with pytest.raises(UserError, match=says.replace("?", r"\?")):
        Wanted(**wish)


def test_progress_within_a_recording(drawn, tmp_path):
    looked, drawn_so_far = [], []
    wanted = Wanted(start=1.0, end=4.0, overlay="plain")
    analyze_all(
        [drawn[0]], tmp_path / "out", wanted,
        looking=lambda *now: looked.append(now), drawing=lambda *now: drawn_so_far.append(now),
    )  # fmt: skip
    for calls in (looked, drawn_so_far):
        assert calls[0] == (0, 3)
        assert calls[-1] == (3, 3)
        assert calls == sorted(calls)


def test_a_changed_model_is_another_model(tmp_path):
    """Under the same name."""
    pytest.importorskip("onnxruntime")
    from dfrnet.recognizer import MODELS

    model, out = tmp_path / "model.onnx", tmp_path / "out"
    shutil.copy(MODELS["synthetic"].with_suffix(".onnx"), model)
    wanted = Wanted(str(model), end=0.3)
    analyze_all([CARTOON], out, wanted)
    assert analyze_all([CARTOON], out, wanted, resume=True)[0].failed == ""
    assert len(json.loads((out / "no_face" / "done.json").read_text())["wanted"]["model_sha256"]) == 64
    shutil.copy(MODELS["maps"].with_suffix(".onnx"), model)
    with pytest.raises(UserError, match=r"made otherwise \(the model's file has changed since\)"):
        analyze_all([CARTOON], out, wanted, resume=True)


def test_the_difference_that_resume_refuses_is_named(tmp_path):
    out = tmp_path / "out"
    (video,) = copies(tmp_path / "in", "a.mp4")
    analyze_all([video], out, Wanted(end=0.3, formats=("bids", "csv", "elan")))

    def said(wanted, resume=True):
        with pytest.raises(UserError) as caught:
            analyze_all([video], out, wanted, resume=resume)
        return str(caught.value)

    same = Wanted(end=0.3, formats=("elan", "bids"))
    assert analyze_all([video], out, same, resume=True)[0].failed == ""
    assert said(same, resume=False) == (
        f"{out / 'a'}: results are there already; choose another --out, remove it, or say --resume"
    )
    for resume in (True, False):  # the latter is not told to say --resume
        assert said(Wanted(face="all", formats=("elan",)), resume) == (
            f"{out / 'a'}: results are there already, made otherwise (--face: largest, now all; --end: 0.3, now not "
            "given; --to: bids,elan, now elan); choose another --out, or remove it"
        )
    assert "(--model: none (--movement-only), now maps)" in said(replace(same, model="maps"))
    shutil.copy(FACE, video)
    assert "(the recording is another one, or has changed since)" in said(same)
    (out / "a" / "done.json").unlink()
    assert f"{out / 'a'}: is there already, and holds no finished results" in said(same)


def test_results_in_place_of_a_file(tmp_path):
    (tmp_path / "out").write_text("precious")
    with pytest.raises(UserError, match="out: a file; the results are a folder, name another one with --out"):
        analyze_all([CARTOON], tmp_path / "out", SHORT)
    assert (tmp_path / "out").read_text() == "precious"


def test_the_summary_is_of_the_part_that_was_looked_at(tmp_path):
    out = tmp_path / "out"
    found, gone = analyze_all([CARTOON, tmp_path / "gone.mp4"], out, Wanted(start=0.5, end=0.8, fps=60.0))
    assert found.seconds == pytest.approx(0.3, abs=0.07)
    assert gone.failed
    rows = {Path(row["source"]).stem: row for row in csv.DictReader((out / "summary.csv").open(encoding="utf-8"))}
    assert float(rows["no_face"]["seconds"]) == found.seconds
    assert rows["no_face"]["folder"] == "no_face"
    assert rows["no_face"]["in_doubt"] == "0"
    assert "--fps 60: the time stamps of the video file count" in rows["no_face"]["note"]
    assert set(rows["gone"].values()) == {str(tmp_path / "gone.mp4"), "", gone.failed}, "no folder, which is not there"


def test_what_is_in_doubt_is_counted_apart(tmp_path, monkeypatch):
    from dfrnet.exchange import results

    sure = Event(1.0, 1.1, 1.2)
    events = (
        sure,
        replace(sure, quality=("not assessable: a blink",)),
        Event(2.0, 2.5, 3.0, kind="macro", quality=("a",)),
    )
    monkeypatch.setattr(results, "analyze", lambda path, *_, **__: Recording(str(path), 4.0, 30.0, events))
    (found,) = analyze_all([CARTOON], tmp_path / "out", Wanted())
    assert found.found == "2 micro (1 in doubt) and 1 macro (1 in doubt) candidates"
    assert replace(found, macro=0, macro_in_doubt=0).found == "2 micro (1 in doubt) and 0 macro candidates"
    (row,) = csv.DictReader((tmp_path / "out" / "summary.csv").open(encoding="utf-8"))
    assert (row["micro"], row["macro"], row["in_doubt"]) == ("2", "1", "2")
    assert json.loads((tmp_path / "out" / "audit.jsonl").read_text())["in_doubt"] == 2
    assert analyze_all([CARTOON], tmp_path / "out", Wanted(), resume=True) == [found]


def test_the_overlay_is_of_the_part_that_was_analysed(tmp_path):
    import av

    analyze_all([FACE], tmp_path / "out", Wanted(start=0.5, end=1.0, overlay="blurred"))
    with av.open(str(tmp_path / "out" / "single_face" / "overlay.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 16
