"""`tessera doctor` on the local stack: all facts are gathered, and a fresh stack is well."""

from __future__ import annotations

import pytest

from tessera.stack.checks import UNKNOWN, WRONG, check_all
from tessera.stack.facts import gather_facts
from tessera.stack.local_stack import LocalStack

pytestmark = pytest.mark.stack


def test_a_fresh_stack_has_nothing_wrong_and_no_fact_is_unknown(stack: LocalStack) -> None:
    findings = check_all(gather_facts(stack.cloud))

    bad = [finding for finding in findings if finding.state in (WRONG, UNKNOWN)]
    assert bad == []


def test_a_fact_that_goes_bad_is_found(stack: LocalStack) -> None:
    s3 = stack.cloud.client("s3")
    rules = s3.get_bucket_cors(Bucket="tessera-inbox")["CORSRules"]
    s3.delete_bucket_cors(Bucket="tessera-inbox")
    try:
        findings = check_all(gather_facts(stack.cloud))
    finally:
        s3.put_bucket_cors(Bucket="tessera-inbox", CORSConfiguration={"CORSRules": rules})

    (wrong,) = [finding for finding in findings if finding.state == WRONG]
    assert wrong.subject == "bucket tessera-inbox"
