"""A stack that is open to containers listens in their networks and nowhere else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from tessera.stack.guard import address_in

PROGRAM = """
import json, subprocess, sys
from pathlib import Path
from tessera.commands.up import opened
from tessera.stack.local_stack import LocalStack

for command in ("link set lo up", "link add docker9 type veth peer name lan",
                "addr add 172.30.0.1/16 dev docker9", "addr add 192.168.9.1/24 dev lan",
                "link set docker9 up", "link set lan up"):
    subprocess.run(["ip", *command.split()], check=True)
stack = LocalStack(Path(sys.argv[1]), 4599, open_to_containers=bool(sys.argv[2]))
stack.start()
try:
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [bytes.fromhex(row[1][:8])[::-1] for row in rows if row[3] == "0A" and
                 int(row[1][9:], 16) == 4599]
    print(json.dumps([sorted(".".join(map(str, each)) for each in listening), opened(stack)]))
finally:
    stack.stop(hard=True)
"""
"""Makes a network of containers and another one, starts a stack, and says where it listens."""


def test_the_own_address_in_a_network_is_told() -> None:
    assert address_in(IPv4Network("127.0.0.0/8")) == "127.0.0.1"
    assert address_in(IPv4Network("240.0.0.0/8")) == ""


@pytest.mark.stack
@pytest.mark.skipif(
    os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("ip")),
    reason="a network of its own needs root, unshare and ip",
)
@pytest.mark.parametrize(
    ("is_open", "places", "says"),
    [
        ("1", ["127.0.0.1", "172.30.0.1"], "172.30.0.1:4599 (172.30.0.0/16)"),
        ("", ["127.0.0.1"], "was running before"),
    ],
)
def test_it_listens_for_this_machine_and_its_containers_and_not_for_the_network(
    is_open: str, places: list[str], says: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", PROGRAM, str(tmp_path / "stack"), is_open],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    listening, sentence = json.loads(done.stdout.splitlines()[-1])
    assert listening == places
    assert says in sentence
