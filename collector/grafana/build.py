"""Write the dashboards: `python collector/grafana/build.py [DIR]`.

Each module in boards/ is a dashboard. Its thresholds are the limits of the alerts: write it again
after a change of the rules. What is written is committed; a test compares the two.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from boards import agents, http, llm, system, telemetry

HERE = Path(__file__).parent


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "dashboards"
    for board in (http, agents, llm, system, telemetry):
        name = board.__name__.rpartition(".")[2]
        text = json.dumps(board.DASHBOARD, indent=2, ensure_ascii=False)
        (folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
