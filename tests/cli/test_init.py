"""`engagement init`: the first files, written from answers, and nothing over a file that is there."""

import io
import os
import stat
from pathlib import Path

import pytest
from disk import small_files
from typing_at import terminal

from engagement_pipeline.cli import init
from engagement_pipeline.cli.commands import QUESTIONS
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.transport import accounts

KEY, SECRET = "ConsumerKeyOfThe4pp", "ConsumerSecretOfThe4pp"
FILES = ("accounts.toml", "engagement.local.toml", "data/roster.example.csv")


@pytest.fixture
def start(folder):
    """Return a function that starts with these answers; it gives the questions, the hidden ones marked."""

    def started(*answers, **given):
        asked, left = [], list(answers)

        def ask(question, *, hidden=False):
            asked.append(("hidden: " if hidden else "") + question)
            if not left:
                raise EOFError
            return left.pop(0)

        chosen = settings.load({})
        init.start(init.Places.of(chosen, {}), chosen, given=given, ask=ask)
        assert not left
        return asked

    return started


def test_the_answers_become_accounts_settings_and_an_example_of_a_roster(start):
    asked = start(KEY, SECRET, "300", "2025-06-01", "365")
    assert len(asked) == 5
    app = accounts.load(Path("accounts.toml")).app
    assert (app.consumer_key, app.consumer_secret, app.bearer_token) == (KEY, SECRET, "")
    chosen = settings.chosen({})
    assert {key for key, each in chosen.items() if each.origin == "engagement.local.toml"} == set(QUESTIONS)
    assert (chosen["requests_per_minute"].value, chosen["history_days"].value) == (300, 365)
    assert str(chosen["first_day"].value) == "2025-06-01"
    rows = Path("data/roster.example.csv").read_text().splitlines()
    assert rows[0].startswith("tweet_id,handle")


def test_the_example_is_the_one_of_the_clone():
    clone = Path(__file__).parents[2]
    assert (clone / "data" / "roster.example.csv").read_text() == init.EXAMPLE


def test_tokens_and_settings_are_for_their_owner_alone(start):
    start(KEY, SECRET, "", "", "")
    modes = [stat.S_IMODE(Path(name).stat().st_mode) for name in FILES]
    assert modes[:2] == [0o600, 0o600]
    assert modes[2] & 0o400


def test_the_accounts_file_says_where_the_client_of_oauth_2_stands(start):
    start(KEY, SECRET, "", "", "")
    lines = Path(FILES[0]).read_text().splitlines()
    app = lines[lines.index("[app]") :]
    assert [line.split()[1] for line in app if line.startswith("# ")] == ["bearer_token", "client_id", "client_secret"]


def test_the_keys_are_typed_unseen(start):
    asked = start(KEY, SECRET, "", "", "")
    assert [question.startswith("hidden: ") for question in asked] == [True, True, False, False, False]


@pytest.mark.parametrize(("key", "is_told"), [(KEY, False), ("", True)])
def test_what_to_do_next_names_the_keys_only_where_they_are_missing(folder, key, is_told):
    answers = iter([key, SECRET, "", "", ""])
    chosen = settings.load({})
    told = init.start(init.Places.of(chosen, {}), chosen, given={}, ask=lambda *_, **__: next(answers))
    assert any("write the app's keys" in line for line in told) == is_told


def test_an_empty_answer_is_the_default_that_the_question_shows(start):
    asked = start(KEY, SECRET, "", "", "")
    assert asked[2].endswith(" [60]")
    assert asked[3].endswith(" [2025-01-01]")
    assert settings.load({}) == settings.load({}, config=Path(os.devnull))


def test_an_answer_that_cannot_be_one_is_asked_for_again_with_the_reason(start):
    asked = start("ke\u00a0y", KEY, SECRET, "many", "3", "", "")
    assert "no-break space" in asked[1]
    assert "must be a whole number of at least 1" in asked[4]
    assert "ke" not in asked[1].removeprefix("hidden: consumer_key")[:4]
    assert accounts.load(Path("accounts.toml")).app.consumer_key == KEY
    assert settings.load({}).requests_per_minute == 3


@pytest.mark.parametrize("there", FILES)
def test_a_file_that_is_there_stays_and_is_not_asked_about(start, there):
    Path(there).parent.mkdir(exist_ok=True)
    Path(there).write_text("# mine\n")
    questions = {"accounts.toml": ["", "", ""], "engagement.local.toml": [KEY, SECRET]}
    start(*questions.get(there, [KEY, SECRET, "", "", ""]))
    assert Path(there).read_text() == "# mine\n"
    assert all(Path(name).exists() for name in FILES)


def test_a_link_to_nowhere_is_a_file_that_is_there(start, folder):
    Path("accounts.toml").symlink_to("elsewhere.toml")
    start("", "", "")
    assert not Path("elsewhere.toml").exists()


def test_a_second_time_asks_and_changes_nothing(start):
    start(KEY, SECRET, "300", "", "")
    before = [Path(name).read_bytes() for name in FILES]
    assert start() == []
    assert [Path(name).read_bytes() for name in FILES] == before


def test_where_the_answers_end_nothing_is_written(start, folder):
    with pytest.raises(InputError, match="nothing is written"):
        start(KEY, SECRET)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_in_one_line(start, folder):
    Path("data").write_text("a file")
    with pytest.raises(InputError, match=r"roster\.example\.csv cannot be written: "):
        start(KEY, SECRET, "", "", "")


def test_a_full_disk_leaves_no_half_of_a_file(start):
    with small_files(50), pytest.raises(InputError, match=r"accounts\.toml cannot be written: File too large"):
        start(KEY, SECRET, "", "", "")
    assert not Path("accounts.toml").exists()


def test_without_a_terminal_it_refuses_and_says_what_to_add(folder, failed, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    code, line = failed("init")
    assert (code, "add --no-questions" in line) == (2, True)
    assert list(folder.iterdir()) == []


def test_without_questions_the_options_count_and_the_keys_wait(folder, engagement):
    code, out, errors = engagement(
        "init", "--no-questions", "--requests-per-minute", "300", "--first-day", "2025-06-01"
    )
    assert (code, errors) == (0, [])
    assert settings.load({}).requests_per_minute == 300
    assert f"{folder / 'accounts.toml'} is written, for you alone" in out
    with pytest.raises(InputError, match=r"lacks app\.consumer_key, app\.consumer_secret"):
        accounts.load(Path("accounts.toml"))


def test_an_option_that_cannot_be_one_is_refused_before_anything_is_written(folder, failed):
    assert failed("init", "--no-questions", "--requests-per-minute", "0")[0] == 2
    assert list(folder.iterdir()) == []


def test_an_option_answers_its_question(start):
    assert len(start(KEY, SECRET, "", requests_per_minute="300", first_day="2025-06-01")) == 3
    assert settings.load({}).requests_per_minute == 300


def test_where_another_file_of_settings_is_named_no_local_one_is_written(folder, engagement, monkeypatch):
    Path("named.toml").write_text("tries = 2\n")
    monkeypatch.setenv("ENGAGEMENT_CONFIG", "named.toml")
    out = engagement("init", "--no-questions")[1]
    assert "named.toml is there already, and stays as it is" in out
    assert not Path("engagement.local.toml").exists()


def test_on_a_terminal_the_questions_come_one_by_one_and_no_key_is_echoed(folder):
    typed = {
        "consumer key": KEY,
        "consumer secret": SECRET,
        "Requests a minute": "300",
        "First UTC day": "",
        "Days": "",
    }
    code, said = terminal(["init"], typed, cwd=folder)
    assert code == 0, said
    assert KEY not in said
    assert SECRET not in said
    assert accounts.load(Path("accounts.toml")).app.consumer_secret == SECRET
    assert settings.load({}).requests_per_minute == 300


def test_with_a_lake_in_a_bucket_the_example_lies_beside_the_accounts(tmp_path):
    chosen = settings.load(
        {"ENGAGEMENT_DATA": "s3://a-bucket/lake", "ENGAGEMENT_ACCOUNTS": str(tmp_path / "accounts.toml")}
        | {"ENGAGEMENT_CONFIG": os.devnull}
    )
    assert init.Places.of(chosen, {}).example == tmp_path / "roster.example.csv"
