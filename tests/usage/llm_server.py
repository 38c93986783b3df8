"""A server on this machine that answers as an LLM's API does, out of payload files."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from usage_payloads import events, response

# path: payload of a whole response, payload of a stream, whether events are named
_ROUTES = {
    "/v1/chat/completions": ("openai_chat", "openai_chat_stream", False),
    "/v1/responses": ("openai_response", "openai_response_stream", True),
    "/v1/embeddings": ("openai_embeddings", "", False),
    "/v1/messages": ("anthropic_message", "anthropic_stream", True),
}
BREAK_AFTER = "x-break-after"  # a request header: cut the stream off after so many events


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave half-way are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        whole, stream, named = _ROUTES[self.path]
        if request.get("stream"):
            self._stream(events(stream), named)
        else:
            body = json.dumps(response(whole)).encode()
            self._head("application/json", **{"content-length": str(len(body))})
            self.wfile.write(body)

    def _stream(self, sent: list[dict[str, Any]], named: bool) -> None:
        self._head("text/event-stream", **{"transfer-encoding": "chunked"})
        end = int(self.headers.get(BREAK_AFTER, len(sent)))
        for event in sent[:end]:
            name = f"event: {event['type']}\n" if named else ""
            self._chunk(f"{name}data: {json.dumps(event)}\n\n")
        if end < len(sent):
            self.close_connection = True  # without the last, empty chunk: broken off
            return
        if not named:
            self._chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, content_type: str, **headers: str) -> None:
        self.send_response(200)
        self.send_header("content-type", content_type)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[str]:
    """The address of a running server."""
    server = _Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
