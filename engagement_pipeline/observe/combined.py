"""The checks of a day in two groups: whether its rows are right, and whether the day is complete.

In: the verdicts of checks.py. Out: one Finding a day and group. Dagster takes longer to store a result than a check
takes to find it, so it stores two a day instead of one a check. Each keeps what every check said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engagement_pipeline.observe.checks import CHECKS, Check, of_days

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import date

    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.observe.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Checks of a day that are told as one. `blocking`: nothing should be built on a day that fails."""

    name: str
    question: str
    blocking: bool

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks that block, or those that do not."""
        return tuple(check for check in CHECKS if check.blocking == self.blocking)

    @property
    def meaning(self) -> str:
        """What is asked, and what each check looks for, one a line."""
        return "\n".join([self.question, *(f"{check.name}: {check.meaning}" for check in self.checks)])


GROUPS = (
    Group(name="right", question="Are the day's rows right? What is built on wrong rows is wrong too.", blocking=True),
    Group(name="complete", question="Is the day complete, and much as it was before?", blocking=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the checks of a group found on a day."""

    day: date
    group: Group
    verdicts: Mapping[Check, Verdict]

    @property
    def failed(self) -> dict[Check, Verdict]:
        """The verdicts of the checks that the day did not pass."""
        return {check: verdict for check, verdict in self.verdicts.items() if not verdict.passed}

    @property
    def warns(self) -> bool:
        """Whether something was found, and all of it may be right."""
        return bool(self.failed) and all(check.warns or verdict.warns for check, verdict in self.failed.items())

    @property
    def words(self) -> str:
        """What the failed checks say, in one line; if several say the same, once."""
        names: dict[str, list[str]] = {}
        for check, verdict in self.failed.items():
            names.setdefault(verdict.words, []).append(check.name)
        told = [f"{', '.join(checks)}: {words}" for words, checks in names.items()]
        return "; ".join(told) or f"passed: {', '.join(check.name for check in self.verdicts)}"

    @property
    def facts(self) -> dict[str, str | int]:
        """What each check says, by its name, and the numbers behind it."""
        told: dict[str, str | int] = {check.name: verdict.words for check, verdict in self.verdicts.items()}
        return told | {
            f"{check.name}, {name}": number
            for check, verdict in self.verdicts.items()
            for name, number in verdict.numbers.items()
        }


def of_groups(settings: Settings, days: Iterable[date], *, names: Collection[str] | None = None) -> Iterator[Finding]:
    """Check each of these days; yield what the groups with these `names`, or all groups, found."""
    groups = [group for group in GROUPS if names is None or group.name in names]
    wanted = {check.name for group in groups for check in group.checks}
    of_day: dict[Check, Verdict] = {}
    for day, check, verdict in of_days(settings, days, names=wanted):
        of_day[check] = verdict
        if len(of_day) == len(wanted):
            for group in groups:
                yield Finding(day=day, group=group, verdicts={check: of_day[check] for check in group.checks})
            of_day = {}
