"""Machines on a network of their own: namespaces of this one, with a cable between two.

Whoever may make none, or has no iproute2, is told so by a skip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def ip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], capture_output=True, text=True)


def configure(*commands: str) -> None:
    for command in commands:
        if failed := ip(*command.split()).stderr:
            pytest.skip(f"this machine connects no network namespaces: {failed.strip()}")


@contextmanager
def machine(name: str) -> Iterator[str]:
    """A network namespace with nothing in it."""
    if not shutil.which("ip"):
        pytest.skip("iproute2 is not installed")
    name = f"tessera-{name}-{os.getpid()}"
    if failed := ip("netns", "add", name).stderr:
        pytest.skip(f"this machine gives no network namespaces: {failed.strip()}")
    try:
        yield name
    finally:
        ip("netns", "del", name)  # and with it its end of the cable, thus the cable


def connect(near: str | None, near_address: str, far: str, far_address: str) -> None:
    """Lay a cable between two machines; `near` is this one if it is None."""
    ends = f"ts{os.getpid()}a", f"ts{os.getpid()}b"
    configure(f"link add {ends[0]} type veth peer name {ends[1]}")
    for name, end, address in ((near, ends[0], near_address), (far, ends[1], far_address)):
        inside = f"-n {name} " if name else ""
        if name:
            configure(f"link set {end} netns {name}", f"{inside}link set lo up")
        configure(f"{inside}addr add {address}/30 dev {end}", f"{inside}link set {end} up")


def within(name: str, *command: str) -> list[str]:
    """The command that runs another one on a machine."""
    return ["ip", "netns", "exec", name, *command]
