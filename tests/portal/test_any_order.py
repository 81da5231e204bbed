"""Whatever workers do, in whatever order: seats are never given twice, and no answer is lost."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tessera.portal import job_lifecycle, leases
from tessera.portal.errors import Closed, Unknown
from tessera.portal.records import FULL, LEASE_GRACE, OPEN, Job
from tessera.portal.repair import repair
from tessera.portal.table_layout import (
    all_tasks,
    read_counts,
    read_lapsed,
    read_queue,
    read_task,
)
from tests.fakes import Table
from tests.portal.world import World

WORKERS = st.sampled_from(["ann", "ben", "cid", "dot"])


class AnyOrder(RuleBasedStateMachine):
    """Four workers at a small job, with time passing, faults and repairs between their moves."""

    world: World
    job: Job
    given: set[tuple[str, int]]
    saved: set[tuple[int, str]]

    @initialize(tasks=st.integers(1, 20), seats=st.integers(1, 3))
    def opened(self, tasks: int, seats: int) -> None:
        self.world = World()
        self.job = self.world.open(tasks=tasks, workers=seats)
        self.given, self.saved = set(), set()

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
        self.given = {(worker, task) for task, worker in self.saved}

    @rule()
    def is_stopped_and_opened_again(self) -> None:
        job_lifecycle.stop(self.world.ports, self.job.name)
        self.world.open(tasks=self.job.tasks, workers=self.job.workers)

    @invariant()
    def every_saved_answer_is_stored_and_counted(self) -> None:
        stored = set(self.world.stored(self.job))
        assert stored == self.saved
        assert read_counts(self.world.table, self.job).answered == len(stored)

    @invariant()
    def no_task_has_more_seats_taken_than_it_has(self) -> None:
        for number in range(self.job.tasks):
            task = read_task(self.world.table, self.job.name, number)
            assert len(task.leases) + len(task.answers) <= self.job.workers

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
        full = len(self.saved) == self.job.tasks * self.job.workers
        assert (self.world.again(self.job).status == FULL) == full

    def teardown(self) -> None:
        """Fresh workers can finish whatever was left."""
        for number in range(self.job.workers):
            if self.world.again(self.job).status == OPEN:
                self.world.clock.wait(self.job.seconds + LEASE_GRACE + 1)
                self.world.open(tasks=self.job.tasks, workers=self.job.workers)
                self.world.work(self.job, f"fresh-{number}")
        assert self.world.again(self.job).status == FULL


AnyOrder.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestAnyOrder = AnyOrder.TestCase
