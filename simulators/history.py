"""The days before the first start, by physics alone, as a file that the controller imports.

Format: `.npz` with `address` (P,) text, `time_ns` (T,) int64 and `value` (P, T) float64, NaN where there is none.
Beside it lies `<path>.state`, from which the live world goes on, so that counters do not jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.plant.catalogue import model_of
from simulators.plant.quantity import AHU, CHILLER, ENVIRONMENT, FCU, HEADER, METER, RELAY, WALL
from simulators.site import point_address
from simulators.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulators.site import SimulatedSite

__all__ = ["STEP_S", "HistoryFile", "load_world", "past_world", "state_path", "write_history", "write_past"]

STEP_S = 300.0
"""One sample of a history every so often."""

_PART_S = 150.0
"""Parts that the physics takes a step in; above 150 s its controls no longer settle."""
_BRIEF_METER = ("power", "energy_import")
_FEEDER_METER = (*_BRIEF_METER, "power_factor", "apparent_power")
_TAGS = {
    "meter": _BRIEF_METER,
    "relay": RELAY[:4],
    "cubicle": (),
    "chiller": tuple(
        tag for tag in CHILLER
        if not tag.startswith("alarm") and tag not in {
            "gateway_heartbeat", "controller_heartbeat", "remote", "start_wait", "minimum_on_left", "enable",
            "chw_setpoint", "demand_limit",
        }
    ),
    "drive": ("run", "speed", "power"),
    "header": HEADER[:9],
    "ahu": (*(tag for tag in AHU[:14] if tag != "chw_valve_cmd"), "fan_run", "outdoor_damper_position"),
    "fcu": FCU,
    "environment": ENVIRONMENT[:8],
    "wall": WALL,
}  # fmt: skip
_Group = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """What was written."""

    path: Path
    state: Path
    points: int
    samples: int


def state_path(path: Path) -> Path:
    """Return where the state beside a history file is."""
    return path.with_name(path.name + ".state")


def write_history(
    site: SimulatedSite,
    seed: int,
    end_ns: int,
    days: float = 7.0,
    step_s: float = STEP_S,
    path: Path = Path("history.npz"),
    *,
    every_tag: bool = False,
) -> HistoryFile:
    """Simulate the `days` before `end_ns` (ns UTC) and write one sample every `step_s`.

    Raises:
        OSError: the files cannot be written.
        ValueError: less than one sample was asked for.
    """
    return write_past(past_world(site, seed, end_ns, days, step_s), end_ns, step_s, path, every_tag=every_tag)


def past_world(site: SimulatedSite, seed: int, end_ns: int, days: float = 7.0, step_s: float = STEP_S) -> World:
    """Return a world `days` before `end_ns`, ns UTC, for `write_past` to bring to that time.

    Raises:
        ValueError: less than one sample was asked for.
    """
    samples = int(days * 86_400 / step_s)
    if samples < 1:
        raise ValueError(f"days {days}, step_s {step_s}: got no sample, wanted at least one")
    step_ns = round(step_s * 1e9)
    # Samples at whole multiples of the step; the world then runs on to the end itself.
    return World(site, seed, (end_ns // step_ns - samples) * step_ns)


def write_past(
    world: World,
    end_ns: int,
    step_s: float,
    path: Path,
    *,
    every_tag: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> HistoryFile:
    """Bring the world to `end_ns` and write one sample every `step_s` of the way.

    Sub-meters give power and energy, larger meters more, everything else what trends, bills and baselines need;
    `every_tag` writes whatever the devices measure. Each file appears whole or not at all, the history last.

    Raises:
        OSError: the files cannot be written.
        InterruptedError: `stopped` said so, asked at each sample; nothing was written.
    """
    samples = int((end_ns - world.time_ns) / 1e9 // step_s)
    address, gather = _columns(world, world.site, every_tag=every_tag)
    time_ns = np.empty(samples, np.int64)
    value = np.empty((samples, len(address)))
    for sample in range(samples):
        if stopped():
            raise InterruptedError("the history of the last days was given up")
        world.step(step_s, _PART_S)
        time_ns[sample] = world.time_ns
        for table, rows, columns, places in gather:
            value[sample, places] = table[rows, columns]
    if end_ns > world.time_ns:
        world.step((end_ns - world.time_ns) / 1e9)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = state_path(path)
    _save(state, world.state_dict())
    _save(path, {"address": np.array(address), "time_ns": time_ns, "value": np.ascontiguousarray(value.T)})
    return HistoryFile(path, state, len(address), samples)


def load_world(site: SimulatedSite, seed: int, start_ns: int, state: Path) -> World:
    """Return a world at `start_ns` that goes on from a saved state; the time between is simulated in coarse steps.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no state, or that of another site or version.
    """
    with np.load(state, allow_pickle=False) as saved:
        arrays = {name: saved[name] for name in saved.files}
    world = World(site, seed, start_ns, warm=False)
    world.restore(arrays)
    return world


def _columns(world: World, site: SimulatedSite, *, every_tag: bool) -> tuple[list[str], list[_Group]]:
    address: list[str] = []
    groups: dict[int, tuple[np.ndarray[Any, Any], list[int], list[int], list[int]]] = {}
    for row in site.devices:
        device = world.devices[row.id]
        for tag in device.quantities if every_tag else _tags(row.profile, row.id, row.equipment):
            if tag in row.omit:
                continue
            table, line, column = device.state.place(tag)
            _, lines, columns, places = groups.setdefault(id(table), (table, [], [], []))
            lines.append(line)
            columns.append(column)
            places.append(len(address))
            address.append(point_address(row, tag))
    gather: list[_Group] = [
        (t, np.array(r, np.intp), np.array(c, np.intp), np.array(p, np.intp)) for t, r, c, p in groups.values()
    ]
    return address, gather


def _tags(profile: str, device: str, equipment: str) -> tuple[str, ...]:
    model = model_of(profile, device)
    if model.cls != "meter":
        return _TAGS.get(model.cls, model.history)
    name = equipment.rsplit(".", 1)[-1]
    if name.startswith("em"):
        return _BRIEF_METER
    return _FEEDER_METER if name.startswith("feeder") else METER


def _save(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    part.replace(path)
