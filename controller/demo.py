"""The demo: the simulated City Hall and the controller in one command, with keys and passwords made anew each time."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from controller.app import Controller, Options
from controller.errors import UnavailableError
from controller.settings.build import Endpoints
from controller.share import share_dir

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DemoOptions", "demo_folder", "free_port", "reset_demo", "run_demo"]

_log = logging.getLogger(__name__)
_START_S = 60.0
_DAYS = 7


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line may change."""

    port: int = 8080
    seed: int = 1
    mqtt: str = ""
    """`host:port` of a broker to use in place of the embedded one."""
    folder: Path | None = None
    days: int = _DAYS


def demo_folder() -> Path:
    """Return where the demo keeps its data: `$XDG_DATA_HOME/shifu/demo`."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "shifu" / "demo"


def reset_demo(folder: Path) -> bool:
    """Forget the demo's data; return whether there was any."""
    if not folder.exists():
        return False
    shutil.rmtree(folder)
    return True


def free_port(wanted: int, say: Callable[[str], None]) -> int:
    """Return `wanted` on 127.0.0.1, or the next free one of twenty, and say so.

    Raises:
        UnavailableError: all twenty are taken.
    """
    for port in range(wanted, wanted + 20) if wanted else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port != wanted:
                say(f"Port {wanted} is taken; using {port}.")
            return port
    raise UnavailableError(f"the ports {wanted} to {wanted + 19} are all taken; give another with --port")


async def run_demo(options: DemoOptions, say: Callable[[str], None]) -> None:
    """Run until Ctrl-C or SIGTERM; every child is stopped before this returns.

    Raises:
        UnavailableError: the simulators do not start, or no port is free.
    """
    site = share_dir("config") / "taipei-city-hall"
    folder = options.folder or demo_folder()
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    run.chmod(0o700)
    history = folder / "history.npz"
    port = free_port(options.port, say)
    if not history.exists():
        say(f"First start: the simulated building writes its last {options.days} days…")
        await _run_to_end(
            [
                "history",
                "--site",
                str(site),
                "--seed",
                str(options.seed),
                "--days",
                str(options.days),
                "--out",
                str(history),
            ]
        )
    say("Starting the simulated City Hall…")
    command = ["run", "--site", str(site), "--seed", str(options.seed), "--run-dir", str(run)]
    command += ["--endpoints", str(run / "endpoints.json"), "--history", str(history)]
    if options.mqtt:
        command += ["--mqtt", options.mqtt]
    simulators = _spawn(command, run / "simulators.log")
    controller: Controller | None = None
    try:
        endpoints = await _endpoints(run / "endpoints.json", simulators, run / "simulators.log")
        controller = Controller(
            Options(site, folder / "data", "127.0.0.1", port, endpoints, demo=True, import_file=history)
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, controller.stop)
        await controller.start()
        _greet(controller, say)
        await controller.run()
    finally:
        say("Stopping…")
        if controller is not None and hasattr(controller, "server"):
            await controller.close()
        _stop(simulators)


def _greet(controller: Controller, say: Callable[[str], None]) -> None:
    url = controller.server.url
    say("")
    say(f"Shifu is at {url}")
    say("Sign in as (each link works once, on this machine, until the demo ends):")
    for role, token in controller.identity.demo_links().items():
        say(f"  {role.value:<16} {url}/link#token={token}")
    say("")
    say("Ctrl-C stops it; `make demo-reset` forgets its data.")


async def _endpoints(path: Path, process: subprocess.Popen[bytes], log: Path) -> Endpoints:
    """Wait for the simulators' map of endpoints."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_S
    while loop.time() < deadline:
        if process.poll() is not None:
            raise UnavailableError(f"the simulators ended with {process.returncode}; see {log}")
        if path.exists():
            return Endpoints.parse(json.loads(path.read_text("utf-8")))
        await asyncio.sleep(0.05)
    raise UnavailableError(f"the simulators were not ready within {_START_S:g} s; see {log}")


def _spawn(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "simulators", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


async def _run_to_end(arguments: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise UnavailableError(f"the simulators could not write the history: {output.decode(errors='replace')[-500:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask, then insist: no child outlives the demo."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
