"""Operator's tool, the stack on one machine, and both from Python: `import tessera`.

What Python gets is in `tessera.frames`, loaded when it is first asked for: pandas takes longer to
load than most commands take to run.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tessera.frames import Run as Run
    from tessera.frames import consolidate as consolidate
    from tessera.frames import drop as drop
    from tessera.frames import find_run as find_run
    from tessera.frames import stack_of as stack_of

IN_PYTHON = ("Run", "consolidate", "drop", "find_run", "stack_of")
"""Names of `tessera.frames` that are used as `tessera.NAME`."""


def __getattr__(name: str) -> Any:
    """Return what Python gets by its name, loading pandas for it."""
    if name in IN_PYTHON:
        return getattr(import_module("tessera.frames"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the names that Python gets, too, for whoever completes them by Tab."""
    return sorted([*globals(), *IN_PYTHON])
