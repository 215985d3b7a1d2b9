"""A storage that counts what is asked of it, put in place of the local one; and an eye on what else touches a lake.

As a script: pulls, publishes, reports, rebuilds and prunes the lake of the settings. It prints for each stage how often
that called which method, and what it touched in the lake outside all of them.
"""

import json
import os
import sys
import threading
from collections import Counter
from contextlib import _GeneratorContextManager, contextmanager
from datetime import UTC, date, datetime
from types import GeneratorType

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.core import settings
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake import layout
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.storages import storage_of
from engagement_pipeline.observe import checks
from engagement_pipeline.publish import retention

EVER = datetime.max.replace(tzinfo=UTC)
calls, outside = Counter(), []
depth = threading.local()


@contextmanager
def within():
    """Let a call of the storage touch the lake."""
    depth.calls = getattr(depth, "calls", 0) + 1
    try:
        yield
    finally:
        depth.calls -= 1


class Counting:
    """A storage behind which another does the work."""

    def __init__(self, storage):
        self._storage = storage

    def __getattr__(self, name):
        if not callable(getattr(self._storage, name)):
            return getattr(self._storage, name)

        def counted(*arguments, **named):
            calls[name] += 1
            with within():
                made = getattr(self._storage, name)(*arguments, **named)
            return Lasting(made) if isinstance(made, (GeneratorType, _GeneratorContextManager)) else made

        return counted


class Lasting:
    """What a storage returned to be entered or iterated over, which touches the lake then."""

    def __init__(self, made):
        self._made = made

    def __enter__(self):
        with within():
            return self._made.__enter__()

    def __exit__(self, *error):
        with within():
            return self._made.__exit__(*error)

    def __iter__(self):
        return self

    def __next__(self):
        with within():
            return next(self._made)


def watch(root):
    """Note what Python itself opens, lists, makes, renames, removes or looks at below a folder, outside all calls.

    Arrow's own files are left out: they are staged, which is local in any storage.
    """
    really = os.stat

    def told(event, arguments):
        if not getattr(depth, "calls", 0):
            paths = [str(each) for each in arguments if isinstance(each, (str, os.PathLike))]
            paths = [path for path in paths if path.startswith(str(root)) and not path.endswith(".arrow")]
            outside.extend(f"{event} {path}" for path in paths)

    def stat(path, *arguments, **named):  # of which the system tells no hook
        told("os.stat", [path])
        return really(path, *arguments, **named)

    sys.addaudithook(told)
    os.stat = stat


def staged(first, last):
    """Run each stage of the pipeline, and yield its name once it has ended."""
    chosen = settings.load()
    lake, days = Lake(chosen.data), [first, last]
    pulling.pull(chosen, prepare(chosen, first, last))
    yield "pull"
    pipeline.publish_landed(chosen)
    yield "publication"
    pipeline.publish_days(chosen, days)
    for _ in checks.of_days(chosen, days):
        pass
    yield "report"
    pipeline.rebuild(chosen)
    yield "rebuild"
    retention.drop(lake, retention.spent(lake, before=EVER))
    yield "prune"
    (lake.root / "lake.json").read_bytes()
    (lake.root / "lake.json").exists()
    list(lake.root.glob("*"))
    yield "planted"


def main(first, last):
    layout.storage_of = lambda root: Counting(storage_of(root))
    watch(settings.load().data)
    found = {}
    for stage in staged(date.fromisoformat(first), date.fromisoformat(last)):
        found[stage] = {"calls": dict(calls), "outside": outside[:]}
        calls.clear()
        outside.clear()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
