"""Requests to this machine go to this machine, whatever proxy its environment names."""

from __future__ import annotations

import os

OWN_HOSTS = ("127.0.0.1", "localhost")
"""Names by which the local stack is asked."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
BYPASS = "no_proxy"
"""Variable that names the hosts that no proxy is asked for. urllib, botocore and the SAM CLI read
it, some of them in capitals and some in small letters."""


def bypass_proxy() -> None:
    """Have no program that starts from here ask a proxy for this machine's own stack.

    The variables are left alone where no proxy is set: on macOS, `no_proxy` alone would hide the
    proxies of the system's settings from requests that need one.
    """
    if not any(os.environ.get(name) or os.environ.get(name.upper()) for name in PROXIES):
        return
    named = os.environ.get(BYPASS) or os.environ.get(BYPASS.upper()) or ""
    hosts = [host for host in map(str.strip, named.split(",")) if host]
    if "*" in hosts:
        return
    hosts += [host for host in OWN_HOSTS if host not in hosts]
    os.environ[BYPASS] = os.environ[BYPASS.upper()] = ",".join(hosts)
