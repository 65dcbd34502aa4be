"""Boxes around parts of the face."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfrnet.datasets.synthetic_face import draw_identity, landmarks
from dfrnet.datasets.synthetic_motion import MIRROR
from dfrnet.faces import DC_ROIS, REGIONS, TEMPLATE, region_boxes
from dfrnet.types import UserError

LARGE = (4000, 4000)
faces = st.integers(0, 500).map(lambda seed: landmarks(draw_identity(np.random.default_rng(seed))))
margins = st.floats(0, 0.5)


def swapped(name):
    return name.translate({}).replace("left", "?").replace("right", "left").replace("?", "right")


@given(faces, margins, st.integers(8, 200), st.integers(8, 200))
def test_every_box_lies_in_the_picture_and_holds_a_pixel(points, margin, height, width):
    for box in region_boxes(points, (height, width, 3), margin=margin).values():
        assert 0 <= box.left < box.right <= width
        assert 0 <= box.top < box.bottom <= height


@given(faces, margins)
def test_a_box_contains_its_points(points, margin):
    boxes = region_boxes(points + 200, LARGE, margin=margin)
    for name, members in REGIONS.items():
        box, held = boxes[name], points[list(members)] + 200
        assert (held >= np.array([box.left, box.top]) - 0.5).all()
        assert (held <= np.array([box.right, box.bottom]) - 0.5).all()


@given(faces, margins, st.integers(0, 900), st.integers(0, 900))
def test_a_shifted_face_has_shifted_boxes(points, margin, right, down):
    points = np.round(points, 3)  # else the sum rounds
    first, second = (region_boxes(p, LARGE, margin=margin) for p in (points + 200, points + 200 + [right, down]))
    for name, box in first.items():
        shift = np.array(second[name]) - box
        assert np.abs(shift - [right, down, right, down]).max() <= 1


@given(faces, margins, st.floats(1, 8))
def test_a_larger_face_has_larger_boxes(points, margin, scale):
    first, second = (region_boxes(p, LARGE, margin=margin) for p in (points + 60, (points + 60) * scale))
    for name, box in first.items():
        assert np.abs(np.array(second[name]) - scale * np.array(box)).max() <= 1.5 * scale + 1


@given(faces, st.floats(0, 0.2), st.floats(0.01, 0.2))
def test_a_larger_margin_holds_the_smaller(points, margin, more):
    small, large = (region_boxes(points + 60, LARGE, margin=m) for m in (margin, margin + more))
    for name, box in small.items():
        assert large[name].left <= box.left
        assert large[name].top <= box.top
        assert large[name].right >= box.right
        assert large[name].bottom >= box.bottom


def test_left_is_the_persons_left():
    boxes = region_boxes(TEMPLATE * 300, (300, 300))
    for name in REGIONS:
        if name.startswith("left"):
            assert boxes[name].left > boxes[swapped(name)].left
            assert boxes[name].right > 150


def test_the_sides_mirror_each_other():
    for name, members in REGIONS.items():
        assert {MIRROR[k] for k in members} == set(REGIONS[swapped(name)])


def test_where_they_lie():
    boxes = region_boxes(TEMPLATE * 400 - 0.5, (400, 400), margin=0)
    assert boxes["forehead"].top < boxes["left_brow"].top
    assert boxes["forehead"].bottom >= boxes["left_brow"].bottom
    assert boxes["left_brow"].bottom < boxes["left_eye"].bottom < boxes["left_cheek"].bottom
    assert boxes["nose"].bottom < boxes["mouth"].top < boxes["chin"].bottom
    assert boxes["right_cheek"].right < boxes["nose"].right
    assert all(box.top > 0 and box.bottom < 400 for box in boxes.values())


def test_the_three_regions_of_the_apex_search():
    assert list(region_boxes(TEMPLATE * 128, (128, 128), DC_ROIS)) == list(DC_ROIS)
    assert sum(len(REGIONS[name]) for name in DC_ROIS) == 11 + 11 + 20


def test_an_unknown_region():
    with pytest.raises(UserError, match="did you mean 'mouth'"):
        region_boxes(TEMPLATE * 128, (128, 128), ["mout"])
