"""What goes wrong with the Engagement API: its dials, and the damages to its bodies.

In: the parsed body of a 200. Out: the same body with other content. dials.py says when a fault hits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args

from engagement_pipeline.emulator import rules
from engagement_pipeline.emulator.dials import Chance, Damage, Flag, WireDials, one_of
from engagement_pipeline.emulator.refusals import ForbiddenSpelling

UNKNOWN_TYPE = "bookmarks"


@dataclass(frozen=True)
class Dials(WireDials):
    """How often each fault happens, and the few settings that are not about chance."""

    # In the content.
    missing_hours: Chance = 0  # hours without a count are left out, so the sums still match
    missing_types: Chance = 0  # the last type stays away from every grouping
    unknown_types: Chance = 0  # a type nobody asked for, in every grouping by type
    numbers: Chance = 0  # counts as JSON numbers
    wrong_sums: Chance = 0  # one count of the first grouping is changed after the sums were made
    # Settings.
    forbidden_spelling: Annotated[ForbiddenSpelling, one_of(*get_args(ForbiddenSpelling))] = "author"
    app_not_approved: Flag = False


def _groupings(parts: dict[str, Any]) -> list[str]:
    return [name for name in parts if name not in rules.RESERVED]


def _add_unknown_types(parts: dict[str, Any]) -> None:
    def visit(branch: Any) -> None:  # noqa: ANN401  a nested grouping: dicts down to a count
        if not isinstance(branch, dict):
            return
        first = next(iter(branch), "")
        if first in rules.TYPES["totals"] or first in rules.TYPES["historical"]:
            branch[UNKNOWN_TYPE] = branch[first]
        else:
            for below in branch.values():
                visit(below)

    for name in _groupings(parts):
        visit(parts[name])


def _drop_empty_hours(parts: dict[str, Any]) -> None:
    def visit(branch: Any) -> Any:  # noqa: ANN401  a nested grouping: dicts down to a count
        if not isinstance(branch, dict):
            return branch
        hour_digits = 2
        return {key: visit(below) for key, below in branch.items() if len(key) != hour_digits or below not in ("0", 0)}

    for name in _groupings(parts):
        parts[name] = visit(parts[name])


def _change_a_count(parts: dict[str, Any]) -> None:
    branch = parts[_groupings(parts)[0]]
    while branch:
        key = next(iter(branch))
        if not isinstance(branch[key], dict):
            branch[key] = str(int(branch[key]) + 1)
            return
        branch = branch[key]


def _counts_as_numbers(parts: dict[str, Any]) -> None:
    def visit(branch: Any) -> Any:  # noqa: ANN401  a nested grouping: dicts down to a count
        if isinstance(branch, dict):
            return {key: visit(below) for key, below in branch.items()}
        return int(branch)

    for name in _groupings(parts):
        parts[name] = visit(parts[name])


def _add_unknown_key(parts: dict[str, Any]) -> None:
    parts["request_trace"] = {"id": "0f3a", "shards": ["a", "b"]}


def _add_unknown_text(parts: dict[str, Any]) -> None:
    parts.setdefault("errors", []).append("Counts of 2 Tweet ID(s) are estimated")


def _drop_a_type(parts: dict[str, Any]) -> None:
    def visit(branch: Any) -> None:  # noqa: ANN401  a nested grouping: dicts down to a count
        if not isinstance(branch, dict) or not branch:
            return
        types = [name for name in branch if name in rules.TYPES["totals"] or name in rules.TYPES["historical"]]
        if types:
            del branch[max(types)]
        for below in [] if types else branch.values():
            visit(below)

    for name in _groupings(parts):
        visit(parts[name])


def _add_a_fraction(parts: dict[str, Any]) -> None:
    branch = parts[_groupings(parts)[0]]
    while branch:
        key = next(iter(branch))
        if not isinstance(branch[key], dict):
            branch[key] = int(branch[key]) + 0.5
            return
        branch = branch[key]


# In the order in which they change a body.
DAMAGES: Mapping[str, Damage] = {
    "missing_types": _drop_a_type,
    "unknown_types": _add_unknown_types,
    "missing_hours": _drop_empty_hours,
    "wrong_sums": _change_a_count,
    "numbers": _counts_as_numbers,
    "fraction_counts": _add_a_fraction,
    "unknown_keys": _add_unknown_key,
    "unknown_texts": _add_unknown_text,
}
