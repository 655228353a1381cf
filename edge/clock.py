"""The plant's clock as the gateway reads it: real time, or a simulated line's that runs faster."""

import time


class Clock:
    """UTC microseconds, from a start on at a speed.

    Parameters
    ----------
    speed
        Plant seconds a real second; 1 with ``start_us`` None is the system's clock, with all its corrections.
    start_us
        Plant time now.
    """

    def __init__(self, speed: float = 1.0, start_us: int | None = None) -> None:
        self.speed = speed
        self._start_us = start_us
        self._began = time.monotonic_ns()

    def restart(self) -> None:
        """Begin at the start again; nothing to the system's clock."""
        self._began = time.monotonic_ns()

    def now_us(self) -> int:
        """Plant time now."""
        if self._start_us is None:
            return time.time_ns() // 1000
        return self._start_us + int((time.monotonic_ns() - self._began) / 1000 * self.speed)
