"""What is written as released maps is read back as the same clips, labels and maps, to the step of 8 bits."""

import csv
import os
from dataclasses import replace

import numpy as np
import pytest

from dfrnet.datasets import released_maps
from dfrnet.features import FeatureSpec, clip_features
from dfrnet.features.released_maps import picture_of, write_released_maps
from dfrnet.frames import read_image
from dfrnet.types import CLASSES, Clip, UserError
from trees import SHEET_COLUMNS

SPEC = FeatureSpec(frame_size=48)


def named(clip: Clip, name: str, label: str) -> Clip:
    """The clip with another id and label, its two pictures that count drawn once."""
    dataset, subject, _ = name.split("/")
    frames = [clip.frames[clip.onset], clip.frames[clip.apex]]
    return replace(clip, id=name, dataset=dataset, subject=f"{dataset}/{subject}", label=label, frames=frames, onset=0,
                   apex=1, offset=1)  # fmt: skip


@pytest.fixture(scope="module")
def clips(drawn_clips) -> list[Clip]:
    ids = ("casme2/sub01/EP02_01f", "smic/s03/s03_ne_01", "samm/006/006_1_2", "smic/s11/s11_sur_12", "mine/a b/x,y")
    return [named(clip, name, CLASSES[k % 3]) for k, (clip, name) in enumerate(zip(drawn_clips, ids, strict=False))]


def test_the_round_trip(clips, tmp_path):
    assert write_released_maps(clips, tmp_path / "out", SPEC) == {}
    back = released_maps.load(str(tmp_path / "out"))
    assert [(c.id, c.dataset, c.subject, c.label) for c in back] == [
        (c.id, c.dataset, c.subject, c.label) for c in clips
    ]
    as_written = replace(SPEC, scale="none", centre="none")
    for old, new in zip(clips, back, strict=True):
        expected = clip_features(old, as_written).maps
        low, high = expected.min(axis=(1, 2), keepdims=True), expected.max(axis=(1, 2), keepdims=True)
        found = clip_features(new, as_written).maps
        assert found.shape == (3, 28, 28)
        np.testing.assert_allclose(found, (expected - low) / (high - low), atol=0.5 / 255 + 1e-6)
        assert found.min() == 0
        assert found.max() == 1


def test_what_is_read_back_is_like_what_was_extracted(clips, tmp_path):
    """Centred and scaled, as a method sees it: stretched maps lose their magnitude, not their pattern."""
    write_released_maps(clips, tmp_path / "out", SPEC)
    for old, new in zip(clips, released_maps.load(str(tmp_path / "out")), strict=True):
        a, b = clip_features(old, SPEC).maps, clip_features(new, SPEC).maps
        for channel in range(3):
            assert np.corrcoef(a[channel].ravel(), b[channel].ravel())[0, 1] > 0.99


def test_files_are_spelled_as_in_the_clone(clips, tmp_path):
    write_released_maps(clips[:4], tmp_path / "out", SPEC)
    names = sorted(path.name for path in (tmp_path / "out" / released_maps.FLOW_FOLDER).iterdir())
    assert names == ["006_006_1_2 .png", "s03_s03_ne_01 .png", "s11_s11_sur_12 .png", "sub01_EP02_01f .png"]
    assert all(read_image(tmp_path / "out" / released_maps.FLOW_FOLDER / name).shape == (28, 28, 3) for name in names)
    with (tmp_path / "out" / released_maps.SHEET).open(newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == SHEET_COLUMNS
    assert rows == [
        ["casme2", "sub01", "EP02_01f", "0", "", "sub01_EP02_01f.jpg", ""],
        ["smic", "s03", "s03_ne_01", "1", "", "s03_s3_ne_01.jpg", ""],
        ["samm", "006", "006_1_2", "2", "", "006_006_1_2.jpg", ""],
        ["smic", "s11", "s11_sur_12", "0", "", "s11_s11_sur_12.jpg", ""],
    ]


def test_the_sheet_of_the_real_clone_is_spelled_alike(shared, tmp_path, clips):
    """Every row of the clone is what would be written for its clip."""
    root = shared / "data" / "htnet"
    if not root.is_dir():
        pytest.skip("no released maps here")
    real = released_maps.load(str(root))
    write_released_maps(real[::40], tmp_path / "out")
    with (tmp_path / "out" / released_maps.SHEET).open(newline="") as file:
        written = list(csv.DictReader(file))
    with (root / released_maps.SHEET).open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))[::40]
    for row, own in zip(rows, written, strict=True):
        assert {column: row[column].strip() for column in own} == own
    for path in (tmp_path / "out" / released_maps.FLOW_FOLDER).iterdir():
        old = read_image(root / released_maps.FLOW_FOLDER / path.name)
        assert np.abs(read_image(path).astype(int) - old).max() <= 1  # each was stretched already


def test_a_spec_says_how_the_movement_is_found_not_what_is_written(clips, tmp_path):
    spec = FeatureSpec(maps=("apex",), size=64, scale="clip", flow="farneback", frame_size=48)
    write_released_maps(clips[:1], tmp_path / "a", spec)
    write_released_maps(clips[:1], tmp_path / "b", SPEC)
    a, b = (read_image(next((tmp_path / name / released_maps.FLOW_FOLDER).iterdir())) for name in "ab")
    assert a.shape == b.shape == (28, 28, 3)
    assert (a != b).any()


def test_the_least_and_the_most_become_0_and_255():
    maps = np.zeros((3, 4, 4), np.float32)
    maps[0, 0, 0], maps[0, 3, 3], maps[1, 1, 1] = -2, 2, 5
    picture = picture_of(maps)
    assert picture.dtype == np.uint8
    assert [picture[0, 0, 0], picture[3, 3, 0], picture[1, 2, 0]] == [0, 255, 128]
    assert picture[..., 1].max() == 255
    assert (picture[..., 2] == 0).all()


def test_clips_that_fail_have_no_row_and_are_named(clips, tmp_path):
    unfit = replace(clips[1], frames=[clips[1].frames[0], clips[1].frames[1][:-1]])
    left_out = write_released_maps([clips[0], unfit, clips[2]], tmp_path / "out", SPEC)
    assert list(left_out) == [unfit.id]
    assert [clip.id for clip in released_maps.load(str(tmp_path / "out"))] == [clips[0].id, clips[2].id]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "happiness"}, r"clip casme2/sub01/EP02_01f: its label 'happiness' is none of negative, positive"),
        ({"id": "casme2/sub01/a/b"}, r"clip casme2/sub01/a/b: the layout .* wants ids like casme2/sub01/EP02_01f"),
        ({"id": "casme2/sub01/a "}, "wants ids like"),
    ],
)
def test_what_does_not_fit_the_layout_is_named(clips, tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        write_released_maps([replace(clips[0], **change)], tmp_path / "out", SPEC)
    assert not list(tmp_path.iterdir())


def test_two_clips_that_would_share_a_picture_are_named(clips, tmp_path):
    other = replace(clips[0], id="casme3/sub1/EP2_01f", dataset="casme3", subject="casme3/sub1")
    with pytest.raises(UserError, match=r"clips casme2/sub01/EP02_01f and casme3/sub1/EP2_01f would share one picture"):
        write_released_maps([clips[0], other], tmp_path / "out", SPEC)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_nothing_is_overwritten(clips, tmp_path, kind):
    (tmp_path / "out").mkdir() if kind == "folder" else (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="out: it exists already"):
        write_released_maps(clips, tmp_path / "out", SPEC)


def test_a_broken_run_leaves_nothing(clips, tmp_path, monkeypatch):
    def cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("dfrnet.features.released_maps._row", cut)
    with pytest.raises(KeyboardInterrupt):
        write_released_maps(clips, tmp_path / "out", SPEC)
    assert not list(tmp_path.iterdir())


def test_others_may_read_it(clips, tmp_path):
    write_released_maps(clips[:1], tmp_path / "out", SPEC)
    if os.name == "posix":
        assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
