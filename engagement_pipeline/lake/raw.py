"""Responses landed as received, with their request: the truth from which every table can be rebuilt.

In: a Request and its Response. Out: one compressed file a response, and the list of what has landed.

    raw/ENDPOINT/FIRST_LAST/STARTED/          one pull of one window; of the endpoints without days, raw/ENDPOINT/DAY/
        pull.json                             what it asks for; whether it is finished and published
        HANDLE-FIRST_ID-ASKED.json.zst        one response (landed_file.py)
        ….json.zst.new                        landed, and not yet known to add up
        rejected/                             bodies that do not add up or cannot be looked at: kept, never published
        unanswered/                           Tweets that no answer came for, as a response without a body, and why
        pull.json.damaged                     one that could not be read, and was written anew (recovery.py)

The storage keeps the state of each response; on a disk, in its name as above. A file appears whole or not at all, so
whatever is there can be trusted, and a pull that stopped anywhere goes on from it. No header that was sent is kept, so
no token can be.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Self

from engagement_pipeline.core.dated import A_DAY, A_STAMP, STAMP
from engagement_pipeline.core.endpoints import ENDPOINTS
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.redaction import shown
from engagement_pipeline.lake.landed_file import (
    SUFFIX,
    Landed,
    days_of,
    header_of,
    landed_at,
    name_of,
    packed,
    window_of,
)
from engagement_pipeline.lake.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.core.model import Plan, Request, Response, Window
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.storages import Storage

logger = logging.getLogger(__name__)
PULL = "pull.json"
NO_FILE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)  # what stands in the place of a file, or nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One pull of one window, or of an endpoint's present: a directory of landed responses."""

    path: Path
    endpoint: Endpoint
    window: Window | None
    types: tuple[str, ...]
    started_at: datetime
    storage: Storage = field(compare=False, repr=False)
    finished: bool = False
    published: bool = False

    def __str__(self) -> str:
        return f"/{self.endpoint} {self.window or self.started_at.date()}"

    @property
    def name(self) -> str:
        """Where it lies, relative to the lake."""
        return "/".join(self.path.parts[-4:])

    def days(self) -> list[date]:
        """Return the UTC days under which its answers are kept.

        They are those that it asks for; of sums of a window, the last of them; where the endpoint takes none, the day
        on which it was begun.
        """
        if not self.window:
            return [self.started_at.date()]
        return [self.window.last] if self.endpoint.summed else [*self.window.days()]

    def land(
        self, request: Request, response: Response, *, refusal: str = "", tokens: str = "", unanswered: str = ""
    ) -> Path:
        """Write one response, whole or not at all; return where it is.

        It counts once it is accepted. A refusal counts at once: `refusal` is the API's text where it refused
        every Tweet of the request to the account with these `tokens`, and the body is that refusal. With `unanswered`,
        one of tables.UNANSWERED, it stands for a response that did not come, and `refusal` says why.
        """
        header = header_of(request, response.asked_at, refusal=refusal, tokens=tokens, unanswered=unanswered)
        content = packed(header, response.body)
        state = State.UNANSWERED if unanswered else State.COUNTS if refusal else State.LANDED
        return self.storage.put(self.path / name_of(request, response.asked_at), content, state)

    def accept(self, path: Path) -> Path:
        """Let a landed response count, since it adds up; return where it is."""
        return self.storage.mark(path, State.COUNTS)

    def reject(self, path: Path) -> Path:
        """Set a landed response apart, which frees its Tweets to be asked for again; return where it is."""
        return self.storage.mark(path, State.REJECTED)

    def give_up(self, path: Path, why: str) -> None:
        """Reject a response that nobody could look at, and say so; `why` goes on from its path."""
        logger.warning("%s %s: it is kept as %s, and its Tweets are asked for again", path, why, self.reject(path))

    def landed(self) -> Iterator[Landed]:
        """Yield the responses that count, in the order of the file names."""
        paths = self._in_state(State.COUNTS)
        with self.storage.ahead(paths):
            for path in paths:
                yield landed_at(self.storage, path)

    def stamps(self) -> list[str]:
        """Return when each response that counts was asked for, as text that sorts, in the order of time."""
        names = (path.name.removesuffix(SUFFIX) for path in self._in_state(State.COUNTS))
        return sorted(name.rpartition("-")[2] for name in names)

    def number(self, state: State) -> int:
        """Return how many responses have a state."""
        return len(self._in_state(state))

    def unsettled(self) -> Iterator[Landed]:
        """Yield the responses that have landed and were not looked at; one whose header is damaged is rejected."""
        paths = self._in_state(State.LANDED)
        with self.storage.ahead(paths):
            for path in paths:
                try:
                    landed = landed_at(self.storage, path)
                except LakeError:
                    self.give_up(path, "cannot be read")
                else:
                    yield landed

    def unanswered(self) -> Iterator[Landed]:
        """Yield what stands for responses that did not come."""
        for path in self._in_state(State.UNANSWERED):
            yield landed_at(self.storage, path)

    def marked(self, *, finished: bool | None = None, published: bool | None = None) -> Self:
        """Record that nothing more will land in it, or that every landed response is in the tables."""
        changed = replace(
            self,
            finished=self.finished if finished is None else finished,
            published=self.published if published is None else published,
        )
        changed.save()
        return changed

    def save(self) -> None:
        """Write pull.json whole or not at all."""
        fields = {
            "endpoint": self.endpoint.name,
            "types": self.types,
            "started_at": self.started_at.isoformat(),
            "finished": self.finished,
            "published": self.published,
            **days_of(self.window),
        }
        self.storage.write_whole(self.path / PULL, json.dumps(fields, indent=1).encode())

    def _in_state(self, state: State) -> list[Path]:
        return self.storage.marked(self.path, f"[!.]*-[0-9]*-{A_STAMP}{SUFFIX}", state)


def place(endpoint: Endpoint) -> str:
    """Return the glob within raw that finds the folders of an endpoint's pulls."""
    return f"{endpoint}/{f'{A_DAY}_{A_DAY}' if endpoint.max_days else A_DAY}/{A_STAMP}"


def folders(lake: Lake, endpoint: Endpoint | None = None) -> list[Path]:
    """Return the folders of the pulls of one endpoint, or of all; one may be no pull yet."""
    of = [endpoint] if endpoint else ENDPOINTS.values()
    return [folder for each in of for folder in lake.storage.find(place(each), within=lake.raw)]


def begun_folders(lake: Lake) -> list[Path]:
    """Return the folders of all pulls that may not be published yet; one may be no pull yet."""
    places = [place(endpoint) for endpoint in ENDPOINTS.values()]
    found = lake.storage.begun_folders(f"*/*/{A_STAMP}", within=lake.raw)
    return [folder for folder in found if any(fnmatchcase("/".join(folder.parts[-3:]), each) for each in places)]


def all_pulls(lake: Lake, endpoint: Endpoint | None = None) -> list[Pull]:
    """Return the pulls of one endpoint, or of all, oldest first; one whose pull.json is damaged is left out."""
    return _loaded(lake, folders(lake, endpoint))


def _loaded(lake: Lake, folders: Iterable[Path]) -> list[Pull]:
    pulls = []
    found = [*folders]
    with lake.storage.ahead(folder / PULL for folder in found):
        for folder in found:
            try:
                pulls += [load(lake, folder)] if lake.storage.exists(folder / PULL) else []
            except LakeError as error:
                logger.warning("%s; the pull is left out, and its responses are kept", error)
    return sorted(pulls, key=lambda pull: pull.started_at)


def newest_moment(lake: Lake) -> datetime | None:
    """Return the newest moment in the names of pulls and responses, whatever their state; None where none is.

    They are all that there are; with an index of raw, those of pulls that are not published.
    """
    folders = lake.storage.begun_folders(f"*/*/{A_STAMP}", within=lake.raw)
    names = [folder.name for folder in folders]
    for folder in folders:
        for pattern in (f"*-{A_STAMP}{SUFFIX}*", f"*/*-{A_STAMP}{SUFFIX}*"):
            names += [path.name for path in lake.storage.find(pattern, within=folder)]
    newest = max((name.partition(SUFFIX)[0].rpartition("-")[2] for name in names), default=None)
    return datetime.strptime(newest, STAMP).replace(tzinfo=UTC) if newest else None


def open_pulls(lake: Lake) -> list[Pull]:
    """Return the pulls whose responses are not all in the tables yet, oldest first."""
    begun = _loaded(lake, begun_folders(lake))
    for pull in begun:
        if pull.published:
            lake.storage.end_folder(pull.path)
    return [pull for pull in begun if not pull.published]


def begin(lake: Lake, plan: Plan, *, now: datetime, resume: timedelta) -> Pull:
    """Return the pull of the same endpoint, window and types that is not published yet, or start one.

    One older than `resume` is not taken up, since what it landed may have been revised: it is finished as it is.
    So is one of another UTC day where the endpoint takes no days. A published one never is taken up, because
    pulling again is how revisions are seen.
    """
    open_ones = open_pulls(lake)
    for pull in open_ones:
        if pull.endpoint == plan.endpoint and _is_past(pull, plan, now=now, resume=resume):
            pull.marked(finished=True)
    if found := _resumable(open_ones, plan, now=now, resume=resume):
        logger.info("going on with the pull of %s that was started %s", found, found.started_at)
        return found.marked(finished=False)
    pull = Pull(
        path=lake.raw / plan.endpoint.name / _place(plan, now) / now.strftime(STAMP),
        endpoint=plan.endpoint,
        window=plan.window,
        types=plan.types,
        started_at=now,
        storage=lake.storage,
    )
    lake.storage.begin_folder(pull.path)
    pull.save()
    return pull


def resumable(lake: Lake, plan: Plan, *, now: datetime, resume: timedelta) -> Pull | None:
    """Return the pull that `begin` takes up, None where it starts one."""
    return _resumable(open_pulls(lake), plan, now=now, resume=resume)


def _resumable(pulls: Iterable[Pull], plan: Plan, *, now: datetime, resume: timedelta) -> Pull | None:
    open_ones = (pull for pull in pulls if not _is_past(pull, plan, now=now, resume=resume))
    asked = (plan.endpoint, plan.window, plan.types)
    return next((pull for pull in open_ones if (pull.endpoint, pull.window, pull.types) == asked), None)


def _is_past(pull: Pull, plan: Plan, *, now: datetime, resume: timedelta) -> bool:
    """Tell whether a pull of the plan's endpoint is too old to be taken up."""
    return now - pull.started_at >= resume or (not plan.window and pull.path.parent.name != _place(plan, now))


def _place(plan: Plan, now: datetime) -> str:
    """Return the name of the folder with the pulls of a plan's window, or of the day where it has none."""
    window = days_of(plan.window)
    return f"{window['first']}_{window['last']}" if window else str(now.date())


def load(lake: Lake, folder: Path) -> Pull:
    """Return the pull in a folder; raises LakeError where its pull.json is damaged.

    OSError where the system does not let it be read: that may pass, so no command goes on as if there were no pull.
    """
    path = folder / PULL
    try:
        fields = json.loads(lake.storage.read(path))
        pull = Pull(
            path=folder,
            endpoint=ENDPOINTS[fields["endpoint"]],
            window=window_of(fields),
            types=tuple(fields["types"]),
            started_at=datetime.fromisoformat(fields["started_at"]),
            storage=lake.storage,
            finished=fields["finished"],
            published=fields["published"],
        )
        check(pull)
    except (*NO_FILE, ValueError, KeyError, TypeError, RecursionError) as error:
        raise LakeError(f"{path} is damaged ({shown(repr(error))})") from None
    return pull


def check(pull: Pull) -> None:
    """Raise ValueError where a value of pull.json has another type than it is written with, or another place."""
    flags, names = (pull.finished, pull.published), pull.types
    if not all(isinstance(flag, bool) for flag in flags) or not all(isinstance(name, str) for name in names):
        raise ValueError("a value has another type")
    if pull.started_at.tzinfo is None or bool(pull.endpoint.max_days) != bool(pull.window):
        raise ValueError("a time is missing")
    if not {*names} <= {*pull.endpoint.types}:
        raise ValueError("it names a type that there is not")
    window = f"{pull.window.first}_{pull.window.last}" if pull.window else str(pull.started_at.date())
    if pull.path.parts[-3:] != (pull.endpoint.name, window, pull.started_at.strftime(STAMP)):
        raise ValueError("it is not of this folder")
