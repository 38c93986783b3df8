"""A script that works and then ends in the way that its argument names."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType

from tests.lifecycle.apps.work import setup, work


def _own_handler(number: int, frame: FrameType | None) -> None:
    work("in handler")
    sys.exit(7)


def main(ending: str) -> None:
    if ending == "own handler before":
        signal.signal(signal.SIGTERM, _own_handler)
    setup()
    if ending == "own handler after":
        signal.signal(signal.SIGTERM, _own_handler)
    if ending == "sigterm ignored":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(3):
        work("main")
    if ending == "exit 3":
        sys.exit(3)
    if ending == "exception":
        raise ValueError("as intended")
    if ending == "signal":
        print("ready", flush=True)
        while True:
            time.sleep(0.05)
    if ending.startswith("own handler"):
        print("ready", flush=True)
        while True:
            time.sleep(0.05)
    if ending == "os._exit in the parent":
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
