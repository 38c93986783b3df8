"""Every benchmark of this folder, one after the other: ``make bench``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    for script in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        if script.name != Path(__file__).name:
            print(f"\n== {script.stem}", flush=True)
            subprocess.run([sys.executable, script], check=True)
