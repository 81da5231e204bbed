"""Names of runs, and requests for labeling jobs checked against the service's own model."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.run.job_names import job_name
from tessera.tiling.run.jobs import (
    Surroundings,
    label_categories,
    labeling_job_request,
    run_id,
)
from tessera.tiling.settings import Settings, read_settings
from tests.statemachine.service_model import problems

TEAM = "arn:aws:sagemaker:eu-west-1:123456789012:workteam/private-crowd/pets"
PUBLIC = "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default"
STACK = Surroundings(
    prepare_task="arn:aws:lambda:eu-west-1:123456789012:function:prepare",
    collect_answers="arn:aws:lambda:eu-west-1:123456789012:function:collect",
    labeling_role="arn:aws:iam::123456789012:role/labeling",
    kms_key="arn:aws:kms:eu-west-1:123456789012:key/1",
    public_price="0.036",
)


def settings(**keys: object) -> Settings:
    return read_settings(msgspec.json.encode({"labels": ["cat", "dog"]} | keys))


def request(settings: Settings, *, round_: int = 1, project: str = "pets") -> dict[str, Any]:
    """Return the request as the state machine sends it, with a job's name and its tasks."""
    made = labeling_job_request(
        settings,
        STACK,
        run="pets-may-0123456789ab",
        home="s3://labels/runs/pets-may-0123456789ab/",
        round_=round_,
        project=project,
    )
    source = {"S3DataSource": {"ManifestS3Uri": "s3://labels/runs/x/round-1/tasks-000.manifest"}}
    return made | {
        "LabelingJobName": job_name("pets-may-0123456789ab", round_, 0),
        "InputConfig": made["InputConfig"] | {"DataSource": source},
    }


@pytest.mark.parametrize("workforce", ["portal", TEAM])
@pytest.mark.parametrize("round_", [1, 2])
def test_a_request_is_whole_and_legal(workforce: str, round_: int) -> None:
    made = request(settings(workforce=workforce, answers_per_image=3), round_=round_)
    assert problems(made) == []
    task = made["HumanTaskConfig"]
    assert task["NumberOfHumanWorkersPerDataObject"] == (3 if round_ == 1 else 1)
    assert task["TaskAvailabilityLifetimeInSeconds"] == 10 * 86_400
    assert "PublicWorkforceTaskPrice" not in task


def test_the_public_team_has_a_price_a_shorter_time_and_the_classifiers() -> None:
    pii = "FreeOfPersonallyIdentifiableInformation"
    made = request(settings(workforce=PUBLIC, content_classifiers=[pii]))
    assert problems(made) == []
    task = made["HumanTaskConfig"]
    assert task["PublicWorkforceTaskPrice"] == {
        "AmountInUsd": {"Dollars": 0, "Cents": 3, "TenthFractionsOfACent": 6}
    }
    assert task["TaskAvailabilityLifetimeInSeconds"] == 43_200
    assert made["InputConfig"]["DataAttributes"] == {"ContentClassifiers": [pii]}


@pytest.mark.parametrize(
    ("keys", "conditions"),
    [
        ({}, None),
        ({"stop_after_pages": 500}, {"MaxHumanLabeledObjectCount": 500}),
        ({"stop_after_percent": 100}, {"MaxPercentageOfInputDatasetLabeled": 100}),
        (
            {"stop_after_pages": 1, "stop_after_percent": 1},
            {"MaxHumanLabeledObjectCount": 1, "MaxPercentageOfInputDatasetLabeled": 1},
        ),
    ],
)
def test_a_job_is_stopped_where_the_settings_say(
    keys: dict[str, int], conditions: dict[str, int] | None
) -> None:
    for round_ in (1, 2):
        made = request(settings(workforce=TEAM, **keys), round_=round_)
        assert problems(made) == []
        assert made.get("StoppingConditions") == conditions


@given(question=st.text(min_size=1, max_size=1000), project=st.text(max_size=400))
def test_no_question_and_no_folder_makes_a_request_illegal(question: str, project: str) -> None:
    assert problems(request(settings(question=question), project=project)) == []


text = st.text(st.characters(), max_size=200)


@given(key=text, etag=text, bucket=text, round_=st.integers(1, 9), shard=st.integers(0, 9999))
def test_names_are_legal_and_the_same_again_for_any_key(
    key: str, etag: str, bucket: str, round_: int, shard: int
) -> None:
    manifest = {"bucket": bucket, "key": key, "etag": etag}
    run = run_id(manifest, settings())
    assert run == run_id(manifest, settings())
    assert re.fullmatch(r"[a-z0-9](-*[a-z0-9]){0,39}", run)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", job_name(run, round_, shard))


def test_a_run_is_another_where_bucket_key_content_or_settings_are() -> None:
    first = {"bucket": "b", "key": "pets/may.manifest", "etag": '"1"', "version-id": "v1"}
    names = {
        run_id(manifest, chosen)
        for manifest in (
            first,
            first | {"bucket": "c"},
            first | {"key": "k"},
            first | {"etag": "2"},
        )
        for chosen in (settings(), settings(seed=1))
    }
    assert len(names) == 8
    assert run_id(first, settings()).startswith("pets-may-")


def test_an_object_without_an_etag_is_named_by_its_version_as_it_always_was() -> None:
    assert run_id({"bucket": "inbox", "key": "a/b", "version-id": "v7"}, settings()) == (
        "a-b-c6abfebd5fc9"
    )


def test_the_same_content_uploaded_again_is_the_same_run() -> None:
    first = {"bucket": "b", "key": "k", "etag": "1", "version-id": "v1"}
    assert run_id(first, settings()) == run_id(first | {"version-id": "v2"}, settings())


def test_the_label_category_file_is_what_the_page_shows() -> None:
    assert msgspec.json.decode(label_categories(settings())) == {
        "document-version": "2018-11-28",
        "labels": [{"label": "cat"}, {"label": "dog"}, {"label": "cannot see"}],
    }
