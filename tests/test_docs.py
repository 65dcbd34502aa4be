"""Pages that are written from the code say what the code says."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_of_methods_is_up_to_date():
    spec = importlib.util.spec_from_file_location("write_methods", DOCS / "write_methods.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "methods.md").read_text(encoding="utf-8") == module.page(), "run: python docs/write_methods.py"
