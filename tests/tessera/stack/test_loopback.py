"""A proxy that the environment names is not asked for this machine's own stack."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path

import pytest
from botocore.utils import get_environ_proxies
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessera.stack.local_stack import LocalStack
from tessera.stack.loopback import bypass_proxy

PROXY = "http://proxy.example.org:3128"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
VARIABLES = (*PROXIES, "no_proxy", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without a proxy, and put back what the functions under test have set."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.parametrize("bypassed", ["", "corp.example.org", "127.0.0.1", "a.b, .c ,", "*"])
@pytest.mark.parametrize("spelling", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize("name", PROXIES)
def test_this_machine_is_asked_directly_by_every_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, spelling: str, bypassed: str
) -> None:
    monkeypatch.setenv(name, PROXY)
    monkeypatch.setenv(spelling, bypassed)
    stack = LocalStack(tmp_path)
    assert urllib.request.proxy_bypass("127.0.0.1:4566")
    assert not get_environ_proxies(stack.endpoint)
    # Everybody else is asked through it, as before.
    elsewhere = urllib.request.proxy_bypass("pictures.example.com")
    assert bool(elsewhere) == (bypassed == "*")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.from_regex(r"\.?[a-z0-9-]{1,9}(\.[a-z]{2,3})?", fullmatch=True)))
def test_hosts_that_were_named_before_stay_named_and_twice_is_once(hosts: list[str]) -> None:
    os.environ["HTTP_PROXY"] = PROXY
    os.environ["no_proxy"] = ",".join(hosts)
    bypass_proxy()
    once = os.environ["no_proxy"]
    bypass_proxy()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == once
    assert once.split(",")[: len(hosts)] == hosts or not hosts


def test_without_a_proxy_the_environment_stays_as_it_is(tmp_path: Path) -> None:
    before = dict(os.environ)
    LocalStack(tmp_path)
    assert dict(os.environ) == before
