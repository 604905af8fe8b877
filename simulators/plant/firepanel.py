"""The fire panel: zones, panel bits, and what the building does by hard wire when a zone is in fire.

A zone goes into pre-alarm or fire when that happens (`shifu sim fault event fire-panel fire zone=12`); the panel's bits
and counts, the outputs of the floor, the lifts' recall and the floor's air handlers follow by themselves. A hard-wired
relay tells fire and fault a second time, past the gateway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulators.plant.device import Device, State
from simulators.plant.quantity import Model
from simulators.site import SiteError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from simulators.plant.device import Occurrence
    from simulators.plant.part import Scene
    from simulators.site import SimulatedDevice, SimulatedSite

__all__ = ["BITS", "FLOORS", "FLOOR_OUTPUTS", "GAS_VALVES", "LIFTS", "PANEL", "RELAY_INPUTS", "ZONES", "FirePanel"]

ZONES, FLOORS, LIFTS, GAS_VALVES = 64, 16, 16, 8
NORMAL, PRE_ALARM, FIRE, FAULT, DISABLED, TEST = range(6)
BITS = (
    "fire", "pre_alarm", "fault", "disablement", "test", "silenced", "evacuation", "mains_fail", "battery_fault",
    "earth_fault",
)  # fmt: skip
FLOOR_OUTPUTS = {
    "fire_door_1": 6.0, "fire_door_2": 7.0, "fire_door_3": 8.0,
    "smoke_damper_1": 14.0, "smoke_damper_2": 16.0, "smoke_damper_3": 18.0,
    "smoke_fan": 20.0, "pressurisation": 12.0, "door_release": 2.0, "ahu_stop_1": 5.0, "ahu_stop_2": 6.0,
}  # fmt: skip
"""What each floor's devices answer with, and after how many seconds of fire."""
RELAY_INPUTS = ("fire", "fault")
_GAS_S = 4.0
_ZONE_TAGS = [f"zone_{n:02}_{what}" for what in ("state", "detector") for n in range(1, ZONES + 1)]
_FLOOR_TAGS = [f"floor_{n:02}_{what}" for n in range(1, FLOORS + 1) for what in FLOOR_OUTPUTS]
_VALVES = tuple(f"gas_valve_{n}" for n in range(1, GAS_VALVES + 1))
PANEL = (
    "heartbeat", "panel_word", *BITS, "zones_in_fire", "zones_in_fault", *_ZONE_TAGS, *_FLOOR_TAGS,
    *(f"lift_recall_{n:02}" for n in range(1, LIFTS + 1)), *_VALVES,
)  # fmt: skip
_ROW = {tag: row for row, tag in enumerate(PANEL)}
_STATES = {"pre_alarm": PRE_ALARM, "fire": FIRE, "zone_fault": FAULT, "disable": DISABLED, "zone_test": TEST}
_FLAGS = ("silenced", "evacuation", "mains_fail", "battery_fault", "earth_fault")


class FirePanel:
    """One panel with 64 zones on the floors of its building; `table` (Q, 1) holds what the gateway shows."""

    models: ClassVar[Mapping[str, Model]] = {
        "site-standard-fire": Model("fire"),
        "site-standard-fire-relay": Model("fire_relay"),
    }

    def __init__(self, seed: int, site: SimulatedSite, rows: Sequence[SimulatedDevice]) -> None:  # noqa: ARG002
        """Find the floor of every zone and of every floor's outputs in the site's files.

        Raises:
            SiteError: more than one panel, or a zone or floor that has no equipment.
        """
        panels = [row for row in rows if row.profile == "site-standard-fire"]
        if len(panels) > 1:
            raise SiteError(f'device "{panels[1].id}": a second fire panel; the simulated building has one')
        self._zone_floor = [_floor(site, row, "zone", n) for row in panels for n in range(1, ZONES + 1)]
        self._output_floor = [_floor(site, row, "floor", n) for row in panels for n in range(1, FLOORS + 1)]
        building = panels[0].equipment.split(".", 1)[0] if panels else ""
        self._lifts = [f"{building}.lift.l{n:02}" for n in range(1, LIFTS + 1)]
        self.zone = np.zeros(ZONES)
        self.detector = np.zeros(ZONES)
        self.flags = np.zeros(len(_FLAGS))
        self._fire_s = np.full(FLOORS, -1.0)
        """Seconds since the first zone of a floor went into fire; below 0: none is."""
        self._delay_s = np.array(list(FLOOR_OUTPUTS.values()))
        self._follows = np.ones((FLOORS, len(FLOOR_OUTPUTS)))
        """0 for an output whose device does not move."""
        self._gas_s = -1.0
        self._shuts = np.ones(GAS_VALVES)
        """0 for a gas valve that does not shut."""
        self._age_s = 0.0
        self._recalled = np.zeros(LIFTS)
        self._devices: list[Device] = []
        self.table = np.zeros((len(PANEL), 1))
        self.relay = np.zeros((len(RELAY_INPUTS), 1))

    def device(self, row: SimulatedDevice) -> Device:
        """Return what a device looks at; neither takes any write."""
        if row.profile == "site-standard-fire":
            device = Device(row, State(_ROW, self.table, 0))
        else:
            device = Device(row, State({tag: at for at, tag in enumerate(RELAY_INPUTS)}, self.relay, 0))
        self._devices.append(device)
        return device

    def loads_kw(self) -> Mapping[str, float]:
        """Return nothing: smoke fans run on the essential board."""
        return {}

    def step(self, dt_s: float, scene: Scene) -> None:
        """Advance by `dt_s`."""
        for device in self._devices:
            while device.occurrences:
                self._happen(device.occurrences.popleft())
        self._age_s += dt_s
        burning = {floor for floor, state in zip(self._zone_floor, self.zone.tolist(), strict=True) if state == FIRE}
        active = np.array([floor in burning for floor in self._output_floor], np.bool_)
        if len(active):
            self._fire_s = np.where(active, np.maximum(self._fire_s, 0.0) + dt_s, -1.0)
        self._gas_s = max(self._gas_s, 0.0) + dt_s if burning else -1.0
        self._recalled[:] = [lift in scene.wires.recalled for lift in self._lifts]
        scene.wires.fire_floors = frozenset(burning)

    def _happen(self, occurrence: Occurrence) -> None:
        """Let something happen at the panel; other words are nothing to it."""
        kind, data = occurrence.type, occurrence.data
        zone = int(data.get("zone", 0)) - 1
        if kind in _STATES and 0 <= zone < ZONES:
            self.zone[zone] = _STATES[kind]
            if kind in ("fire", "pre_alarm"):
                # The first detector stays: that is what the fire brigade asks for.
                self.detector[zone] = self.detector[zone] or float(data.get("detector", 1))
        elif kind in ("enable", "mend") and 0 <= zone < ZONES:
            self.zone[zone] = NORMAL
        elif kind in _FLAGS:
            self.flags[_FLAGS.index(kind)] = float(data.get("value", 1))
        elif kind == "jam" and str(data.get("output", "")) in _VALVES:
            self._shuts[_VALVES.index(str(data["output"]))] = 0.0
        elif kind == "jam":
            floor, _, what = str(data.get("output", "")).removeprefix("floor_").partition("_")
            if floor.isdigit() and 1 <= int(floor) <= FLOORS and what in FLOOR_OUTPUTS:
                self._follows[int(floor) - 1, list(FLOOR_OUTPUTS).index(what)] = 0.0
        elif kind == "reset":
            # What is still so comes back by itself on a real panel; here the cause ends with the reset.
            self.zone[self.zone != DISABLED] = NORMAL
            self.detector[:] = 0.0
            self.flags[:] = 0.0
            self._follows[:] = 1.0
            self._shuts[:] = 1.0

    def _outputs(self) -> NDArray[np.float64]:
        return np.asarray((self._fire_s[:, None] >= self._delay_s) * self._follows)

    def show(self) -> None:
        """Bring the tables up to date."""
        table, zone = self.table[:, 0], self.zone
        counts = [float(np.count_nonzero(zone == state)) for state in range(6)]
        flags = dict(zip(_FLAGS, self.flags.tolist(), strict=True))
        faulty = counts[FAULT] > 0 or any(flags[name] for name in ("mains_fail", "battery_fault", "earth_fault"))
        bits = [
            counts[FIRE] > 0, counts[PRE_ALARM] > 0, faulty, counts[DISABLED] > 0, counts[TEST] > 0,
            flags["silenced"] > 0, flags["evacuation"] > 0 or counts[FIRE] > 0,
            flags["mains_fail"] > 0, flags["battery_fault"] > 0, flags["earth_fault"] > 0,
        ]  # fmt: skip
        head = 2 + len(BITS)
        table[0] = float(int(self._age_s) & 0xFFFF)
        table[1] = float(sum(bit << place for place, bit in enumerate(bits)))
        table[2:head] = bits
        table[head], table[head + 1] = counts[FIRE], counts[FAULT]
        at = head + 2
        table[at : at + ZONES] = zone
        table[at + ZONES : at + 2 * ZONES] = self.detector
        at += 2 * ZONES
        size = FLOORS * len(FLOOR_OUTPUTS)
        table[at : at + size] = self._outputs().reshape(-1)
        table[at + size : at + size + LIFTS] = self._recalled
        table[at + size + LIFTS :] = (self._gas_s >= _GAS_S) * self._shuts
        self.relay[0, 0], self.relay[1, 0] = bits[0], bits[2]


def _floor(site: SimulatedSite, row: SimulatedDevice, kind: str, number: int) -> str:
    address = row.parts.get(f"{kind}_*", "").replace("*", f"{number:02}")
    equipment = site.equipment.get(address)
    if equipment is None:
        raise SiteError(f'device "{row.id}" parts: got "{address}" for {kind} {number}, wanted an id of equipment.toml')
    return equipment.floor
