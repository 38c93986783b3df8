"""The shipped stack: where its files are, a copy of them, and whether they are in order.

Collector, Jaeger, Loki, Prometheus, Alertmanager and Grafana are configured by ``collector/`` and
started by ``docker-compose.yml``. Both travel in the wheel.
"""

from __future__ import annotations

from otelkit.stack.checks import Finding, check
from otelkit.stack.copies import Copy, export
from otelkit.stack.files import combinations, locate

__all__ = ["Copy", "Finding", "check", "combinations", "export", "locate"]
