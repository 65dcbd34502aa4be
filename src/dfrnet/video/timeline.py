"""The timeline picture of one recording: how much the face moved, what was found, what could not be assessed and why.

Its size does not grow with the recording: so many faces, reasons and words as there is room for, the rest in one row.
"""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dfrnet.types import Event, Interval, Recording, merged

KINDS = {"micro": "#d55e00", "macro": "#0072b2"}  # of Okabe and Ito (2008): told apart by every eye
OTHER = "#7b3f8c"
BLANK, REASON = "#e0e0e0", "#8c8c8c"
INK, PALE = "#222222", "#666666"
CAPTION = "Candidates for a person to confirm. A movement is no proof of a feeling."
FACES, LANES = 12, 8
"""So many faces, and reasons, have a row of their own."""
NAMED = 200
"""So many movements of a face, the strongest, are tried for a place for their words."""
WIDTH, LEFT, RIGHT = 14.0, 2.8, 0.8  # inches, as all below
TOP, CURVE, FACE, LANE, GAP, BOTTOM = 0.85, 1.5, 0.55, 0.2, 0.12, 0.7
LETTER = 0.06  # mean width of a letter of a movement's words
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)  # seconds between ticks
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "Arial Unicode MS")
"""Where they are installed: each for letters that those before it lack."""

Spans = list[tuple[float, float]]


def timeline(recording: Recording) -> bytes:
    """A PNG: the curve of movement, a row for each face with its events, a lane for each reason why not."""
    import matplotlib.style
    from matplotlib.figure import Figure
    from matplotlib.font_manager import fontManager

    here = {font.name for font in fontManager.ttflist}
    style: dict[str, Any] = {
        # A file's name is no formula, whatever signs are in it.
        "text.parse_math": False, "text.usetex": False, "font.family": [name for name in FONTS if name in here],
        "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False, "axes.edgecolor": PALE,
        "text.color": INK, "axes.labelcolor": INK, "xtick.labelsize": 8, "ytick.labelsize": 8, "ytick.left": False,
    }  # fmt: skip
    out = io.BytesIO()
    with matplotlib.style.context(["default", style]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # a box stands for the letter
        figure = Figure()
        _draw(figure, recording)
        figure.savefig(out, format="png", dpi=110, metadata={"Software": "dfrnet"})
    return out.getvalue()


def _draw(figure: Any, recording: Recording) -> None:
    rows, lanes = _rows(recording), _lanes(recording)
    heights = [height for height in (CURVE * bool(recording.curve), FACE * len(rows), LANE * len(lanes)) if height]
    figure.set_size_inches(WIDTH, TOP + sum(heights) + GAP * (len(heights) - 1) + BOTTOM)
    axes = _axes(figure, heights, recording.start, max(recording.duration, recording.start + 1e-3))
    if recording.curve:
        _draw_curve(axes[0], recording, rows)
    _draw_faces(axes[bool(recording.curve)], rows)
    if lanes:
        _draw_lanes(axes[-1], lanes)
    _head_and_foot(figure, recording)


def _axes(figure: Any, heights: Sequence[float], begin: float, end: float) -> list[Any]:
    """One below the other with one axis of time, whose numbers stand under the lowest."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    size, top = figure.get_size_inches()[1], TOP
    found: list[Any] = []
    for height in heights:
        place = (LEFT / WIDTH, 1 - (top + height) / size, 1 - (LEFT + RIGHT) / WIDTH, height / size)
        found.append(figure.add_axes(place, sharex=found[0] if found else None))
        top += height + GAP
        found[-1].tick_params(bottom=len(found) == len(heights), labelbottom=len(found) == len(heights))
        found[-1].grid(axis="x", color=BLANK, linewidth=0.6, zorder=0)
        found[-1].set_axisbelow(True)
    found[0].set_xlim(begin, end)
    if end - begin > 120:
        step = next((step for step in STEPS if (end - begin) / step <= 15), STEPS[-1])
        found[0].xaxis.set_major_locator(MultipleLocator(max(step, (end - begin) / 15)))
        found[0].xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _clock(seconds, end)))
    unit = "seconds" if end - begin <= 120 else "minutes:seconds" if end < 3600 else "hours:minutes:seconds"
    found[-1].set_xlabel(unit, fontsize=8, color=PALE)
    return found


def _clock(seconds: float, end: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if end < 3600 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


@dataclass(frozen=True)
class _Row:
    label: str
    events: list[Event]
    blank: Spans


def _rows(recording: Recording) -> list[_Row]:
    """A row for each face; where there are too many those with movements, then the longest seen, and one for others."""
    faces = recording.faces
    if not faces:
        return [_Row("no face", [], _blank(recording, ()))]
    own = sorted(_foremost(recording)[:FACES])
    rows = [
        _Row(f"face {face}" if face else "face", [e for e in recording.events if e.track == face],
             _blank(recording, (face,)))
        for face in own
    ]  # fmt: skip
    rest = set(faces) - set(own)
    if rest:
        # Grey only where there is no face at all: what cannot be said of one may be said of another.
        events = [event for event in recording.events if event.track in rest]
        rows.append(_Row(f"{len(rest)} others", events, _blank(recording, ())))
    return rows


def _foremost(recording: Recording) -> list[int]:
    """All faces: those with movements first, then those that were there longest."""
    moved = {event.track for event in recording.events}
    there = {face: last - first for face, (first, last) in recording.spans.items()}
    return sorted(recording.faces, key=lambda f: (f not in moved, -there.get(f, recording.duration), f))


def _blank(recording: Recording, faces: Collection[int]) -> Spans:
    """Where nothing can be said of ``faces``, also because they are not there, merged."""
    found = [(i.start, i.end) for i in _intervals(recording) if i.track is None or i.track in faces]
    for face in faces:
        first, last = recording.spans.get(face, (recording.start, recording.duration))
        found += [(recording.start, first), (last, recording.duration)]
    return merged(span for span in found if span[0] < span[1])


def _intervals(recording: Recording) -> list[Interval]:
    """Those of the part that was looked at."""
    shown = [one for one in recording.intervals if one.end > recording.start]
    return [replace(one, start=max(one.start, recording.start)) for one in shown]


def _lanes(recording: Recording) -> list[tuple[str, Spans]]:
    """Each reason in words and where it holds for any face; the longest first, and where there are many the rest."""
    said = recording.record.get("reasons", {})
    words = said if isinstance(said, dict) else {}
    spans: dict[str, Spans] = {}
    for one in _intervals(recording):
        spans.setdefault(one.reason, []).append((one.start, one.end))
    lanes = [(str(words.get(name, name.replace("_", " "))), merged(each)) for name, each in spans.items()]
    lanes.sort(key=lambda lane: -_seconds(lane[1]))
    if len(lanes) > LANES:
        rest = [span for _, each in lanes[LANES - 1 :] for span in each]
        lanes[LANES - 1 :] = [(f"{len(lanes) - LANES + 1} other reasons", merged(rest))]
    return lanes


def _seconds(spans: Spans) -> float:
    return sum(end - start for start, end in spans)


def _draw_curve(axes: Any, recording: Recording, rows: Sequence[_Row]) -> None:
    blank = rows[0].blank if len(rows) == 1 else _blank(recording, ())
    _bars(axes, blank, (0, 1.05), BLANK)
    _movements(axes, recording.events, (0, 1.05), [0.15] * len(recording.events))
    times, heights = zip(*recording.curve, strict=True)
    axes.fill_between(times, heights, color=INK, alpha=0.12, lw=0)
    axes.plot(times, heights, color=INK, linewidth=0.8)
    axes.axhline(0.5, color=PALE, linewidth=0.6, linestyle=(0, (4, 4)))
    axes.set(ylim=(0, 1.05), yticks=[0, 0.5, 1])
    axes.set_ylabel(
        "movement beside\nwhat is usual;\ntold from 0.5 on", fontsize=8, rotation=0, ha="right", va="center", labelpad=6
    )


def _draw_faces(axes: Any, rows: Sequence[_Row]) -> None:
    for at, row in enumerate(rows):
        _bars(axes, row.blank, (at + 0.06, 0.88), BLANK)
        _movements(axes, row.events, (at + 0.44, 0.44), [0.3 + 0.5 * event.score for event in row.events])
        # A line as well: a movement of 0.2 s in an hour is narrower than a pixel.
        tops, feet = [at + 0.4] * len(row.events), [at + 0.92] * len(row.events)
        axes.vlines([e.apex for e in row.events], tops, feet, colors=[_colour(e) for e in row.events], linewidth=1.4)
        _name(axes, row, at + 0.36)
    axes.set(ylim=(len(rows), 0), yticks=[at + 0.5 for at in range(len(rows))])
    axes.set_yticklabels([row.label for row in rows], fontsize=9)


def _movements(axes: Any, events: Sequence[Event], place: tuple[float, float], depths: Sequence[float]) -> None:
    spans = [(event.start, event.end - event.start) for event in events]
    colours = [(_colour(event), depth) for event, depth in zip(events, depths, strict=True)]
    axes.broken_barh(spans, place, facecolors=colours, linewidth=0, zorder=2)


def _name(axes: Any, row: _Row, height: float) -> None:
    """Words over the movements, over the strongest first, as long as they do not run into each other."""
    begin, end = axes.get_xlim()
    letter = LETTER * (end - begin) / (WIDTH - LEFT - RIGHT)
    taken: Spans = []
    for event in sorted(row.events, key=lambda one: -one.score)[:NAMED]:
        words = _words(event)
        width = letter * len(words)
        start = max(min(event.apex - width / 2, end - width), begin)
        if not any(start < other_end and other_start < start + width for other_start, other_end in taken):
            taken.append((start - letter, start + width + letter))
            axes.text(start, height, words, fontsize=7.5, ha="left", va="bottom", color=_colour(event))


def _draw_lanes(axes: Any, lanes: Sequence[tuple[str, Spans]]) -> None:
    for at, (_, spans) in enumerate(lanes):
        _bars(axes, spans, (at + 0.18, 0.64), REASON, edge=0.4)  # so that a blink in an hour can be seen
        seconds = f"{_seconds(spans):.1f} s"
        axes.text(1.008, at + 0.5, seconds, transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=PALE)
    axes.set(ylim=(len(lanes), 0), yticks=[at + 0.5 for at in range(len(lanes))])
    axes.set_yticklabels([_line(name, 46) for name, _ in lanes], color=PALE, fontsize=7.5)


def _bars(axes: Any, spans: Spans, place: tuple[float, float], colour: str, edge: float = 0.0) -> None:
    bars = [(start, end - start) for start, end in spans]
    axes.broken_barh(bars, place, facecolor=colour, edgecolor=colour, linewidth=edge, zorder=1)


def _head_and_foot(figure: Any, recording: Recording) -> None:
    from matplotlib.patches import Patch

    height = figure.get_size_inches()[1]
    count = Counter(event.kind if event.kind in KINDS else "other" for event in recording.events)
    found = ", ".join(f"{count[kind]} {kind}" for kind in (*KINDS, *(["other"] if count["other"] else [])))
    part = f" from {recording.start:.1f} s on" if recording.start else ""
    seconds = max(recording.duration - recording.start, 0.0)
    said = (
        f"{found} candidates in {seconds:.1f} s{part}  ·  {recording.fps:.4g} frames a second  ·  "
        f"{recording.assessable:.0%} assessable"
    )
    name = _line(Path(recording.source).name or "recording", 90, tail=30)
    figure.text(0.3 / WIDTH, 1 - 0.2 / height, name, fontsize=13, fontweight="bold", va="top")
    figure.text(0.3 / WIDTH, 1 - 0.48 / height, said, fontsize=9, color=PALE, va="top")
    figure.text(1 - 0.3 / WIDTH, 0.14 / height, CAPTION, fontsize=8, color=PALE, ha="right")
    marks = [Patch(color=colour, label=kind) for kind, colour in KINDS.items()]
    marks += [Patch(color=OTHER, label="other")] * bool(count["other"]) + [Patch(color=BLANK, label="not assessable")]
    figure.legend(
        handles=marks, loc="upper right", ncols=len(marks), frameon=False, fontsize=9, borderaxespad=0,
        bbox_to_anchor=(1 - RIGHT / WIDTH, 1 - 0.46 / height), handlelength=1.2,
    )  # fmt: skip


def _colour(event: Event) -> str:
    return KINDS.get(event.kind, OTHER)


def _words(event: Event) -> str:
    where = event.regions[0].replace("_", " ") if event.regions else ""
    return _line(" ".join(filter(None, (event.label or event.kind, where))), 40)


def _line(words: str, most: int, tail: int = 0) -> str:
    """One line of at most so many letters that can be drawn; what is left out came before the last ``tail``."""
    plain = "".join(c if c.isprintable() else " " for c in words.encode("utf-8", "replace").decode("utf-8"))
    return plain if len(plain) <= most else f"{plain[: most - tail - 1]}…{plain[len(plain) - tail :]}"
