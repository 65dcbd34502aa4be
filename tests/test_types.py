import numpy as np
import pytest

from dfrnet.types import Clip, Features, MapFile, UserError, unknown_name

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
