"""What a study is made of: rows to run, and what is shown of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One row of a study: a method with some of its settings changed, under a protocol.

    ``flow_instead``: where clips are ready-made motion maps and the method is dfrnet with more inputs, it is run on the
    flow alone; a study about the inputs or their fusion has no use for that.
    """

    label: str
    method: str
    changes: Mapping[str, str] = field(default_factory=dict)
    protocol: str = "loso"
    classes: str = ""
    flow_instead: bool = True


@dataclass(frozen=True)
class Study:
    """One table or figure of the paper (``paper`` says which), and the rows that it needs.

    ``reference`` is the label of the row that the others are tested against. ``shows`` names functions in VIEWS: what
    is made of the finished rows. ``drawn`` names the difficulties that stand for several data sets where the data is
    the drawn set, for questions that need more than one. ``note`` is printed under its scores.
    """

    name: str
    paper: str
    question: str
    entries: tuple[Entry, ...]
    shows: tuple[str, ...] = ("scores", "cost")
    reference: str = ""
    drawn: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Options:
    """How studies are run; each command line option has its counterpart.

    ``changes`` are settings for every method that has them, and ``own`` those of one method by its name, where
    ``seeds``, ``audit_seeds`` and ``selection`` count among them. ``only`` limits the rows to these methods or labels.
    """

    out: Path
    seeds: int = 1
    audit_seeds: int | None = None
    selection: str = "audit"
    jobs: int = 1
    quick: bool = False
    repeats: int = 100
    cache: Path | None = None
    changes: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    only: tuple[str, ...] = ()
