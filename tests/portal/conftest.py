"""Every test of the portal may ask for a portal in memory."""

from __future__ import annotations

import pytest

from tests.portal.world import World


@pytest.fixture
def world() -> World:
    """A portal with nothing in it."""
    return World()
