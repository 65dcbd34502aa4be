"""The doctor: counts beside the published ones, and exactly the faults that are there."""

import json

import pytest

from archives import write_casme2, write_smic
from dfrnet.datasets.check import check, render
from dfrnet.datasets.findings import SEVERITIES
from dfrnet.types import UserError


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Six drawn clips of CASME II, one with a picture cut short."""
    written = write_casme2(tmp_path_factory.mktemp("data") / "casme2")
    frames = written.files(written.ids[2])
    damaged = frames[written.rows[2].apex]
    damaged.write_bytes(damaged.read_bytes()[:-200])
    return written, damaged


def test_a_whole_archive_has_nothing_amiss(tmp_path):
    written = write_casme2(tmp_path / "whole")
    (report,) = check("casme2", written.root)
    assert not report.findings
    assert [clip.id for clip in report.usable] == written.ids
    assert report.sizes == {"280x340": 6}
    assert "every annotated clip can be used" in render([report])


def test_one_damaged_picture_is_one_clip_less_and_the_rest_is_usable(archive):
    written, damaged = archive
    (report,) = check("casme2", written.root, jobs=2)
    assert [(one.kind, one.clip) for one in report.findings] == [("undecodable", written.ids[2])]
    assert str(damaged) in report.findings[0].sentence
    assert [clip.id for clip in report.usable] == [name for name in written.ids if name != written.ids[2]]


def test_a_damaged_picture_that_no_map_needs_is_a_warning(archive, tmp_path):
    written = write_casme2(tmp_path / "between", clips=2)
    row = written.rows[0]
    between = next(n for n in written.files(row.id) if n not in (row.onset, row.apex))
    written.files(row.id)[between].write_bytes(b"")
    (report,) = check("casme2", written.root)
    assert [(one.kind, one.severity) for one in report.findings] == [("damaged", "warning")]
    assert len(report.usable) == 2


def test_json_says_what_the_text_says(archive):
    written, _ = archive
    reports = check("casme2", written.root)
    (facts,) = json.loads(render(reports, "json"))["reports"]
    assert facts["counts"]["clips"] == {"published": 255, "sheet": 6, "usable": 5}
    assert facts["unusable"] == 1
    assert sum(row["usable"] for row in facts["emotions"].values()) == 5
    assert sum(row["usable"] for row in facts["by_subject"].values()) == 5
    assert facts["findings"][0]["kind"] in SEVERITIES
    text = render(reports)
    assert facts["findings"][0]["sentence"] in text
    assert "1 clip cannot be used" in text


def test_many_findings_of_a_kind_are_shortened_unless_all_are_asked_for(tmp_path):
    written = write_casme2(tmp_path / "c", clips=9, cheap=True)
    for name in written.ids[:8]:
        for path in written.files(name).values():
            path.unlink()
    reports = check("casme2", written.root)
    assert "... and 3 more; --all shows them" in render(reports)
    assert all(finding.sentence in render(reports, all_findings=True) for finding in reports[0].findings)


def test_errata_are_shown_with_their_source_and_can_be_switched_off(tmp_path):
    from archive_rows import make_row

    rows = [make_row("smic", "18", "s18_sur_03", "negative", 100, 104, 108)]
    written = write_smic(tmp_path / "smic", rows=rows, cheap=True, trees=("long",))
    (report,) = check("smic", written.root)
    assert "erratum applied: smic/s18/s18_sur_03: emotion negative -> surprise" in render([report])
    (report,) = check("smic", written.root, errata=False)
    assert "erratum" not in render([report])


def test_what_cannot_be_checked(tmp_path):
    with pytest.raises(UserError, match="did you mean 'casme2'"):
        check("casme22", tmp_path)
    with pytest.raises(UserError, match="no annotation sheet of CASME II"):
        check("casme2", tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        check("casme2", tmp_path / "nowhere")
    with pytest.raises(UserError, match="text, json"):
        render([], "yaml")
