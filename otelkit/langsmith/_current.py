"""What this process sends to, as the public functions and feedback have to know it."""

from __future__ import annotations

from otelkit.langsmith._project import Project

project: Project | None = None  # None where nothing is sent
patience = 3.0  # seconds that an ending process waits for feedback
