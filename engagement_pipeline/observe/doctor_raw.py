"""Is raw whole, and is all that landed in the tables? The doctor's checks of pulls and responses.

In: a Patient. Out: Findings.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from engagement_pipeline.core.dated import STAMP
from engagement_pipeline.core.errors import EngagementError
from engagement_pipeline.lake import inventory
from engagement_pipeline.lake.landed_file import landed_at
from engagement_pipeline.lake.layout import LAKE_LOCK, PULL_LOCK
from engagement_pipeline.lake.raw import PULL
from engagement_pipeline.observe.by_hand import moved
from engagement_pipeline.observe.doctor_files import stamp_of
from engagement_pipeline.observe.patient import Finding, pull_again

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engagement_pipeline.observe.patient import Patient

SOON = timedelta(minutes=10)  # between the end of a pull and its publication, which may be steps of a Dagster run


def pulls(patient: Patient) -> Iterator[Finding]:
    """Find folders of responses of which no sound pull.json says what they answer."""
    there = {entry.path for entry in patient.inventory.of(inventory.PULL)}
    folders = patient.responses.keys() | {path.parent for path in there}
    for folder in sorted(folders - patient.pulls.keys()):
        path = folder / PULL
        yield Finding(
            path=path,
            what=f"{path} is {'damaged' if path in there else 'missing'}",
            meaning=f"nothing knows the {len(patient.responses.get(folder, ())):,} responses beside it, until the next "
            "pull or rebuild writes it anew from them",
            fix=_pull(patient, folder),
        )


def unpublished(patient: Patient) -> Iterator[Finding]:
    """Find pulls that stopped on the way to the tables, while no process is at work on them."""
    storage = patient.lake.storage
    pulling, publishing = storage.busy(PULL_LOCK), storage.busy(LAKE_LOCK)
    for folder, pull in patient.pulls.items():
        newest = max([pull.started_at, *map(stamp_of, patient.responses.get(folder, ()))])
        coming = pulling or publishing or newest > patient.now - SOON if pull.finished else pulling
        if pull.published or coming:
            continue
        what = "its responses are not all in the tables" if pull.finished else "it was not finished"
        yield Finding(
            path=folder / PULL,
            what=f"the pull of {pull} that began {pull.started_at:%Y-%m-%d %H:%M} UTC has stopped",
            meaning=what,
            fix=_pull(patient, folder),
        )


def gone(patient: Patient) -> Iterator[Finding]:
    """Find responses that gave rows, are not there, and can be asked for again; of a pull that prune did not remove."""
    for folder, missing in _gone(patient).items():
        if _can_be_asked(patient, folder):
            more = f", and {len(missing) - 1:,} more of its pull" if missing[1:] else ""
            yield Finding(
                path=missing[0],
                what=f"{missing[0]} is missing{more}",
                meaning="its rows stay as published, and no rebuild can make them again; a backup may have it",
                fix=_pull(patient, folder),
            )


def damaged_responses(patient: Patient) -> Iterator[Finding]:
    """Find responses that cannot be read or do not add up; a quick look leaves them out."""
    needed = _sources(patient)
    paths = [path for folder in patient.pulls for path in patient.responses.get(folder, ())]
    with ThreadPoolExecutor(patient.at_once) as pool:
        for path, problem in zip(paths, pool.map(lambda path: _problem(patient, path), paths), strict=True):
            if problem:
                rejected = path.parent / "rejected"
                again = path in needed and _can_be_asked(patient, path.parent)
                yield Finding(
                    path=path,
                    what=f"{path} is damaged ({problem})",
                    meaning="a rebuild stops at it; a backup may have it, and without one its rows stay as published",
                    fix=moved(path, into=rejected) + (f" && {_pull(patient, path.parent)}" if again else ""),
                )


def lost_for_good(patient: Patient) -> int:
    """Return how many responses that gave rows are not there and cannot be asked for again."""
    return sum(len(missing) for folder, missing in _gone(patient).items() if not _can_be_asked(patient, folder))


def _problem(patient: Patient, path: Path) -> str:
    """Return why a response cannot be read, empty if it can."""
    if patient.audit is None:
        return ""
    try:
        landed = landed_at(patient.lake.storage, path)
        if landed.refusal:
            landed.body()
        else:
            patient.audit(landed)
    except EngagementError as error:
        return str(error).removeprefix(f"{path} is damaged (").partition("): ")[0]
    return ""


def _gone(patient: Patient) -> dict[Path, list[Path]]:
    """Return the responses that gave rows and are not there, by the folder of their pull.

    Prune removes whole pulls, those with the oldest answers first, and none that is younger than keep_raw_days. So it
    did not remove a part of a pull, nor a pull with newer answers than another that is there.
    """
    kept_since = patient.now - timedelta(days=patient.settings.keep_raw_days)
    there = {path for paths in patient.responses.values() for path in paths}
    oldest: dict[str, datetime] = {}
    for folder, paths in patient.responses.items():
        endpoint = folder.parts[-3]
        oldest[endpoint] = min(oldest.get(endpoint, stamp_of(paths[0])), *map(stamp_of, paths))
    found: dict[Path, list[Path]] = {}
    for path in sorted(_sources(patient) - there):
        after = oldest.get(path.parts[-4])
        part_of_a_pull = path.parent in patient.responses or path.parent in patient.pulls
        begun = datetime.strptime(path.parent.name, STAMP).replace(tzinfo=UTC)
        if part_of_a_pull or begun >= kept_since or (after and stamp_of(path) > after):
            found.setdefault(path.parent, []).append(path)
    return found


def _sources(patient: Patient) -> set[Path]:
    """Return the responses that gave rows, as the coverage names them."""
    return {patient.lake.root / source for covered in patient.covered.values() for source in covered.sources}


def _can_be_asked(patient: Patient, folder: Path) -> bool:
    """Tell whether a new pull of a pull's days gives them rows from responses of its own."""
    first, _, last = folder.parts[-2].partition("_")
    if not last:
        return first == str(patient.now.date())
    return date.fromisoformat(first) >= patient.settings.oldest_day()


def _pull(patient: Patient, folder: Path) -> str:
    """Return the command that pulls what a pull pulled."""
    first, _, last = folder.parts[-2].partition("_")
    return pull_again(patient, first, last) if last else f"engagement pull --endpoint {folder.parts[-3]}"
