"""The demo's ends: a taken port, Ctrl-C and SIGTERM at any moment, and no child that outlives it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.services.city import City, wait_for


def ended(children: list[psutil.Process]) -> bool:
    return not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_at_its_first_start_leaves_no_child(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = ["demo", "--folder", str(tmp_path / "demo"), "--port", str(port), "--days", "366"]
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "controller", *arguments], stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
        try:
            me = psutil.Process(process.pid)
            children = wait_for(lambda: me.children(recursive=True), 40, lambda: log.read_text("utf-8"))
            process.send_signal(number)
            code = process.wait(20)
        finally:
            process.kill()

    said = log.read_text("utf-8")
    assert f"Port {port} is taken; using " in said
    assert "Stopping…" in said
    assert "Traceback" not in said
    assert code == 0
    wait_for(lambda: ended(children), 5)


@pytest.mark.timeout(150)
def test_ctrl_c_stops_all_children_and_each_start_has_new_links(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with City(folder) as city:
        links = set(city.links.values())
        assert city._process
        children = psutil.Process(city._process.pid).children(recursive=True)
        assert len(children) >= 2, "simulators, and their broker or DDC server"
        mode = (folder / "run").stat().st_mode & 0o777
        code = city.stop(signal.SIGINT)

    assert code == 0
    assert mode == 0o700
    wait_for(lambda: ended(children), 5, lambda: str(children))
    assert "Traceback" not in city.log
    assert len(links) == 5
