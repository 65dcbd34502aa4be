"""Corrections are cited, and count only where the sheet says what they call old."""

from dataclasses import replace

import pytest

from dfrnet.datasets import ARCHIVES
from dfrnet.datasets.archive import Annotation
from dfrnet.datasets.errata import FIELDS, Erratum, corrected, known
from dfrnet.datasets.labels import official


def row(erratum, **values):
    name = erratum.clip.replace("*", "12")
    fields = {"onset": 1, "apex": 5, "offset": 9, "emotion": "fear"}
    return Annotation(name, name.rsplit("/", 1)[0], "key", "sheet, row 2", **{**fields, **values})


@pytest.mark.parametrize("erratum", known(), ids=str)
def test_every_entry_is_cited_and_changes_what_it_names(erratum):
    assert erratum.field in FIELDS
    assert erratum.reason
    assert erratum.source
    assert erratum.old != erratum.new
    assert erratum.clip.split("/")[0] in ARCHIVES
    before = row(erratum, **{erratum.field: erratum.old})
    after, applied = corrected([before])
    assert erratum.field in {one.field for one in applied}
    assert getattr(after[0], erratum.field) == erratum.new


@pytest.mark.parametrize("erratum", known(), ids=str)
def test_a_sheet_that_says_something_else_stays_as_it_is(erratum):
    other = "joy" if erratum.field == "emotion" else 77
    before = row(erratum, **{erratum.field: other})
    assert corrected([before]) == ([before], ())


def test_another_clip_stays_as_it_is():
    erratum = known()[0]
    before = replace(row(erratum, **{erratum.field: erratum.old}), id="samm/001/001_1_1")
    assert corrected([before]) == ([before], ())


def test_emotions_are_corrected_to_what_the_list_says():
    found = [one for one in known() if one.field == "emotion"]
    assert found
    assert all(official()[one.clip] == one.new for one in found)


def test_a_sentence_for_the_record():
    assert str(Erratum("samm/028/028_4_1", "apex", 1143, None, "r", "s")) == "samm/028/028_4_1: apex 1143 -> unknown"
