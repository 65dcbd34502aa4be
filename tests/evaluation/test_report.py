import base64
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from dfrnet.evaluation.report import headline_selection, write_report
from dfrnet.types import UserError

pytest.importorskip("matplotlib")
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Collects addresses and headings, and checks that every tag is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(path):
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


def test_every_part_is_there_and_nothing_is_fetched(run, tmp_path):
    path = tmp_path / "new" / "report.html"
    write_report([run], path)
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    page, text = read(path), path.read_text(encoding="utf-8")
    assert "http:" not in text
    assert "https:" not in text
    assert not re.search(r"url\(|@import|<script|<link", text)
    # Score intervals, three confusion matrices, subjects, loss.
    assert len(page.addresses) == 6
    for address in page.addresses:
        kind, data = address.split(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
    words = " ".join(page.text)
    for part in ("What was run", "Scores", "Paired comparisons", "Answers by class", "Subjects", "Training"):
        assert part in words
    assert "not about what a person feels" in words
    assert "casme2 and smic" in words
    assert "svm_flow, fixed" in words


def test_the_leaky_row_is_labelled_and_never_the_headline(run, tmp_path):
    path = tmp_path / "report.html"
    write_report([run], path)
    lines = path.read_text(encoding="utf-8").splitlines()
    leaky = [line for line in lines if line.startswith("<tr") and ">leaky<" in line]
    assert len(leaky) == 3
    assert all("LEAKY: epoch chosen on the test subject" in line and 'class="leaky"' in line for line in leaky)
    headline = [line for line in lines if "headline" in line and line.startswith("<tr")]
    assert len(headline) == 3
    assert all(">fixed<" in line for line in headline)


def test_what_comes_from_outside_is_escaped(tmp_path, make_run):
    run = make_run(tmp_path / "<b>r", data='<script>alert("x")</script>', epochs=0, selection="fixed")
    path = tmp_path / "report.html"
    write_report([run], path)
    text = path.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<b>r" not in text
    assert "&lt;script&gt;" in text
    assert "No loss was recorded" in text
    assert "There is no other run on the same clips" in text


def test_incomplete_run_and_other_clips(tmp_path, make_run):
    run = make_run(tmp_path / "part", missing=1)
    other = make_run(tmp_path / "other")
    path = tmp_path / "report.html"
    write_report([run, other], path)
    words = " ".join(read(path).text)
    assert "5 of 6 folds" in words
    assert re.search(r"other is not compared: clip \S+: only the second run", words)


def test_a_run_of_nested_only(tmp_path, make_run):
    run = make_run(tmp_path / "r", selection="nested")
    assert headline_selection(run) == "nested"
    with pytest.raises(UserError, match="only leaky"):
        headline_selection(replace(run, config={**run.config, "selection": "leaky"}))
    write_report([run], tmp_path / "report.html")


def test_run_json_is_told_whole(run, tmp_path):
    path = tmp_path / "report.html"
    write_report([run], path)
    folded = next(text for text in read(path).text if text.lstrip().startswith("{"))
    assert json.loads(folded) == dict(run.config)


def test_without_matplotlib(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match=r"install dfrnet\[report\]"):
        write_report([run], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
