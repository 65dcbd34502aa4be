"""Whole recordings: from a file to events, on drawn faces whose movements are known and on two free videos."""

import csv
import hashlib
import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfrnet import recognizer
from dfrnet.exchange import FORMATS, read
from dfrnet.exchange.results import Wanted, analyze_all, find_recordings, folder_names
from dfrnet.types import Recording, UserError
from dfrnet.video.album import Album, Pictures
from dfrnet.video.analyze import NO_FACE, NOTICE, analyze
from dfrnet.video.sources import Frame, open_source
from dfrnet.video.watch import Curve, Watcher, on_frames
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


def test_events_are_at_frames(found, drawn):
    with open_source(drawn[0]) as source:
        stamps = {frame.time for frame in source}
    assert {time for event in found.events for time in (event.start, event.apex, event.end)} <= stamps


@given(times=st.lists(st.floats(0, 20), min_size=1, max_size=9), stamps=st.lists(st.floats(0, 20), max_size=30))
def test_the_nearest_frame(times, stamps):
    times, stamps = sorted(times), sorted(set(stamps))
    near = on_frames(times, stamps)
    assert near == sorted(near), "the order stays"
    if len(stamps) < 2:
        assert near == times
    else:
        assert [abs(a - b) for a, b in zip(near, times, strict=True)] == [
            min(abs(s - b) for s in stamps) for b in times
        ]
        assert set(near) <= set(stamps)


def test_the_curve_covers_the_recording(found):
    times, heights = np.array(found.curve).T
    assert (np.diff(times) > 0).all()
    assert times[-1] > SECONDS - 0.5
    assert ((heights >= 0) & (heights <= 1)).all()
    for event in found.events:
        inside = (times > event.start - 0.1) & (times < event.end + 0.1)
        assert heights[inside].max() >= 0.5, "it stands as high as a movement must where one was found"


def test_a_part_of_a_recording(drawn):
    part = analyze(drawn[0], start=2, end=5)
    assert part.duration == pytest.approx(5, abs=0.05)
    assert all(event.start >= 2 and event.end <= 5.05 for event in part.events)
    assert part.start == pytest.approx(2, abs=0.02)
    assert part.spans == {1: (part.start, pytest.approx(part.duration))}
    blocked = sum(one.end - one.start for one in part.intervals[1:])
    assert part.assessable >= 1 - blocked / 3 - 1e-9, "what was skipped counts neither way"
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
    assert any("no face with the number 7" in note and "numbers 1 to 1" in note for note in nobody.record["notes"])
    assert nobody.tracks == ()
    assert [(i.start, i.reason, i.track) for i in nobody.intervals] == [(0.0, "no_face", None)]
    assert nobody.assessable == 0
    with pytest.raises(UserError, match="face must be largest, all or the number"):
        analyze(drawn[0], face="second")


def still(number, shift=0):
    """A frame of the video of one face; ``shift`` pixels to the side and mirrored, which looks like another shot."""
    with av.open(str(VIDEOS / "single_face.mp4")) as container:
        for k, frame in enumerate(container.decode(video=0)):
            if k == number:
                image = frame.to_ndarray(format="rgb24")
                return np.roll(image[:, ::-1], shift, axis=1) if shift else image
    raise AssertionError


def write_stills(path, stamps, image, rate=600):
    """One picture again and again at ``stamps``, seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width, stream.pix_fmt = image.shape[0], image.shape[1], "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate)
        stream.options = {"crf": "18", "preset": "ultrafast", "bf": "0"}
        for stamp in stamps:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = round(float(stamp) * rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_notes_and_pauses_of_a_part(tmp_path):
    """Three seconds of frames with two pauses: the notes are whole though the reading stops before the end."""
    stamps = np.concatenate([np.arange(30) / 30, 2.5 + np.arange(30) / 30, 4.5 + np.arange(60) / 30])
    path = write_stills(tmp_path / "pauses.mp4", stamps, still(0))
    found = analyze(path, end=5.5)
    assert any("gaps of more than 0.5 s" in note and note.endswith(": 2") for note in found.record["notes"])
    assert [(i.reason, i.start, i.end) for i in found.intervals if i.reason == "no_frame"] == [
        ("no_frame", pytest.approx(29 / 30, abs=0.01), pytest.approx(2.5, abs=0.01)),
        ("no_frame", pytest.approx(3.47, abs=0.01), pytest.approx(4.5, abs=0.01)),
    ]
    assert found.assessable == pytest.approx(1 - (2.5 - 29 / 30 + 4.5 - 3.467) / found.duration, abs=0.02)


def test_one_frame_is_nothing_to_judge_by(tmp_path):
    from trees import write_png

    write_png(tmp_path / "1.png", still(0))
    found = analyze(tmp_path, fps=30)
    assert (found.duration, found.tracks, found.assessable) == (0, (1,), 0)
    assert {one.reason for one in found.intervals} == {"frame_rate"}


def test_after_a_cut_the_next_face_is_followed_at_once(tmp_path):
    from trees import write_png

    first, second = still(0), still(40, shift=150)
    for k in range(40):
        write_png(tmp_path / f"{k:03d}.png", first if k < 15 else second)
    found = analyze(tmp_path, fps=30)
    assert found.spans == {1: (0.0, 0.5), 2: (0.5, pytest.approx(40 / 30, abs=0.001))}
    assert not [one for one in found.intervals if one.reason == "no_face"]


def test_the_record_says_what_it_was_analysed_with(drawn):
    found = analyze(drawn[0], start=0.5, end=1.0, face="all", fps=25)
    record = json.loads(json.dumps(found.record))
    assert record["asked"] == {"face": "all", "start": 0.5, "end": 1.0, "fps": 25}
    assert record["settings"]["quality"]["yaw"] == 25
    assert {"threshold", "settle"} <= record["settings"]["spotting"].keys()
    assert "renew" in record["settings"]["motion"]
    assert (record["versions"]["numpy"], record["versions"]["cv2"]) == (np.__version__, cv2.__version__)
    assert record["versions"]["av"] == av.__version__
    assert record["model"] is None
    assert "notice" not in record


def test_the_record_names_the_model_and_its_terms(tmp_path):
    pytest.importorskip("onnxruntime")
    for name, terms in (("maps", "academic research only"), ("synthetic", "Apache-2.0")):
        file = recognizer.MODELS[name].with_suffix(".onnx")
        found = analyze(VIDEOS / "single_face.mp4", recognizer.load(name), end=0.2)
        FORMATS["elan"].write(found, tmp_path / "events.eaf")
        for record in (found.record, read(tmp_path / "events.eaf").record):
            assert record["notice"] == NOTICE
            assert record["model"]["file"] == f"{name}.onnx"
            assert record["model"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
            assert terms in record["model"]["terms"]
            assert record["versions"]["onnxruntime"]


def test_what_is_told_late_is_still_recognised(drawn):
    """A movement right at the start, then darkness: what is usual is known only seconds later."""
    from dfrnet.features import FeatureSpec

    begin, end = drawn[1].events[0].start - 0.45, drawn[1].events[0].end + 0.2
    watcher = Watcher(Spy(FeatureSpec(frame_size=32), {"positive": 1.0}))
    early = []
    with open_source(drawn[0]) as source:
        for frame in source:
            if begin <= frame.time < begin + 6.5:
                dark = end <= frame.time < end + 1.5
                shown = Frame(frame.index, frame.time, frame.image // 4) if dark else frame
                early += [(frame.time, event) for event in watcher.update(shown) if event.start < end]
    ((told, event),) = early
    assert told - event.start > 4
    assert (event.label, event.quality) == ("positive", ())


def test_movements_only_loads_no_network_runtime(drawn, python):
    words = f"import sys\nfrom dfrnet.video.analyze import analyze\nanalyze({str(drawn[0])!r}, end=1.0)\n"
    done = python("-c", words + "print([m for m in ('torch', 'onnxruntime', 'sklearn') if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


class Spy:
    """A recognizer that keeps what it is shown."""

    file, sha256, terms = "spy.onnx", "12ab", "for tests"

    def __init__(self, spec, answer):
        self.spec, self.answer, self.seen = spec, answer, []

    def predict(self, frames, onset, apex, offset):
        self.seen.append((len(frames), frames[0].shape, onset, apex, offset))
        if isinstance(self.answer, UserError):
            raise UserError(*self.answer.args)  # a new one: what was raised holds on to frames
        return self.answer

    def label(self, probabilities):
        best = max(probabilities, key=probabilities.get)
        return best if probabilities[best] > 0.5 else None

    def record(self):
        return {
            "method": "spy",
            "classes": ["negative", "positive"],
            "trained_on": {"data": ["casme2", "samm"]},
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
    for index in np.random.default_rng(0).permutation(20 * Curve.MOST):
        curve.add(index / 100, 0.9 if index == 777 else 0.1)
    points = curve.points
    assert Curve.MOST / 2 <= len(points) <= Curve.MOST
    assert [time for time, height in points if height == 0.9] == pytest.approx([7.77], abs=2 * points[1][0])
    assert [height for _, height in points if height != 0.9] == [0.1] * (len(points) - 1)
    times = [time for time, _ in points]
    assert times == sorted(times)
    assert Curve().points == ()


def test_a_watcher_does_not_grow(drawn):
    from dfrnet.features import FeatureSpec

    watcher = Watcher(Spy(FeatureSpec(frame_size=32), {"a": 1.0}))
    sizes = []
    with open_source(drawn[0]) as source:
        for frame in source:
            watcher.update(frame)
            album = next(iter(watcher._people.values()))._album if watcher._people else None
            sizes.append(len(album._pages) if album else 0)
    assert max(sizes) == sizes[-1] == sizes[FPS * 8]  # full after its few seconds, and no fuller


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
    with pytest.raises(UserError, match="the head moved too far"):
        album.clip(0.4, 0.5, 0.6)
    assert album.clip(0.6, 0.7, 3.0) is not None
    frames, positions = album.clip(0.6, 0.7, 0.8)
    assert isinstance(frames, Pictures)
    assert frames.times.tolist() == pytest.approx([0.6, 0.65, 0.7, 0.75, 0.8])
    assert positions == (0, 2, 4)
    album.add(Still(5.0), seen(140))
    with pytest.raises(UserError, match="not kept any more"):
        album.clip(0.6, 0.7, 0.8)


def test_a_rise_within_one_frame_is_no_movement_to_recognise():
    from dfrnet.features import FeatureSpec
    from dfrnet.video.track import Observation

    points = np.full((68, 2), 100, np.float32)
    album = Album(FeatureSpec(frame_size=16), seconds=1.0)
    for k in range(30):
        album.add(
            Frame(k, k / 30, np.zeros((200, 200, 3), np.uint8)), Observation(1, points, points, True, 1, 0, 0, 0, 20)
        )
    for times in ((0.40, 0.41, 0.45), (0.41, 0.415, 0.42)):
        with pytest.raises(UserError, match="too few frames between onset and apex"):
            album.clip(*times)
    assert album.clip(0.40, 0.43, 0.45)[1] == (0, 1, 1)


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
    with pytest.raises(UserError, match=r"made otherwise|another file|other options"):
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
