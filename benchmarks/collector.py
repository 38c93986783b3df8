"""The collector as shipped, beside one that only receives: spans a second and core, and memory.

Both get the same requests in turns; the far end of the shipped one is a third collector, which says
whether all spans have arrived. A core's worth is processor time, so other load does not matter.

    python benchmarks/collector.py [--spans 40000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.stack import otlp  # noqa: E402
from tests.stack.programs import Collector, find_otelcol, until  # noqa: E402

BATCH = 200  # spans in a request
BARE = """
receivers: {otlp: {protocols: {grpc: {max_recv_msg_size_mib: 32}, http: {}}}}
exporters: {debug: {verbosity: basic}}
extensions: {health_check: {}}
service:
  extensions: [health_check]
  pipelines:
    traces: {receivers: [otlp], exporters: [debug]}
"""
TEXTS = {"plain spans": 0, "spans with 4 kB of text": 4000}


def request(text: int) -> bytes:
    """Spans as an agent service makes them: some attributes, and ``text`` bytes of a prompt."""
    words = "a prompt asks for a model of customers, orders and items; " * (text // 58 + 1)
    spans = [
        otlp.span(
            f"chat model-{number % 10}",
            trace_id=os.urandom(16),
            gen_ai__operation__name="chat",
            gen_ai__provider__name="openai",
            gen_ai__request__model="gpt-5-mini",
            gen_ai__usage__input_tokens=1200,
            gen_ai__usage__output_tokens=300,
            gen_ai__usage__cost__amount=0.002,
            otelkit__request__id=f"{number:032x}",
            gen_ai__input__messages=words[:text],
        )
        for number in range(BATCH)
    ]
    return otlp.traces(spans)


def cpu(collector: Collector) -> float:
    """Seconds of processor time so far."""
    fields = Path(f"/proc/{collector.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(collector: Collector) -> float:
    """The most memory so far, in MiB."""
    status = Path(f"/proc/{collector.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def accepted(collector: Collector) -> float:
    return collector.own("otelcol_receiver_accepted_spans")


def measure(collector: Collector, far: Collector, bodies: list[bytes], count: int) -> float:
    """Spans a second and core, from the first request to the arrival of the last span."""
    before, sent = cpu(collector), accepted(far)
    with ThreadPoolExecutor(4) as pool:
        requests = (bodies[number % len(bodies)] for number in range(count // BATCH))
        answers = pool.map(lambda body: otlp.send(collector.http, "traces", body), requests)
        assert set(answers) == {200}
    until(lambda: accepted(far) >= sent + count, 120, "all spans arrive")
    assert accepted(far) == sent + count
    return count / (cpu(collector) - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    otelcol = find_otelcol()
    if otelcol is None:
        print("no collector: `make otelcol` finds or builds one")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare_file = folder / "bare.yaml"
        bare_file.write_text(BARE)
        with (
            Collector(otelcol, folder / "far", [bare_file]) as far,
            Collector(otelcol, folder / "bare", [bare_file]) as bare,
            Collector(
                otelcol,
                folder / "shipped",
                env={"JAEGER_ENDPOINT": f"127.0.0.1:{far.ports['grpc']}"},
            ) as shipped,
        ):
            print(f"{'spans a second and core':34}{'bare':>10}{'shipped':>10}{'of bare':>9}")
            for what, text in TEXTS.items():
                bodies = [request(text) for _ in range(20)]
                rates: dict[str, list[float]] = {"bare": [], "shipped": []}
                for _ in range(options.rounds):
                    rates["bare"].append(measure(bare, bare, bodies, options.spans))
                    rates["shipped"].append(measure(shipped, far, bodies, options.spans))
                one, other = (statistics.median(all_) for all_ in rates.values())
                print(f"  {what:32}{one:10.0f}{other:10.0f}{other / one:9.2f}")
            print(f"{'memory at most, MiB':34}{memory(bare):10.0f}{memory(shipped):10.0f}")


if __name__ == "__main__":
    main()
