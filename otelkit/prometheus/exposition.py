"""The page of metrics: collected, added up with those of other workers, and written, on request.

All of it happens in one thread. So the event loop of the application goes on meanwhile, two scrapes
never mix, and however many arrive, one page is being made and at most one of each format waits.
"""

from __future__ import annotations

import gzip
import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from math import inf
from queue import Empty, SimpleQueue
from typing import NamedTuple

from opentelemetry.sdk.metrics.export import MetricsData

from otelkit.prometheus import aliases, text, translate
from otelkit.prometheus.families import Exemplar, Family, Labels, sample_names
from otelkit.prometheus.listener import Listener
from otelkit.prometheus.negotiation import Format
from otelkit.prometheus.workers import Worker
from otelkit.settings import Settings

_log = logging.getLogger("otelkit")

BEAT = 1.0  # seconds between two snapshots of a worker; more where one takes long
_IDLE_BEAT = 30.0  # the same where nobody scrapes
_PATIENCE = 0.3  # seconds that the end of telemetry waits for the thread
_EXEMPLARS = 32  # kept of one series, until a page shows them
_SHARE = 20  # a snapshot takes at most one part in so many of the time


class Page(NamedTuple):
    """A page of metrics, and what its headers say."""

    headers: dict[str, str]
    body: bytes


class Exposition:
    """Makes pages until it is closed.

    Args:
        settings: Namespace, aliases, host and path.
        read: Collects the metrics of this process.
        worker: This process among others; None if it is alone.
        port: Where to listen, too.
    """

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], MetricsData | None],
        worker: Worker | None = None,
        port: int | None = None,
    ) -> None:
        self._worker = worker
        self._listener: Listener | None = None
        self.path = settings.metrics_path or "/metrics"  # of the listener
        self._port = port
        self._settings = settings
        self._read = read
        self._published = -inf
        self._said: set[str] = set()
        self._exemplars: dict[str, dict[Labels, list[Exemplar]]] = {}
        self._lock = threading.Lock()
        self._waiting: dict[Format, Future[Page]] = {}
        self._asked: SimpleQueue[Format | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        if worker is not None or port is not None:
            self._start()

    def page(self, wanted: Format) -> Future[Page]:
        """A page with what is measured until now; it fails when that cannot be collected."""
        with self._lock:
            page = self._waiting.get(wanted)
            if page is None:
                page = self._waiting[wanted] = Future()
                page.set_running_or_notify_cancel()  # it may be of several; nobody cancels it
                self._asked.put(wanted)
            self._start()
            return page

    def close(self) -> None:
        """Ends the thread, after the pages that are asked for, and the listener."""
        self._asked.put(None)
        if self._thread is not None:
            self._thread.join(_PATIENCE)

    def forked(self) -> None:
        """In a forked child: thread and port are somebody else's."""
        if self._listener is not None:
            self._listener.forked()

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="otelkit-metrics", daemon=True)
            thread.start()
            self._thread = thread

    def _work(self) -> None:
        pause: float | None = 0.0
        while True:
            try:
                wanted = self._asked.get(timeout=pause)
            except Empty:
                pause = self._beat()
                continue
            if wanted is None:
                break
            with self._lock:
                page = self._waiting.pop(wanted)
            try:
                page.set_result(self._page(wanted))
            except Exception as error:
                self._warn("the page of metrics cannot be made", error)
                page.set_exception(error)
        if self._listener is not None:
            self._listener.close()

    def _beat(self) -> float | None:
        """Does what is due; returns the seconds until it is due again, None for never."""
        started = time.monotonic()
        if self._port is not None and self._listener is None:
            try:
                self._listener = Listener(self._settings.metrics_host, self._port, self)
            except (OSError, ValueError) as error:  # the second: a host no name server is asked for
                if self._worker is None:  # else another worker has it
                    what = f"nobody can be answered on port {self._port}"
                    self._warn(f"OTELKIT_METRICS_PORT: {what}", error)
        if self._worker is None:
            return None if self._listener or self._port is None else BEAT
        if started - self._published < _IDLE_BEAT and not self._worker.is_watched():
            return BEAT
        try:
            self._publish(self._worker, self._collected(self._read()).values())
        except Exception as error:
            self._warn("the other workers do not see the metrics of this one", error)
        self._published = time.monotonic()
        return max(BEAT, _SHARE * (self._published - started))

    def _publish(self, worker: Worker, families: Iterable[Family]) -> None:
        worker.publish(families)
        if worker.ledger.trouble:
            self._warn("the other workers miss series of this one", worker.ledger.trouble)

    def _page(self, wanted: Format) -> Page:
        shown = sorted(self._families().values(), key=lambda family: family.name)
        body = text.write(shown, openmetrics=wanted.openmetrics).encode(errors="replace")
        kind = text.OPENMETRICS if wanted.openmetrics else text.PROMETHEUS
        if wanted.openmetrics:
            self._exemplars.clear()  # they are told
        headers = {"content-type": kind, "vary": "accept, accept-encoding"}
        if wanted.compressed:
            body = gzip.compress(body, compresslevel=1)
            headers["content-encoding"] = "gzip"
        return Page({**headers, "content-length": str(len(body))}, body)

    def _families(self) -> dict[str, Family]:
        data = self._read()
        found = self._collected(data)
        if self._worker is not None:
            self._publish(self._worker, found.values())
            found = self._worker.together()
        for name, exemplars in self._exemplars.items():
            if name in found:  # examples of one worker are examples enough
                found[name].exemplars = exemplars
        if data is not None:
            target = translate.target(data, one_of_several=self._worker is not None)
            found[target.name] = target
        chosen = self._settings.metrics_namespace, self._settings.metrics_aliases
        derived = aliases.derive(found, *chosen)
        return self._without_clashes([*found.values(), *derived])

    def _collected(self, data: MetricsData | None) -> dict[str, Family]:
        """The families of this process; every collection takes the exemplars away from the SDK."""
        elsewhere = self._worker.ledger.families if self._worker is not None else ()
        found = translate.families(data, elsewhere)
        for name, family in found.items():
            if family.exemplars:
                kept = self._exemplars.setdefault(name, {})
                for labels, exemplars in family.exemplars.items():
                    kept[labels] = [*kept.get(labels, ()), *exemplars][-_EXEMPLARS:]
        return found

    def _without_clashes(self, families: list[Family]) -> dict[str, Family]:
        """The families by name, without those whose samples have names that are taken."""
        taken: set[str] = set()
        found: dict[str, Family] = {}
        for family in families:
            samples = {family.name, *sample_names(family)}
            if samples & taken:
                self._warn(f"{family.name} is not shown", "the name is taken by another metric")
            else:
                taken |= samples
                found[family.name] = family
        return found

    def _warn(self, what: str, why: object) -> None:
        if what not in self._said:
            self._said.add(what)
            _log.warning("otelkit: %s: %s", what, why)
