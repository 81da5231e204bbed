"""Nobody who has not qualified is dealt a page, and nobody is shown which label is right."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal import job_lifecycle
from tessera.portal.errors import Invalid
from tessera.portal.qualification import begin_anew
from tessera.portal.records import Job
from tessera.portal.routes import ROUTES
from tessera.portal.store import Change
from tessera.portal.table_layout import read_standing, standing_key
from tessera.tiling.onboarding.qualification import (
    RETRY_SECONDS,
    Attempt,
    KnownPicture,
    QualificationFile,
    Standing,
    attempt_uri,
    needed,
    qualification_name,
    read_standings,
    standing_of,
)
from tests.portal.world import HOME, World, path_of

RECORDS = "s3://labels/projects/pets/qualification/"
PICTURES = tuple(
    KnownPicture(f"{HOME}/qualification/{n:032x}.jpg", "cat" if n % 3 else "dog") for n in range(10)
)
LABELS = {f"qualification-{n}": picture.label for n, picture in enumerate(PICTURES)}


def open_with_qualification(
    world: World, share: float = 0.8, name: str = "pets-1-r1-000", home: str = HOME, tasks: int = 3
) -> Job:
    """Open a job whose workers must have so many of ten pictures right."""
    file = QualificationFile(RECORDS, PICTURES)
    uri = qualification_name(f"{home}/round-1/tasks-000.manifest")
    world.files.put(uri, file.encode())
    tags = {"tessera:qualify": repr(share)}
    request = world.request(tasks, 2, name, home, **tags)
    return job_lifecycle.open_job(world.ports, request, f"token {name}")


def tagged(world: World, share: str, **tags: str) -> Any:
    """Make a request whose tag says so."""
    return world.request(1, 2, "pets-1-r1-000", HOME, **{"tessera:qualify": share}, **tags)


def answers(right: int) -> dict[str, Any]:
    """Answer ten pictures, so many of them as known."""
    other = {"cat": "dog", "dog": "cat"}
    chosen = {
        name: label if at < right else other[label]
        for at, (name, label) in enumerate(LABELS.items())
    }
    return {
        name: {choice: choice == label for choice in ("cat", "dog", "cannot see")}
        for name, label in chosen.items()
    }


def qualify(world: World, job: Job, right: int, worker: str = "ann") -> tuple[int, Any]:
    """Try to qualify with so many pictures right."""
    return world.ask("POST", f"/jobs/{job.name}/qualification", worker, answers(right))


def claim(world: World, job: Job, worker: str = "ann") -> int:
    """Ask for a page, and return the status."""
    return world.ask("POST", f"/jobs/{job.name}/claims", worker)[0]


def test_who_has_not_passed_is_told_and_who_has_gets_pages(world: World) -> None:
    job = open_with_qualification(world)
    status, content = world.ask("POST", f"/jobs/{job.name}/claims")
    assert (status, content["error"]) == (409, "Unqualified")
    (summary,) = world.ask("GET", "/jobs")[1]["jobs"]
    assert summary["qualification"]["pictures"] == 10
    status, content = qualify(world, job, 8)
    assert (status, content["passed"], content["right"], content["needed"]) == (200, True, 8, 8)
    assert claim(world, job) == 200
    assert "qualification" not in world.ask("GET", "/jobs")[1]["jobs"][0]
    assert qualify(world, job, 10)[0] == 409  # passed: nothing more is recorded


def test_who_fails_may_try_once_more_a_day_later_and_then_when_a_requester_lets_them(
    world: World,
) -> None:
    job = open_with_qualification(world)
    status, content = qualify(world, job, 7)
    assert (status, content["passed"], content["again"]) == (200, False, world.clock.now + 86_400)
    assert qualify(world, job, 10)[0] == 409
    assert world.ask("GET", f"/jobs/{job.name}/qualification")[0] == 409
    world.clock.wait(RETRY_SECONDS)
    assert world.ask("GET", f"/jobs/{job.name}/qualification")[0] == 200
    content = qualify(world, job, 5)[1]
    assert (content["passed"], content["attempts"], content["again"]) == (False, 2, None)
    assert content["right"] == 7  # the best one counts
    world.clock.wait(RETRY_SECONDS)
    assert qualify(world, job, 10)[0] == 409
    assert claim(world, job) == 409


def test_passing_once_suffices_for_the_project_and_a_higher_share_asks_for_more(
    world: World,
) -> None:
    job = open_with_qualification(world)
    assert qualify(world, job, 8)[1]["passed"]
    later = open_with_qualification(world, 0.8, "pets-2-r1-000", f"{HOME}b")
    assert claim(world, later) == 200
    stricter = open_with_qualification(world, 0.9, "pets-3-r1-000", f"{HOME}c")
    assert claim(world, stricter) == 409


def test_a_rebuilt_table_knows_who_passed_and_who_failed(world: World) -> None:
    job = open_with_qualification(world)
    qualify(world, job, 9, "ann")
    qualify(world, job, 2, "ben")
    keys = [standing_key(RECORDS, worker) for worker in ("ann", "ben")]
    world.table.write(*(Change("delete", key) for key in keys))
    assert claim(world, job, "ann") == 200
    assert claim(world, job, "ben") == 409
    assert qualify(world, job, 10, "ben")[0] == 409
    assert [item is not None for item in world.table.get(*keys)] == [True, True]


def test_an_answer_that_was_sent_twice_or_at_the_same_moment_is_one_attempt(world: World) -> None:
    job = open_with_qualification(world)
    first = qualify(world, job, 3)
    assert qualify(world, job, 3) == first
    with ThreadPoolExecutor(8) as senders:
        statuses = list(senders.map(lambda right: qualify(world, job, right, "ben")[0], range(8)))
    assert statuses.count(200) == 1
    records = [uri for uri in world.files.objects if uri.startswith(RECORDS)]
    assert len(records) == 2


def test_pictures_that_did_not_load_make_no_attempt_and_no_easier_one(world: World) -> None:
    job = open_with_qualification(world)
    body = answers(10)
    for name in list(body)[1:]:
        body[name] = dict.fromkeys(("cat", "dog", "cannot see"), False)
    log = {"tiles": [{"id": name, "load": "error"} for name in list(body)[1:]]}
    status, content = world.ask(
        "POST", f"/jobs/{job.name}/qualification", "ann", body | {"meta": json.dumps(log)}
    )
    assert status == 400
    assert "did not count" in content["message"]
    assert qualify(world, job, 10)[1]["passed"]


@pytest.mark.parametrize("body", [{}, [], "no", {"qualification-0": {"cat": True}}, {"x": {}}])
def test_an_answer_that_makes_no_sense_is_no_attempt(world: World, body: Any) -> None:
    job = open_with_qualification(world)
    assert world.ask("POST", f"/jobs/{job.name}/qualification", "ann", body)[0] == 400
    assert not [uri for uri in world.files.objects if uri.startswith(RECORDS)]


def test_no_route_tells_a_label_and_no_address_tells_a_folder(world: World) -> None:
    """The page is the same whatever the labels are, for workers and requesters alike."""
    seen = []
    for swapped in (False, True):
        world = World()
        job = open_with_qualification(world)
        if swapped:
            labels = {"cat": "dog", "dog": "cat"}
            pictures = tuple(KnownPicture(each.source, labels[each.label]) for each in PICTURES)
            uri = qualification_name(f"{HOME}/round-1/tasks-000.manifest")
            # Another object, for what was read of the first is kept.
            world.files.objects[uri] = QualificationFile(RECORDS, pictures).encode()
        contents = []
        for groups in ("[]", "[requesters]"):
            for route in ROUTES:
                if route.method == "GET":
                    contents.append(world.ask("GET", path_of(route), groups=groups))
        contents.append(qualify(world, job, 0)[1].keys())
        seen.append(repr(contents))
    assert seen[0] == seen[1]
    assert "qualification-3" in seen[0]


def test_a_requester_sees_the_page_and_the_counts_and_is_not_let_off_the_test(world: World) -> None:
    job = open_with_qualification(world)
    qualify(world, job, 9, "ann")
    qualify(world, job, 2, "ben")
    path, groups = f"/jobs/{job.name}", "[requesters]"
    assert world.ask("GET", f"{path}/qualification", "eve", groups=groups)[0] == 200
    assert world.ask("GET", f"{path}/tasks/0", "eve", groups=groups)[0] == 200
    assert world.ask("POST", f"{path}/claims", "eve", groups=groups)[0] == 409
    figures = world.ask("GET", path, "eve", groups=groups)[1]["qualification"]
    assert figures == {"needed": 0.8, "tried": 2, "passed": 1, "not_passed": ["ben"]}
    assert read_standings(world.files, RECORDS)["ann"].right == 9


def test_a_requester_lets_a_worker_begin_anew_and_who_passed_must_pass_again(world: World) -> None:
    assert not begin_anew(world.ports, RECORDS, "ann")
    for number, right in ((1, 9), (2, 1)):
        attempt = Attempt(float(number), right, 10)
        world.files.put(attempt_uri(RECORDS, "ann", number), attempt.encode())
    assert begin_anew(world.ports, RECORDS, "ann")
    standing = read_standing(world.table, RECORDS, "ann")
    assert standing == Standing(records=3)
    assert standing.next_attempt == 0.0
    assert not begin_anew(world.ports, RECORDS, "ann")


def test_another_teams_job_has_no_qualification_to_be_seen(world: World) -> None:
    world.files.put(
        qualification_name(f"{HOME}/round-1/tasks-000.manifest"),
        QualificationFile(RECORDS, PICTURES).encode(),
    )
    request = tagged(world, "0.8", team="vets")
    job = job_lifecycle.open_job(world.ports, request, "token")
    assert world.ask("GET", f"/jobs/{job.name}/qualification")[0] == 404
    assert qualify(world, job, 10)[0] == 404


@pytest.mark.parametrize("tag", ["x", "-1", "1.5", "nan", "0", "inf"])
def test_a_share_that_cannot_be_read_opens_no_job_for_everybody(world: World, tag: str) -> None:
    with pytest.raises(Invalid, match="qualify"):
        job_lifecycle.open_job(world.ports, tagged(world, tag), "token")


def test_a_job_that_wants_a_test_which_is_not_there_is_not_opened(world: World) -> None:
    with pytest.raises(Invalid, match=r"tasks-qualification\.json"):
        job_lifecycle.open_job(world.ports, tagged(world, "0.8"), "token")


def test_without_the_setting_nobody_is_tested(world: World) -> None:
    job = world.open(tasks=1)
    assert world.ask("GET", f"/jobs/{job.name}/qualification")[0] == 404
    assert world.ask("POST", f"/jobs/{job.name}/qualification", body=answers(10))[0] == 404
    assert claim(world, job) == 200
    progress = world.ask("GET", f"/jobs/{job.name}", groups="[requesters]")[1]
    assert "qualification" not in progress


@pytest.mark.thorough
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ann", "ben"]),
            st.sampled_from(["claim", "list", "look", "qualify", "wait", "lose"]),
            st.integers(0, 10),
        ),
        max_size=16,
    )
)
def test_nobody_is_ever_dealt_a_page_before_they_passed(
    moves: list[tuple[str, str, int]],
) -> None:
    world = World()
    job = open_with_qualification(world, tasks=40)
    passed, tried = set[str](), dict.fromkeys(("ann", "ben"), 0)
    may_try = dict.fromkeys(("ann", "ben"), 0.0)
    for worker, move, number in moves:
        if move == "claim":
            assert (claim(world, job, worker) == 200) == (worker in passed)
        elif move == "list":
            (summary,) = world.ask("GET", "/jobs", worker)[1]["jobs"]
            assert ("qualification" not in summary) == (worker in passed)
        elif move == "look":
            world.ask("GET", f"/jobs/{job.name}/qualification", worker)
        elif move == "wait":
            world.clock.wait(number * 3600)
        elif move == "lose":
            world.table.write(Change("delete", standing_key(RECORDS, worker)))
        elif worker not in passed and tried[worker] < 2 and world.clock.now >= may_try[worker]:
            assert qualify(world, job, number, worker)[1]["passed"] == (number >= 8)
            tried[worker] += 1
            may_try[worker] = world.clock.now + RETRY_SECONDS
            passed |= {worker} if number >= 8 else set()
        else:
            qualify(world, job, number, worker)  # refused, or the same once more: counts nothing


@given(st.lists(st.builds(Attempt, at=st.floats(0, 9), right=st.integers(0, 9), pictures=st.just(9),
                          anew=st.booleans()), max_size=12))  # fmt: skip
def test_a_standing_is_the_best_since_the_last_beginning(records: list[Attempt]) -> None:
    since = next((n for n in range(len(records), 0, -1) if records[n - 1].anew), 0)
    standing = standing_of(records)
    assert standing.records == len(records)
    assert standing.attempts == len(records) - since
    assert standing.right == max((each.right for each in records[since:]), default=0)


@given(st.integers(1, 100), st.integers(5, 20))
def test_a_share_asks_for_as_many_as_it_says(percent: int, pictures: int) -> None:
    least = needed(percent / 100, pictures)
    assert least * 100 >= percent * pictures > (least - 1) * 100
    assert Standing(1, 1, least, pictures).passes(percent / 100)
