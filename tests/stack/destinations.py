"""Stand-ins for what the collector delivers to: they remember, and refuse as the real ones do.

Each refusal names the documented limit that it mimics.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # it says so at every fork, otherwise
import grpc
import yaml
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)

from .programs import COLLECTOR, free_port


class Jaeger(trace_service_pb2_grpc.TraceServiceServicer):  # type: ignore[misc]
    """OTLP over gRPC, which Jaeger takes traces by. It can go away and come back."""

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.spans: list[Any] = []
        self.services: Counter[str] = Counter()
        self._server: Any = None

    def start(self) -> Jaeger:
        # The limit of gRPC that Jaeger's receiver has by default, 4 MiB; ours is configured to 32.
        options = [("grpc.max_receive_message_length", 32 * 1024 * 1024), ("grpc.so_reuseport", 0)]
        self._server = grpc.server(ThreadPoolExecutor(4), options=options)
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        assert self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()
        return self

    def stop(self) -> None:
        if self._server:
            self._server.stop(None).wait()
            self._server = None

    def Export(self, request: Any, _context: Any) -> Any:
        for group in request.resource_spans:
            service = attribute_map(group.resource.attributes).get("service.name", "")
            for scope in group.scope_spans:
                self.spans.extend(scope.spans)
                self.services[service] += len(scope.spans)
        return ExportTraceServiceResponse()

    def ids(self) -> Counter[bytes]:
        """How often each span has arrived."""
        return Counter(span.span_id for span in list(self.spans))

    def __enter__(self) -> Jaeger:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _HttpDestination(ABC):
    """A server that hands each request to ``answer``; it can go away and come back."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @abstractmethod
    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer to a request."""

    def start(self) -> Any:
        destination = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                with destination._lock:
                    status, said = destination.answer(self.path, self.headers, body)
                self.send_response(status)
                self.send_header("x-elastic-product", "Elasticsearch")  # its client asks for it
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = do_PUT = do_HEAD = _handle

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Any:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Loki(_HttpDestination):
    """Loki's OTLP endpoint with the limits of loki/loki.yaml, else Loki's defaults.

    Names and defaults: https://grafana.com/docs/loki/latest/configure/#limits_config
    """

    def __init__(self) -> None:
        super().__init__()
        said = yaml.safe_load((COLLECTOR / "loki" / "loki.yaml").read_text())["limits_config"]
        self._sizes = {
            name: _bytes(said.get(name, default))
            for name, default in (
                ("max_line_size", "256KB"),
                ("max_structured_metadata_size", "64KB"),
            )
        }
        self._entries = said.get("max_structured_metadata_entries_count", 128)
        self._truncates = said.get("max_line_size_truncate", False)
        self._any_order = said.get("shard_streams", {}).get("time_sharding_enabled", False)
        self._newest: dict[str, int] = {}
        rules = said["otlp_config"]["resource_attributes"]
        assert rules["ignore_defaults"]
        self._labels = {name for rule in rules["attributes_config"] for name in rule["attributes"]}
        self.lines: list[tuple[dict[str, str], str, dict[str, str]]] = []
        self.refused: list[str] = []

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        if path != "/otlp/v1/logs":
            return 404, b""
        # "Ingesting logs to Loki using OpenTelemetry Collector": protobuf or JSON over HTTP.
        if headers.get("content-type") != "application/x-protobuf":
            return 415, b""
        request = ExportLogsServiceRequest.FromString(body)
        made = [*self._entries_of(request)]
        wrong = [reason for entry in made if (reason := self._wrong(*entry))]
        wrong += self._too_far_behind(request)
        if wrong:
            self.refused += wrong
            return 400, wrong[0].encode()
        self.lines += made
        return 204, b""

    def _entries_of(self, request: Any) -> Iterator[tuple[dict[str, str], str, dict[str, str]]]:
        for group in request.resource_logs:
            resource = attribute_map(group.resource.attributes)
            labels = {_sane(name): resource.pop(name) for name in self._labels & set(resource)}
            for scope in group.scope_logs:
                for record in scope.log_records:
                    has = {**resource, **attribute_map(record.attributes)}
                    if record.trace_id:
                        has |= {"trace_id": record.trace_id.hex(), "span_id": record.span_id.hex()}
                    if scope.scope.name:
                        has["scope_name"] = scope.scope.name
                    has["severity_text"] = record.severity_text
                    yield labels, _text(record.body), {_sane(k): v for k, v in has.items()}

    def _wrong(self, labels: dict[str, str], line: str, has: dict[str, str]) -> str:
        if not labels:  # "at least one label pair is required per stream"
            return "missing_labels"
        if len(labels) > 15:  # max_label_names_per_series
            return f"max_label_names_per_series: {len(labels)}"
        if any(len(value) > 2048 for value in labels.values()):  # max_label_value_length
            return "max_label_value_length"
        if len(line.encode()) > self._sizes["max_line_size"] and not self._truncates:
            return f"max_line_size: {len(line)}"
        if len(has) > self._entries:
            return f"max_structured_metadata_entries_count: {len(has)}"
        size = sum(len(name) + len(value.encode()) for name, value in has.items())
        if size > self._sizes["max_structured_metadata_size"]:
            return f"max_structured_metadata_size: {size}"
        return ""

    def _too_far_behind(self, request: Any) -> Iterator[str]:
        # "Accept out-of-order writes": up to max_chunk_age / 2 behind the newest of the stream.
        for group in request.resource_logs:
            has = attribute_map(group.resource.attributes)
            stream = str(sorted((name, has.get(name)) for name in self._labels))
            for record in (record for scope in group.scope_logs for record in scope.log_records):
                newest = max(self._newest.get(stream, 0), record.time_unix_nano)
                self._newest[stream] = newest
                if newest - record.time_unix_nano > 3600e9 and not self._any_order:
                    yield "entry too far behind"

    def texts(self) -> Counter[str]:
        """How often each line has arrived."""
        return Counter(line for _, line, _ in list(self.lines))


class Elasticsearch(_HttpDestination):
    """Elasticsearch's bulk API, as far as the collector's exporter uses it.

    https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
    """

    _STREAM = re.compile(r"(logs|metrics|traces)-[^\\/*?\"<>| ,#:-]+-[^\\/*?\"<>| ,#:]+")

    def __init__(self) -> None:
        super().__init__()
        self.documents: list[tuple[str, dict[str, Any]]] = []
        self.refused: list[str] = []
        self._types: dict[tuple[str, str], str] = {}

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        if not path.startswith("/_bulk"):
            version = {"number": "9.1.4", "build_flavor": "default"}
            return 200, json.dumps({"version": version, "tagline": "You Know, for Search"}).encode()
        # http.max_content_length, 100 MB by default: 413
        if len(body) > 100 * 1024 * 1024:
            return 413, b""
        lines = [json.loads(line) for line in body.splitlines() if line]
        items = [
            {"create": self._take(action, document)}
            for action, document in zip(lines[::2], lines[1::2], strict=True)
        ]
        errors = any(item["create"]["status"] >= 300 for item in items)
        return 200, json.dumps({"took": 1, "errors": errors, "items": items}).encode()

    def _take(self, action: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
        wrong = self._wrong(action, document)
        if wrong:
            self.refused.append(wrong)
            error = {"type": "document_parsing_exception", "reason": wrong}
            return {"_index": "", "status": 400, "error": error}
        index = action["create"]["_index"]
        self.documents.append((index, document))
        return {"_index": index, "status": 201}

    def _wrong(self, action: dict[str, Any], document: dict[str, Any]) -> str:
        # "only write ops with an op_type of create are allowed in data streams"
        if list(action) != ["create"]:
            return f"op_type {list(action)}"
        index = action["create"].get("_index", "")
        if not self._STREAM.fullmatch(index):
            return f"no data stream: {index!r}"
        # "data stream timestamp field [@timestamp] is missing"
        if "@timestamp" not in document:
            return "no @timestamp"
        for path, kind in _types_of(document):
            # "Limit of mapping depth": index.mapping.depth.limit, 20
            if path.count(".") > 20 and not path.startswith(("attributes", "resource")):
                return f"too deep: {path}"
            # A field has the type that its first document gave it.
            before = self._types.setdefault((index, path), kind)
            if before != kind:
                return f"failed to parse field [{path}] of type [{before}]: {kind}"
        return ""

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The documents of ``logs`` or ``traces``."""
        return [document for index, document in list(self.documents) if index.startswith(kind)]


def _types_of(document: Any, path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in document.items():
        name = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            yield from _types_of(value, name)
        else:
            first = value[0] if isinstance(value, list) and value else value
            if first is not None:
                kinds = {bool: "boolean", int: "number", float: "number", str: "keyword"}
                yield name, kinds.get(type(first), type(first).__name__)


class PrometheusOtlp(_HttpDestination):
    """The OTLP endpoint of Prometheus 3: metrics by name, and whose they are.

    https://prometheus.io/docs/guides/opentelemetry/
    """

    def __init__(self) -> None:
        super().__init__()
        self.metrics: dict[str, set[str]] = {}

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        if path != "/api/v1/otlp/v1/metrics":
            return 404, b""
        if headers.get("content-type") != "application/x-protobuf":
            return 415, b""
        for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            service = attribute_map(group.resource.attributes).get("service.name", "")
            for metric in (metric for scope in group.scope_metrics for metric in scope.metrics):
                data = getattr(metric, metric.WhichOneof("data"))
                # "only cumulative temporality is supported"
                if getattr(data, "aggregation_temporality", 2) != 2:
                    return 400, b"invalid temporality"
                jobs = {attribute_map(point.attributes).get("job") for point in data.data_points}
                self.metrics.setdefault(metric.name, set()).update(job or service for job in jobs)
        return 200, b""


class Webhook(_HttpDestination):
    """Takes Alertmanager's notifications."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: list[dict[str, Any]] = []

    def answer(self, _path: str, _headers: Any, body: bytes) -> tuple[int, bytes]:
        self.alerts += json.loads(body)["alerts"]
        return 200, b""

    def names(self, status: str = "firing", since: int = 0, **labels: str) -> set[str]:
        """Alerts of this status that came with these labels, the first ``since`` left out."""
        found = [alert["labels"] for alert in self.alerts[since:] if alert["status"] == status]
        return {has["alertname"] for has in found if labels.items() <= has.items()}


class Refusing(_HttpDestination):
    """Says of everything that it will never take it."""

    def answer(self, _path: str, _headers: Any, _body: bytes) -> tuple[int, bytes]:
        return 400, b""


def attribute_map(attributes: Any) -> dict[str, str]:
    return {attribute.key: _text(attribute.value) for attribute in attributes}


def _text(value: Any) -> str:
    kind = value.WhichOneof("value")
    return "" if kind is None else str(getattr(value, kind))


def _sane(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)(KB|MB)", text)
    assert found, text
    return int(found[1]) * {"KB": 1024, "MB": 1024**2}[found[2]]
