"""An entry is read only for what it was made from, and is whole or made anew."""

import dataclasses
import logging
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dfrnet.datasets import synthetic
from dfrnet.features import FLOWS, FeatureSpec, clip_features
from dfrnet.features import cache as feature_cache
from dfrnet.features.batch import fill
from dfrnet.features.cache import STALE, clip_key, entry_path, load_or_extract, look_up, prepare, store
from dfrnet.frames import ImageFolder, image_folder
from dfrnet.types import Clip, Features, UserError
from trees import child_environment

SPEC = FeatureSpec(size=8, frame_size=16)
OTHER = {
    "maps": ("u", "v"), "size": 9, "frame_size": 17, "flow": "farneback", "apex": "middle", "centre": "none",
    "scale": "none", "align": "none", "stabilise": True, "tiles": "eyes_lips",
}  # fmt: skip
"""Another value for each field of the spec; one that is missing here must be a name, and is varied below."""


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """A clip of five small pictures on disk, the middle three between onset and offset."""
    drawn = synthetic.load("easy", subjects=1, clips_per_subject=1, fps=30)[0]
    pictures = np.random.default_rng(0).integers(0, 256, (5, 20, 24, 3), dtype=np.uint8)
    synthetic.write([replace(drawn, frames=list(pictures), onset=1, apex=2, offset=3)], tmp_path / "set")
    frames = image_folder(tmp_path / "set" / drawn.id, 30.0)
    return replace(drawn, frames=frames, onset=1, apex=2, offset=3, fps=30.0)


@pytest.fixture
def no_extraction(monkeypatch):
    def refuse(clip, spec):
        raise AssertionError(f"{clip.id} is extracted again")

    return lambda: monkeypatch.setattr(feature_cache, "clip_features", refuse)


def entries(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_what_was_stored_is_read_back(clip, tmp_path, no_extraction):
    first = load_or_extract(clip, SPEC, tmp_path / "cache")
    no_extraction()
    again = load_or_extract(clip, SPEC, tmp_path / "cache")
    np.testing.assert_array_equal(again.maps, first.maps)
    assert again.names == first.names == SPEC.maps
    assert again.maps.flags.writeable
    key = clip_key(clip, SPEC)
    assert entries(tmp_path / "cache") == [tmp_path / "cache" / key[:2] / f"{key}.safetensors"]


def test_no_cache_writes_nothing(clip, tmp_path):
    before = entries(tmp_path)
    np.testing.assert_array_equal(load_or_extract(clip, SPEC, None).maps, clip_features(clip, SPEC).maps)
    assert entries(tmp_path) == before


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(FeatureSpec)])
def test_every_setting_changes_the_key(clip, monkeypatch, name):
    if name not in OTHER:
        monkeypatch.setitem(feature_cache.LANDMARKERS, "other", lambda _: None)
    changed = replace(SPEC, **{name: OTHER.get(name, "other")})
    assert clip_key(clip, changed) != clip_key(clip, SPEC)


@pytest.mark.parametrize(
    "changes", [{"onset": 0}, {"apex": 3}, {"apex": None}, {"offset": 4}, {"cropped": False}, {"fps": 25.0}], ids=str
)
def test_every_position_changes_the_key(clip, changes):
    assert clip_key(replace(clip, **changes), SPEC) != clip_key(clip, SPEC)


def test_another_clip_has_another_key_and_another_label_has_not(clip):
    assert clip_key(replace(clip, id=clip.id + "x"), SPEC) != clip_key(clip, SPEC)
    other = {"positive": "negative", "negative": "surprise", "surprise": "positive"}[clip.label]
    assert clip_key(replace(clip, label=other, emotion="other"), SPEC) == clip_key(clip, SPEC)


@pytest.mark.parametrize("change", ["time", "size", "name", "rate", "order"])
def test_every_change_of_a_frame_changes_the_key(clip, change):
    before, path = clip_key(clip, SPEC), clip.frames.paths[2]
    state = path.stat()
    if change == "time":
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1000))
    elif change == "size":
        path.write_bytes(path.read_bytes() + b"\0")
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    elif change == "name":
        new = path.rename(path.with_name("00002b.png"))
        clip = replace(clip, frames=ImageFolder((*clip.frames.paths[:2], new, *clip.frames.paths[3:]), 30.0))
    elif change == "rate":
        clip = replace(clip, frames=replace(clip.frames, fps=60.0))
    else:
        a, b, c, d, e = clip.frames.paths
        clip = replace(clip, frames=ImageFolder((a, c, b, d, e), 30.0))
    assert clip_key(clip, SPEC) != before


def test_frames_outside_the_movement_may_change(clip):
    before = clip_key(clip, SPEC)
    for at in (0, 4):
        clip.frames.paths[at].write_bytes(b"other")
    assert clip_key(clip, SPEC) == before


def test_ready_made_maps_are_stamped_too(maps_clips):
    clip = maps_clips[0]
    before = clip_key(clip, SPEC)
    os.utime(clip.maps["u"].path, ns=(0, 0))
    assert clip_key(clip, SPEC) != before
    clip.maps["u"].path.unlink()
    with pytest.raises(UserError, match=rf"clip {clip.id}: .* cannot be read"):
        clip_key(clip, SPEC)


def test_drawn_frames_are_known_by_what_they_are_drawn_from(drawn_clips):
    keys = {clip_key(clip, SPEC) for clip in drawn_clips}
    assert len(keys) == len(drawn_clips)
    same = synthetic.load("easy", subjects=2, clips_per_subject=3, fps=30)
    assert [clip_key(clip, SPEC) for clip in same] == [clip_key(clip, SPEC) for clip in drawn_clips]
    noisier = replace(same[0], frames=replace(same[0].frames, noise=1.5))
    assert clip_key(noisier, SPEC) != clip_key(same[0], SPEC)


def test_other_frames_are_known_by_their_pixels(clip):
    listed = replace(clip, frames=[frame.copy() for frame in (clip.frames[i] for i in range(5))])
    before = clip_key(listed, SPEC)
    assert clip_key(replace(clip, frames=[listed.frames[i].copy() for i in range(5)]), SPEC) == before
    listed.frames[2][5, 5, 0] ^= 1
    assert clip_key(listed, SPEC) != before


def test_other_code_or_another_version_is_another_key(clip, monkeypatch):
    before = clip_key(clip, SPEC)
    with monkeypatch.context() as patch:
        patch.setattr(feature_cache.cv2, "__version__", "0")
        assert clip_key(clip, SPEC) != before
    monkeypatch.setattr(feature_cache, "_package_digest", lambda _: "other")
    assert clip_key(clip, SPEC) != before


def test_the_code_that_counts(tmp_path, monkeypatch):
    """A byte in any file that has a part in features, models included; the drawing only for drawn frames."""
    for name in ("frames.py", "types.py", "features/flow.py", "faces/align.py", "faces/models/net.bin",
                 "datasets/synthetic_face.py", "datasets/casme2.py"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    monkeypatch.setattr(feature_cache, "SOURCE", tmp_path)
    digest = feature_cache._package_digest.__wrapped__
    found = {}
    for path in sorted(tmp_path.rglob("*.*")):
        before = digest(False), digest(True)
        path.write_bytes(b"2")
        found[path.name] = digest(False) != before[0], digest(True) != before[1]
    assert found.pop("casme2.py") == (False, False)
    assert found.pop("synthetic_face.py") == (False, True)
    assert set(found.values()) == {(True, True)}


def test_an_entry_of_ones_own_counts_with_the_file_that_defines_it(clip, monkeypatch, tmp_path):
    before = clip_key(clip, SPEC)
    keys = set()
    for text in ("3", "4"):
        (tmp_path / "mine.py").write_text(f"def flow(first, second):\n    return {text}\n")
        monkeypatch.syspath_prepend(tmp_path)
        sys.modules.pop("mine", None)
        import mine

        feature_cache._file_of.cache_clear()
        for entry in (mine.flow, partial(mine.flow, second=None)):
            monkeypatch.setitem(FLOWS, "dis", entry)
            keys.add(clip_key(clip, SPEC))
    assert len(keys) == 2
    assert before not in keys


def test_an_entry_typed_into_a_console_is_refused(clip, monkeypatch):
    space: dict = {}
    exec(compile("def flow(first, second): return 3", "<stdin>", "exec"), space)
    monkeypatch.setitem(FLOWS, "typed", space["flow"])
    with pytest.raises(UserError, match="'typed' is defined in no file"):
        clip_key(clip, replace(SPEC, flow="typed"))


def damaged(data: bytes):
    """Every way in which a file may be broken that one can think of."""
    yield from (data[:length] for length in range(0, len(data), 97))
    yield data[:-1]
    yield data + b"\0"
    yield bytes(len(data))
    yield b"\0" * 4096
    yield b"no entry at all, but somebody's notes"
    yield b"\x02\0\0\0\0\0\0\0{}"
    yield (10**6).to_bytes(8, "little") + b"[" * 10**6
    yield b"\xff" * len(data)
    for at in (*range(0, len(data), 31), len(data) - 1):
        yield data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
    yield data.replace(b'"F32"', b'"I32"')
    yield data.replace(b'"maps":', b'"mops":')


def test_a_damaged_entry_is_missing(clip, tmp_path, caplog):
    cache, key = tmp_path, clip_key(clip, SPEC)
    store(cache, key, clip_features(clip, SPEC))
    path = entry_path(cache, key)
    whole = path.read_bytes()
    assert look_up(cache, key, SPEC) is not None
    count = 0
    for data in damaged(whole):
        assert data != whole
        path.write_bytes(data)
        with caplog.at_level(logging.WARNING):
            caplog.clear()
            assert look_up(cache, key, SPEC) is None, data[:200]
        assert str(path) in caplog.text
        count += 1
    assert count > 50
    maps = load_or_extract(clip, SPEC, cache).maps
    assert path.read_bytes() == whole
    np.testing.assert_array_equal(maps, clip_features(clip, SPEC).maps)


def test_an_entry_under_a_wrong_name_is_missing(clip, tmp_path):
    key = clip_key(clip, SPEC)
    store(tmp_path, key, clip_features(clip, SPEC))
    other = "0" * 64
    entry_path(tmp_path, other).parent.mkdir(exist_ok=True)
    entry_path(tmp_path, key).rename(entry_path(tmp_path, other))
    assert look_up(tmp_path, other, SPEC) is None
    assert look_up(tmp_path, key, SPEC) is None


def test_the_same_features_are_the_same_bytes(clip, tmp_path):
    key, found = clip_key(clip, SPEC), clip_features(clip, SPEC)
    written = set()
    for _ in range(20):
        store(tmp_path, key, found)
        written.add(entry_path(tmp_path, key).read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("what", ["entry", "folder of entries", "cache"])
def test_something_in_the_way_is_one_sentence(clip, tmp_path, what):
    cache = tmp_path / "cache"
    path = entry_path(cache, clip_key(clip, SPEC))
    if what == "entry":
        (path / "full").mkdir(parents=True)
    elif what == "folder of entries":
        cache.mkdir()
        path.parent.write_text("a file")
    else:
        cache.write_text("a file")
    with pytest.raises(UserError, match="the cache cannot be written") as caught:
        load_or_extract(clip, SPEC, cache)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_one_sentence(clip, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UserError, match=r"the cache cannot be written \(Permission denied"):
            load_or_extract(clip, SPEC, tmp_path / "cache")
    finally:
        tmp_path.chmod(0o700)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(clip, tmp_path, monkeypatch):
    def full(self, data):
        self.touch()
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"the cache cannot be written \(No space left on device"):
        store(tmp_path / "cache", "a" * 64, Features(np.zeros((3, 8, 8), np.float32), SPEC.maps))
    assert not entries(tmp_path / "cache")


def test_only_old_drafts_are_swept_away(tmp_path):
    old, new = tmp_path / "ab" / "abc-1-ff.part", tmp_path / "cd" / "cde-2-ff.part"
    for path, age in ((old, STALE + 60), (new, 60)):
        path.parent.mkdir()
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    prepare(tmp_path)
    assert not old.exists()
    assert new.exists()


FILL = """
import sys
from pathlib import Path
from dfrnet.datasets import synthetic
from dfrnet.features import FeatureSpec
from dfrnet.features.batch import fill
clips = synthetic.load("easy", subjects=1, clips_per_subject=12, fps=30)
done = fill(clips, FeatureSpec(size=8, frame_size=16), cache=Path(sys.argv[1]),
            progress=lambda done, total: print(done, flush=True))
print(done)
"""


def filling(cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", FILL, str(cache)], env=child_environment(), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)  # fmt: skip


def many() -> list[Clip]:
    return synthetic.load("easy", subjects=1, clips_per_subject=12, fps=30)


def test_what_was_killed_goes_on(tmp_path):
    child = filling(tmp_path)
    for _ in range(random.Random(0).randint(3, 6)):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.communicate()
    clips = many()
    there = [path for path in entries(tmp_path) if path.suffix == ".safetensors"]
    assert 3 <= len(there) < len(clips)
    found = fill(clips, SPEC, cache=tmp_path)
    assert (found.done, found.reused, found.left_out) == (len(clips) - len(there), len(there), {})
    for clip in clips[:3]:
        np.testing.assert_array_equal(load_or_extract(clip, SPEC, tmp_path).maps, clip_features(clip, SPEC).maps)


def test_two_at_once_agree(tmp_path):
    children = [filling(tmp_path) for _ in range(2)]
    for child in children:
        _, errors = child.communicate(timeout=120)
        assert child.returncode == 0, errors
    clips = many()
    assert sorted(path.stem for path in entries(tmp_path)) == sorted(clip_key(clip, SPEC) for clip in clips)
    assert fill(clips, SPEC, cache=tmp_path).reused == len(clips)
