"""The command `shifu`. Every sub-command has `--help`, exit codes, and `--json` where programs may want it.

Exit codes: 0 done · 1 something did not work (said on standard error) · 2 the command line or the files are wrong.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from controller.errors import InvalidError, ShifuError
from controller.output import set_up_logging
from controller.settings.problem import SettingsError
from controller.share import share_dir
from drivers.errors import DriverError

__all__ = ["app", "main"]

app = typer.Typer(
    name="shifu",
    help="市府 Shifu: the building-management controller.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
tls_app = typer.Typer(help="Certificates for HTTPS.", no_args_is_help=True)
user_app = typer.Typer(help="Users of a controller on this machine.", no_args_is_help=True)
history_app = typer.Typer(help="History of a controller on this machine.", no_args_is_help=True)
app.add_typer(tls_app, name="tls")
app.add_typer(user_app, name="user")
app.add_typer(history_app, name="history")

Site = Annotated[Path, typer.Argument(help="The site's folder.", show_default=False)]
Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SHIFU_DATA")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output, for programs.")]
DATA = Path("data")


def main() -> None:
    """Run the command line; errors that are the user's to mend are sentences, not tracebacks."""
    try:
        app(standalone_mode=False)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except typer.Abort:
        sys.exit(130)
    except InvalidError as error:
        _fail(str(error), 2)
    except (ShifuError, DriverError) as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        # typer's own usage errors have a show() and an exit code; everything else is a fault of ours.
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            error.show()
            sys.exit(error.exit_code)
        raise


def _fail(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(code)


def _loop(work: Any) -> Any:
    import uvloop  # noqa: PLC0415 - a command that needs no loop starts faster without it

    return uvloop.run(work)


def _print(data: object) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2, default=str))


# -- running -----------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port to serve on; the next free one is taken.")] = 8080,
    seed: Annotated[int, typer.Option(help="Seed of the simulated building.")] = 1,
    mqtt: Annotated[str, typer.Option(help="host:port of a broker to use in place of the embedded one.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Where the demo keeps its data.")] = None,
    days: Annotated[int, typer.Option(help="Days of history that the first start writes.")] = 7,
    reset: Annotated[bool, typer.Option("--reset", help="Forget the demo's data and stop.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Show the simulated City Hall: simulators, controller and control room on this machine."""
    from controller.demo import DemoOptions, demo_folder, reset_demo, run_demo  # noqa: PLC0415 - starts faster

    where = folder or demo_folder()
    if reset:
        print(f"Forgot {where}" if reset_demo(where) else f"Nothing to forget at {where}")
        return
    set_up_logging(json=False, verbose=verbose)
    _loop(run_demo(DemoOptions(port, seed, mqtt, where, days), lambda text: print(text, flush=True)))


@app.command()
def run(
    site: Site,
    data: Data = DATA,
    host: Annotated[str | None, typer.Option(help="Address to serve on, in place of server.toml's.")] = None,
    port: Annotated[int | None, typer.Option(help="Port, in place of server.toml's; 0 takes a free one.")] = None,
    endpoints: Annotated[Path | None, typer.Option(help="Map laid over the devices' endpoints (simulators).")] = None,
    log_json: Annotated[bool, typer.Option("--log-json/--log-text", help="Log JSON lines.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run the controller of a site until SIGTERM or Ctrl-C."""
    from controller.app import Options  # noqa: PLC0415 - starts faster
    from controller.settings.build import Endpoints  # noqa: PLC0415

    set_up_logging(json=log_json or not sys.stderr.isatty(), verbose=verbose)
    laid = Endpoints.parse(json.loads(endpoints.read_text("utf-8"))) if endpoints else Endpoints()
    _loop(_run(Options(site, data, host, port, laid)))


async def _run(options: Any) -> None:
    from controller.app import Controller  # noqa: PLC0415

    controller = Controller(options)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, controller.stop)
    await controller.start()
    print(f"Shifu is at {controller.server.url}", flush=True)
    if token := await controller.identity.first_link():
        print("Nobody administers it yet. This link, good once and for a day, makes the first administrator:")
        print(f"  {controller.server.url}/link#token={token}", flush=True)
    try:
        await controller.run()
    finally:
        await controller.close()


@app.command()
def apply(
    site: Site,
    data: Data = DATA,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference; change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have the running controller take over the changed files; bad files change nothing."""
    from controller.local import ask  # noqa: PLC0415

    request = {"do": "apply", "site": str(site.resolve()), "dry_run": dry_run}
    answer = asyncio.run(ask(data / "control.sock", request))
    if not answer.get("ok"):
        raise InvalidError(str(answer.get("error")))
    if as_json:
        _print(answer["difference"])
        return
    _show_difference(answer["difference"], dry_run=dry_run)


def _show_difference(difference: dict[str, Any], *, dry_run: bool) -> None:
    quiet = True
    for noun in ("equipment", "points", "devices", "alarms", "rules"):
        for word, mark in (("added", "+"), ("removed", "-"), ("changed", "~")):
            names = difference[noun][word]
            quiet = quiet and not names
            for name in names[:20]:
                print(f"{mark} {noun}: {name}")
            if len(names) > 20:
                print(f"{mark} {noun}: … and {len(names) - 20} more")
    if quiet:
        print("Nothing changes.")
        return
    links = difference["links"]
    print(f"{len(links)} connections {'would be' if dry_run else 'were'} opened again" + (":" if links else "."))
    for link in links:
        print(f"  {link}")


# -- files -------------------------------------------------------------------------------------------------------------


@app.command()
def check(
    site: Site,
    schema: Annotated[Path | None, typer.Option(help="Write the JSON Schemas for editors into this folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a site's folder and say what is wrong: file, line, key, got, wanted, what to do."""
    from functools import partial  # noqa: PLC0415

    from controller.app import check_rules  # noqa: PLC0415
    from controller.clock import SystemClock  # noqa: PLC0415
    from controller.point.registry import Registry  # noqa: PLC0415
    from controller.settings.load import load  # noqa: PLC0415
    from controller.settings.schema import write_schemas  # noqa: PLC0415

    if schema is not None:
        for path in write_schemas(schema):
            print(path)
    try:
        configuration = load(site, Registry(), check_rules=partial(check_rules, SystemClock()))
    except SettingsError as error:
        if as_json:
            from dataclasses import asdict  # noqa: PLC0415

            _print({"ok": False, "problems": [asdict(problem) for problem in error.problems]})
            raise typer.Exit(2) from None
        raise
    site_model = configuration.site
    counts = {
        "buildings": len(site_model.buildings),
        "equipment": len(site_model.equipment),
        "devices": len(configuration.devices),
        "connections": len({device.endpoint for device in configuration.devices}),
        "points": len(site_model.points),
        "commandable": sum(point.write is not None for point in site_model.points.values()),
        "alarms": len(configuration.alarms),
        "rules": len(configuration.rules),
    }
    holding = configuration.holding()
    if as_json:
        _print({"ok": True, "site": site_model.id, **counts, "notices": configuration.notices, "holding": holding})
        return
    print(f"{site}: good. " + ", ".join(f"{count} {noun}" for noun, count in counts.items()))
    for notice in configuration.notices:
        print(f"note: {notice}")
    if holding:
        print(f"note: {len(holding)} commandable points hold their last value when the controller dies:")
        for address in holding[:10]:
            print(f"  {address}")
        if len(holding) > 10:
            print(f"  … and {len(holding) - 10} more (--json lists all)")


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The new site's folder; it must not exist.", show_default=False)],
    profile: Annotated[str, typer.Option(help="Profile of its first device, such as eastron-sdm630.")],
    endpoint: Annotated[str, typer.Option(help="Where it is, such as tcp://192.0.2.10:502.")] = "tcp://192.0.2.10:502",
    unit: Annotated[int, typer.Option(help="Modbus unit id.")] = 1,
    site_id: Annotated[str | None, typer.Option("--id", help="Id of the site; the folder's name unless given.")] = None,
) -> None:
    """Write a new minimal site with one device, explained line by line."""
    from controller.settings.initial import write_site  # noqa: PLC0415

    for path in write_site(folder, profile, endpoint, unit, site_id):
        print(path)
    print(f"Next: `shifu check {folder}`, then `shifu run {folder}`.")


@app.command()
def read(
    where: Annotated[
        str, typer.Argument(help="tcp://h:502, serial:/dev/ttyUSB0, opc.tcp://…, mqtt://h:1883/topic")
    ] = "",
    unit: Annotated[int, typer.Option(help="Modbus unit id.")] = 1,
    register: Annotated[int, typer.Option(help="First register, as on the wire (0-based).")] = 0,
    count: Annotated[int, typer.Option(help="How many registers.")] = 2,
    function: Annotated[int, typer.Option(help="Modbus function: 1, 2, 3 or 4.")] = 3,
    node: Annotated[list[str] | None, typer.Option(help="OPC UA node id; none lists what is there.")] = None,
    profile: Annotated[str, typer.Option(help="Read all points of a profile.")] = "",
    profiles: Annotated[bool, typer.Option("--profiles", help="List the profiles.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.")] = 3.0,
    as_json: AsJson = False,
) -> None:
    """Read a device before anything is configured: raw bytes, and the value in each word order."""
    from controller.probe import ProbeRequest, list_profiles, probe  # noqa: PLC0415

    if profiles or not where:
        rows = list_profiles()
        _print(rows) if as_json else [print(f"{row['id']:<28} {row['equipment']:<14} {row['model']}") for row in rows]
        return
    request = ProbeRequest(where, unit, register, count, function, tuple(node or ()), profile, timeout)
    result = asyncio.run(probe(request))
    _print(result.data) if as_json else print(result.text)


# -- the rest ----------------------------------------------------------------------------------------------------------


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def sim(context: typer.Context) -> None:
    """Speak to the simulators: `shifu sim fault freeze tx1-meter`, `shifu sim run …`, `shifu sim --help`."""
    from controller.demo import demo_folder  # noqa: PLC0415

    arguments = list(context.args)
    if arguments and arguments[0] in ("fault", "ledger") and "--run-dir" not in arguments:
        arguments[1:1] = ["--run-dir", str(demo_folder() / "run")]
    done = subprocess.run([sys.executable, "-m", "simulators", *arguments], check=False)
    raise typer.Exit(done.returncode)


@app.command()
def version(as_json: AsJson = False) -> None:
    """Show the versions of Shifu, of its formats, and of what it runs on."""
    from controller.app import product_version  # noqa: PLC0415
    from controller.history.frame import VERSION as FRAME_VERSION  # noqa: PLC0415

    data = {
        "shifu": product_version(),
        "frame_format": FRAME_VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "config": str(share_dir("config")),
    }
    if as_json:
        _print(data)
    else:
        print("\n".join(f"{key:<14} {value}" for key, value in data.items()))


@tls_app.command("init")
def tls_init(
    folder: Annotated[Path, typer.Argument(help="Where the two files go, such as the site's folder.")],
    name: Annotated[list[str], typer.Option(help="DNS name or IP address of this controller; several may be given.")],
) -> None:
    """Make a self-signed certificate and its key, and say how to use them."""
    from controller.clock import SystemClock  # noqa: PLC0415
    from controller.identity.certificate import make_certificate  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "server.pem", folder / "server.key"
    info = make_certificate(certificate, key, name, SystemClock())
    print(f"Wrote {certificate} and {key}: {info}")
    print('In server.toml: [http] certificate = "server.pem", private_key = "server.key"')


@user_app.command("list")
def user_list(data: Data = DATA, as_json: AsJson = False) -> None:
    """List the users."""
    from controller.local import ask  # noqa: PLC0415

    answer = asyncio.run(ask(data / "control.sock", {"do": "users"}))
    if as_json:
        _print(answer["users"])
        return
    for row in answer["users"]:
        print(f"{row['name']:<24} {row['role']:<16} {'disabled' if row['disabled'] else ''}".rstrip())


@user_app.command("link")
def user_link(name: Annotated[str, typer.Argument(help="User name.")], data: Data = DATA) -> None:
    """Print a single-use sign-in link with which a user sets a new password."""
    from controller.local import ask  # noqa: PLC0415

    answer = asyncio.run(ask(data / "control.sock", {"do": "link", "user": name}))
    if not answer.get("ok"):
        raise InvalidError(str(answer.get("error")))
    print(answer["link"])


@history_app.command("export")
def history_export(
    site: Site,
    point: Annotated[list[str], typer.Option(help="Address of a point; several may be given.")],
    start: Annotated[str, typer.Option(help="ISO 8601 with a zone, such as 2026-01-01T00:00:00+08:00.")],
    end: Annotated[str, typer.Option(help="ISO 8601 with a zone.")],
    data: Data = DATA,
) -> None:
    """Write raw history as CSV to standard output; the controller may run or not."""
    from controller.export import export_csv  # noqa: PLC0415

    asyncio.run(export_csv(site, data, point, start, end, sys.stdout))


@history_app.command("import")
def history_import(
    file: Annotated[Path, typer.Argument(help="History file (.npz), as `shifu sim history` writes it.")],
    site: Annotated[Path, typer.Option(help="The site's folder.")],
    data: Data = DATA,
) -> None:
    """Import a history file; the controller must not run."""
    from controller.export import import_file  # noqa: PLC0415

    print(asyncio.run(import_file(site, data, file)))


if os.environ.get("SHIFU_TRACEBACK"):
    app.pretty_exceptions_enable = True
