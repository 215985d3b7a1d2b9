"""Work that is shared out to processes, as many as this one may use.

In: a class, and for each worker what its object is made of. Out: what the methods of these objects return.

    ask ──> the worker's standard input ──> a method of its object ──> its standard output ──> result

A worker does what it is asked in order, one thing after another. Where one worker is enough, its object is in this
process, and a method runs when its result is asked for.

A worker ends when its standard input does, so none outlives who started it, however that one ends. It is started as a
program of its own: a process of Dagster has threads, which a fork would not survive.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib.abc import MetaPathFinder
from itertools import cycle
from queue import SimpleQueue
from threading import Event, Thread
from traceback import format_exc
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, cast

import pyarrow as pa

from engagement_pipeline.core.errors import EngagementError, LakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import BinaryIO

ROWS_EACH = 4_000_000  # of a worker, at the least: it works as long on them as it takes to start, half a second
BEGIN = "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); from {} import work; work()"
OF_WORKERS = {
    # Of glibc: what arrays gave back is used for the next ones. To ask the system anew for each, as is done otherwise,
    # takes a seventh of the time of a publication.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20),
    "OPENBLAS_NUM_THREADS": "1",  # NumPy starts a thread for each core otherwise, and none has work here
}
ENDED = (EOFError, pickle.UnpicklingError)  # what is read of a process that is gone: nothing, or half an answer
P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Closable(Protocol):
    """What a worker's object is."""

    def close(self) -> None:
        """Give its files back."""


M = TypeVar("M", bound=Closable)
M_co = TypeVar("M_co", bound=Closable, covariant=True)


class Answer(Protocol[R_co]):
    """What a worker was asked for."""

    def result(self) -> R_co:
        """Return it, or raise what its method raised."""


class Worker(Protocol[M_co]):
    """A worker and its object."""

    def ask(self, method: Callable[Concatenate[M_co, P], R], *args: P.args, **named: P.kwargs) -> Answer[R]:
        """Have a method of the object's class called; the answers to several come in order."""


class WorkerEndedError(LakeError):
    """A worker's process is not there any more."""

    def __init__(self, returned: int) -> None:
        how = f"signal {-returned} ({signal.strsignal(-returned)})" if returned < 0 else f"exit code {returned}"
        super().__init__(
            f"a worker of this publication ended with {how}, as where the memory is full: what was not published is as "
            "it was, and what has landed is kept. Run the same again; fewer workers need less memory (setting workers)"
        )


class Workers:
    """Up to `most` workers. Their processes are started when they are needed first, and serve until the end."""

    def __init__(self, most: int = 1) -> None:
        self.most = most
        self._processes: list[_Process] = []

    def number(self, rows: int) -> int:
        """Return how many workers so many rows are worth: few rows take less time than a process takes to start."""
        return max(1, min(self.most, rows // ROWS_EACH))

    @contextmanager
    def each(self, makers: Sequence[Callable[[], M]]) -> Iterator[list[Worker[M]]]:
        """Have a worker for each of the functions, with the object that it makes; each object is closed in the end.

        If anything is raised meanwhile, no worker is at work any more when this is left.
        """
        if len(makers) == 1:
            with closing(makers[0]()) as made:
                yield [_Here(made)]
            return
        with ExitStack() as stack:
            stack.callback(self.close)
            self._processes += [_Process() for _ in range(len(self._processes), len(makers))]
            members = self._processes[: len(makers)]
            for answer in [member.send(make) for member, make in zip(members, makers, strict=True)]:
                answer.result()
            yield cast("list[Worker[M]]", members)
            for answer in [member.send(None) for member in members]:
                answer.result()
            stack.pop_all()

    @contextmanager
    def calling(self, calls: Sequence[Callable[[], R]], *, rows: int) -> Iterator[Iterator[R]]:
        """Have functions called, dealt out to workers if so many rows are worth it; yield over what they return.

        That comes in the order of the functions, and the next ones are at work meanwhile.
        """
        number = max(1, min(self.number(rows), len(calls)))
        with self.each([_Caller] * number) as members:
            answers = [member.ask(_Caller.call, each) for each, member in zip(calls, cycle(members), strict=False)]
            yield (answer.result() for answer in answers)

    def close(self) -> None:
        """End all processes, each after what it does at the moment."""
        processes, self._processes = self._processes, []
        with ExitStack() as stack:
            for process in processes:
                stack.callback(process.end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class _Caller:
    """The object of a worker that calls functions."""

    def call(self, function: Callable[[], R]) -> R:
        return function()

    def close(self) -> None:
        """Between two calls, nothing is open."""


class _Here(Generic[M]):
    """A worker in this process."""

    def __init__(self, made: M) -> None:
        self._made = made

    def ask(self, method: Callable[Concatenate[M, P], R], *args: P.args, **named: P.kwargs) -> Answer[R]:
        return _Later(lambda: method(self._made, *args, **named))


class _Later(Generic[R]):
    """An answer that is worked out when it is asked for first, and kept."""

    def __init__(self, work: Callable[[], R]) -> None:
        self._work = work
        self._done: list[R] = []

    def result(self) -> R:
        if not self._done:
            self._done.append(self._work())
        return self._done[0]


class _Process:
    """A worker in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", BEGIN.format(__name__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # so that Ctrl-C reaches who started it alone
            env=os.environ | OF_WORKERS,
        )
        self._inbox, self._outbox = cast("tuple[BinaryIO, BinaryIO]", (self._process.stdin, self._process.stdout))
        self._asked: deque[_Sent] = deque()
        self._come: SimpleQueue[Any] = SimpleQueue()
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._write(sys.path)

    def ask(self, method: Callable[..., Any], *args: Any, **named: Any) -> _Sent:  # noqa: ANN401 - Worker has the types
        return self.send((method, args, named))

    def send(self, message: object) -> _Sent:
        """Ask for what `_Desk.do` says."""
        self._write((message,))
        self._asked.append(sent := _Sent(self))
        return sent

    def receive(self) -> None:
        """Take the next answer."""
        came = self._come.get()
        if isinstance(came, Exception):
            self._come.put(came)  # for whoever asks again
            raise WorkerEndedError(self._process.wait()) if isinstance(came, ENDED) else came
        self._asked.popleft().answer = came

    def end(self) -> None:
        """End the process, after what it does at the moment."""
        try:
            with suppress(LakeError):
                self._write(None)
            self._process.wait()
        finally:  # where somebody cannot wait
            self._process.kill()
            with suppress(OSError):
                self._inbox.close()
            self._process.wait()
            self._listener.join()
            self._outbox.close()

    def _listen(self) -> None:
        """Take answers as they come, so that the process does not wait to give them."""
        try:
            while True:
                self._come.put(pickle.load(self._outbox))  # noqa: S301 - of our own process
        except Exception as error:  # noqa: BLE001 - `receive` raises it
            self._come.put(error)

    def _write(self, message: object) -> None:
        try:
            pickle.dump(message, self._inbox, pickle.HIGHEST_PROTOCOL)
            self._inbox.flush()
        except OSError:
            raise WorkerEndedError(self._process.wait()) from None


class _Sent:
    """What a process was asked for."""

    def __init__(self, process: _Process) -> None:
        self._process = process
        self.answer: tuple[Any, BaseException | None] | None = None

    def result(self) -> Any:  # noqa: ANN401 - Answer has the type
        while self.answer is None:
            self._process.receive()
        made, error = self.answer
        if error:
            raise error
        return made


def work() -> None:
    """Be a worker, until there is nothing to do any more."""
    sys.meta_path.insert(0, _NoPandas())
    pa.set_cpu_count(1)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed
    inbox: SimpleQueue[Any] = SimpleQueue()
    ending = Event()
    Thread(target=_listen, args=(inbox, ending), daemon=True).start()
    desk = _Desk()
    with suppress(BrokenPipeError):
        while (message := inbox.get()) is not None and not ending.is_set():
            pickle.dump(desk.answer(*message), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
    os._exit(0)


class _NoPandas(MetaPathFinder):
    """Keep pandas out: Arrow imports it with the first array if it can, which takes 0.2 s, and a worker needs none."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:  # noqa: ARG002
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def _listen(inbox: SimpleQueue[Any], ending: Event) -> None:
    """Take what comes at once, so that nobody waits to send it; end the process where nobody is there to send it.

    None comes last. It is heard before what was sent earlier is done.
    """
    try:
        while True:
            message = pickle.load(sys.stdin.buffer)  # noqa: S301 - of who started this process
            if message is None:
                ending.set()
            inbox.put(message)
    finally:
        os._exit(1)


class _Desk:
    """A worker's object, while there is one."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._made: Closable | None = None

    def answer(self, message: Any) -> tuple[Any, BaseException | None]:  # noqa: ANN401 - whatever is asked
        """Do what is asked; return what came of it, or what was raised."""
        try:
            return self.do(message), None
        except Exception as error:  # noqa: BLE001 - whoever asked raises it
            if not isinstance(error, EngagementError):
                error.add_note(format_exc())
            return None, error

    def do(self, message: Any) -> Any:  # noqa: ANN401
        """Call a method of the object, if a tuple has it with its arguments; else make the object, or close it."""
        if isinstance(message, tuple):
            method, args, named = message
            return method(self._made, *args, **named)
        self._open.close()
        self._made = self._open.enter_context(closing(message())) if message else None
        return None
