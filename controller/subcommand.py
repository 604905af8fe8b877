"""The groups of the command line, `shifu tls`, `shifu user` and `shifu history`, and what they share with the rest."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.errors import InvalidError

__all__ = ["DATA", "AsJson", "Data", "add_groups", "ask", "print_json"]

tls_app = typer.Typer(help="Certificates for HTTPS.", no_args_is_help=True)
user_app = typer.Typer(help="Users of a controller on this machine.", no_args_is_help=True)
history_app = typer.Typer(help="History of a controller on this machine.", no_args_is_help=True)

Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SHIFU_DATA")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output, for programs.")]
DATA = Path("data")


def add_groups(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.add_typer(tls_app, name="tls")
    app.add_typer(user_app, name="user")
    app.add_typer(history_app, name="history")


def ask(data: Path, do: str, **request: Any) -> dict[str, Any]:
    """Ask the controller that runs on a data folder; see `controller.local.ask` for what it raises."""
    from controller.local import ask as ask_local  # noqa: PLC0415 - a command that needs no controller starts faster

    return asyncio.run(ask_local(data / "control.sock", {"do": do, **request}))


def print_json(data: object) -> None:
    """Print for programs."""
    print(json.dumps(data, ensure_ascii=False, indent=2, default=str))


@tls_app.command("init")
def tls_init(
    folder: Annotated[Path, typer.Argument(help="Where the two files go, such as the site's folder.")],
    name: Annotated[list[str], typer.Option(help="DNS name or IP address of this controller; several may be given.")],
) -> None:
    """Make a self-signed certificate and its key, and say how to use them."""
    from controller.clock import SystemClock  # noqa: PLC0415
    from controller.identity.certificate import make_certificate  # noqa: PLC0415

    clock = SystemClock()
    certificate, key = folder / "server.pem", folder / "server.key"
    info = make_certificate(certificate, key, name, clock)
    print(f"Wrote {certificate} and {key}")
    _show_certificate(info, info.days_left(clock))
    print("In server.toml, with paths below the site's folder:")
    print(f'  [http]\n  certificate = "{certificate.name}"\n  private_key = "{key.name}"')


@tls_app.command("show")
def tls_show(
    certificate: Annotated[Path, typer.Argument(help="A certificate, such as server.pem.")], as_json: AsJson = False
) -> None:
    """Show whose certificate it is, until when it is good, and its fingerprint as browsers show it."""
    from controller.clock import SystemClock  # noqa: PLC0415
    from controller.identity.certificate import read_certificate  # noqa: PLC0415

    info = read_certificate(certificate)
    left = info.days_left(SystemClock())
    if as_json:
        print_json({"subject": info.subject, "names": info.names, "days_left": left, "fingerprint": info.fingerprint})
    else:
        _show_certificate(info, left)


def _show_certificate(info: Any, days_left: float) -> None:
    print(f"names        {', '.join(info.names)}")
    print(f"valid for    {days_left:.0f} days")
    print(f"fingerprint  {info.fingerprint}")


@user_app.command("list")
def user_list(data: Data = DATA, as_json: AsJson = False) -> None:
    """List the users."""
    users = ask(data, "users")["users"]
    if as_json:
        print_json(users)
        return
    for row in users:
        print(f"{row['name']:<24} {row['role']:<16} {'disabled' if row['disabled'] else ''}".rstrip())


@user_app.command("add")
def user_add(
    name: Annotated[str, typer.Argument(help="User name: a lower-case letter, then letters, digits, . _ -")],
    role: Annotated[str, typer.Option(help="viewer, guard, operator, safety_officer, engineer, administrator, …")],
    display_name: Annotated[str, typer.Option(help="Name on the screens.")] = "",
    area: Annotated[list[str] | None, typer.Option(help="Area of the rights; everywhere unless given.")] = None,
    data: Data = DATA,
) -> None:
    """Make a user and print the single-use link for the first sign-in."""
    print(ask(data, "user_add", user=name, role=role, display_name=display_name, areas=area or [])["link"])


@user_app.command("change")
def user_change(
    name: Annotated[str, typer.Argument(help="User name.")],
    role: Annotated[str | None, typer.Option(help="The new role.")] = None,
    disable: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Shut the user out, or let them in again.")
    ] = None,
    data: Data = DATA,
) -> None:
    """Change a user's role, shut a user out, or let one in again; open sessions end at once."""
    if role is None and disable is None:
        raise InvalidError("nothing to change: give --role, --disable or --enable")
    user = ask(data, "user_change", user=name, role=role, disabled=disable)["user"]
    print(f"{user['name']}: {user['role']}{', disabled' if user['disabled'] else ''}")


@user_app.command("link")
def user_link(name: Annotated[str, typer.Argument(help="User name.")], data: Data = DATA) -> None:
    """Print a single-use sign-in link with which a user sets a new password."""
    print(ask(data, "link", user=name)["link"])


@history_app.command("export")
def history_export(
    site: Annotated[Path, typer.Argument(help="The site's folder.", show_default=False)],
    point: Annotated[list[str], typer.Option(help="Address of a point; several may be given.")],
    start: Annotated[str, typer.Option(help="ISO 8601 with a zone, such as 2026-01-01T00:00:00+08:00.")],
    end: Annotated[str, typer.Option(help="ISO 8601 with a zone.")],
    data: Data = DATA,
) -> None:
    """Write raw history as CSV to standard output.

    The controller may run or not. Columns: time (in the site's zone), point, value (empty: none), unit, quality.
    """
    from controller.export import export_csv  # noqa: PLC0415

    asyncio.run(export_csv(site, data, point, start, end, sys.stdout))


@history_app.command("import")
def history_import(
    file: Annotated[Path, typer.Argument(help="History file (.npz), as `shifu sim history` writes it.")],
    site: Annotated[Path, typer.Option(help="The site's folder.")],
    data: Data = DATA,
    wait: Annotated[float, typer.Option(help="Seconds that the file may still be in the making.", min=0.0)] = 0.0,
) -> None:
    """Import a history file; the controller must not run."""
    from controller.export import import_file  # noqa: PLC0415

    print(asyncio.run(import_file(site, data, file, wait_s=wait)))
