"""A real Prometheus with a configuration of its own, and questions to it."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.integrations.conftest import wait_until

CONFIGURATION = """
global:
  scrape_interval: 1s
  scrape_timeout: 1s
  evaluation_interval: 1s
rule_files: {rules}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["{target}"]}}]
    metric_relabel_configs: {relabelling}
"""


class Prometheus:
    """Answers queries."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ready(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"{self.url}/-/ready").status == 200)
        return False

    def ask(self, path: str, **parameters: Any) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}") as answer:
            return json.load(answer)["data"]

    def query(self, query: str) -> dict[tuple[tuple[str, str], ...], float]:
        """The numbers of an instant query by labels, which are those of the metric alone."""
        found = {}
        for series in self.ask("query", query=query)["result"]:
            labels = {k: v for k, v in series["metric"].items() if k not in ("job", "instance")}
            found[tuple(sorted(labels.items()))] = float(series["value"][1])
        return found


@contextlib.contextmanager
def running(folder: Path, target: str, rules: str = "", drop: str = "") -> Iterator[Prometheus]:
    """Prometheus, scraping ``target``.

    Args:
        folder: For what it writes.
        target: Host and port.
        rules: Recording rules.
        drop: Regular expression of metrics that it does not take.
    """
    folder.mkdir()
    (folder / "rules.yml").write_text(rules)
    relabelling = [{"source_labels": ["__name__"], "regex": drop, "action": "drop"}] if drop else []
    (folder / "prometheus.yml").write_text(
        CONFIGURATION.format(
            target=target,
            rules=json.dumps([str(folder / "rules.yml")] if rules else []),
            relabelling=json.dumps(relabelling),
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--enable-feature=exemplar-storage",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        made = Prometheus(port)
        wait_until(made.ready, 20)
        yield made
    finally:
        process.terminate()
        process.wait(10)
