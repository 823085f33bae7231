"""Which workers a server has, and what is to be done about them: a state machine without processes and clock.

Workers come in *generations* of a fixed number of *places*. One generation serves. ``renew`` begins another, which
takes over when all of its workers are ready, and is dropped when one of them fails; until then the old one is not
touched. A worker of the serving generation that ends is replaced, after a delay that grows with failures. There is no
last attempt.

Times are monotonic seconds from the caller, workers are process ids. The caller tells what happened, and then does what
``orders`` and ``next_start`` say.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("web_terminal_suite.supervisor")

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 30.0
# A worker that was ready for so long owes nothing to what went wrong before it.
STEADY_SECONDS = 10.0
# When no worker serves any more, the first one is started this long before the others.
HEAD_START_SECONDS = 1.0
# A worker that was ready and then ended young says less about the next start than one that never was ready.
_YOUNG_DEATHS_PER_DOUBLING = 4
# So often a server may fail to start its first worker before it gives up.
FIRST_ATTEMPTS = 5


class WorkerStage(Enum):
    """What a worker does."""

    STARTING = auto()
    SERVING = auto()
    LEAVING = auto()
    """It was told to leave, and lets its connections go."""
    KILLED = auto()
    """It was sent SIGKILL, and is not reaped yet."""


_MOVES = {
    WorkerStage.STARTING: {WorkerStage.SERVING, WorkerStage.KILLED},
    WorkerStage.SERVING: {WorkerStage.LEAVING, WorkerStage.KILLED},
    WorkerStage.LEAVING: {WorkerStage.KILLED},
    WorkerStage.KILLED: set[WorkerStage](),
}


class Order(NamedTuple):
    """Tell a worker to leave, or kill it."""

    pid: int
    kill: bool


def delay_after(attempts: int, young_deaths: int) -> float:
    """Seconds until the next start: the delay doubles with each one since a process was ready."""
    doublings = attempts + young_deaths // _YOUNG_DEATHS_PER_DOUBLING
    return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(doublings, 30))


@dataclass(eq=False)
class Place:
    """One of a generation's places: it has a worker, or the next start is due at ``due``."""

    generation: Generation
    due: float
    worker: _Worker | None = None
    attempts: int = 0
    young_deaths: int = 0

    def delay(self) -> float:
        """Seconds until the next start."""
        return delay_after(self.attempts, self.young_deaths)


class Generation:
    """The places of the workers that were started for one reason, the server's start or one SIGHUP."""

    def __init__(self, number: int, size: int, now: float) -> None:
        self.number = number
        self.places = [Place(self, now) for _ in range(size)]

    @property
    def ready(self) -> int:
        """How many workers serve."""
        return sum(place.worker is not None and place.worker.stage is WorkerStage.SERVING for place in self.places)

    @property
    def complete(self) -> bool:
        """Whether every place has a worker that serves."""
        return self.ready == len(self.places)


@dataclass(eq=False)
class _Worker:
    """A process. ``since`` is the time of the last move; ``place`` is ``None`` once no generation has it."""

    pid: int
    place: Place | None
    since: float
    stage: WorkerStage = field(default=WorkerStage.STARTING)
    served: bool = False

    def move(self, stage: WorkerStage, now: float) -> None:
        assert stage in _MOVES[self.stage], (self.stage, stage)
        self.stage, self.since = stage, now


class Generations:
    """Every worker of a server, from its start to when it is reaped.

    Args:
        size: the number of workers that serve.
        start_seconds: a worker that is not ready by then is killed.
        leave_seconds: a worker that was told to leave is killed after these.
        number: the first generation's.
    """

    def __init__(self, size: int, now: float, *, start_seconds: float, leave_seconds: float, number: int = 1) -> None:
        self._size = size
        self._start_seconds = start_seconds
        self._leave_seconds = leave_seconds
        self._workers: dict[int, _Worker] = {}
        self._orders: list[Order] = []
        self._current = Generation(number, size, now)
        self._next: Generation | None = None
        self._newest = number
        self._renewal_waits = False
        self._was_ready = False
        self._first_failures = 0

    # --- what there is

    @property
    def serves(self) -> bool:
        """Whether the server can be used: workers serve, and those that do not were tried."""
        places = self._current.places
        return self._current.ready > 0 and all(
            (each.worker is not None and each.worker.stage is WorkerStage.SERVING) or each.attempts for each in places
        )

    @property
    def settled(self) -> bool:
        """Whether no generation begins or leaves."""
        return self._next is None and all(worker.place is not None for worker in self._workers.values())

    @property
    def number(self) -> int:
        """The number of the generation that serves."""
        return self._current.number

    @property
    def serving(self) -> int:
        """How many workers serve, of the generation that is not leaving."""
        return self._current.ready

    @property
    def renewing(self) -> bool:
        """Whether another generation begins, or is to."""
        return self._next is not None or self._renewal_waits

    @property
    def hopeless(self) -> bool:
        """Whether the server never had a ready worker, and was tried often enough: there is no shell to keep."""
        return not self._was_ready and self._first_failures >= FIRST_ATTEMPTS

    @property
    def stages(self) -> Counter[WorkerStage]:
        """How many workers are in each stage."""
        return Counter(worker.stage for worker in self._workers.values())

    # --- what happened

    def renew(self, now: float) -> None:
        """Begin another generation. While one begins or workers leave, any number of calls are one, made later."""
        if self._next is not None and not self._renewal_waits:
            log.info("generation %d is starting; another one will follow it", self._next.number)
        self._renewal_waits = True
        self._begin(now)

    def started(self, place: Place, pid: int, now: float) -> None:
        """A process was started for ``place``."""
        place.worker = self._workers[pid] = _Worker(pid, place, now)

    def adopt(self, pid: int, now: float) -> bool:
        """Take in a worker that serves already; whether there was a place for it."""
        place = next(self._vacant(), None)
        if place is None:
            return False
        self.started(place, pid, now)
        self.ready(pid, now)
        return True

    def start_failed(self, place: Place, reason: str, now: float) -> None:
        """No process could be started for ``place``, and so for none of those that are due."""
        if self._dropped(place.generation, f"a worker could not be started: {reason}", now):
            return
        due = [each for each in place.generation.places if each.worker is None and each.due <= now]
        for each in due:
            each.due = now + each.delay()
            each.attempts += 1
        self._count_first_failure()
        log.error(
            "a worker could not be started: %s; %s, trying again in %.1f s", reason, self._serving(), place.due - now
        )

    def ready(self, pid: int, now: float) -> None:
        """A worker serves."""
        worker = self._workers[pid]
        if worker.stage is not WorkerStage.STARTING or worker.place is None:
            return
        worker.move(WorkerStage.SERVING, now)
        worker.served = True
        worker.place.attempts = 0
        self._was_ready = True
        if self._next is not None and self._next.complete:
            log.info("generation %d is ready; generation %d leaves", self._next.number, self._current.number)
            self._take_over(now)

    def ended(self, pid: int, how: str, now: float) -> None:
        """A worker was reaped; ``how`` it ended, as in "was killed by SIGKILL"."""
        worker = self._workers.pop(pid)
        # Its process id may be another process's by the time the orders are followed.
        self._orders = [order for order in self._orders if order.pid != pid]
        place = worker.place
        if place is None:
            self._begin(now)
            return
        place.worker = None
        was_ready = worker.served
        when = "" if was_ready else " before it was ready"
        if self._dropped(place.generation, f"worker {pid} {how}{when}", now):
            return
        if was_ready and now - worker.since >= STEADY_SECONDS:
            place.young_deaths = 0
        delay = place.delay()
        place.due = now + delay
        place.attempts += 1
        place.young_deaths += was_ready
        self._count_first_failure()
        log.warning("worker %d %s%s; %s, starting another in %.1f s", pid, how, when, self._serving(), delay)

    def silent(self, pid: int, seconds: float, now: float) -> None:
        """A worker that serves has not answered for ``seconds``: kill it; it is replaced as any other that ends."""
        worker = self._workers.get(pid)
        if worker is None or worker.stage is not WorkerStage.SERVING or worker.place is None:
            return
        what = f"worker {pid} did not answer for {seconds:.0f} s"
        self._kill(worker, now)
        if not self._dropped(worker.place.generation, what, now):
            log.error("%s; killing it", what)

    def pass_time(self, now: float) -> None:
        """Give up on workers that took too long to start or to leave."""
        for worker in list(self._workers.values()):
            if self._deadline(worker) > now:
                continue
            if worker.stage is WorkerStage.LEAVING:
                log.warning("worker %d did not leave within %g s; killing it", worker.pid, self._leave_seconds)
                self._kill(worker, now)
                continue
            what = f"worker {worker.pid} was not ready within {self._start_seconds:g} s"
            if worker.place is None or not self._dropped(worker.place.generation, what, now):
                log.warning("%s; killing it", what)
                self._kill(worker, now)

    def leave(self, now: float) -> list[int]:
        """The server stops: let every worker go; all that are not reaped yet. Nothing is due from now on."""
        self._renewal_waits = False
        for generation in filter(None, (self._current, self._next)):
            self._release(generation, now)
            generation.places.clear()
        return list(self._workers)

    # --- what is to be done

    def orders(self) -> list[Order]:
        """What is to be said to workers now; each order is given once."""
        orders, self._orders = self._orders, []
        return orders

    def next_start(self, now: float) -> Place | None:
        """A place whose worker is due. Answer with ``started`` or ``start_failed``."""
        if now < self._held_back_until():
            return None
        return next((place for place in self._vacant() if place.due <= now), None)

    def _held_back_until(self) -> float:
        """Until when others wait for the first worker that is to serve again: together all of them start later."""
        if not self._was_ready or self._current.ready:
            return -math.inf
        starting = (place.worker for place in self._current.places if place.worker is not None)
        begun = [each.since for each in starting if each.stage is WorkerStage.STARTING]
        return min(begun) + HEAD_START_SECONDS if begun else -math.inf

    def wake_at(self) -> float | None:
        """When something is due although nothing happens."""
        times = [self._deadline(worker) for worker in self._workers.values()]
        held_back_until = self._held_back_until()
        times += [max(place.due, held_back_until) for place in self._vacant()]
        earliest = min(times, default=math.inf)
        return None if earliest == math.inf else earliest

    # --- generations

    def _begin(self, now: float) -> None:
        """Begin the generation that was asked for, unless one begins already or the last one has not left."""
        leaving = any(worker.place is None for worker in self._workers.values())
        if not self._renewal_waits or self._next is not None or leaving:
            return
        self._renewal_waits = False
        self._newest += 1
        self._next = Generation(self._newest, self._size, now)
        log.info(
            "generation %d: starting %d %s; generation %d serves until all of them are ready",
            self._newest, self._size, "worker" if self._size == 1 else "workers", self._current.number,
        )  # fmt: skip

    def _take_over(self, now: float) -> None:
        """The next generation serves from now on, and the other one leaves."""
        assert self._next is not None
        old, self._current, self._next = self._current, self._next, None
        self._release(old, now)
        self._begin(now)

    def _dropped(self, generation: Generation, failure: str, now: float) -> bool:
        """Drop ``generation`` for a failure, if it does not serve yet; whether it was dropped.

        It is kept where it serves better than the present one: where that has no ready worker, and this one has.
        """
        if generation is not self._next:
            return False
        if generation.ready and not self._current.ready:
            log.error(
                "generation %d is not complete: %s; no worker of generation %d serves, so it takes over with %d of %d",
                generation.number, failure, self._current.number, generation.ready, self._size,
            )  # fmt: skip
            self._take_over(now)
            return False
        log.error(
            "generation %d was dropped: %s; generation %d stays, no shell was touched, %s; %s",
            generation.number, failure, self._current.number, self._serving(),
            "the SIGHUP that came meanwhile starts another" if self._renewal_waits
            else "repair the cause, then send SIGHUP again",
        )  # fmt: skip
        self._next = None
        self._release(generation, now)
        self._begin(now)
        return True

    def _release(self, generation: Generation, now: float) -> None:
        """Let the workers of a generation go; what does not serve yet holds nothing and is killed."""
        for place in generation.places:
            worker, place.worker = place.worker, None
            if worker is None:
                continue
            worker.place = None
            if worker.stage is WorkerStage.SERVING:
                worker.move(WorkerStage.LEAVING, now)
                self._orders.append(Order(worker.pid, kill=False))
            elif worker.stage is WorkerStage.STARTING:
                self._kill(worker, now)

    def _kill(self, worker: _Worker, now: float) -> None:
        worker.move(WorkerStage.KILLED, now)
        self._orders.append(Order(worker.pid, kill=True))

    def _vacant(self) -> Iterator[Place]:
        for generation in filter(None, (self._current, self._next)):
            yield from (place for place in generation.places if place.worker is None)

    def _deadline(self, worker: _Worker) -> float:
        if worker.stage is WorkerStage.STARTING:
            return worker.since + self._start_seconds
        if worker.stage is WorkerStage.LEAVING:
            return worker.since + self._leave_seconds
        return math.inf

    def _count_first_failure(self) -> None:
        self._first_failures += not self._was_ready

    def _serving(self) -> str:
        return f"{self._current.ready} of {self._size} workers serve"
