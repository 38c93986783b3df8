"""Feedback on runs, given by the ``langsmith`` client, in threads that nobody waits for."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import threading
import time
from typing import Any

from opentelemetry import context

from otelkit.langsmith._project import Project
from otelkit.langsmith._runs import Run

logger = logging.getLogger("otelkit")

_PATIENCE = 3.0  # seconds that an ending process waits for what is under way
_QUEUE = 30.0  # seconds that a thread waits for the client's queue
_TRIES = 3

_threads: set[threading.Thread] = set()


def give(project: Project, run: Run, key: str, score: Any, comment: str | None) -> None:
    """Sends feedback; returns at once."""
    arguments = (project, run, key, score, comment)
    thread = threading.Thread(target=_give, args=arguments, name="otelkit-feedback", daemon=True)
    _threads.add(thread)
    try:
        thread.start()
    except RuntimeError:  # the interpreter ends
        _threads.discard(thread)
        logger.warning("otelkit: feedback %r is lost: no thread can be started", key)


def _give(project: Project, run: Run, key: str, score: Any, comment: str | None) -> None:
    context.attach(context.set_value(context._SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        client = _client(project.endpoint, project.key, os.getpid())
        project_id, _ = project.id(), client.info  # what has to be asked for is asked for here
        # With a trace id the client queues it, and the run need not have arrived. But the thread
        # behind that queue ends with the main thread; without one it is sent from here.
        queued = threading.main_thread().is_alive()
        client.create_feedback(
            run.id,
            key,
            score=score,
            comment=comment,
            trace_id=run.trace_id if queued else None,
            session_id=project_id,
            start_time=run.started,
            stop_after_attempt=_TRIES,
        )
        if queued:
            client.flush(_QUEUE)
    except ImportError:
        logger.warning(
            'otelkit: feedback %r is lost: install "otelkit[langsmith]" to give any', key
        )
    except Exception as error:
        logger.warning("otelkit: feedback %r is lost: %s", key, error)
    finally:
        _threads.discard(threading.current_thread())


@functools.cache
def _client(endpoint: str, key: str | None, _process: int) -> Any:
    """One client for a process: a forked child has none of its parent's threads."""
    from langsmith import Client

    client = Client(api_url=endpoint, api_key=key)
    atexit.register(_wait)  # again, after the client has: the last one registered goes first
    return client


@atexit.register
def _wait() -> None:
    deadline = time.monotonic() + _PATIENCE
    for thread in list(_threads):
        thread.join(max(0.0, deadline - time.monotonic()))
    if left := len(_threads):
        _threads.clear()
        logger.warning("otelkit: feedback is lost: %d not sent in time", left)
