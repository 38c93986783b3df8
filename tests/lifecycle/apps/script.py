"""A script that works three times and then ends in the way that its argument names."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

from tests.lifecycle.apps.work import flush, setup, work


def _handler(number: int, frame: FrameType | None) -> None:
    work("handler")
    sys.exit(7)


def _sleep() -> None:
    _say("ready")
    while True:
        time.sleep(0.05)


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main(ending: str) -> None:
    if ending == "handler before":
        signal.signal(signal.SIGTERM, _handler)
    setup()
    if ending == "handler after":
        signal.signal(signal.SIGTERM, _handler)
    for _ in range(3):
        work("main")
    if ending == "exit 3":
        sys.exit(3)
    if ending == "exception":
        raise ValueError("as intended")
    if ending == "flush, signal":
        flush()
    if "signal" in ending or "handler" in ending:
        _sleep()
    _say("last line")


if __name__ == "__main__":
    main(sys.argv[1])
