import csv
import logging
from collections import Counter

import pytest

from dfrnet.datasets import DATASETS, load, released_maps
from dfrnet.features import FeatureSpec, clip_features
from dfrnet.frames import read_image
from dfrnet.types import UserError
from trees import SHEET_COLUMNS, SUBJECTS, write_maps, write_png


def edit(root, change):
    """Rewrite the sheet: ``change`` takes header and rows and gives the new list of rows, header first."""
    path = root / released_maps.SHEET
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(change(header, rows))


def test_the_layout_is_read(maps_root):
    clips = released_maps.load(str(maps_root))
    assert len(clips) == 18
    assert len({clip.id for clip in clips}) == 18
    assert [*dict.fromkeys(clip.subject for clip in clips)] == [f"{dataset}/{sub}" for dataset, sub in SUBJECTS]
    assert [clip.label for clip in clips[:3]] == ["negative", "positive", "surprise"]
    assert clips[0].id == "casme2/sub01/EP01_01f"
    assert next(c for c in clips if c.dataset == "samm").id == "samm/006/006_1_2"
    for clip in clips:
        assert list(clip.maps) == ["u", "v", "strain"]
        assert [clip.maps[name].channel for name in clip.maps] == [0, 1, 2]
        assert clip.maps["u"].path.name.endswith(" .png")
        assert read_image(clip.maps["u"].path).shape == (28, 28, 3)


def test_the_sheets_order_is_kept(maps_root):
    edit(maps_root, lambda header, rows: [header, *rows[::-1]])
    assert released_maps.load(str(maps_root))[0].id == "samm/037/037_3_4"


@pytest.mark.parametrize("rename", [" .png -> .png", "s03_s03 -> s03_s3", "upper case"])
def test_spellings_of_a_map_agree(maps_root, rename):
    folder = maps_root / released_maps.FLOW_FOLDER
    for path in list(folder.iterdir()):
        new = {
            " .png -> .png": path.name.replace(" .png", ".png"),
            "s03_s03 -> s03_s3": path.name.replace("s03_s03", "s03_s3"),
            "upper case": path.name.upper(),
        }[rename]
        path.rename(folder / new)
    assert len(released_maps.load(str(maps_root))) == 18


def test_a_sheet_from_a_spreadsheet_program(maps_root):
    path = maps_root / released_maps.SHEET
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b",,,,,,\r\n")
    assert len(released_maps.load(str(maps_root))) == 18


def test_a_missing_map_names_row_clip_and_file(maps_root):
    (maps_root / released_maps.FLOW_FOLDER / "s03_s03_po_02 .png").unlink()
    with pytest.raises(UserError, match=r"row 9: no map for clip s03_po_02 of s03 in .*restore 's03_s03_po_02 \.png'"):
        released_maps.load(str(maps_root))


@pytest.mark.parametrize("column", released_maps.COLUMNS)
def test_a_missing_column_is_named(maps_root, column):
    at = SHEET_COLUMNS.index(column)
    edit(maps_root, lambda header, rows: [[*row[:at], *row[at + 1 :]] for row in (header, *rows)])
    with pytest.raises(UserError, match=rf"{released_maps.SHEET}: column {column} is missing \(it has "):
        released_maps.load(str(maps_root))


@pytest.mark.parametrize("label", ["3", "happy", "1.0"])
def test_a_bad_label_names_its_row(maps_root, label):
    edit(maps_root, lambda header, rows: [header, rows[0], [*rows[1][:3], label, *rows[1][4:]], *rows[2:]])
    with pytest.raises(UserError, match=f"row 3: label '{label}' of clip EP02_02f is not 0, 1 or 2"):
        released_maps.load(str(maps_root))


def test_a_clip_listed_twice_is_named(maps_root):
    edit(maps_root, lambda header, rows: [header, *rows, rows[4]])
    with pytest.raises(UserError, match=r"rows 6 and 20: clip casme2/sub02/EP02_02f twice"):
        released_maps.load(str(maps_root))


def test_a_short_row_is_named(maps_root):
    edit(maps_root, lambda header, rows: [header, rows[0], rows[1][:2]])
    with pytest.raises(UserError, match=r"row 3: one of .* is empty"):
        released_maps.load(str(maps_root))


def test_an_empty_sheet(maps_root):
    edit(maps_root, lambda header, _: [header])
    with pytest.raises(UserError, match="no clip in it"):
        released_maps.load(str(maps_root))


def test_a_sheet_that_is_not_utf8(maps_root):
    path = maps_root / released_maps.SHEET
    path.write_bytes(path.read_bytes() + b"casme2,sub\xff,x,1,,,\r\n")
    with pytest.raises(UserError, match=f"{released_maps.SHEET}.*UTF-8"):
        released_maps.load(str(maps_root))


@pytest.mark.parametrize("part", ["root", "maps"])
def test_a_folder_that_is_no_clone(tmp_path, maps_root, part):
    if part == "maps":
        folder = maps_root / released_maps.FLOW_FOLDER
        folder.rename(maps_root / "elsewhere")
        with pytest.raises(UserError, match="STSNet_whole_norm_u_v_os: no such folder"):
            released_maps.load(str(maps_root))
    else:
        with pytest.raises(UserError, match=r"nowhere.*no such sheet.*clone of the HTNet repository"):
            released_maps.load(str(tmp_path / "nowhere"))


def test_face_pictures_become_the_map_apex_with_a_warning(tmp_path, caplog):
    root = write_maps(tmp_path / "full", apex=True)
    with caplog.at_level(logging.WARNING):
        clips = released_maps.load(str(root))
    assert "SMIC" in caplog.text
    assert "last frame" in caplog.text
    assert all("apex" in clip.maps for clip in clips)
    smic = next(clip for clip in clips if clip.dataset == "smic")
    assert smic.maps["apex"].path.stem == "s03_s3_ne_01"
    assert smic.maps["apex"].channel is None
    found = clip_features(smic, FeatureSpec(maps=("u", "v", "strain", "apex")))
    assert found.maps.shape == (4, 28, 28)
    assert 0.3 < found.maps[3].mean() < 0.7


def test_without_face_pictures_there_is_no_warning(maps_root, caplog):
    released_maps.load(str(maps_root))
    assert caplog.text == ""


def test_a_clip_without_a_face_picture_lacks_only_that_map(tmp_path):
    root = write_maps(tmp_path / "full", apex=True)
    (root / released_maps.APEX_FOLDER / "006_006_1_2.png").unlink()
    lacking = [clip.id for clip in released_maps.load(str(root)) if "apex" not in clip.maps]
    assert lacking == ["samm/006/006_1_2"]


def test_a_grey_map_is_refused_by_name(maps_root):
    path = maps_root / released_maps.FLOW_FOLDER / "006_006_1_2 .png"
    write_png(path, read_image(path)[..., 0])
    clip = next(c for c in released_maps.load(str(maps_root)) if c.id == "samm/006/006_1_2")
    with pytest.raises(UserError, match=r"006_006_1_2 \.png: clip samm/006/006_1_2 needs .* it is grey"):
        clip_features(clip, FeatureSpec())


def test_sources_are_joined_and_checked(maps_root):
    assert len(load([f"maps={maps_root}"]).clips) == 18
    with pytest.raises(UserError, match="comes from two of the sources"):
        load([f"maps={maps_root}", f"maps={maps_root}"])
    with pytest.raises(UserError, match="unknown data set 'mapz'; did you mean 'maps'"):
        load([f"mapz={maps_root}"])
    with pytest.raises(UserError, match="Write --data maps=FOLDER"):
        load(["maps"])
    with pytest.raises(UserError, match="no data given"):
        load([])
    assert "synthetic" in DATASETS


def test_the_real_clone(shared):
    root = shared / "data" / "htnet"
    if not root.is_dir():
        pytest.skip("no released maps here")
    clips = released_maps.load(str(root))
    assert len(clips) == 442
    assert Counter(c.label for c in clips) == {"negative": 250, "positive": 109, "surprise": 83}
    assert {d: len({c.subject for c in clips if c.dataset == d}) for d in ("casme2", "samm", "smic")} == {
        "casme2": 24, "samm": 28, "smic": 16,
    }  # fmt: skip
    assert Counter(c.dataset for c in clips) == {"casme2": 145, "samm": 133, "smic": 164}
    assert len({clip.maps["u"].path for clip in clips}) == 442
    assert clip_features(clips[200], FeatureSpec()).maps.shape == (3, 28, 28)


def test_blank_rows_are_passed_over_and_do_not_shift_the_row_numbers(maps_root):
    edit(maps_root, lambda header, rows: [header, [""] * 9, rows[0], ["", "sub02", "EP02_02f", "1"]])
    with pytest.raises(UserError, match=r"row 4: one of .* is empty"):
        released_maps.load(str(maps_root))
