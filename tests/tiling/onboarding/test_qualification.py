"""Pictures to qualify by: taken from the folder, copied under names that tell nothing, counted."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tessera.tiling.errors import SettingsInvalid
from tessera.tiling.manifest.source_rule import ANY_SOURCE, SourceRule
from tessera.tiling.onboarding.qualification import (
    Attempt,
    attempt_uri,
    copy_pictures,
    qualification_figures,
    read_standings,
    records_uri,
    with_qualification,
)
from tessera.tiling.settings import Settings, name_basis, settings_from
from tests.fakes import Files

FOLDER, HOME = "s3://inbox/pets/", "s3://labels/runs/pets-1/"
NAMES = [f"qualification/{'cat' if n % 2 else 'dog'}/{n}.jpg" for n in range(6)]
RECORDS = records_uri(HOME, "pets")


def settings(**keys: Any) -> Settings:
    """Make the settings of cats and dogs with these keys."""
    return settings_from({"labels": ["cat", "dog"]} | keys)


def inbox(names: list[str]) -> Files:
    """Make a folder of the inbox with these pictures, each another one."""
    files = Files()
    for name in names:
        files.put(FOLDER + name, name.encode())
    return files


def test_the_folder_of_a_label_names_the_label_and_nothing_changes_without_the_setting() -> None:
    files = inbox(NAMES)
    taken = with_qualification(settings(qualify=0.8), files, FOLDER)
    assert taken.qualification == {name: name.split("/")[1] for name in sorted(NAMES)}
    plain = settings()
    assert with_qualification(plain, files, FOLDER) is plain
    assert b"qualif" not in name_basis(plain)


REFUSED: list[tuple[list[str], dict[str, Any], str]] = [
    ([], {"qualify": 0.8}, "there are no pictures under qualification/"),
    (NAMES[:4], {"qualify": 0.8}, "fewer than the 5 needed"),
    ([*NAMES, "qualification/1.jpg"], {"qualify": 0.8}, "move it to qualification/LABEL/1.jpg"),
    ([*NAMES, "qualification/kat/1.jpg"], {"qualify": 0.8}, "did you mean 'cat'?"),
    (NAMES, {"qualify": 0}, "qualify"),
    (NAMES, {"qualify": 1.2}, "qualify: 1.2 is above 1"),
    (NAMES, {"qualify": "most"}, "qualify"),
    (NAMES, {"qualification": dict.fromkeys(NAMES, "cat")}, '"qualify": 0.8'),
    (
        NAMES,
        {
            "qualify": 0.8,
            "workforce": "arn:aws:sagemaker:us-east-1:123456789012:workteam/private-crowd/vets",
        },
        "only the portal tests workers",
    ),
    (NAMES, {"qualify": 0.8, "task": "custom"}, "a custom task has none of this"),
]


@pytest.mark.parametrize(("names", "keys", "reason"), REFUSED)
def test_what_cannot_be_used_is_refused_at_the_door(
    names: list[str], keys: dict[str, Any], reason: str
) -> None:
    with pytest.raises(SettingsInvalid, match=re.escape(reason)):
        with_qualification(settings(**keys), inbox(names), FOLDER)


def test_copies_have_names_of_their_content_and_an_order_that_tells_no_label() -> None:
    files = inbox(NAMES)
    run = with_qualification(settings(qualify=0.8), files, FOLDER)
    copies = copy_pictures(run, files, FOLDER, HOME, ANY_SOURCE)
    for copy in copies:
        assert re.fullmatch(rf"{HOME}qualification/[0-9a-f]{{32}}\.jpg", copy.source)
        original = files.get(copy.source).decode()
        assert copy.label == original.split("/")[1]
        assert files.content_types[copy.source] == "image/jpeg"
    assert len(copies) == len(NAMES)
    assert [copy.source for copy in copies] == sorted(copy.source for copy in copies)


def test_pictures_that_cannot_be_copied_are_told_all_at_once() -> None:
    files = inbox(NAMES)
    run = with_qualification(settings(qualify=0.8), files, FOLDER)
    files.put(FOLDER + NAMES[0], b"")
    files.delete(FOLDER + NAMES[1])
    files.put(FOLDER + NAMES[3], files.get(FOLDER + NAMES[2]))
    with pytest.raises(SettingsInvalid) as refusal:
        copy_pictures(run, files, FOLDER, HOME, ANY_SOURCE)
    problems = "\n".join(refusal.value.problems)
    assert problems.count("absent or empty") == 2
    assert "is the same picture as" in problems
    with pytest.raises(SettingsInvalid, match="another project's folder"):
        copy_pictures(run, files, FOLDER, HOME, SourceRule("inbox", "cars/", "labels", ()))


def test_projects_in_one_anothers_folders_have_records_of_their_own() -> None:
    files = Files()
    inner = records_uri(HOME, "pets/qualification/more")
    for records, worker, right in ((RECORDS, "ann", 9), (inner, "ben", 3)):
        attempt = Attempt(1.0, right, 10)
        files.put(attempt_uri(records, worker, 1), attempt.encode())
    files.put(f"{RECORDS}workers.json", b"{}")
    assert list(read_standings(files, RECORDS)) == ["ann"]
    assert qualification_figures(0.8, read_standings(files, inner))["passed"] == 0
