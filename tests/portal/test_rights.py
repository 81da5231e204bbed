"""Who may ask what."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tessera.portal import job_lifecycle, leases
from tessera.portal.site import REQUESTS_PER_MINUTE
from tessera.tiling.run.jobs import Surroundings, labeling_job_request
from tests.portal.world import HOME, World, answer_of
from tests.tiling.folder import settings

TEAMS = st.from_regex(r"\A[A-Za-z0-9_.:/=+@-]{1,128}\Z")


def test_a_job_of_a_team_is_seen_by_the_team_alone(world: World) -> None:
    job = world.open(tasks=3, team="cats")
    assert world.ask("GET", "/jobs", "ann")[1] == {"jobs": [], "broken": []}
    assert world.ask("POST", f"/jobs/{job.name}/claims", "ann")[0] == 404
    assert world.ask("POST", f"/jobs/{job.name}/claims", "ann", groups="[dogs cats-2]")[0] == 404
    assert len(world.ask("GET", "/jobs", "ben", groups="[dogs cats]")[1]["jobs"]) == 1
    assert world.ask("POST", f"/jobs/{job.name}/claims", "ben", groups="[dogs cats]")[0] == 200


@given(team=TEAMS, other=st.sampled_from(["", "vets", "cats"]))
def test_a_projects_team_alone_sees_the_jobs_that_its_settings_make(team: str, other: str) -> None:
    """The whole way of a setting: into the request's tags, through the index, to both workers."""
    world = World()
    tags = labeling_job_request(
        settings(team=team), Surroundings(), run="pets", home=HOME, round_=1, project="pets"
    )["Tags"]
    request = world.request(tasks=2) | {"Tags": tags}
    job = job_lifecycle.open_job(world.ports, request)
    job_lifecycle.open_job(world.ports, world.request(2, name="birds-1-r1-000"))
    of_others = {"birds-1-r1-000"}

    def listed(worker: str, groups: str) -> set[str]:
        return {each["job"] for each in world.ask("GET", "/jobs", worker, groups=groups)[1]["jobs"]}

    assert listed("ann", f"[{team}]") == {job.name} | of_others
    if other != team:
        assert listed("ben", f"[{other}]") == of_others
        assert world.ask("POST", f"/jobs/{job.name}/claims", "ben", groups=f"[{other}]")[0] == 404


def test_a_requester_watches_a_teams_job_and_works_on_it_as_a_member_alone(world: World) -> None:
    job = world.open(tasks=3, team="cats")
    for groups, member in (("[requesters]", False), ("[requesters cats]", True)):
        (listed,) = world.ask("GET", "/jobs", "req", groups=groups)[1]["jobs"]
        assert listed["member"] is member
        assert world.ask("GET", f"/jobs/{job.name}", "req", groups=groups)[0] == 200
        assert world.ask("GET", f"/jobs/{job.name}/tasks/0", "req", groups=groups)[0] == 200
        claimed = world.ask("POST", f"/jobs/{job.name}/claims", "req", groups=groups)
        assert claimed[0] == (200 if member else 404)


def test_a_removed_worker_is_out_at_once_and_their_pages_go_to_others(world: World) -> None:
    job = world.open(tasks=2, workers=1)
    kept = world.take(job, "ann")
    world.answer(job, "ann", kept)
    held = world.take(job, "ann")
    assert leases.block_worker(world.ports, "ann") == 1
    path = f"/jobs/{job.name}"
    assert world.ask("PUT", f"{path}/tasks/{held}/answer", "ann", answer_of(job, held))[0] == 403
    assert world.ask("POST", f"{path}/claims", "ann")[0] == 403
    assert world.ask("GET", "/jobs", "ann")[0] == 403
    assert world.take(job, "ben") == held
    assert list(world.stored(job)) == [(kept, "ann")]


def test_more_requests_than_a_person_makes_are_429_until_the_minute_is_over(world: World) -> None:
    assert {world.ask("GET", "/me")[0] for _ in range(REQUESTS_PER_MINUTE)} == {200}
    assert world.ask("GET", "/me")[0] == 429
    assert world.ask("GET", "/me", "ben")[0] == 200
    world.clock.wait(60)
    assert world.ask("GET", "/me")[0] == 200
