"""Milliseconds from an alarm on the wire to the message in a mail relay's and a web server's hands.

    python benchmarks/notify.py [--samples 20]

A meter of a small site is polled each second by a controller in a process of its own; at each poll its power crosses
the alarm's limit, and each time that it goes up is a new alarm for two contacts: one by mail, one by webhook. The clock
starts when the meter's answer leaves it, and stops when the receiver has the whole message: between lie the cycle's
100 ms, the journal's commit of the alarm, that of the intent and that of the attempt, and the receiver's own protocol.
Limit: 2 s.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.alarm_latency import Meter, site
from tests.services.receiver import MailRelay, WebReceiver

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
LIMIT_MS = 2000.0

NOTIFY = """
hosts = ["127.0.0.1"]
cleared = "none"
pace = {{ most = 100, within_min = 1 }}
[[channel]]
id = "mail"
kind = "mail"
name = {{ zh = "郵件", en = "mail" }}
host = "127.0.0.1"
port = {mail}
security = "none"
sender = "shifu@example.invalid"
[[channel]]
id = "hook"
kind = "webhook"
name = {{ zh = "網路", en = "hook" }}
url = "http://127.0.0.1:{hook}/hook"
[[contact]]
id = "by-mail"
name = {{ zh = "甲", en = "a" }}
ways = [{{ channel = "mail", to = "duty@example.invalid" }}]
[[contact]]
id = "by-hook"
name = {{ zh = "乙", en = "b" }}
ways = [{{ channel = "hook" }}]
[[route]]
id = "all"
name = {{ zh = "全部", en = "all" }}
steps = [{{ to = ["contact:by-mail", "contact:by-hook"] }}]
"""


class Raised(Meter):
    """Remembers when each rise left."""

    rises: list[float] = []  # noqa: RUF012 - one list for all connections, as the class it stands on has it

    def data_received(self, data: bytes) -> None:
        was = Meter.high
        super().data_received(data)
        if Meter.high and not was:
            Raised.rises.append(Meter.changed)


async def measure(samples: int, folder: Path, relay: MailRelay, web: WebReceiver) -> dict[str, list[float]]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Raised, "127.0.0.1", 0)
    site(folder / "site", server.sockets[0].getsockname()[1])
    alarms = folder / "site" / "alarms.toml"
    # Each fall ends the alarm at once, so that each rise is a new one.
    alarms.write_text(re.sub(r"off_delay_s = \d+", "off_delay_s = 0", alarms.read_text("utf-8")), "utf-8")
    (folder / "site" / "notify.toml").write_text(NOTIFY.format(mail=relay.port, hook=web.port), "utf-8")
    log = folder / "controller.log"
    command = [sys.executable, "-m", "controller", "run", str(folder / "site"), "--data", str(folder / "data")]
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: ASYNC220 - once, before anything is measured
            [*command, "--port", "0"], stdout=file, stderr=file, env={**os.environ, "PYTHONUNBUFFERED": "1"}, cwd=ROOT
        )
    try:
        async with asyncio.timeout(90 + 3 * samples):
            while min(len(relay.mails), len(web.posts)) < samples + 1:
                if process.poll() is not None:
                    raise SystemExit(log.read_text("utf-8")[-2000:])
                await asyncio.sleep(0.2)
    finally:
        process.terminate()
        process.wait(20)
        server.close()
    # The first one is left out: the controller starts meanwhile, and loads the library of the channels.
    return {
        "mail relay has it": delays([mail.at for mail in relay.mails][1:]),
        "web server has it": delays([post.at for post in web.posts][1:]),
    }


def delays(arrivals: Sequence[float]) -> list[float]:
    """Return the milliseconds from the last rise before each arrival."""
    return [(at - max(rise for rise in Raised.rises if rise <= at)) * 1000 for at in arrivals]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=20)
    samples = parser.parse_args().samples
    with tempfile.TemporaryDirectory() as name, MailRelay() as relay, WebReceiver() as web:
        found = uvloop.run(measure(samples, Path(name), relay, web))
    print(
        f"{'alarm on the wire until …':28}{'samples':>9}{'median ms':>11}{'p95 ms':>9}{'worst ms':>10}{'limit ms':>10}"
    )
    for what, values in found.items():
        row = np.array(values)
        figures = (np.median(row), np.percentile(row, 95), row.max(), LIMIT_MS)
        print(f"{what:28}{len(row):11}" + "".join(f"{one:11.0f}" for one in figures))
    if any(max(values) > LIMIT_MS for values in found.values()):
        raise SystemExit("over the limit")


if __name__ == "__main__":
    main()
