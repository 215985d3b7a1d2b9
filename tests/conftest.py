"""What the tests of the pipeline share: an environment without settings, and an emulated API with a roster."""

import logging
import os
import shutil
import tempfile
from collections import defaultdict
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import buckets
import hypothesis
import pytest
from demonstration import demonstrated
from each_source import SOURCES
from histories import live
from processes import CLONE
from truth import NOW
from views import without_marts

from engagement_pipeline.cli.main import main
from engagement_pipeline.core import settings
from engagement_pipeline.emulator import HANDLES, Emulator
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

# A run finds what the one before found, so more examples would be the same ones; and a slow machine fails nothing.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.load_profile("repeatable")
MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30  # a run leaves a tenth of it
# Rooms whose tests ask no mart, but for the mark `marts`.
TABLES_ALONE = {"cli", "dagster", "deploy", "end_to_end", "extract", "lake", "observe", "publish", "query"}
WINDOW_START = datetime(2026, 1, 4, tzinfo=UTC)  # of the 28 days that end there


def pytest_generate_tests(metafunc):
    """Run what asks for `each_source`, itself or by a fixture, for each."""
    named = [name for mark in metafunc.definition.iter_markers("parametrize") for name in mark.args[:1]]
    if "each_source" in metafunc.fixturenames and "each_source" not in named:
        metafunc.parametrize("each_source", SOURCES, scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of the cases of a test that are not under `faults`, run the one in the middle for further sources; mark the rest.

    The code of a lake is the same for all sources, so one case a scenario tells where it is not.
    """
    cases = defaultdict(list)
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec and callspec.params.get("each_source") in SOURCES[1:] and not item.get_closest_marker("faults"):
            cases[item.parent, item.originalname, callspec.params["each_source"]].append(item)
    for found in cases.values():
        for item in found:
            if item is not found[len(found) // 2]:
                item.add_marker(pytest.mark.faults)


def in_memory():
    """Tell whether this machine has a folder in memory for temporary files, with room, and with leave to run a file."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        return False
    return shutil.disk_usage(MEMORY).free > ROOM and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC


# A lake syncs each file and folder to the disk: a third of the time of its tests, and more beside another program.
if "TMPDIR" not in os.environ and in_memory():
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
# The tests start the command a hundred times: compiled once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_xdist_auto_num_workers():
    """One worker more than cores: some tests wait for a process of theirs."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.fixture(autouse=True)
def tables_alone(request):
    """No marts in the catalogues of some rooms: their views take most of the time of a test."""
    asks_marts = request.path.parent.name not in TABLES_ALONE or request.node.get_closest_marker("marts")
    with nullcontext() if asks_marts else without_marts():
        yield


@dataclass(frozen=True)
class EmulatedWorld:
    """An emulator that answers, and the files and variables with which the pipeline finds it.

    `environment` holds the ENGAGEMENT_* variables; `accounts` and `roster` are files, `lake` is a folder not made yet.
    """

    emulator: Emulator
    root: Path
    environment: dict[str, str]

    @property
    def accounts(self) -> Path:
        return self.root / "accounts.toml"

    @property
    def roster(self) -> Path:
        return self.root / "tweets" / "roster.csv"

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    def settings(self, **changes: str) -> settings.Settings:
        """Return the Settings of `environment`; `changes` are further variables, as in `tries="1"`."""
        return settings.load(self.environment | {settings.PREFIX + k.upper(): v for k, v in changes.items()})

    def tweets(self, handle: str, number: int, *, state: str = "ok") -> list[int]:
        """Return the handle's newest Tweets of that state that lived through all of the last 28 days."""
        found = (t for t in reversed(self.emulator.world.tweets()) if t.created < WINDOW_START)
        chosen = [t.tweet_id for t in found if (t.handle, t.state) == (handle, state)][:number]
        assert len(chosen) == number
        return sorted(chosen)

    def follow(self, tweets: dict[str, list[int]]) -> None:
        """Write the roster anew: Tweet IDs by handle."""
        rows = [f"{tweet_id},{handle}\n" for handle, ids in tweets.items() for tweet_id in ids]
        self.roster.write_text("tweet_id,handle\n" + "".join(rows))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    """Hide the ENGAGEMENT_* variables, the files of settings and the proxy of whoever runs the tests."""
    for variable in list(os.environ):
        if variable.startswith(settings.PREFIX) or variable.lower().endswith("_proxy"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv(settings.PREFIX + "CONFIG", os.devnull)


@contextmanager
def answering(emulator):
    """Let an emulator answer; it ends by itself a moment later, and to wait for that would take a minute of a run."""
    Thread(target=emulator.run, daemon=True).start()
    try:
        yield emulator
    finally:
        emulator.stop()


@pytest.fixture(scope="session")
def store():
    """The variables with which a process finds a store with buckets."""
    with buckets.store() as variables:
        yield variables


@pytest.fixture
def in_bucket(store, monkeypatch):
    """The place of a lake in a bucket of its own, which this process and those that it starts find."""
    for variable, value in store.items():
        monkeypatch.setenv(variable, value)
    return buckets.new_place()


@pytest.fixture
def world(tmp_path):
    """An emulator at NOW that any rate is fine for, with a roster of two healthy Tweets a handle."""
    with answering(Emulator(now=NOW, requests_per_minute=6000, requests_per_15_minutes=90_000)) as emulator:
        variables = {
            "CONFIG": os.devnull,
            "API_URL": emulator.url,
            "X_API_URL": emulator.url,
            "AUTH_URL": emulator.url,
            "DATA": tmp_path / "lake",
            "ACCOUNTS": tmp_path / "accounts.toml",
            "TWEETS": tmp_path / "tweets" / "*",
            "REQUESTS_PER_MINUTE": 6000,
            "X_REQUESTS_PER_15_MINUTES": 90_000,
            "X_AUDIT": "off",
            "PATIENCE_MINUTES": 0,
            "NOW": NOW.isoformat(),
        }
        environment = {settings.PREFIX + name: str(value) for name, value in variables.items()}
        made = EmulatedWorld(emulator, tmp_path, environment)
        emulator.credentials.write_accounts(made.accounts)
        made.roster.parent.mkdir()
        made.follow({handle.name: made.tweets(handle.name, 2) for handle in HANDLES})
        yield made


@pytest.fixture
def in_world(world, monkeypatch):
    """The `world`, with its variables set for this process."""
    for variable, value in world.environment.items():
        monkeypatch.setenv(variable, value)
    return world


@pytest.fixture(autouse=True)
def _logging_as_it_was():
    """Take away what outlives a test: the handler of `main`, which writes to its standard error, and Dagster's level.

    An instance with `managed_python_loggers`, as deploy/dagster.yaml has them, leaves their level behind.
    """
    ours = logging.getLogger("engagement_pipeline")
    handlers, level = logging.root.handlers[:], ours.level
    yield
    logging.root.handlers[:] = handlers
    ours.setLevel(level)


@pytest.fixture
def engagement(capsys):
    """Return a function that runs a command; it gives the exit code, the output and the lines of the errors."""

    def run(*arguments):
        capsys.readouterr()
        code = main(arguments)
        shown = capsys.readouterr()
        lines = shown.err.splitlines()
        assert all(line.startswith("engagement: ") for line in lines), shown.err
        return code, shown.out, [line.removeprefix("engagement: ") for line in lines]

    return run


@pytest.fixture
def failed(engagement):
    """Return a function that runs a command that must fail, and gives its exit code and its one line."""

    def run(*arguments):
        code, _, lines = engagement(*arguments)
        assert len(lines) == 1, lines
        return code, lines[0]

    return run


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory):
    """What came of `make demo` in the clone; the first worker that asks for it runs it for all."""
    here = tmp_path_factory.getbasetemp()
    return demonstrated(here.parent if "PYTEST_XDIST_WORKER" in os.environ else here)


@pytest.fixture(scope="session")
def past(tmp_path_factory):
    """The folder of a lake with a past, to be copied."""
    lake = Lake(tmp_path_factory.mktemp("past") / "lake")
    live(lake)
    return lake.root


@pytest.fixture
def history(tmp_path, past):
    """A lake with a past, of one's own."""
    return Lake(shutil.copytree(past, tmp_path / "lake"))


@pytest.fixture(scope="session")
def past_of_source(tmp_path_factory, each_source):
    """The folder of a lake with a past of a source, to be copied."""
    home = Lake(tmp_path_factory.mktemp(f"past of {each_source}") / "lake")
    live(home.of(each_source))
    return home.root


@pytest.fixture(scope="session")
def trapped(tmp_path_factory):
    """The lake with a case of each trap and its catalogue, to be read alone; it need outlive no power cut."""
    import traps  # noqa: PLC0415 - few tests read it

    lake = Lake(tmp_path_factory.mktemp("traps") / "lake")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: None)
        traps.build(lake)
        catalog.refresh(lake)
    return lake


@pytest.fixture
def lake(tmp_path, monkeypatch):
    """An empty lake for queries."""
    lake = Lake(tmp_path / "lake")
    lake.open()
    monkeypatch.setenv("ENGAGEMENT_DATA", str(lake.root))
    return lake.root


@pytest.fixture
def definitions(in_world, monkeypatch):
    """The Dagster code location of the `in_world`, with the last 28 days as partitions."""
    from code_location import load_definitions  # noqa: PLC0415 - Dagster takes a second to import

    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", "2026-01-04")
    return load_definitions()


@pytest.fixture
def instance():
    """A Dagster instance of its own."""
    import dagster as dg  # noqa: PLC0415

    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="session")
def dagster_home(tmp_path_factory):
    """A Dagster home with the project's dagster.yaml, as the README makes it; to be copied.

    Its databases are empty: Dagster takes a second to make them.
    """
    import dagster as dg  # noqa: PLC0415

    home = tmp_path_factory.mktemp("dagster")
    shutil.copy(CLONE / "deploy" / "dagster.yaml", home)
    with dg.DagsterInstance.from_config(str(home)):
        return home


@pytest.fixture
def queueing(tmp_path, dagster_home):
    """An instance of that home, in which nothing has run."""
    import dagster as dg  # noqa: PLC0415

    shutil.copytree(dagster_home, tmp_path, dirs_exist_ok=True)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance
