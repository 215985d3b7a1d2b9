"""The explorer, driven as a person does, in Debian's Chromium: `make test-ui`.

Each control is changed, and the numbers are read. The pictures are left in the test's temporary folder.
"""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import traps
from playwright.sync_api import expect, sync_playwright

from engagement_pipeline.lake.layout import Lake

CLONE = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium")
PATIENCE = 60_000  # milliseconds; only a broken page uses it up
RANGE = "first=2025-12-01&last=2026-01-29"

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no browser: apt-get install chromium")


@pytest.fixture(scope="module")
def browser():
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def lakes(tmp_path_factory):
    """A lake with a case of each trap, and an empty one."""
    folder = tmp_path_factory.mktemp("lakes")
    traps.build(Lake(folder / "traps"))
    Lake(folder / "empty").open()
    return folder


@pytest.fixture(scope="module")
def address(lakes):
    yield from explored(lakes / "traps")


@pytest.fixture(scope="module")
def of_nothing(lakes):
    yield from explored(lakes / "empty")


def explored(lake):
    """Yield where the command serves a lake."""
    command = [sys.executable, "-m", "engagement_pipeline", "explore", "--port", "0", "--no-browser"]
    environment = {"PATH": "/usr/bin", "ENGAGEMENT_CONFIG": "/dev/null", "ENGAGEMENT_DATA": str(lake)}
    with subprocess.Popen(command, cwd=CLONE, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield re.search(r"http://\S+/", process.stdout.readline())[0]
        finally:
            process.send_signal(signal.SIGINT)


@pytest.fixture
def page(browser, address):
    """A page of the explorer, on which nothing may fail and which no other place may be asked for."""
    yield from opened(browser, address)


def opened(browser, address, **look):
    page = browser.new_page(base_url=address, **({"viewport": {"width": 1280, "height": 900}} | look))
    page.set_default_timeout(PATIENCE)
    failures = []
    page.on("console", lambda told: failures.append(told.text) if told.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on(
        "request", lambda asked: failures.append(asked.url) if not asked.url.startswith((address, "data:")) else None
    )
    yield page
    page.close()
    assert failures == []


@pytest.fixture(scope="module")
def hours(lakes):
    return traps.hours_of(Lake(lakes / "traps"))


def total(hours, tweets, name, days=lambda _: True):
    return f"{sum(n for t in tweets for at, n in hours[t, name].items() if days(at.date())):,}"


def drawn(page, charts):
    """Wait until so many charts are drawn."""
    expect(page.locator(".chart svg")).to_have_count(charts)
    expect(page.locator("body")).to_have_attribute("data-drawn", str(charts))


def test_each_control_changes_the_numbers_and_the_address(page, hours):
    page.goto(f"/?{RANGE}")
    drawn(page, 5)
    impressions = page.locator("#sum-impressions")
    everyone = (traps.OLD, traps.LATE, traps.BEFORE, traps.YOUNG, traps.GONE)
    expect(impressions).to_have_text(total(hours, everyone, "impressions"))

    page.locator("#handles-told").click()
    page.get_by_label("@ann").check()
    expect(impressions).to_have_text(total(hours, (traps.OLD, traps.LATE), "impressions"))
    expect(page.locator("#handles-told")).to_have_text("@ann")
    page.keyboard.press("Escape")
    expect(page.locator("#handles-told")).to_be_focused()

    page.locator("#metrics-told").click()
    page.get_by_label("Engagements", exact=True).check()
    page.keyboard.press("Escape")
    drawn(page, 9)
    expect(page.locator("#sum-engagements")).to_have_text(total(hours, (traps.OLD, traps.LATE), "engagements"))

    page.get_by_label("First day").fill("2026-01-05")
    page.get_by_label("Last day").fill("2026-01-11")
    late = total(hours, (traps.OLD, traps.LATE), "impressions", lambda day: "2026-01-05" <= str(day) <= "2026-01-11")
    expect(impressions).to_have_text(late)
    expect(page.locator("#complete")).to_have_text("6 of 7")

    page.get_by_label("Time zone", exact=True).fill("Asia/Tokyo")
    page.keyboard.press("Enter")
    expect(page.locator("#complete")).to_have_text("5 of 7")

    page.get_by_label("Tweets, 6 at most").fill(str(traps.LATE))
    page.keyboard.press("Enter")
    expect(page.locator("#top + p + .scroll tbody tr")).to_have_count(1)

    address = page.url
    before = impressions.inner_text()
    page.reload()
    expect(page.locator("#sum-impressions")).to_have_text(before)
    expect(page.get_by_label("Time zone", exact=True)).to_have_value("Asia/Tokyo")
    assert page.url == address
    page.go_back()
    expect(page.get_by_label("Tweets, 6 at most")).to_have_value("")


def test_a_tweet_of_the_table_is_chosen_by_keyboard_and_keeps_the_focus(page):
    page.goto(f"/?{RANGE}")
    drawn(page, 5)
    only = page.locator(f"#only-{traps.OLD}")
    only.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Tweets, 6 at most")).to_have_value(str(traps.OLD))
    expect(only).to_contain_text("remove")
    expect(only).to_be_focused()


def test_what_is_pointed_at_is_told_exactly(page, hours):
    page.goto(f"/?{RANGE}")
    drawn(page, 5)
    page.locator(".chart").first.locator(".mark-rect path").nth(3).hover()
    tip = page.locator("#vg-tooltip-element")
    expect(tip).to_contain_text("2025-12-04")
    everyone = (traps.OLD, traps.LATE, traps.BEFORE, traps.YOUNG, traps.GONE)
    expect(tip).to_contain_text(total(hours, everyone, "impressions", lambda day: str(day) == "2025-12-04"))


def test_the_cell_answers_and_its_query_is_in_the_address(page):
    page.goto(f"/?{RANGE}")
    page.get_by_label("A query over the views").fill("select tweet_id from tweets order by 1 desc limit 1")
    page.keyboard.press("Control+Enter")
    largest = str(max(traps.OWNERS))
    expect(page.locator("#answer td")).to_have_text(largest)
    page.reload()
    expect(page.locator("#answer td")).to_have_text(largest)
    page.get_by_label("A query over the views").fill("drop table tweets")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer").get_by_role("alert")).to_contain_text("This cell answers SELECT", ignore_case=True)


def test_a_wrong_time_zone_is_one_line_and_the_way_back_is_open(page):
    page.goto(f"/?{RANGE}")
    page.get_by_label("Time zone", exact=True).fill("Europe/Berln")
    page.keyboard.press("Enter")
    expect(page.locator("#problem")).to_have_text("there is no time zone 'Europe/Berln': did you mean Europe/Berlin?")
    page.get_by_label("Time zone", exact=True).fill("Europe/Berlin")
    page.keyboard.press("Enter")
    drawn(page, 5)


LOOKS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "desktop-dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}


@pytest.mark.parametrize("look", LOOKS)
def test_the_page_fits_its_screen(browser, address, look, lakes):
    for page in opened(browser, address, **LOOKS[look]):
        page.goto(f"/?{RANGE}&metric=impressions&metric=engagements")
        drawn(page, 9)
        width = LOOKS[look]["viewport"]["width"]
        assert page.evaluate("document.documentElement.scrollWidth") == width
        rights = page.evaluate("[...document.querySelectorAll('.chart svg')].map(s => s.getBoundingClientRect().right)")
        assert max(rights) <= width
        page.screenshot(path=lakes / f"{look}.png", full_page=True)


def test_an_empty_lake_says_what_to_do(browser, of_nothing):
    for page in opened(browser, of_nothing):
        page.goto("/")
        expect(page.get_by_role("alert")).to_contain_text("put Tweets into the roster, and run engagement pull")


def test_without_scripts_the_tables_have_the_numbers(browser, address, hours):
    for page in opened(browser, address, java_script_enabled=False):
        page.goto(f"/?{RANGE}&handle=ann")
        page.get_by_label("First day").fill("2026-01-05")
        page.get_by_role("button", name="Show").click()
        late = total(hours, (traps.OLD, traps.LATE), "impressions", lambda day: str(day) >= "2026-01-05")
        expect(page.locator("#sum-impressions")).to_have_text(late)
