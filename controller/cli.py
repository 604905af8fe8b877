"""The command `shifu`. Every sub-command has `--help`, exit codes, and `--json` where programs may want it.

Exit codes: 0 done · 1 something did not work (said on standard error) · 2 the command line or the files are wrong.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from controller.errors import InvalidError, ShifuError
from controller.output import hush_libraries, set_up_logging
from controller.settings.problem import SettingsError
from controller.share import product_version, share_dir
from controller.subcommand import DATA, AsJson, Data, add_groups, ask, print_json
from drivers.errors import DriverError, ProfileError

__all__ = ["app", "main"]

app = typer.Typer(
    name="shifu",
    help="市府 Shifu: the building-management controller.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
add_groups(app)

Site = Annotated[Path, typer.Argument(help="The site's folder.", show_default=False)]


def main() -> None:
    """Run the command line; errors that are the user's to mend are sentences, not tracebacks."""
    try:
        code = app(standalone_mode=False)  # what a command raised as typer.Exit comes back as its code
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (InvalidError, ProfileError) as error:
        _fail(str(error), 2)
    except (ShifuError, DriverError) as error:
        _fail(str(error), 1)
    except BrokenPipeError:
        # `shifu check … | head`: whoever read has enough. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}", 1)
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


# -- running -----------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port to serve on, or the next free one.", min=0, max=65535)] = 8080,
    seed: Annotated[int, typer.Option(help="Seed of the simulated building.")] = 1,
    mqtt: Annotated[str, typer.Option(help="host:port of a broker to use in place of the embedded one.")] = "",
    folder: Annotated[
        Path | None, typer.Option(help="Where the demo keeps its data; ~/.local/share/shifu/demo unless given.")
    ] = None,
    days: Annotated[int, typer.Option(help="Days of history that the first start writes.", min=1, max=366)] = 7,
    influx: Annotated[
        str, typer.Option(help="http://host:8086/org/bucket that gets the readings too; token in SHIFU_INFLUX_TOKEN.")
    ] = "",
    reset: Annotated[bool, typer.Option("--reset", help="Forget the demo's data and stop.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Show the simulated City Hall on this machine.

    Starts the simulators, the controller and the control room, prints the address and a sign-in link for each role,
    and stops them all on Ctrl-C. Keys, passwords and certificates are made anew at each start.
    """
    from controller.demo import DemoOptions, demo_folder, demo_influx, reset_demo, run_demo  # noqa: PLC0415 - starts faster

    where = folder or demo_folder()
    if reset:
        print(f"Forgot {where}" if reset_demo(where) else f"Nothing to forget at {where}")
        return
    set_up_logging(json=False, verbose=verbose)
    options = DemoOptions(port, seed, mqtt, where, days, demo_influx(influx))
    _loop(run_demo(options, lambda text: print(text, flush=True)))


@app.command()
def run(
    site: Site,
    data: Data = DATA,
    host: Annotated[str | None, typer.Option(help="Address to serve on, in place of server.toml's.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port, in place of server.toml's; 0 takes a free one.", min=0, max=65535)
    ] = None,
    endpoints: Annotated[Path | None, typer.Option(help="Map laid over the devices' endpoints (simulators).")] = None,
    log_json: Annotated[
        bool | None,
        typer.Option("--log-json/--log-text", help="How to log; JSON unless standard error is a terminal."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run the controller of a site until SIGTERM or Ctrl-C.

    It starts with every device, broker and database down and joins them as they appear. A second controller on the
    same data folder is refused. It prints its address on standard output and logs to standard error.
    """
    from controller.app import Options  # noqa: PLC0415 - starts faster
    from controller.settings.build import Endpoints  # noqa: PLC0415

    set_up_logging(json=not sys.stderr.isatty() if log_json is None else log_json, verbose=verbose)
    laid = Endpoints.read(endpoints) if endpoints else Endpoints()
    _loop(_run(Options(site, data, host, port, laid)))


async def _run(options: Any) -> None:
    from controller.app import Controller  # noqa: PLC0415

    controller = Controller(options)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, controller.stop)
    try:
        await controller.start()
        print(f"Shifu is at {controller.server.url}", flush=True)
        if token := await controller.identity.first_link():
            print("Nobody administers it yet. This link, good once and for a day, makes the first administrator:")
            print(f"  {controller.server.url}/link#token={token}", flush=True)
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
    """Take changed files over into the running controller.

    Bad files change nothing. Only links whose devices changed are opened again; alarms, overrides and point numbers of
    unchanged points stay.
    """
    answer = ask(data, "apply", site=str(site.resolve()), dry_run=dry_run)
    if as_json:
        print_json(answer["difference"])
        return
    _show_difference(answer["difference"], dry_run=dry_run)


def _show_difference(difference: dict[str, Any], *, dry_run: bool) -> None:
    quiet = True
    for noun in ("site", "equipment", "points", "devices", "alarms", "rules", "plans", "calendar", "fire"):
        for word, mark in (("added", "+"), ("removed", "-"), ("changed", "~")):
            names = difference[noun][word]
            quiet = quiet and not names
            for name in names[:20]:
                print(f"{mark} {noun}: {name}")
            if len(names) > 20:
                print(f"{mark} {noun}: … and {len(names) - 20} more")
    for sentence in difference["aside"]:
        print(f"note: {sentence}")
    for key in difference["restart"]:
        print(f"note: server.toml: {key} takes effect at the next start")
    if quiet:
        print("Nothing changes.")
        return
    links = difference["links"]
    verb = "would be" if dry_run else "were"
    print(f"{_count(len(links), 'connections')} {verb} opened or closed{':' if links else '; all go on.'}")
    for link in links:
        print(f"  {link}")
    if not dry_run:
        print("Applied.")


def _count(number: int, noun: str) -> str:
    """Return `1 device`, `2 devices`."""
    return f"{number} {noun.removesuffix('s') if number == 1 and noun != 'equipment' else noun}"


# -- files -------------------------------------------------------------------------------------------------------------


@app.command()
def check(
    site: Annotated[Path | None, typer.Argument(help="The site's folder.", show_default=False)] = None,
    schema: Annotated[Path | None, typer.Option(help="Write the JSON Schemas for editors into this folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a site's folder and say what is wrong.

    Each line names file, line, key, what was got, what is wanted and what to do. Nothing is opened or changed. Exit
    code 0: good. 2: not.
    """
    from controller.clock import SystemClock  # noqa: PLC0415
    from controller.connection import check_devices  # noqa: PLC0415
    from controller.point.registry import Registry  # noqa: PLC0415
    from controller.settings.load import load  # noqa: PLC0415
    from controller.settings.schema import write_schemas  # noqa: PLC0415

    if schema is not None:
        written = write_schemas(schema)
        if site is None:
            print_json([str(path) for path in written]) if as_json else print(*written, sep="\n")
            return
    if site is None:
        raise InvalidError("which site? Give its folder: `shifu check <folder>`; `shifu init` writes a new one")
    try:
        configuration = load(site, Registry(), clock=SystemClock(), check_devices=check_devices)
    except SettingsError as error:
        if as_json:
            from dataclasses import asdict  # noqa: PLC0415

            print_json({"ok": False, "problems": [asdict(problem) for problem in error.problems]})
        else:
            print(error, file=sys.stderr)
            print(f"{site}: {_count(len(error.problems), 'problems')}", file=sys.stderr)
        raise typer.Exit(2) from None
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
        "plans": len(configuration.plans),
    }
    holding = configuration.holding()
    if as_json:
        print_json({"ok": True, "site": site_model.id, **counts, "notices": configuration.notices, "holding": holding})
        return
    print(f"{site}: good. " + ", ".join(_count(count, noun) for noun, count in counts.items()))
    for notice in configuration.notices:
        print(f"note: {notice}")
    if holding:
        print(f"note: {_count(len(holding), 'points')} would hold the last command if the controller dies:")
        for address in holding[:10]:
            print(f"  {address}")
        if len(holding) > 10:
            print(f"  … and {len(holding) - 10} more (--json lists all)")


@app.command()
def export(
    form: Annotated[str, typer.Argument(help="haystack (JSON) or brick (Turtle).", show_default=False)],
    site: Site,
    out: Annotated[Path | None, typer.Option(help="File to write; standard output unless given.")] = None,
) -> None:
    """Write the model of a site's folder in the words of Project Haystack 4 or Brick 1.4.

    Buildings, floors, zones, equipment and points with units and relations; no values. The controller may run or not.
    """
    from controller.export import export_model  # noqa: PLC0415

    text = export_model(site, form)
    if out is None:
        print(text.rstrip("\n"))
    else:
        out.write_text(text, "utf-8")
        print(out)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The new site's folder; new or empty.", show_default=False)],
    profile: Annotated[
        str, typer.Option(help="Profile of its first device: eastron-sdm630, or a file of your own (.toml).")
    ],
    endpoint: Annotated[str, typer.Option(help="Where it is, such as tcp://192.0.2.10:502.")] = "",
    unit: Annotated[int, typer.Option(help="Modbus unit id.", min=0, max=255)] = 1,
    site_id: Annotated[str | None, typer.Option("--id", help="Id of the site; the folder's name unless given.")] = None,
) -> None:
    """Write a new site with one device, explained line by line.

    `shifu read --profiles` lists the profiles. A profile of your own is copied into the site's folder
    `profiles`.
    """
    from controller.clock import SystemClock  # noqa: PLC0415
    from controller.settings.initial import write_site  # noqa: PLC0415

    for path in write_site(folder, profile, SystemClock(), endpoint=endpoint, unit=unit, site_id=site_id):
        print(path)
    print(f"Next: `shifu check {folder}`, then `shifu run {folder}`.")


@app.command()
def read(
    where: Annotated[
        str, typer.Argument(help="tcp://h:502, serial:/dev/ttyUSB0, opc.tcp://…, mqtt://h:1883/topic")
    ] = "",
    unit: Annotated[int, typer.Option(help="Modbus unit id.", min=0, max=255)] = 1,
    register: Annotated[int, typer.Option(help="First register, as on the wire (0-based).", min=0, max=65535)] = 0,
    count: Annotated[int, typer.Option(help="How many registers, or bits.", min=1, max=2000)] = 2,
    function: Annotated[
        int, typer.Option(help="Modbus function: 3 holding, 4 input registers; 1, 2 bits.", min=1, max=4)
    ] = 3,
    node: Annotated[list[str] | None, typer.Option(help="OPC UA node id; none lists what is there.")] = None,
    profile: Annotated[str, typer.Option(help="Read all points of a profile: its id, or a file (.toml).")] = "",
    profiles: Annotated[bool, typer.Option("--profiles", help="List the profiles.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.", min=0.1, max=600)] = 3.0,
    user: Annotated[
        str,
        typer.Option(help="User of a broker or OPC UA server; the password is asked for, or in SHIFU_READ_PASSWORD."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Read a device before anything is configured.

    Shows raw bytes and the value in each type and word order:

      shifu read tcp://10.0.0.5:502 --unit 1 --register 0 --count 2

      shifu read "serial:/dev/ttyUSB0?baudrate=9600&parity=N" --unit 3 --register 52 --function 4

      shifu read tcp://10.0.0.5:502 --profile eastron-sdm630

      shifu read opc.tcp://10.0.0.6:4840

      shifu read mqtt://10.0.0.7:1883/sensor/1
    """
    from controller.probe import ProbeRequest, list_profiles, probe  # noqa: PLC0415

    hush_libraries()
    if profiles or not where:
        rows = list_profiles()
        print_json(rows) if as_json else [
            print(f"{row['id']:<28} {row['equipment']:<14} {row['model']}") for row in rows
        ]
        return
    password = ""
    if user:
        password = os.environ.get("SHIFU_READ_PASSWORD") or typer.prompt(
            f"Password of {user}", hide_input=True, err=True
        )
    request = ProbeRequest(
        where, unit, register, count, function, tuple(node or ()), profile, timeout, user=user, password=password
    )
    result = asyncio.run(probe(request))
    print_json(result.data) if as_json else print(result.text)
    if result.failed:
        _fail(result.failed, 1)


# -- the rest ----------------------------------------------------------------------------------------------------------


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def sim(context: typer.Context) -> None:
    """Speak to the simulators of the demo, or run them.

    `shifu sim fault freeze tx1-meter`, `shifu sim run …`, `shifu sim --help`.
    """
    from controller.demo import demo_folder  # noqa: PLC0415

    arguments = list(context.args)
    if arguments and arguments[0] in ("fault", "ledger", "values", "status") and "--run-dir" not in arguments:
        arguments[1:1] = ["--run-dir", str(demo_folder() / "run")]
    done = subprocess.run([sys.executable, "-m", "simulators", *arguments], check=False)
    raise typer.Exit(done.returncode)


@app.command()
def version(as_json: AsJson = False) -> None:
    """Show the versions of Shifu, of its formats, and of what it runs on."""
    from controller.api.frame import MAGIC  # noqa: PLC0415
    from controller.history.frame import VERSION as FRAME_VERSION  # noqa: PLC0415
    from controller.history.shelf import SCHEMA_VERSION  # noqa: PLC0415
    from controller.journal.database import newest_schema  # noqa: PLC0415

    formats = {
        "state": newest_schema(),
        "log frame": FRAME_VERSION,
        "history": SCHEMA_VERSION,
        "stream": MAGIC.to_bytes(4, "little").decode(),
    }
    data: dict[str, Any] = {
        "shifu": product_version(),
        "formats": formats,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "config": str(share_dir("config")),
    }
    if as_json:
        print_json(data)
    else:
        data["formats"] = ", ".join(f"{name} {value}" for name, value in formats.items())
        print("\n".join(f"{key:<14} {value}" for key, value in data.items()))


if os.environ.get("SHIFU_TRACEBACK"):
    app.pretty_exceptions_enable = True
