"""Where a picture is put says what it is: folder, content and name are read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.page.page_copy import copy_uri, original_uri
from tessera.tiling.picture_keys import (
    LONGEST_KEY,
    digest_in,
    is_picture_key,
    picture_uri,
    pictures_of,
)

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=60)
PATHS = st.lists(NAMES, min_size=1, max_size=20).map("/".join)


@given(project=PATHS, digest=st.integers(0, 2**128 - 1), name=PATHS, slash=st.booleans())
def test_a_picture_is_known_by_where_it_lies(
    project: str, digest: int, name: str, slash: bool
) -> None:
    folder = pictures_of("s3://inbox/" if slash else "s3://inbox", project)
    uri = picture_uri(folder, f"{digest:032x}", f"{name}.png")
    key = uri.removeprefix("s3://inbox/")

    assert digest_in(folder, uri) == f"{digest:032x}"
    assert is_picture_key(key)
    assert original_uri(copy_uri(uri)) == uri
    assert uri.endswith(f"/{name.rpartition('/')[2]}.png")
    if len(f"{project}{name}".encode()) < LONGEST_KEY - 50:
        assert uri.endswith(f"/{name}.png")
