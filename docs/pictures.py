"""Take the README's five pictures of the program at work, in Debian's Chromium: `make pictures`.

In: a lake of its own, which `engagement up` serves on the emulator. Out: docs/pictures/*.png, with few colours, so
that each stays under LARGEST bytes. Waits are for what the page shows.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE = Path(__file__).parents[1]
PICTURES = CLONE / "docs" / "pictures"
LARGEST = 100_000  # bytes of a picture
COLOURS = 64
PATIENCE = 600_000  # milliseconds
PROGRAM = [sys.executable, "-m", "engagement_pipeline"]
LAST = datetime.now(UTC).date() - timedelta(days=1)
QUERY = """select handle, count(distinct tweet_id) as tweets,
  sum(count) filter (engagement_type = 'impressions') as impressions,
  sum(count) filter (engagement_type = 'engagements') as engagements
from daily join tweets using (tweet_id) group by handle order by impressions desc"""
TERMINAL = """<body style="margin:0;background:#1e1e2e;color:#cdd6f4;width:fit-content">
<pre style="margin:0;padding:20px;font:15px/1.35 'DejaVu Sans Mono',monospace">{text}</pre></body>"""


@contextmanager
def up(data: Path) -> Iterator[str]:
    """Serve Dagster on the emulator with an empty lake in `data`; yield the address of its UI."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serving("up", "--data", str(data), "--port", str(port)) as address:
        yield address


@contextmanager
def serving(*command: str, **environment: str) -> Iterator[str]:
    """Run a command that serves a page until the block ends; yield the address that it prints."""
    with subprocess.Popen(
        [*PROGRAM, *command], cwd=CLONE, env=os.environ | environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            said = (re.search(r"^(?:open|the explorer of .*:) (http\S+)", line) for line in process.stdout)
            found = next(filter(None, said), None) or sys.exit(f"engagement {command[0]} did not start: see above")
            yield found[1]
        finally:
            process.send_signal(signal.SIGTERM)


def take(page: Page, name: str) -> None:
    """Write what the page shows as a picture with few colours."""
    image = Image.open(BytesIO(page.screenshot()))
    path = PICTURES / f"{name}.png"
    image.convert("RGB").quantize(COLOURS).save(path, optimize=True)
    size = path.stat().st_size
    if size >= LARGEST:
        sys.exit(f"{path} has {size:,} bytes: it must have fewer than {LARGEST:,}")


def backfill(page: Page) -> None:
    """Fill all days from the page of the asset, and wait for the end."""
    page.goto("/assets/engagements?view=lineage&lineageScope=upstream")
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="All", exact=True).click()
    dialog.get_by_role("button", name="Launch backfill").click()
    expect(dialog).to_be_hidden()
    page.goto("/assets/engagements?view=partitions")
    expect(page.get_by_text("Materialized (60)")).to_be_visible()


def graph(page: Page) -> None:
    """Take the lineage of the catalogue; that of all assets has too many for a picture."""
    page.goto("/assets/catalog?view=lineage&lineageScope=upstream&lineageDepth=2")
    expect(page.get_by_text("60 partitions")).to_have_count(2)
    take(page, "asset-graph")


def partition(page: Page) -> None:
    """Take a day's partition, with its picture of the day."""
    page.goto(f"/assets/engagements?view=partitions&partition={LAST - timedelta(days=3)}")
    expect(page.get_by_text("top Tweets", exact=True).first).to_be_visible()
    for folded in page.get_by_text("[Show Markdown]").all():
        folded.click()
    chart = page.get_by_role("img", name=re.compile("by hour"))
    expect(chart.first).to_be_visible()
    chart.first.scroll_into_view_if_needed()
    take(page, "day")


def failed_check(page: Page, data: Path) -> None:
    """Put another day's rows into the last day's file, publish the day anew, and take what the check says."""
    (file,), (before,) = (data.glob(f"engagements/day={day}/*.parquet") for day in (LAST, LAST - timedelta(days=1)))
    shutil.copy(before, file)
    page.goto("/assets/engagements?view=partitions")
    page.get_by_role("button").filter(has_text="Materialize").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Latest", exact=True).click()
    dialog.get_by_role("button", name=re.compile("^Launch")).click()
    expect(dialog).to_be_hidden()
    page.goto("/assets/engagements?view=checks&checkDetail=right")
    expect(page.get_by_text("rows are of other days").first).to_be_visible()  # in the words and in the facts
    expect(page.get_by_text("In Progress")).to_have_count(0)
    take(page, "failed-check")


def terminal(page: Page, data: Path) -> None:
    """Take what `engagement sql` prints."""
    environment = os.environ | {"ENGAGEMENT_CONFIG": os.devnull, "ENGAGEMENT_DATA": str(data), "COLUMNS": "100"}
    said = subprocess.run(
        [*PROGRAM, "sql", QUERY], env=environment, cwd=CLONE, check=True, capture_output=True, text=True
    ).stdout
    shown = page.context.new_page()
    shown.set_content(TERMINAL.format(text=escape(f'$ engagement sql "{QUERY}"\n{said}')))
    box = shown.locator("pre").bounding_box()
    assert box
    shown.set_viewport_size({"width": round(box["width"]), "height": round(box["height"])})
    take(shown, "sql")
    shown.close()


def explorer(page: Page, data: Path) -> None:
    """Take the explorer of the same lake, as it opens."""
    settings = {"ENGAGEMENT_CONFIG": os.devnull, "ENGAGEMENT_DATA": str(data)}
    with serving("explore", "--no-browser", "--port", "0", **settings) as address:
        shown = page.context.new_page()
        shown.goto(address)
        expect(shown.locator("svg, canvas").first).to_be_visible()
        take(shown, "explorer")
        shown.close()


def main() -> None:
    """Take all five."""
    chromium = shutil.which("chromium") or sys.exit("there is no browser: apt-get install chromium")
    expect.set_options(timeout=PATIENCE)
    with tempfile.TemporaryDirectory() as folder, up(Path(folder) / "data") as address, sync_playwright() as playwright:
        data = Path(folder) / "data"
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(base_url=address, viewport={"width": 1280, "height": 720}).new_page()
        page.set_default_timeout(PATIENCE)
        page.goto("/")
        page.get_by_text("Hide navigation").click()
        backfill(page)
        graph(page)
        partition(page)
        terminal(page, data)
        explorer(page, data)
        failed_check(page, data)
        browser.close()


if __name__ == "__main__":
    main()
