"""One call gives a Python LLM backend traces, metrics, logs and costs in plain OpenTelemetry."""
