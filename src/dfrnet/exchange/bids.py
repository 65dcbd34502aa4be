r"""BIDS events: ``NAME_events.tsv`` and its sidecar ``NAME_events.json`` (Brain Imaging Data Structure 1.10).

The columns onset and duration come first, in seconds; n/a stands for nothing. A tab, a line end or a backslash within
a text is written ``\t``, ``\n``, ``\r``, ``\\``, which the sidecar says too; ``\e`` is nothing and stands before a text
that would be taken for none. Intervals that are not assessable are rows of trial_type ``not_assessable``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfrnet.exchange.events_csv import whole
from dfrnet.exchange.files import naming, read_text, save
from dfrnet.exchange.recording import as_json, header, with_header
from dfrnet.exchange.rows import NOTHING, cells_of, chance_columns, classes_of, columns_of, event_of, time_of
from dfrnet.exchange.wording import number
from dfrnet.types import Event, Interval, Recording, UserError

ENDING = "_events.tsv"
BLOCKED = "not_assessable"
BEFORE = ("onset", "duration", "trial_type", "apex", "label")
AFTER = ("score", "regions", "action_units", "quality", "track", "note")
COLUMNS: dict[str, dict[str, Any]] = {
    "onset": {"Description": "Start of the event, from the first frame of the recording.", "Units": "s"},
    "duration": {"Description": "Length of the event.", "Units": "s"},
    "trial_type": {
        "LongName": "Kind of event",
        "Description": "What was spotted by dfrnet or named by a coder. A candidate is for a person to confirm.",
        "Levels": {
            "micro": "Movement of the face of at most half a second.",
            "macro": "Longer movement of the face.",
            BLOCKED: "Nothing could be assessed; note says why.",
        },
    },
    "apex": {"Description": "Strongest moment of the movement, from the first frame.", "Units": "s"},
    "label": {"LongName": "Class", "Description": "Class that the recogniser gives; n/a where it abstains."},
    "score": {"Description": "How far the movement stands out from the face's own baseline, 0 to 1."},
    "regions": {"Description": "Regions of the face, strongest first, joined by +."},
    "action_units": {"Description": "Action units of FACS with side and intensity where known, joined by +."},
    "quality": {"Description": "What lowers the trust in the event, joined by +."},
    "track": {"Description": "Number of the face in the recording."},
    "note": {"Description": r"Free text; tab, line ends and backslash are written \t, \n, \r and \\."},
}


def write(recording: Recording, path: Path) -> None:
    """The table, and the sidecar beside it with the suffix .json; seconds to the microsecond.

    UserError for a name that does not end as BIDS has it: the sidecar might replace somebody else's file.
    """
    check_name(path)
    classes = classes_of(recording.events)
    rows = [(event.start, _event(event, classes)) for event in recording.events]
    rows += [(one.start, _blocked(one, classes)) for one in recording.intervals]
    rows.sort(key=lambda row: row[0])  # the specification wishes for order
    lines = [[*BEFORE, *(f"p_{_escaped(name)}" for name in classes), *AFTER], *(row for _, row in rows)]
    sidecar = dict(COLUMNS) | {
        f"p_{name}": {"Description": f"Calibrated probability of the class {name}, 0 to 1."} for name in classes
    }
    save(sidecar_of(path), as_json({**sidecar, "dfrnet": header(recording)}, indent=1) + "\n")
    save(path, "".join("\t".join(line) + "\n" for line in lines))


def check_name(path: Path) -> None:
    """UserError unless the name ends in ``_events.tsv``."""
    if not path.name.endswith(ENDING):
        raise UserError(f"{path}: BIDS wants a name that ends in {ENDING}, such as {path.stem}{ENDING}")


def sidecar_of(path: Path) -> Path:
    """``NAME_events.json`` of ``NAME_events.tsv``."""
    return path.with_suffix(".json")


def bids_stem(stem: str) -> str:
    """``sub-01_task-talk_video`` -> ``sub-01_task-talk``: events share the entities of the file that they are about."""
    return re.sub(r"_(video|audiovideo|audio|beh)$", "", stem) if stem.startswith("sub-") else stem


def _event(event: Event, classes: list[str]) -> list[str]:
    cells = cells_of(event)
    start, apex, end = (round(value, 6) for value in (event.start, event.apex, event.end))
    chances = [f"{event.probabilities[name]:.4f}" if name in event.probabilities else "" for name in classes]
    first = [number(start, 6), number(end - start, 6), cells["kind"], number(apex, 6), cells["label"]]
    return [_escaped(cell) for cell in (*first, *chances, *(cells[name] for name in AFTER))]


def _blocked(one: Interval, classes: list[str]) -> list[str]:
    start, end = round(one.start, 6), round(one.end, 6)
    first = [number(start, 6), number(end - start, 6), BLOCKED, "", "", *("" for _ in classes), "", "", "", ""]
    track = "" if one.track is None else str(one.track)
    return [_escaped(cell) for cell in (*first, track, one.reason)]


def _escaped(text: str) -> str:
    if not text:
        return "n/a"
    text = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return "\\e" + text if text.lower() in NOTHING or text != text.strip() else text


def _unescaped(cell: str) -> str:
    return re.sub(r"\\(.)", lambda m: {"t": "\t", "n": "\n", "r": "\r", "e": ""}.get(m[1], m[1]), cell)


def read(path: Path, fps: float | None = None) -> Recording:
    """An events table of ours or of anybody; the sidecar is read where it is there and ours."""
    text = read_text(path)
    lines = text.replace("\r\n", "\n").split("\n")
    head = [_unescaped(cell) for cell in lines[0].split("\t")]
    if head[:2] != ["onset", "duration"]:
        raise UserError(f"{path}: its first columns must be onset and duration, as BIDS has them; or use --from csv")
    if tuple(head[: len(BEFORE)]) == BEFORE or len(lines) == 1:
        whole(path, text, len(lines))
    columns, chances = columns_of(head), chance_columns(head)
    events: list[Event] = []
    intervals: list[Interval] = []
    for at, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        raw = line.split("\t")
        with naming(path, f"row {at}"):
            if len(raw) != len(head):
                raise ValueError(f"{len(raw)} cells where the header has {len(head)}")
            start = time_of(raw[0], "s", None)
            if start is None:
                raise ValueError("it has no onset")
            # Six decimals as written: the sum of two of them is again such a number.
            end = round(start + (time_of(raw[1], "s", None) or 0.0), 6)
            cells = {name: "" if raw[c.at] in NOTHING else _unescaped(raw[c.at]) for name, c in columns.items()}
            if cells.get("kind") == BLOCKED:
                track = cells.get("track", "")
                intervals.append(Interval(start, end, cells.get("note", ""), int(track) if track else None))
                continue
            apex = time_of(raw[columns["apex"].at], "s", None) if "apex" in columns else None
            said = {name: raw[position] for name, position in chances.items()}
            events.append(event_of(cells, {"start": start, "apex": apex, "end": end}, said))
    with naming(sidecar_of(path), remedy="restore it"):
        known = _sidecar(sidecar_of(path))
        if fps and not known.get("fps"):
            known["fps"] = fps
        return with_header(known, tuple(events), tuple(intervals), path.stem.removesuffix("_events"))


def _sidecar(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    found = json.loads(read_text(path))
    if not isinstance(found, Mapping):
        raise ValueError("it is no object")
    ours = found.get("dfrnet", {})
    if not isinstance(ours, Mapping):
        raise ValueError("its dfrnet is no object")
    return dict(ours)
