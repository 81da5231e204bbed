"""prepare_task: what Ground Truth asks before it shows a task."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from prepare_task import handler
from tessera.tiling.page.page_input import task_input

FUNCTIONS = Path(__file__).parents[2] / "functions"
IMAGES = [
    {"source-ref": "s3://pets/3.jpg", "index": 3},
    {"source-ref": "s3://pets/9.jpg", "index": 9, "prelabel": "cat", "prelabel-confidence": 0.9},
    {"source-ref": "s3://pets/11.jpg", "index": 11, "width": 640, "height": 480},
]


def request(source: object) -> dict[str, Any]:
    return {
        "version": "2018-10-16",
        "labelingJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:labeling-job/pets-r1-000",
        "dataObject": {"source": source},
    }


CONTEXT = SimpleNamespace(
    function_name="prepare_task",
    memory_limit_in_mb=128,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:prepare_task",
    aws_request_id="0",
)


@pytest.mark.parametrize("source", [json.dumps(IMAGES), IMAGES], ids=["as text", "as a list"])
def test_a_task_becomes_what_the_page_shows(source: object) -> None:
    assert handler(request(source), CONTEXT) == {
        "taskInput": {"images": IMAGES},
        "isHumanAnnotationRequired": True,
    }


def test_the_original_of_a_smaller_copy_comes_with_it_whatever_the_task_says() -> None:
    place = "pets/" + "0f" * 16 + "/tom.png"
    source = [
        {"source-ref": f"s3://inbox/pages-2048/{place}.jpg", "index": 3},
        {"source-ref": "s3://pets/9.jpg", "index": 9, "original-ref": "s3://labels/runs/x"},
    ]
    first, second = handler(request(source), CONTEXT)["taskInput"]["images"]
    assert first["original-ref"] == f"s3://inbox/images/{place}"
    assert "original-ref" not in second


def test_a_line_of_a_single_image_is_a_page_of_it() -> None:
    event = {"dataObject": {"source-ref": "s3://pets/3.jpg"}}
    assert handler(event, CONTEXT)["taskInput"] == {
        "images": [{"source-ref": "s3://pets/3.jpg", "index": 0}]
    }


def test_keys_that_the_page_does_not_know_stay_behind() -> None:
    source = [{"source-ref": "s3://pets/3.jpg", "index": 3, "gold": "cat"}]
    assert msgspec.to_builtins(task_input(source)) == {"images": IMAGES[:1]}


@pytest.mark.parametrize("source", ["no list", "[{}]", '[{"source-ref": "s3://a/b"}]'])
def test_a_task_that_is_not_ours_fails_loudly(source: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        handler(request(source), CONTEXT)


def test_importing_it_stays_light() -> None:
    code = "import sys, prepare_task; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], cwd=FUNCTIONS, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"boto3", "botocore.client", "aws_xray_sdk", "liquid", "numpy"} & set(modules)
