"""The demo: the simulated City Hall and the controller in one command, with keys and passwords made anew each time."""

from __future__ import annotations

import asyncio
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

from pydantic import ValidationError

from controller.app import Controller, Options
from controller.errors import InvalidError, UnavailableError
from controller.journal.lock import FolderLock
from controller.settings.build import Endpoints
from controller.settings.file import InfluxRow
from controller.share import share_dir

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DemoOptions", "demo_folder", "demo_influx", "free_port", "reset_demo", "run_demo"]

_log = logging.getLogger(__name__)
_START_S = 180.0
_DAYS = 7
_OURS = ("data", "run", "history.")
"""What the demo writes into its folder, by the start of the names."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line may change."""

    port: int = 8080
    seed: int = 1
    mqtt: str = ""
    """`host:port` of a broker to use in place of the embedded one."""
    folder: Path | None = None
    days: int = _DAYS
    influx: InfluxRow | None = None
    """An InfluxDB that gets the readings beside the embedded store."""


def demo_folder() -> Path:
    """Return where the demo keeps its data: `$XDG_DATA_HOME/shifu/demo`."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "shifu" / "demo"


def demo_influx(where: str) -> InfluxRow | None:
    """Read `http://host:8086/org/bucket`; the token comes from the environment.

    Raises:
        InvalidError: it has another shape.
    """
    if not where:
        return None
    url, _, bucket = where.rpartition("/")
    url, _, org = url.rpartition("/")
    try:
        return InfluxRow(url=url, org=org, bucket=bucket, token_env="SHIFU_INFLUX_TOKEN")  # noqa: S106 - a name
    except ValidationError:
        raise InvalidError(f'--influx: got "{where}", wanted http://host:8086/org/bucket') from None


def reset_demo(folder: Path) -> bool:
    """Forget the demo's data; return whether there was any.

    Raises:
        ConflictError: the demo runs.
        InvalidError: the folder holds something that no demo has written.
    """
    if not folder.exists():
        return False
    strange = [path.name for path in folder.iterdir() if not path.name.startswith(_OURS)]
    if strange:
        raise InvalidError(
            f"{folder} holds {', '.join(sorted(strange)[:5])}, which is not the demo's; remove it by hand"
        )
    with FolderLock(folder / "run"):
        shutil.rmtree(folder)
    return True


def free_port(wanted: int, say: Callable[[str], None]) -> int:
    """Return `wanted` on 127.0.0.1, or the next free one of twenty, and say so.

    Raises:
        UnavailableError: all twenty are taken.
    """
    for port in range(wanted, min(wanted + 20, 65_536)) if wanted else (0,):
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
        ConflictError: a demo runs on this folder already.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    # From the first moment: a signal during the minutes of the first start must not leave a child behind.
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    work = asyncio.create_task(_run(options, say))
    waiting = asyncio.create_task(stopped.wait())
    await asyncio.wait([work, waiting], return_when=asyncio.FIRST_COMPLETED)
    if stopped.is_set() and not work.done():
        say("Stopping…")
        work.cancel()
    waiting.cancel()
    try:
        await work
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise


async def _run(options: DemoOptions, say: Callable[[str], None]) -> None:
    site = share_dir("config") / "taipei-city-hall"
    folder = options.folder or demo_folder()
    run = folder / "run"
    history = folder / "history.npz"
    with FolderLock(run):  # two demos on one folder would stop each other's simulators
        for path in run.iterdir():
            if path.name != "controller.lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        run.chmod(0o700)
        port = free_port(options.port, say)
        common = ["--site", str(site), "--seed", str(options.seed)]
        first = not history.exists()
        if first:
            say(f"First start: the simulated building writes its last {options.days} days…")
        else:
            say("Starting the simulated City Hall…")
        command = ["run", *common, "--run-dir", str(run), "--endpoints", str(run / "endpoints.json")]
        command += ["--history", str(history), *(["--days", str(options.days)] if first else [])]
        command += ["--mqtt", options.mqtt] if options.mqtt else []
        log = run / "simulators.log"
        simulators = _spawn("simulators", command, log)
        importing = asyncio.create_task(_import(site, folder / "data", history, run / "import.log"))
        try:
            await _appears(history, simulators, log)
            await importing
            await _appears(run / "endpoints.json", simulators, log)
            endpoints = Endpoints.read(run / "endpoints.json")
            data = folder / "data"
            await _control(Options(site, data, "127.0.0.1", port, endpoints, demo=True, influx=options.influx), say)
        finally:
            importing.cancel()
            await asyncio.gather(importing, return_exceptions=True)
            _stop(simulators)


async def _import(site: Path, data: Path, history: Path, log: Path) -> None:
    """Have the history file imported, once.

    In a process of its own, whose memory goes when it is done, and which reads the site while the file is written.
    """
    done = data / "history.imported"
    if done.exists():
        return
    wait = ["--wait", f"{_START_S:g}"]
    arguments = ["history", "import", str(history), "--site", str(site), "--data", str(data), *wait]
    await _to_the_end(_spawn("controller", arguments, log), log, "import")
    done.write_text(f"{history.name}\n", "utf-8")


async def _control(options: Options, say: Callable[[str], None]) -> None:
    controller = Controller(options)
    try:
        await controller.start()
        _greet(controller, say)
        await controller.run()
    finally:
        await controller.close()


def _greet(controller: Controller, say: Callable[[str], None]) -> None:
    url = controller.server.url
    say("")
    say(f"Shifu is at {url}")
    say("Sign in as (each link works once, on this machine, until the demo ends):")
    for role, token in controller.identity.demo_links().items():
        say(f"  {role.value:<16} {url}/link#token={token}")
    say("")
    say("Ctrl-C stops it; `make demo-reset` forgets its data.")


async def _appears(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for a file that the simulators write."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_S
    while not path.exists():
        if process.poll() is not None:
            said = log.read_text("utf-8", errors="replace").strip().splitlines()[-1:]
            todo = "if the folder is of an older release, `make demo-reset` forgets it"
            raise UnavailableError(f"the simulators ended with {process.returncode}: {' '.join(said)[:300]}; {todo}")
        if loop.time() > deadline:
            raise UnavailableError(f"the simulators were not ready within {_START_S:g} s; see {log}")
        await asyncio.sleep(0.05)


def _spawn(module: str, arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


async def _to_the_end(process: subprocess.Popen[bytes], log: Path, what: str) -> None:
    """Wait for a child; it does not outlive a cancelled wait."""
    try:
        await asyncio.to_thread(process.wait)
    finally:
        _stop(process)
    if process.returncode:
        said = log.read_text("utf-8", errors="replace").strip()[-500:]
        raise UnavailableError(f"could not {what} the history of the last days: {said}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask, then insist: no child outlives the demo."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
