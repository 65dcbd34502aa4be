"""Which class a clip belongs to.

The three of MEGC2019, the data set's own, each emotion, whether one action unit such as AU12 is seen, or a mapping in a
TOML file::

    classes = ["negative", "positive", "surprise"]     # their order; may be left away

    [casme2]                                           # emotion as annotated -> class; the others are left out
    happiness = "positive"
    disgust = "negative"

A clip whose emotion is in no class is left out by choice, which is counted and said, and no fault of the clip.
"""

from __future__ import annotations

import csv
import logging
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from dfrnet.types import CLASSES, Clip, UserError, unknown_name

log = logging.getLogger(__name__)

OFFICIAL = Path(__file__).with_name("megc2019.csv")

THREE = {
    "negative": (
        "negative", "anger", "contempt", "disgust", "fear", "repression", "sad", "sadness",
    ),
    "positive": ("positive", "happiness", "happy"),
    "surprise": ("surprise",),
}  # fmt: skip
"""MEGC2019's grouping of emotions (See et al. 2019). Others, and whatever else there is, are in no class."""

UNIT_CLASSES = ("absent", "present")
"""The classes of ``--classes AU12``."""

CD6ME_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17)
"""The twelve action units of CD6ME (Varanka et al., IEEE TAFFC 2023, arXiv:2211.11425), as its authors list them in MEB
(github.com/tvaranka/meb, ``dataset_aus["cross"]``)."""

Labelling = Callable[[Clip], str | None]


@cache
def official() -> Mapping[str, str]:
    """The 442 clips of MEGC2019 and their classes, by clip id, as the organisers published them."""
    with OFFICIAL.open(newline="", encoding="utf-8") as file:
        return {f"{r['dataset']}/{r['subject']}/{r['clip']}": r["label"] for r in csv.DictReader(file)}


def three(clip: Clip) -> str | None:
    """The class of MEGC2019: by its list where it covers the data set, by its grouping of emotions elsewhere.

    Clips that come labelled (released maps, drawn faces) keep their class.
    """
    if clip.label in CLASSES and clip.label != clip.emotion:
        return clip.label
    if clip.dataset in {"casme2", "samm", "smic"}:
        return official().get(clip.id)
    if clip.label in CLASSES:
        return clip.label
    return next((name for name, emotions in THREE.items() if clip.emotion in emotions), None)


def unit_numbers(clip: Clip) -> frozenset[int]:
    """The action units (Ekman and Friesen's FACS) that the coders were sure of, as numbers: "L12A" is 12.

    Sides (L, R, A, T, B, also "A/L12"), strengths ("12A", "10A/B", "12?"), "AU" and brackets ("ref(7B)") do not count.
    Of "R6 or R12" neither is sure, while "7 or 7B" is 7. Words without a number ("soft focus") are no units.
    """
    return frozenset(number for found in map(_numbers, clip.action_units) for number in found[0])


def undecided_units(clip: Clip) -> frozenset[int]:
    """The action units between which the coders did not decide, such as 6 and 12 of "R6 or R12"."""
    named = frozenset(number for found in map(_numbers, clip.action_units) for number in found[1])
    return named - unit_numbers(clip)


def _numbers(part: str) -> tuple[frozenset[int], frozenset[int]]:
    """Of a part of a cell, as spelled in the sheet: the numbers that are sure, and those that are alternatives."""
    numbers = frozenset(int(number) for number in re.findall(r"\d+", part))
    either = len(numbers) > 1 and re.search(r"\d\D*(\bor\b|/)\D*\d", part, re.IGNORECASE)
    return (frozenset(), numbers) if either else (numbers, frozenset())


def _annotated(clip: Clip) -> bool:
    return bool(unit_numbers(clip) or undecided_units(clip))


def is_three(scheme: str) -> bool:
    """Whether a scheme is MEGC2019's; "three-class" will do."""
    return scheme.removesuffix("-class") == "three"


def labelled(
    clips: Sequence[Clip], scheme: str, own: Mapping[str, Sequence[str]]
) -> tuple[list[Clip], tuple[str, ...], list[str]]:
    """Clips with their classes, the classes in order, and the ids of the clips that are in none.

    ``scheme`` is "three", "five", "emotion", an action unit such as "AU12", or the path of a mapping; ``own`` holds
    each data set's own classes. UserError for an unknown scheme, a mapping that cannot be read or fits nothing, own
    classes of sets that differ, and a unit that no clip has.
    """
    classes, label = _scheme(clips, scheme.removesuffix("-class"), own)
    kept, apart = [], []
    for clip in clips:
        name = label(clip)
        if name is None:
            apart.append(clip.id)
        else:
            kept.append(clip if name == clip.label else replace(clip, label=name))
    if clips and not kept:
        raise UserError(f"--classes {scheme}: none of the {len(clips)} clips has one of {', '.join(classes)}")
    return kept, classes, apart


def _scheme(clips: Sequence[Clip], scheme: str, own: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], Labelling]:
    if scheme == "three":
        return CLASSES, three
    if scheme == "five":
        return _own_classes(clips, own)
    if scheme == "emotion":
        return tuple(sorted({_emotion(clip) for clip in clips})), _emotion
    if scheme.lower().endswith(".toml"):
        return _mapping(Path(scheme), clips)
    if unit := re.fullmatch(r"au0*(\d+)", scheme.lower()):
        return UNIT_CLASSES, _of_unit(clips, int(unit[1]))
    raise unknown_name("class scheme", scheme, ("three", "five", "emotion", "AU12", "FILE.toml"))


def _of_unit(clips: Sequence[Clip], unit: int) -> Labelling:
    """Whether ``unit`` is seen, None where nobody says: no unit is named at all, or it is one of an "or"."""
    seen = Counter(number for clip in clips for number in unit_numbers(clip))
    if clips and not seen:
        raise UserError(
            f"--classes AU{unit}: none of the {len(clips)} clips has annotated action units; SMIC and released maps "
            "name none, take a data set whose sheet does"
        )
    if clips and not seen[unit]:
        listed = ", ".join(f"AU{number} {seen[number]}" for number in sorted(seen))
        raise UserError(f"--classes AU{unit}: no clip has it; choose one of those seen (with clips): {listed}")
    for name, found in Counter(clip.dataset for clip in clips).items():
        without = sum(clip.dataset == name and not _annotated(clip) for clip in clips)
        if without == found:
            log.warning("--classes AU%d: %s annotates no action units; its %d clips are left out", unit, name, found)
        elif without:
            log.warning("--classes AU%d: %d clips of %s name no action unit; left out", unit, without, name)

    def label(clip: Clip) -> str | None:
        if not _annotated(clip) or unit in undecided_units(clip):
            return None
        return UNIT_CLASSES[unit in unit_numbers(clip)]

    return label


def _emotion(clip: Clip) -> str:
    return clip.emotion or clip.label


def _own_classes(clips: Sequence[Clip], own: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], Labelling]:
    found = {clip.dataset: tuple(own.get(clip.dataset, ())) for clip in clips}
    lacking = [name for name, classes in found.items() if not classes]
    if lacking:
        raise UserError(f"--classes five: {lacking[0]} has no classes of its own; use --classes three or a mapping")
    if len(set(found.values())) > 1:
        listed = "; ".join(f"{name}: {', '.join(classes)}" for name, classes in found.items())
        raise UserError(f"--classes five: these sets have different classes ({listed}); take one, or write a mapping")
    classes = next(iter(found.values()), ())
    return classes, lambda clip: clip.emotion if clip.emotion in classes else None


def _mapping(path: Path, clips: Sequence[Clip]) -> tuple[tuple[str, ...], Labelling]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); --classes takes three, five, emotion or a file"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML ({error}); docs/archives.md has an example") from None
    order = content.pop("classes", None)
    tables = {name: table for name, table in content.items() if isinstance(table, dict)}
    if not tables or len(tables) < len(content):
        raise UserError(f'{path}: it needs a table for each data set, such as [casme2] with happiness = "positive"')
    for name, table in tables.items():
        emotions = {clip.emotion for clip in clips if clip.dataset == name}
        for emotion, label in table.items():
            if not isinstance(label, str) or not label:
                raise UserError(f"{path}, [{name}] {emotion}: the class must be a text")
            if emotions and emotion not in emotions:
                raise unknown_name(f"emotion in {path}, [{name}],", emotion, sorted(emotions))
    named = tuple(dict.fromkeys(label for table in tables.values() for label in table.values()))
    classes = _ordered(path, order, named)
    without = next((clip.dataset for clip in clips if clip.dataset not in tables), None)
    if without is not None:
        raise UserError(f"{path}: no table [{without}] for the clips of that data set; add one")
    return classes, partial(_mapped, tables)


def _ordered(path: Path, order: object, named: tuple[str, ...]) -> tuple[str, ...]:
    if order is None:
        return named
    texts = isinstance(order, list) and all(isinstance(one, str) for one in order)
    if not isinstance(order, list) or not texts or sorted(order) != sorted(named):
        raise UserError(f"{path}: classes = {order} must list each class of the tables once: {', '.join(named)}")
    return tuple(order)


def _mapped(tables: Mapping[str, Mapping[str, str]], clip: Clip) -> str | None:
    return tables[clip.dataset].get(clip.emotion)
