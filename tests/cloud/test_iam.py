"""With IAM enforced the whole flow passes, and no grant is idle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from scripts.monitoring import FUNCTIONS
from tessera.aws.storage import split_uri
from tessera.cli import main
from tessera.stack.local_stack import INBOX, LocalStack, StackError, sam_cli
from tessera.tiling.estimate import page_seconds
from tessera.tiling.run.offsets import offsets_name
from tests.cloud import grants

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture(scope="module")
def enforcing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A local stack of its own, with IAM enforced and Tessera deployed to it."""
    try:
        sam_cli()
    except StackError as error:
        pytest.skip(str(error))
    with grants.enforcing(tmp_path_factory.mktemp("enforcing")) as stack:
        yield stack


def test_the_whole_flow_passes_with_iam_enforced(enforcing: LocalStack, tmp_path: Path) -> None:
    place = ("--home", str(enforcing.home), "--port", str(enforcing.port))
    done = CliRunner().invoke(main, [*place, "run", "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["labeled"] == 200
    assert (tmp_path / "training.manifest").read_bytes().count(b"\n") == 200
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert report["time"]["measured"] is True
    assert report["time"]["seconds_per_image"] == pytest.approx(page_seconds(20), rel=0.25)


RUNS_OWN = ("run.json", "round-1/gold.csv", "round-1/jobs/own/job.json", "page.liquid.html")


def test_a_page_that_names_what_is_no_picture_opens_nothing(enforcing: LocalStack) -> None:
    """Grouping would refuse such lines; whoever opens a job by hand gets no further."""
    world = grants.World(enforcing)
    grouped = world.grouped()
    home, storage = grouped["home"], world.cloud.storage
    storage.put(f"{home}round-1/gold.csv", b"index,label\n")
    storage.put(f"{home}round-1/jobs/own/job.json", b"{}")
    names = [f"s3://{INBOX}/grants/000.png", *(home + name for name in RUNS_OWN)]
    images = [{"source-ref": name, "index": index} for index, name in enumerate(names)]
    manifest = f"{home}round-1/tasks-000.manifest"
    storage.put(manifest, json.dumps({"source": json.dumps(images)}).encode())
    bucket, key = split_uri(offsets_name(manifest))
    world.cloud.client("s3").delete_object(Bucket=bucket, Key=key)
    request = world.request(grouped)
    world.invoke("open-job", {"request": request})

    claimed = world.http("POST", f"/jobs/{request['LabelingJobName']}/claims", {}, worker="ann")

    addresses = grants.pictures(grants.html_of(json.loads(claimed["body"])["page"]))
    statuses = {address.partition("?")[0]: grants.status(address) for address in addresses}
    assert len(statuses) == len(names)
    assert {name for name, status in statuses.items() if status == 200} == {
        name for name in statuses if name.endswith("/grants/000.png")
    }
    assert set(statuses.values()) == {200, 403}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("function", grants.EXERCISES)
def test_without_any_one_of_its_grants_a_function_fails(
    function: str, enforcing: LocalStack
) -> None:
    idle = [
        (grant.action, grant.resource)
        for grant, failed in grants.removals(grants.World(enforcing, function), function)
        if not failed and not grants.excuse(grant)
    ]
    assert idle == []


def test_every_function_that_has_grants_is_put_through_its_work() -> None:
    without_grants = {"prepare-task"}  # it reads and writes nothing
    assert set(grants.EXERCISES) == set(FUNCTIONS) - without_grants
