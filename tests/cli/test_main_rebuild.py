"""engagement rebuild: what it prints, how it ends, and each wrong use in one line."""

import threading

import pytest
from bodies import at, full, pulled
from histories import FIRST, SECOND, forget
from tables import contents, counts

from engagement_pipeline.cli.main import main
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

PATIENCE_SECONDS = 60  # for another thread; only a broken one uses it up


@pytest.fixture
def lake(tmp_path, monkeypatch):
    lake = Lake(tmp_path / "lake")
    monkeypatch.setenv("ENGAGEMENT_DATA", str(lake.root))
    return lake


@pytest.fixture
def history(history, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_DATA", str(history.root))
    return history


def test_a_line_for_each_endpoint_says_what_came_of_it(history, engagement):
    before = contents(history)
    assert engagement("rebuild") == (
        0,
        (
            "/historical, 2026-01-01 to 2026-01-03: 0 of 34 rows in 3 days changed\n"
            "/totals, 2026-02-01 to 2026-02-02: 0 of 3 rows in 2 days changed\n"
            "/28hr, 2026-02-01 to 2026-02-02: 0 of 8 rows in 2 days changed\n"
        ),
        [],
    )
    assert contents(history) == before


def test_one_table_and_some_days_can_be_chosen(history, engagement):
    history.rows(HISTORICAL.table, SECOND).unlink()
    day = str(SECOND)
    code, out, errors = engagement("rebuild", "--table", "engagements", "--from", day, "--to", day)
    assert (code, errors) == (0, [])
    assert out == f"/historical, {day} to {day}: 1 of 14 rows in 1 day changed\n"


def test_where_nothing_has_landed_it_says_so(lake, engagement):
    lake.open()
    assert engagement("rebuild") == (0, "nothing has landed or is published for these days\n", [])


def test_the_views_are_there_afterwards(history, engagement):
    assert not history.catalog.exists()
    engagement("rebuild")
    assert history.catalog.exists()


def test_a_file_that_was_damaged_is_named(history, engagement):
    path = history.daily(SECOND)
    path.write_bytes(b"")
    code, out, errors = engagement("rebuild")
    assert (code, errors) == (0, [f"{path} is damaged: it is made anew of the rows of its days"])
    assert f"  {path} was damaged, and is made again\n" in out


def test_rows_that_are_lost_are_named_and_it_fails_until_they_are_pulled(lake, engagement):
    gone = pulled(lake, full([1], 1), at(1))
    pulled(lake, full([2], 2), at(2))
    publish_pulls(lake)
    forget(lake, gone)
    lake.rows(HISTORICAL.table, SECOND).write_bytes(b"")
    code, out, errors = engagement("rebuild")
    assert code == 1
    assert f"  {FIRST}: 4 rows of 1 Tweet (1) kept as published" in out
    lost = "because only a damaged or missing file held them: pull the day again"
    assert f"  {SECOND}: rows of 1 Tweet (1) are lost, {lost}" in out
    assert errors == [
        "rows of 1 Tweet day are lost, because only damaged or missing files held them: pull the days named above again"
    ]
    assert engagement("rebuild")[0] == 0
    pulled(lake, full([1], 3), at(3))
    publish_pulls(lake)
    assert counts(lake) == full([1], 3) | full([2], 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--table", "daily"), "argument --table: invalid choice: 'daily' (choose from"),
        (
            ("--from", "yesterday"),
            "argument --from: 'yesterday' is not a day such as 2026-01-31; see engagement rebuild",
        ),
        (
            ("--from", "2026-01-02", "--to", "2026-01-01"),
            "the first day, 2026-01-02, is after the last, 2026-01-01: swap them",
        ),
        (("--days", "3"), "unrecognized arguments: --days 3"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(history, failed, arguments, words):
    before = contents(history)
    code, line = failed("rebuild", *arguments)
    assert code == 2
    assert words in line
    assert contents(history) == before


def test_where_no_lake_is_it_says_so_and_makes_none(lake, failed):
    code, line = failed("rebuild")
    assert code == 2
    assert line == f"there is no lake in {lake.root}: pull first, or name one in ENGAGEMENT_DATA"
    assert not lake.root.exists()


@pytest.mark.parametrize(("found", "fix"), [(1, "run engagement upgrade, which brings"), (99, "upgrade this program")])
def test_a_part_of_a_lake_of_another_format_is_left_alone(history, failed, found, fix):
    (history.root / "lake.json").write_text(f'{{"format": {found}}}')
    code, line = failed("rebuild", "--table", "totals")
    assert code == 1
    assert f"has format {found}, this program knows 3: {fix}" in line


@pytest.mark.parametrize("arguments", [("rebuild",), ("prune", "--yes")])
def test_a_publication_that_goes_on_is_waited_for(history, arguments, monkeypatch):
    codes, said, waiting = [], [], threading.Event()

    def warned(text, *values):
        said.append(text % values)
        waiting.set()

    monkeypatch.setattr("engagement_pipeline.lake.layout.logger.warning", warned)
    other = threading.Thread(target=lambda: codes.append(main(arguments)))
    with history.locked("lake", "a test"):
        other.start()
        assert waiting.wait(PATIENCE_SECONDS)
        assert codes == []
    other.join(PATIENCE_SECONDS)
    assert codes == [0]
    assert said[0] == f"waiting for a publication of the lake {history.root} to end"
