"""Offer pages first to those who are likely to be right: a queue of workers who come and go.

Prints a section of `benchmarks/adaptive.py`. Seats are given out by the portal's own claim code on
a table in memory; a simulated crowd comes and goes, and what somebody answers is what the same
person answered in the real crowd. A page has one image, since nobody in the public crowds saw the
same twenty; a person can take only what they answered there. Beside it stands what the same choice
comes to without a queue: for each seat some of those who can take it are free, whoever they are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.crowd_sets import Truth, images_of, mean_and_error, scores
from benchmarks.worker_memory import halves, remembered
from tessera.portal import job_lifecycle
from tessera.portal.claims import claim
from tessera.portal.records import Job, add_answer
from tessera.portal.store import Item, Key
from tessera.portal.table_layout import count_answered, read_task, task_changes
from tessera.tiling.consensus import Crowd, Evidence, Floats, consolidate
from tessera.tiling.grouping.first_offers import write_first_offers
from tessera.tiling.settings import Settings, settings_from
from tessera.tiling.workers.exclusions import Exclusions
from tessera.tiling.workers.first_offers import read_first_offers
from tessera.tiling.workers.skills import Skills, estimate_skills, remembered_skills
from tests.fakes import Table
from tests.portal.world import World

ABLE = 4
"""People who are there at a time and can take an image. On the portal all who are there can; here
an image has answers of ten people in most crowds, of whom so many are there."""
STAY = 300.0
"""Seconds that somebody stays, on average."""
SECONDS = 3.0
"""Seconds of an answer, on average: what an image takes on a page of twenty."""
LOOK_AGAIN = 20.0
"""Seconds until somebody for whom there is no page looks again."""
GAIN, MEMORY_GAIN = 0.05, 0.06
"""Expected gains above which a third answer is asked. Whoever is offered a page because they are
likely to be right leaves less doubt, and with memory the bound of 0.06 asks as many as 0.05."""
MOST = 3
LEAST_IMAGES, MOST_IMAGES = 100, 1000
"""Images of a crowd that a draw has, or the crowd is left out, and has at most: a queue of fifty
thousand would take hours."""


@dataclass(frozen=True, eq=False)
class Policy:
    """Way to ask: `share` of people who are offered a page first, and the answers of round 1.

    With `first` and memory, pages of the first round are offered so, too.
    """

    name: str
    offer_to: str = "anyone"
    memory: bool = False
    first: bool = False
    answers: int = 2
    most: int = MOST
    gain: float = GAIN


class Outcome(NamedTuple):
    """Figures of a run: scores, answers an image, waiting times and duration in minutes.

    `others` is the share of answers, of pages that were offered to some first, by anybody else.
    """

    accuracy: float
    answers: float
    waited: float
    longest: float
    minutes: float
    others: float


class Taken(NamedTuple):
    """Seat that somebody took: its task, the worker, the second, and whether it was offered."""

    task: int
    worker: int
    second: float
    offered: bool


class Index(Table):
    """Table that hands out its items themselves: half of a claim's time would be copies of them.

    The portal makes records of what it reads and never writes into it.
    """

    def get(self, *keys: Key) -> list[Item | None]:
        """Return the items at the keys."""
        return [self._items[key.partition].get(key.sort) for key in keys]

    def query(
        self, partition: str, *, after: str = "", before: str = "", limit: int = 0
    ) -> list[tuple[str, Item]]:
        """Return a partition's sort keys and items, ascending, strictly between the two bounds."""
        items = self._items[partition]
        sorts = sorted(items)
        sorts = sorts[bisect_right(sorts, after) if after else 0 :]
        sorts = sorts[: bisect_left(sorts, before) if before else None]
        return [(sort, items[sort]) for sort in sorts[: limit or None]]


class Queue:
    """People of a crowd who come and go, and take what the portal gives them."""

    def __init__(self, people: Sequence[int], present: int, seed: int) -> None:
        """Start with nobody there; `present` are there at a time, at most everybody."""
        self.chance = np.random.default_rng(seed)
        self.people = list(people)
        self.present = min(present, len(self.people))
        self.world = World(images=1, table=Index())
        self.rounds = 0

    def ask(
        self, seats: int, may: NDArray[np.bool_], settings: Settings, skills: Skills | None
    ) -> list[Taken]:
        """Let people answer; `may` (images x people) tells who may have which image."""
        self.rounds += 1
        job = self.open(self.rounds, seats, may, settings, skills)
        get, given = self.world.files.get, self.work(job)
        if not job.offers:
            return [Taken(*one, offered=True) for one in given]
        offers = read_first_offers(get(job.offers), len(may))
        reserved = {worker: offers.reserved([str(worker)]) for worker in self.people}
        return [
            Taken(task, worker, second, not (reserved[worker] and reserved[worker][task]))
            for task, worker, second in given
        ]

    def work(self, job: Job) -> list[tuple[int, int, float]]:
        """Let people work until the job is full; return task, worker and the second it was taken.

        Whoever leaves is followed by somebody else, at random.
        """
        clock, ports, begin = self.world.clock, self.world.ports, self.world.clock()
        given: list[tuple[int, int, float]] = []
        leaves: dict[int, float] = {}
        moves: list[tuple[float, int]] = []
        pending: dict[int, int] = {}
        for _ in range(self.present):
            self._arrive(begin, leaves, moves)
        answered = 0
        while answered < job.answers:
            now, worker = heappop(moves)
            clock.now = max(clock.now, now)
            if worker in pending:
                self._count_answer(job, str(worker), pending.pop(worker))
                answered += 1
            if now > leaves[worker]:
                del leaves[worker]
                self._arrive(now, leaves, moves)
                continue
            claimed = claim(ports, job, str(worker))
            if claimed is None:
                heappush(moves, (now + LOOK_AGAIN, worker))
                continue
            given.append((claimed.task, worker, now - begin))
            pending[worker] = claimed.task
            heappush(moves, (now + float(self.chance.exponential(SECONDS)), worker))
        return given

    def _count_answer(self, job: Job, worker: str, number: int) -> None:
        """Note an answer as the portal does; what it is does not matter to a claim."""
        table, now = self.world.table, self.world.clock()
        task = read_task(table, job.name, number)
        changes = task_changes(job, task, add_answer(task, worker, {}), now)
        assert table.write(*changes, count_answered(job, number))

    def _arrive(self, now: float, leaves: dict[int, float], moves: list[tuple[float, int]]) -> None:
        absent = [worker for worker in self.people if worker not in leaves]
        worker = int(self.chance.choice(absent))
        leaves[worker] = now + float(self.chance.exponential(STAY))
        heappush(moves, (now, worker))

    def open(
        self,
        round_: int,
        seats: int,
        may: NDArray[np.bool_],
        settings: Settings,
        skills: Skills | None,
    ) -> Job:
        """Open a job of a task for each image; `may` (images x people) tells who may have it."""
        home = f"s3://labels/runs/queue-{round_}"
        request = self.world.request(len(may), seats, name=f"queue-r{round_}-000", home=home)
        manifest = request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
        exclusions = Exclusions()
        for task, allowed in enumerate(may):
            exclusions.add(task, map(str, np.flatnonzero(~allowed).tolist()))
        exclusions.write(manifest, self.world.files.writer)
        if skills is not None and settings.offer_share:
            doubts = np.broadcast_to(skills.doubts, (len(may), skills.doubts.shape[1]))
            create = self.world.files.writer
            write_first_offers(manifest, create, settings, skills, doubts, exclusions)
        return job_lifecycle.open_job(self.world.ports, request, "token")


class Choice:
    """People of whom so many are free for each seat, at random, as the setting has in mind.

    That is two for the upper half, four for the best of four; the likeliest to be right answers.
    """

    def __init__(self, seed: int) -> None:
        """Start a choice of its own chance."""
        self.chance = np.random.default_rng(seed)

    def ask(
        self, seats: int, may: NDArray[np.bool_], settings: Settings, skills: Skills | None
    ) -> list[Taken]:
        """Choose who answers; `may` (images x people) tells who may have which image."""
        share = settings.offer_share if skills is not None else 0
        free, right = round(1 / share) if share else 1, np.zeros((may.shape[1], len(may)))
        if skills is not None and share:
            doubts = np.broadcast_to(skills.doubts, (len(may), skills.doubts.shape[1])).T
            right[:] = skills.anyone @ doubts
            right[[int(name) for name in skills.workers]] = skills.right @ doubts
        taken = []
        for task, allowed in enumerate(may):
            able = self.chance.permutation(np.flatnonzero(allowed)).tolist()
            for _ in range(min(seats, len(able))):
                best = max(able[:free], key=lambda worker: right[worker, task])
                able.remove(best)
                self.chance.shuffle(able)
                taken.append(Taken(task, best, 0.0, offered=True))
        return taken


def answers_of(known: Truth) -> NDArray[np.int64]:
    """Return what each person answered to each image (images x workers), -1 where nothing."""
    crowd = known.crowd
    table = np.full((crowd.images, crowd.workers), -1)
    table[crowd.image, crowd.worker] = crowd.label
    return table


def crowd_of(table: NDArray[np.int64], classes: int, given: Iterable[tuple[int, int]]) -> Crowd:
    """Return the answers of those who were given an image."""
    image, worker = np.array(list(given), np.int32).reshape(-1, 2).T
    label = table[image, worker].astype(np.int16)
    return Crowd(len(table), table.shape[1], classes, image, worker, label)


def queue_of(known: Truth, seed: int) -> Queue:
    """Return a crowd's queue, in which ABLE of those who answered an image are there on average."""
    people = np.unique(known.crowd.worker)
    present = round(ABLE * len(people) * known.crowd.images / len(known.crowd))
    return Queue(people.tolist(), present, seed)


def run(known: Truth, policy: Policy, earlier: Floats | None, people: Queue | Choice) -> Outcome:
    """Ask a crowd by a policy, round after round, and return what came of it."""
    table, classes = answers_of(known), known.crowd.classes
    evidence = Evidence(earlier=earlier if policy.memory else None)
    settings = settings_from({"labels": ["a", "b"], "offer_to": policy.offer_to})
    names = [str(worker) for worker in range(table.shape[1])]
    images, may = np.arange(len(table)), table >= 0
    # Some images have fewer answers than are asked: those get what they have.
    depth = np.minimum(may.sum(axis=1), policy.most)
    given: list[tuple[int, int]] = []
    waited: list[float] = []
    offered: list[bool] = []
    minutes = 0.0
    for round_ in range(1, policy.most - policy.answers + 2):
        seats = policy.answers if round_ == 1 else 1
        skills = None
        if round_ > 1:
            crowd = crowd_of(table, classes, given)
            consensus = consolidate(crowd, evidence=evidence, probabilities=True)
            images = np.flatnonzero((consensus.gain > policy.gain) & (depth > consensus.answers))
            skills = estimate_skills(consensus, crowd, names, images.tolist())
        elif policy.first and earlier is not None:
            skills = remembered_skills(names, earlier)
        if not len(images):
            break
        taken = people.ask(seats, may[images], settings, skills)
        for one in taken:
            given.append((int(images[one.task]), one.worker))
            may[images[one.task], one.worker] = False
            waited.append(one.second / 60)
        if skills is not None:
            offered += [one.offered for one in taken]
        minutes += max(one.second for one in taken) / 60
    crowd = crowd_of(table, classes, given)
    label = consolidate(crowd, evidence=evidence).label
    accuracy = scores(known.truth, label, None)["accuracy"]
    others = 1 - float(np.mean(offered)) if offered else 0.0
    return Outcome(
        accuracy, len(given) / len(table), float(np.mean(waited)), max(waited), minutes, others
    )


WHOLE = (
    Policy("two, then by gain"),
    Policy("… the third to the upper half first", "upper half"),
    Policy("… to the best of 4", "best of 4"),
)
"""Ways to ask a whole crowd, of which nothing is known before."""
LATER = (
    Policy("two for all, from anyone", answers=2, most=2),
    Policy("three for all, from anyone", answers=3),
    Policy(
        "memory, every page to the upper half first", "upper half", True, True, gain=MEMORY_GAIN
    ),
    Policy("memory, every page to the best of 4 first", "best of 4", True, True, gain=MEMORY_GAIN),
    Policy("memory, one answer, best of 4 first", "best of 4", True, True, answers=1, most=1),
)
"""Ways to ask the later half of a crowd; memory is of three answers to the earlier half."""


class Gate(NamedTuple):
    """A way, the one that it is compared with, and by how many points it must be better, if any.

    It is judged by what the queue comes to, or by the choice without one that it was set for.
    """

    way: Policy
    other: Policy
    points: float | None
    in_queue: bool = False


GATES = (
    Gate(WHOLE[1], WHOLE[0], None),
    Gate(WHOLE[2], WHOLE[0], 0.35),
    Gate(LATER[2], LATER[1], 0.5, in_queue=True),
    Gate(LATER[3], LATER[1], 0.6, in_queue=True),
    Gate(LATER[4], LATER[0], 1.5),
)
Measured = dict[str, dict[str, list[tuple[Outcome, Outcome]]]]
"""Outcomes by way and crowd, one a draw: from the queue, and chosen without one."""


def measure(sets: Sequence[Truth], draws: int) -> Measured:
    """Let every crowd work by every policy, so many times, a draw on each processor at a time.

    Of images with fewer answers than ABLE there is nobody to choose from: they are left out.
    """
    with_choice = [_with_choice(known) for known in sets]
    crowds = [known for known in with_choice if known.crowd.images >= LEAST_IMAGES]
    if small := [f"`{known.name}`" for known in with_choice if known.crowd.images < LEAST_IMAGES]:
        few = f"of less than {LEAST_IMAGES} images with {ABLE} answers"
        print(f"Pages offered first: without {', '.join(small)}, {few}.\n")
    outcomes: Measured = {policy.name: {} for policy in (*WHOLE, *LATER)}
    with ProcessPoolExecutor() as pool:
        for draw in pool.map(_draw, repeat(crowds), range(draws)):
            for way, crowd, pair in draw:
                outcomes[way].setdefault(crowd, []).append(pair)
    return outcomes


def _with_choice(known: Truth) -> Truth:
    """Return the crowd with the images alone that ABLE people or more have answered."""
    answers = np.bincount(known.crowd.image, minlength=known.crowd.images)
    return images_of(known, np.flatnonzero(answers >= ABLE))


def _draw(sets: Sequence[Truth], seed: int) -> list[tuple[str, str, tuple[Outcome, Outcome]]]:
    """Return what each policy and crowd came to in a draw."""
    outcomes = []
    chance = np.random.default_rng(seed)
    for known in sets:
        if known.crowd.images > MOST_IMAGES:
            images = np.sort(chance.choice(known.crowd.images, MOST_IMAGES, replace=False))
            known = images_of(known, images)
        earlier, later = halves(known, seed)
        memory = remembered(earlier, seed)
        for policy in (*WHOLE, *LATER):
            asked, learned = (known, None) if policy in WHOLE else (later, memory)
            pair = (
                run(asked, policy, learned, queue_of(asked, seed)),
                run(asked, policy, learned, Choice(seed)),
            )
            outcomes.append((policy.name, known.name, pair))
    return outcomes


def offers_section(measured: Measured) -> bool:
    """Print what each way comes to and its gates; return whether all are met."""
    if not measured[WHOLE[0].name]:
        print(f"No crowd has {LEAST_IMAGES} images with {ABLE} answers: nobody to choose from.\n")
        return True
    # crowds x (queue, chosen) x figures
    means = {
        name: np.array([np.mean(of_set, axis=0) for of_set in by_set.values()])
        for name, by_set in measured.items()
    }
    crowds = len(means[WHOLE[0].name])
    draws = len(next(iter(measured[WHOLE[0].name].values())))
    print(f"### Pages offered first: {crowds} crowds of images, {draws} draws\n")
    print(
        f"The portal's own claims; of those who can take an image {ABLE} are there at a time, and "
        f"each stays {STAY / 60:.0f} minutes. An image takes {SECONDS:.0f} seconds, and pages are "
        f"for anyone after ten minutes. A third answer is asked where the gain is above {GAIN}, "
        f"with memory {MEMORY_GAIN}: that asks no more. Waits and durations are in minutes of "
        "that simulated time. `By others` are the answers that came of people whom the page was "
        "not offered to first. Chosen without a queue, two or four of those who can take an image "
        "are free for each seat, and the likeliest to be right answers.\n"
    )
    print(
        "| way | answers an image | right labels | chosen without a queue | by others "
        "| mean wait | longest wait | all rounds |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, rows in means.items():
        right, answers, waited, longest, minutes, others = rows[:, 0].mean(axis=0)
        print(
            f"| {name} | {answers:.2f} | {right:.2f} % | {rows[:, 1, 0].mean():.2f} % "
            f"| {others:.0%} | {waited:.1f} | {longest:.1f} | {minutes:.1f} |"
        )
    return _print_gates(measured, means)


def _print_gates(measured: Measured, means: dict[str, NDArray[np.float64]]) -> bool:
    """Print how far ways are apart and whether that reaches their gates; return whether all do."""
    print(
        "\n`±` is the error over crowds, then that over draws. Memory with all pages is judged in "
        "the queue, the best of four for a third or a single answer as chosen without one.\n\n"
        "| way | must reach | in the queue | without one |\n|---|---|---|---|"
    )
    all_met = True
    for gate in GATES:
        by_crowd = (means[gate.way.name] - means[gate.other.name])[..., 0]
        apart, cells = _differences(measured, gate, by_crowd)
        judged = 0 if gate.in_queue else 1
        if gate.points is not None:
            met = apart[judged] >= gate.points
            all_met &= met
            cells[judged] += ": met" if met else ": **missed**"
        must = "" if gate.points is None else f"+{gate.points}"
        name = gate.way.name.removeprefix("… ")
        print(f"| {name}, against {gate.other.name} | {must} | {' | '.join(cells)} |")
    print()
    return all_met


def _differences(
    measured: Measured, gate: Gate, by_crowd: NDArray[np.float64]
) -> tuple[list[float], list[str]]:
    """Return the means in the queue and without one, and both with their errors, to be read."""
    mine, theirs = (
        np.array(list(measured[one.name].values()))[..., 0] for one in (gate.way, gate.other)
    )
    by_draw = (mine - theirs).mean(axis=0)
    means, cells = [], []
    for of_crowds, of_draws in zip(by_crowd.T.tolist(), by_draw.T.tolist(), strict=True):
        mean, error = mean_and_error(of_crowds)
        means.append(mean)
        cells.append(f"{mean:+.2f} ± {error:.2f} ± {mean_and_error(of_draws)[1]:.2f}")
    return means, cells
