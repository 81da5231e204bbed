"""A run is found by its name."""

from __future__ import annotations

from typing import Any

import pytest

from tessera.exits import NotFound
from tessera.runs.folder import find_run


def test_a_run_is_found_by_the_beginning_of_its_name_and_the_newest_without(
    labels: Any, place: Any
) -> None:
    for name in ("pets-april-0123456789ab", "pets-may-0123456789ab"):
        labels.run(name, images=1, pictures=False)

    assert find_run(place.cloud, "pets-a").name == "pets-april-0123456789ab"
    with pytest.raises(NotFound, match="any of 2 runs"):
        find_run(place.cloud, "pets-")
    assert find_run(place.cloud, None).name.startswith("pets-")
