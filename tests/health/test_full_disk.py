from __future__ import annotations

import json
from pathlib import Path

from tests.health import limits

FILLING = """
    import asyncio, json, sys
    from pathlib import Path
    from otelkit import health
    from otelkit.health import registry

    folder = Path(sys.argv[1])
    health.register("disk", health.disk_check(folder, warning=10), critical=True)
    health.register("folder", health.writable_check(folder))

    def look():
        for check in registry.checks():
            check.forget()
        found = asyncio.run(health.report())
        return {name: vars(each) for name, each in found.components.items()} | {
            "whole": found.status, "left": [path.name for path in folder.iterdir()]
        }

    seen = [look()]
    with open(folder / "file", "wb", buffering=0) as file:
        file.write(bytes(950 * 1024))
        seen.append(look())
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            seen.append(look())
    (folder / "file").unlink()
    seen.append(look())
    print(json.dumps(seen))
"""


def test_a_disk_that_fills_is_degraded_then_unhealthy_and_healthy_when_there_is_room(
    tmp_path: Path,
) -> None:
    empty, nearly, full, again = json.loads(limits.with_tmpfs(FILLING, tmp_path, "1m"))

    assert empty["whole"] == again["whole"] == "healthy"
    assert empty["disk"]["metadata"] == {
        "path": str(tmp_path),
        "total_bytes": 1024 * 1024,
        "free_bytes": 1024 * 1024,
        "free_percent": 100.0,
    }
    assert (nearly["whole"], nearly["disk"]["status"]) == ("degraded", "degraded")
    assert nearly["disk"]["message"] == "7.0 % free"
    assert nearly["folder"]["status"] == "healthy"

    assert (full["whole"], full["disk"]["status"]) == ("unhealthy", "unhealthy")
    assert full["disk"]["message"] == "0.0 % free"
    assert full["folder"]["status"] == "unhealthy"
    assert "No space left on device" in full["folder"]["message"]
    assert nearly["left"] == full["left"] == ["file"]
    assert again["left"] == []
