"""Known errors of the published sheets, each with its source (``errata.toml``).

An entry counts only where the sheet says exactly what it calls old: on a sheet that somebody mended already, or a later
release, it does nothing. Every correction that was applied is shown by the doctor and kept in the run's record.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dfrnet.datasets.archive import Annotation

FILE = Path(__file__).with_name("errata.toml")
FIELDS = ("onset", "apex", "offset", "emotion")


@dataclass(frozen=True)
class Erratum:
    """One correction: ``field`` of clip ``clip``, from ``old`` to ``new``, None for "not known"."""

    clip: str
    field: str
    old: int | str
    new: int | str | None
    reason: str
    source: str

    def __str__(self) -> str:
        return f"{self.clip}: {self.field} {self.old} -> {'unknown' if self.new is None else self.new}"


@cache
def known() -> tuple[Erratum, ...]:
    """All entries of the file, in its order."""
    entries = tomllib.loads(FILE.read_text(encoding="utf-8"))["erratum"]
    return tuple(Erratum(**{"new": None, **entry}) for entry in entries)


def corrected(rows: Sequence[Annotation]) -> tuple[list[Annotation], tuple[Erratum, ...]]:
    """The rows with every erratum that fits them, and those errata."""
    mended, applied = [], []
    for row in rows:
        fitting = [erratum for erratum in known() if fnmatchcase(row.id, erratum.clip)]
        for erratum in fitting:
            if getattr(row, erratum.field) == erratum.old:
                row = replace(row, **{erratum.field: erratum.new})  # type: ignore[arg-type]
                applied.append(replace(erratum, clip=row.id))
        mended.append(row)
    return mended, tuple(applied)
