"""Damages to the answers of X API v2: each changes the parsed body of a 200, when its dial hits the request."""

from collections.abc import Iterator, Mapping
from typing import Any

from engagement_pipeline.emulator.dials import Damage
from engagement_pipeline.emulator.v2.series import SERIES

KEYS = {"id", "media_key", SERIES}
EACH_SEVENTH = 7


def _buckets(parts: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Yield the buckets of each resource that has some."""
    for resource in parts.get("data", []):
        if resource.get(SERIES):
            yield resource[SERIES]


def _holders(parts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each object that holds counts: the metrics of a bucket, or a resource with flat ones."""
    for resource in parts.get("data", []):
        for bucket in resource.get(SERIES, []):
            if bucket["metrics"] is not None:
                yield bucket["metrics"]
        if resource.keys() - KEYS:
            yield resource


def _counts(parts: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield where each count stands: an object and a key."""
    for holder in _holders(parts):
        yield from ((holder, name) for name in holder if name not in KEYS and holder[name] is not None)


def _null_counts(parts: dict[str, Any]) -> None:
    for place, (holder, name) in enumerate(list(_counts(parts))):
        if place % EACH_SEVENTH == EACH_SEVENTH - 1:
            holder[name] = None


def _null_metrics(parts: dict[str, Any]) -> None:
    for buckets in _buckets(parts):
        buckets[0]["metrics"] = None


def _null_timestamps(parts: dict[str, Any]) -> None:
    for buckets in _buckets(parts):
        buckets[-1]["timestamp"] = None


def _off_hour_buckets(parts: dict[str, Any]) -> None:
    for buckets in _buckets(parts):
        for bucket in buckets:
            bucket["timestamp"] = bucket["timestamp"].replace(":00:00Z", ":30:00Z")


def _text_counts(parts: dict[str, Any]) -> None:
    for holder, name in list(_counts(parts)):
        holder[name] = str(holder[name])


def _unknown_keys(parts: dict[str, Any]) -> None:
    data = parts.get("data", [])
    for resource in data if isinstance(data, list) else [data]:
        resource["reach_class"] = "b"
    parts["request_trace"] = {"id": "0f3a", "shards": ["a", "b"]}


def _unknown_metrics(parts: dict[str, Any]) -> None:
    for holder in list(_holders(parts)):
        holder["dwell_views"] = 3


def _missing_metrics(parts: dict[str, Any]) -> None:
    for holder in list(_holders(parts)):
        names = [name for name in holder if name not in KEYS]
        if names:
            del holder[names[-1]]


def _missing_buckets(parts: dict[str, Any]) -> None:
    for resource in parts.get("data", []):
        if SERIES in resource:
            resource[SERIES] = [bucket for bucket in resource[SERIES] if any(bucket["metrics"].values())]


def _wrong_totals(parts: dict[str, Any]) -> None:
    resource: dict[str, Any] = next(iter(parts.get("data", [])), {})
    for name in [*filter(lambda name: name not in KEYS, resource)][:1]:
        resource[name] += 1


def _fraction_counts(parts: dict[str, Any]) -> None:
    for holder, name in [*_counts(parts)][:1]:
        holder[name] += 0.5


def _unknown_texts(parts: dict[str, Any]) -> None:
    problem = {
        "type": "https://api.x.com/2/problems/counts-estimated",
        "title": "Counts Estimated",
        "detail": "Counts of 2 Posts are estimated.",
    }
    parts.setdefault("errors", []).append(problem)


OF_ALL: Mapping[str, Damage] = {"unknown_keys": _unknown_keys}
# In the order in which they change a body: what needs numbers comes before what makes text or null of them.
OF_ANALYTICS: Mapping[str, Damage] = {
    "missing_buckets": _missing_buckets,
    "wrong_totals": _wrong_totals,
    "missing_metrics": _missing_metrics,
    "unknown_metrics": _unknown_metrics,
    "fraction_counts": _fraction_counts,
    "text_counts": _text_counts,
    "null_counts": _null_counts,
    "off_hour_buckets": _off_hour_buckets,
    "null_timestamps": _null_timestamps,
    "null_metrics": _null_metrics,
    "unknown_texts": _unknown_texts,
    **OF_ALL,
}
