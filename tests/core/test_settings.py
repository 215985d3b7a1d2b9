"""Settings: defaults, the files over them, the environment over these, and one line for each thing that is wrong."""

import os
import re
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.places import in_bucket
from engagement_pipeline.core.redaction import redacted

ALL_TYPES = (
    "app_install_attempts app_opens bookmarks cta_url_clicks cta_watch_clicks detail_expands email_tweet engagements "
    "favorites hashtag_clicks impressions media_engagements media_views permalink_clicks play_from_tap playback25 "
    "playback50 playback75 playback_complete playback_start quote_tweets replies retweets shares unfollows unlikes "
    "url_clicks user_follows user_profile_clicks video_views watch_time_ms"
)
CLONE = Path(__file__).parents[2]
DEVNULL = Path(os.devnull)


@pytest.fixture
def config(tmp_path):
    """Return a function that loads a file of that text, with further variables."""
    path = tmp_path / "engagement.toml"

    def load(text, **environment):
        path.write_text(text)
        return settings.load({"ENGAGEMENT_CONFIG": str(path), **environment})

    return load


def refusal(load, *arguments, **keywords):
    """Return the one line with which settings are refused."""
    with pytest.raises(InputError) as caught:
        load(*arguments, **keywords)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    return message


def test_without_file_or_variable_every_setting_has_its_documented_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings.load({}) == settings.Settings(
        source="engagement",
        source_of=None,
        shown_source="engagement",
        media=False,
        api_url="https://data-api.twitter.com",
        x_api_url="https://api.x.com",
        auth_url="https://api.twitter.com",
        data=tmp_path / "data",
        accounts=tmp_path / "accounts.toml",
        tweets=str(tmp_path / "data/tweets/*"),
        reports=tmp_path / "reports",
        skip_bad_rows=False,
        history_days=None,
        requests_per_month=None,
        handles_per_month=None,
        posts_per_month=None,
        price_per_read=None,
        first_day=date(2025, 1, 1),
        lookback_days=28,
        requests_per_minute=60,
        x_requests_per_15_minutes=300,
        x_window_days=28,
        x_audit="first",
        types=tuple(ALL_TYPES.split()),
        patience_minutes=None,
        tries=6,
        timeout_seconds=60,
        resume_hours=24,
        now=None,
    )


def test_the_engagement_toml_of_the_clone_states_the_defaults(monkeypatch):
    monkeypatch.chdir(CLONE)
    stated = settings.load({"ENGAGEMENT_CONFIG": str(CLONE / "engagement.toml")})
    assert stated == settings.load({"ENGAGEMENT_CONFIG": os.devnull})


def test_the_engagement_toml_of_the_clone_names_every_setting():
    text = (CLONE / "engagement.toml").read_text(encoding="utf-8")
    named = re.findall(r"^(?:# )?(\w+) = ", text, re.MULTILINE)
    assert sorted(named) == sorted(field.name for field in fields(settings.Settings))


@pytest.mark.parametrize(
    ("text", "oldest"),
    [
        ("", date(2014, 9, 1)),
        ("history_days = 365", date(2025, 2, 2)),  # 2025-02-01 is whole at midnight alone
        ("history_days = 1", date(2026, 2, 1)),
        ("history_days = 10000", date(2014, 9, 1)),
    ],
)
def test_the_contract_tells_how_far_back_history_goes(config, text, oldest):
    assert config(text, ENGAGEMENT_NOW="2026-02-01T00:00:00Z").oldest_day() == oldest


@pytest.mark.parametrize(
    ("text", "last", "first"),
    [
        ("", None, date(2026, 1, 4)),
        ("lookback_days = 7", None, date(2026, 1, 25)),
        ("lookback_days = 7", date(2026, 1, 10), date(2026, 1, 4)),
        ("first_day = 2026-01-30", None, date(2026, 1, 30)),
        ("first_day = 2026-01-30", date(2026, 1, 10), date(2026, 1, 30)),  # there is none then
        ("history_days = 10", None, date(2026, 1, 23)),
        ("first_day = 2014-09-01", date(1, 1, 5), date(2014, 9, 1)),
    ],
)
def test_the_look_back_begins_within_what_there_is(config, text, last, first):
    assert config(text, ENGAGEMENT_NOW="2026-02-01T00:00:00Z").look_back_day(last) == first


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("", 15),
        ("patience_minutes = 0", 0),
        ("patience_minutes = 60", 60),
        ("tries = 1", 0),
        ("tries = 1\npatience_minutes = 60", 60),
    ],
)
def test_a_pull_waits_a_quarter_of_an_hour_for_an_api_that_is_down_unless_it_is_told_otherwise(config, text, minutes):
    assert config(text).patience() == minutes


@pytest.mark.parametrize("text", ["requests_per_month = 0", "posts_per_month = true", 'handles_per_month = "many"'])
def test_a_limit_of_a_month_is_a_whole_number(config, text):
    assert "must be a whole number of at least 1 and at most 1,000,000,000,000" in refusal(config, text)


@pytest.mark.parametrize("price", ["0", "-1", "nan", "inf", '"much"', "true", "[1]"])
def test_a_price_is_a_number_above_0(config, price):
    assert "must be a number above 0" in refusal(config, f"price_per_read = {price}")


@pytest.mark.parametrize("price", ["0.005", "1", '"0.005"'])
def test_a_price_may_be_any_number_above_0(config, price):
    assert config(f"price_per_read = {price}").limits.price_per_read == float(price.strip('"'))


def test_the_file_of_the_working_directory_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("engagement.toml").write_text("tries = 2")
    assert settings.load({}).tries == 2


@pytest.fixture
def layers(tmp_path, monkeypatch):
    """Return a function that writes all files but those named, and gives `tries` and its origin."""
    monkeypatch.chdir(tmp_path)
    user, named = tmp_path / "xdg" / "engagement" / "engagement.toml", tmp_path / "named.toml"
    files = {named: 5, Path("engagement.local.toml"): 4, user: 3, Path("engagement.toml"): 2}

    def chosen(*without, **environment):
        for path, number in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"tries = {number}")
            if path.name in without or path in without:
                path.unlink()
        return settings.chosen({"XDG_CONFIG_HOME": str(tmp_path / "xdg"), **environment})["tries"]

    return chosen


def test_of_all_that_set_a_value_the_first_in_the_order_of_precedence_wins(layers, tmp_path):
    user, named = tmp_path / "xdg" / "engagement" / "engagement.toml", tmp_path / "named.toml"
    assert layers(ENGAGEMENT_TRIES="6", ENGAGEMENT_CONFIG=str(named)) == (6, "ENGAGEMENT_TRIES")
    assert layers(ENGAGEMENT_CONFIG=str(named)) == (5, str(named))
    assert layers() == (4, "engagement.local.toml")
    assert layers("engagement.local.toml") == (3, str(user))
    assert layers("engagement.local.toml", user) == (2, "engagement.toml")
    assert layers("engagement.local.toml", "engagement.toml") == (6, "default")


def test_files_are_layers_and_not_alternatives(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("engagement.toml").write_text("tries = 2\nlookback_days = 7")
    Path("engagement.local.toml").write_text("tries = 3")
    assert (settings.load({}).tries, settings.load({}).lookback_days) == (3, 7)


def test_a_named_file_is_read_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("engagement.local.toml").write_text("lookback_days = 7")
    Path("named.toml").write_text("tries = 2")
    Path("other.toml").write_text("tries = 3")
    assert settings.load({"ENGAGEMENT_CONFIG": "named.toml"}) == settings.load(
        {"ENGAGEMENT_TRIES": "2"}, config=DEVNULL
    )
    assert settings.load({"ENGAGEMENT_CONFIG": "named.toml"}, config=Path("other.toml")).tries == 3


def test_paths_start_at_the_file_that_names_them(tmp_path, monkeypatch):
    here, user = tmp_path / "here", tmp_path / "xdg" / "engagement"
    for folder in (here, user):
        folder.mkdir(parents=True)
    monkeypatch.chdir(here)
    (user / "engagement.toml").write_text('data = "lake"\naccounts = "a.toml"')
    Path("engagement.local.toml").write_text('data = "mine"')
    chosen = settings.load({"XDG_CONFIG_HOME": str(tmp_path / "xdg")})
    assert (chosen.data, chosen.accounts) == (here / "mine", user / "a.toml")


@pytest.mark.parametrize("variables", [{}, {"XDG_CONFIG_HOME": ""}, {"XDG_CONFIG_HOME": "relative"}])
def test_the_users_file_is_in_the_home_folder_unless_told_otherwise(tmp_path, monkeypatch, variables):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "home" / ".config" / "engagement" / "engagement.toml"
    path.parent.mkdir(parents=True)
    path.write_text("tries = 2")
    assert settings.load({"HOME": str(tmp_path / "home"), **variables}).tries == 2


def test_the_home_of_somebody_else_is_no_obstacle(tmp_path, monkeypatch):
    def exists(path):
        if "home" in path.parts:
            raise PermissionError
        return False

    monkeypatch.setattr(Path, "exists", exists)
    assert settings.load({"HOME": "/home"}).tries == 6


def test_a_mistake_is_told_with_its_own_file_of_several(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("engagement.toml").write_text("tries = 2")
    Path("engagement.local.toml").write_text("tries = 0")
    assert refusal(settings.load, {}).startswith("engagement.local.toml: tries = 0: must be")


def test_a_secret_is_masked_also_where_another_origin_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("engagement.toml").write_text('alert_webhook = "https://hooks.example.com/OverruledSecret"')
    settings.load({"ENGAGEMENT_ALERT_WEBHOOK": "https://hooks.example.com/TheOneThatWins"})
    assert redacted("OverruledSecret") == redacted("TheOneThatWins") == "…"


def test_a_variable_wins_over_the_file_for_its_key_alone(config):
    chosen = config("tries = 2\nlookback_days = 7", ENGAGEMENT_TRIES="3")
    assert (chosen.tries, chosen.lookback_days) == (3, 7)


@pytest.mark.parametrize(("text", "variable"), [("true", "True"), ("false", "false")])
def test_bad_rows_are_skipped_or_not(config, text, variable):
    chosen = config(f"skip_bad_rows = {text}"), config("", ENGAGEMENT_SKIP_BAD_ROWS=variable)
    assert [each.skip_bad_rows for each in chosen] == [text == "true"] * 2


def test_an_empty_variable_is_as_good_as_none(config):
    assert config("tries = 2", ENGAGEMENT_TRIES="").tries == 2


def test_paths_of_the_file_start_there_and_those_of_variables_where_we_are(config, tmp_path, monkeypatch):
    here = tmp_path / "elsewhere"
    here.mkdir()
    monkeypatch.chdir(here)
    chosen = config('data = "lake"\ntweets = "roster/*.csv"', ENGAGEMENT_ACCOUNTS="a.toml")
    assert chosen.data == tmp_path / "lake"
    assert chosen.tweets == str(tmp_path / "roster/*.csv")
    assert chosen.accounts == here / "a.toml"


def test_a_path_may_be_absolute_or_begin_at_home(config, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    chosen = config('data = "~/lake"\naccounts = "/etc/accounts.toml"')
    assert (chosen.data, chosen.accounts) == (Path("/home/someone/lake"), Path("/etc/accounts.toml"))


def test_brackets_in_the_name_of_a_folder_are_no_pattern(tmp_path, monkeypatch):
    folder = tmp_path / "lake [1]"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert settings.load({"ENGAGEMENT_TWEETS": "roster/*"}).tweets == str(tmp_path / "lake [[]1]" / "roster/*")


def test_the_place_of_turns_is_in_a_bucket_or_not_set():
    told = {"ENGAGEMENT_CONFIG": os.devnull, "ENGAGEMENT_APP_LOCK": " s3://bucket/turns/ "}
    assert settings.load(told).app_lock == in_bucket("s3://bucket/turns")
    assert settings.Settings().app_lock is None


MALFORMED = [
    ("source", "twitter", "must be engagement or x_api_v2 or both"),
    ("source_of", "ann=twitter", "must be engagement or x_api_v2 or both"),
    ("source_of", "a-b=both", "is not a handle"),
    ("source_of", "both", "in a variable some_handle=x_api_v2"),
    ("shown_source", "both", "must be engagement or x_api_v2"),
    ("x_window_days", "29", "at most 28"),
    ("api_url", "ftp://api.twitter.com", "https://data-api.twitter.com"),
    ("api_url", "data-api.twitter.com", "https://data-api.twitter.com"),
    ("api_url", "https://", "https://data-api.twitter.com"),
    ("api_url", "https://[::1", "https://data-api.twitter.com"),
    ("api_url", "https://api..twitter.com", "https://data-api.twitter.com"),
    ("api_url", "https://api.twitter.com:port", "https://data-api.twitter.com"),
    ("api_url", "http://data-api.twitter.com", "must be https"),
    ("api_url", "http://127.0.0.1.example.org", "must be https"),
    ("auth_url", "api.twitter.com", "must be a URL"),
    ("auth_url", "http://api.twitter.com", "must be https"),
    ("data", "~nobody-of-that-name/lake", "write the path in full"),
    ("app_lock", "turns", ": must be an address such as s3://bucket/prefix"),
    ("app_lock", "s3://b", "the name of no bucket"),
    ("first_day", "01.02.2026", "2026-01-31"),
    ("first_day", "2026-02-30", "2026-01-31"),
    ("first_day", "2026-W05-6", "2026-01-31"),
    ("first_day", "2014-08-31", "no data before 2014-09-01"),
    ("lookback_days", "29", "at most 28"),
    ("lookback_days", "0", "at least 1"),
    ("requests_per_minute", "-1", "at least 1"),
    ("requests_per_minute", "1e3", "at least 1"),
    ("patience_minutes", "1.5", "whole number of minutes"),
    ("patience_minutes", "-1", "whole number of minutes"),
    ("patience_minutes", "1441", "at most 1,440"),
    ("tries", "many", "at least 1"),
    ("tries", "1.5", "at least 1"),
    ("timeout_seconds", "99999999999", "at most 1,000,000"),
    ("resume_hours", "9" * 30, "at most 1,000,000"),
    (
        "types",
        "impressions, media_clicks",
        "media_clicks (now media_engagements) is not an engagement type; choose from app_install",
    ),
    ("types", ",", "choose from"),
    ("skip_bad_rows", "yes", "must be true or false"),
    ("now", "yesterday", "2026-02-01T00:00:00Z"),
    ("now", "2014-01-01", "no data before 2014-09-01"),
]


@pytest.mark.parametrize(("key", "value", "fix"), MALFORMED)
def test_a_malformed_variable_is_named_with_its_value_and_the_fix(key, value, fix):
    message = refusal(settings.load, {"ENGAGEMENT_CONFIG": os.devnull, f"ENGAGEMENT_{key.upper()}": value})
    assert message.startswith(f"ENGAGEMENT_{key.upper()} = {value!r}: ")
    assert fix in message


@pytest.mark.parametrize(("key", "value", "fix"), MALFORMED)
def test_a_malformed_key_of_the_file_is_named_with_its_file(config, tmp_path, key, value, fix):
    message = refusal(config, f"{key} = {value!r}")
    assert message.startswith(f"{tmp_path / 'engagement.toml'}: {key} = ")
    assert fix in message


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("api_url = 5", "must be a URL"),
        ("api_url = ['https://data-api.twitter.com']", "must be a URL"),
        ("data = 5", "must be a path"),
        ("data = ''", "must be a path"),
        ('accounts = "a\\u0000b"', "must be a path"),
        ("tweets = ['a', 'b']", "must be a path"),
        ("first_day = 2014-08-31", "first_day = 2014-08-31: the API has no data before"),
        ("first_day = 2026-01-31T00:00:00Z", "2026-01-31"),
        ("first_day = 20260131.5", "2026-01-31"),
        ("tries = true", "at least 1"),
        ("tries = 2.0", "at least 1"),
        ("types = 5", "must be a list"),
        ("types = []", "choose from"),
        ("types = ['impressions', 5]", "5 is not an engagement type"),
        ("now = 12:00:00", "2026-02-01T00:00:00Z"),
        ("now = {}", "2026-02-01T00:00:00Z"),
    ],
)
def test_a_value_of_the_wrong_kind_gets_one_line_that_says_what_it_must_be(config, line, fix):
    assert fix in refusal(config, line)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("lokback_days = 7", "did you mean lookback_days?"),
        ("zzz = 1", "'zzz'"),
        ("[account]", "did you mean accounts?"),
    ],
)
def test_an_unknown_key_is_refused_and_the_near_one_suggested(config, tmp_path, line, hint):
    message = refusal(config, line)
    assert message.startswith(f"{tmp_path / 'engagement.toml'}: unknown setting ")
    assert hint in message


def test_an_unknown_variable_is_warned_of_because_other_programs_may_own_it(config, caplog):
    config("", ENGAGEMENT_LOKBACK_DAYS="7")
    assert caplog.messages == ["ENGAGEMENT_LOKBACK_DAYS is not a setting of this program; did you mean lookback_days?"]


def test_both_urls_can_be_set_by_variable_and_neither_is_warned_of(config, caplog):
    chosen = config("", ENGAGEMENT_API_URL="https://data-api.x.com", ENGAGEMENT_AUTH_URL="https://api.x.com")
    assert (chosen.api_url, chosen.auth_url) == ("https://data-api.x.com", "https://api.x.com")
    assert not caplog.records


@pytest.mark.parametrize("key", ["api_url", "x_api_url", "auth_url"])
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_http_is_for_this_machine_alone(config, key, host):
    assert getattr(config(f'{key} = "http://{host}/"'), key) == f"http://{host}"


@pytest.mark.parametrize(
    ("key", "bad", "fix"),
    [
        ("alert_mail", "team", "one address"),
        ("alert_mail", "a@example.com, b@example.com", "one address"),
        ("alert_mail", "a@example.com\\nBcc: b@example.com", "one address"),
        ("alert_smtp", "localhost", "a host and a port"),
        ("alert_smtp", "localhost:0", "a host and a port"),
        ("alert_smtp", ":25", "a host and a port"),
        ("dagster_url", "dagster.example.com", "must be a URL"),
    ],
)
def test_where_alerts_go_is_checked_before_the_first_is_due(config, key, bad, fix):
    assert fix in refusal(config, f'{key} = "{bad}"')


def test_the_link_of_an_alert_may_lead_to_a_host_of_the_own_network(config):
    assert config('dagster_url = "http://dagster.internal/"').dagster_url == "http://dagster.internal"


@pytest.mark.parametrize(
    "bad", [f"{host}/T0/s3cret" for host in ("http://a.example", "a.example", "https://a..example")]
)
def test_the_address_of_a_webhook_is_a_secret_even_where_it_is_refused(config, bad):
    assert "s3cret" not in refusal(config, f'alert_webhook = "{bad}"')
    assert "s3cret" not in refusal(config, "", ENGAGEMENT_ALERT_WEBHOOK=bad)


def test_the_address_of_a_webhook_is_kept_as_given_and_does_not_print(config):
    chosen = config('alert_webhook = "https://hooks.example.com/T0/s3cret/"')
    assert chosen.alert_webhook == "https://hooks.example.com/T0/s3cret/"
    assert "s3cret" not in repr(chosen)


@pytest.mark.parametrize("key", ["api_url", "x_api_url", "auth_url"])
@pytest.mark.parametrize("login", ["ann:pa55word@", "pa55word@", "ann:a/pa55word@", "ann:12/pa55word@", "@"])
def test_the_address_of_an_api_has_no_login_since_messages_name_it(config, key, login):
    assert "pa55word" not in refusal(config, f'{key} = "https://{login}api.example.com"')


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("api_url", "ann:pa55word@api.example.com"),
        ("dagster_url", "ann:pa55word@dagster.example.com"),
        ("alert_smtp", "ann:pa55word@relay.example.com:25"),
    ],
)
def test_an_address_is_refused_without_the_login_in_it(config, key, bad):
    assert "pa55word" not in refusal(config, f'{key} = "{bad}"')


@pytest.mark.parametrize("scheme", ["https", "ftp"])
def test_the_address_of_a_webhook_and_its_parts_are_masked_even_where_it_is_refused(config, scheme):
    parts = (f"/services/T0/B0/S3cretOf{scheme}", f"S3cretOf{scheme}", f"pass-of-{scheme}")
    with suppress(InputError):
        config(f'alert_webhook = "{scheme}://user:{parts[2]}@hooks.example.com{parts[0]}"')
    assert [redacted(f"url: {part} refused") for part in parts] == ["url: … refused"] * 3


def test_bad_toml_is_named_with_its_place(config, tmp_path):
    message = refusal(config, "tries = 2\ntries 3")
    assert message.startswith(f"{tmp_path / 'engagement.toml'} is not valid TOML: ")
    assert "line 2" in message


def test_a_file_that_is_not_text_is_not_valid_toml(tmp_path):
    path = tmp_path / "engagement.toml"
    path.write_bytes(b"\xff\xfe")
    assert "is not valid TOML" in refusal(settings.load, {"ENGAGEMENT_CONFIG": str(path)})


def test_a_file_that_is_named_must_exist(tmp_path):
    message = refusal(settings.load, {"ENGAGEMENT_CONFIG": str(tmp_path / "no.toml")})
    assert (
        message
        == f"{tmp_path / 'no.toml'} does not exist: create it, or name another with --config or ENGAGEMENT_CONFIG"
    )


def test_a_folder_is_no_file(tmp_path):
    assert "cannot be read: Is a directory" in refusal(settings.load, {"ENGAGEMENT_CONFIG": str(tmp_path)})


@pytest.mark.parametrize("name", ALL_TYPES.split())
def test_any_type_that_some_endpoint_serves_may_be_chosen_alone(config, name):
    """Those that /totals or X API v2 alone serves too."""
    assert config(f"types = ['{name}']").types == config("", ENGAGEMENT_TYPES=name).types == (name,)


@pytest.mark.parametrize("text", ['"impressions url_clicks"', '["url_clicks", "impressions", "impressions"]'])
def test_types_are_kept_once_each_in_alphabetical_order(config, text):
    assert config(f"types = {text}").types == ("impressions", "url_clicks")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-01", datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-02-01T12:30:00", datetime(2026, 2, 1, 12, 30, tzinfo=UTC)),
        ("2026-02-01T12:30:00Z", datetime(2026, 2, 1, 12, 30, tzinfo=UTC)),
        ("2026-02-01T01:30:00+02:00", datetime(2026, 1, 31, 23, 30, tzinfo=UTC)),
    ],
)
def test_now_is_utc_where_it_names_no_zone_and_converted_where_it_does(config, text, moment):
    for chosen in (config(f"now = {text}"), config("", ENGAGEMENT_NOW=text)):
        assert chosen.now == chosen.current_time() == moment
        assert chosen.now.tzinfo is UTC


def test_the_last_whole_day_is_the_utc_day_before_now():
    assert settings.Settings(now=datetime(2026, 3, 1, 0, 0, tzinfo=UTC)).last_whole_day() == date(2026, 2, 28)
    assert settings.Settings(now=datetime(2026, 3, 1, 23, 59, tzinfo=UTC)).last_whole_day() == date(2026, 2, 28)


def test_without_a_fixed_now_the_time_is_the_clocks():
    before = datetime.now(UTC)
    assert before <= settings.Settings().current_time() <= datetime.now(UTC)


@pytest.mark.parametrize("written", ['"05:07"', "05:07:00"])
def test_a_time_of_the_day_is_text_or_a_time_of_toml(config, written):
    assert config(f"daily_at = {written}").daily_at == time(5, 7)


@pytest.mark.parametrize("written", ['"24:00"', '"5"', "5", '"05:07:30"', '"noon"'])
def test_what_is_no_time_of_the_day_is_refused(config, written):
    assert refusal(config, f"daily_at = {written}").endswith("must be a time of the day in UTC such as 02:30")


@pytest.mark.parametrize("written", ["60", "-1", "1.5", "true", '"x"'])
def test_what_is_no_minute_of_the_hour_is_refused(config, written):
    assert refusal(config, f"hourly_minute = {written}").endswith("must be a minute of the hour, 0 to 59")


@pytest.mark.parametrize("written", ["9999-01-01", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59"])
def test_now_is_refused_where_no_day_follows(config, written):
    with pytest.raises(InputError, match="must be before the year 9999, in which the calendar ends"):
        config("", ENGAGEMENT_NOW=written)


def test_a_webhook_that_is_not_utf_8_is_refused_without_its_value(config):
    with pytest.raises(InputError, match="ENGAGEMENT_ALERT_WEBHOOK = …: must be a URL"):
        config("", ENGAGEMENT_ALERT_WEBHOOK="https://\udcff/s3cret-of-the-team")


def test_an_account_may_have_a_source_of_its_own(config):
    in_file = config('source_of = { Ann = "x_api_v2", bob = "both" }')
    assert in_file == config("", ENGAGEMENT_SOURCE_OF="ann=x_api_v2 @Bob=both")
    assert [in_file.sources_of(handle) for handle in ("ann", "bob", "eve")] == [
        ("x_api_v2",),
        ("engagement", "x_api_v2"),
        ("engagement",),
    ]


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ('source_of = { ann = "x_api_v2" }', ("engagement", "x_api_v2")),
        ('source = "x_api_v2"\nsource_of = { ann = "engagement" }', ("x_api_v2", "engagement")),
        ("source_of = {}", ("engagement",)),
    ],
)
def test_a_pull_asks_each_source_that_an_account_has_that_of_most_accounts_first(config, text, sources):
    assert config(text).sources == sources


def test_sources_by_account_are_a_table(config):
    assert "must be a table such as" in refusal(config, 'source_of = ["ann"]')
