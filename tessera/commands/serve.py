"""`tessera serve`: the portal for people on other machines, and nothing else of this one."""

from __future__ import annotations

import asyncio
import io
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import segno
from botocore.exceptions import BotoCoreError, ClientError
from hypercorn.asyncio import serve as serve_app
from hypercorn.config import Config

from tessera.number_types import PortNumber
from tessera.portal.errors import PortalError
from tessera.portal.staffing import spare_pages
from tessera.runs.resumption import resume_runs
from tessera.screen import aside, console_for, counted, json_option, out, print_json
from tessera.stack.certificate import Certificate, check_pair, own_address, own_names, self_made
from tessera.stack.cloud import Cloud
from tessera.stack.front import HOST, Front
from tessera.stack.local_stack import LocalStack, StackError
from tessera.stack.ready import start_and_deploy
from tessera.stack.service_file import unit_file
from tessera.stack.target import Target

PORT = 8443
"""Port of the portal for other machines, unless an option names another: the usual one of HTTPS
that needs no rights of the system's."""
LOOK_SECONDS = 30.0
"""Seconds between two looks for pages that nobody is left for: a person who comes to add a
colleague is faster than a round, and a run that ends half a minute later harms nobody."""
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option("--host", help="Name or address that people open.  [default: this machine's address]")
@click.option("--https-port", type=PortNumber(), default=PORT, help="Port that people open.")
@click.option("--listen", default="0.0.0.0", help="Address to listen at.")
@click.option(
    "--tls-cert", type=FILE, help="Certificate of the host, PEM.  [default: one made here]"
)
@click.option("--tls-key", type=FILE, help="Key of the certificate, PEM.")
@click.option("--unit", is_flag=True, help="Print a systemd unit that does so from the start on.")
@json_option("Print the address as JSON.")
@click.pass_obj
def serve(
    target: Target,
    host: str | None,
    https_port: int,
    listen: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    unit: bool,
    as_json: bool,
) -> None:
    """Let people on other machines label in the portal, until Ctrl-C.

    They reach the portal's pages, the sign-in and the pictures they are to label. Everything else
    of this machine's stack stays at 127.0.0.1. The stack is started if it is not running.
    """
    host = host or own_address()
    if not HOST.fullmatch(host) or ":" in host.strip("[]"):
        raise click.UsageError(f"{host!r} is no host. Give a name or an IPv4 address: --host NAME")
    if bool(tls_cert) != bool(tls_key):
        raise click.UsageError("--tls-cert and --tls-key are given together")
    given = Certificate(tls_cert, tls_key) if tls_cert and tls_key else None
    if given:
        check_pair(given)
    if unit:
        certificates: tuple[object, ...] = ()
        if given:  # systemd starts it from elsewhere
            certificates = "--tls-cert", given.file.resolve(), "--tls-key", given.key.resolve()
        words = ["serve", "--host", host, "--https-port", https_port, "--listen", listen]
        click.echo(unit_of(target.local, [str(word) for word in (*words, *certificates)]), nl=False)
        return
    check_free(listen, https_port)
    local = target.local
    cloud = local.cloud
    if not (local.answers() and cloud.find_outputs()):
        cloud = start_and_deploy(local, console_for(as_json))
        for run in resume_runs(cloud):
            console_for(as_json).print(f"[bold]Run[/]      {run}", soft_wrap=True)
    certificate = given or self_made(local.front_folder, own_names(host))
    address = f"https://{host}{'' if https_port == 443 else f':{https_port}'}/"
    front = Front(local.endpoint, cloud.outputs["PortalApiId"])
    with local.served_at(address):
        if as_json:
            print_json({"address": address, "fingerprint": certificate.fingerprint})
        else:
            show(local, address, certificate, own=given is None)
        asyncio.run(serve_until_stopped(front, settings(listen, https_port, certificate), cloud))


def unit_of(local: LocalStack, words: list[str]) -> str:
    """Return the systemd unit that runs the tool with these words on this stack."""
    stack = ["--port", str(local.port), "--home", str(local.home)]
    return unit_file([*stack, *words], local.cloud.command("serve --unit"))


async def serve_until_stopped(front: Front, server: Config, cloud: Cloud) -> None:
    """Serve the portal, and see to it meanwhile that no run waits for somebody who is not there."""
    asyncio.get_running_loop().set_exception_handler(report_fault)
    looking = asyncio.create_task(look_after_runs(cloud))
    try:
        await serve_app(front.app(), server)  # type: ignore[arg-type]  # Hypercorn's own ASGI types
    finally:
        looking.cancel()


def report_fault(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report a fault of the server, and not that its stop has ended a connection.

    Python 3.11 takes the end of a task that answers a connection for a fault, with a traceback.
    """
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)


async def look_after_runs(cloud: Cloud) -> None:
    """Take pages that nobody is left for out of their jobs, now and then, and say so."""

    def look() -> list[tuple[str, int]]:
        return list(spare_pages(cloud.ports, cloud.users.emails))

    while True:
        await asyncio.sleep(LOOK_SECONDS)
        with suppress(BotoCoreError, ClientError, PortalError):  # the next look finds the same
            for job, pages in await asyncio.to_thread(look):
                aside.print(
                    f"[yellow]{job}[/]: {counted(pages, 'page')} not asked, because everybody who "
                    "may have more pages has answered their pictures. To have more answers, add "
                    f"somebody ({cloud.command('workers add EMAIL')}), and when the run has ended: "
                    + cloud.command("again --uncertain"),
                    soft_wrap=True,
                )


def check_free(listen: str, port: int) -> None:
    """Raise StackError with the remedy if something listens at this address already."""
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen, port))
        except OSError as error:
            raise StackError(
                f"Cannot listen at {listen}, port {port}: {error.strerror}. "
                "Choose another port: --https-port 9443"
            ) from error


def settings(listen: str, port: int, certificate: Certificate) -> Config:
    """Return the server's settings; it logs nothing but its own faults."""
    config = Config()
    config.bind = [f"[{listen}]:{port}" if ":" in listen else f"{listen}:{port}"]
    config.certfile, config.keyfile = str(certificate.file), str(certificate.key)
    config.include_server_header = False
    config.loglevel = "WARNING"
    config.graceful_timeout = 3
    return config


def show(local: LocalStack, address: str, certificate: Certificate, *, own: bool) -> None:
    """Print the address, as a QR code too, and what people see at their first visit."""
    code = io.StringIO()
    segno.make(address, micro=False).terminal(code, compact=True, border=2)
    out.print(code.getvalue(), highlight=False)
    out.print(f"[bold]Portal[/]   {address}", soft_wrap=True)
    if own:
        out.print(
            "         Its certificate is made here, so each browser asks once whether to go on. "
            "Its SHA-256 fingerprint is",
            soft_wrap=True,
        )
        out.print(f"         {certificate.fingerprint}", soft_wrap=True)
    out.print(
        f"[bold]People[/]   {local.cloud.command('workers add ann@example.org')} "
        "makes an account and prints its password.\n"
        "[bold]Stop[/]     Ctrl-C ends this; what people have sent is kept."
    )
