"""The frame rate that time stamps show: cameras and headers promise others."""

from __future__ import annotations

from collections import Counter, deque

import numpy as np

LEAST = 23.976  # frames a second, those of film: below, nothing is said of micro-expressions
TOLERANCE = 0.98  # a camera of 30 frames a second may give 29.5


class FrameRate:
    """What time stamps, in ascending order, say of a recording; its state does not grow with it."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque()
        self._intervals: Counter[int] = Counter()  # in hundredths of a millisecond, up to a second
        self._first = self._last = np.nan

    def update(self, time: float) -> float | None:
        """Frames a second over the last second, None before the fifth frame."""
        if self._recent:
            self._intervals[min(round((time - self._last) * 1e5), 100_000)] += 1
        else:
            self._first = time
        self._last = time
        self._recent.append(time)
        while len(self._recent) > 5 and time - self._recent[0] > 1:
            self._recent.popleft()
        span = time - self._recent[0]
        return (len(self._recent) - 1) / span if len(self._recent) >= 5 and span > 0 else None

    @property
    def rate(self) -> float | None:
        """Frames a second: one over the median interval. None for fewer than two frames."""
        half = sum(self._intervals.values()) / 2
        for interval in sorted(self._intervals):
            half -= self._intervals[interval]
            if half <= 0:
                return 1e5 / max(interval, 1)
        return None

    @property
    def missing(self) -> float:
        """Share 0..1 of the frames that a steady camera of this rate would have given and that are not there."""
        rate = self.rate
        if rate is None:
            return 0.0
        lost = sum(n * max(0, round(i * rate / 1e5) - 1) for i, n in self._intervals.items())
        return lost / (lost + sum(self._intervals.values()) + 1)

    @property
    def irregular(self) -> float:
        """Share 0..1 of the intervals that differ from the median by more than a quarter of it."""
        rate = self.rate
        if rate is None:
            return 0.0
        odd = sum(n for i, n in self._intervals.items() if abs(i * rate / 1e5 - 1) > 0.25)
        return odd / sum(self._intervals.values())

    def cautions(self, least: float = LEAST) -> list[str]:
        """What a reader of the results must know about the frame rate, one sentence each."""
        if self.rate is None:
            return []
        shown, half = f"{self.rate:.3g} frames a second", 500 / self.rate
        found = []
        if self.rate < TOLERANCE * least:
            found.append(f"{shown}: too few for micro-expressions; at least {least:.3g} are needed, better 100")
        elif self.rate < TOLERANCE * 60:
            found.append(
                f"{shown}: only the longer micro-expressions can be seen, and their apex to within {half:.0f} ms at "
                "best; at least 60, better 100 are recommended"
            )
        elif self.rate < TOLERANCE * 100:
            found.append(f"{shown}: acceptable; the briefest micro-expressions need 100 or more")
        if self.missing > 0.01:
            found.append(f"{self.missing:.0%} of the frames are missing; a movement may be missed there")
        if self.irregular > 0.05:
            found.append(
                f"{self.irregular:.0%} of the frames come early or late; switch off the camera's automatic exposure"
            )
        return found
