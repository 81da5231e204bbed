"""A drop asks no more people about an image than there are, and says so where it cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal.table_layout import put_standing
from tessera.runs.fitting import NUMBERS, Staff, fit_file, fit_labels
from tessera.stack.cloud import Cloud
from tessera.tiling.onboarding.qualification import Standing
from tessera.tiling.settings import read_settings
from tests.portal.test_qualification import RECORDS
from tests.portal.world import World

LABELS = {"labels": ["cat", "dog"]}


def settings_of(**numbers: Any) -> tuple[bytes, Any]:
    document = json.dumps(LABELS | numbers).encode()
    return document, read_settings(document)


def staff(count: int | None) -> Staff:
    return Staff(Cloud(options=("--port", "4700")), count)


numbers = st.fixed_dictionaries(
    {}, optional={"answers_per_image": st.integers(1, 5), "max_answers": st.integers(5, 9)}
)


@given(st.integers(0, 9), numbers)
def test_settings_fit_the_people_unless_somebody_wrote_the_numbers(
    count: int, own: dict[str, int]
) -> None:
    document, settings = settings_of(**own)
    fitted = staff(count).fit(document, settings)
    if fitted is None:
        written = any(name in own and getattr(settings, name) > count for name in NUMBERS)
        assert written or not count or count >= settings.max_answers
        return
    after = read_settings(fitted)
    assert after.max_answers <= count
    assert after.answers_per_image <= settings.answers_per_image
    assert staff(count).warnings(after) == ()
    before, changed = json.loads(document), json.loads(fitted)
    assert {name for name in changed if changed[name] != before.get(name)} <= set(NUMBERS)


@pytest.mark.parametrize(
    ("count", "warning"),
    [
        (0, "nobody may label this"),
        (1, "1 person may label this, but an image may need answers from 3 people"),
        (2, "2 people may label this"),
        (3, ""),
        (None, ""),
    ],
)
def test_a_warning_counts_people_and_names_commands_that_work(
    count: int | None, warning: str
) -> None:
    _, settings = settings_of()
    text = " ".join(staff(count).warnings(settings))
    assert warning in text
    assert bool(text) == bool(warning)
    assert ("tessera --port 4700 workers add EMAIL" in text) == bool(warning)
    assert ("max_answers to 2" in text) == (count == 2)


class Pool:
    """Pool of one person, or one that may not be looked into."""

    def __init__(self, *, open: bool) -> None:
        self.open = open

    def emails(self, group: str = "") -> Iterator[tuple[str, str]]:
        if not self.open:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListUsers")
        yield from () if group else (("ann", "ann@example.org"),)


@pytest.mark.parametrize(("open_pool", "count"), [(True, 1), (False, None)])
def test_people_are_counted_as_far_as_they_may_be_seen(open_pool: bool, count: int | None) -> None:
    cloud = SimpleNamespace(outputs={"WorkerPoolId": "pool"}, users=Pool(open=open_pool))
    assert Staff.of(cast(Cloud, cloud), settings_of()[1], "pets").count == count


@pytest.mark.parametrize(
    ("qualify", "attempts", "count", "failed"),
    [(None, 2, 1, 0), (0.8, 0, 1, 0), (0.8, 1, 1, 0), (0.8, 2, 0, 1), (0.5, 2, 1, 0)],
)
def test_who_failed_a_project_s_qualification_for_good_is_not_counted(
    qualify: float | None, attempts: int, count: int, failed: int
) -> None:
    world, own = World(), {} if qualify is None else {"qualify": qualify}
    standing = Standing(attempts, attempts, 6, 10, 1.0)
    world.table.write(put_standing(RECORDS, "ann", standing, None))
    cloud = SimpleNamespace(
        outputs={"WorkerPoolId": "pool"},
        labels_bucket="labels",
        users=Pool(open=True),
        ports=world.ports,
        command=lambda text: f"tessera {text}",
    )
    _, settings = settings_of(**own)
    staff = Staff.of(cast(Cloud, cloud), settings, "pets")
    assert (staff.count, staff.failed) == (count, failed)
    (warning,) = staff.warnings(settings)
    assert ("tessera workers requalify EMAIL --project pets" in warning) == bool(failed)
    assert Staff.of(cast(Cloud, cloud), settings, "other").count == 1


def test_a_file_is_written_after_a_yes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, settings = settings_of()
    file = tmp_path / "labeling.json"
    file.write_bytes(document)
    assert fit_file(staff(2), file, document, settings) == document  # a script's
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    for answer in (False, True):
        monkeypatch.setattr("click.confirm", lambda *_, answer=answer, **__: answer)
        fitted = fit_file(staff(2), file, document, settings)
        assert fitted == file.read_bytes()
        assert (fitted != document) == answer
    assert read_settings(file.read_bytes()).max_answers == 2


def test_labels_alone_get_numbers_that_fit() -> None:
    document, settings = settings_of()
    assert read_settings(fit_labels(staff(1), document, settings)).answers_per_image == 1
    assert fit_labels(staff(3), document, settings) == document
