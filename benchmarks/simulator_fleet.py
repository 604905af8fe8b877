"""CPU of the simulated city hall at 1x while a client polls every Modbus device and subscribes to every air handler.

    python benchmarks/simulator_fleet.py [--site config/taipei-city-hall] [--seconds 60]

Prints CPU seconds a second of each process (fleet, OPC UA server, broker) and the polls answered. The client is a bare
protocol of its own, and its CPU is not counted. Aim: at most 0.5 of a core for all simulators together.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from simulators.site import SimulatedDevice, read_site
from simulators.wire.certificate import CLIENT_URI
from simulators.wire.ddc import NODES
from simulators.wire.frame import crc16

ROOT = Path(__file__).resolve().parents[1]
_READS: dict[str, tuple[str, ...]] = {
    "janitza-umg801": ("03 4A38 0064",),
    "schneider-pm5560": ("03 0BB7 0070", "03 0C83 0018", "03 0EB5 0002", "03 5333 0024"),
    "schneider-pm5320": ("03 0BB7 0070", "03 0C83 0018", "03 0EB5 0002"),
    "schneider-iem3155": ("03 0BB7 0070", "03 0C83 0018"),
    "siemens-pac3200": ("03 0001 0046", "03 0321 000C"),
    "delta-dpm-c530a": ("03 0100 006C",),
    "eastron-sdm630": ("04 0000 0050", "04 00EA 0012"),
    "carlo-gavazzi-em24": ("04 0000 000A", "04 000C 000A", "04 0028 000A", "04 0032 0006", "04 0042 000A"),
    "abb-b23": ("03 5000 0008", "03 5B00 003E"),
    "tecsystem-nt935": ("03 000F 0001", "03 0019 0010"),
    "diel-mt200": ("03 0001 000A",),
    "site-standard-cubicle": ("02 0000 0010",),
    "site-standard-chiller": ("03 0000 003C", "03 0064 0007"),
    "carrier-23xrv": ("03 0028 0001", "03 002A 0002", "03 0030 0002", "03 0032 0001", "04 003B 0002", "04 003C 0002",
                      "04 003D 0002", "04 003E 0002", "04 0042 0002"),
    "abb-ach580": ("03 0000 0006", "03 0069 0009"),
    "delta-cp2000": ("03 2100 0007", "03 2206 0001"),
    "danfoss-fc102": ("03 C417 0001", "03 C421 0001", "03 3EE3 0002", "03 3F0B 0002", "03 3F01 0001"),
    "site-standard-plant-header": ("04 0000 0009", "03 0064 0003"),
}  # fmt: skip


class Poller:
    """Polls the devices of one endpoint, one request at a time, each in its period."""

    def __init__(self, endpoint: str, actual: str, devices: list[SimulatedDevice]) -> None:
        self.answers = self.refusals = self.late = 0
        self._rtu = endpoint.startswith("rtu+")
        self._host, port = actual.split("://")[1].rsplit(":", 1)
        self._port = int(port)
        self._devices = devices

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        loop = asyncio.get_running_loop()
        due = dict.fromkeys((device.id for device in self._devices), loop.time())
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                for device in self._devices:
                    now = loop.time()
                    if due[device.id] > now:
                        continue
                    self.late += now - due[device.id] > 0.5
                    due[device.id] += device.period_s
                    for read in _READS[device.profile]:
                        await self._ask(reader, writer, device.unit, bytes.fromhex(read))
                await asyncio.sleep(max(0.0, min(due.values()) - loop.time()))
        writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, unit: int, pdu: bytes) -> None:
        body = bytes((unit,)) + pdu
        if self._rtu:
            writer.write(body + crc16(body).to_bytes(2, "little"))
            head = await reader.readexactly(3)
            await reader.readexactly(2 if head[1] & 0x80 else head[2] + 2)
            refused = head[1] & 0x80
        else:
            writer.write(b"\0\1\0\0" + len(body).to_bytes(2, "big") + body)
            head = await reader.readexactly(6)
            refused = (await reader.readexactly(int.from_bytes(head[4:6], "big")))[1] & 0x80
        self.answers += 1
        self.refusals += bool(refused)


class Listener:
    """Counts data changes of a subscription."""

    def __init__(self) -> None:
        self.changes = 0

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:  # noqa: ARG002 - asyncua's shape
        self.changes += 1


async def listen(actual: str, secrets: dict[str, str], prefixes: list[str], listener: Listener) -> Client:
    client = Client(actual, timeout=20)
    client.application_uri = CLIENT_URI
    client.set_user(secrets["user"])
    client.set_password(secrets["password"])
    await client.set_security(
        SecurityPolicyBasic256Sha256, secrets["certificate"], secrets["private_key"],
        server_certificate=secrets["ca"], mode=ua.MessageSecurityMode.SignAndEncrypt,
    )  # fmt: skip
    await client.connect()
    namespace: Any = await client.get_namespace_index("urn:taipei-city-hall:ddc")
    subscription = await client.create_subscription(1000, listener)
    for prefix in prefixes:
        names: list[Any] = [f"{prefix}/{node.name}" for node in NODES]
        await subscription.subscribe_data_change([client.get_node(ua.NodeId(name, namespace)) for name in names])
    return client


async def measure(site_folder: Path, seconds: float, map_path: Path, ready: dict[str, Any]) -> None:
    found = json.loads(map_path.read_text("utf-8"))
    by_endpoint: dict[str, list[SimulatedDevice]] = {}
    for device in read_site(site_folder).devices:
        by_endpoint.setdefault(device.endpoint, []).append(device)
    modbus = {e: d for e, d in by_endpoint.items() if e.startswith(("tcp://", "rtu+tcp://"))}
    pollers = [Poller(endpoint, found[endpoint], devices) for endpoint, devices in modbus.items()]
    listener = Listener()
    clients = [
        await listen(found[e], found["secrets"][e], [str(d.options["node_prefix"]) for d in devices], listener)
        for e, devices in by_endpoint.items()
        if e.startswith("opc.tcp://")
    ]
    tasks = [asyncio.create_task(poller.run()) for poller in pollers]
    await asyncio.sleep(10.0)  # first reports, caches and connections are behind us

    processes = {"fleet": psutil.Process(ready["pid"])}
    for pid in ready["children"]:
        child = psutil.Process(pid)
        processes["opc ua server" if "opcua" in " ".join(child.cmdline()) else "mqtt broker"] = child

    def used() -> dict[str, float]:
        return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}

    before, answers, changes, began = used(), sum(p.answers for p in pollers), listener.changes, time.monotonic()
    await asyncio.sleep(seconds)
    after, passed = used(), time.monotonic() - began
    answered = sum(poller.answers for poller in pollers) - answers
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks)
    for client in clients:
        await client.disconnect()

    share = {name: (after[name] - before[name]) / passed for name in processes}
    print(f"devices polled  {sum(map(len, modbus.values()))} on {len(modbus)} endpoints")
    print(f"answers         {answered / passed:.0f}/s, refused {sum(p.refusals for p in pollers)}, "
          f"late {sum(p.late for p in pollers)}")  # fmt: skip
    print(f"opc ua changes  {(listener.changes - changes) / passed:.0f}/s")
    for name, value in share.items():
        memory = processes[name].memory_info().rss / 1_048_576
        print(f"{name:15} {value:6.1%} of a core, {memory:.0f} MiB")
    print(f"{'all':15} {sum(share.values()):6.1%} of a core (aim: 50 %)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", type=Path, default=ROOT / "config" / "taipei-city-hall")
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        map_path = Path(folder) / "map.json"
        command = [sys.executable, "-m", "simulators", "run", "--site", str(options.site), "--endpoints", str(map_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as fleet:
            assert fleet.stdout is not None
            try:
                line = fleet.stdout.readline()
                if not line:
                    raise SystemExit("the fleet did not start; its message stands above")
                asyncio.run(measure(options.site, options.seconds, map_path, json.loads(line)))
            finally:
                fleet.terminate()


if __name__ == "__main__":
    main()
