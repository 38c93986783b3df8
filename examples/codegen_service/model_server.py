"""A small local server that speaks the chat-completions protocol, for where there is no API key.

It streams, calls tools and counts tokens as the real one does. It also fails on request: a fault
after an `@` in the name of the model, such as `gpt-5-mini@error=500`, does one of these:

    error=STATUS        every attempt is answered with this HTTP status
    error-once=STATUS   only the first attempt; the client's retry succeeds
    delay=SECONDS       the answer comes this much later
    truncate            a streamed answer breaks off in the middle
    garbage             the answer is nonsense
    garbage-once        the answer is nonsense until the client asks again
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .model_answers import Answer, answer, count_tokens

MAX_BODY = 8 * 1024 * 1024
# The real one caches blocks of 128 tokens, from 1024 on; smaller ones show it with small prompts.
CACHE_BLOCK = 64


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has gone."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each small chunk waits for the client's acknowledgement
    latency = 0.0

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if length > MAX_BODY:
            self.close_connection = True
            self._error(413, "the request is too large")
            return
        body = self.rfile.read(length)
        try:
            if self.path != "/v1/chat/completions":
                raise ValueError(f"there is no {self.path} here")
            request = json.loads(body)
            model, fault, value = _fault(request["model"])
            reply = answer(request["messages"], fault=fault)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            self._error(400, f"not a chat-completions request: {error!r}")
            return
        retried = self.headers.get("x-stainless-retry-count", "0") != "0"
        if fault == "error" or (fault == "error-once" and not retried):
            self._error(int(value), f"{model} failed, as it was asked to")
            return
        time.sleep(self.latency + (value if fault == "delay" else 0.0))
        usage = _usage(model, request["messages"], reply)
        if request.get("stream"):
            counted = (request.get("stream_options") or {}).get("include_usage")
            chunks = list(_chunks(model, reply, usage if counted else None))
            self._stream(chunks, truncate=fault == "truncate")
        else:
            self._json(200, _completion(model, reply, usage))

    def _stream(self, chunks: list[dict[str, Any]], *, truncate: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in chunks[: len(chunks) // 2] if truncate else chunks:
            self._chunk(f"data: {json.dumps(chunk)}\n\n")
            time.sleep(self.latency / 20)
        if truncate:
            self.close_connection = True  # without the last chunk, as when a server dies
            return
        self._chunk("data: [DONE]\n\n")
        self._chunk("")

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _json(self, status: int, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        if status >= 400:
            self.send_header("retry-after-ms", "20")
        self.end_headers()
        self.wfile.write(data)

    def _error(self, status: int, message: str) -> None:
        kind = "rate_limit_error" if status == 429 else "server_error"
        kind = kind if status == 429 or status >= 500 else "invalid_request_error"
        error = {"message": message, "type": kind, "param": None, "code": None}
        self._json(status, {"error": error})

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the service that calls is the one to watch."""


def _fault(model: str) -> tuple[str, str, float]:
    """Split `gpt-5-mini@error=500` into its name, fault and number."""
    name, _, fault = model.partition("@")
    fault, _, value = fault.partition("=")
    return name, fault, float(value or 0)


def _completion(model: str, reply: Answer, usage: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.tool:
        message["tool_calls"] = [_tool_call(reply)]
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(reply)}
    head = _head("chat.completion", model)
    return {**head, "choices": [{**choice, "logprobs": None}], "usage": usage}


def _chunks(model: str, reply: Answer, usage: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    head = _head("chat.completion.chunk", model)

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**head, "choices": [choice]}

    yield chunk({"role": "assistant", "content": ""})
    if reply.tool:
        yield chunk({"tool_calls": [{"index": 0, **_tool_call(reply)}]})
    for word in re.findall(r"\s*\S+|\s+$", reply.text):
        yield chunk({"content": word})
    yield chunk({}, _finish_reason(reply))
    if usage is not None:
        yield {**head, "choices": [], "usage": usage}


def _head(kind: str, model: str) -> dict[str, Any]:
    identity = f"chatcmpl-{uuid.uuid4().hex}"
    return {"id": identity, "object": kind, "created": int(time.time()), "model": model}


def _tool_call(reply: Answer) -> dict[str, Any]:
    function = {"name": reply.tool, "arguments": reply.arguments}
    return {"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}


def _finish_reason(reply: Answer) -> str:
    return "tool_calls" if reply.tool else "stop"


def _usage(model: str, messages: list[dict[str, Any]], reply: Answer) -> dict[str, Any]:
    sizes = [4 + count_tokens(json.dumps(message)) for message in messages]
    # What came before the model's last turn was sent once already.
    turns = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    seen = sum(sizes[: turns[-1]]) if turns else 0
    visible = count_tokens(reply.text + reply.arguments) + 3
    reasoning = 64 * (1 + visible // 128) if model.startswith(("gpt-5", "o")) else 0
    return {
        "prompt_tokens": sum(sizes),
        "completion_tokens": visible + reasoning,
        "total_tokens": sum(sizes) + visible + reasoning,
        "prompt_tokens_details": {"cached_tokens": seen // CACHE_BLOCK * CACHE_BLOCK},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def bind(port: int = 0, *, latency: float = 0.0) -> tuple[ThreadingHTTPServer, str]:
    """Return a listening server on 127.0.0.1, not yet serving, and the base URL for clients.

    Args:
        port: The port; 0 takes a free one.
        latency: Seconds until an answer begins; a streamed word takes a twentieth of it.
    """
    handler = type("Handler", (_Handler,), {"latency": latency})
    server = _Server(("127.0.0.1", port), handler)
    return server, f"http://127.0.0.1:{server.server_port}/v1"


def start() -> str:
    """Serve in a background thread for as long as the process lives; return the base URL."""
    server, url = bind()
    threading.Thread(target=server.serve_forever, name="model-server", daemon=True).start()
    return url


def main() -> None:
    parser = argparse.ArgumentParser(description="A local model for the code generation service.")
    parser.add_argument("--port", type=int, default=8001, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    args = parser.parse_args()
    server, url = bind(args.port, latency=args.latency)
    print(f"model server on {url}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
