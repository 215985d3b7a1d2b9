"""Writes counts as JSON: flat beside the ID for a total, in timestamped buckets for anything finer.

In: what is served, its counts, the window. Out: one JSON text a resource. A full answer holds 1.3 million counts, so
this builds no dict: the text of a resource has a %d for each count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import orjson

from engagement_pipeline.emulator.v2.metrics import Counts
from engagement_pipeline.emulator.v2.window import Window

SERIES = "timestamped_metrics"
Gap = Literal["absent", "null"]


@dataclass(frozen=True)
class Form:
    """How resources are written: the name of their key, the fields asked for, and the form of a total."""

    key: str
    fields: tuple[str, ...]
    total_form: str

    def flat(self, window: Window) -> bool:
        """Tell whether the metrics stand beside the ID."""
        return window.granularity == "total" and self.total_form != "series"

    def in_series(self, window: Window) -> bool:
        """Tell whether the metrics stand in buckets; a total never needs to ask for them."""
        if window.granularity == "total":
            return self.total_form != "flat"
        return SERIES in self.fields


def written(
    form: Form,
    window: Window,
    *,
    keys: Sequence[str],
    metrics: tuple[str, ...],
    counts: Counts,
    gaps: Mapping[str, tuple[str, Gap]],
) -> list[orjson.Fragment]:
    """Return the JSON of each resource. `counts` is [resource, metric, hour]; `gaps` names a metric to be left out."""
    if not keys:
        return []
    sums = window.summed(counts)
    timestamps = window.timestamps
    flat, in_series = form.flat(window), form.in_series(window)

    @cache
    def template(gap: tuple[str, Gap] | None) -> tuple[str, list[int]]:
        """Return the text with a %d for each count, and the columns of these counts."""
        name, how = gap or ("", "absent")
        members = [f'"{metric}":%d' for metric in metrics if metric != name]
        if how == "null" and name in metrics:
            members.append(f'"{name}":null')
        text = ",".join(members)
        parts = [text] if flat and text else []
        if in_series:
            buckets = (f'{{"timestamp":"{timestamp}","metrics":{{{text}}}}}' for timestamp in timestamps)
            parts.append(f'"{SERIES}":[{",".join(buckets)}]')
        return ",".join(parts), [column for column, metric in enumerate(metrics) if metric != name]

    resources = []
    for row, key in enumerate(keys):
        text, columns = template(gaps.get(key))
        values = sums[row][:, columns].ravel().tolist()
        values = values * (flat + in_series)  # a total of both forms tells its counts twice
        parts = [f'"{form.key}":"{key}"'] if form.key in form.fields else []
        resources.append(
            orjson.Fragment(("{" + ",".join([*parts, *filter(None, [text % tuple(values)])]) + "}").encode())
        )
    return resources
