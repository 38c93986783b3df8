"""Takes the README's picture: the demo's first trace in the viewer's page. Part of ``make docs``.

Needs Chromium (``apt-get install chromium``).
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parent / "viewer.png"
BROWSER = "/usr/bin/chromium"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def main() -> None:
    """Run the demo, open its trace, choose an LLM call, and keep what is seen."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "otelkit", "demo", "--serve"], stdout=subprocess.PIPE, text=True
    )
    try:
        address = _address(demo)
        traces = json.load(urllib.request.urlopen(f"{address}/api/traces"))["traces"]
        largest = max(traces, key=lambda trace: trace["span_count"])
        _take(f"{address}/#/trace/{largest['trace_id']}")
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(15)


def _address(demo: subprocess.Popen[str]) -> str:
    assert demo.stdout is not None
    seen = ""
    for line in demo.stdout:
        seen += line
        if "read back from the viewer at" in line:
            found = re.search(r"http://[\d.:]+", line)
            assert found is not None
            return found.group()
    raise SystemExit(f"the demo did not come through:\n{seen}")


def _take(page_address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=QUIET)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, device_scale_factor=1)
        page.goto(page_address)
        page.get_by_text("chat gpt-5", exact=True).first.click()
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
