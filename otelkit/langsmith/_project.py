"""The project that runs are in, and where they can be looked at."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.request
from typing import Any
from urllib.parse import quote, urlsplit

from opentelemetry.instrumentation.utils import suppress_instrumentation

from otelkit.export.http_client import without_credentials
from otelkit.langsmith._runs import Run

_PATIENCE = 5.0  # seconds for one request
_LONGEST = 65_536  # bytes of its answer
_PAUSE = 60.0  # seconds between two


class Project:
    """A project at LangSmith.

    A run's web address contains two ids that only LangSmith knows. They are asked for once
    something has been sent (a project comes to be with its first run), in a thread of its own, so
    that nobody waits for them; until then LangSmith finds a run by its own id under ``/r/``.

    Args:
        endpoint: LangSmith's API.
        name: Of the project; None for LangSmith's ``default``.
        key: The key of its API; None where there is none to ask with.
        workspace: For a key that is valid in several.
    """

    def __init__(
        self, endpoint: str, name: str | None, key: str | None, workspace: str | None = None
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.name = name or "default"
        self.key = key
        self.workspace = workspace
        self._site = _site(without_credentials(self.endpoint))  # links are for everybody to see
        self._ids: tuple[str, str] | None = None  # of workspace and project
        self._not_before = 0.0

    def address(self, run: Run) -> str:
        """The web address of ``run``; good once the run has arrived."""
        if self._ids is None:
            return f"{self._site}/r/{run.id}"
        workspace, project = self._ids
        return f"{self._site}/o/{workspace}/projects/p/{project}/r/{run.id}"

    def look_up(self) -> None:
        """Begins to ask for the ids, unless they are known; returns at once."""
        now = time.monotonic()
        if self._ids is not None or self.key is None or now < self._not_before:
            return
        self._not_before = now + _PAUSE
        try:
            threading.Thread(target=self._try, name="otelkit-langsmith", daemon=True).start()
        except RuntimeError:
            pass  # the interpreter ends

    def id(self) -> str:
        """The project's id, for which LangSmith may have to be asked.

        Raises:
            Exception: LangSmith does not tell.
        """
        if self._ids is None:
            found = self.ask(f"/sessions?limit=1&name={quote(self.name, safe='')}")
            self._ids = str(found[0]["tenant_id"]), str(found[0]["id"])
        return self._ids[1]

    def ask(self, path: str) -> Any:
        """What LangSmith's API answers to a GET.

        Raises:
            OSError: There is no answer, or no good one.
            ValueError: It is no JSON.
        """
        headers = credentials(self.key, self.workspace)
        request = urllib.request.Request(f"{self.endpoint}{path}", headers=headers)  # noqa: S310
        opener = urllib.request.build_opener(_Nowhere)
        with suppress_instrumentation(), opener.open(request, timeout=_PATIENCE) as answer:
            return json.loads(answer.read(_LONGEST))

    def _try(self) -> None:
        with contextlib.suppress(Exception):
            self.id()


class _Nowhere(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the key would go along, wherever that leads."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def credentials(key: str | None, workspace: str | None) -> dict[str, str]:
    """The headers by which LangSmith knows a caller."""
    return {"x-api-key": key or "", **({"x-tenant-id": workspace} if workspace else {})}


def _site(api: str) -> str:
    """The web site that belongs to an API, as LangSmith's own client has it."""
    parts = urlsplit(api)
    if parts.hostname in ("localhost", "127.0.0.1", "0.0.0.0", "::1"):  # noqa: S104
        return "http://localhost"
    path = parts.path.removesuffix("/v1")
    if path.endswith("/api"):
        return parts._replace(path=path.removesuffix("/api")).geturl()
    return parts._replace(netloc=parts.netloc.replace("api.smith.", "smith."), path="").geturl()
