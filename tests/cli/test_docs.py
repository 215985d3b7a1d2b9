"""The pages in docs/ say what the code does, and their links lead somewhere."""

import re
from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest

from engagement_pipeline.core.endpoints import ENDPOINTS
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.emulator import Dials, Emulator, rules
from engagement_pipeline.lake.layout import Lake

CLONE = Path(__file__).parents[2]
PAGES = [CLONE / "README.md", CLONE / "data" / "README.md", *sorted((CLONE / "docs").glob("*.md"))]
API = (CLONE / "docs" / "engagement-api.md").read_text(encoding="utf-8")


def row(text):
    """Return the cells of a table's row."""
    return [cell.strip() for cell in text.strip("|").split("|")]


def age_limit(metric):
    limits = metric.oldest_tweet_days
    where = "everywhere" if set(limits) == set(ENDPOINTS) else f"on {', '.join(limits)}"
    return f"{max(limits.values()):,} days {where}" if limits else ""


def test_the_table_of_types_is_the_metric_dictionary():
    section = API.split("## Engagement types")[1].split("\n## ")[0]
    told = [row(line)[:5] for line in section.splitlines() if line.startswith("| `")]
    assert told == [
        [
            f"`{metric.name}`",
            ", ".join(metric.endpoints),
            "yes" if metric.public else "",
            age_limit(metric),
            str(metric.since or ""),
        ]
        for metric in METRICS
    ]


def test_the_limits_of_a_request_are_the_ones_enforced():
    rows = {name: cells for name, *cells in (row(line) for line in API.splitlines() if line.startswith("| "))}
    assert rows["Tweet IDs a request"] == [str(rules.MOST_TWEETS[endpoint]) for endpoint in rules.ENDPOINTS]
    assert rows["engagement types"] == [str(len(ENDPOINTS[endpoint].types)) for endpoint in rules.ENDPOINTS]


def test_the_dials_of_the_emulator_are_all_told():
    section = API.split("| dial |")[1].split("\n\n")[0]
    told = [name for line in section.splitlines()[2:] for name in re.findall(r"`(\w+)`", row(line)[0])]
    assert sorted(told) == sorted(dial.name for dial in fields(Dials))


def test_the_routes_beside_the_api_are_all_told():
    with Emulator() as emulator:
        app = emulator._server.config.app
    served = {(verb, r.path) for r in app.routes for verb in r.methods - {"HEAD"} if "insights" not in r.path}
    assert {(verb, path) for verb, path in re.findall(r"^\| `(\w+) (/[\w/]+)", API, re.MULTILINE)} == served


def test_the_page_of_the_data_folder_names_every_file_of_a_lake():
    page = (CLONE / "data" / "README.md").read_text(encoding="utf-8")
    told = [line.split()[0] for line in page.splitlines() if line.startswith("    ")]
    lake, day = Lake(Path()), date(2026, 1, 31)
    files = [lake.catalog, lake.raw, lake.set_aside, lake.requests, lake.tweets]
    for endpoint in ENDPOINTS.values():
        files += [lake.rows(endpoint.table, day), lake.coverage(endpoint, day)]
    assert {file.parts[0] for file in files} <= {place.split("/")[0] for place in told}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CLONE)))
def test_every_local_link_leads_to_a_file_or_a_heading(page):
    text = page.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings
        elif not target.startswith("https://"):
            assert (page.parent / target).exists(), target
