"""A LangSmith over HTTP that does what the real one is known to do with what it gets.

Known from its documentation, its collector and its client:

- OTLP is answered with 202 before anything is looked at. A root's run has the trace id as its id,
  any other the span id behind zeros; attributes ``langsmith.trace.id``, ``.span.id``,
  ``.span.parent_id`` and ``.span.dotted_order`` name others. Two runs with one id are one.
- A run whose parent never arrives never appears.
- Tokens are kept with the outputs; where there are no outputs, they are gone.
- Only an event ``exception`` makes a run an error.
- Runs of the ``langsmith`` client come in parts of a multipart form, or in a batch of JSON.
"""

from __future__ import annotations

import email.parser
import email.policy
import gzip
import http.server
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KEY = "lsv2_pt_stand_in"
WORKSPACE = "11111111-1111-4111-8111-111111111111"
PROJECT = "22222222-2222-4222-8222-222222222222"
_KINDS = ("tool", "chain", "llm", "retriever", "embedding", "prompt", "parser")


@dataclass
class Run:
    """One run as LangSmith would show it."""

    id: str
    trace_id: str
    name: str
    run_type: str
    parent_id: str | None = None
    project: str | None = None
    inputs: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    error: str | None = None
    dotted_order: str | None = None
    way: str = "otlp"  # or "native"
    scope: str = ""

    @property
    def usage(self) -> dict[str, Any]:
        found = (self.outputs or {}).get("usage_metadata") or self.metadata.get("usage_metadata")
        return found or {}


class StandIn:
    """The server, and what it has taken in."""

    def __init__(self) -> None:
        self.taken: list[Run] = []  # as they came, also those that vanish
        self.requests: list[tuple[str, str]] = []
        self.sizes: list[int] = []  # spans of each OTLP request
        self.feedback: list[dict[str, Any]] = []
        self.refuse: deque[int] = deque()  # statuses for the next OTLP requests
        self.encodings: set[str | None] = set()
        self.workspaces: set[str | None] = set()  # that callers have named
        self.largest: int | None = None  # spans; more are too large
        self.has_project = True
        self.spans: list[Any] = []  # what came without a key, as to a plain trace backend
        self._bodies: list[bytes] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> StandIn:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of an application that uses it."""
        return {
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_API_KEY": KEY,
            "LANGSMITH_ENDPOINT": self.url,
            "LANGSMITH_PROJECT": "tests",
            "OTELKIT_SHUTDOWN_TIMEOUT": "30",  # on a busy machine
            **more,
        }

    # --- What there is to see

    def runs(self, count: int | None = None) -> list[Run]:
        """The runs that appear, by ``dotted_order``; with ``count``, once there are so many."""
        if count is None:
            return self._visible()
        return self.runs_where(lambda _: True, count)

    def runs_where(self, condition: Callable[[Run], bool], count: int) -> list[Run]:
        """The ``count`` runs that fulfil ``condition``, once they are there."""
        deadline = time.monotonic() + 60
        while True:
            found = [run for run in self._visible() if condition(run)]
            if len(found) >= count or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        assert len(found) == count, f"{len(found)} runs: {[run.name for run in found]}"
        return found

    def run(self, name: str) -> Run:
        """The only run of that name."""
        (found,) = [run for run in self._visible() if run.name == name]
        return found

    def tree(self, root: Run | None = None) -> str:
        """The runs, each below its parent: kind and name. Those below ``root`` are sorted."""
        runs = self._visible()

        def lines(parent: str | None, indent: str) -> Iterator[str]:
            for run in runs:
                if run.parent_id == parent:
                    yield f"{indent}{run.run_type} {run.name}"
                    yield from lines(run.id, indent + "  ")

        if root is None:
            return "\n".join(lines(None, ""))
        runs = sorted((run for run in runs if run.trace_id == root.trace_id), key=lambda r: r.name)
        return "\n".join([f"{root.run_type} {root.name}", *lines(root.id, "  ")])

    @property
    def received(self) -> str:
        """The text of every OTLP request."""
        return b"\n".join(self._bodies).decode(errors="replace")

    def _visible(self) -> list[Run]:
        by_id: dict[str, Run] = {}
        for run in list(self.taken):
            by_id[run.id] = run  # a second one with the same id takes the place of the first
        appeared: dict[str, Run] = {}
        waiting = list(by_id.values())
        while True:
            ready = [r for r in waiting if r.parent_id is None or r.parent_id in appeared]
            if not ready:
                return sorted(appeared.values(), key=lambda run: run.dotted_order or "")
            appeared.update((run.id, run) for run in ready)
            waiting = [run for run in waiting if run.id not in appeared]

    def check(self) -> None:
        """Every run was taken once, has its parent, and stands where its order says."""
        assert not [name for name, times in Counter(r.id for r in self.taken).items() if times > 1]
        visible = {run.id: run for run in self._visible()}
        assert len(visible) == len(self.taken), "runs whose parent never arrived"
        for run in visible.values():
            ids = [part.split("Z", 1)[1] for part in (run.dotted_order or "").split(".")]
            assert ids[-1] == run.id
            assert ids[0] == run.trace_id
            assert (ids[-2] if len(ids) > 1 else None) == run.parent_id
            assert (run.parent_id is None) == (run.id == run.trace_id)
            if run.parent_id is not None:
                parent = visible[run.parent_id]
                assert run.dotted_order.startswith(f"{parent.dotted_order}.")
                assert (run.trace_id, run.project) == (parent.trace_id, parent.project)

    # --- What comes in

    def take_otlp(self, body: bytes, project: str | None) -> int:
        self._bodies.append(body)
        request = ExportTraceServiceRequest.FromString(body)
        spans = [
            (scope.scope.name, span)
            for group in request.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]
        if self.refuse and (status := self.refuse.popleft()):
            return status
        if self.largest is not None and len(spans) > self.largest:
            return 413
        self.sizes.append(len(spans))
        self.taken.extend(_converted(span, scope, project) for scope, span in spans)
        return 202

    def take_plain(self, body: bytes) -> None:
        """A request to a trace backend that is not LangSmith."""
        request = ExportTraceServiceRequest.FromString(body)
        self.spans += [
            span for g in request.resource_spans for s in g.scope_spans for span in s.spans
        ]

    def take_native(self, operation: str, values: dict[str, Any]) -> None:
        """One run, or more of one, from the client."""
        run = next((one for one in self.taken if one.id == values["id"]), None)
        if run is None:
            run = Run(values["id"], values.get("trace_id") or values["id"], "", "", way="native")
            self.taken.append(run)
        run.name = values.get("name") or run.name
        run.run_type = values.get("run_type") or run.run_type
        run.parent_id = values.get("parent_run_id") or run.parent_id
        run.trace_id = values.get("trace_id") or run.trace_id
        run.dotted_order = values.get("dotted_order") or run.dotted_order
        run.project = values.get("session_name") or run.project
        run.inputs = values.get("inputs") or run.inputs
        run.outputs = values.get("outputs") or run.outputs
        run.error = values.get("error") or run.error
        run.metadata |= (values.get("extra") or {}).get("metadata") or {}

    def take_multipart(self, content_type: str, body: bytes) -> None:
        head = f"content-type: {content_type}\r\n\r\n".encode()
        parser = email.parser.BytesParser(policy=email.policy.HTTP)
        runs: dict[tuple[str, str], dict[str, Any]] = {}
        for part in parser.parsebytes(head + body).iter_parts():
            operation, run_id, *rest = part.get_param("name", header="content-disposition").split(
                "."
            )
            value = json.loads(part.get_payload(decode=True))
            if operation == "feedback":
                self.feedback.append(value)
            elif rest:
                runs.setdefault((operation, run_id), {"id": run_id})[rest[0]] = value
            else:
                runs.setdefault((operation, run_id), {}).update(value)
        for (operation, _), values in runs.items():
            self.take_native(operation, values)


def _converted(span: Any, scope: str, project: str | None) -> Run:
    attributes = {one.key: _value(one.value) for one in span.attributes}
    is_root = not span.parent_span_id or attributes.get("langsmith.is_root") is True
    trace_id = str(UUID(bytes=span.trace_id))
    own = trace_id if is_root else str(UUID(int=int.from_bytes(span.span_id, "big")))
    parent = None if is_root else str(UUID(int=int.from_bytes(span.parent_span_id, "big")))
    run = Run(
        id=attributes.get("langsmith.span.id") or own,
        trace_id=attributes.get("langsmith.trace.id") or trace_id,
        parent_id=attributes.get("langsmith.span.parent_id") or parent,
        name=attributes.get("langsmith.trace.name") or span.name,
        run_type=_kind(attributes),
        project=attributes.get("langsmith.trace.session_name") or project,
        inputs=_json(attributes.get("gen_ai.prompt"), "input"),
        outputs=_json(attributes.get("gen_ai.completion"), "output"),
        tags=[tag.strip() for tag in attributes.get("langsmith.span.tags", "").split(",") if tag],
        metadata={
            key.removeprefix("langsmith.metadata."): value
            for key, value in attributes.items()
            if key.startswith("langsmith.metadata.")
        },
        dotted_order=attributes.get("langsmith.span.dotted_order"),
        scope=scope,
    )
    if run.outputs is not None:
        run.outputs |= _tokens(attributes)
    for event in span.events:
        if event.name == "exception":
            about = {one.key: _value(one.value) for one in event.attributes}
            run.error = about.get("exception.message") or "error"
    return run


def _kind(attributes: dict[str, Any]) -> str:
    kind = str(attributes.get("langsmith.span.kind", "")).lower()
    if kind in _KINDS:
        return kind
    return {"chat": "llm", "completion": "llm", "embedding": "embedding"}.get(
        str(attributes.get("gen_ai.operation.name")), "chain"
    )


def _tokens(attributes: dict[str, Any]) -> dict[str, Any]:
    if "langsmith.usage_metadata" in attributes:
        return {"usage_metadata": json.loads(attributes["langsmith.usage_metadata"])}
    names = {"input_tokens": "gen_ai.usage.input_tokens"}
    names["output_tokens"] = "gen_ai.usage.output_tokens"
    usage = {key: attributes[name] for key, name in names.items() if name in attributes}
    return {"usage_metadata": usage} if usage else {}


def _json(text: Any, key: str) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return {key: text}
    return value if isinstance(value, dict) else {key: text}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind) if kind else None


def _handler(stand_in: StandIn) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            stand_in.requests.append(("GET", url.path))
            if url.path == "/info":
                self._answer(200, _INFO)
            elif self.headers.get("x-api-key") != KEY:
                self._answer(403, {"detail": "Forbidden"})
            elif url.path == "/sessions":
                stand_in.workspaces.add(self.headers.get("x-tenant-id"))
                name = parse_qs(url.query)["name"][0]
                there = {"id": PROJECT, "tenant_id": WORKSPACE, "name": name}
                self._answer(200, [there] if stand_in.has_project else [])
            else:
                self._answer(404, {})

        def do_POST(self) -> None:
            path = urlsplit(self.path).path
            stand_in.requests.append((self.command, path))
            stand_in.workspaces.add(self.headers.get("x-tenant-id"))
            body = self._body()
            if path == "/v1/traces":
                stand_in.take_plain(body)
                self._answer(200, {})
                return
            if self.headers.get("x-api-key") != KEY:
                self._answer(403 if self.headers.get("x-api-key") else 401, {"detail": "no"})
                return
            self._answer(self._take(path, body), {})

        do_PATCH = do_POST

        def _take(self, path: str, body: bytes) -> int:
            if path == "/otel/v1/traces":
                stand_in.encodings.add(self.headers.get("content-encoding"))
            takes: dict[str, Callable[[], int | None]] = {
                "/otel/v1/traces": lambda: stand_in.take_otlp(
                    body, self.headers.get("langsmith-project")
                ),
                "/runs/multipart": lambda: stand_in.take_multipart(
                    self.headers["content-type"], body
                ),
                "/runs/batch": lambda: self._batch(json.loads(body)),
                "/runs": lambda: stand_in.take_native("post", json.loads(body)),
                "/feedback": lambda: stand_in.feedback.append(json.loads(body)),
            }
            if path.startswith("/runs/") and path not in takes:
                return stand_in.take_native("patch", {"id": path[6:], **json.loads(body)}) or 200
            return takes[path]() or 202 if path in takes else 404

        def _batch(self, operations: dict[str, Any]) -> None:
            for operation in ("post", "patch"):
                for run in operations.get(operation) or []:
                    stand_in.take_native(operation, run)

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding") != "chunked":
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
            else:
                chunks = []
                while size := int(self.rfile.readline(), 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                body = b"".join(chunks)
            return gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body

        def _answer(self, status: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("retry-after", "0")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


_INFO = {
    "version": "0.16.0",
    "instance_flags": {},
    "batch_ingest_config": {
        "use_multipart_endpoint": True,
        "size_limit": 100,
        "size_limit_bytes": 20_971_520,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 16,
        "scale_down_nempty_trigger": 4,
    },
}
