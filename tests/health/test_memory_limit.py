from __future__ import annotations

import json

from tests.health import limits

LIMIT = 256 * 1024 * 1024
EATING = """
    import asyncio, json
    from otelkit import health
    from otelkit.health import registry

    health.register("memory", health.memory_check(warning=20))

    def look():
        for check in registry.checks():
            check.forget()
        return vars(asyncio.run(health.report()).components["memory"])

    before = look()
    eaten = bytearray(b"x") * (before["metadata"]["available_bytes"] - 40 * 1024 * 1024)
    print(json.dumps([before, look()]))
"""


def test_memory_is_that_of_the_container() -> None:
    before, after = json.loads(limits.in_group(EATING, LIMIT))
    assert before["status"] == "healthy"
    assert before["metadata"]["total_bytes"] == LIMIT
    assert 0 < before["metadata"]["available_bytes"] < LIMIT
    assert after["status"] == "degraded"
    assert after["message"].endswith("% available")
    assert after["metadata"]["available_percent"] < 20
