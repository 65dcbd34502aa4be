import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfrnet.types import Clip, Features, Interval, MapFile, Recording, UserError, unknown_name

FRAMES = np.zeros((10, 4, 4), np.uint8)


def clip(**changes):
    return Clip(**{"id": "d/s1/c1", "dataset": "d", "subject": "d/s1", "label": "positive", "frames": FRAMES,
                   "onset": 1, "apex": 4, "offset": 8} | changes)  # fmt: skip


def test_a_clip_keeps_what_it_is_given():
    assert (clip().onset, clip().apex, clip().offset) == (1, 4, 8)
    assert clip(apex=None).apex is None
    assert clip(onset=4, offset=4).onset == 4


@pytest.mark.parametrize(
    "changes",
    [{"id": "s1/c1"}, {"id": "d/s10/c1"}, {"subject": "s1"}, {"dataset": "other"}],
    ids=["no-data-set", "another-subject", "bare-subject", "another-data-set"],
)
def test_ids_nest(changes):
    with pytest.raises(UserError, match="must nest"):
        clip(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"onset": -1}, {"onset": 5}, {"apex": 9}, {"offset": 10}, {"apex": None, "onset": 9}],
    ids=["before-start", "onset-after-apex", "apex-after-offset", "offset-after-end", "onset-after-offset"],
)
def test_positions_are_in_order_and_within_the_frames(changes):
    with pytest.raises(UserError, match=r"d/s1/c1.*in order.*10 frames"):
        clip(**changes)


def test_a_clip_needs_frames_or_maps(tmp_path):
    with pytest.raises(UserError, match="neither frames nor maps"):
        clip(frames=())
    assert clip(frames=(), maps={"u": MapFile(tmp_path, 0)}).maps["u"].channel == 0


@pytest.mark.parametrize(
    ("maps", "names"),
    [(np.zeros((2, 4, 4)), ("u", "v")), (np.zeros((2, 4, 4), np.float32), ("u",)),
     (np.zeros((4, 4), np.float32), ("u",) * 4)],
    ids=["float64", "too-few-names", "no-channels"],
)  # fmt: skip
def test_features_are_float32_channels_with_names(maps, names):
    with pytest.raises(ValueError, match="float32"):
        Features(maps, names)


def test_unknown_name_offers_the_closest_and_lists_the_rest():
    text = str(unknown_name("flow", "farnback", ["dis", "farneback"]))
    assert text == "unknown flow 'farnback'; did you mean 'farneback'? known: dis, farneback"
    assert "did you mean" not in str(unknown_name("flow", "zzz", ["dis"]))


TENTHS = st.tuples(st.integers(0, 100), st.integers(0, 40)).map(lambda s: (s[0] / 10, (s[0] + s[1]) / 10))
BAD = st.lists(st.tuples(TENTHS, st.none() | st.integers(1, 3)), max_size=8)


@given(BAD, st.dictionaries(st.integers(1, 3), TENTHS), st.integers(0, 50), st.sets(st.integers(1, 3)))
def test_the_assessable_share_against_a_slow_count(bad, spans, start, tracks):
    """Ten seconds in steps of 0.1: one of the faces must be there, with nothing against it."""
    intervals = tuple(Interval(*span, "dark", track) for span, track in bad)
    recording = Recording("x", 10.0, 30, (), intervals, {}, tuple(tracks), start=start / 10, spans=spans)

    def good(face, time):
        first, last = spans.get(face, (0, 10))
        return first < time < last and not any(a < time < b for (a, b), track in bad if track in (None, face))

    middles = [(k + 0.5) / 10 for k in range(start, 100)]
    free = sum(any(good(face, time) for face in recording.faces or (0,)) for time in middles)
    assert recording.assessable == pytest.approx(free / len(middles))


def test_a_part_of_no_length_is_assessable_only_if_nothing_speaks_against_it():
    assert Recording("x", 0, 0).assessable == 1
    assert Recording("x", 0, 0, intervals=(Interval(0, 0, "frame_rate"),)).assessable == 0
    assert Recording("x", 2, 0, intervals=(Interval(0, 2, "skipped"),), start=2).assessable == 0


def test_the_share_of_a_film_of_many_cuts_is_quick():
    """3000 faces one after the other, and 9000 intervals."""
    spans = {k: (k * 2.0, k * 2.0 + 2) for k in range(3000)}
    own = [Interval(k * 2.0 + n * 0.5, k * 2.0 + n * 0.5 + 0.25, "blink", k) for k in spans for n in range(3)]
    assert Recording("x", 6000, 25, (), tuple(own), spans=spans).assessable == pytest.approx(1 - 0.75 / 2)
