"""What workers of the tests do: a process of its own imports it by its name."""

import os
import resource
import signal

import numpy as np

from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.publish.day_worker import DayWorker

DAY = "2026-01-01"


class Counter:
    """Counts, and fails as it is told."""

    def __init__(self, start=0):
        self.number = start

    def add(self, number):
        self.number += number
        return self.number

    def process(self):
        return os.getpid()

    def large(self, number):
        return b"x" * number

    def size(self, content):
        return len(content)

    def prints(self):
        print("a word")  # noqa: T201
        return True

    def writes(self, path, text):
        path.write_text(text)

    def pages(self, arrays):
        """Return how many pages of memory the system gives for so many arrays of 16 MB."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        filled = [np.ones(2**24, np.int8) for _ in range(arrays)]
        del filled
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    def damaged(self):
        raise LakeError("a file is damaged", day=DAY)

    def fails(self):
        raise ZeroDivisionError("it cannot be")

    def is_killed(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def close(self):
        """Nothing is open."""


class KilledAtTheEnd(DayWorker):
    """A worker that is killed once all is merged."""

    def finish(self):
        os.kill(os.getpid(), signal.SIGKILL)
