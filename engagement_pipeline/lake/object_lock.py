"""A lock as an object: who holds it, and a number that grows with each holder.

In: the objects of a bucket, and a key. Out: a Lease for as long as it is held.

    {"number": 7, "holder": "…", "what": "…", "process": "…", "store": "…"}    held; with an empty holder it is free

It is put with a condition: only where there is none, or where it is what was read. So of two that want it one gets it,
and each holder has a higher number than those before. The object stays when the lock is free, and keeps the number.

While it is held, a thread puts it anew every BEAT. Whoever waits takes it over once that was not done for LEASE, by the
store's own clock. If its holder was a process of this machine that is dead, it is free at once. A holder that was taken
for dead may go on: it finds out by `check`, which asks the store, and by `lapsed`, which asks nobody.

A store that takes a second object where there must be none would give a lock to two. Each is tried once for a lock,
and refused in one line.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from engagement_pipeline.core.errors import LakeError, StoreError
from engagement_pipeline.lake.objects import TakenError
from engagement_pipeline.lake.stores import endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engagement_pipeline.lake.objects import Objects

logger = logging.getLogger(__name__)
LEASE = 60.0  # seconds without a word of the holder, after which a lock is taken over
BEAT = 15.0  # seconds between its words
SILENCE = timedelta(minutes=15)  # of a holder, after which it holds nothing, however much clocks differ
POLL = 2.0  # seconds between two looks of who waits
HEEDLESS, FAULTY = "does not keep the condition of a put", "does not give back what was put"
NO_TAG = '"00000000000000000000000000000000"'


class LostError(StoreError):
    """The lock was taken over: what its holder has not written yet must not be written."""

    def __init__(self, where: str) -> None:
        words = f"the lock was taken over, since nothing was heard of this process for {LEASE:.0f} s: let the other end"
        super().__init__(errno.ESTALE, words, where)


@dataclass(frozen=True, slots=True)
class Found:
    """What a lock says, and when it was put, by the store's clock."""

    number: int
    holder: str
    what: str
    process: str
    store: str
    tag: str
    put_at: datetime


@dataclass(slots=True)
class Lease:
    """A lock that this process holds. `until`: when it lapses, by this machine's clock that nobody sets."""

    objects: Objects
    key: str
    number: int
    holder: str
    what: str
    tag: str
    until: float
    lost: bool = False
    _putting: Lock = field(default_factory=Lock)

    def lapsed(self) -> bool:
        """Tell whether another may have the lock by now, as far as this process can know."""
        return self.lost or time.monotonic() > self.until

    def check(self) -> None:
        """Raise LostError unless the store says that the lock is still held by this process."""
        found = look(self.objects, self.key)
        if self.lapsed() or found is None or (found.number, found.holder) != (self.number, self.holder):
            self.lost = True
            raise LostError(f"{self.objects.bucket}/{self.key}")

    def beat(self) -> None:
        """Say that the holder lives; what the store refuses but for another holder is tried again later."""
        began = time.monotonic()
        try:
            with self._putting:
                self.tag = _put(self.objects, self.key, self.number, self.holder, self.what, over=self.tag)
            self.until = began + LEASE
        except TakenError:
            self.lost = True
        except OSError as error:
            logger.info("the lock %s was not put anew: %s", self.key, error.strerror)

    def release(self) -> None:
        """Let others have the lock at once; where that fails, they have it once it lapses."""
        with suppress(OSError), self._putting:
            if not self.lost:
                _put(self.objects, self.key, self.number, "", "", over=self.tag)


@contextmanager
def hold(objects: Objects, key: str, *, what: str = "", waiting: Callable[[str], object]) -> Iterator[Lease]:
    """Hold a lock; `what` says what for. `waiting` is called with what another holder has said, each time it differs.

    LakeError where the store is none for locks.
    """
    lease, ended = _taken(objects, key, what, waiting), Event()

    def beat() -> None:
        while not ended.wait(BEAT) and not lease.lost:
            lease.beat()

    Thread(target=beat, name=f"holds {key}", daemon=True).start()
    try:
        yield lease
    finally:
        ended.set()
        lease.release()


def is_held(objects: Objects, key: str) -> bool:
    """Tell whether somebody holds a lock, who may have died a while ago; a look puts nothing that tells the time."""
    found = look(objects, key)
    if found is None or not found.holder or _is_dead(found):
        return False
    return datetime.now(UTC) - found.put_at < SILENCE


def look(objects: Objects, key: str) -> Found | None:
    """Return what a lock says, None where nobody has ever held it."""
    try:
        content, held = objects.get(key)
    except FileNotFoundError:
        return None
    try:
        said = json.loads(content)
        holder, process, store = (str(said[name]) for name in ("holder", "process", "store"))
        what = str(said.get("what", ""))  # which an older program does not say
        return Found(int(said["number"]), holder, what, process, store, held.tag, held.put_at)
    except (ValueError, KeyError, TypeError):
        raise LakeError(f"{objects.bucket}/{key} is damaged: remove it while no command runs") from None


def _taken(objects: Objects, key: str, what: str, waiting: Callable[[str], object]) -> Lease:
    holder, proved = uuid4().hex, False
    told: str | None = None
    while True:
        found = look(objects, key)
        if found is None or not found.holder or _is_abandoned(objects, key, found):
            if not proved and (found is None or found.store != _store(objects)):
                _prove(objects, key)
                proved = True
            number, began = (found.number if found else 0) + 1, time.monotonic()
            try:
                tag = _put(objects, key, number, holder, what, over=found.tag if found else "")
                return Lease(objects, key, number, holder, what, tag, began + LEASE)
            except TakenError:
                continue
        if told == found.what:
            time.sleep(POLL)
        else:
            waiting(found.what)
            told = found.what


def _put(objects: Objects, key: str, number: int, holder: str, what: str, *, over: str) -> str:
    """Put a lock over what was read; return its tag. A try that succeeded without an answer is no other's."""
    said = {"number": number, "holder": holder, "what": what, "process": _process(), "store": _store(objects)}
    content = json.dumps({**said, "at": time.time()}).encode()
    try:
        return objects.put(key, content, over=over)
    except TakenError:
        with suppress(FileNotFoundError):
            found, held = objects.get(key)
            if found == content:
                return held.tag
        raise


def _is_abandoned(objects: Objects, key: str, found: Found) -> bool:
    """Tell whether a lock's holder is dead, or was not heard of for LEASE; what is put here tells the store's time."""
    if not _is_dead(found):
        objects.put(f"{key}.clock", b"")
        _, clock = objects.get(f"{key}.clock")  # no survey tells the time
        if (clock.put_at - found.put_at).total_seconds() <= LEASE:
            return False
    logger.warning(
        "the lock %s/%s was held by a process that has ended or that nothing was heard of for %.0f s: it is taken "
        "over, and what that process still publishes is refused",
        *(objects.bucket, key, LEASE),
    )
    return True


@cache
def _machine() -> str:
    """Return the name of this machine, its start and its numbers of processes; empty where it does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _process() -> str:
    return f"{_machine()} {os.getpid()}"


def _is_dead(found: Found) -> bool:
    """Tell whether a holder was a process of this machine that there is no more; of others, nobody knows."""
    machine, _, number = found.process.rpartition(" ")
    return bool(machine) and machine == _machine() and not Path(f"/proc/{number}").exists()


def _store(objects: Objects) -> str:
    return f"{endpoint(objects.bucket)} {objects.bucket}".strip()


def _prove(objects: Objects, key: str) -> None:
    """Raise LakeError where a store does not keep the condition of a put, or gives back other bytes."""
    probe = f"{key}.probe-{uuid4().hex}"
    try:
        tag = objects.put(probe, b"first", over="")
        whole = objects.get(probe)[0] == b"first"
        kept = _refuses(objects, probe, over="") and _refuses(objects, probe, over=NO_TAG)
        kept = kept and not _refuses(objects, probe, over=tag)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        whole, kept = True, False
    finally:
        with suppress(OSError):
            objects.delete(probe)
    if not (kept and whole):
        raise LakeError(
            f"the store of {objects.bucket} {HEEDLESS if whole else FAULTY}, so two processes could publish at "
            "once: name a bucket in a store with conditional puts in the setting data"
        )


def _refuses(objects: Objects, key: str, **condition: Any) -> bool:  # noqa: ANN401 - as of put
    try:
        objects.put(key, b"second", **condition)
    except TakenError:
        return True
    return False
