"""Many clips: the same in any number of processes, what fails is named, and no more is held than needed."""

import pickle
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dfrnet.datasets import synthetic
from dfrnet.features import FeatureSpec, cache, clip_features
from dfrnet.features.batch import features, fill
from dfrnet.frames import ImageFolder
from dfrnet.types import Clip, UserError

SPEC = FeatureSpec(size=8, frame_size=16)


@pytest.fixture
def clips(tmp_path, drawn_clips) -> list[Clip]:
    """Six clips of three pictures each on disk; nothing but their onset and apex is drawn."""
    short = [
        replace(clip, frames=[clip.frames[i] for i in (clip.onset, clip.apex, clip.apex)], onset=0, apex=1, offset=2)
        for clip in drawn_clips
    ]
    synthetic.write(short, tmp_path / "set")
    return [
        replace(clip, frames=ImageFolder(tuple(sorted((tmp_path / "set" / clip.id).iterdir())), 30.0)) for clip in short
    ]


def cut(clip: Clip) -> None:
    path = clip.frames.paths[clip.apex]
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("cached", [False, True])
def test_rows_are_the_clips_own_in_their_order(clips, tmp_path, jobs, cached):
    cache = tmp_path / "cache" if cached else None
    for _ in range(2):
        found = features(clips, SPEC, jobs=jobs, cache=cache)
        assert found.clips == tuple(clips)
        assert found.x.dtype == np.float32
        assert found.left_out == {}
        for clip, x in zip(clips, found.x, strict=True):
            np.testing.assert_array_equal(x, clip_features(clip, SPEC).maps)


@pytest.mark.parametrize("jobs", [1, 2])
def test_clips_that_fail_are_left_out_by_name(clips, jobs):
    cut(clips[1])
    clips[4].frames.paths[0].unlink()
    found = features(clips, SPEC, jobs=jobs)
    kept = [clips[i] for i in (0, 2, 3, 5)]
    assert found.clips == tuple(kept)
    np.testing.assert_array_equal(found.x, np.stack([clip_features(clip, SPEC).maps for clip in kept]))
    assert list(found.left_out) == [clips[1].id, clips[4].id]
    for name, sentence in found.left_out.items():
        assert name in sentence
    assert "cut short" in found.left_out[clips[1].id]
    assert "cannot be read" in found.left_out[clips[4].id]


@pytest.mark.parametrize("into_cache", [False, True])
def test_if_all_fail_the_first_reason_is_told(clips, tmp_path, into_cache):
    for clip in clips:
        cut(clip)
    with pytest.raises(UserError, match=rf"none of the 6 clips has features; the first: .*{clips[0].id}.*cut short"):
        fill(clips, SPEC, cache=tmp_path / "cache") if into_cache else features(clips, SPEC)


def test_a_bug_is_no_reason_to_leave_a_clip_out(clips, monkeypatch):
    def bug(clip, spec):
        raise ZeroDivisionError

    monkeypatch.setattr(cache, "clip_features", bug)
    with pytest.raises(ZeroDivisionError):
        features(clips, SPEC)


@pytest.mark.parametrize("jobs", [1, 2])
def test_fill_counts_what_it_made_and_found(clips, tmp_path, jobs):
    cache = tmp_path / "cache"
    found = fill(clips[:4], SPEC, jobs=jobs, cache=cache)
    assert (found.done, found.reused, found.left_out) == (4, 0, {})
    cut(clips[5])
    found = fill(clips, SPEC, jobs=jobs, cache=cache)
    assert (found.done, found.reused, list(found.left_out)) == (1, 4, [clips[5].id])
    assert len(list(cache.glob("??/*.safetensors"))) == 5
    assert not list(cache.glob("??/*.part"))


def test_what_was_filled_is_not_extracted_again(clips, tmp_path, monkeypatch):
    fill(clips, SPEC, cache=tmp_path / "cache")
    expected = features(clips, SPEC).x
    monkeypatch.setattr(cache, "clip_features", None)
    np.testing.assert_array_equal(features(clips, SPEC, cache=tmp_path / "cache").x, expected)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("run", [features, fill])
def test_progress_is_told_after_each_clip(clips, tmp_path, run, jobs):
    cut(clips[0])
    told = []
    run(clips, SPEC, jobs=jobs, cache=tmp_path / "cache", progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]


def test_a_cache_that_cannot_be_written_stops_the_run(clips, tmp_path):
    """It is not six clips left out: nothing is wrong with them."""
    (tmp_path / "cache").write_text("a file")
    for run in (features, fill):
        with pytest.raises(UserError, match="cache: the cache cannot be written"):
            run(clips, SPEC, cache=tmp_path / "cache")


def test_a_disk_that_fills_up_stops_the_run(clips, tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left on device"):
        features(clips, SPEC, cache=tmp_path / "cache")


def test_no_clips_give_no_rows(tmp_path):
    assert features([], SPEC).x.shape == (0, 3, 8, 8)
    assert fill([], SPEC, cache=tmp_path).done == 0


def test_the_array_is_held_once(clips):
    """Ten times the clips, at a size that shows: the array itself, and little beside it."""
    many = [replace(clip, id=f"{clip.id}-{k}") for k in range(10) for clip in clips]
    spec = replace(SPEC, size=128)
    features(clips, spec)  # what is imported and kept on the first call is no part of this
    tracemalloc.start()
    x = features(many, spec).x
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert x.nbytes == 60 * 3 * 128 * 128 * 4
    assert most < x.nbytes + 6e6


def test_filling_holds_no_array(clips, tmp_path):
    many = [replace(clip, id=f"{clip.id}-{k}") for k in range(10) for clip in clips]
    spec = replace(SPEC, size=128)
    fill(clips, spec, cache=tmp_path / "cache")
    tracemalloc.start()
    assert fill(many, spec, cache=tmp_path / "cache").done == 60
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 6e6 < 60 * 3 * 128 * 128 * 4


def test_a_clip_travels_light(drawn_clips):
    """Its frames go to the workers as names, not as pixels."""
    paths = tuple(Path(f"/data/casme2/CASME2_RAW_selected/sub01/EP02_01f/img{i}.jpg") for i in range(250))
    on_disk = replace(drawn_clips[0], frames=ImageFolder(paths, 200.0))
    assert len(pickle.dumps(on_disk)) < 20_000
    assert len(pickle.dumps(drawn_clips[0])) < 5_000
