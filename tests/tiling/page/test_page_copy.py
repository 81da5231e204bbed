"""The original of a page's smaller copy is found by its address, and leads nowhere else."""

from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.manifest.source_rule import SourceRule
from tessera.tiling.page.page_copy import COPIES, copy_uri, original_uri
from tessera.tiling.picture_keys import ORIGINALS

HASH = "0f" * 16
parts = st.text(min_size=1, max_size=8).filter(lambda text: text not in {".", ".."})
projects = st.sampled_from(["pets", "images", "pages-2048", "a/b", HASH]) | parts
names = st.builds("{}.{}".format, parts, st.sampled_from(["jpg", "JPEG", "png", "webp"]))


@given(project=projects, name=names, bucket=st.sampled_from(["inbox", "images"]))
def test_a_copy_leads_back_to_its_original(project: str, name: str, bucket: str) -> None:
    original = f"s3://{bucket}/{ORIGINALS}{project}/{HASH}/{name}"
    assert original_uri(copy_uri(original)) == original


@given(suffix=st.sampled_from(["tif", "heic", "gif", "bmp", "pdf"]))
def test_an_original_that_not_every_browser_shows_is_none(suffix: str) -> None:
    assert original_uri(copy_uri(f"s3://inbox/{ORIGINALS}pets/{HASH}/1.{suffix}")) == ""


segments = st.sampled_from([
    "images", "pages-2048", "pets", "cars", HASH, "runs", "..", ".", "", "1.png", "1.png.jpg"
])  # fmt: skip


@given(
    key=st.lists(segments, min_size=1, max_size=6).map("/".join),
    ending=st.sampled_from(["", "/1.png.jpg", f"/{HASH}/1.png.jpg"]),
    folder=st.sampled_from(["pets/", "cars/", "images/", "pages-2048/", ""]),
)
def test_what_a_manifest_may_name_has_an_original_that_it_may_name(
    key: str, ending: str, folder: str
) -> None:
    """Otherwise the address of a copy would have the portal sign another project's pictures."""
    rule = SourceRule("inbox", folder, "labels", ())
    for start in ("", COPIES):
        uri = f"s3://inbox/{start}{key}{ending}"
        original = original_uri(uri)
        assert rule.problem(uri) or not original or not rule.problem(original)
