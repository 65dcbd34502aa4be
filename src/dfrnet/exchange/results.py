"""Recordings -> a folder of results each: analysed, written in every wanted form, one failed file never the rest."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from traceback import extract_tb
from typing import Any

from dfrnet import __version__, recognizer
from dfrnet.evaluation.records import read_json, write_bytes, write_json
from dfrnet.exchange.drafts import draft, remove_stale
from dfrnet.exchange.files import save
from dfrnet.exchange.formats import FORMATS, file_name
from dfrnet.exchange.inputs import check_kind, find_recordings, folder_names
from dfrnet.frames import file_stamp
from dfrnet.parallel import every_one
from dfrnet.types import Recording, UserError, unknown_name
from dfrnet.video.analyze import analyze
from dfrnet.video.timeline import timeline
from dfrnet.video.track import FaceChoice

__all__ = ["Summary", "Wanted", "analyze_all", "find_recordings", "folder_names"]

ALWAYS = ("csv", "json")
OVERLAYS = ("none", "plain", "blurred")
DONE = "done.json"  # written last: a folder with it is whole
MOST_FPS = 10_000

Show = Callable[[int, int], None]
"""Shows how many of how many are done."""
COLUMNS = ("source", "folder", "seconds", "fps", "assessable", "faces", "micro", "macro", "in_doubt", "note")

OPTIONS = {
    "model": "--model", "face": "--face", "fps": "--fps", "start": "--start", "end": "--end", "formats": "--to",
    "overlay": "--overlay", "purpose": "--purpose", "dfrnet": "the version of dfrnet",
}  # fmt: skip
"""What results depend on beside the recording and the model's file, and what a user calls it."""


@dataclass(frozen=True)
class Wanted:
    """What ``analyze`` is asked for: the same for every recording of one command.

    ``model``: a shipped model's name or a file, "" for movements only. ``face``: largest, all or a track's number.
    ``fps`` for folders of pictures. ``start`` and ``end``: seconds. ``formats``: in FORMATS; CSV and JSON are always.
    ``overlay`` in OVERLAYS. ``purpose``: what the analysis is for, kept in every record. UserError for what cannot be.
    """

    model: str = ""
    face: str = "largest"
    fps: float | None = None
    start: float = 0.0
    end: float | None = None
    formats: tuple[str, ...] = ()
    overlay: str = "none"
    purpose: str = ""

    def __post_init__(self) -> None:
        for name in self.formats:
            if name not in FORMATS:
                raise unknown_name("format", name, FORMATS)
        if self.overlay not in OVERLAYS:
            raise unknown_name("overlay", self.overlay, OVERLAYS)
        FaceChoice(self.face)
        if self.fps is not None and not 0 < self.fps <= MOST_FPS:
            raise UserError(f"--fps {self.fps}: a number above 0 and at most {MOST_FPS}")
        if not 0 <= self.start < math.inf:
            raise UserError(f"--start {self.start}: seconds from the first frame on")
        if self.end is not None and not self.end > self.start:
            raise UserError(f"--start {self.start} --end {self.end}: the end must come after the start")


@dataclass(frozen=True)
class Summary:
    """One recording's line: where its results lie, and what is in them; ``failed`` says why there are none.

    ``seconds``: of the part that was looked at. ``micro_in_doubt`` and ``macro_in_doubt``: how many of the ``micro``
    and ``macro`` events have a ``quality`` that lowers the trust in them.
    """

    source: str
    folder: str
    seconds: float = 0.0
    fps: float = 0.0
    assessable: float = 0.0
    faces: int = 0
    micro: int = 0
    macro: int = 0
    micro_in_doubt: int = 0
    macro_in_doubt: int = 0
    notes: tuple[str, ...] = ()
    failed: str = ""

    @property
    def found(self) -> str:
        """The candidates in words: 2 micro (1 in doubt) and 0 macro candidates."""
        kinds = (("micro", self.micro, self.micro_in_doubt), ("macro", self.macro, self.macro_in_doubt))
        return " and ".join(f"{n} {kind}" + (f" ({k} in doubt)" if k else "") for kind, n, k in kinds) + " candidates"


def analyze_all(
    paths: Sequence[Path],
    out: Path,
    wanted: Wanted,
    *,
    jobs: int = 1,
    resume: bool = False,
    progress: Show | None = None,
    looking: Show | None = None,
    drawing: Show | None = None,
) -> list[Summary]:
    """Analyse every recording into ``out/NAME``; then ``out/summary.csv``, and a line each in ``out/audit.jsonl``.

    A recording that cannot be read, or at which its process dies, is a Summary with ``failed``, and the rest goes on;
    with one job, in this process, a death ends all. ``resume`` leaves those alone that are done already with the same
    file, model and wishes. ``progress(done, all)`` counts recordings; ``looking`` and ``drawing`` count the seconds of
    the one at work and of its overlay, with one job only. UserError, before anything is read, for a package that is not
    there, a model that does not load, and results that are there already and would be replaced.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: a file; the results are a folder, name another one with --out")
    _check_packages(paths, wanted)
    loaded = recognizer.load(wanted.model) if wanted.model else None  # now, not after the first hour
    wishes = _plain(wanted, loaded)
    tasks = list(zip(paths, (out / name for name in folder_names(paths)), strict=True))
    done = [_done(path, folder, wishes, resume) for path, folder in tasks]
    todo = [task for task, summary in zip(tasks, done, strict=True) if not summary]
    out.mkdir(parents=True, exist_ok=True)
    remove_stale(out)
    alone = jobs == 1  # else it is another process, which cannot call back
    work = partial(_one, wanted=wanted, looking=looking if alone else None, drawing=drawing if alone else None)
    fresh: dict[Path, Summary] = {}
    try:
        for summary in every_one(work, todo, jobs=jobs, died=_died):
            fresh[Path(summary.folder)] = summary
            _log(out / "audit.jsonl", summary, wanted)
            if progress:
                progress(len(tasks) - len(todo) + len(fresh), len(tasks))
    finally:
        remove_stale(out)  # of processes that died, or were ended with this one
    summaries = [fresh.get(folder) or before for (_, folder), before in zip(tasks, done, strict=True)]
    found = [summary for summary in summaries if summary is not None]
    save(out / "summary.csv", _table(found))
    return found


def _check_packages(paths: Sequence[Path], wanted: Wanted) -> None:
    """UserError for a package without which the work would fail at its end."""
    needed = [(f"--to {name}", *needs) for name in wanted.formats if (needs := FORMATS[name].needs)]
    if wanted.overlay != "none":
        needed.append(("--overlay", "av", "video"))
    if any(path.is_file() for path in paths):
        needed.append(("to read a video file", "av", "video"))
    for what, package, extra in needed:
        if find_spec(package) is None:
            raise UserError(f"{what}: this needs {package}; install it with: pip install 'dfrnet[{extra}]'")


def _one(task: tuple[Path, Path], wanted: Wanted, looking: Show | None, drawing: Show | None) -> Summary:
    path, folder = task
    try:
        return _analyzed(path, folder, wanted, looking, drawing)
    except UserError as error:
        failed = str(error)
    except OSError as error:
        failed = f"{path}: {error.filename or folder}: {error.strerror}; see that there is room and that it may be used"
    except Exception as error:  # no fault of one recording may cost the others
        at = extract_tb(error.__traceback__)[-1]
        message = " ".join(str(error).split())
        failed = (
            f"{path}: could not be analysed ({type(error).__name__}: {message}); please report this, with "
            f"{Path(at.filename).name}, line {at.lineno}, and dfrnet {__version__}"
        )
    return Summary(str(path), str(folder), failed=failed)


def _died(task: tuple[Path, Path]) -> Summary:
    path, folder = task
    failed = f"{path}: the process that analysed it died, perhaps for want of memory; try a part of it, or convert it"
    return Summary(str(path), str(folder), failed=failed)


def _analyzed(
    path: Path,
    folder: Path,
    wanted: Wanted,
    looking: Show | None,
    drawing: Show | None,
) -> Summary:
    check_kind(path)
    model = recognizer.load(wanted.model) if wanted.model else None
    wishes, stamp = _plain(wanted, model), _stamp(path)
    if done := _done(path, folder, wishes, resume=True):  # by a process that died before it could say so
        return done
    with draft(folder) as drafted:
        found = analyze(
            path, model, fps=wanted.fps, face=wanted.face, start=wanted.start, end=wanted.end,
            progress=_seconds(looking, wanted),
        )  # fmt: skip
        found = replace(found, record=_record(found, path, wanted))
        _write(found, path, drafted, wanted, _seconds(drawing, wanted))
        summary = _summary(path, folder, found)
        write_json(drafted / DONE, {"stamp": stamp, "wanted": wishes, "summary": asdict(summary)})
    return summary


def _summary(path: Path, folder: Path, found: Recording) -> Summary:
    count = Counter(event.kind for event in found.events)
    doubt = Counter(event.kind for event in found.events if event.quality)
    return Summary(
        str(path), str(folder), round(found.duration - found.start, 3), round(found.fps, 2),
        round(found.assessable, 4), len(found.tracks), count["micro"], count["macro"], doubt["micro"], doubt["macro"],
        tuple(found.record["notes"]),
    )  # fmt: skip


def _record(found: Recording, path: Path, wanted: Wanted) -> dict[str, Any]:
    notes = list(found.record.get("notes", ()))
    if wanted.fps is not None and not path.is_dir():
        notes.append(own_stamps(wanted.fps))
    if find_spec("matplotlib") is None:
        notes.append("timeline.png is left out: it needs matplotlib, pip install 'dfrnet[report]'")
    return {**found.record, "notes": notes, "purpose": wanted.purpose or None}


def own_stamps(fps: float) -> str:
    """The note where ``--fps`` was said of a video file."""
    return f"--fps {fps:g}: the time stamps of the video file count, and --fps only where they are missing"


def _seconds(show: Show | None, wanted: Wanted) -> Callable[[float, float | None], None] | None:
    """Shows how much is done of what is wanted; a file that does not say how long it is has just so much."""
    if show is None:
        return None

    def told(time: float, length: float | None) -> None:
        end = min(length or time, wanted.end or math.inf)
        show(int(time - wanted.start), math.ceil(max(end, time) - wanted.start))

    return told


def _write(
    found: Recording,
    path: Path,
    folder: Path,
    wanted: Wanted,
    progress: Callable[[float, float | None], None] | None = None,
) -> None:
    for name in dict.fromkeys((*ALWAYS, *wanted.formats)):
        FORMATS[name].write(found, folder / (f"events.{name}" if name in ALWAYS else file_name(path.name, name)))
    if find_spec("matplotlib"):
        write_bytes(folder / "timeline.png", timeline(found))
    if wanted.overlay != "none":
        from dfrnet.video.overlay import overlay

        overlay(
            path, found, folder / "overlay.mp4", fps=wanted.fps, start=wanted.start, end=wanted.end,
            blur=wanted.overlay == "blurred", progress=progress,
        )  # fmt: skip


def _stamp(path: Path) -> str:
    if not path.is_dir():
        return file_stamp(path)
    return "\n".join(file_stamp(p) for p in sorted(path.iterdir()))


def _plain(wanted: Wanted, model: recognizer.Recognizer | None) -> dict[str, object]:
    """All that results depend on beside the recording, as JSON holds it."""
    digest = model.sha256 if model else None
    formats = sorted(set(wanted.formats) - set(ALWAYS))  # in whatever order they were named
    return {**asdict(wanted), "formats": formats, "dfrnet": __version__, "model_sha256": digest}


def _done(path: Path, folder: Path, wishes: dict[str, object], resume: bool) -> Summary | None:
    """The summary of results that are whole and may stay; None where there are none, UserError for all others."""
    if not folder.exists():
        return None
    if not (folder / DONE).exists():
        raise UserError(
            f"{folder}: is there already, and holds no finished results; choose another --out, or remove it"
        )
    record = read_json(folder / DONE)
    if others := _others(record.get("wanted", {}), wishes, same=record.get("stamp") == _stamp(path)):
        raise UserError(
            f"{folder}: results are there already, made otherwise ({'; '.join(others)}); choose another --out, or "
            "remove it"
        )
    if not resume:
        raise UserError(f"{folder}: results are there already; choose another --out, remove it, or say --resume")
    return Summary(**{**record["summary"], "notes": tuple(record["summary"]["notes"])})


def _others(before: dict[str, object], wishes: dict[str, object], same: bool) -> list[str]:
    """What results that are there were made with, and what is wanted now, where these differ; in words."""
    others = [
        f"{called}: {_said(name, before.get(name))}, now {_said(name, wishes[name])}"
        for name, called in OPTIONS.items()
        if before.get(name) != wishes[name]
    ]
    if before.get("model") == wishes["model"] and before.get("model_sha256") != wishes["model_sha256"]:
        others.append("the model's file has changed since")
    if not same:
        others.append("the recording is another one, or has changed since")
    return others


def _said(name: str, value: object) -> str:
    if name == "model" and not value:
        return "none (--movement-only)"
    if isinstance(value, list):
        value = ",".join(map(str, value))
    return "not given" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)


def _table(summaries: Sequence[Summary]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in summaries:
        doubt = one.micro_in_doubt + one.macro_in_doubt
        found = [Path(one.folder).name, one.seconds, one.fps, one.assessable, one.faces, one.micro, one.macro, doubt]
        note = one.failed or "; ".join(one.notes)
        writer.writerow([one.source, *([""] * len(found) if one.failed else found), note])
    return text.getvalue()


def _log(path: Path, summary: Summary, wanted: Wanted) -> None:
    """Who may ask later what was analysed, when, with what and what for: no picture, no name of a person."""
    line = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"), "dfrnet": __version__, "source": summary.source,
        "seconds": summary.seconds, "model": wanted.model or None, "purpose": wanted.purpose or None,
        "micro": summary.micro, "macro": summary.macro,
        "in_doubt": summary.micro_in_doubt + summary.macro_in_doubt, "assessable": summary.assessable,
        "failed": summary.failed or None,
    }  # fmt: skip
    with path.open("a", encoding="utf-8", errors="replace") as file:  # names of files need not be text
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
