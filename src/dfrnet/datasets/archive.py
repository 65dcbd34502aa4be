"""A licensed data set: a sheet of annotations, and folders of numbered frames.

A data set is one :class:`Archive`: what its sheet's columns are called, whom a row is about, and which folder belongs
to which clip. What is alike for all of them, :mod:`dfrnet.datasets.surveys` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dfrnet.datasets.sheets import Columns, Row
from dfrnet.datasets.tree import Folder


@dataclass(frozen=True)
class Annotation:
    """One row of a sheet, as it says, before any frame was looked at.

    ``onset``, ``apex`` and ``offset`` are frame numbers of the recording, None where the sheet has none. ``key`` is
    what :attr:`Archive.key` makes of the folder that holds its frames. ``where`` names file and row for messages.
    """

    id: str
    subject: str
    key: str
    where: str
    emotion: str
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    fps: float = 0.0
    action_units: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identity:
    """Whom and what a row is about: names without the data set's, and the key of the folder of its frames."""

    subject: str
    clip: str
    key: str


@dataclass(frozen=True)
class Variant:
    """One of the trees in which a data set is handed out: known by a word in a folder's or a file's name.

    One without words is what a tree is that no other fits.
    """

    name: str
    words: tuple[str, ...]
    cropped: bool = False


@dataclass(frozen=True)
class Published:
    """The counts that the data set's paper or the challenge printed, for the doctor to show beside what it found."""

    rows: int
    subjects: int
    emotions: Mapping[str, int]
    source: str


@dataclass(frozen=True)
class Archive:
    """One licensed data set.

    ``identity`` reads a row, None where it is no annotation. ``key`` makes of a folder's path, from the root's own name
    on, the key of the clip, None where it belongs to none. ``variants`` in the order in which they are preferred.
    ``own`` are the classes of the data set itself (``--classes five``). ``from_folder`` makes an annotation of a folder
    that has no row, and ``folder_emotion`` reads the emotion off its path, where the tree says that much.
    """

    name: str
    title: str
    fps: float
    columns: Columns
    identity: Callable[[Row], Identity | None]
    key: Callable[[tuple[str, ...]], str | None]
    variants: tuple[Variant, ...]
    published: Published
    own: tuple[str, ...]
    optional: frozenset[str] = frozenset({"apex", "action_units"})
    from_folder: Callable[[Folder], Annotation | None] | None = None
    folder_emotion: Callable[[tuple[str, ...]], str | None] | None = None
    emotions: Mapping[str, str] = field(default_factory=dict)
    """Misspelt or doubled names of emotions -> the usual one, in lower case."""
    other_sheets: str = r"(?!)"
    """Pattern of file names of sheets that have the same columns and are about something else."""
