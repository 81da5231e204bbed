"""Settings that change nothing on a manifest are told, and no others."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tessera.tiling.errors import NoUsableLine
from tessera.tiling.grouping.settings_effect import ALWAYS_EFFECTIVE, NEEDS, without_effect
from tessera.tiling.settings import Settings
from tests.tiling.folder import grouped, settings
from tests.tiling.manifests import CHOSEN, MANIFESTS

GROUND_TRUTH = "arn:aws:sagemaker:eu-west-1:123456789012:workteam/private-crowd/pets"
PUBLIC = "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default"
CLEAN = "FreeOfPersonallyIdentifiableInformation"


def lines(count: int, **first: object) -> bytes:
    """Images, of which the first has these keys, too."""
    records = [{"source-ref": f"s3://bkt/{number}.jpg"} for number in range(count)]
    records[0] |= first  # type: ignore[arg-type]  # keys of a line have values of any type
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def idle_settings(text: bytes, **chosen: Any) -> list[str]:
    made = settings(**chosen)
    return [notice.partition(":")[0] for notice in without_effect(made, grouped(text, made)[0])]


def test_every_setting_has_its_need_or_is_always_effective() -> None:
    names = {field.name for field in msgspec.structs.fields(Settings)}
    assert NEEDS.keys() | ALWAYS_EFFECTIVE == names
    assert not NEEDS.keys() & ALWAYS_EFFECTIVE


@pytest.mark.parametrize(
    ("chosen", "without", "with_"),
    [
        ({"order": "by-prelabel"}, {}, {"prelabel": "cat"}),
        ({"gold_per_task": 1}, {}, {"gold": "cat"}),
        ({"gold_per_task": 0}, {"gold": "cat"}, {}),
        ({"seed": 7, "gold_per_task": 1}, {}, {"gold": "cat"}),
    ],
)
def test_what_lines_lack_or_have_in_vain_is_idle_settings(
    chosen: dict[str, Any], without: dict[str, Any], with_: dict[str, Any]
) -> None:
    assert set(idle_settings(lines(30, **without), **chosen)) == chosen.keys()
    assert idle_settings(lines(30, **with_), **chosen) == []


@pytest.mark.parametrize(
    ("name", "idle", "effective"),
    [
        ("seed", {"seed": 7}, {"seed": 7, "order": "shuffle"}),
        ("gain", {"gain": 0.5, "max_answers": 2}, {"gain": 0.5}),
        ("offer_to", {"offer_to": "upper half", "max_answers": 2}, {"offer_to": "upper half"}),
        (
            "offer_minutes",
            {"offer_minutes": 60},
            {"offer_minutes": 60, "offer_to": "upper half"},
        ),
        (
            "remember_workers",
            {"remember_workers": True, "method": "majority"},
            {"remember_workers": True},
        ),
        (
            "offer_first_round",
            {"offer_first_round": True, "remember_workers": True},
            {"offer_first_round": True, "remember_workers": True, "offer_to": "best of 4"},
        ),
        (
            "content_classifiers",
            {"content_classifiers": [CLEAN]},
            {"content_classifiers": [CLEAN], "workforce": GROUND_TRUTH},
        ),
        (
            "job_days",
            {"job_days": 3, "workforce": PUBLIC, "content_classifiers": [CLEAN]},
            {"job_days": 3, "workforce": GROUND_TRUTH},
        ),
        (
            "stop_after_pages",
            {"stop_after_pages": 2, "workforce": GROUND_TRUTH},
            {"stop_after_pages": 1, "workforce": GROUND_TRUTH},
        ),
        (
            "stop_after_percent",
            {"stop_after_percent": 100, "workforce": GROUND_TRUTH},
            {"stop_after_percent": 99, "workforce": GROUND_TRUTH},
        ),
    ],
)
def test_what_other_settings_or_the_pages_leave_nothing_to_do_for_is_idle_settings(
    name: str, idle: dict[str, Any], effective: dict[str, Any]
) -> None:
    assert idle_settings(lines(30), **idle) == [name]
    assert idle_settings(lines(30), **effective) == []


def test_gold_lines_fewer_than_a_page_is_to_have_are_idle_settings() -> None:
    made = settings(gold_per_task=3)
    text = lines(30, gold="cat")
    (notice,) = without_effect(made, grouped(text, made)[0])
    assert notice.startswith("gold_per_task: 3 is 1 here")


def test_an_order_by_guesses_that_nobody_made_shuffles_pages_with_gold_images() -> None:
    for gold, effect in ((0, "has no effect"), (1, "only shuffles each page")):
        made = settings(order="by-prelabel", gold_per_task=gold)
        (notice,) = without_effect(
            made, grouped(lines(30, **{"gold": "cat"} if gold else {}), made)[0]
        )
        assert notice.startswith(f"order: by-prelabel {effect}, because no image that is asked has")


def test_a_manifest_that_asks_nothing_is_told_as_such_alone() -> None:
    assert idle_settings(b'{"source-ref": "s3://bkt/k", "label": 0}\n', gold_per_task=1) == []


def test_a_label_or_a_key_of_another_level_is_no_known_label() -> None:
    nested = b'{"source-ref": "s3://bkt/1.jpg", "from": {"gold": "cat"}}\n'
    assert idle_settings(nested) == []
    assert idle_settings(lines(3, prelabel="gold"), labels=["gold", "tin"]) == []


@pytest.mark.thorough
@example(text=lines(3, gold="cat"), chosen=settings(images_per_task=2, order="by-prelabel"), gold=1)
@given(text=MANIFESTS, chosen=CHOSEN, gold=st.integers(0, 2))
def test_a_setting_that_is_said_to_do_nothing_can_be_left_out_without_a_change(
    text: bytes, chosen: Settings, gold: int
) -> None:
    """The tasks are the same bytes with the setting at its default."""
    per_task = min(gold, chosen.images_per_task - 1)
    chosen = msgspec.structs.replace(chosen, gold_per_task=per_task)
    try:
        summary, folder = grouped(text, chosen, 300)
    except NoUsableLine:
        return
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    notices = without_effect(chosen, summary)
    assert all(re.match(r"[a-z_]+: .*; ", notice) for notice in notices)
    for name in (notice.partition(":")[0] for notice in notices if "has no effect" in notice):
        # Without guesses this order is that of the manifest.
        default = "as-given" if name == "order" else defaults[name]
        plain = msgspec.structs.replace(chosen, **{name: default})
        assert grouped(text, plain, 300)[1].files == folder.files
