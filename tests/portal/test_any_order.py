"""Whatever workers do, in whatever order: seats are never given twice, and no answer is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tessera.portal import job_lifecycle, leases
from tessera.portal.claims import claim
from tessera.portal.errors import Busy, Closed, Unknown
from tessera.portal.records import FULL, LEASE_GRACE, OPEN, REPAIRING, Job
from tessera.portal.repair import repair
from tessera.portal.store import Change
from tessera.portal.submissions import submit
from tessera.portal.table_layout import (
    all_tasks,
    read_counts,
    read_lapsed,
    read_queue,
    read_task,
)
from tests.examples import examples
from tests.fakes import Table
from tests.portal.world import World, answer_of


class Killed(BaseException):  # no code of the portal can catch it and go on
    """End of a process in the middle of its work."""


class Disturbed:
    """Table at whose n-th write something else happens first, once."""

    def __init__(self, table: Table, at: int, disturb: Callable[[], None]) -> None:
        self.table, self.left, self.disturb = table, at, disturb

    def write(self, *changes: Change) -> bool:
        self.left -= 1
        if self.left == 0:
            self.disturb()
        return self.table.write(*changes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)


WORKERS = st.sampled_from(["ann", "ben", "cid", "dot"])


class AnyOrder(RuleBasedStateMachine):
    """Four workers at a small job, with time passing, faults and repairs between their moves."""

    world: World
    job: Job
    given: set[tuple[str, int]]
    saved: set[tuple[int, str]]
    at_once: set[int]
    """Tasks that were answered while the index was rebuilt: they may have one answer too many."""

    @initialize(tasks=st.integers(1, 20), seats=st.integers(1, 3))
    def opened(self, tasks: int, seats: int) -> None:
        self.world = World()
        self.job = self.world.open(tasks=tasks, workers=seats)
        self.given, self.saved, self.at_once = set(), set(), set()

    @rule(worker=WORKERS)
    def claims_a_task(self, worker: str) -> None:
        try:
            task = self.world.claim(self.job, worker)
        except Closed:
            return
        if task is not None:
            assert (task, worker) not in self.saved
            self.given.add((worker, task))

    @rule(worker=WORKERS, ahead=st.booleans())
    def answers_a_task(self, worker: str, ahead: bool) -> None:
        tasks = sorted(task for name, task in self.given if name == worker)
        if not tasks:
            return
        task = tasks[-1 if ahead else 0]
        outcome = self.world.answer(self.job, worker, task)
        if outcome == "saved":
            self.saved.add((task, worker))
        else:
            assert (task, worker) not in self.saved

    @rule(worker=WORKERS)
    def skips_a_task(self, worker: str) -> None:
        for name, task in sorted(self.given):
            if name == worker:
                leases.give_back(self.world.ports, self.job, worker, task)

    @rule(worker=WORKERS)
    def renews_a_lease(self, worker: str) -> None:
        for name, task in sorted(self.given):
            if name == worker:
                try:
                    leases.renew(self.world.ports, self.job, worker, task)
                except Unknown:
                    continue

    @rule(share=st.sampled_from([0.01, 0.5, 1.0]))
    def waits(self, share: float) -> None:
        self.world.clock.wait(share * (self.job.seconds + LEASE_GRACE + 1))

    @rule()
    def repairs(self) -> None:
        repair(self.world.ports, self.world.again(self.job))

    @rule()
    def loses_the_index(self) -> None:
        self.world.table = Table()
        job_lifecycle.restore(self.world.ports, self.job.record)

    @rule(
        worker=WORKERS,
        at=st.integers(1, 8),
        loses=st.booleans(),
        move=st.sampled_from(["claims", "answers", "resends", "reopens", "dies"]),
    )
    def is_disturbed_while_its_index_is_rebuilt(
        self, worker: str, at: int, loses: bool, move: str
    ) -> None:
        """What was begun before the rebuild ends in the middle of it; or the rebuild does."""
        before = self.world.again(self.job)
        table = Table() if loses else self.world.table

        def disturb() -> None:
            self.world.table = table
            try:
                self._disturb(before, worker, move)
            finally:
                self.world.table = disturbed

        disturbed = Disturbed(table, at, disturb)
        self.world.table = disturbed
        with suppress(Killed, Busy):
            if loses:
                self.world.open(tasks=self.job.tasks, workers=self.job.workers)
            else:
                job_lifecycle.restore(self.world.ports, before.record)
        self.world.table = table
        if loses or self.world.again(self.job).status == REPAIRING:  # what failed is tried again
            self.world.open(tasks=self.job.tasks, workers=self.job.workers)

    def _disturb(self, before: Job, worker: str, move: str) -> None:
        """Let a request end that had read the job before its index was rebuilt."""
        ports = self.world.ports
        if move == "dies":
            raise Killed
        with suppress(Busy, Closed, Unknown):
            if move == "reopens":
                self.world.open(tasks=self.job.tasks, workers=self.job.workers)
            if move == "claims" and (claimed := claim(ports, before, worker)):
                self.given.add((worker, claimed.task))
            tasks = sorted(task for name, task in self.given if name == worker)
            if move == "resends":
                tasks = sorted(task for task, name in self.saved if name == worker)
            if move in {"answers", "resends"} and tasks:
                content = answer_of(self.job, tasks[0], "cat")
                if submit(ports, before, worker, tasks[0], content) == "saved":
                    self.saved.add((tasks[0], worker))
                    self.at_once.add(tasks[0])

    @rule()
    def is_stopped_and_opened_again(self) -> None:
        job_lifecycle.stop(self.world.ports, self.job.name)
        self.world.open(tasks=self.job.tasks, workers=self.job.workers)

    @invariant()
    def every_saved_answer_is_stored_and_counted(self) -> None:
        stored = set(self.world.stored(self.job))
        assert stored == self.saved
        assert read_counts(self.world.table, self.job).answered == sum(self._answers())

    @invariant()
    def no_task_has_more_seats_taken_than_it_has(self) -> None:
        for number in range(self.job.tasks):
            task = read_task(self.world.table, self.job.name, number)
            taken = len(task.leases) + len(task.answers)
            assert taken <= self.job.workers or number in self.at_once
            assert set(task.answers) == {name for of, name in self.saved if of == number}

    @invariant()
    def the_queue_and_the_list_of_leases_hold_what_the_tasks_say(self) -> None:
        table, name = self.world.table, self.job.name
        tasks = list(all_tasks(table, name))
        queue = {entry.sort: entry.task for entry in read_queue(table, name, after="", limit=0)}
        assert queue == {task.queued: task.number for task in tasks if task.queued}
        waiting = {task.number for task in tasks if task.free_seats(self.job.workers)}
        assert set(queue.values()) == waiting
        leases = {(entry.task, entry.worker) for entry in read_lapsed(table, name, 9e10, limit=0)}
        assert leases == {(task.number, worker) for task in tasks for worker in task.leases}

    @invariant()
    def the_job_is_full_just_when_every_seat_is_answered(self) -> None:
        full = sum(self._answers()) == self.job.tasks * self.job.workers
        assert (self.world.again(self.job).status == FULL) == full

    def _answers(self) -> list[int]:
        """The answers of each task that count: as many as were asked at most."""
        each = Counter(task for task, _ in self.saved)
        return [min(each[task], self.job.workers) for task in range(self.job.tasks)]

    def teardown(self) -> None:
        """Fresh workers can finish whatever was left."""
        for number in range(self.job.workers):
            if self.world.again(self.job).status == OPEN:
                self.world.clock.wait(self.job.seconds + LEASE_GRACE + 1)
                self.world.open(tasks=self.job.tasks, workers=self.job.workers)
                self.world.work(self.job, f"fresh-{number}")
        assert self.world.again(self.job).status == FULL


AnyOrder.TestCase.settings = settings(
    max_examples=examples(25), stateful_step_count=30, deadline=None
)
TestAnyOrder = AnyOrder.TestCase
