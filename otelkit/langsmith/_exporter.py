"""What goes to LangSmith: OTLP over HTTP, in small requests, with its answers understood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otelkit.export.exporter import Answer, Batch
from otelkit.export.http_client import Response
from otelkit.export.otlp_http import OtlpHttpExporter
from otelkit.langsmith._copies import Copies
from otelkit.langsmith._project import Project
from otelkit.langsmith.bridge import Ended
from otelkit.settings import Otlp

_AT_MOST = 100  # runs in one request: with prompts and answers they are large
_TRIES = 8  # of a request that the server fails on: some 90 s, then the next one has its turn
_FAILED = 500  # LangSmith's own client tries again after these, too
_PASSING = frozenset({408, 425})
_REFUSED = frozenset({401, 403})


class LangsmithExporter(OtlpHttpExporter):
    """Sends the copies of spans.

    Args:
        destination: Address, headers and the rest.
        copies: How a span is written for LangSmith.
        project: Looked up when something has arrived.
    """

    def __init__(self, destination: Otlp, copies: Copies, project: Project) -> None:
        super().__init__("traces", destination)
        self._copies = copies
        self._project = project
        self._failures = 0  # of the server, in a row, hence with the same request

    def prepare(self, items: Sequence[Any]) -> tuple[list[Batch], int]:
        """Copies and encodes spans; what defies it is left out."""
        copies = []
        for item in items:
            try:
                copies.append(self._copies.sent(*item) if isinstance(item, Ended) else item)
            except Exception:
                pass  # counted below
        batches: list[Batch] = []
        lost = len(items) - len(copies)
        for first in range(0, len(copies), _AT_MOST):
            some, failed = super().prepare(copies[first : first + _AT_MOST])
            batches += some
            lost += failed
        return batches, lost

    def send(self, batch: Batch, timeout: float) -> Answer:
        """Posts one request within ``timeout`` seconds."""
        answer = super().send(batch, timeout)
        if answer.outcome == "sent":
            self._project.look_up()
        return answer

    def _understood(self, response: Response) -> Answer:
        answer = super()._understood(response)
        if response.status in _PASSING:
            return answer._replace(outcome="retry")
        if response.status in _REFUSED:
            return answer._replace(error=f"{answer.error}; is LANGSMITH_API_KEY right?")
        if response.status != _FAILED:
            self._failures = 0
            return answer
        self._failures = (self._failures + 1) % _TRIES
        return answer._replace(outcome="retry") if self._failures else answer
