"""How far do two coders, or a coder and the machine, agree on the movements of one recording?

Two things can be asked of the same two lists. Are the same movements in both? Movements are paired one to one, and the
index is 2 x agreed / (n_A + n_B): Wexler's ratio, which FACS uses (Ekman, Friesen and Hager, FACS Investigator's
Guide, 2002). And is the same time marked? Time is cut into short bins and Cohen's kappa (Cohen 1960) compares them; it
takes off the agreement that chance alone gives, and needs no pairing. Both are given for all movements, for each kind,
label and action unit; all are the same with A and B exchanged, but for precision and recall, which take B as the
reference. Time in which a recording was not assessable says nothing about either: movements that lie in it are counted
apart, and kappa is of the other time.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from dfrnet.evaluation.metrics import Floats
from dfrnet.evaluation.rows import in_columns
from dfrnet.evaluation.spotting import ROUNDING, Span, assign, overlaps
from dfrnet.types import Event, Recording, UserError, merged, unknown_name

NO_APEX = "apex not annotated"
"""In the ``quality`` of an event whose file names no apex: its apex is then a stand-in and not compared."""

STEP = 0.01
"""Seconds of a bin: shorter than anything that is coded, so that the kappa does not depend on it."""

MOST_BINS = 50_000_000
MOMENTS = {"onset": "start", "apex": "apex", "offset": "end"}


@dataclass(frozen=True)
class Group:
    """One line: how many movements of a sort A and B have, and how many of them are the same.

    ``sort``: all, kind, label, unit, or units, the action units added up. ``kappa``: of time bins, -1..1, None where
    it is not defined, as when both mark no time at all. The ratios are None where there is nothing to divide by.
    """

    sort: str
    name: str
    a: int
    b: int
    agreed: int
    kappa: float | None

    @property
    def index(self) -> float | None:
        """2 x agreed / (a + b), the FACS index; F1 where one side is the reference."""
        return 2 * self.agreed / (self.a + self.b) if self.a + self.b else None

    @property
    def precision(self) -> float | None:
        """Share of A's movements that B has."""
        return self.agreed / self.a if self.a else None

    @property
    def recall(self) -> float | None:
        """Share of B's movements that A has."""
        return self.agreed / self.b if self.b else None


@dataclass(frozen=True)
class Shift:
    """A minus B of one moment over ``n`` pairs, milliseconds: the median, and the median of the absolute values."""

    moment: str
    n: int
    median: float
    absolute: float


@dataclass(frozen=True)
class NameKappa:
    """Cohen's kappa of what the two call the ``n`` movements that both have and name; None where not defined."""

    of: str
    n: int
    same: int
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """All of it; ``groups[0]`` is about all movements. ``rule`` says in words when two movements are the same.

    ``blocked``: seconds of the ``duration`` that are not assessable. ``aside``: how many movements of A and of B lie
    there; they are in no group and no pair.
    """

    rule: str
    duration: float
    blocked: float
    aside: tuple[int, int]
    groups: tuple[Group, ...]
    names: tuple[NameKappa, ...]
    shifts: tuple[Shift, ...]
    pairs: tuple[tuple[Event, Event], ...]


def agree(
    a: Sequence[Event],
    b: Sequence[Event],
    duration: float = 0.0,
    *,
    iou: float = 0.5,
    tolerance: float | None = None,
    step: float = STEP,
    blocked: Iterable[tuple[float, float]] = (),
) -> Agreement:
    """Compare two lists of movements of one recording.

    Two movements can be the same where their intersection over union is at least ``iou``; or, where a ``tolerance`` in
    seconds is given, where their onsets or their apexes lie no further apart (apexes that somebody coded). Of all ways
    to pair them the one with the most pairs counts, among those the closest. A line about a kind, a label or a unit
    pairs only the movements that have it, whatever else they are called. Units are compared by number: "LAU12C" and
    "AU12" are the same. ``duration``: seconds of the recording, at least to the end of the last movement. ``blocked``:
    from when to when it is not assessable, seconds; a movement at least half of which lies there is set aside.
    """
    rule = _rule(iou, tolerance)
    length = max([duration, *(event.end for event in (*a, *b))])
    bins = max(int(np.ceil(length / step - ROUNDING)), 1)
    if bins > MOST_BINS:
        raise UserError(f"the recording lasts {length:g} s, which is too long to compare in bins of {step:g} s")

    dark = [(start, min(end, length)) for start, end in merged(blocked) if start < length]
    sides = [[event for event in side if not _lies_in(event, dark)] for side in (a, b)]
    aside = (len(a) - len(sides[0]), len(b) - len(sides[1]))
    a, b = sides
    light = ~_marked_spans(dark, bins, step)

    def paired(mine: Sequence[Event], theirs: Sequence[Event]) -> list[tuple[Event, Event]]:
        can, close = _by_overlap(mine, theirs, iou) if tolerance is None else _by_moment(mine, theirs, tolerance)
        return [(mine[i], theirs[j]) for i, j in assign(can, close)]

    groups = []
    for line in _sorts([*a, *b]):
        mine, theirs = ([event for event in side if line in _belongs(event)] for side in (a, b))
        kappa = cohen_kappa(_counted(_marked(mine, bins, step)[light], _marked(theirs, bins, step)[light]))
        groups.append(Group(*line, len(mine), len(theirs), len(paired(mine, theirs)), kappa))
    units = [group for group in groups if group.sort == "unit"]
    if len(units) > 1:
        in_a, in_b, agreed = (sum(getattr(group, side) for group in units) for side in ("a", "b", "agreed"))
        groups.append(Group("units", "all units", in_a, in_b, agreed, None))
    pairs = paired(a, b)
    return Agreement(
        rule=rule,
        duration=length,
        blocked=sum(end - start for start, end in dark),
        aside=aside,
        groups=tuple(groups),
        names=tuple(found for found in (_names(pairs, "kind"), _names(pairs, "label")) if found is not None),
        shifts=tuple(shift for moment in MOMENTS if (shift := _shift(pairs, moment)) is not None),
        pairs=tuple(pairs),
    )


def _rule(iou: float, tolerance: float | None) -> str:
    """When two movements are the same, in words; UserError for an overlap or a tolerance that cannot be."""
    if not 0 < iou <= 1:
        raise UserError(f"an overlap of {iou:g} is asked for; choose one above 0 and up to 1, such as 0.5")
    if tolerance is None:
        return f"their overlap (IoU) is at least {iou:g}"
    if not 0 <= tolerance < np.inf:
        raise UserError(f"a tolerance of {tolerance:g} s is asked for; choose seconds from 0 on, such as 0.1")
    return f"their onsets or their apexes lie within {tolerance:g} s"


def not_assessable(recording: Recording) -> list[tuple[float, float]]:
    """From when to when no face could be assessed, or nothing was looked at; seconds, ascending, disjoint."""
    common: list[tuple[float, float]] | None = None
    for face in recording.faces or (None,):
        bad = [(one.start, one.end) for one in recording.intervals if one.track is None or one.track == face]
        if face is not None and face in recording.spans:
            first, last = recording.spans[face]
            bad += [(0.0, first), (last, max(last, recording.duration))]
        common = merged(bad) if common is None else _shared(common, merged(bad))
    unseen = [(0.0, recording.start)]
    asked = recording.record.get("asked")
    if isinstance(asked, Mapping) and asked.get("end") is not None:
        unseen.append((recording.duration, math.inf))
    return merged(stretch for stretch in [*(common or []), *unseen] if stretch[0] < stretch[1])


def _shared(a: Sequence[tuple[float, float]], b: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """What lies in both; each side is disjoint."""
    both = ((max(start, begin), min(end, stop)) for start, end in a for begin, stop in b)
    return [(start, end) for start, end in both if start < end]


def _lies_in(event: Event, stretches: Sequence[tuple[float, float]]) -> bool:
    """Whether at least half of an event does; of one without a length, its moment."""
    inside = sum(end - start for start, end in _shared([(event.start, event.end)], stretches))
    if event.start == event.end:
        return any(start <= event.start <= end for start, end in stretches)
    return inside >= (event.end - event.start) / 2


def cohen_kappa(counts: npt.NDArray[np.int64]) -> float | None:
    """Cohen's kappa of a table (K, K), rows what A says, columns what B says; None where it is 0/0.

    (p_o - p_e) / (1 - p_e) with p_o the share on the diagonal, p_e the share that the margins alone would put there.
    """
    total = int(counts.sum())
    by_chance = int(counts.sum(axis=0) @ counts.sum(axis=1))
    # In whole numbers, so that a table of one cell is told from one that only comes near.
    if total == 0 or by_chance == total * total:
        return None
    return float((int(np.trace(counts)) * total - by_chance) / (total * total - by_chance))


def units_of(event: Event) -> frozenset[int]:
    """The action units of an event by number; sides and intensities do not count."""
    return frozenset(int(number) for unit in event.action_units for number in re.findall(r"\d+", unit))


def render_agreement(found: Agreement, form: str, a: str = "A", b: str = "B", notes: Sequence[str] = ()) -> str:
    """As ``text`` or ``json``, ended by a newline; ``a`` and ``b`` are what the two are called."""
    if form not in FORMATS:
        raise unknown_name("format", form, FORMATS)
    return FORMATS[form](found, a, b, notes)


def _belongs(event: Event) -> list[tuple[str, str]]:
    """The lines that an event counts in, by sort and name."""
    label = [("label", event.label)] if event.label else []
    return [("all", "all"), ("kind", event.kind), *label, *(("unit", f"AU{unit}") for unit in units_of(event))]


def _sorts(events: Sequence[Event]) -> list[tuple[str, str]]:
    """The lines there are: all, kinds, labels, then units by number."""
    sorts = ("all", "kind", "label", "unit")
    found = {line for event in events for line in _belongs(event)} | {("all", "all")}
    return sorted(found, key=lambda line: (sorts.index(line[0]), len(line[1]) if line[0] == "unit" else 0, line[1]))


def _by_overlap(a: Sequence[Event], b: Sequence[Event], iou: float) -> tuple[npt.NDArray[np.bool_], Floats]:
    mine, theirs = ([Span("", event.start, event.end) for event in side] for side in (a, b))
    shared = overlaps(mine, theirs, frames=False)
    return shared >= iou - ROUNDING, shared


def _by_moment(a: Sequence[Event], b: Sequence[Event], tolerance: float) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Whether onsets or apexes are near, and how near the nearer of the two is, 1 at the same moment."""
    starts, apexes = (_gaps(a, b, moment) for moment in ("onset", "apex"))
    gap = np.minimum(starts, apexes)
    return gap <= tolerance + ROUNDING, 1 / (1 + gap)


def _gaps(a: Sequence[Event], b: Sequence[Event], moment: str) -> Floats:
    first, second = (np.array([_moment(event, moment) for event in side], np.float64) for side in (a, b))
    gap = np.abs(first[:, None] - second[None, :])
    return np.where(np.isnan(gap), np.inf, gap)


def _moment(event: Event, moment: str) -> float:
    """Seconds, NaN for an apex that nobody coded."""
    if moment == "apex" and NO_APEX in event.quality:
        return float("nan")
    return float(getattr(event, MOMENTS[moment]))


def _marked(events: Sequence[Event], bins: int, step: float) -> npt.NDArray[np.bool_]:
    """Which bins an event covers: those whose middle it covers, and never none."""
    return _marked_spans([(event.start, event.end) for event in events], bins, step)


def _marked_spans(spans: Sequence[tuple[float, float]], bins: int, step: float) -> npt.NDArray[np.bool_]:
    marked = np.zeros(bins, np.bool_)
    for start, end in spans:
        first = min(int(np.ceil(start / step - 0.5 - ROUNDING)), bins - 1)
        last = int(np.floor(end / step - 0.5 + ROUNDING))
        marked[first : max(first, last) + 1] = True
    return marked


def _counted(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The table (2, 2) of unmarked and marked bins."""
    both, only_a, only_b = int((a & b).sum()), int((a & ~b).sum()), int((b & ~a).sum())
    return np.array([[len(a) - both - only_a - only_b, only_b], [only_a, both]], np.int64)


def _names(pairs: Sequence[tuple[Event, Event]], of: str) -> NameKappa | None:
    """Agreement on the kinds or the labels of pairs in which both have one."""
    named = [(str(x), str(y)) for one, other in pairs if (x := getattr(one, of)) and (y := getattr(other, of))]
    if not named:
        return None
    position = {name: at for at, name in enumerate(sorted({name for both in named for name in both}))}
    counts = np.zeros((len(position), len(position)), np.int64)
    for mine, theirs in named:
        counts[position[mine], position[theirs]] += 1
    return NameKappa(of, len(named), int(np.trace(counts)), cohen_kappa(counts))


def _shift(pairs: Sequence[tuple[Event, Event]], moment: str) -> Shift | None:
    gaps = np.array([1000 * (_moment(mine, moment) - _moment(theirs, moment)) for mine, theirs in pairs])
    gaps = gaps[~np.isnan(gaps)]
    if not len(gaps):
        return None
    return Shift(moment, len(gaps), float(np.median(gaps)), float(np.median(np.abs(gaps))))


def _sentence(found: Agreement, a: str, b: str) -> str:
    everything = found.groups[0]
    share = "" if everything.precision is None else f" ({everything.precision:.0%})"
    more = everything.b - everything.agreed
    others = f"; {more} more of {b} " + ("has" if more == 1 else "have") + f" no counterpart in {a}" if more else ""
    return f"{b} confirms {everything.agreed} of the {everything.a} movements of {a}{share}{others}."


def _blocked(found: Agreement, a: str, b: str) -> str:
    """What is not assessable, and how many movements lie there; "" where nothing is."""
    if not found.blocked:
        return ""
    return (
        f"Not assessable are {found.blocked:.1f} s of it. Movements there count nowhere ({found.aside[1]} of {b}, "
        f"{found.aside[0]} of {a}): the figures and kappa are of the other time.\n"
    )


def _text(found: Agreement, a: str, b: str, notes: Sequence[str]) -> str:
    titles = ("movements", "A", "B", "agreed", "index", "precision", "recall", "kappa of time")
    lines = [
        (group.name, str(group.a), str(group.b), str(group.agreed),
         *map(_decimals, (group.index, group.precision, group.recall, group.kappa)))
        for group in found.groups
    ]  # fmt: skip
    parts = [
        f"{_sentence(found, a, b)}\nA is {a}, B is {b}, of {found.duration:.1f} s. Two movements are the same where "
        f"{found.rule}.\n{_blocked(found, a, b)}",
        in_columns(titles, lines),
    ]
    if found.shifts:
        moved = [(s.moment, str(s.n), f"{s.median:+.1f}", f"{s.absolute:.1f}") for s in found.shifts]
        parts.append(in_columns(("A minus B", "pairs", "median ms", "median absolute ms"), moved))
    words = [
        f"Pairs in which both give a {one.of}: {one.n}, the same one in {one.same}; Cohen's kappa "
        f"{'not defined, for all are one ' + one.of if one.kappa is None else f'{one.kappa:.3f}'}."
        for one in found.names
    ]
    words += [
        "Index: 2 x agreed / (A + B), the FACS index. Precision and recall take B as the reference.",
        f"Kappa of time: Cohen's kappa of bins of {1000 * STEP:g} ms; - where both mark nothing, or everything.",
    ]
    return "\n".join(parts) + "\n" + "".join(f"{line}\n" for line in (*words, *notes))


def _decimals(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _json(found: Agreement, a: str, b: str, notes: Sequence[str]) -> str:
    ratios = ("index", "precision", "recall")
    value = {
        "a": a,
        "b": b,
        "rule": found.rule,
        "duration": found.duration,
        "not_assessable": {"seconds": found.blocked, "a": found.aside[0], "b": found.aside[1]},
        "sentence": _sentence(found, a, b),
        "groups": [{**asdict(group), **{name: getattr(group, name) for name in ratios}} for group in found.groups],
        "names": [asdict(one) for one in found.names],
        "shifts_ms": [asdict(shift) for shift in found.shifts],
        "pairs": [[[event.start, event.apex, event.end] for event in pair] for pair in found.pairs],
        "notes": list(notes),
    }
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[Agreement, str, str, Sequence[str]], str]] = {"text": _text, "json": _json}
