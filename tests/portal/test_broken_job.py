"""One job of which something is missing or garbled: every list and every other job goes on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, expect

from tessera.portal import job_lifecycle, leases
from tessera.portal.ports import Ports
from tessera.portal.records import EXPIRED, OPEN, Job
from tessera.portal.reviews import Entry, Review, open_review
from tessera.portal.store import Change, Key
from tessera.portal.table_layout import review_key
from tests.browse import browse
from tests.fakes import Files
from tests.portal.in_browser import Network, sign_in
from tests.portal.world import HOME, World

GARBLED_FILES = [None, b"", b"\xff\xfe\x00", b"{", b"[]", b"7", b'{"ann": [5]}', b'{"ann": [9, 2]}']
GARBLED_VALUES: list[Any] = [None, "", "odd", -1, 3.5, [], ["x"], {}, {"a": 1}]


@dataclass
class Reporting(World):
    """Portal that keeps what its operators are told of jobs."""

    reports: set[str] = field(default_factory=set)

    @property
    def ports(self) -> Ports:
        """Ports whose reports are kept."""
        return replace(super().ports, report=lambda job, error: self.reports.add(job))

    def keys_of(self, job: Job) -> list[Key]:
        """Return the keys of all that the index holds of a job."""
        names = sorted(self.table._items)
        own = [name for name in names if f"{name}#".startswith(f"job#{job.name}#")]
        return [Key(name, sort) for name in own for sort, _ in self.table.query(name)]


def two_jobs() -> tuple[Reporting, Job, Job]:
    """Return a portal with a later round and with a job of another run, ann and ben at both."""
    world = Reporting()
    elsewhere = world.request(tasks=6, name="cats-1-r1-000", home=f"{HOME}-cats")
    sound = job_lifecycle.open_job(world.ports, elsewhere, "waits")
    later = world.open_later_round(6, {0: ["ann"], 3: ["ben"]}, workers=2)
    for worker in ("ann", "ben"):
        world.answer(later, worker, world.take(later, worker))
        for job in (later, sound):
            world.take(job, worker)
    # Another process goes on, which has read nothing yet.
    objects, world.files = world.files.objects, Files()
    world.files.objects = objects
    return world, later, sound


def expect_the_other_to_go_on(world: Reporting, broken: Job, sound: Job) -> None:
    """Ask for the lists, work at the sound job, remove somebody, and let the job's time end."""
    for worker, groups in (("ann", "[]"), ("dot", "[requesters]")):
        status, listed = world.ask("GET", "/jobs", worker, groups=groups)
        assert status == 200
        assert sound.name in {entry["job"] for entry in listed["jobs"]}
        assert set(listed["broken"]) <= world.reports <= {broken.name}
    assert world.answer(sound, "ann", world.take(sound, "ann")) == "saved"
    assert leases.block_worker(world.ports, "ben") >= 1
    world.clock.wait(sound.lifetime)
    assert sound.name in {job.name for job in job_lifecycle.close_due_jobs(world.ports)}
    assert world.again(sound).status == EXPIRED
    assert "waits" in {token for token, _ in world.resumed}


@given(st.data())
def test_a_missing_or_garbled_file_of_one_job_breaks_no_list_and_no_other_job(
    data: st.DataObject,
) -> None:
    world, broken, sound = two_jobs()
    uri = data.draw(st.sampled_from([*world.files.list_uris(f"{HOME}/")]), label="file")
    content = data.draw(st.sampled_from(GARBLED_FILES), label="content")
    if content is None:
        del world.files.objects[uri]
    else:
        world.files.put(uri, content)
    expect_the_other_to_go_on(world, broken, sound)


@given(st.data())
def test_a_missing_or_garbled_item_of_one_job_breaks_no_list_and_no_other_job(
    data: st.DataObject,
) -> None:
    world, broken, sound = two_jobs()
    key = data.draw(st.sampled_from(world.keys_of(broken)), label="item")
    (item,) = world.table.get(key)
    attribute = data.draw(st.sampled_from(sorted(item)), label="attribute")
    value = data.draw(st.sampled_from(GARBLED_VALUES), label="value")
    change = data.draw(
        st.sampled_from(
            [
                Change("delete", key),
                Change("put", key, {attribute: value}),
                Change("put", key, item | {attribute: value}),
                Change("put", key, {name: item[name] for name in item if name != attribute}),
            ]
        ),
        label="change",
    )
    world.table.write(change)
    expect_the_other_to_go_on(world, broken, sound)


def test_a_job_that_cannot_be_read_is_named_to_its_workers_and_to_operators() -> None:
    world, broken, sound = two_jobs()
    del world.files.objects[broken.exclusions]
    status, listed = world.ask("GET", "/jobs", "eve")
    assert (status, listed["broken"]) == (200, [broken.name])
    assert [entry["job"] for entry in listed["jobs"]] == [sound.name]
    assert world.reports == {broken.name}


@pytest.mark.browser
def test_the_page_names_a_job_that_cannot_be_read_and_offers_the_others() -> None:
    world, broken, sound = two_jobs()
    del world.files.objects[broken.exclusions]
    network = Network(world)

    def scenario(browser: Browser) -> None:
        page = network.open(browser)
        sign_in(page, "eve@example.org")
        expect(page.locator("#jobs .broken")).to_contain_text(broken.name)
        expect(page.locator(f"#jobs li button[href='#job/{sound.name}']")).to_be_visible()
        expect(page.locator("#jobs .none")).to_be_hidden()
        expect(page.locator("#jobs .coming")).to_be_hidden()

    browse(scenario)


def test_a_job_whose_own_record_is_garbled_is_named_to_requesters_alone() -> None:
    world, broken, _ = two_jobs()
    world.table.write(Change("put", Key(f"job#{broken.name}", "job"), {"odd": 1}))
    assert world.ask("GET", "/jobs", "eve")[1]["broken"] == []
    assert world.ask("GET", "/jobs", "eve", groups="[requesters]")[1]["broken"] == [broken.name]


@given(st.sampled_from(GARBLED_FILES))
def test_a_repair_brings_back_who_may_have_which_task(content: bytes | None) -> None:
    world, broken, _ = two_jobs()
    before = world.files.get(broken.exclusions)
    del world.files.objects[broken.exclusions]
    if content is not None:
        world.files.put(broken.exclusions, content)
    job_lifecycle.restore(world.ports, broken.record)
    if content not in {b"{}"}:
        assert world.files.get(broken.exclusions) == before


def test_a_repair_brings_back_a_job_whose_record_in_the_index_is_garbled() -> None:
    world, broken, _ = two_jobs()
    before = world.stored(broken)
    world.table.write(Change("put", Key(f"job#{broken.name}", "job"), {"odd": 1}))
    restored = job_lifecycle.restore(world.ports, broken.record)
    assert (restored.status, restored.exclusions) == (OPEN, broken.exclusions)
    assert world.stored(broken) == before
    assert world.ask("GET", "/jobs", "eve")[1]["broken"] == []


@given(
    attribute=st.sampled_from(sorted(Entry.__struct_fields__)),
    value=st.sampled_from(GARBLED_VALUES),
)
def test_a_review_whose_entry_is_garbled_keeps_no_other_off_the_list(
    attribute: str, value: Any
) -> None:
    world = Reporting()
    for run in ("cats-1", "pets-1"):
        review = Review(
            run=run, home=f"s3://labels/{run}/", title="?", question="?", choices=("cat", "dog")
        )
        open_review(world.ports, review)
    (item,) = world.table.get(review_key("pets-1"))
    world.table.write(Change("put", review_key("pets-1"), item | {attribute: value}))
    status, listed = world.ask("GET", "/reviews", "rita", groups="[reviewers]")
    assert status == 200
    assert "cats-1" in {entry["run"] for entry in listed["reviews"]}
    assert len(listed["reviews"]) + len(world.reports) == 2 or attribute == "team"
