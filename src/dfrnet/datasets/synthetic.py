"""Drawn faces with known motion: no licence, no download, exact truth. For the demo, the tests and pre-training.

A subject is a face drawn from the seed (``synthetic_face``, ``synthetic_drawing``) and a personal style of moving; a
clip is an emotion's action units (``synthetic_motion``) with a time course of 0.1 to 0.5 s at a chosen frame rate, and
what makes real clips hard: a swaying and turning head, blinks, small movements that mean nothing, flicker, sensor
noise, JPEG (``synthetic_frames``). Labels are never wrong; the difficulty lies in the pictures. Nothing is drawn before
a frame is asked for.

The same arguments give the same clips on every machine, and more subjects leave the earlier ones as they are.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dfrnet.datasets.synthetic_face import Floats, identity_of, landmarks
from dfrnet.datasets.synthetic_frames import SyntheticFrames
from dfrnet.datasets.synthetic_motion import (
    ACTION_UNITS,
    BLINK,
    Bump,
    Head,
    Movement,
    Style,
    peak,
    place,
    scaled,
    split_side,
)
from dfrnet.types import CLASSES, Clip, UserError, unknown_name

CLASS_SHARES = {"negative": 250 / 442, "positive": 109 / 442, "surprise": 83 / 442}
"""The composite set of MEGC2019 (See et al., 2019): 250, 109 and 83 of its 442 clips."""


@dataclass(frozen=True)
class Difficulty:
    """How hard the clips are. Pixels are those of the 128 x 128 frame.

    ``motion``: range of the expression's peak, pixels. ``drift``: deviation of the head's sway, pixels; ``rotation``:
    of its roll, degrees; ``turn``: of its turning, pixels by which the nose runs ahead. ``blink``: chance of a blink.
    ``restless``: deviation of movements that mean nothing, pixels. ``flicker``: deviation of the light's amplitude,
    a share. ``noise``: of the sensor, grey levels. ``jpeg``: quality, 0 for none. ``variation``: how far people, and
    one person's clips, stray from the textbook's movement, 0 for not at all. ``one_sided``: chance that only one side
    of the face moves. ``ambiguity``: chance of a combination that another emotion knows too (``Emotion.blends``).
    ``apex``: where between onset (0) and offset (1) the apex lies, as evenly spaced quantiles, two or more, between
    which it is drawn evenly: (0.35, 0.6) is anywhere from 0.35 to 0.6.
    """

    motion: tuple[float, float] = (0.5, 3.0)
    drift: float = 0.0
    rotation: float = 0.0
    turn: float = 0.0
    blink: float = 0.0
    restless: float = 0.0
    flicker: float = 0.0
    noise: float = 0.0
    jpeg: int = 0
    variation: float = 0.0
    one_sided: float = 0.0
    ambiguity: float = 0.0
    apex: tuple[float, ...] = (0.35, 0.6)


CASME2_APEX = (
    0.0, 0.25, 0.3, 0.36, 0.4, 0.41, 0.44, 0.46, 0.48, 0.5, 0.51, 0.52, 0.54, 0.56, 0.58, 0.6, 0.64, 0.66, 0.71, 0.77,
    1.0,
)  # fmt: skip
"""Where apexes lie in CASME II (Yan et al., 2014): quantiles, 5 % apart, of (apex - onset) / (offset - onset) of those
254 clips that have all three in order, from the coding sheet of 2014-05-08. Mean 0.513, standard deviation 0.165; in
SAMM, 159 clips, 0.461 and 0.164."""

DIFFICULTIES: dict[str, Difficulty] = {
    "easy": Difficulty(
        motion=(1.5, 3.0), drift=0.4, rotation=0.2, turn=0.05, blink=0.05, restless=0.05, flicker=0.01, noise=1.0,
        jpeg=97, variation=0.3, one_sided=0.05, ambiguity=0.05,
    ),
    "default": Difficulty(
        motion=(0.7, 2.5), drift=0.8, rotation=0.5, turn=0.2, blink=0.2, restless=0.25, flicker=0.02, noise=2.0,
        jpeg=95, variation=0.7, one_sided=0.15, ambiguity=0.25,
    ),
    "hard": Difficulty(
        motion=(0.5, 1.5), drift=1.2, rotation=0.7, turn=0.3, blink=0.3, restless=0.35, flicker=0.03, noise=2.5,
        jpeg=90, variation=0.9, one_sided=0.25, ambiguity=0.4,
    ),
}  # fmt: skip
DIFFICULTIES["timed"] = replace(DIFFICULTIES["default"], apex=CASME2_APEX)
"""Measured with a support vector machine on optical flow (DIS, medium preset, finest scale 0; onset to apex; u and v
less their medians and strain, each over its 99th percentile, as 7 x 7 averages; scaled features, RBF kernel, C = 1,
balanced classes), subject by subject left out, UF1 of the pooled predictions for seeds 0, 1, 2: 24 subjects x 12 clips:
easy 0.96, 0.96, 0.93; default 0.81, 0.76, 0.82; hard 0.62, 0.62, 0.64. The first 12 of the subjects:
easy 0.96, 0.95, 0.95; default 0.83, 0.72, 0.73; hard 0.54, 0.55, 0.51.

``timed`` is ``default``, the same faces and movements, with the apex anywhere between onset and offset, as in CASME II;
an expression may then rise or fall within a frame or two."""


class Emotion(NamedTuple):
    """Its class, its share of the class, its action units (one set is drawn), and sets that other emotions share.

    ``sided``: it shows on one side of the face only.
    """

    label: str
    share: float
    prototypes: tuple[tuple[str, ...], ...]
    blends: tuple[tuple[str, ...], ...]
    sided: bool = False


EMOTIONS: dict[str, Emotion] = {
    "disgust": Emotion(
        "negative", 0.36,
        (("AU9",), ("AU4", "AU9"), ("AU9", "AU10"), ("AU9", "AU15", "AU17"), ("AU4", "AU10"), ("AU4", "AU7")),
        (("AU6", "AU10"), ("AU10", "AU12"), ("AU4", "AU14")),
    ),
    "anger": Emotion(
        "negative", 0.26, (("AU4",), ("AU4", "AU7"), ("AU4", "AU5"), ("AU4", "AU17"), ("AU4", "AU24")),
        (("AU7",), ("AU5", "AU24"), ("AU2", "AU4")),
    ),
    "repression": Emotion(
        "negative", 0.17, (("AU14",), ("AU15", "AU17"), ("AU14", "AU17"), ("AU17", "AU24")),
        (("AU12", "AU17"), ("AU12", "AU15"), ("AU6", "AU14")),
    ),
    "contempt": Emotion("negative", 0.09, (("AU14",), ("AU12", "AU14")), (("AU12",),), sided=True),
    "fear": Emotion(
        "negative", 0.07, (("AU1", "AU2", "AU4", "AU5"), ("AU1", "AU2", "AU4", "AU20"), ("AU4", "AU20")),
        (("AU1", "AU2", "AU5"), ("AU1", "AU2")),
    ),
    "sadness": Emotion(
        "negative", 0.05, (("AU1", "AU4"), ("AU1", "AU4", "AU15"), ("AU15", "AU17")), (("AU1",), ("AU1", "AU15")),
    ),
    "happiness": Emotion(
        "positive", 1.0, (("AU12",), ("AU6", "AU12")),
        (("AU6",), ("AU12", "AU14"), ("AU12", "AU15"), ("AU12", "AU24"), ("AU4", "AU12")),
    ),
    "surprise": Emotion(
        "surprise", 1.0, (("AU1", "AU2"), ("AU1", "AU2", "AU5")), (("AU1",), ("AU5",), ("AU1", "AU2", "AU4")),
    ),
}  # fmt: skip


def load(
    root: str = "default",
    *,
    subjects: int = 24,
    clips_per_subject: int = 12,
    seed: int = 0,
    fps: float = 100.0,
) -> list[Clip]:
    """The clips of one difficulty, subject by subject; ``root`` names it ("" is "default")."""
    name = root or "default"
    if name not in DIFFICULTIES:
        raise unknown_name("difficulty of the synthetic data", name, DIFFICULTIES)
    return draw_clips(DIFFICULTIES[name], subjects=subjects, clips_per_subject=clips_per_subject, seed=seed, fps=fps)


def draw_clips(
    difficulty: Difficulty, *, subjects: int = 24, clips_per_subject: int = 12, seed: int = 0, fps: float = 100.0
) -> list[Clip]:
    """``load`` for a difficulty of one's own."""
    if subjects < 1 or clips_per_subject < 1 or seed < 0:
        raise UserError("synthetic data need at least one subject, one clip a subject and a seed that is not negative")
    if not fps >= 10:
        raise UserError(f"synthetic data at {fps} frames a second: 10 is the least that sees a micro-expression")
    clips = []
    for subject in range(1, subjects + 1):
        rng = np.random.default_rng(np.random.SeedSequence([seed, subject, 3]))
        styles = draw_styles(rng, difficulty.variation)
        labels = _deal(rng, clips_per_subject)
        clips += [_draw_clip(difficulty, styles, label, seed, subject, k + 1, fps) for k, label in enumerate(labels)]
    return clips


def draw_styles(rng: np.random.Generator, variation: float) -> dict[str, list[Style]]:
    """How one person does every pull of every action unit."""
    spread = variation * np.array([0.45, 0.45, 2.2, 2.2, 0.2])
    styles: dict[str, list[Style]] = {}
    for unit, pulls in ACTION_UNITS.items():
        draws = spread * rng.standard_normal((len(pulls), 5))
        styles[unit] = [Style(*map(float, (np.exp(d[0]), d[1], d[2], d[3], np.exp(d[4])))) for d in draws]
    return styles


def _deal(rng: np.random.Generator, count: int) -> list[str]:
    """Class labels of one subject's clips: every class as near to its share as whole numbers and chance allow."""
    at = (np.arange(count) + rng.uniform()) / count
    edges = np.cumsum([CLASS_SHARES[c] for c in CLASSES])
    return [CLASSES[k] for k in rng.permutation(np.minimum(np.searchsorted(edges, at), 2))]


def _draw_clip(
    difficulty: Difficulty, styles: dict[str, list[Style]], label: str, seed: int, subject: int, number: int, fps: float
) -> Clip:
    rng = np.random.default_rng(np.random.SeedSequence([seed, subject, 4, number]))
    choices = {name: e.share for name, e in EMOTIONS.items() if e.label == label}
    emotion = str(rng.choice(list(choices), p=list(choices.values())))
    units = draw_units(rng, EMOTIONS[emotion], difficulty)
    length = int(np.clip(_round(rng.uniform(0.1, 0.5) * fps), max(2, np.ceil(0.1 * fps)), 0.5 * fps))
    onset = 1 + _round(rng.uniform(0.1, 0.3) * fps)
    apex = onset + int(np.clip(_round(_between(difficulty.apex, rng.uniform()) * length), 1, length - 1))
    offset = onset + length
    points = landmarks(identity_of(seed, subject))
    bumps = draw_expression(rng, units, styles, points, difficulty)
    count = offset + 1 + _round(rng.uniform(0.1, 0.3) * fps)
    head = np.array([difficulty.drift, difficulty.drift, np.deg2rad(difficulty.rotation), 0.004 * difficulty.drift,
                     difficulty.turn, difficulty.turn])  # fmt: skip
    frames = SyntheticFrames(
        seed, subject, number, count, fps, Movement(bumps, onset, apex, offset),
        others=_draw_others(rng, points, difficulty, count, fps),
        pose=Head(*(rng.standard_normal(6) * [1, 1, 0.02, 0.012, 0.6, 0.6]).tolist()),
        sway=Head(*(rng.standard_normal(6) * head).tolist()),
        hertz=float(rng.uniform(0.4, 1.6)), phase=Head(*rng.uniform(0, 1, 6).tolist()),
        light=(float(abs(rng.normal()) * difficulty.flicker), float(rng.uniform(2, 20)), float(rng.uniform())),
        noise=difficulty.noise, jpeg=difficulty.jpeg,
    )  # fmt: skip
    person = f"synthetic/s{subject:02d}"
    return Clip(f"{person}/c{number:02d}", "synthetic", person, label, frames, onset, apex, offset, fps, emotion, units)


def _between(quantiles: tuple[float, ...], share: float) -> float:
    """The quantile at ``share`` (0..1), linear between the evenly spaced ones that are given."""
    step = share * (len(quantiles) - 1)
    below = min(int(step), len(quantiles) - 2)
    return quantiles[below] + (quantiles[below + 1] - quantiles[below]) * (step - below)


def _round(value: float) -> int:
    return int(np.rint(value))


def draw_units(rng: np.random.Generator, emotion: Emotion, difficulty: Difficulty) -> tuple[str, ...]:
    """Action units of one clip, with the side in front where only one side moves."""
    sets = emotion.blends if rng.uniform() < difficulty.ambiguity else emotion.prototypes
    units = sets[rng.integers(len(sets))]
    side = "LR"[rng.integers(2)] if emotion.sided or rng.uniform() < difficulty.one_sided else ""
    return tuple(u if all(p.middle for p in ACTION_UNITS[u]) else side + u for u in units)


def draw_expression(
    rng: np.random.Generator,
    units: tuple[str, ...],
    styles: dict[str, list[Style]],
    points: Floats,
    difficulty: Difficulty,
) -> tuple[Bump, ...]:
    """The bumps of the clip's action units, as long as the drawn peak motion."""
    bumps = []
    for unit in units:
        side, name = split_side(unit)
        strength = np.exp(0.5 * difficulty.variation * rng.standard_normal())
        tilt = 0.35 * difficulty.variation * rng.standard_normal()
        for pull, style in zip(ACTION_UNITS[name], styles[name], strict=True):
            for one in "L" if pull.middle else side or "LR":
                amount = strength * np.exp(0.0 if pull.middle else tilt if one == "L" else -tilt)
                bumps.append(place(pull, one, points, style, amount))
    low, high = difficulty.motion
    wanted = low + (high - low) * rng.beta(1.3, 1.8)
    return scaled(bumps, wanted / peak(tuple(bumps)))


def _draw_others(
    rng: np.random.Generator, points: Floats, difficulty: Difficulty, count: int, fps: float
) -> tuple[Movement, ...]:
    """A blink or none, and three small movements anywhere on the face."""
    others = []
    blinks, middle, length = rng.uniform() < difficulty.blink, rng.uniform(0, count), rng.uniform(0.15, 0.35) * fps
    if blinks:
        lids = draw_blink(points, rng.uniform(0.5, 1.0))
        others.append(Movement(lids, middle - 0.4 * length, middle, middle + 0.6 * length))
    for _ in range(3):
        bump = draw_restless(rng, points, difficulty)
        apex, rise = rng.uniform(0, count), rng.uniform(0.08, 0.4, 2) * fps
        if difficulty.restless:
            others.append(Movement((bump,), apex - rise[0], apex, apex + rise[1]))
    return tuple(others)


def draw_blink(points: Floats, closed: float) -> tuple[Bump, ...]:
    """Both upper lids of the face with ``points`` (68, 2) down by ``closed``, a share of the eyes' opening."""
    opening = points[[40, 41]].mean(0)[1] - points[[37, 38]].mean(0)[1]
    return tuple(place(BLINK, side, points, Style(), closed * opening) for side in "LR")


def draw_restless(rng: np.random.Generator, points: Floats, difficulty: Difficulty) -> Bump:
    """A small movement that means nothing, near any of the ``points`` (68, 2)."""
    place_x, place_y = points[rng.integers(len(points))] + rng.normal(0, 4, 2)
    reach, move = rng.uniform(6, 14, 2), rng.normal(0, difficulty.restless, 2)
    return Bump(*(float(v) for v in (place_x, place_y, *reach, reach[1], *move)))


ANNOTATIONS = ("id", "subject", "label", "emotion", "action_units", "onset", "apex", "offset", "fps")


def write(clips: Sequence[Clip], folder: Path, suffix: str = ".png") -> None:
    """Writes every clip as a folder of pictures ``folder/ID/00000.png`` and ``folder/annotations.csv``.

    Onset, apex and offset count from 0, as the pictures do; action units are joined by +. The folder appears when it
    is complete: a broken run leaves nothing behind that looks finished. ``suffix`` ".jpg" is smaller and not exact.
    """
    if folder.exists():
        raise UserError(f"{folder}: it exists already; remove it or name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for clip in clips:
            (draft / clip.id).mkdir(parents=True)
            for index in range(len(clip.frames)):
                frame = clip.frames[index]
                _, data = cv2.imencode(suffix, frame[..., ::-1] if frame.ndim == 3 else frame)
                (draft / clip.id / f"{index:05d}{suffix}").write_bytes(data.tobytes())
        with (draft / "annotations.csv").open("w", newline="", encoding="utf-8") as file:
            sheet = csv.writer(file)
            sheet.writerow(ANNOTATIONS)
            for c in clips:
                units = "+".join(c.action_units)
                sheet.writerow([c.id, c.subject, c.label, c.emotion, units, c.onset, c.apex, c.offset, c.fps])
        draft.chmod(0o755)  # mkdtemp keeps others out
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
