"""Feedback on runs, given by the ``langsmith`` client in a thread that nobody waits for."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import threading
import time
import warnings
from collections import deque
from typing import Any, NamedTuple
from urllib.error import HTTPError

from opentelemetry import context

from otelkit.export.http_client import without_credentials
from otelkit.langsmith import _current, _lost
from otelkit.langsmith._project import Project
from otelkit.langsmith._runs import Run

logger = logging.getLogger("otelkit")

_CAPACITY = 1000  # that wait at most
_QUEUE = 30.0  # seconds that the thread waits for the client's queue
_TRIES = 3
_IMPORT = 10.0  # seconds that a fork waits for one
_THREAD = "otelkit-feedback"
_REFUSED = (401, 403)


class _Feedback(NamedTuple):
    project: Project
    run: Run
    key: str
    score: Any
    comment: str | None


_waiting: deque[_Feedback] = deque()  # with those that are under way
_worker: threading.Thread | None = None
_lock = threading.Lock()
_importing = threading.Lock()
_held = False  # by a fork


def give(project: Project, run: Run, key: str, score: Any, comment: str | None) -> None:
    """Sends feedback; returns at once."""
    with _lock:
        full = len(_waiting) >= _CAPACITY
        if not full:
            _waiting.append(_Feedback(project, run, key, score, comment))
        ends = not full and _worker is None and not _start()
    # Not under the lock: whoever handles a warning may give feedback, too.
    if full:
        _lost.warn(key, f"{_CAPACITY} wait to be sent")
    elif ends:
        _lost.warn(key, "no thread can be started")


def _start() -> bool:
    """Whether there is a thread now."""
    global _worker
    worker = threading.Thread(target=_work, name=_THREAD, daemon=True)
    try:
        worker.start()
    except RuntimeError:  # the interpreter ends, or too many threads run
        _waiting.clear()
        return False
    _worker = worker
    return True


def _work() -> None:
    context.attach(context.set_value(context._SUPPRESS_INSTRUMENTATION_KEY, True))
    while batch := _next():
        clients = [_give(one) for one in batch]
        for client in {id(one): one for one in clients if one is not None}.values():
            _flush(client)
        for _ in batch:
            _waiting.popleft()


def _next() -> list[_Feedback]:
    """What waits; where nothing does, the thread is over."""
    global _worker
    with _lock:
        if not _waiting:
            _worker = None
        return list(_waiting)


def _give(feedback: _Feedback) -> Any:
    """Hands it to the client; returns that if it has a queue to be waited for."""
    project, run, key, score, comment = feedback
    try:
        _import()
        project_id = _project_id(project)  # first: a key that is refused gets no client
        client = _client(project.endpoint, project.key, project.workspace, os.getpid())
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
    except ImportError:
        _lost.warn(key, 'install "otelkit[langsmith]" to give any')
    except HTTPError as error:
        hint = "; is LANGSMITH_API_KEY right?" if error.code in _REFUSED else ""
        answer = f"{error.code} {error.reason}{hint}"
        _lost.warn(key, f"{without_credentials(project.endpoint)} answered {answer}")
    except Exception as error:
        _lost.warn(key, f"{without_credentials(project.endpoint)}: {_plain(error)}")
    else:
        return client if queued else None
    return None


def _flush(client: Any) -> None:
    try:
        client.flush(_QUEUE)
    except Exception as error:
        logger.warning("otelkit: feedback may be lost: %s", _plain(error))


def _plain(error: Exception) -> str:
    return str(error).partition("\n")[0]  # further lines show parts of the key


def _import() -> None:
    with _importing:
        import langsmith  # noqa: F401


@functools.cache
def _client(endpoint: str, key: str | None, workspace: str | None, _process: int) -> Any:
    """One client for a process: a forked child has none of its parent's threads."""
    from langsmith import Client

    # The client would ask for it, too, in a thread that holds up the end of the process.
    info = _info(Project(endpoint, None, key, workspace))
    logging.getLogger("langsmith.client").addFilter(_is_not_ours)
    warnings.filterwarnings("ignore", "Creating feedback .* without session_id", module=__name__)
    client = Client(api_url=endpoint, api_key=key, workspace_id=workspace, info=info)
    atexit.unregister(_wait)
    atexit.register(_wait)  # after the client has: the last one registered goes first
    return client


def _info(project: Project) -> Any:
    """What LangSmith says of itself; raises where there is none."""
    for attempt in range(1, _TRIES):
        try:
            return project.ask("/info")
        except HTTPError:
            raise
        except OSError:
            time.sleep(attempt / 2)
    return project.ask("/info")


def _project_id(project: Project) -> str | None:
    """None where it is not known, without which feedback is taken, too."""
    try:
        return project.id()
    except Exception as error:
        if isinstance(error, HTTPError) and error.code in _REFUSED:
            raise
        return None


def _is_not_ours(record: logging.LogRecord) -> bool:
    """What the client logs here is raised as well, and said by this package."""
    return record.threadName != _THREAD


@atexit.register
def _wait() -> None:
    if (worker := _worker) is not None:
        worker.join(_current.patience)
    if left := len(_waiting):
        logger.warning("otelkit: feedback is lost: %d not sent in time", left)


def _before_fork() -> None:
    # Half of a package is all that a child would ever have of one that is being imported.
    global _held
    _held = _importing.acquire(timeout=_IMPORT)


def _after_fork_in_parent() -> None:
    if _held:
        _importing.release()


def _after_fork_in_child() -> None:
    global _worker, _lock, _importing
    _waiting.clear()  # they are the parent's to send
    _worker, _lock, _importing = None, threading.Lock(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
