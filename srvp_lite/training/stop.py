"""A signal that asks a run to save and stop, instead of killing it."""

from __future__ import annotations

import signal
import threading
import time

PATIENCE = 0.5  # seconds


class StopRequest:
    """`requested` is True once SIGTERM or SIGINT (Ctrl-C) has come. A second one, later than PATIENCE, kills.

    Used as a context, which puts the handlers that were there before back at its end. Where Python allows no handlers
    (in any thread but the main one) nothing sets `requested`, and a signal does what it did before.
    """

    signals = (signal.SIGTERM, signal.SIGINT)

    def __init__(self):
        self.requested, self.since, self.before = False, 0.0, {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self.request) for number in self.signals}
        return self

    def request(self, number: int, frame: object) -> None:
        now = time.monotonic()
        if not self.requested:
            self.requested, self.since = True, now
        elif now - self.since > PATIENCE:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        # One wish to stop may come as several signals within milliseconds: a terminal sends Ctrl-C to a process and to
        # the parent that passes it on, Jupyter interrupts the kernel and its children. Only who asks again means it.

    def __exit__(self, *exception: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
