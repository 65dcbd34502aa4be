"""The formats by name, and a reader and a writer that find out which one is meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfrnet.exchange import bids, boris, datavyu, elan, events_csv, events_json, textgrid
from dfrnet.exchange.files import decoded, fitting, read_bytes
from dfrnet.types import Event, Interval, Recording, UserError, unknown_name


@dataclass(frozen=True)
class Format:
    """``suffix`` ends the file's name; ``write(recording, path)``; ``read(path, fps)``.

    ``losses``: what may not come back as it was, each in LOSSES. Everything else does. ``beside``: the second file that
    a write makes. ``needs``: a package without which nothing can be written, and the extra that brings it.
    """

    suffix: str
    write: Callable[[Recording, Path], None]
    read: Callable[[Path, float | None], Recording]
    losses: tuple[str, ...] = ()
    beside: Callable[[Path], Path] | None = None
    needs: tuple[str, str] | None = None


MICROSECONDS = "times are rounded to a microsecond"
MILLISECONDS = "times are rounded to a millisecond"
DECIMALS = "score and probabilities have four decimals"
SHORTEST = "an event or interval shorter than a millisecond is a millisecond long"
ORDER = "events and intervals come back in order of time"
RETURNS = "a carriage return becomes a line end"
CURVE = "no curve: events.json has it"
BLOCKED = "no intervals that are not assessable: events.json has them"
ABOUT = "no source, duration, fps, tracks and record: events.json has them"

LOSSES: dict[str, Callable[[Recording], bool]] = {
    MICROSECONDS: lambda one: any(round(time, 6) != time for time in _times(one)),
    MILLISECONDS: lambda one: any(round(time, 3) != time for time in _times(one)),
    DECIMALS: lambda one: any(round(share, 4) != share for share in _shares(one)),
    SHORTEST: lambda one: any(end - start < 0.001 for start, end in (*_spans(one.events), *_spans(one.intervals))),
    ORDER: lambda one: any(side != sorted(side) for side in (_spans(one.events), _spans(one.intervals))),
    RETURNS: lambda one: any("\r" in f"{event.note}{event.label}" for event in one.events),
    CURVE: lambda one: bool(one.curve),
    BLOCKED: lambda one: bool(one.intervals),
    # Where a file names no source, its own name stands for it: no loss.
    ABOUT: lambda one: any((one.duration, one.fps, one.start, one.tracks, one.spans, one.record)),
}
"""What a format may lose -> whether a recording has any of it."""


def losses_of(recording: Recording, name: str) -> list[str]:
    """What of this recording does not come back from a file in that format as it was."""
    return [loss for loss in format_of(name).losses if LOSSES[loss](recording)]


def _times(recording: Recording) -> list[float]:
    ends = [time for span in (*_spans(recording.events), *_spans(recording.intervals)) for time in span]
    return ends + [event.apex for event in recording.events]


def _spans(parts: Sequence[Event] | Sequence[Interval]) -> list[tuple[float, float]]:
    return [(part.start, part.end) for part in parts]


def _shares(recording: Recording) -> Iterator[float]:
    for event in recording.events:
        yield from (event.score, *event.probabilities.values())


FORMATS: dict[str, Format] = {
    "csv": Format(
        ".csv", events_csv.write, events_csv.read,
        (MICROSECONDS, DECIMALS, BLOCKED, ABOUT, CURVE),
    ),
    "json": Format(".json", events_json.write, events_json.read),
    "elan": Format(
        ".eaf", elan.write, elan.read, (MILLISECONDS, DECIMALS, SHORTEST, ORDER, CURVE), needs=("pympi", "elan"),
    ),
    "boris": Format(".boris", boris.write, boris.read, (MILLISECONDS, DECIMALS, SHORTEST, ORDER, CURVE)),
    "datavyu": Format(
        ".opf", datavyu.write, datavyu.read, (MILLISECONDS, DECIMALS, ORDER, RETURNS, CURVE),
    ),
    "bids": Format(
        bids.ENDING, bids.write, bids.read, (MICROSECONDS, DECIMALS, ORDER, CURVE), beside=bids.sidecar_of,
    ),
    "textgrid": Format(".TextGrid", textgrid.write, textgrid.read, (MICROSECONDS, DECIMALS, SHORTEST, ORDER, CURVE)),
}  # fmt: skip


def format_of(name: str) -> Format:
    """The format of that name; UserError for another."""
    if name not in FORMATS:
        raise unknown_name("format", name, FORMATS)
    return FORMATS[name]


def file_name(source: str, name: str) -> str:
    """What a file about ``source`` is called: ``talk.mp4`` -> ``talk.eaf``, ``talk_events.tsv``; long names are cut."""
    stem = fitting(Path(source).stem or "recording")
    return (bids.bids_stem(stem) if name == "bids" else stem) + format_of(name).suffix


def meant_by(path: Path) -> str:
    """The name of the format that a file's ending stands for; UserError where it stands for none."""
    endings = {one.suffix.lower(): name for name, one in FORMATS.items()} | {".tsv": "bids"}
    for ending in sorted(endings, key=len, reverse=True):
        if path.name.lower().endswith(ending):
            return endings[ending]
    raise UserError(f"{path}: its ending names no format; add one of {', '.join(endings)} or give --to")


def check_target(source: Path, target: Path, name: str, replace: bool = False) -> None:
    """UserError where writing ``target`` in the format ``name`` would replace a file; ``source`` is never replaced."""
    if name == "bids":
        bids.check_name(target)
    written, read_from = _files(target, name), [source]
    if source.name.endswith(bids.ENDING):
        read_from.append(bids.sidecar_of(source))
    for path in written:
        if any(path.exists() and other.exists() and path.samefile(other) for other in read_from):
            raise UserError(f"{path}: the file that is read would be replaced; choose another name")
        if path.exists() and not replace:
            raise UserError(f"{path}: it is there already; choose another name, or say --force to replace it")


def _files(path: Path, name: str) -> list[Path]:
    beside = format_of(name).beside
    return [path, beside(path)] if beside else [path]


def write(recording: Recording, path: str | Path, format: str | None = None) -> None:  # noqa: A002
    """Write a recording whole or not at all; the format follows from the file's name where none is given."""
    path = Path(path)
    format_of(format or meant_by(path)).write(recording, path)


def read(path: str | Path, format: str | None = None, fps: float | None = None) -> Recording:  # noqa: A002
    """Events of a file of ours or of a coder, in any of FORMATS; the format is seen in the file where none is given.

    ``fps``: frames a second of sheets that count in frames. UserError, with file and row, for what cannot be read.
    """
    path = Path(path)
    if fps is not None and not 0 < fps < float("inf"):
        raise UserError(f"--fps {fps}: a number above 0")
    return format_of(format or guess(path)).read(path, fps)


def read_results(folder: Path) -> list[Recording]:
    """What ``analyze`` wrote: of every recording whose results lie in the folder; UserError where there are none."""
    files = [folder / "events.json", *sorted(folder.glob("[!.]*/events.json"))]  # a draft begins with a dot
    found = [events_json.read(path) for path in files if path.exists()]
    if not found:
        raise UserError(f"{folder}: no results in it (NAME/events.json); name the folder that analyze wrote with --out")
    return found


def guess(path: Path) -> str:
    """The name of the format that a file is in, seen in what it holds; UserError where that is none."""
    if path.is_dir():
        raise UserError(f"{path}: a folder; name a file in it, such as events.json")
    data = read_bytes(path)
    if data.startswith(b"PK"):
        return "datavyu"
    text = decoded(data[:1_000_000])
    head = text.lstrip()[:4000]
    if head.startswith("<"):
        return "elan"
    if head.startswith("File type") or "ooTextFile" in head[:200] or data.startswith(b"ooBinaryFile"):
        return "textgrid"
    if head.startswith("{"):
        return "boris" if '"behaviors_conf"' in text or '"observations"' in text else "json"
    if re.match(r"#\d\s*$|[^\n]*\((MATRIX|NOMINAL|TEXT)\b", head, re.MULTILINE):
        return "datavyu"
    first = head.partition("\n")[0].rstrip("\r").split("\t")
    if first[:2] == ["onset", "duration"]:
        return "bids"
    table = "Behavior" in head and re.search(r"\b(START|STOP|POINT|STATE|Start \(s\)|Behavior type|Status)\b", text)
    if table:
        return "boris"
    if "\0" in text or not head:
        raise UserError(f"{path}: {'empty' if not head else 'no file of events'}; known: {', '.join(FORMATS)}")
    return "csv"
