"""Whole recordings: from a file to events, on drawn faces whose movements are known and on two free videos."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from dfrnet.exchange import FORMATS, read
from dfrnet.exchange.results import Wanted, analyze_all, find_recordings, folder_names
from dfrnet.types import Recording, UserError
from dfrnet.video.album import Album, Pictures
from dfrnet.video.analyze import NO_FACE, analyze
from dfrnet.video.watch import Curve, Watcher
from trees import tree_state

av = pytest.importorskip("av")

VIDEOS = Path(__file__).parents[1] / "videos"
MOVEMENTS = Wanted()
FPS, SECONDS = 60, 12  # of the drawn recording


@pytest.fixture(scope="session")
def found(drawn) -> Recording:
    return analyze(drawn[0])


def test_what_is_known_of_a_recording(found, drawn):
    assert found.source == str(drawn[0])
    assert found.fps == pytest.approx(FPS, rel=0.01)
    assert found.duration == pytest.approx(SECONDS, abs=0.05)
    assert found.tracks == (1,)
    assert found.record["model"] is None
    assert found.record["frames"] == FPS * SECONDS
    assert "no proof" in found.record["use"]
    assert any("frames a second" in note for note in found.record["notes"])  # 60 of them are a caution's worth
    assert 0.5 < found.assessable <= 1


def test_events_are_where_movements_were_planted(found, drawn):
    """Three strong movements were planted; two of them at least are found, and little else."""
    planted = [(event.start - 0.1, event.end + 0.1) for event in drawn[1].events]
    hits = [any(start <= event.apex <= end for event in found.events) for start, end in planted]
    assert sum(hits) >= 2
    assert len(found.events) <= 4
    for event in found.events:
        assert event.track == 1
        assert event.label is None
        assert 0 <= event.score <= 1
        assert event.regions


def test_the_curve_covers_the_recording(found):
    times, heights = np.array(found.curve).T
    assert (np.diff(times) > 0).all()
    assert times[-1] > SECONDS - 0.5
    assert ((heights >= 0) & (heights <= 1)).all()


def test_a_part_of_a_recording(drawn):
    part = analyze(drawn[0], start=2, end=5)
    assert part.duration == pytest.approx(5, abs=0.05)
    assert all(event.start >= 2 and event.end <= 5.05 for event in part.events)
    skipped = part.intervals[0]
    assert (skipped.start, skipped.reason, skipped.track) == (0, "skipped", None)
    assert skipped.end == pytest.approx(2, abs=0.02)
    with pytest.raises(UserError, match="--start 5 --end 2: the end must come after the start"):
        analyze(drawn[0], start=5, end=2)
    with pytest.raises(UserError, match="it ends before --start 99 s"):
        analyze(drawn[0], start=99)


def test_a_cartoon_has_no_face():
    nobody = analyze(VIDEOS / "no_face.mp4")
    assert nobody.events == nobody.tracks == ()
    assert NO_FACE in nobody.record["notes"]
    assert nobody.assessable == 0
    assert {one.reason for one in nobody.intervals} == {"no_face"}


def test_a_person_who_is_not_there(drawn):
    nobody = analyze(drawn[0], face="7", end=2.0)
    assert "no face with the number 7 was found in it" in nobody.record["notes"]
    with pytest.raises(UserError, match="face must be largest, all or the number"):
        analyze(drawn[0], face="second")


def test_movements_only_loads_no_network_runtime(drawn, python):
    words = f"import sys\nfrom dfrnet.video.analyze import analyze\nanalyze({str(drawn[0])!r}, end=1.0)\n"
    done = python("-c", words + "print([m for m in ('torch', 'onnxruntime', 'sklearn') if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


class Spy:
    """A recognizer that keeps what it is shown."""

    def __init__(self, spec, answer):
        self.spec, self.answer, self.seen = spec, answer, []

    def predict(self, frames, onset, apex, offset):
        self.seen.append((len(frames), frames[0].shape, onset, apex, offset))
        if isinstance(self.answer, UserError):
            raise self.answer
        return self.answer

    def label(self, probabilities):
        best = max(probabilities, key=probabilities.get)
        return best if probabilities[best] > 0.5 else None

    def record(self):
        return {
            "method": "spy",
            "classes": ["negative", "positive"],
            "trained_on": {},
            "temperature": 1,
            "threshold": 0,
        }


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ({"negative": 0.8, "positive": 0.2}, "negative"),
        ({"negative": 0.5, "positive": 0.5}, None),
        (UserError("no face found"), None),
    ],
    ids=["sure", "abstains", "fails"],
)
def test_micro_movements_are_recognised(found, drawn, answer, label):
    from dfrnet.features import FeatureSpec

    spy = Spy(FeatureSpec(frame_size=64), answer)
    again = analyze(drawn[0], spy)
    assert [(e.start, e.apex, e.end, e.kind) for e in again.events] == [
        (e.start, e.apex, e.end, e.kind) for e in found.events
    ]
    micro = [event for event in again.events if event.kind == "micro"]
    assert micro
    assert len(spy.seen) == len(micro)
    assert all(event.label == label for event in micro)
    assert all(event.label is None for event in again.events if event.kind != "micro")
    for count, shape, onset, apex, offset in spy.seen:
        assert onset == 0 <= apex <= offset == count - 1
        assert shape == (128, 128)  # twice the side that features are computed at
    if isinstance(answer, UserError):
        assert all("not recognised: no face found" in event.quality for event in micro)
    else:
        assert all(event.probabilities == answer for event in micro)


def test_a_curve_is_thinned_and_keeps_its_peaks():
    curve = Curve()
    for index in range(20 * Curve.MOST):
        curve.add(index / 100, 0.9 if index == 777 else 0.1)
    points = curve.points
    assert Curve.MOST / 2 <= len(points) < Curve.MOST
    assert max(height for _, height in points) == 0.9
    times = [time for time, _ in points]
    assert times == sorted(times)


def test_a_watcher_does_not_grow(drawn):
    from dfrnet.features import FeatureSpec
    from dfrnet.video.sources import open_source

    watcher = Watcher(Spy(FeatureSpec(frame_size=32), {"a": 1.0}))
    sizes = []
    with open_source(drawn[0]) as source:
        for frame in source:
            watcher.update(frame)
            album = next(iter(watcher._people.values()))._album if watcher._people else None
            sizes.append(len(album._pages) if album else 0)
    assert max(sizes) == sizes[-1] == sizes[FPS * 6]  # full after its few seconds, and no fuller


def test_pictures_of_a_face_that_left_its_place_are_not_mixed():
    from dfrnet.features import FeatureSpec
    from dfrnet.video.track import Observation

    class Still:
        def __init__(self, time):
            self.time, self.grey = time, np.full((200, 200), 50, np.uint8)

    def seen(x):
        points = np.full((68, 2), (x, 100), np.float32) + np.arange(68)[:, None] % 3
        return Observation(1, points, points, True, 1.0, 0, 0, 0, 20.0)

    album = Album(FeatureSpec(frame_size=16), seconds=1.0)
    for k in range(20):
        album.add(Still(k / 20), seen(60 if k < 10 else 140))
    assert album.clip(0.1, 0.2, 0.3) is not None
    assert album.clip(0.4, 0.5, 0.6) is None, "two squares"
    assert album.clip(0.6, 0.7, 3.0) is not None
    frames, positions = album.clip(0.6, 0.7, 0.8)
    assert isinstance(frames, Pictures)
    assert frames.times.tolist() == pytest.approx([0.6, 0.65, 0.7, 0.75, 0.8])
    assert positions == (0, 2, 4)
    album.add(Still(5.0), seen(140))
    assert album.clip(0.6, 0.7, 0.8) is None, "too long ago"


# Folders of results


def test_every_recording_gets_a_whole_folder(drawn, tmp_path):
    every = tuple(name for name in FORMATS if name not in ("csv", "json"))
    wanted = Wanted(formats=every, overlay="blurred", purpose="a test", end=2.5)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(drawn[0].read_bytes()[:3000])
    paths = [VIDEOS / "single_face.mp4", broken, VIDEOS / "no_face.mp4", tmp_path / "not there.mp4"]
    out = tmp_path / "out"
    calls = []
    found = analyze_all(paths, out, wanted, progress=lambda done, total: calls.append((done, total)))
    assert [Path(one.folder).name for one in found] == ["single_face", "broken", "no_face", "not there"]
    assert [bool(one.failed) for one in found] == [False, True, False, True]
    assert "broken.mp4" in found[1].failed
    assert calls[-1] == (4, 4)
    assert sorted(path.name for path in out.iterdir()) == ["audit.jsonl", "no_face", "single_face", "summary.csv"]
    whole = read(out / "single_face" / "events.json")
    for name in every:
        again = [read(path) for path in (out / "single_face").iterdir() if path.name.endswith(FORMATS[name].suffix)]
        assert [len(one.events) for one in again] == [len(whole.events)], name
    assert whole.record["purpose"] == "a test"
    with av.open(str(out / "single_face" / "overlay.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 72
    rows = list(csv.DictReader((out / "summary.csv").open()))
    assert [row["faces"] for row in rows] == ["1", "", "0", ""]
    lines = [json.loads(line) for line in (out / "audit.jsonl").read_text().splitlines()]
    assert {line["purpose"] for line in lines} == {"a test"}
    assert [bool(line["failed"]) for line in lines] == [False, True, False, True]


def test_done_recordings_stay_and_others_are_refused(tmp_path):
    out, videos = tmp_path / "out", [VIDEOS / "single_face.mp4"]
    analyze_all(videos, out, MOVEMENTS)
    before = tree_state(out / "single_face")
    with pytest.raises(UserError, match=r"results are there already.*--resume"):
        analyze_all(videos, out, MOVEMENTS)
    again = analyze_all([*videos, VIDEOS / "no_face.mp4"], out, MOVEMENTS, resume=True)
    assert tree_state(out / "single_face") == before
    assert [one.failed for one in again] == ["", ""]
    with pytest.raises(UserError, match="another file or of other options"):
        analyze_all(videos, out, Wanted(face="all"), resume=True)
    assert tree_state(out / "single_face") == before


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    def cut(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("dfrnet.exchange.results._write", cut)
    with pytest.raises(KeyboardInterrupt):
        analyze_all([VIDEOS / "single_face.mp4"], tmp_path / "out", MOVEMENTS)
    assert list((tmp_path / "out").iterdir()) == []


def test_which_recordings_are_meant(tmp_path):
    for name in ("b10.mp4", "b2.MOV", "notes.txt", ".hidden"):
        (tmp_path / name).touch()
    assert [path.name for path in find_recordings([tmp_path])] == ["b2.MOV", "b10.mp4"]
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    with pytest.raises(UserError, match="neither videos nor pictures in it"):
        find_recordings([pictures])
    (pictures / "1.png").touch()
    assert find_recordings([pictures, pictures]) == [pictures]


def test_names_of_folders_are_apart():
    paths = [Path(name) for name in ("a/x.mp4", "a/x.mov", "b/x.mov", "c/y.mp4", "c/Y.mp4")]
    names = folder_names(paths)
    assert names[:3] == ["x.mp4", "a-x.mov", "b-x.mov"]
    assert len({name.lower() for name in names}) == 5, "where file systems do not tell capitals apart"
