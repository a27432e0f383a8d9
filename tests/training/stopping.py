"""The command, with a signal at an exact step: stopping.py SIGNAL STEP self|parent ARGUMENTS...

The last of several processes sends it, to itself or to the one that started it, before that step of its first start;
with "parent", it goes on once the signal has come back. STEP "setup" is the moment before the run's folder is made.
"""

import os
import signal
import sys
import time

from srvp_lite.cli import main
from srvp_lite.training import loop
from srvp_lite.training.step import Step
from srvp_lite.training.stop import StopRequest

name, when, target, *arguments = sys.argv[1:]
last = os.environ.get("RANK", "0") == str(int(os.environ.get("WORLD_SIZE", "1")) - 1)
first_start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
arrived = []


def send() -> None:
    os.kill(os.getpid() if target == "self" else os.getppid(), getattr(signal, name))
    while target == "parent" and not arrived:
        time.sleep(0.01)


def before(function, condition):
    def wrapped(*args, **kwargs):
        if last and first_start and condition(*args):
            send()
        return function(*args, **kwargs)

    return wrapped


def noticed(self, number, frame, request=StopRequest.request):
    arrived.append(number)
    request(self, number, frame)


StopRequest.request = noticed
if when == "setup":
    loop.open_folder = before(loop.open_folder, lambda *args: True)
else:
    Step.__call__ = before(Step.__call__, lambda self, x, step, *rest: step == int(when))
main(arguments)
