"""The official instrumentor of the openai client, against a local server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5-mini-2025",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hello"},
        }
    ],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
}

PROGRAM = """if True:
    import json, sys
    from opentelemetry import trace
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from otelkit import integrations

    spans = []

    class Recorder(SpanProcessor):
        def on_end(self, span):
            spans.append(span)

    provider = TracerProvider()
    provider.add_span_processor(Recorder())
    trace.set_tracer_provider(provider)
    address, order = sys.argv[1:]
    if order == "import first":
        import openai
        client = openai.OpenAI(base_url=address, api_key="key")
        assert integrations.instrument("openai") == []
    else:
        assert integrations.instrument("openai") == []
        assert "openai" not in sys.modules
        import openai
        client = openai.OpenAI(base_url=address, api_key="key")
    with trace.get_tracer("test").start_as_current_span("work"):
        messages = [{"role": "user", "content": "hi"}]
        client.chat.completions.create(model="gpt-5-mini", messages=messages)
    call, work = spans
    assert call.parent.span_id == work.context.span_id
    print(json.dumps({"name": call.name, **call.attributes}, default=list))
"""


class Model(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(REPLY).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("order", ["import first", "import last"])
def test_calls_of_the_openai_client_are_spans(address: str, order: str) -> None:
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM, address, order], stdout=subprocess.PIPE, check=True
    )
    span = json.loads(output.stdout)
    assert span["name"] == "chat gpt-5-mini"
    assert span["gen_ai.response.model"] == "gpt-5-mini-2025"
    assert span["gen_ai.usage.input_tokens"] == 12
    assert span["gen_ai.usage.output_tokens"] == 3
