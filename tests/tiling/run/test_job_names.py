"""Names of jobs: put together, and read back."""

from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.run.job_names import job_name, parse_job_name

run_names = st.from_regex(r"[a-z0-9](-*[a-z0-9]){0,39}", fullmatch=True)


@given(run=run_names, round_=st.integers(1, 99), shard=st.integers(0, 9999))
def test_a_job_name_is_parsed_into_what_it_was_made_of(run: str, round_: int, shard: int) -> None:
    assert parse_job_name(job_name(run, round_, shard)) == (run, round_, shard)


@given(st.text(max_size=60) | st.from_regex(r"[a-z]+-r\d{1,3}-\d{1,5}", fullmatch=True))
def test_what_parses_as_a_job_name_is_one(text: str) -> None:
    parsed = parse_job_name(text)
    assert parsed is None or job_name(*parsed) == text
