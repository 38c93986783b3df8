"""Answers HTTP requests: OTLP comes in, the page and its JSON go out."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from otelkit.viewer import api, body, guard, otlp
from otelkit.viewer.body import Refused

if TYPE_CHECKING:
    from otelkit.viewer.server import Server

_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
# Scripts and styles come from the viewer's own files only, so that nothing which telemetry brings
# along can run; and no other site may frame the page or read an answer.
_SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_LINGER_SECONDS = 10.0
_SILENT_SECONDS = 3.0


def _static_files() -> dict[str, tuple[bytes, str]]:
    folder = resources.files("otelkit.viewer") / "static"
    files = {
        f"/{file.name}": (file.read_bytes(), _TYPES[file.name.rpartition(".")[2]])
        for file in folder.iterdir()
    }
    return files | {"/": files["/page.html"]}


class Handler(BaseHTTPRequestHandler):
    """One connection of a client, for as many requests as it sends."""

    protocol_version = "HTTP/1.1"
    server_version = "otelkit-view"
    sys_version = ""
    timeout = 30  # seconds that a client may be silent, within a request or between two
    disable_nagle_algorithm = True
    server: Server
    _static = _static_files()

    def _answer(self) -> None:
        self._body_is_read = not (
            "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0"
        )
        try:
            guard.check(self.headers, self.server.bound, method=self.command)
            self._route()
        except Refused as refused:
            self._refuse(refused)
        except sqlite3.Error as error:
            self._refuse(Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"the database failed: {error}"))
        if not self._body_is_read:
            self._linger()

    # the names that http.server looks for; which path takes which method is said by _route()
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer

    def _route(self) -> None:
        try:
            url = urlsplit(self.path)
        except ValueError:
            raise Refused(HTTPStatus.BAD_REQUEST, "the URL is malformed") from None
        name = url.path.removeprefix("/v1/")
        if url.path.startswith("/v1/") and name in otlp.SIGNALS:
            self._allow("POST")
            self._receive(name)
        elif url.path in self._static:
            self._allow("GET", "HEAD")
            self._send(HTTPStatus.OK, *self._static[url.path])
        elif url.path == "/health":
            self._allow("GET", "HEAD")
            self._send_json(HTTPStatus.OK, {"status": "healthy"})
        elif url.path.startswith("/api/"):
            self._allow("GET", "HEAD")
            self._query(url.path, url.query)
        else:
            raise Refused(HTTPStatus.NOT_FOUND, f"there is nothing at {url.path}")

    def _allow(self, *methods: str) -> None:
        if self.command not in methods:
            raise Refused(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"{self.command} is not for this path; it takes {' and '.join(methods)}",
                {"Allow": ", ".join(methods)},
            )

    def _receive(self, name: str) -> None:
        content_type = self.headers.get_content_type()
        if content_type not in (otlp.PROTOBUF, otlp.JSON):
            raise Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"send Content-Type {otlp.PROTOBUF} or {otlp.JSON}",
            )
        signal = otlp.SIGNALS[name]
        packed = body.read(self.rfile, self.headers)
        self._body_is_read = True
        try:
            records, refused = otlp.read(signal, packed, content_type)
        except otlp.Malformed as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
        self.server.store.add(name, records)
        answer = otlp.accepted(signal, refused, content_type)
        self._send(HTTPStatus.OK, answer, content_type)

    def _query(self, path: str, query: str) -> None:
        # taken before the answer is made: at worst the next request repeats it
        tag = f'"{self.server.store.version}"'
        if self.headers.get("If-None-Match") == tag:
            self._send(HTTPStatus.NOT_MODIFIED, b"", otlp.JSON, {"ETag": tag})
        else:
            answer = api.answer(self.server.store, path, query)
            self._send_json(HTTPStatus.OK, answer, {"ETag": tag})

    def _refuse(self, refused: Refused) -> None:
        if self.headers.get_content_type() == otlp.PROTOBUF:
            answer = otlp.failed(refused.message, otlp.PROTOBUF)
            self._send(refused.status, answer, otlp.PROTOBUF, refused.headers)
        else:
            self._send_json(refused.status, {"message": refused.message}, refused.headers)

    def _send_json(
        self, status: HTTPStatus, answer: Any, headers: dict[str, str] | None = None
    ) -> None:
        content = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
        self._send(status, content, otlp.JSON, headers)

    def _send(
        self,
        status: HTTPStatus,
        content: bytes,
        content_type: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        fixed = {"Content-Type": content_type, "Cache-Control": "no-cache", **_SECURITY}
        if status != HTTPStatus.NOT_MODIFIED:
            fixed["Content-Length"] = str(len(content))
        if not self._body_is_read:
            # what is left of the body would be taken for the next request; sets close_connection
            fixed["Connection"] = "close"
        for name, value in {**fixed, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _linger(self) -> None:
        """Reads on while the client sends: closing would reset the connection before it reads."""
        deadline = time.monotonic() + _LINGER_SECONDS
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_SILENT_SECONDS)
            while time.monotonic() < deadline and self.rfile.read1(64 * 1024):
                pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers what `http.server` itself cannot read, such as a malformed request line."""
        self._body_is_read = False  # nobody knows where the next request would begin
        self.request_version = self.protocol_version  # else there would be no status line
        status = HTTPStatus(code)
        self._send_json(status, {"message": message or explain or status.phrase})

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: an application in this process would export it to the viewer again."""
