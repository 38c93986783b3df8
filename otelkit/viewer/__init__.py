"""The embedded viewer: an OTLP/HTTP receiver with a page that shows traces, logs and metrics."""

from __future__ import annotations

from otelkit.viewer.server import Viewer
from otelkit.viewer.store import Limits, Store

__all__ = ["Limits", "Store", "Viewer"]
