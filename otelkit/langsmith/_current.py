"""The project that this process sends to; None where it sends nothing."""

from __future__ import annotations

from otelkit.langsmith._project import Project

project: Project | None = None
