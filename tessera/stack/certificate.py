"""Make a certificate for this machine, for browsers that reach it by its names and addresses."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tessera.stack.local_stack import StackError

LIFETIME = timedelta(days=397)
"""Days that a certificate is good for: browsers take no longer ones of a server."""
RENEWED = timedelta(days=14)
"""Days before its end at which a certificate is made anew."""


class Certificate(NamedTuple):
    """Files of a certificate and its key."""

    file: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate as browsers show it, for people to compare."""
        certificate = x509.load_pem_x509_certificate(self.file.read_bytes())
        return certificate.fingerprint(SHA256()).hex(":").upper()


def check_pair(certificate: Certificate) -> None:
    """Raise StackError with the remedy if the files are no certificate and its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password: OpenSSL would ask the terminal for that of a key which has one.
        context.load_cert_chain(certificate.file, certificate.key, password="")
        _ = certificate.fingerprint
    except (OSError, ValueError) as error:
        raise StackError(
            f"{certificate.file} and {certificate.key} are no certificate in PEM and its key, "
            "without a password. Give others: --tls-cert FILE --tls-key FILE"
        ) from error


def own_address() -> str:
    """Return the address by which other machines of the network reach this one.

    127.0.0.1 without a network.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing; the system only chooses the way. The
            # address is one that documentation may use and nobody has (RFC 5737).
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address


def own_names(host: str) -> list[str]:
    """Return the names and addresses of this machine, `host` first, each once."""
    name = socket.gethostname()
    names = [host, own_address(), "localhost", "127.0.0.1", name]
    if "." not in name:
        names.append(f"{name}.local")  # as machines call each other without a server of names
    with suppress(OSError):
        names += [str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(name, None)]
    return list(dict.fromkeys(names))


def self_made(folder: Path, names: Sequence[str]) -> Certificate:
    """Return the folder's certificate for these names, made anew if it is another's or ends soon.

    It stays the same otherwise, so that browsers ask their people about it once.
    """
    certificate = Certificate(folder / "certificate.pem", folder / "key.pem")
    if not _is_good(certificate, names):
        folder.mkdir(parents=True, exist_ok=True)
        _write(certificate, names)
    return certificate


def _is_good(certificate: Certificate, names: Sequence[str]) -> bool:
    try:
        made = x509.load_pem_x509_certificate(certificate.file.read_bytes())
        alternatives = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    ends = made.not_valid_after_utc - RENEWED
    known = set(alternatives)
    return (
        certificate.key.exists()
        and datetime.now(UTC) < ends
        and all(_general_name(name) in known for name in names)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(certificate: Certificate, names: Sequence[str]) -> None:
    """Make a key that its owner alone can read, and the certificate of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tessera on this machine")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # for machines whose clock is behind
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([*map(_general_name, names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, SHA256())
    )
    certificate.key.unlink(missing_ok=True)
    with open(os.open(certificate.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificate.file.write_bytes(made.public_bytes(Encoding.PEM))
