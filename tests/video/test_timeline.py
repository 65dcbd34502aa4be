"""The picture of one recording: what is in it, whatever the recording is called and however much was found."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from dfrnet.types import Event, Interval, Recording

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure
from matplotlib.text import Text

from dfrnet.video.timeline import BLANK, FACES, KINDS, LANES, LEFT, RIGHT, WIDTH, _draw, timeline

TALK = Recording(
    "talks/talk.mp4", 10.0, 60.0,
    (Event(2.0, 2.1, 2.4, "micro", regions=("left_brow",), track=1), Event(5.0, 5.5, 6.0, "macro", track=1)),
    (Interval(7.0, 9.0, "blink", 1), Interval(8.5, 9.5, "odd_reason")),
    {"reasons": {"blink": "the eyes blink"}}, (1,), ((0.0, 0.1), (5.0, 0.9), (9.9, 0.2)),
)  # fmt: skip


def picture(recording):
    """RGB."""
    image = cv2.imdecode(np.frombuffer(timeline(recording), np.uint8), cv2.IMREAD_COLOR)
    return image[..., ::-1]


def words(recording):
    figure = Figure()
    _draw(figure, recording)
    figure.draw_without_rendering()  # which writes the numbers of the axis
    return [text.get_text() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


def seconds_of(image, colour, start=0.0, end=10.0, depth=1.0):
    """Where on the axis of time a colour is, seconds; ``depth``: its share, the rest is white."""
    rgb = depth * np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) + (1 - depth) * 255
    width = image.shape[1]
    left, right = width * LEFT / WIDTH, width * (1 - RIGHT / WIDTH)
    columns = np.flatnonzero((np.abs(image.astype(int) - rgb) < 12).all(2).sum(0) > 15)  # no letter is so high
    columns = columns[(columns >= left) & (columns <= right)]
    return start + (columns - left) / (right - left) * (end - start)


def test_movements_and_grey_stretches_stand_at_their_times():
    image = picture(TALK)[110:]  # below the legend
    apex, macro = seconds_of(image, KINDS["macro"]), seconds_of(image, KINDS["macro"], depth=0.8)
    assert np.abs(apex - 5.5).min() < 0.02
    assert (macro.min(), macro.max()) == pytest.approx((5.0, 6.0), abs=0.02)
    micro = seconds_of(image, KINDS["micro"], depth=0.8)
    assert (micro.min(), micro.max()) == pytest.approx((2.0, 2.4), abs=0.02)
    grey = seconds_of(image, BLANK)
    assert set(np.rint(grey[grey > 6.5] * 2) / 2) >= {7.0, 8.0, 9.0, 9.5}
    assert np.rint(grey).max() <= 10


def test_everything_is_named():
    said = words(TALK)
    assert "talk.mp4" in said
    assert "1 micro, 1 macro candidates in 10.0 s  ·  60 frames a second  ·  75% assessable" in said
    for one in ("micro left brow", "macro", "face 1", "seconds", "the eyes blink", "2.0 s", "odd reason", "1.0 s"):
        assert one in said
    assert any("no proof of a feeling" in one for one in said)
    assert "other" not in said


@pytest.mark.parametrize(
    "name", ["cost_$5_and_$6^.mp4", r"a\frac{.mp4", "two\nlines.mp4", "half\udcff.mp4", "表情.mp4", ""]
)
def test_any_name_can_be_written(name):
    """A pair of dollar signs is no formula."""
    odd = [Event(1, 1, 1.2, name or "x", name or None, track=1, regions=(name,))]
    recording = Recording(name, 3.0, 30.0, tuple(odd), (Interval(0, 1, name or "?"),), {"reasons": {name: name}})
    assert picture(recording).shape[1] > 1000


@pytest.mark.parametrize("duration", [0.0, 0.04, 5.0, 100.0, 7200.0, 90_000.0])
def test_any_length(duration):
    image = picture(Recording("x.mp4", duration, 30.0, curve=((0.0, 0.0), (duration, 1.0))))
    assert image.shape[1] == 1540


def test_hours_are_told_as_hours():
    assert "1:30:00" in words(replace(TALK, duration=7200.0))
    assert "2:30" in words(replace(TALK, duration=150.0))


def test_a_part_fills_the_picture():
    """What was not looked at has no room in it."""
    part = replace(
        TALK, duration=3610.0, start=3600.0, curve=(), events=(Event(3602, 3602.1, 3602.4, track=1),),
        intervals=(Interval(0, 3600, "skipped"), Interval(3607, 3609, "blink", 1)),
    )  # fmt: skip
    times = seconds_of(picture(part)[110:], BLANK, 3600, 3610)
    assert {3607, 3608, 3609} <= set(np.rint(times))
    said = words(part)
    assert "2.0 s" in said
    assert "skipped" not in said
    assert any("in 10.0 s from 3600.0 s on" in one for one in said)


def crowd(faces=680):
    """A film with a cut each few seconds: everybody gets a new number; twenty of them move."""
    each = 3000 / faces
    events = [Event(k * 100.0, k * 100.0 + 0.1, k * 100.0 + 0.3, track=faces - k) for k in range(20)]
    spans = {face: ((face - 1) * each, face * each) for face in range(1, faces + 1)}
    blinks = [Interval(last - 0.5, last, "blink", face) for face, (_, last) in spans.items()]
    return Recording("film.mp4", 3000.0, 25.0, tuple(events), tuple(blinks), {}, tuple(spans), spans=spans)


def test_many_faces_share_a_row():
    """This took hours with a row for each, and more pixels than a picture can have."""
    assert picture(crowd()).shape[0] < 1500
    said = words(crowd())
    named = [one for one in said if one.startswith("face ")]
    assert len(named) == FACES
    assert all(int(one.split()[1]) > 660 for one in named), "those who moved"
    assert f"{680 - FACES} others" in said


def test_without_movements_those_who_stay_longest_have_a_row():
    spans = {face: (100.0, {3: 1000.0, 17: 900.0}.get(face, 110.0)) for face in range(1, 21)}
    film = Recording("x.mp4", 1000.0, 25.0, (), (), {}, tuple(spans), spans=spans)
    assert {"face 3", "face 17", "8 others"} <= set(words(film))
    grey = seconds_of(picture(replace(film, tracks=(3,), spans={3: (100.0, 900.0)}))[110:], BLANK, 0, 1000)
    assert {0.0, 100.0, 900.0, 1000.0} <= set(np.rint(grey / 100) * 100), "where it is not there"
    assert not ((grey > 510) & (grey < 590)).any()


def test_many_reasons_share_a_lane():
    reasons = [Interval(k, k + 1 + k / 10, f"reason_{k}") for k in range(20)]
    said = words(Recording("x.mp4", 30.0, 25.0, (), tuple(reasons)))
    assert [one for one in said if one.startswith("reason ")] == [f"reason {k}" for k in range(19, 20 - LANES, -1)]
    assert f"{20 - LANES + 1} other reasons" in said


def test_words_do_not_run_into_each_other():
    events = [Event(k / 10, k / 10, k / 10 + 0.05, score=k / 100, track=1, regions=("chin",)) for k in range(100)]
    said = words(replace(TALK, events=tuple(events)))
    assert 3 < said.count("micro chin") < 15


def test_nobody_there():
    said = words(Recording("x.mp4", 4.0, 24.0, (), (Interval(0, 4, "no_face"),)))
    assert said.count("no face") == 2  # the row, and the reason
    assert any("0% assessable" in one for one in said)
