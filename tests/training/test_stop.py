"""Stopping: signals ask once, and kill when they are meant."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from srvp_lite.training import stop
from srvp_lite.training.stop import StopRequest


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_several_signals_at_once_are_one_wish(first):
    before = [signal.getsignal(number) for number in StopRequest.signals]
    with StopRequest() as request:
        assert not request.requested
        os.kill(os.getpid(), first)
        assert request.requested
        for number in StopRequest.signals:
            os.kill(os.getpid(), number)
    assert [signal.getsignal(number) for number in StopRequest.signals] == before


@pytest.mark.slow
def test_a_later_signal_kills():
    code = """
import os, signal
from srvp_lite.training import stop
now = 100.0
stop.time.monotonic = lambda: now
with stop.StopRequest():
    os.kill(os.getpid(), signal.SIGINT)
    now += stop.PATIENCE
    os.kill(os.getpid(), signal.SIGTERM)
    print("alive", flush=True)
    now += 0.1
    os.kill(os.getpid(), signal.SIGTERM)
    print("still alive", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "alive\n" and done.returncode == -signal.SIGTERM


def test_other_threads_leave_signals_alone():
    seen = []

    def work():
        before = signal.getsignal(signal.SIGTERM)
        with StopRequest() as request:
            seen.append(signal.getsignal(signal.SIGTERM) is before and not request.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True] and stop.PATIENCE > 0
