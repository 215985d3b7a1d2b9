"""The asset report and the schedule monthly: files, a picture in the UI, and mails only where they are wanted."""

import dagster as dg
import pytest
import receivers
from code_location import failures, load_definitions, metadata

from engagement_pipeline.query.views import reading
from engagement_pipeline.report import figures, page

pytestmark = pytest.mark.marts

JANUARY = "2026-01"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "reports"


@pytest.fixture
def definitions(trapped, folder, monkeypatch):
    """The code location over the lake with a case of each trap, in February 2026."""
    monkeypatch.setattr(page, "_picture", lambda *_: "")  # they take a second to draw
    variables = {"DATA": trapped.root, "REPORTS": folder, "FIRST_DAY": "2025-12-10", "NOW": "2026-02-02T06:00:00Z"}
    for name, value in variables.items():
        monkeypatch.setenv(f"ENGAGEMENT_{name}", str(value))
    return load_definitions()


@pytest.fixture
def run(definitions, instance):
    """Return a function that writes January's reports as the launchpad does."""

    def done(**config):
        job = definitions.resolve_job_def("monthly")
        config = {"ops": {"report": {"config": config}}}
        return job.execute_in_process(instance=instance, partition_key=JANUARY, run_config=config, raise_on_error=False)

    return done


def tick(definitions):
    return definitions.resolve_schedule_def("monthly")(dg.build_schedule_context())


def test_a_run_writes_a_file_for_each_handle(run, folder):
    assert run().success
    assert [path.name for path in sorted(folder.iterdir())] == ["ann-2026-01.html", "bob-2026-01.html"]


def test_the_month_shows_each_handle_s_first_picture_in_place(run, instance, folder):
    run()
    told = metadata(instance, "report")[JANUARY]
    assert {*told} == {"@ann", "@bob"}
    for text in told.values():
        assert len(text) < 1000  # of more, Dagster shows a link
        assert text.startswith("![impressions by day, January 2026](data:image/svg+xml,<svg%20")
    assert told["@bob"].endswith(f"; 28 of 31 days are complete\n\n`{folder / 'bob-2026-01.html'}`")


def test_there_is_a_partition_for_each_month_that_is_over_from_that_of_the_first_day(definitions):
    graph = definitions.resolve_asset_graph()
    assert graph.get(dg.AssetKey("report")).partitions_def.get_partition_keys() == ["2025-12", "2026-01"]


def test_it_is_made_of_what_its_figures_read(definitions):
    graph = definitions.resolve_asset_graph()
    month = figures.Month(first=figures.date(2026, 1, 1))
    asked = "\n".join([figures._named("ann", month), *figures.QUESTIONS.values()])
    known = {key.to_user_string() for key in graph.get_all_asset_keys()}
    parents = {key.to_user_string() for key in graph.get(dg.AssetKey("report")).parent_keys}
    assert parents == reading(asked, known)


def test_nothing_is_mailed_unless_the_run_says_so(run, monkeypatch):
    with receivers.relay() as receiver:
        monkeypatch.setenv("ENGAGEMENT_REPORT_MAIL", "team@example.com")
        monkeypatch.setenv("ENGAGEMENT_ALERT_SMTP", f"127.0.0.1:{receiver.port}")
        assert run().success
        assert not receiver.asked
        assert run(mail=True).success
        assert len(receiver.got) == 2


def test_what_no_relay_takes_is_told_and_the_files_stay(run, instance, folder):
    result = run(mail=True)
    assert failures(result) == [
        "nobody to mail the reports to: set report_mail, and alert_smtp if it is not localhost:25"
    ]
    assert len([*folder.iterdir()]) == 2
    assert {*metadata(instance, "report")} == {JANUARY}


def test_a_damaged_lake_is_told_in_one_line(run, monkeypatch, tmp_path):
    monkeypatch.setenv("ENGAGEMENT_DATA", str(tmp_path / "nowhere"))
    assert failures(run()) == [
        f"there is no lake in {tmp_path / 'nowhere'}: pull first, or name one in ENGAGEMENT_DATA"
    ]


@pytest.mark.parametrize(("address", "mails"), [("", False), ("team@example.com", True)])
def test_the_schedule_asks_for_the_month_before_and_mails_it_if_somebody_is_named(
    definitions, monkeypatch, address, mails
):
    monkeypatch.setenv("ENGAGEMENT_REPORT_MAIL", address)
    asked = tick(definitions)
    assert (asked.partition_key, asked.run_key) == (JANUARY, JANUARY)
    assert asked.run_config["ops"] == {"report": {"config": {"mail": mails}}}


def test_the_schedule_is_off_until_somebody_wants_it(definitions):
    assert definitions.resolve_schedule_def("monthly").default_status == dg.DefaultScheduleStatus.STOPPED


def test_the_schedule_has_nothing_to_do_before_the_first_day(definitions, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", "2026-02-01")
    assert tick(definitions).skip_message == "January 2026 is before 2026-02-01, the setting first_day"


def test_no_other_job_writes_reports(definitions):
    for job in ("daily", "lifetime", "hourly"):
        made = definitions.resolve_job_def(job).asset_layer.selected_asset_keys
        assert dg.AssetKey("report") not in made
