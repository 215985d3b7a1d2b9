"""Is the lake whole? Each check looks for one kind of fault, and says what mends it.

In: a lake, the settings and a moment. Out: an Examination: the findings, and what the lake holds. Nothing is written,
and no lock is held, so that an examination may run beside a pull at any time.

A new kind of fault is one function from a Patient to Findings, and its entry in CHECKS.

A publication renames its files one after another, and a look in between finds them apart. So what is found is looked
for once more, and only what is found again is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.tables import ENGAGEMENTS, SET_ASIDE
from engagement_pipeline.lake import inventory
from engagement_pipeline.lake.layout import LAKE_LOCK
from engagement_pipeline.observe import doctor_files, doctor_raw, doctor_tables
from engagement_pipeline.observe.patient import Patient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date, datetime

    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.lake.landed_file import Landed
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.observe.patient import Finding

    Check = Callable[[Patient], Iterator[Finding]]

OF_THE_WHOLE = {"forgotten", "catalogue", "marts", "accounts", "room", "clock"}  # checks of the outer lake alone
LOOKS = 3  # at most, while a publication is going on
FIRST: dict[str, Check] = {  # what these find keeps the others from looking
    "rights": doctor_files.rights,
    "format": doctor_files.lake_format,
}
CHECKS: dict[str, Check] = {
    "forgotten": doctor_files.removals,
    "stranger": doctor_files.strangers,
    "leftover": doctor_files.leftovers,
    "damaged": doctor_tables.damaged,
    "missing_rows": doctor_tables.missing_rows,
    "missing_coverage": doctor_tables.missing_coverage,
    "rows_apart": doctor_tables.rows_apart,
    "older_copy": doctor_tables.older_copies,
    "sums_apart": doctor_tables.sums_apart,
    "lost_rows": doctor_tables.lost,
    "missing_list": doctor_tables.lists,
    "pull": doctor_raw.pulls,
    "damaged_response": doctor_raw.damaged_responses,
    "missing_response": doctor_raw.gone,
    "unpublished": doctor_raw.unpublished,
    "catalogue": doctor_files.views,
    "marts": doctor_files.marts,
    "accounts": doctor_files.accounts,
    "open_to_all": doctor_files.open_to_all,
    "room": doctor_files.room,
    "clock": doctor_files.clock,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What an examination came to. `first` and `last` are the days of /historical with rows, None where there are none.

    `gaps` counts the days in between without rows. `lost_responses` gave rows that stay, and cannot be had again.
    """

    findings: tuple[Finding, ...]
    days: int
    first: date | None
    last: date | None
    gaps: int
    rows: int
    responses: int
    lost_responses: int
    set_aside: int
    free_bytes: int | None


def examine(
    lake: Lake, settings: Settings, *, now: datetime, audit: Callable[[Landed], object] | None = None
) -> Examination:
    """Look a lake over. `audit` reads a response, and raises EngagementError where it is wrong; None is a quick look.

    The lakes of other sources within it are looked over too. A quick look reads the end of each file, and the columns
    that must agree. Raises InputError without a lake.
    """
    patient = Patient(lake=lake, settings=settings, now=now, audit=audit)
    if not (patient.inventory.files.keys() - {inventory.OF_THE_USER}):
        raise InputError(f"there is no lake in {lake.root}: pull first, or name one in ENGAGEMENT_DATA")
    patient, findings = _found_again(patient)
    for within in lake.of_each_source[1:]:
        findings += _found_again(replace(patient, lake=within, home=patient))[1]
    return _examination(patient, findings)


def _found_again(patient: Patient) -> tuple[Patient, list[Finding]]:
    """Return what each of several looks finds, and the lake as the last one found it."""
    findings = [*_findings(patient)]
    looks = 1
    while findings and (looks == 1 or (looks < LOOKS and patient.lake.storage.busy(LAKE_LOCK))):
        patient = replace(patient)
        found = {(finding.kind, finding.path) for finding in findings}
        findings = [finding for finding in _findings(patient) if (finding.kind, finding.path) in found]
        looks += 1
    return patient, findings


def _findings(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong, each with the name of its check."""
    blocked = False
    for checks in (FIRST, CHECKS):
        for name, look in checks.items():
            left_out = blocked or (patient.home and name in OF_THE_WHOLE)
            for finding in () if left_out else look(patient):
                blocked = blocked or checks is FIRST
                yield replace(finding, kind=name)


def _examination(patient: Patient, findings: list[Finding]) -> Examination:
    days = sorted(day for day, look in patient.rows(ENGAGEMENTS).items() if look.rows)
    return Examination(
        findings=tuple(findings),
        days=len(days),
        first=days[0] if days else None,
        last=days[-1] if days else None,
        gaps=(days[-1] - days[0]).days + 1 - len(days) if days else 0,
        rows=sum(look.rows for look in patient.of_table(ENGAGEMENTS)),
        responses=len(patient.inventory.of(inventory.RESPONSE)),
        lost_responses=doctor_raw.lost_for_good(patient),
        set_aside=sum(look.rows for look in patient.of_table(SET_ASIDE)),
        free_bytes=patient.lake.storage.free(),
    )
