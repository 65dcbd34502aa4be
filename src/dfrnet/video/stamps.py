"""Times of frames, strictly ascending whatever the stamps of a source are, and an account of what was odd."""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

GAP = 0.5
"""Seconds without a frame that are told as a gap; a micro-expression fits into it."""
LEAP = 3600.0
"""Seconds: no pause is longer, so that a stamp further on is a wrong one."""
RUN = 8
"""So many wrong stamps in a row are no accident: from there on the clock is set anew."""
LONGEST = 30 * 86400.0
"""Seconds: no recording is longer."""

ODD = {
    "unstamped": "frames without a time stamp; their times follow from the frame rate",
    "disordered": "frames left out, as their time stamp does not come after the one before",
    "jumps": f"jumps of the time stamps back or by more than {LEAP:.0f} s; the times go on as if there were none",
    "gaps": f"gaps of more than {GAP} s without a frame",
    "damaged": "damaged packets or frames left out",
    "unreadable": "pictures that cannot be read, left out",
    "shape": "frames of another shape than the first one left out",
    "resized": "frames of another size than the first one, scaled to it",
}
"""What is counted while a source is read, and the words for it."""


@dataclass
class Told:
    """What a source says besides its frames. Filled by the thread that reads it, complete once that has ended.

    ``rate``: frames a second where stamps are missing; ``end``: when the last frame ends, in seconds; ``stop`` asks
    the reading thread to end.
    """

    notes: list[str] = field(default_factory=list)
    odd: Counter[str] = field(default_factory=Counter)
    declared_duration: float | None = None
    rate: float = 25.0
    end: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def declare(self, duration: float) -> None:
        """The length that a header states; 0 is none."""
        if 0 < duration <= LONGEST:
            self.declared_duration = duration
        elif duration:
            self.notes.append(f"the length that it declares cannot be, and is ignored: {duration:.4g} s")

    def conclude(self) -> None:
        """Turn the counts into notes."""
        self.notes += [f"{words}: {self.odd[name]}" for name, words in ODD.items() if self.odd[name]]
        self.odd.clear()

    def compare(self) -> None:
        """A note where the whole source was read and its length is not the declared one."""
        declared = self.declared_duration
        if declared is not None and abs(declared - self.end) > max(1.0, 0.01 * declared):
            self.notes.append(f"it declares a length of {declared:.1f} s, but its frames end at {self.end:.1f} s")


class Clock:
    """Stamps in, times out: from 0, strictly ascending, seconds.

    A missing stamp follows from the one before and the usual step. A wrong one (not after the frame before, or more
    than LEAP after it) costs its frame, as nobody knows when that was; after RUN of them the clock is set anew, or, if
    they do not ascend among themselves, stamps are no longer believed and frames are counted.
    """

    def __init__(self, told: Told) -> None:
        self.told, self.step = told, 1 / told.rate
        self.now: float | None = None
        self.zero: float | None = None
        self.wrong: list[float] = []
        self.counting = False

    def tell(self, stamp: float | None) -> float | None:
        """The time of the frame that has this stamp (seconds from anywhere); None if it must be left out."""
        expected = 0.0 if self.now is None else self.now + self.step
        if self.counting or stamp is None or not math.isfinite(stamp):
            self.told.odd["unstamped"] += 1
            return self._at(expected)
        if self.zero is None:
            self.zero = stamp - expected
        time = stamp - self.zero
        if self.now is None or 0 < time - self.now <= LEAP:
            return self._go_on(time)
        self.wrong.append(stamp)
        if len(self.wrong) < RUN:
            self.told.odd["disordered"] += 1
            return None
        self.counting = any(not 0 < after - before <= LEAP for before, after in pairwise(self.wrong))
        self.told.odd["unstamped" if self.counting else "jumps"] += 1
        self.zero = stamp - expected
        self.wrong.clear()
        return self._at(expected)

    def _go_on(self, time: float) -> float:
        self.wrong.clear()
        if self.now is not None:
            passed = time - self.now
            if passed > max(GAP, 8 * self.step):
                self.told.odd["gaps"] += 1
            else:
                self.step += 0.1 * (passed - self.step)
        return self._at(time)

    def _at(self, time: float) -> float:
        self.now, self.told.end = time, time + self.step
        return time
