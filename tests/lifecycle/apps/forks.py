"""A parent that works, makes children in the way that its argument names, and works again."""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.lifecycle.apps.work import setup, work

CHILDREN = 3


def child(number: int) -> None:
    """In a spawned process this is the first to run, in a forked one telemetry is there."""
    setup()
    work(f"child {number}")


def by_hand(*, by_sys_exit: bool) -> None:
    children = []
    for number in range(CHILDREN):
        pid = os.fork()
        if pid == 0:
            work(f"child {number}")
            if by_sys_exit:
                sys.exit(0)
            os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0


def by_multiprocessing(method: str) -> None:
    context = multiprocessing.get_context(method)
    children = [context.Process(target=child, args=(n,)) for n in range(CHILDREN)]
    for process in children:
        process.start()
    for process in children:
        process.join()
        assert process.exitcode == 0


def by_pool(method: str) -> None:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(child, range(CHILDREN)))


def main(way: str) -> None:
    setup()
    work("parent")
    kind, _, detail = way.partition(" ")
    if kind == "os.fork,":
        by_hand(by_sys_exit=detail == "sys.exit")
    elif kind == "multiprocessing":
        by_multiprocessing(detail)
    else:
        by_pool(detail)
    work("parent")


if __name__ == "__main__":
    main(sys.argv[1])
