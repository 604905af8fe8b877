"""`shifu read`: what a device says before anything is configured, as text for people and as data for programs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from controller.clock import SystemClock
from controller.errors import InvalidError
from controller.settings.library import Library, find_profile
from controller.settings.problem import Problem
from drivers.modbus.probe import probe as probe_modbus
from drivers.modbus.probe import probe_profile
from drivers.mqtt.sighting import probe as probe_mqtt
from drivers.opcua.browse import probe as probe_opcua
from drivers.opcua.trust import Credentials
from drivers.reading import Quality

if TYPE_CHECKING:
    from drivers.profile import Profile

__all__ = ["ProbeRequest", "Shown", "list_profiles", "probe"]

_NOT_READ = (-1, Quality.BAD_COMM, Quality.BAD_DEVICE, Quality.BAD_CONFIG)
_NOTE = "The row that looks like the value on the device's display tells type and word order."


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """What to read."""

    where: str
    unit: int = 1
    register: int = 0
    count: int = 2
    function: int = 3
    nodes: tuple[str, ...] = ()
    profile: str = ""
    timeout_s: float = 3.0
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer in both forms."""

    text: str
    data: Any
    failed: str = ""
    """Why it is of no use, although something can be shown."""


def list_profiles() -> list[dict[str, str]]:
    """Return id, equipment, vendor, model, protocol and source of every profile that comes along."""
    library = Library()
    found = [library.get(name) for name in library.names()]
    return [
        {
            "id": profile.id,
            "equipment": profile.equipment,
            "protocol": profile.protocol,
            "model": f"{profile.vendor} {profile.model}",
            "source": profile.source,
        }
        for profile in found
        if not isinstance(profile, Problem)
    ]


async def probe(request: ProbeRequest) -> Shown:
    """Read once, by the scheme of the address.

    Raises:
        InvalidError: the address has no scheme that is known, or there is no such profile.
        DriverError: what the device or its network says.
    """
    scheme = request.where.split(":", 1)[0]
    if scheme in ("tcp", "rtu+tcp", "serial"):
        return await _modbus(request)
    if request.profile:
        raise InvalidError(f'--profile reads Modbus devices, and "{scheme}:" is none; without it everything is shown')
    if "@" in urlsplit(request.where).netloc:
        raise InvalidError("the user stands in the address; give it with --user, so that no list of processes shows it")
    if scheme == "opc.tcp":
        login = Credentials(security="none", user=request.user, password=request.password)
        findings = await probe_opcua(request.where, SystemClock(), nodes=request.nodes, credentials=login)
        rows = [(item.node, item.name, item.value, item.status) for item in findings]
        data = [dict(zip(("node", "name", "value", "status"), row, strict=True)) for row in rows]
        return Shown(_table(("node", "name", "value", "status"), rows), data)
    if scheme in ("mqtt", "mqtts"):
        secrets = {"user": request.user, "password": request.password} if request.user else {}
        seen = await probe_mqtt(request.where, SystemClock(), timeout_s=request.timeout_s, secrets=secrets)
        lines = [f"{seen.topic}{' (retained)' if seen.retained else ''}", f"raw: {seen.raw[:400]!r}", seen.note]
        text = "\n".join(line for line in lines if line) + "\n" + _table(("path", "value"), list(seen.values))
        return Shown(text, {"topic": seen.topic, "raw": seen.raw.hex(), "values": dict(seen.values), "note": seen.note})
    raise InvalidError(
        f'"{request.where}": wanted tcp://host:502, rtu+tcp://host:4001, serial:/dev/ttyUSB0?baudrate=9600&parity=N, '
        "opc.tcp://host:4840 or mqtt://host:1883/a/topic"
    )


async def _modbus(request: ProbeRequest) -> Shown:
    if request.profile:
        return await _profile(request, _find(request.profile))
    seen = await probe_modbus(
        request.where,
        request.unit,
        request.register,
        request.count,
        request.function,
        timeout_s=request.timeout_s,
    )
    rows = [(name, "  ".join(f"{value:.10g}" for value in values)) for name, values in seen.values.items()]
    head = f"unit {request.unit}, function {seen.function}, registers {seen.register}–{seen.register + seen.count - 1}"
    text = f"{head}\nraw: {seen.raw.hex(' ')}\n{_table(('type', 'value'), rows)}\n{_NOTE}"
    values = {name: [value if math.isfinite(value) else None for value in row] for name, row in seen.values.items()}
    return Shown(text, {"unit": request.unit, "register": seen.register, "raw": seen.raw.hex(), "values": values})


async def _profile(request: ProbeRequest, profile: Profile) -> Shown:
    seen = await probe_profile(profile, request.where, request.unit, SystemClock())
    rows, data = [], []
    for point, value, quality in zip(seen.points, seen.value, seen.quality, strict=True):
        word = Quality(quality).name.lower() if quality >= 0 else "no answer"
        shown = f"{value:.{point.decimals}f}" if math.isfinite(value) else "—"
        rows.append((point.tag, shown, point.unit, word, point.zh))
        data.append(
            {"tag": point.tag, "value": value if math.isfinite(value) else None, "unit": point.unit, "quality": word}
        )
    nothing = all(quality in _NOT_READ for quality in seen.quality)
    failed = f"{request.where} unit {request.unit}: no point of {profile.id} could be read; look at unit and model"
    return Shown(_table(("tag", "value", "unit", "quality", "name"), rows), data, failed if nothing else "")


def _find(name: str) -> Profile:
    found, _ = find_profile(name)
    if found.protocol != "modbus":
        raise InvalidError(f'profile "{name}" is for {found.protocol}; --profile reads Modbus devices')
    return found


def _table(head: tuple[str, ...], rows: list[Any]) -> str:
    """Return left-aligned columns."""
    cells = [head, *[tuple(str(cell) for cell in row) for row in rows]]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
