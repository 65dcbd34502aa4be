import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfrnet.frames import IMAGE_SUFFIXES, ImageFolder, image_folder, natural_key, read_image
from dfrnet.types import UserError
from trees import write_png


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1), st.sampled_from(["img{}", "006_{:05d}", "{}_x"]))
def test_numbers_count_as_numbers(numbers, name):
    ordered = sorted((Path(name.format(n) + ".jpg") for n in numbers), key=natural_key)
    assert [p.name for p in ordered] == [name.format(n) + ".jpg" for n in sorted(numbers)]


def test_padded_and_unpadded_numbers_mix():
    names = ["006_05562.jpg", "006_5561.jpg", "006_5563.jpg", "006_10000.jpg", "Reg_img9.jpg", "reg_img10.jpg"]
    assert [p.name for p in sorted(map(Path, names[::-1]), key=natural_key)] == [
        "006_5561.jpg", "006_05562.jpg", "006_5563.jpg", "006_10000.jpg", "Reg_img9.jpg", "reg_img10.jpg",
    ]  # fmt: skip


def test_a_name_without_digits_and_one_that_begins_with_them_compare():
    assert [p.stem for p in sorted([Path("a.png"), Path("1.png")], key=natural_key)] == ["1", "a"]


def test_a_folder_gives_its_pictures_in_order_with_times(tmp_path):
    for number in (10, 2, 1):
        write_png(tmp_path / f"img{number}.png", np.full((6, 8, 3), number, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "sub").mkdir()
    frames = image_folder(tmp_path, 200.0)
    assert len(frames) == 3
    assert [int(frames[i][0, 0, 0]) for i in range(3)] == [1, 2, 10]
    assert int(frames[-1][0, 0, 0]) == 10
    np.testing.assert_allclose(frames.times, [0, 0.005, 0.01])
    assert frames[0].shape == (6, 8, 3)
    assert frames[0].dtype == np.uint8


def test_colours_are_red_green_blue(tmp_path):
    write_png(tmp_path / "a.png", np.full((4, 4, 3), (250, 120, 10), np.uint8))
    assert read_image(tmp_path / "a.png")[0, 0].tolist() == [250, 120, 10]


def test_grey_stays_grey(tmp_path):
    write_png(tmp_path / "a.png", np.full((4, 5), 77, np.uint8))
    assert read_image(tmp_path / "a.png").shape == (4, 5)


def test_names_of_any_script(tmp_path):
    write_png(tmp_path / "表情 1 .png", np.zeros((4, 4, 3), np.uint8))
    assert len(image_folder(tmp_path, 30)) == 1
    assert image_folder(tmp_path, 30)[0].shape == (4, 4, 3)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n1234"], ids=["empty", "text", "cut"])
def test_what_does_not_decode_is_named(tmp_path, content):
    path = tmp_path / "img7.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"img7\.png: not a picture that decodes") as caught:
        image_folder(tmp_path, 30)[0]
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.png: cannot be read \(No such file"):
        read_image(tmp_path / "gone.png")


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "other-files"])
def test_a_folder_without_pictures_is_named(tmp_path, kind):
    folder = tmp_path / "frames"
    if kind == "file":
        folder.write_text("a file")
    elif kind != "missing":
        folder.mkdir()
        if kind == "other-files":
            (folder / "a.txt").write_text("x")
    with pytest.raises(UserError, match=f"{os.sep}frames: no "):
        image_folder(folder, 30)


def test_suffixes_can_be_chosen(tmp_path):
    assert ".jpg" in IMAGE_SUFFIXES
    write_png(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(UserError, match="no pictures"):
        image_folder(tmp_path, 30, [".JPG"])
    assert len(image_folder(tmp_path, 30, [".PNG"])) == 1


@pytest.mark.parametrize("fps", [0, -1, float("nan")])
def test_a_rate_is_above_zero(tmp_path, fps):
    with pytest.raises(UserError, match="fps must be above 0"):
        ImageFolder((tmp_path / "a.png",), fps)
