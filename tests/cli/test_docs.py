"""The pages in docs/ say what the code does, and their links lead somewhere."""

import ast
import re
import shutil
import subprocess
from dataclasses import fields
from datetime import date, time
from pathlib import Path

import pytest

from docs import drawing
from engagement_pipeline.cli import INTERRUPTED
from engagement_pipeline.core.endpoints import ENDPOINTS
from engagement_pipeline.core.errors import EngagementError, InputError
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.core.settings import PATIENCE_AT_A_TERMINAL, PATIENCE_MINUTES, Settings
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.emulator import Dials, Emulator, rules, v2
from engagement_pipeline.emulator.v2.metrics import TYPES
from engagement_pipeline.emulator.v2.problems import PARTIAL
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query.views import all_macros, all_views

CLONE = Path(__file__).parents[2]
NAMES = ("README", "CONTRIBUTING", "GLOSSARY", "CHANGELOG", "data/README", "benchmarks/README")
PAGES = [*(CLONE / f"{name}.md" for name in NAMES), *sorted((CLONE / "docs").glob("*.md"))]
API = (CLONE / "docs" / "engagement-api.md").read_text(encoding="utf-8")
X_API = (CLONE / "docs" / "x-api-v2.md").read_text(encoding="utf-8")


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


@pytest.mark.parametrize(("page", "dials"), [(API, Dials), (X_API, v2.Dials)], ids=["engagement", "v2"])
def test_the_dials_of_the_emulator_are_all_told(page, dials):
    section = page.split("| dial |")[1].split("\n\n")[0]
    told = [name for line in section.splitlines()[2:] for name in re.findall(r"`(\w+)`", row(line)[0])]
    assert sorted(told) == sorted(dial.name for dial in fields(dials))


def test_the_metrics_of_x_api_v2_are_those_that_the_emulator_serves():
    section = X_API.split("| metric | type |")[1].split("\n\n")[0]
    told = {name: row(line)[1] for line in section.splitlines()[2:] for name in re.findall(r"`(\w+)`", row(line)[0])}
    assert told.keys() == TYPES.keys()
    assert all(ours in (name, re.sub("`", "", told[name]).split(",")[0]) for name, ours in TYPES.items())


def test_the_kinds_of_partial_errors_are_all_told():
    told = re.findall(r"`([\w:-]+)`", X_API.split("The kinds of `partial_errors` are")[1].split(", which is")[0])
    assert tuple(told) == PARTIAL


def test_the_routes_beside_the_three_endpoints_are_all_told():
    with Emulator() as emulator:
        app = emulator._server.config.app
    served = {(verb, r.path) for r in app.routes for verb in r.methods - {"HEAD"} if "insights" not in r.path}
    assert {*re.findall(r"^\| `(\w+) (/[\w/{}]+)", API + X_API, re.MULTILINE)} == served


@pytest.mark.skipif(shutil.which("curl") is None, reason="the example is of curl")
def test_the_example_of_x_api_v2_runs(tmp_path):
    example = re.search(r"```sh\n(.*?)```", X_API, re.DOTALL)[1]
    with Emulator() as emulator:
        emulator.credentials.write_accounts(tmp_path / "emulated" / "accounts.toml")
        script = example.replace("http://127.0.0.1:8080", emulator.url)
        told = subprocess.run(["sh", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.count('"username":"harborbooks"') == 2


def test_the_page_of_the_data_folder_names_every_file_of_a_lake():
    page = (CLONE / "data" / "README.md").read_text(encoding="utf-8")
    told = [line.split()[0] for line in page.splitlines() if line.startswith("    ")]
    lake, day = Lake(Path()), date(2026, 1, 31)
    files = [lake.catalog, lake.raw, lake.set_aside, lake.requests, lake.tweets, lake.forgotten]
    for endpoint in ENDPOINTS.values():
        files += [lake.rows(endpoint.table, day), lake.coverage(endpoint, day)]
    assert {file.parts[0] for file in files} <= {place.split("/")[0] for place in told}


def heading_links(page):
    """Return the anchors of a page's headings, as code hosts and the site make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CLONE)))
def test_every_local_link_leads_to_a_file_and_a_heading(page):
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(\s*([^)\s]+)\)", text):
        if not target.startswith("https://"):
            place, _, heading = target.partition("#")
            there = page.parent / place if place else page
            assert there.exists(), target
            assert not heading or heading in heading_links(there), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CLONE)))
def test_the_site_has_every_page(page):
    assert f": {page.relative_to(CLONE)}\n" in (CLONE / "docs" / "mkdocs.yml").read_text(encoding="utf-8")


def test_the_drawing_is_what_the_code_says_or_else_run_make_docs():
    assert (CLONE / drawing.DRAWING).read_text(encoding="utf-8") == drawing.svg()


def test_the_drawing_names_each_endpoint_table_and_view():
    drawn = re.findall(r"<text[^>]*>([^<]+)", drawing.svg())
    views = {view.name for view in (*all_views(), *all_macros())}
    assert {*TABLES, *(name for name in views if "." not in name)} <= {*drawn}
    assert [line for line in drawn if line.startswith("/")] == [
        "/totals: 250 Tweets",
        "/28hr: 25 Tweets",
        "/historical: 25 Tweets, 28 days",
        "/analytics: 100 Tweets, 28 days",
        "/analytics_totals: 100 Tweets, 28 days",
        "/media: 100 media keys, 28 days",
    ]


def test_the_pictures_are_small_and_each_is_shown():
    pictures = [*(CLONE / "docs" / "pictures").iterdir()]
    assert len(pictures) == 6
    for picture in pictures:
        assert picture.stat().st_size < 100_000
        assert f"](docs/pictures/{picture.name})" in PAGES[0].read_text(encoding="utf-8")


def told_settings():
    """Return what the page says is the default of each setting."""
    page = (CLONE / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = [row(line) for line in page.splitlines() if re.match(r"\| `[a-z0-9_]+` \|", line)]
    assert all(what for _, _, what, _ in rows)
    return {name.strip("`"): default for name, default, _, _ in rows}


def shown_default(key, value):
    """Return the default of a setting as the page writes it: as in TOML, or in words where it depends."""
    in_words = {"patience_minutes": f"{PATIENCE_MINUTES}, at a terminal {PATIENCE_AT_A_TERMINAL}"}
    in_words["types"] = f"all {len(METRICS)}"
    if key in in_words:
        return in_words[key]
    if value is None or value == "":
        return "none"
    if isinstance(value, time):
        return f'`"{value:%H:%M}"`'
    return f'`"{value}"`' if isinstance(value, str | Path) else f"`{str(value).lower()}`"


def test_the_page_of_settings_has_each_setting_with_its_default():
    defaults = Settings()
    assert told_settings() == {
        each.name: shown_default(each.name, getattr(defaults, each.name)) for each in fields(Settings)
    }


def test_the_exit_codes_are_the_ones_of_the_program():
    page = (CLONE / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    told = [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)]
    assert told == [0, EngagementError.exit_code, InputError.exit_code, INTERRUPTED]


def quoted_messages():
    page = (CLONE / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)


def texts_of_the_code():
    """Return each text in the code, with `…` for what is filled in."""
    found = []
    for folder in ("engagement_pipeline", "assets"):
        for path in (CLONE / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                    found.append("".join(parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(re.sub(r"%(\.\d)?[sdgf]", "…", node.value))
    return "\n".join(found)


TEXTS = texts_of_the_code()


@pytest.mark.parametrize("message", quoted_messages())
def test_each_message_that_the_page_quotes_is_one_of_the_program(message):
    pieces = [piece for piece in message.split("…") if piece.strip()]
    assert re.search(r"[^\n]*?".join(map(re.escape, pieces)), TEXTS), message


EXAMPLES = re.findall(r"```python\n(.+?)```", (CLONE / "docs" / "python.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=["read", "sql", "relation", "pandas"])
def test_the_examples_in_python_run(example, in_world, engagement, monkeypatch, capsys):
    monkeypatch.setenv("ENGAGEMENT_DATA", str(in_world.root / "data"))
    assert engagement("pull", "--from", "2026-01-30")[0] == 0
    monkeypatch.chdir(in_world.root)
    exec(compile(example, "python.md", "exec"), {})
    assert "2026-01-31" in capsys.readouterr().out
