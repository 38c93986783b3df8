"""What comes in is broken, too large, too slow, or from somebody who has no business here."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import tracemalloc
import zlib
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otelkit.viewer import Limits, Viewer, body, otlp, server
from otelkit.viewer.handler import Handler

from .client import JSON, PROTOBUF, ask, connect, log, logs, post, span, traces


def proto(*names: str) -> bytes:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number, name in enumerate(names, 1):
        spans.add(trace_id=b"t" * 16, span_id=number.to_bytes(8, "big"), name=name)
    return request.SerializeToString()


def raw(viewer: Viewer, *pieces: bytes) -> bytes:
    """Sends bytes as they are and reads until the server closes."""
    with socket.create_connection((viewer.host, viewer.port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def still_works(viewer: Viewer) -> bool:
    return post(viewer, "traces", traces(span(99))).status == 200


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe garbage",
        proto("whole")[:-3],
        proto("name").replace(b"name", b"na\xc3("),
        b"{}",
    ],
    ids=["garbage", "truncated", "invalid UTF-8", "JSON"],
)
def test_malformed_protobuf_is_400_with_a_status(viewer: Viewer, content: bytes) -> None:
    answer = post(viewer, "traces", content, Content_Type=PROTOBUF)
    assert answer.status == 400
    assert answer.headers["Content-Type"] == PROTOBUF
    assert "ExportTraceServiceRequest" in Status.FromString(answer.body).message
    assert viewer.store.spans() == []
    assert still_works(viewer)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"resourceSpans": 5}',
        b'{"resourceSpans": [5]}',
        b'{"resourceSpans": [null]}',
        b'{"resourceSpans": {"scopeSpans": []}}',
        json.dumps(traces(span(1) | {"traceId": "not hex"})).encode(),
        json.dumps(traces(span(1) | {"startTimeUnixNano": "-1"})).encode(),
        json.dumps(traces(span(1) | {"startTimeUnixNano": "9" * 5000})).encode(),
        json.dumps(traces(span(1) | {"name": "\ud800"})).encode(),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":'
        + b'{"arrayValue":{"values":[' * 200
        + b"]}}" * 200
        + b"}]}}]}",
    ],
)
def test_malformed_json_is_400_with_a_message(viewer: Viewer, content: bytes) -> None:
    answer = post(viewer, "traces", content)
    assert answer.status == 400
    assert answer.json["message"]
    assert viewer.store.spans() == []
    assert still_works(viewer)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200))
def test_no_bytes_break_the_decoder(content: bytes) -> None:
    for signal in otlp.SIGNALS.values():
        for content_type in (JSON, PROTOBUF):
            try:
                records, _ = otlp.read(signal, content, content_type)
            except otlp.Malformed:
                continue
            json.dumps(records, allow_nan=False)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceSpans", "scopeSpans", "spans", "traceId", "attributes", "value"]
            )
            | st.sampled_from(
                ["key", "intValue", "kvlistValue", "events", "status", "name", "kind"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(deadline=None, max_examples=150)
@given(JSON_VALUES)
def test_no_json_breaks_the_decoder(document: Any) -> None:
    for whole in (document, {"resourceSpans": [{"scopeSpans": [{"spans": [document]}]}]}):
        try:
            otlp.read(otlp.SIGNALS["traces"], json.dumps(whole).encode(), JSON)
        except otlp.Malformed:
            continue


def test_numbers_beyond_every_bound_are_kept_and_shown(viewer: Viewer) -> None:
    huge: dict[str, Any] = {
        "startTimeUnixNano": str(2**64 - 1),
        "endTimeUnixNano": "1",
        "kind": 77,
        "status": {"code": 9},
    }
    usage: dict[str, Any] = {
        "gen_ai__usage__input_tokens": 2**63 - 1,
        "gen_ai__usage__cost__amount": 1e308,
    }
    strange = span(2, **usage) | {
        "attributes": [{"key": "nan", "value": {"doubleValue": "NaN"}}, {"key": "none"}]
    }
    assert post(viewer, "traces", traces(span(1, **usage) | huge, strange)).status == 200

    (trace,) = ask(viewer, "/api/traces").json["traces"]
    assert trace["input_tokens"] == 0
    kinds = {record["kind"] for record in viewer.store.spans()}
    assert kinds == {"UNSPECIFIED", "INTERNAL"}
    assert viewer.store.spans()[1]["attributes"] == {"nan": "NaN", "none": None}
    assert viewer.store.spans()[0]["duration_ms"] == 0


def test_log_records_with_broken_ids_are_kept_without_them(viewer: Viewer) -> None:
    record = log("hello") | {"traceId": "ab", "spanId": "00" * 8, "severityNumber": 24}
    assert post(viewer, "logs", logs(record)).status == 200
    (kept,) = viewer.store.logs()
    assert (kept["trace_id"], kept["span_id"], kept["severity"]) == (None, None, "FATAL")


@pytest.mark.parametrize("wbits", [zlib.MAX_WBITS, 16 + zlib.MAX_WBITS], ids=["deflate", "gzip"])
def test_a_bomb_is_413_and_never_unpacked_whole(viewer: Viewer, wbits: int) -> None:
    packer = zlib.compressobj(wbits=wbits)
    megabyte = bytes(1024 * 1024)
    bomb = b"".join(packer.compress(megabyte) for _ in range(100)) + packer.flush()
    assert len(bomb) < 200_000
    tracemalloc.start()
    try:
        answer = post(viewer, "traces", bomb, Content_Type=PROTOBUF, Content_Encoding="gzip")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status == 413
    assert peak < 3 * body.MAX_BYTES
    assert still_works(viewer)


@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (b"not gzip", "gzip", 400),
        (gzip.compress(b"{}")[:-4], "gzip", 400),
        (gzip.compress(b"{}") + b"more", "gzip", 400),
        (b"{}", "br", 415),
        (b"{}", "gzip, gzip", 415),
    ],
    ids=["not packed", "cut off", "more after it", "unknown", "twice"],
)
def test_broken_and_unknown_encodings_are_refused(
    viewer: Viewer, content: bytes, encoding: str, status: int
) -> None:
    answer = post(viewer, "traces", content, Content_Encoding=encoding)
    assert answer.status == status
    assert answer.json["message"]
    assert still_works(viewer)


def test_a_body_over_the_limit_is_413_although_it_is_still_being_sent(viewer: Viewer) -> None:
    answer = post(viewer, "traces", bytes(body.MAX_BYTES + 1))
    assert answer.status == 413
    assert "smaller batches" in answer.json["message"]
    assert still_works(viewer)


def test_a_client_that_sends_on_for_a_while_reads_its_413(viewer: Viewer) -> None:
    head = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection((viewer.host, viewer.port), timeout=20) as client:
        client.sendall(head + b"Content-Length: %d\r\n\r\n" % (2 * body.MAX_BYTES))
        for _ in range(12):
            client.sendall(bytes(1024))
            threading.Event().wait(0.1)
        answer = client.makefile("rb").readline()
    assert answer.startswith(b"HTTP/1.1 413 ")


HEAD = (
    b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    b"Content-Type: application/json\r\n"
)


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (b"\r\n", 411),
        (b"Content-Length: 99999999999999\r\n\r\n", 413),
        (b"Content-Length: -1\r\n\r\n", 400),
        (b"Content-Length: 1_0\r\n\r\n", 400),
        (b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", 400),
        (b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n", 413),
    ],
)
def test_lengths_that_make_no_sense_are_refused(viewer: Viewer, rest: bytes, status: int) -> None:
    answer = raw(viewer, HEAD + rest)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b'{"message":"' in answer
    assert still_works(viewer)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
        (b"GET //[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"GET http://[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400),
    ],
)
def test_requests_that_are_no_http_are_refused(viewer: Viewer, line: bytes, status: int) -> None:
    assert b" %d " % status in raw(viewer, line).partition(b"\r\n")[0]
    assert still_works(viewer)


@pytest.mark.parametrize("content_type", ["text/plain", "application/grpc", "", "multipart/x"])
def test_other_content_types_are_415(viewer: Viewer, content_type: str) -> None:
    answer = post(viewer, "traces", b"{}", Content_Type=content_type)
    assert answer.status == 415
    assert PROTOBUF in answer.json["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/v1/traces", 405, "POST"),
        ("PUT", "/v1/logs", 405, "POST"),
        ("POST", "/", 405, "GET, HEAD"),
        ("DELETE", "/api/traces", 405, "GET, HEAD"),
        ("OPTIONS", "/v1/traces", 405, "POST"),
        ("POST", "/v1/profiles", 404, None),
        ("GET", "/v1/", 404, None),
        ("GET", "/../server.py", 404, None),
        ("GET", "/static/page.html", 404, None),
        ("GET", "/api/other", 404, None),
    ],
)
def test_other_methods_and_paths_are_refused(
    viewer: Viewer, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = ask(viewer, path, method=method)
    assert (answer.status, answer.headers["Allow"]) == (status, allow)
    assert answer.json["message"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4318", "10.0.0.1", "[", ""])
@pytest.mark.parametrize("path", ["/", "/api/traces", "/v1/traces"])
def test_a_foreign_host_is_403(viewer: Viewer, host: str, path: str) -> None:
    method = "POST" if path.startswith("/v1") else "GET"
    answer = ask(viewer, path, method=method, body=b"{}", Host=host, Content_Type=JSON)
    assert answer.status == 403
    assert "--host" in answer.json["message"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:4318"])
def test_the_names_of_this_machine_are_served(viewer: Viewer, host: str) -> None:
    assert ask(viewer, "/api/traces", Host=host).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_pages_of_others_may_not_send(viewer: Viewer, origin: str) -> None:
    answer = post(viewer, "traces", traces(span(1)), Origin=origin)
    assert answer.status == 403
    assert viewer.store.spans() == []


def test_a_network_viewer_serves_names_that_no_stranger_can_register() -> None:
    with Viewer("0.0.0.0", port=0) as viewer:
        viewer.host = "127.0.0.1"
        assert ask(viewer, "/", Host="10.1.2.3:4318").status == 200
        assert ask(viewer, "/", Host="viewer:4318").status == 200
        assert ask(viewer, "/", Host="evil.example").status == 403
        assert post(viewer, "traces", traces(span(1)), Host="host.docker.internal").status == 200
        rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
        assert post(viewer, "traces", traces(span(2)), **rebound).status == 403


def test_thousands_of_spans_over_the_bound_drop_the_oldest() -> None:
    with Viewer(port=0, limits=Limits(items=1000)) as viewer:
        for batch in range(5):
            request = ExportTraceServiceRequest()
            spans = request.resource_spans.add().scope_spans.add().spans
            for number in range(1, 1501):
                spans.add(
                    trace_id=bytes([batch + 1]) * 16,
                    span_id=number.to_bytes(8, "big"),
                    name=f"{batch}/{number}",
                )
            content = request.SerializeToString()
            assert post(viewer, "traces", content, Content_Type=PROTOBUF).status == 200
        names = [record["name"] for record in viewer.store.spans()]
        assert names == [f"4/{number}" for number in range(501, 1501)]
        counts = ask(viewer, "/api/stats").json["spans"]
        assert (counts["received"], counts["kept"], counts["dropped"]) == (7500, 1000, 6500)


def test_a_body_that_takes_too_long_is_408(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_SECONDS", -1.0)
    assert post(viewer, "traces", traces(span(1))).status == 408


def test_a_body_that_never_comes_is_408(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handler, "timeout", 0.1)
    assert raw(viewer, HEAD + b"Content-Length: 10\r\n\r\n").startswith(b"HTTP/1.1 408 ")


def test_half_dead_clients_neither_stop_others_nor_the_end() -> None:
    viewer = Viewer(port=0)
    viewer.start()
    silent = [socket.create_connection((viewer.host, viewer.port)) for _ in range(4)]
    silent[1].sendall(b"POST /v1/tra")
    silent[2].sendall(HEAD + b"Content-Length: 10\r\n\r\n{")
    silent[3].sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{")
    assert still_works(viewer)
    closing = threading.Thread(target=viewer.close)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
    for connection in silent:
        connection.settimeout(10)
        while connection.recv(1024):
            pass  # an answer to half a request, perhaps; then the end
        connection.close()


def test_a_client_that_does_not_read_its_answer_does_not_stop_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_CLOSE_SECONDS", 0.1)
    viewer = Viewer(port=0)
    viewer.start()
    for number in range(1, 40):
        post(viewer, "traces", traces(span(number, big="x" * 200_000)))
    with socket.create_connection((viewer.host, viewer.port)) as connection:
        connection.sendall(
            b"GET /api/traces/%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
            % (b"0af7651916cd43dd8448eb211c80319c")
        )
        assert connection.recv(1)
        closing = threading.Thread(target=viewer.close)
        closing.start()
        closing.join(10)
        assert not closing.is_alive()


def test_more_connections_than_the_bound_are_closed(
    viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_MAX_CONNECTIONS", 1)
    first = connect(viewer)
    first.request("GET", "/health")
    assert first.getresponse().read() == b'{"status":"healthy"}'
    with pytest.raises(ConnectionError):
        ask(viewer, "/health")
    first.close()
    viewer._server.end_connections()
    assert ask(viewer, "/health").status == 200
