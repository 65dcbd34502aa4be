"""Recordings -> a folder of results each: analysed, written in every wanted form, one failed file never the rest."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from dfrnet import __version__, recognizer
from dfrnet.evaluation.records import read_json, write_bytes, write_json, write_text
from dfrnet.exchange.formats import FORMATS, file_name
from dfrnet.frames import IMAGE_SUFFIXES, file_stamp, natural_key
from dfrnet.parallel import in_parallel
from dfrnet.types import Recording, UserError, unknown_name
from dfrnet.video.analyze import analyze
from dfrnet.video.timeline import timeline

VIDEO_SUFFIXES = frozenset(
    (
        ".mp4",
        ".mov",
        ".m4v",
        ".avi",
        ".mkv",
        ".webm",
        ".mpg",
        ".mpeg",
        ".mts",
        ".m2ts",
        ".ts",
        ".wmv",
        ".flv",
        ".3gp",
        ".ogv",
        ".mxf",
    )
)
ALWAYS = ("csv", "json")
OVERLAYS = ("none", "plain", "blurred")
DONE = "done.json"  # written last: a folder with it is whole
COLUMNS = ("source", "folder", "seconds", "fps", "assessable", "faces", "micro", "macro", "note")


@dataclass(frozen=True)
class Wanted:
    """What ``analyze`` is asked for: the same for every recording of one command.

    ``model``: a shipped model's name or a file, "" for movements only. ``face``: largest, all or a track's number.
    ``fps`` for folders of pictures. ``start`` and ``end``: seconds. ``formats``: in FORMATS, besides CSV and JSON.
    ``overlay`` in OVERLAYS. ``purpose``: what the analysis is for, kept in every record.
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


@dataclass(frozen=True)
class Summary:
    """One recording's line: where its results lie, and what is in them; ``failed`` says why there are none."""

    source: str
    folder: str
    seconds: float = 0.0
    fps: float = 0.0
    assessable: float = 0.0
    faces: int = 0
    micro: int = 0
    macro: int = 0
    notes: tuple[str, ...] = ()
    failed: str = ""


def find_recordings(paths: Sequence[Path]) -> list[Path]:
    """Files as they are; of a folder its video files, or the folder itself where it holds pictures and no video."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted((p for p in path.iterdir() if p.is_file()), key=natural_key)
        videos = [p for p in inside if p.suffix.lower() in VIDEO_SUFFIXES]
        if not videos and not any(p.suffix.lower() in IMAGE_SUFFIXES for p in inside):
            raise UserError(f"{path}: neither videos nor pictures in it (its sub-folders are not searched)")
        found += videos or [path]
    return list(dict.fromkeys(found))


def folder_names(paths: Sequence[Path]) -> list[str]:
    """A name for each recording's folder: its stem, with suffix and parents where others have the same."""
    ways: list[Callable[[Path], str]] = [
        lambda p: p.stem,
        lambda p: p.name,
        lambda p: f"{p.absolute().parent.name}-{p.name}",
    ]
    names = [""] * len(paths)
    for way in ways:
        count = Counter(way(path).lower() for path in paths)
        names = [name or (way(p) if count[way(p).lower()] == 1 else "") for name, p in zip(names, paths, strict=True)]
    digests = (hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:8] for path in paths)
    return [name or f"{path.stem}-{digest}" for name, path, digest in zip(names, paths, digests, strict=True)]


def analyze_all(
    paths: Sequence[Path],
    out: Path,
    wanted: Wanted,
    *,
    jobs: int = 1,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Summary]:
    """Analyse every recording into ``out/NAME``; then ``out/summary.csv``, and a line each in ``out/audit.jsonl``.

    A recording that cannot be read is a Summary with ``failed``, and the rest goes on. ``resume`` leaves those alone
    that are done already with the same file and the same wishes. UserError, before anything is read, for a model that
    does not load and for results that are there already and would be replaced.
    """
    if wanted.model:
        recognizer.load(wanted.model)  # now, not after the first hour
    tasks = list(zip(paths, (out / name for name in folder_names(paths)), strict=True))
    done = [_done(path, folder, wanted) for path, folder in tasks]
    todo = [task for task, summary in zip(tasks, done, strict=True) if not (resume and summary)]
    for _, folder in todo:
        if folder.exists():
            raise UserError(f"{folder}: results are there already; choose another --out, remove it, or say --resume")
    out.mkdir(parents=True, exist_ok=True)
    fresh: dict[Path, Summary] = {}
    for summary in in_parallel(partial(_one, wanted=wanted), todo, jobs=jobs, ordered=False):
        fresh[Path(summary.folder)] = summary
        _log(out / "audit.jsonl", summary, wanted)
        if progress:
            progress(len(tasks) - len(todo) + len(fresh), len(tasks))
    summaries = [fresh.get(folder) or before for (_, folder), before in zip(tasks, done, strict=True)]
    found = [summary for summary in summaries if summary is not None]
    write_text(out / "summary.csv", _table(found))
    return found


def _one(task: tuple[Path, Path], wanted: Wanted) -> Summary:
    path, folder = task
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".part", dir=folder.parent))
    try:
        model = recognizer.load(wanted.model) if wanted.model else None
        stamp = _stamp(path)
        found = analyze(path, model, fps=wanted.fps, face=wanted.face, start=wanted.start, end=wanted.end)
        found = replace(found, record={**found.record, "purpose": wanted.purpose or None})
        _write(found, path, draft, wanted)
        count = Counter(event.kind for event in found.events)
        summary = Summary(
            str(path), str(folder), round(found.duration, 3), round(found.fps, 2), round(found.assessable, 4),
            len(found.tracks), count["micro"], count["macro"], tuple(found.record.get("notes", ())),
        )  # fmt: skip
        write_json(draft / DONE, {"stamp": stamp, "wanted": _plain(wanted), "summary": asdict(summary)})
        draft.chmod(0o755)  # mkdtemp keeps others out
        draft.rename(folder)
        return summary
    except UserError as error:
        return Summary(str(path), str(folder), failed=str(error))
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(found: Recording, path: Path, folder: Path, wanted: Wanted) -> None:
    for name in dict.fromkeys((*ALWAYS, *wanted.formats)):
        FORMATS[name].write(found, folder / (f"events.{name}" if name in ALWAYS else file_name(path.name, name)))
    if find_spec("matplotlib"):
        write_bytes(folder / "timeline.png", timeline(found))
    if wanted.overlay != "none":
        from dfrnet.video.overlay import overlay

        overlay(path, found, folder / "overlay.mp4", fps=wanted.fps, blur=wanted.overlay == "blurred")


def _stamp(path: Path) -> str:
    if not path.is_dir():
        return file_stamp(path)
    return "\n".join(file_stamp(p) for p in sorted(path.iterdir()))


def _plain(wanted: Wanted) -> dict[str, object]:
    return {**asdict(wanted), "formats": list(wanted.formats), "dfrnet": __version__}


def _done(path: Path, folder: Path, wanted: Wanted) -> Summary | None:
    """The summary of results that are whole and were made of this very file with the same wishes."""
    if not (folder / DONE).exists():
        return None
    record = read_json(folder / DONE)
    if record.get("wanted") != _plain(wanted) or record.get("stamp") != _stamp(path):
        raise UserError(f"{folder}: holds results of another file or of other options; choose another --out")
    return Summary(**{**record["summary"], "notes": tuple(record["summary"]["notes"])})


def _table(summaries: Sequence[Summary]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in summaries:
        counts = [one.seconds, one.fps, one.assessable, one.faces, one.micro, one.macro]
        note = one.failed or "; ".join(one.notes)
        writer.writerow([one.source, Path(one.folder).name, *([""] * 6 if one.failed else counts), note])
    return text.getvalue()


def _log(path: Path, summary: Summary, wanted: Wanted) -> None:
    """Who may ask later what was analysed, when, with what and what for: no picture, no name of a person."""
    line = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"), "dfrnet": __version__, "source": summary.source,
        "seconds": summary.seconds, "model": wanted.model or None, "purpose": wanted.purpose or None,
        "micro": summary.micro, "macro": summary.macro, "assessable": summary.assessable,
        "failed": summary.failed or None,
    }  # fmt: skip
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
