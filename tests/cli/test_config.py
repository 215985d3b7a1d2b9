"""`engagement config`: each setting, its value and its origin, and no secret."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from parsers import commands_of

from engagement_pipeline.cli.commands import parser
from engagement_pipeline.core.settings import Settings

READS_SETTINGS = [
    *("authorize ann", "check", "plan", "pull", "sql x", "catalog"),
    *("rebuild", "upgrade", "prune", "doctor", "status", "config", "explain 1 impressions 2026-01-01 0"),
    *("report ann 2026-01", "explore", "roster import a.zip", "roster sync", "forget 1"),
]
ITS_OWN = ("help pull", "tables", "completion bash", "emulator --port 0", "demo", "up", "init")


@pytest.fixture
def shown(engagement):
    """Return a function that gives value and origin of each setting, as the command prints them in JSON."""

    def read(*arguments):
        code, out, errors = engagement("config", "--json", *arguments)
        assert (code, errors) == (0, [])
        return {key: (told["value"], told["from"]) for key, told in json.loads(out).items()}

    return read


def test_each_setting_is_shown_with_its_value_and_where_it_is_set(folder, engagement, monkeypatch):
    Path("engagement.local.toml").write_text("requests_per_minute = 300\n")
    monkeypatch.setenv("ENGAGEMENT_DAILY_AT", "05:07")
    code, out, errors = engagement("config")
    assert (code, errors) == (0, [])
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert list(rows) == [field.name for field in fields(Settings)]
    assert rows["requests_per_minute"] == ["engagement.local.toml", "300"]
    assert rows["daily_at"] == ["ENGAGEMENT_DAILY_AT", "05:07"]
    assert rows["data"] == ["default", str(folder / "data")]
    assert rows["skip_bad_rows"] == ["default", "false"]
    assert rows["alert_mail"] == ["default", "(not", "set)"]


def test_as_json_a_value_keeps_its_type(folder, shown, monkeypatch):
    Path("engagement.local.toml").write_text(
        'types = ["url_clicks", "impressions"]\nsource_of = { ann = "x_api_v2", Bob = "both" }\n'
    )
    monkeypatch.setenv("ENGAGEMENT_NOW", "2026-02-01")
    told = shown()
    assert told["types"] == (["impressions", "url_clicks"], "engagement.local.toml")
    assert told["now"] == ("2026-02-01T00:00:00+00:00", "ENGAGEMENT_NOW")
    assert told["first_day"] == ("2025-01-01", "default")
    assert told["source_of"] == (["ann=x_api_v2", "bob=both"], "engagement.local.toml")
    assert told["tries"] == (6, "default")
    assert told["history_days"] == (None, "default")
    assert told["skip_bad_rows"] == (False, "default")


def test_neither_the_webhook_nor_a_password_in_an_address_is_shown(folder, engagement, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_ALERT_WEBHOOK", "https://hooks.example.com/T0/s3cret")
    monkeypatch.setenv("ENGAGEMENT_DAGSTER_URL", "https://ann:pa55@dagster.example.com")
    for arguments in ((), ("--json",)):
        out = engagement("config", *arguments)[1]
        assert "s3cret" not in out
        assert "pa55" not in out
        assert "https://dagster.example.com" in out
        assert "…" in out


def test_the_file_of_the_option_is_read_alone_and_a_variable_wins_over_it(folder, shown, monkeypatch):
    Path("engagement.local.toml").write_text("lookback_days = 7\n")
    Path("mine.toml").write_text("tries = 2\nresume_hours = 3\n")
    monkeypatch.setenv("ENGAGEMENT_TRIES", "4")
    told = shown("--config", "mine.toml")
    assert told["resume_hours"] == (3, "mine.toml")
    assert told["tries"] == (4, "ENGAGEMENT_TRIES")
    assert told["lookback_days"] == (28, "default")


@pytest.mark.parametrize("command", READS_SETTINGS)
def test_each_command_that_reads_settings_takes_the_option(folder, failed, command):
    assert failed(*command.split(), "--config", "no.toml") == (
        2,
        "no.toml does not exist: create it, or name another with --config or ENGAGEMENT_CONFIG",
    )


@pytest.mark.parametrize("command", ITS_OWN)
def test_a_command_with_settings_of_its_own_does_not_take_it(folder, failed, command):
    code, line = failed(*command.split(), "--config", "no.toml")
    assert (code, "unrecognized arguments: --config" in line) == (2, True)


def test_these_are_all_commands():
    told = {command.split()[0] for command in (*READS_SETTINGS, *ITS_OWN)}
    assert {name.split()[0] for name, _ in commands_of(parser())} == told
