"""Dagster's UI on the emulator, driven as a person does, in Debian's Chromium: `make test-ui`.

Waits are for what the page shows, up to PATIENCE; only a broken page uses it up. Each page that was looked at is left
as a picture in the test's temporary folder.
"""

import re
import shutil
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

CLONE = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium")
PATIENCE = 240_000  # milliseconds
DAY = str(datetime.now(UTC).date() - timedelta(days=4))

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no browser: apt-get install chromium")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("up") / "data"


@pytest.fixture(scope="module")
def address(data):
    """Where `engagement up` serves the UI of an empty lake."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "engagement_pipeline", "up", "--data", str(data), "--port", str(port)]
    with subprocess.Popen(command, cwd=CLONE, stdout=subprocess.PIPE, text=True) as up:
        try:
            assert any(line.startswith("open ") for line in up.stdout)
            yield f"http://127.0.0.1:{port}"
        finally:
            up.send_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def page(address):
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(base_url=address, viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(PATIENCE)
        yield page
        browser.close()


def picture(page, data, name):
    page.screenshot(path=data.parent / f"{name}.png")


def test_a_backfill_of_60_days_from_the_asset_page_ends_in_three_runs(page, data):
    page.goto("/assets/engagements?view=lineage&lineageScope=upstream")
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="All", exact=True).click()
    expect(dialog).to_contain_text("60 partitions")
    dialog.get_by_role("button", name="Launch backfill").click()
    page.get_by_text("View", exact=True).click()
    expect(page).to_have_url(re.compile(r"/runs/b/\w+"))
    expect(page.get_by_text("100% completed")).to_have_count(2)
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(2)  # the column, and the backfill's status
    picture(page, data, "backfill")
    page.get_by_role("tab", name="Runs").click()
    expect(page.get_by_text("Success", exact=True)).to_have_count(3)
    picture(page, data, "runs")


def test_a_partition_shows_its_numbers_and_the_picture_of_the_day(page, data):
    page.goto(f"/assets/engagements?view=partitions&partition={DAY}")
    expect(page.get_by_text("Materialized (60)")).to_be_visible()
    for name in ("dagster/row_count", "tweets", "impressions", "restated", "bytes", "top Tweets"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    chart = page.get_by_role("img", name=f"{DAY} by hour, UTC")  # in place, behind no link
    expect(chart).to_be_visible()
    assert chart.evaluate("image => image.naturalWidth") > 0, "the browser cannot draw it"
    picture(page, data, "chart")


def materialize_last(page):
    """Publish the last day anew from the asset's page, and leave the page at what the check `right` says."""
    page.goto("/assets/engagements?view=partitions")
    page.get_by_role("button").filter(has_text="Materialize").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Latest", exact=True).click()
    expect(dialog).to_contain_text("1 partition")
    dialog.get_by_role("button", name=re.compile("^Launch")).click()
    expect(dialog).to_be_hidden()
    page.goto("/assets/engagements?view=checks&checkDetail=right")


def rebuild_last(page):
    """Make the last day anew from the page of the job `rebuild`, and leave the page at what the check `right` says."""
    page.goto("/locations/engagement/jobs/rebuild/partitions")
    page.get_by_role("button").filter(has_text="Launch backfill").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Latest", exact=True).click()
    dialog.get_by_role("button").filter(has_text="Submit 1 run").click()
    expect(dialog).to_be_hidden()
    page.goto("/assets/engagements?view=checks&checkDetail=right")


def test_a_check_fails_on_a_damaged_day_and_passes_after_the_repair(page, data):
    last = datetime.now(UTC).date() - timedelta(days=1)
    (file,), (before,) = (data.glob(f"engagements/day={day}/*.parquet") for day in (last, last - timedelta(days=1)))
    shutil.copy(before, file)
    materialize_last(page)
    expect(page.get_by_text("rows are of other days").first).to_be_visible()  # in the words and in the facts
    picture(page, data, "damaged")
    rebuild_last(page)
    expect(page.get_by_text("all rows are of the day").first).to_be_visible()
    picture(page, data, "repaired")
