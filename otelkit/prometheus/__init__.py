"""Metrics for Prometheus: a page on the application, or on a port of its own.

``setup()`` installs it; no package beyond the SDK is needed. The way of a page, one module a step:
:mod:`~otelkit.prometheus.translate` makes families of what the SDK has collected,
:mod:`~otelkit.prometheus.workers` adds those of other workers of the same server,
:mod:`~otelkit.prometheus.aliases` derives the names that dashboards already use,
:mod:`~otelkit.prometheus.text` writes them down, and
:mod:`~otelkit.prometheus.exposition` does all of it in a thread, on request.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

    from otelkit.prometheus.exposition import Exposition, Page
    from otelkit.prometheus.negotiation import Format
    from otelkit.prometheus.workers import Worker
    from otelkit.settings import Settings

    Read = Callable[[], MetricsData | None]

_installed: tuple[Settings, Read] | None = None
_exposition: Exposition | None = None
_worker: Worker | None = None  # for the life of the process: what is counted, stays
_child_of_worker = False


def install(settings: Settings, read: Read) -> list[str]:
    """Answer with metrics from now on; returns what stands in the way, a text each.

    Args:
        settings: What was decided.
        read: Collects the metrics of this process.
    """
    global _installed
    uninstall()
    _installed = (settings, read)
    problems = _join(settings)
    # Not where gunicorn loads the application before it forks: there the workers will listen.
    _start(listens=_worker is not None or "gunicorn.arbiter" not in sys.modules)
    return problems


def uninstall() -> None:
    """Answer no longer."""
    global _installed, _exposition
    if _exposition is not None:
        _exposition.close()
    _installed = _exposition = None


def renew() -> None:
    """Begin anew in a forked child, once the providers have; gunicorn's workers may be such."""
    if _installed is not None:
        if not _child_of_worker:
            _join(_installed[0])
        _start(listens=_worker is not None)


def path() -> str:
    """The path of the page on applications; empty where there is none."""
    return _installed[0].metrics_path if _installed else ""


def page(wanted: Format) -> Future[Page]:
    """A page of what is measured until now.

    Raises:
        RuntimeError: Nothing is installed, or no thread can be started.
    """
    if _exposition is None:
        raise RuntimeError("telemetry has ended")
    return _exposition.page(wanted)


def _join(settings: Settings) -> list[str]:
    global _worker
    if _worker is not None:
        return []
    from otelkit import semconv
    from otelkit.prometheus import workers

    named = settings.resource_attributes.get(semconv.SERVICE_NAME)
    try:
        _worker = workers.join(settings.service_name or named or "")
    except Exception as error:
        return [
            f"each worker will show metrics of its own ({error}); have Prometheus ask a collector"
        ]
    return []


def _start(*, listens: bool) -> None:
    global _exposition
    if _installed is not None:
        from otelkit.prometheus.exposition import Exposition

        settings, read = _installed
        port = settings.metrics_port if listens else None
        _exposition = Exposition(settings, read, _worker, port)


def _forked() -> None:
    # What the parent holds is the parent's; an open file would hold its lock beyond its end.
    global _worker, _exposition, _child_of_worker
    if _exposition is not None:
        _exposition.forked()
    if _worker is not None:
        _worker.leave()
    _child_of_worker = _child_of_worker or _worker is not None
    _worker = _exposition = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
