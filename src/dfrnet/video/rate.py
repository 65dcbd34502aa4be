"""The frame rate that time stamps show: cameras and headers promise others."""

from __future__ import annotations

from collections import Counter, defaultdict, deque

LEAST = 23.976  # frames a second, those of film: below, nothing is said of micro-expressions
TOLERANCE = 0.98  # a camera of 30 frames a second may give 29.5
FEW = 5  # frames that tell a rate
REGULAR = 0.25  # share of the median by which an interval may differ from it
PAUSE = 0.25  # seconds without a frame in which a movement may be missed; the spotter begins anew after as many


class FrameRate:
    """What time stamps, in ascending order, say of a recording; its state does not grow with it."""

    def __init__(self) -> None:
        self.recent: float | None = None
        self._recent: deque[float] = deque()
        self._intervals: Counter[int] = Counter()  # in hundredths of a millisecond, up to a second
        self._seconds: dict[int, float] = defaultdict(float)  # what the intervals of each length are together

    def update(self, time: float) -> float | None:
        """Frames a second over the last second, also in ``recent``; None before ``FEW`` frames.

        It is counted anew after a pause that a steady camera of the rate before would not have made.
        """
        if self._recent:
            step = time - self._recent[-1]
            interval = min(round(step * 1e5), 100_000)
            self._intervals[interval] += 1
            self._seconds[interval] += step
            if step > PAUSE and step * (self.recent or 0.0) > FEW:
                self._recent.clear()
        self._recent.append(time)
        while len(self._recent) > FEW and time - self._recent[0] > 1:
            self._recent.popleft()
        span = time - self._recent[0]
        self.recent = (len(self._recent) - 1) / span if len(self._recent) >= FEW and span > 0 else None
        return self.recent

    @property
    def since(self) -> float:
        """From when on ``recent`` holds, seconds: the first answer holds for the frames before it too."""
        return self._recent[0] if len(self._recent) <= FEW else self._recent[-1]

    @property
    def rate(self) -> float | None:
        """Frames a second, where they come regularly. None for fewer than two frames.

        It is one over the mean of the intervals that are near the median: of stamps in whole milliseconds, as some
        containers have them, the median alone is wrong by 1 %, and by thousands of frames in an hour.
        """
        half = sum(self._intervals.values()) / 2
        for middle in sorted(self._intervals):
            half -= self._intervals[middle]
            if half <= 0:
                near = [interval for interval in self._intervals if abs(interval - middle) <= middle * REGULAR]
                seconds = sum(self._seconds[interval] for interval in near)
                return sum(self._intervals[interval] for interval in near) / max(seconds, 1e-5)
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
        odd = sum(n for i, n in self._intervals.items() if abs(i * rate / 1e5 - 1) > REGULAR)
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
