"""Pages that are written from the code say what the code says, and what they show runs as it stands."""

import importlib.util
import re

import pytest

from trees import REPOSITORY, write_maps

DOCS = REPOSITORY / "docs"
RUN = ("models", "evaluation", "faces", "spotting_metrics", "data/synthetic")
"""Pages whose Python needs no camera, cluster, licensed data or minutes."""


def test_the_page_of_methods_is_up_to_date():
    spec = importlib.util.spec_from_file_location("write_methods", DOCS / "write_methods.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "methods.md").read_text(encoding="utf-8") == module.page(), "run: python docs/write_methods.py"


@pytest.mark.parametrize("page", RUN)
def test_the_python_of_a_page_runs_word_for_word(page, tmp_path, monkeypatch):
    """In a fresh folder beside a small clone of the released maps; the blocks of a page follow one another."""
    here = tmp_path / "here"
    (here / "tests").mkdir(parents=True)
    (here / "tests" / "data").symlink_to(REPOSITORY / "tests" / "data")
    write_maps(tmp_path / "htnet")
    monkeypatch.chdir(here)
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.M | re.S)
    assert blocks
    names = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, f"{page}.md", "exec"), names)
