"""Stack that commands go to: the one on this machine, or the one that was named."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tessera.stack.cloud import Cloud, NotDeployed
from tessera.stack.local_stack import LocalStack


@dataclass(frozen=True)
class Target:
    """Stack on this machine, and the one that was named instead, if any."""

    local: LocalStack
    remote: Cloud | None = None

    def command(self, words: str) -> str:
        """Return a command that works on this stack when it is pasted, whether it runs or not."""
        return (self.remote or self.local.cloud).command(words)

    @cached_property
    def cloud(self) -> Cloud:
        """Stack to work on; NotDeployed if it is this machine's and is not running."""
        if self.remote:
            return self.remote
        if not self.local.answers():
            raise NotDeployed(self.local.absence())
        from tessera.screen import warn  # late: help and completion draw nothing

        cloud = self.local.cloud
        warn([cloud.trouble] if cloud.trouble else [])
        return cloud
