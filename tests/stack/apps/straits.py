"""A service in straits, until its standard input is closed.

Its traces have nowhere to go and hardly room to wait: those of its beginning are lost at once, and
no more are made. Then it keeps the only connection to its database to itself.
"""

from __future__ import annotations

import sys

from sqlalchemy import create_engine

import otelkit

engine = create_engine(sys.argv[1], pool_size=1, max_overflow=0)
telemetry = otelkit.setup(engine=engine)
for _ in range(20):
    with otelkit.traced_stage("in vain"):
        pass
with engine.connect():
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
telemetry.shutdown(timeout=1)
