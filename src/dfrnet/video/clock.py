"""The motion of one face at any frame rate -> samples on one clock, upper face carried over blinks.

A blink disturbs the upper face: brows, lids, nose and cheeks are carried over it in a straight line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dfrnet.video.courses import STEP
from dfrnet.video.motion import Motion
from dfrnet.video.places import REGIONS

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

TAKE = 0.2  # seconds of samples that are worth a look
DISTURBED = np.array([not any(word in name for word in ("lip", "chin")) for name in REGIONS])
"""What a blink disturbs: all but the mouth and the chin."""

NOTHING = np.zeros((0, len(REGIONS), 2)), np.zeros(0, bool), np.zeros((0, len(REGIONS)), bool)


class Tick(NamedTuple):
    """The next samples of the clock: displacements (n, R, 2), which of them are assessable (n,), and which regions
    look unlike before (n, R).
    """

    moved: Floats
    good: Bools
    unlike: Bools

    def since(self, sample: int) -> Tick:
        """What comes from that sample on."""
        return Tick(self.moved[sample:], self.good[sample:], self.unlike[sample:])


def joined(before: Tick, after: Tick) -> Tick:
    """One after the other."""
    return Tick(*(np.concatenate(both) for both in zip(before, after, strict=True)))


@dataclass(frozen=True)
class ClockSettings:
    """``blink``: the measure from which on it is one, ``blink_edge``: seconds added to both sides, ``wait``: seconds
    that a frame waits for the end of a blink. ``unlike``: the unexplained share of a region's picture from which on it
    looks unlike before.
    """

    blink: float = 0.22
    blink_edge: float = 0.1
    wait: float = 0.4
    unlike: float = 0.5


class Clock:
    """Rows at any frame rate -> samples every STEP, brows and lids carried over blinks."""

    def __init__(self, start: float, settings: ClockSettings) -> None:
        self.start = self.time = start
        self.settings = settings
        self._rows: list[tuple[Motion, bool]] = []
        self._made = 0  # samples so far
        self._waiting = Tick(*NOTHING)
        self._shut = np.zeros(round(settings.blink_edge / STEP), bool)  # of the waiting samples and of some before
        self._before: Floats | None = None

    def add(self, row: Motion, assessable: bool) -> bool:
        """True when it is time to take what is ready."""
        self._rows.append((row, assessable))
        self.time = row.time
        return row.time - self.start >= (self._made - 1) * STEP + TAKE

    def take(self, last: bool = False) -> Tick:
        """The samples that wait no longer for the end of a blink; all of them if these are the ``last``."""
        self._sample()
        moved, good, unlike = self._waiting
        ready = len(good) if last else max(0, len(good) - round(self.settings.wait / STEP))
        edge = round(self.settings.blink_edge / STEP)
        shut = np.convolve(np.pad(self._shut, (0, edge)), np.ones(2 * edge + 1), "valid") > 0
        out = moved[:ready].copy()
        out[:, DISTURBED] = self._bridged(moved[:, DISTURBED], shut)[:ready]
        if ready:
            self._before = out[-1, DISTURBED]
        carried = shut[:ready, None] & DISTURBED
        self._waiting, self._shut = self._waiting.since(ready), self._shut[ready:]
        return Tick(out, good[:ready], unlike[:ready] & ~carried)

    def _sample(self) -> None:
        """Two looks in each step, so that at 200 frames a second none is left out."""
        times = np.array([row.time for row, _ in self._rows]) - self.start
        until = int(np.floor(times[-1] / STEP + 1e-6)) + 1
        at = (np.arange(self._made, until)[:, None] + [-0.25, 0.25]) * STEP
        values = np.stack([row.displacement for row, _ in self._rows])
        right = np.clip(np.searchsorted(times, at), 1, max(len(times) - 1, 1)) if len(times) > 1 else at.astype(int) * 0
        left = np.maximum(right - 1, 0)
        width = np.maximum(times[right] - times[left], 1e-9)
        mix = np.clip((at - times[left]) / width, 0, 1)[..., None, None]
        looks = values[left] * (1 - mix) + values[right] * mix
        fit = np.array([ok for _, ok in self._rows])
        blink = np.array([row.blink for row, _ in self._rows])
        good = (fit[left] & fit[right]).all(1)
        shut = np.maximum(blink[left], blink[right]).max(1) > self.settings.blink
        unlike = np.stack([row.unexplained for row, _ in self._rows]) > self.settings.unlike
        self._waiting = joined(self._waiting, Tick(looks.mean(1), good, (unlike[left] | unlike[right]).any(1)))
        self._shut = np.concatenate([self._shut, shut])
        self._made = max(until, self._made)
        self._rows = self._rows[-2:]

    def _bridged(self, eyes: Floats, shut: Bools) -> Floats:
        """A straight line from the last sample before a blink to the first after it."""
        if not shut.any():
            return eyes
        if self._before is not None:
            eyes, shut = np.concatenate([self._before[None], eyes]), np.concatenate([[False], shut])
        index, opened = np.arange(len(shut)), np.flatnonzero(~shut)
        if not len(opened):
            return np.zeros_like(eyes)
        right = np.clip(np.searchsorted(opened, index), 0, len(opened) - 1)
        left = np.maximum(right - 1, 0)
        left = np.where(opened[right] <= index, right, left)
        span = np.maximum(opened[right] - opened[left], 1)
        mix = np.clip((index - opened[left]) / span, 0, 1)[:, None, None]
        line = eyes[opened[left]] * (1 - mix) + eyes[opened[right]] * mix
        return np.asarray(line[self._before is not None :], np.float64)
