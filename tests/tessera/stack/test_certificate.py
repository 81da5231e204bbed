"""A certificate of this machine's own stays the same while it serves, and is made anew in time."""

from __future__ import annotations

import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from tessera.stack import certificate
from tessera.stack.certificate import own_names, self_made

NAMES = ["192.168.1.20", "studio", "studio.local", "::1"]


def test_a_certificate_is_made_once_for_its_names(tmp_path: Path) -> None:
    first = self_made(tmp_path, NAMES).fingerprint
    assert self_made(tmp_path, NAMES[:2]).fingerprint == first
    assert self_made(tmp_path, [*NAMES, "10.0.0.1"]).fingerprint != first


def test_a_certificate_that_ends_soon_or_is_damaged_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "LIFETIME", timedelta(days=13))
    soon = self_made(tmp_path, NAMES).fingerprint
    monkeypatch.undo()
    good = self_made(tmp_path, NAMES)
    assert good.fingerprint != soon
    good.file.write_text("cut off")
    assert self_made(tmp_path, NAMES).fingerprint


def test_the_key_is_its_owners_alone_and_a_server_can_load_it(tmp_path: Path) -> None:
    made = self_made(tmp_path / "serve", NAMES)
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(made.file, made.key)


def test_this_machines_names_begin_with_the_one_that_people_open() -> None:
    names = own_names("labels.example.org")
    assert names[0] == "labels.example.org"
    assert {"localhost", "127.0.0.1"} <= set(names)
    assert len(names) == len(set(names))
