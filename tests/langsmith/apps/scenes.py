"""One process that runs an application several times, each time with variables of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from langsmith import run_trees, utils


def play(run: Callable[[dict[str, str]], None], scenes: Iterable[dict[str, str]]) -> None:
    """Calls ``run`` with each of ``scenes``, as if each were a process with these variables.

    ``LATE`` makes langsmith's client before anything else.
    """
    for scene in scenes:
        os.environ.update(scene)
        for cached in (utils.get_env_var, utils.get_tracer_project):
            cached.cache_clear()
        run_trees._CLIENT = None
        if "LATE" in scene:
            run_trees.get_cached_client()
        run(scene)
        for name in scene:
            del os.environ[name]
