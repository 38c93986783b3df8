"""``python -m otelkit`` is the command ``otelkit``."""

from __future__ import annotations

import sys

from otelkit.cli import main

if __name__ == "__main__":
    sys.exit(main())
