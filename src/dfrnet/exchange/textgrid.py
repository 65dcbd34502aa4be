"""Praat TextGrid (fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html): long text out, long and short text in."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dfrnet.exchange.files import decoded, naming, read_bytes, save
from dfrnet.exchange.recording import as_json, header
from dfrnet.exchange.tier_reading import recording_of
from dfrnet.exchange.tiers import APEX, Mark, Tier, tiers_of
from dfrnet.exchange.wording import UNFIT, number
from dfrnet.types import Recording, UserError

TICKS = 1_000_000
RECORDING = "recording"
"""The tier with one interval that says what the file is about."""


def write(recording: Recording, path: Path) -> None:
    """Interval tiers ME_candidate, AU, emotion, quality and recording, and the point tier apex; microseconds."""
    tiers = tiers_of(recording, TICKS, TICKS // 1000)
    last = max([recording.duration, 0.001, *(mark.end for tier in tiers for mark in tier.marks)])
    words = UNFIT.sub(lambda match: f"\\u{ord(match[0]):04x}", as_json(header(recording)))
    tiers.append(Tier(RECORDING, (Mark(0.0, last, words),)))
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {number(last, 6)}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for at, tier in enumerate(tiers, start=1):
        points = re.match(rf"{APEX}\b", tier.name) is not None
        rows = _points(tier) if points else _intervals(tier, last)
        kind, what = ("TextTier", "points") if points else ("IntervalTier", "intervals")
        lines += [f"    item [{at}]:", f'        class = "{kind}"', f"        name = {_quoted(tier.name)}"]
        lines += ["        xmin = 0", f"        xmax = {number(last, 6)}", f"        {what}: size = {len(rows)}"]
        for position, fields in enumerate(rows, start=1):
            lines += [f"        {what} [{position}]:", *(f"            {field}" for field in fields)]
    save(path, "\n".join(lines) + "\n")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _points(tier: Tier) -> list[list[str]]:
    return [[f"number = {number(mark.start, 6)}", f"mark = {_quoted(mark.text)}"] for mark in tier.marks]


def _intervals(tier: Tier, last: float) -> list[list[str]]:
    """All of 0..last: the annotations and empty intervals between them."""
    rows, at = [], 0.0
    for mark in tier.marks:
        if mark.start > at:
            rows.append((at, mark.start, ""))
        rows.append((mark.start, mark.end, mark.text))
        at = mark.end
    if at < last:
        rows.append((at, last, ""))
    return [
        [f"xmin = {number(start, 6)}", f"xmax = {number(end, 6)}", f"text = {_quoted(text)}"]
        for start, end, text in rows
    ]


class _Token(NamedTuple):
    value: str | float
    line: int


# Texts, flags and numbers that stand free; all else is there for human eyes, says the manual.
TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)(<\w+>)|(?<!\S)([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?!\S)|![^\n]*')


class _Tokens:
    """The meaning-bearing parts of a text file of Praat, one after the other."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.line = path, 1
        self._found = self._scan(text)

    def _scan(self, text: str) -> Iterator[_Token]:
        line, at = 1, 0
        for match in TOKEN.finditer(text):
            line, at = line + text.count("\n", at, match.start()), match.start()
            if match[1] is not None:
                yield _Token(match[1].replace('""', '"'), line)
            elif match[3] is not None:
                yield _Token(float(match[3]), line)
            elif match[2] is not None:
                yield _Token(match[2], line)

    def _next(self, kind: type, what: str) -> Any:
        token = next(self._found, None)
        if token is None:
            raise UserError(f"{self.path}, row {self.line}: cut off, {what} is missing; restore the file")
        self.line = token.line
        if not isinstance(token.value, kind):
            raise UserError(f"{self.path}, row {self.line}: {what} expected, not {token.value!r}; restore the file")
        return token.value

    def text(self, what: str) -> str:
        return str(self._next(str, what))

    def time(self, what: str) -> float:
        value = float(self._next(float, what))
        if not 0 <= value < math.inf:
            raise UserError(f"{self.path}, row {self.line}: {what} {value:g} is no time from 0 on; mend it")
        return value

    def count(self, what: str) -> int:
        value = float(self._next(float, what))
        if value != int(value) or value < 0:
            raise UserError(f"{self.path}, row {self.line}: {what} {value:g} is no count; restore the file")
        return int(value)


def read(path: Path, fps: float | None = None) -> Recording:
    """A file of ours or of a coder; how tiers are understood says :func:`dfrnet.exchange.tier_reading.recording_of`."""
    data = read_bytes(path)
    if data.startswith(b"ooBinaryFile"):
        raise UserError(f"{path}: a binary TextGrid; save it in Praat with Save as text file")
    tokens = _Tokens(path, decoded(data))
    if tokens.text("the file type") != "ooTextFile" or tokens.text("the object class") != "TextGrid":
        raise UserError(f"{path}: not a TextGrid in Praat's text format; save it with Save as text file")
    tokens.time("xmin")
    end = tokens.time("xmax")
    if tokens.text("<exists>") != "<exists>":
        return recording_of([], path, {"duration": end, "fps": fps or 0.0})
    tiers = [_tier(tokens) for _ in range(tokens.count("the number of tiers"))]
    known: dict[str, Any] = {"duration": end} | ({"fps": fps} if fps else {})
    for tier in tiers:
        if tier.name == RECORDING and len(tier.marks) == 1 and tier.marks[0].text.startswith("{"):
            with naming(path, tier.marks[0].where, "empty the tier"):
                known = _header(tier.marks[0].text)
            tiers = [one for one in tiers if one is not tier]
            break
    return recording_of(tiers, path, known)


def _header(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found


def _tier(tokens: _Tokens) -> Tier:
    kind, name = tokens.text("the class of a tier"), tokens.text("the name of a tier")
    if kind not in {"IntervalTier", "TextTier"}:
        raise UserError(f"{tokens.path}, row {tokens.line}: {kind!r} is no kind of tier; restore the file")
    tokens.time("xmin")
    tokens.time("xmax")
    marks = []
    for _ in range(tokens.count("the number of annotations")):
        start = tokens.time("a time")
        where = f"row {tokens.line}"
        end = start if kind == "TextTier" else tokens.time("a time")
        text = tokens.text("a text")
        if end < start:
            raise UserError(f"{tokens.path}, {where}: it ends before it starts; mend it")
        if text.strip() or kind == "TextTier":
            marks.append(Mark(start, end, text, where))
    return Tier(name, tuple(marks))
