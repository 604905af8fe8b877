"""`python -m simulators run | history | fault | ledger | values | status`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulators.control import Control, ControlError, ask
from simulators.fault import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.wire.mqtt import BrokerAddress

__all__ = ["main"]

_SOCKET = "control.sock"
_KEEP = 20_000
"""Answers and writes that the ledger keeps in memory; `--ledger FILE` keeps all."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (2: what was asked for cannot be done; the reason is on stderr)."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.act(options))
    except ControlError as error:
        print(f"simulators: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("simulators", description="The simulated devices of a site, on real protocols.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="serve all devices of a site on loopback, at the speed of the clock")
    _site(run)
    _place(run)
    run.add_argument("--mqtt", metavar="HOST:PORT", help="the broker of the sensors; without it an embedded one starts")
    run.add_argument("--mqtt-user", default="", help="user name at that broker")
    run.add_argument("--mqtt-password-file", type=Path, help="file whose first line is the password there")
    run.add_argument("--report-s", type=float, default=600.0, help="report interval of the room sensors (600)")
    run.add_argument(
        "--history", type=Path, help="go on from the state beside this history file; with --days it is written first"
    )
    run.add_argument("--days", type=float, help="days before the start that are simulated and written to --history")
    run.add_argument("--ledger", type=Path, help="file that keeps every value served and every write received")
    run.add_argument("--outlive-parent", action="store_true", help="go on when the process that started this is gone")
    run.set_defaults(act=_run)

    history = commands.add_parser("history", help="write the last days as a history file (physics alone, no sockets)")
    _site(history)
    history.add_argument("--days", type=float, default=7.0, help="how many days up to now (7)")
    history.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    history.set_defaults(act=_history)

    fault = commands.add_parser(
        "fault",
        help="make one device fail, or well again",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join([*(f"{name:11} {text}" for name, text in COMMANDS.items()), "list        faults in force"]),
    )
    _place(fault)
    fault.add_argument("kind", choices=[*COMMANDS, "list"])
    fault.add_argument("device", nargs="?", default="")
    fault.add_argument("arguments", nargs="*")
    fault.set_defaults(act=_fault)

    for name, text in (
        ("ledger", "print what a device was written, as JSON"),
        ("values", "print what a device shows, as JSON"),
    ):
        question = commands.add_parser(name, help=text)
        _place(question)
        question.add_argument("device")
        question.set_defaults(act=_question, kind=name)
    status = commands.add_parser("status", help="print the counters of the running fleet, as JSON")
    _place(status)
    status.set_defaults(act=_question, kind="status", device="")
    return parser


def _site(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", type=Path, required=True, help="folder of the site, such as config/taipei-city-hall")
    parser.add_argument("--seed", type=int, default=1, help="seed of everything random (1)")


def _place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--endpoints", type=Path, default=Path("endpoints.json"), help="the endpoint map (endpoints.json)"
    )
    parser.add_argument("--run-dir", type=Path, help="certificates and control socket (beside the map, MAP.run)")


def _run_dir(options: argparse.Namespace) -> Path:
    given: Path | None = options.run_dir
    return given if given is not None else Path(options.endpoints).with_suffix(".run")


def _run(options: argparse.Namespace) -> int:
    # Physics and protocol libraries take a second to import; the small commands do without.
    import uvloop  # noqa: PLC0415

    from simulators.history import STEP_S, load_world, past_world, state_path, write_past  # noqa: PLC0415
    from simulators.ledger import Ledger  # noqa: PLC0415
    from simulators.process import Fleet, FleetOptions, machine_time_ns, serve  # noqa: PLC0415
    from simulators.site import SiteError, read_site  # noqa: PLC0415
    from simulators.wire.record import recording, writes_of  # noqa: PLC0415
    from simulators.world import World  # noqa: PLC0415

    run_dir = _run_dir(options)
    try:
        run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        site, start = read_site(options.site), machine_time_ns()
        prelude = None
        if options.history and options.days:
            world = past_world(site, options.seed, start, options.days)
            prelude = partial(write_past, world, start, STEP_S, options.history)
        elif options.history:
            world = load_world(site, options.seed, start, state_path(options.history))
        else:
            world = World(site, options.seed, start)
        ledger = Ledger(options.ledger, keep=_KEEP)
        record = recording(ledger, lambda: world.time_ns)
        fleet = Fleet(world, FleetOptions(run_dir, options.seed, _broker(options), options.report_s), record)
        control = Control(
            run_dir / _SOCKET, fleet.board, fleet.status, lambda device: writes_of(ledger, device)
        )  # fmt: skip
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                alone = not options.outlive_parent
                runner.run(serve(fleet, options.endpoints, control, _say, with_parent=alone, prelude=prelude))
        finally:
            ledger.close()
    except (SiteError, ValueError, RuntimeError, OSError) as error:
        print(f"simulators: {error}", file=sys.stderr)
        return 2
    return 0


def _broker(options: argparse.Namespace) -> BrokerAddress | None:
    from simulators.wire.mqtt import BrokerAddress  # noqa: PLC0415

    if not options.mqtt:
        return None
    host, _, port = str(options.mqtt).removeprefix("mqtt://").rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f'--mqtt: got "{options.mqtt}", wanted HOST:PORT such as 127.0.0.1:1883')
    password = ""
    if options.mqtt_password_file:
        password = options.mqtt_password_file.read_text("utf-8").splitlines()[0]
    return BrokerAddress(host, int(port), options.mqtt_user, password)


def _say(line: str) -> None:
    print(line, flush=True)


def _history(options: argparse.Namespace) -> int:
    from simulators.history import write_history  # noqa: PLC0415
    from simulators.process import machine_time_ns  # noqa: PLC0415
    from simulators.site import SiteError, read_site  # noqa: PLC0415

    try:
        written = write_history(
            read_site(options.site), options.seed, machine_time_ns(), days=options.days, path=options.out
        )
        print(json.dumps({"path": str(written.path), "points": written.points, "samples": written.samples}))
    except (SiteError, ValueError, OSError) as error:
        print(f"simulators: {error}", file=sys.stderr)
        return 2
    return 0


def _fault(options: argparse.Namespace) -> int:
    _print(ask(_run_dir(options) / _SOCKET, options.kind, options.device, tuple(options.arguments))["faults"])
    return 0


def _question(options: argparse.Namespace) -> int:
    answer = ask(_run_dir(options) / _SOCKET, options.kind, options.device)
    answer.pop("ok")
    _print(next(iter(answer.values())))
    return 0


def _print(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
