"""Spotting scored from files: CSV with the columns video, onset, offset, one row a movement.

Optional columns: ``apex``, ``label``, ``kind`` (micro, macro), ``score`` (of what was found), ``subject``, ``fps``. A
row whose onset and offset are both empty names a video and no movement. Lengths of videos stand in a third file. What
was found may also be recordings that ``dfrnet analyze`` looked at, which know their rate and length.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from dfrnet.evaluation.rows import alike, read_rows
from dfrnet.evaluation.spotting import Span, SpottingRow, Video, score_spotting
from dfrnet.evaluation.strs import COMPAT, Strs, score_strs
from dfrnet.types import Recording, UserError, unknown_name

REQUIRED = ("video", "onset", "offset")
OPTIONAL = ("apex", "label", "kind", "score", "subject", "fps")
LISTED = ("duration", "frames", "fps", "subject")
MOST_NAMED = 5
NEAR = 0.01
"""So far may the measured rate of a recording lie from the one that its annotation names, a share of it."""


@dataclass(frozen=True)
class SpottingScore:
    """What two files say: a row a kind and the overall one, STRS of each where there are labels, and notes to read.

    ``compat`` is the score as the other program ``compat_name`` has it, None where it was not asked for.
    """

    truth: str
    predictions: str
    rows: Sequence[SpottingRow]
    strs: Mapping[str, Strs]
    compat: Strs | None
    compat_name: str | None
    iou: float
    frames: bool
    notes: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class _Line:
    """A row of one of the files: which video it is about, and what it says of it."""

    where: str
    video: Video
    span: Span | None = None


def score_spotting_files(
    truth: Path,
    predictions: Path,
    videos: Path | None = None,
    *,
    frames: bool = True,
    fps: float | None = None,
    iou: float = 0.5,
    compat: str | None = None,
    classes: Sequence[str] | None = None,
    recordings: Sequence[Recording] | None = None,
) -> SpottingScore:
    """All figures of the movements in ``predictions`` against those annotated in ``truth``.

    ``videos`` lists recordings with a ``duration`` in seconds, or ``frames`` and ``fps``: false alarms a minute need
    it. ``fps`` holds for every video for which no file says another. ``compat`` names another program whose figures are
    wanted too. ``classes`` are those of STRS, by default the labels of the truth. ``recordings``: what was found, where
    ``predictions`` is the folder that they were read from. UserError names file and row.
    """
    if not 0 < iou <= 1:
        raise UserError(f"an overlap of {iou:g} is asked for; choose one above 0 and up to 1, such as 0.5")
    if compat is not None and compat not in COMPAT:
        raise unknown_name("program to be compatible with", compat, COMPAT)
    if compat is not None and not frames:
        raise UserError(f"{compat} counts frames; give both files in frames")
    files = [_read_spans(truth, frames)]
    if recordings is None:
        files.append(_read_spans(predictions, frames))
    else:
        if videos is not None:
            raise UserError(f"{videos}: {predictions} says the lengths itself; leave --videos out")
        found_lines = _of_results(predictions, recordings, files[0][0], fps, frames)
        files = [(_at_measured_rates(files[0][0], found_lines), files[0][1]), (found_lines, [])]
    if videos is not None:
        files.append(_read_videos(videos, fps))
    notes = [note for _, unread in files for note in unread]
    named = _named([lines for lines, _ in files])
    known = _merged(named, fps, videos)
    truths, found = ([line.span for line in lines if line.span] for lines in named[:2])
    if strange := _strangers(named):
        notes.append(f"{predictions.name} has {_some(strange)}, of which {truth.name} says nothing: all false alarms.")
    if recordings is not None and (absent := _strangers([named[1], named[0]])):
        notes.append(f"{predictions.name} has no results of {_some(absent)}: all that is annotated there is missed.")
    rows = score_spotting(truths, found, known, iou, frames)
    notes += _missing(rows, known, truths, found, frames)
    notes += _left_out(classes, truth, predictions, truths, found)
    labelled = any(s.label for s in truths) and any(s.label for s in found)
    if compat and not labelled:
        raise UserError(f"{compat} scores names too: give {truth} and {predictions} a column 'label'")
    wanted = list(classes) if classes else sorted({s.label for s in truths if s.label})
    return SpottingScore(
        truth=truth.name,
        predictions=predictions.name,
        rows=rows,
        strs={row.kind: score_strs(row.tally, row.pairs, wanted) for row in rows} if labelled else {},
        compat=COMPAT[compat](truths, found, wanted, iou) if compat else None,
        compat_name=compat,
        iou=iou,
        frames=frames,
        notes=notes,
    )


def _read_spans(path: Path, frames: bool) -> tuple[list[_Line], list[str]]:
    names, rows = read_rows(path, REQUIRED, "movement")
    lines = []
    for number, row in rows:
        where = f"{path}, row {number}"
        video = _video(where, row)
        span = None
        if row["onset"] or row["offset"]:
            onset, offset = (_place(where, column, row, frames) for column in ("onset", "offset"))
            apex = _place(where, "apex", row, frames) if row.get("apex") else None
            score = _number(where, "score", row["score"]) if row.get("score") else None
            span = _built(where, video, onset, offset, apex, row, score)
        lines.append(_Line(where, video, span))
    return lines, _unread(path, names, OPTIONAL)


def _of_results(
    folder: Path, recordings: Sequence[Recording], truth: Sequence[_Line], fps: float | None, frames: bool
) -> list[_Line]:
    """A line for each recording and one for each of its events, named as in the truth: with the suffix or without."""
    known = {line.video.name for line in truth}
    sources: dict[str, str] = {}
    lines = []
    for one in recordings:
        file, where = PurePath(one.source).name, f"{folder}, {one.source}"
        name = file if file in known else PurePath(file).stem
        if name in sources:
            raise UserError(f"{where}: {sources[name]} would be the video {name!r} too; score a folder of one of them")
        sources[name] = one.source
        rate, length = one.fps or fps, one.duration - one.start
        if frames and not rate:
            raise UserError(f"{where}: its frame rate is unknown; give --fps, or --seconds if {folder} is in seconds")
        video = Video(name, length if length > 0 else None, rate or None)
        lines.append(_Line(where, video))
        for event in one.events:
            onset, apex, offset = (
                float(round(time * (rate or 0))) if frames else time for time in (event.start, event.apex, event.end)
            )
            span = Span(name, onset, offset, apex, event.label or "", event.kind, event.score)
            lines.append(_Line(where, video, span))
    return lines


def _at_measured_rates(truth: Sequence[_Line], found: Sequence[_Line]) -> list[_Line]:
    """The truth with the frame rates that were measured; UserError where those are not about the same frames."""
    rates = {line.video.name: line.video.fps for line in found}
    lines = []
    for line in truth:
        named, measured = line.video.fps, rates.get(line.video.name)
        if named and measured and abs(named - measured) > NEAR * named:
            raise UserError(
                f"{line.where}: fps {named:g} of video {line.video.name!r}, but {measured:g} were measured; is it "
                "annotated in another copy? Give times, and --seconds"
            )
        lines.append(replace(line, video=replace(line.video, fps=measured or named)))
    return lines


def _left_out(
    classes: Sequence[str] | None, truth: Path, predictions: Path, truths: Sequence[Span], found: Sequence[Span]
) -> list[str]:
    """What the chosen classes leave out, if anything; UserError for a class that no row has."""
    if not classes:
        return []
    counts = [Counter(span.label for span in side if span.label) for side in (truths, found)]
    labels = sorted(counts[0].keys() | counts[1].keys())
    for name in classes:
        if name not in labels:
            guess = alike(name, labels)
            hint = f"is it {guess!r}? They have" if guess else "they have"
            raise UserError(
                f"--classes: no row of {truth} or {predictions} has the label {name!r}; {hint} "
                f"{', '.join(labels) or 'no labels'}"
            )
    rest = [f"{n} ({counts[0][n]} annotated, {counts[1][n]} found)" for n in labels if n not in classes]
    return [f"Not among --classes, so counted for spotting only: {', '.join(rest)}."] if rest else []


def _built(
    where: str, video: Video, onset: float, offset: float, apex: float | None, row: Mapping[str, str],
    score: float | None,
) -> Span:  # fmt: skip
    if not onset <= (onset if apex is None else apex) <= offset:
        apex_too = "" if apex is None else f", apex {apex:g}"
        raise UserError(f"{where}: onset {onset:g}{apex_too}, offset {offset:g} must be in order; mend the row")
    return Span(video.name, onset, offset, apex, row.get("label", ""), row.get("kind", ""), score, video.subject)


def _read_videos(path: Path, fps: float | None) -> tuple[list[_Line], list[str]]:
    names, rows = read_rows(path, ("video",), "video")
    if "duration" not in names and "frames" not in names:
        raise UserError(f"{path}: neither a column 'duration' (seconds) nor 'frames'; add one")
    lines = []
    for number, row in rows:
        where = f"{path}, row {number}"
        video = _video(where, row)
        if row.get("duration"):
            duration = _positive(where, "duration", row["duration"])
        elif row.get("frames"):
            rate = video.fps or fps
            if rate is None:
                raise UserError(f"{where}: frames without fps; add a column 'fps', or give --fps")
            duration = _positive(where, "frames", row["frames"]) / rate
        else:
            raise UserError(f"{where}: video {video.name!r} has no length; fill in duration, or frames and fps")
        lines.append(_Line(where, replace(video, duration=duration)))
    return lines, _unread(path, names, LISTED)


def _video(where: str, row: Mapping[str, str]) -> Video:
    if not row["video"]:
        raise UserError(f"{where}: column 'video' is empty; name the recording")
    fps = _positive(where, "fps", row["fps"]) if row.get("fps") else None
    return Video(row["video"], fps=fps, subject=row.get("subject", ""))


def _number(where: str, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{where}: {column} {text!r} is no number; correct it")
    return value


def _positive(where: str, column: str, text: str) -> float:
    value = _number(where, column, text)
    if value <= 0:
        raise UserError(f"{where}: {column} {text!r} must be above 0; correct it")
    return value


def _place(where: str, column: str, row: Mapping[str, str], frames: bool) -> float:
    """A frame number or a time in seconds."""
    if not row[column]:
        raise UserError(f"{where}: column {column!r} is empty; fill it in, or empty onset and offset for no movement")
    value = _number(where, column, row[column])
    if frames and value % 1:
        raise UserError(f"{where}: {column} {row[column]!r} is no whole frame number; give --seconds if it is a time")
    return value


def _unread(path: Path, names: Sequence[str], optional: Sequence[str]) -> list[str]:
    """A column that is not read but may have been meant."""
    absent = [name for name in optional if name not in names]
    guesses = {name: alike(name, absent) for name in names if name and name not in (*REQUIRED, *optional)}
    return [f"{path.name}: column {name!r} is not read; is it {guess!r}?" for name, guess in guesses.items() if guess]


def _named(files: Sequence[Sequence[_Line]]) -> list[list[_Line]]:
    """The lines with names that are unique: ``subject/video`` where two subjects have a video of one name.

    A file without subjects takes them from another file.
    """
    subjects: dict[str, set[str]] = defaultdict(set)
    for line in (line for lines in files for line in lines):
        subjects[line.video.name] |= {line.video.subject} - {""}

    def renamed(line: _Line) -> _Line:
        video = line.video
        owners = subjects[video.name]
        if len(owners) > 1 and not video.subject:
            raise UserError(
                f"{line.where}: video {video.name!r} is one of subjects {', '.join(sorted(owners))}; "
                "say which in a column 'subject'"
            )
        subject = video.subject or next(iter(owners), "")
        name = f"{subject}/{video.name}" if len(owners) > 1 else video.name
        span = line.span and replace(line.span, video=name, subject=subject)
        return _Line(line.where, replace(video, name=name, subject=subject), span)

    return [[renamed(line) for line in lines] for lines in files]


def _merged(named: Sequence[Sequence[_Line]], fps: float | None, listing: Path | None) -> list[Video]:
    """What all files say of each video; UserError where two say different things, or the list lacks one."""
    known: dict[str, Video] = {}
    for line in (line for lines in named for line in lines):
        video = known.setdefault(line.video.name, line.video)
        for what in ("fps", "duration"):
            old, new = getattr(video, what), getattr(line.video, what)
            if old is not None and new is not None and not math.isclose(old, new):
                raise UserError(
                    f"{line.where}: {what} {new:g} of video {video.name!r}, {old:g} elsewhere; correct one of them"
                )
            if old is None and new is not None:
                video = replace(video, fps=new) if what == "fps" else replace(video, duration=new)
        known[video.name] = video
    unlisted = [name for name, video in known.items() if video.duration is None]
    if listing is not None and unlisted:
        raise UserError(f"{listing}: does not list {_some(unlisted)}; add the length, or correct the name")
    return [replace(video, fps=video.fps or fps) for video in known.values()]


def _strangers(named: Sequence[Sequence[_Line]]) -> list[str]:
    """Videos with a movement in the second file that no other knows: false alarms, or a name spelled differently."""
    truths, found, *rest = named
    others = {line.video.name for lines in (truths, *rest) for line in lines}
    return list(dict.fromkeys(line.video.name for line in found if line.span and line.video.name not in others))


def _missing(
    rows: Sequence[SpottingRow], videos: Sequence[Video], truths: Sequence[Span], found: Sequence[Span], frames: bool
) -> list[str]:
    """What could not be said, and what would help."""
    overall = rows[-1]
    notes = []
    if len(rows) == 1 and any(s.kind for s in (*truths, *found)):
        notes.append("Not every movement has a kind, so kinds are not told apart.")
    if overall.minutes is None:
        notes.append("No lengths of the videos, so no false alarms a minute: list them with --videos.")
    if frames and overall.pairs and any(video.fps is None for video in videos):
        notes.append("Errors in milliseconds are of videos with a known frame rate only: give a column fps, or --fps.")
    if found and not overall.curve:
        notes.append("No score on every found movement, so no precision-recall curve.")
    return notes


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(map(repr, names[:MOST_NAMED])) + (" ..." if len(names) > MOST_NAMED else "")
    return f"video {listed}" if len(names) == 1 else f"{len(names)} videos ({listed})"
