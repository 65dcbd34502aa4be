"""Files in and out: text of any encoding, whole writes, and errors that name the file and the row."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dfrnet.evaluation.records import write_bytes
from dfrnet.types import UserError

LARGEST = 256 * 1024 * 1024
"""Bytes; a file of annotations is never that large."""

LONGEST = 200
"""Bytes of a name that leave room, of the 255 that file systems take, for an ending and for what marks a draft."""


def fitting(name: str) -> str:
    """The name, or its beginning and a digest of all of it where it is too long to be given to a file."""
    data = name.encode("utf-8", errors="replace")
    if len(data) <= LONGEST:
        return name
    return f"{data[: LONGEST - 9].decode('utf-8', errors='ignore')}-{hashlib.sha256(data).hexdigest()[:8]}"


def read_bytes(path: Path) -> bytes:
    """The whole file; UserError where it cannot be read."""
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path}: too large for a file of annotations; is it the recording itself?")
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the name") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a file of annotations") from None


def decoded(data: bytes) -> str:
    """Text in UTF-8 or UTF-16 (with a byte order mark, as Praat writes it), else Latin-1 of old spreadsheets."""
    if data.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":  # cut off within a character
            return data.decode("utf-8-sig", errors="replace")
        return data.decode("latin-1")


def read_text(path: Path) -> str:
    """The whole file as text."""
    return decoded(read_bytes(path))


def save(path: Path, text: str) -> None:
    """UTF-8, whole or not at all; half characters, which no encoding has, become question marks."""
    write_bytes(path, text.encode("utf-8", errors="replace"))


@contextmanager
def naming(path: Path, where: str = "", remedy: str = "mend the cell or remove the row") -> Iterator[None]:
    """Whatever is wrong inside becomes one sentence with the file, the row and the remedy."""
    try:
        yield
    except (ValueError, UserError, TypeError, KeyError, RecursionError) as error:
        place = f"{path}, {where}" if where else f"{path}"
        what = f"no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        if what.startswith(f"{path}"):
            raise UserError(what) from None
        raise UserError(f"{place}: {what}; {remedy}") from None
