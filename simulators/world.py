"""The simulated city hall: one clock, one weather, one building, one plant, one grid, and the devices that watch them.

The whole building is always simulated; a site's files say which devices look at it. Everything random comes from one
seed through one generator a purpose. The world knows no wall clock: whoever owns it calls `step`.
"""

from __future__ import annotations

import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.plant.calendar import Calendar
from simulators.plant.catalogue import PARTS, model_of
from simulators.plant.cooling import CoolingPlant
from simulators.plant.device import Device, State
from simulators.plant.fancoil import FanCoilBank
from simulators.plant.handler import HandlerBank
from simulators.plant.layout import (
    CONTROL,
    CONTROL_FLOOR,
    CONTROL_KW,
    FANCOIL_M2,
    FANCOIL_ZONE,
    FANCOILS,
    FLOORS,
    HANDLER_ZONE,
    HOUSE,
    WINGS,
    ZONES,
    fancoil_room,
    glass_share,
    handler_column,
    place_of,
    wall_share,
    zone_area,
    zone_heads,
)
from simulators.plant.memento import collect, restore
from simulators.plant.meter import MeterBank
from simulators.plant.network import BOARDS, FEEDERS, HouseLoad, Network, Topology
from simulators.plant.part import Scene, Wires
from simulators.plant.people import People, light_share
from simulators.plant.room import RoomBank
from simulators.plant.weather import Weather
from simulators.plant.zone import ZoneBank
from simulators.site import SiteError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from simulators.plant.calendar import Moment
    from simulators.plant.part import Part
    from simulators.plant.quantity import Model
    from simulators.plant.weather import Outdoor
    from simulators.site import SimulatedDevice, SimulatedSite

__all__ = ["World"]

_AIR_KG_M2 = 10.8 / 1500.0
_CONTROL_AIR = 1.6
"""Each machine of the control room can carry its screens alone: so many times the air of an office."""
_WATCH = 3.0
"""People who are in the control room at any hour."""
_LAMP_W, _PLUG_W, _DESK_W = 10.0, 2.0, 90.0
_ROOM_KW, _ROOM_LS = 420.0, 17.0
"""Computer rooms: heat that goes into the chilled water day and night."""
_METERS = 150
_WARM_S, _WARM_STEP_S = 26 * 3600, 100.0
_FLOOR = re.compile(r"(\d+)F")
_NAMED = re.compile(r"([a-z]+)_?0*(\d+)?(.*)")


class World:
    """Everything that the simulated devices measure, advanced by `step`."""

    def __init__(self, site: SimulatedSite, seed: int, start: datetime | int, *, warm: bool = True) -> None:
        """Begin at `start` (aware datetime, or ns since 1970 UTC), warmed up by 26 hours of coarse steps before it.

        `warm` False leaves that out, for a world whose state is restored.

        Raises:
            SiteError: a device cannot be simulated: unknown profile, or an equipment that the building has not got.
            ValueError: `start` has no time zone.
        """
        if not isinstance(start, int):
            if start.tzinfo is None:
                raise ValueError("start: got a datetime without time zone, wanted an aware one")
            start = round(start.timestamp() * 1e6) * 1000
        self.site, self.seed, self.time_ns = site, seed, start
        self._calendar = Calendar(site.timezone, site.country)
        self._weather = Weather(seed, site.latitude, site.longitude)
        area = zone_area()
        self._design_heads = zone_heads(float(site.simulation.get("occupants", 6000)))
        self._people = People(seed, self._design_heads)
        self.zones = ZoneBank(area, glass_share(), wall_share())
        served = (area + np.bincount(FANCOIL_ZONE, FANCOIL_M2, ZONES))[HANDLER_ZONE]
        served[HANDLER_ZONE == CONTROL] *= _CONTROL_AIR
        self.handlers = HandlerBank(seed, served * _AIR_KG_M2)
        self.fancoils = FanCoilBank(seed)
        self.plant = CoolingPlant(seed)
        models = [(row, model_of(row.profile, row.id)) for row in site.devices]
        self._house = f"{site.buildings[0].id}." if site.buildings else ""
        lone = [row.equipment for row, model in models if model.cls == "meter" and self._node(row) is None]
        self.network = Network(seed, self._topology(site, list(dict.fromkeys(lone))))
        self.meters = self._meter_bank(models, list(dict.fromkeys(lone)))
        self.rooms = self._room_bank(models)
        self.parts: dict[str, Part] = {}
        """The other parts of the building that devices look at, by the name of their class."""
        self._part_of: dict[str, Part] = {}
        self.wires = Wires()
        for kind in PARTS:
            mine = [row for row in site.devices if row.profile in kind.models]
            if mine:
                part = self.parts[kind.__name__] = kind(seed, site, mine)
                self._part_of.update({row.id: part for row in mine})
        self._outdoor: Outdoor | None = None
        self.coil_kw = 0.0
        """Heat that coils and computer rooms put into the chilled water, kW."""
        self.devices: dict[str, Device] = {}
        self._masters: list[tuple[Device, int]] = []
        self._fans: list[tuple[Device, int]] = []
        for row, model in models:
            self.devices[row.id] = self._device(row, model)
        if warm:
            self._warm_up()

    @property
    def outdoor(self) -> Outdoor:
        """Return the weather now."""
        if self._outdoor is None:
            moment = self._calendar.at(self.time_ns)
            self._outdoor = self._weather.at(self.time_ns, moment.day, moment.hour)
        return self._outdoor

    def step(self, dt_s: float, longest_s: float = 100.0) -> None:
        """Advance everything by `dt_s` > 0; long steps are cut into parts of at most `longest_s` (up to 150) inside."""
        if not dt_s > 0.0:
            raise ValueError(f"dt_s: got {dt_s}, wanted more than 0")
        drives = self.plant.drives
        for device, column in self._masters:
            device.silent_s += dt_s
            drives.silent[column] = device.listening and device.silent_s > drives.loss_after_s
        for device, column in self._fans:
            while device.occurrences:
                self.handlers.happen(column, device.occurrences.popleft().type)
        self._advance(dt_s, longest_s)
        self._show()

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the state of the physics as arrays, to be saved with `numpy.savez`."""
        state = {}
        for name, component in self._components():
            state.update({f"{name}/{key}": value for key, value in collect(component).items()})
        state["time_ns"] = np.array(self.time_ns)
        return state

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Put back what `state_dict` gave; then let the time that has passed since go by, up to two days.

        The clock of the world stays where it was when it was made, or goes to the state's time if that is later.

        Raises:
            ValueError: the state belongs to other devices or another version.
        """
        wanted = self.time_ns
        for name, component in self._components():
            prefix = f"{name}/"
            restore(component, {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)})
        self.time_ns = int(state["time_ns"])
        self._outdoor = None
        gap_s = (wanted - self.time_ns) / 1e9
        if gap_s > 0.0:
            if gap_s > 2 * 86_400:
                # After a long pause only the last two days matter to temperatures; counters stood still meanwhile.
                self.time_ns = wanted - 2 * 86_400 * 1_000_000_000
                gap_s = 2.0 * 86_400
            self._advance(gap_s, _WARM_STEP_S)
            self.time_ns = wanted
            self._show()

    def _components(self) -> list[tuple[str, object]]:
        """Return everything that has a state, by name."""
        return [*((name, getattr(self, name)) for name in _CORE), *self.parts.items()]

    def _warm_up(self) -> None:
        end = self.time_ns
        self.time_ns = end - _WARM_S * 1_000_000_000
        self._advance(_WARM_S, _WARM_STEP_S)
        self.time_ns = end
        self._show()

    def _advance(self, dt_s: float, longest_s: float) -> None:
        parts = max(1, math.ceil(dt_s / longest_s - 1e-9))
        part_s = dt_s / parts
        start = self.time_ns
        for number in range(1, parts + 1):
            self.time_ns = start + round(dt_s * 1e9 * number / parts)
            self._part(part_s)

    def _part(self, dt_s: float) -> None:
        moment = self._calendar.at(self.time_ns)
        outdoor = self._weather.at(self.time_ns, moment.day, moment.hour)
        self._outdoor = outdoor
        heads = self._people.at(moment)
        heads[CONTROL] = max(heads[CONTROL], _WATCH)
        lamps = light_share(moment.hour, workday=moment.workday)
        zones, handlers, rooms, plant = self.zones, self.handlers, self.fancoils, self.plant
        light_w = zones.area * (_LAMP_W * lamps)
        socket_w = zones.area * _PLUG_W + _DESK_W * heads
        socket_w[CONTROL] += 1000.0 * CONTROL_KW
        handlers.step(dt_s, moment, outdoor, zones, plant.supply_c, plant.dp_kpa)
        rooms.step(dt_s, moment, zones, lamps, plant.supply_c, plant.dp_kpa)
        zones.step(
            dt_s, outdoor, heads, light_w + socket_w - rooms.people_w(), *handlers.supply(), rooms.to_zone_w
        )  # fmt: skip
        self.coil_kw = float(handlers.heat_kw.sum()) + rooms.heat_kw + _ROOM_KW
        valves = float(handlers.conductance().sum()) + rooms.conductance()
        plant.step(dt_s, outdoor, valves + _ROOM_LS, self.coil_kw)
        fans = handlers.power_kw
        room_light, room_socket = rooms.socket_kw(lamps)
        house = HouseLoad(
            chillers=np.array([chiller.power_kw for chiller in plant.chillers]),
            drives=float(plant.drives.power_kw.sum()),
            handlers_west=float(fans[:FLOORS].sum()),
            handlers_rest=float(fans[FLOORS:].sum()) + rooms.power_kw,
            light=float(light_w[HOUSE].sum()) / 1000.0 + room_light,
            socket=float(socket_w[HOUSE].sum()) / 1000.0 + room_socket,
            parts=self._step_parts(dt_s, moment, outdoor, heads, lamps),
        )
        self.network.step(dt_s, moment, outdoor.temperature, house)
        self.meters.run(dt_s, self.time_ns)
        self.rooms.step(dt_s)
        self._crowd, self._lamps = heads / self._design_heads, lamps

    def _step_parts(
        self, dt_s: float, moment: Moment, outdoor: Outdoor, heads: NDArray[np.float64], lamps: float
    ) -> dict[str, float]:
        """Advance the parts and return what they draw, kW, by kind of feeder."""
        crowd = float(heads[HOUSE].sum() / self._design_heads[HOUSE].sum())
        scene = Scene(
            self.time_ns, moment, outdoor, self.zones, heads, crowd, lamps,
            self.plant.makeup_lmin, tuple(self.network.steps.tolist()), self.wires,
        )  # fmt: skip
        before = self.wires.fire_floors
        drawn: dict[str, float] = {}
        for part in self.parts.values():
            part.step(dt_s, scene)
            for kind, kw in part.loads_kw().items():
                drawn[kind] = drawn.get(kind, 0.0) + kw
        self._obey(before)
        return drawn

    def _obey(self, before: frozenset[str]) -> None:
        """Do what the parts' hard wires ask of the core: air handlers in fire mode, capacitor steps that are out."""
        wires = self.wires
        for floor in before ^ wires.fire_floors:
            level = _FLOOR.fullmatch(floor)
            if level and 1 <= int(level[1]) <= FLOORS:
                for wing in range(len(WINGS)):
                    self.handlers.fire(wing * FLOORS + int(level[1]) - 1, active=floor in wires.fire_floors)
            elif floor == CONTROL_FLOOR:
                for column in np.flatnonzero(HANDLER_ZONE == CONTROL).tolist():
                    self.handlers.fire(column, active=floor in wires.fire_floors)
        if wires.lost_steps:
            self.network.lost_steps[:] = wires.lost_steps

    def _show(self) -> None:
        for part in self.parts.values():
            part.show()
        self.plant.show(self.outdoor)
        self.handlers.show(self.outdoor, self.zones)
        self.fancoils.show()
        self.rooms.show(self.outdoor, self.zones, self.fancoils.air, self._crowd, self._lamps)
        self.network.transformers.show()
        self.meters.show()

    def _topology(self, site: SimulatedSite, lone: list[str]) -> Topology:
        rated = np.full(BOARDS, 2000.0)
        board = np.arange(FEEDERS) // 8
        feeder = np.arange(_METERS) % FEEDERS
        for address, equipment in site.equipment.items():
            name, number = _split(address)
            parent = _parent(equipment.parameters.get("fed_by"))
            if name == "tx" and 1 <= number <= BOARDS:
                rated[number - 1] = float(equipment.parameters.get("rated_kva", 2000.0))
            elif name == "feeder" and 1 <= number <= FEEDERS and parent is not None and parent <= BOARDS:
                board[number - 1] = parent - 1
            elif (
                name == "em"
                and address.startswith(self._house)
                and 1 <= number <= _METERS
                and parent is not None
                and parent <= FEEDERS
            ):
                feeder[number - 1] = parent - 1
        ratings = [
            float(site.equipment[a].parameters.get("rated_kw", 40.0)) if a in site.equipment else 40.0 for a in lone
        ]
        return Topology(rated, board, feeder, np.array(ratings, np.float64))

    def _meter_bank(self, models: list[tuple[SimulatedDevice, Model]], lone: list[str]) -> MeterBank:
        names, nodes, accuracy = [], [], []
        for row, model in models:
            if model.cls == "meter":
                node = self._node(row)
                names.append(row.id)
                nodes.append(self.network.lone + lone.index(row.equipment) if node is None else node)
                accuracy.append(model.accuracy_percent)
        return MeterBank(self.seed, self.network, names, nodes, accuracy)

    def _node(self, row: SimulatedDevice) -> int | None:
        """Return the node of the grid that a meter sits at; None for one that stands alone or in another building."""
        return _node(row) if row.equipment.startswith(self._house) else None

    def _room_bank(self, models: list[tuple[SimulatedDevice, Model]]) -> RoomBank:
        names, zone, height, fancoil = [], [], [], []
        for row, model in models:
            if model.cls in ("environment", "wall"):
                names.append(row.id)
                zone.append(place_of(self.site, row.equipment))
                equipment = self.site.equipment.get(row.equipment)
                height.append(4.0 * (_level(equipment.floor if equipment else "") - 1))
                fancoil.append(fancoil_room(equipment.area) if equipment else None)
        return RoomBank(self.seed, names, zone, height, fancoil)

    def _device(self, row: SimulatedDevice, model: Model) -> Device:
        if row.id in self._part_of:
            return self._part_of[row.id].device(row)
        bank = self.network.transformers
        match model.cls:
            case "meter":
                return Device(row, State(self.meters.rows, self.meters.table, self.meters.names.index(row.id)))
            case "environment":
                return Device(row, State(self.rooms.rows, self.rooms.table, self.rooms.names.index(row.id)))
            case "wall":
                return Device(row, State(self.rooms.wall_rows, self.rooms.table, self.rooms.names.index(row.id)))
            case "relay":
                return Device(row, State(bank.relay_rows, bank.relay, _place(row, "tx", BOARDS)))
            case "cubicle":
                return Device(row, State(bank.cubicle_rows, bank.cubicle, _place(row, "tx", BOARDS)))
            case "chiller":
                column = _place(row, "ch", 4)
                chiller = self.plant.chillers[column]
                chiller.gateway = row.profile == "site-standard-chiller"
                rows, table = self.plant.chiller_rows, self.plant.chiller_table
                return Device(
                    row, State(rows, table, column), _shown(chiller.take, rows, table, column), chiller.forget
                )
            case "drive":
                return self._drive(row)
            case "header":
                state = State(self.plant.header_rows, self.plant.header_table, 0)
                return Device(row, state, self.plant.take_header, self.plant.forget_header)
            case "fcu":
                column = _place(row, "fcu", FANCOILS)
                state = State(self.fancoils.rows, self.fancoils.table, column)
                return Device(row, state, partial(self.fancoils.take, column), partial(self.fancoils.forget, column))
            case _:
                return self._handler(row)

    def _handler(self, row: SimulatedDevice) -> Device:
        column = handler_column(row.equipment)
        if column is None:
            raise SiteError(
                f'device "{row.id}" equipment: got "{row.equipment}", wanted …ahu_01f_w to ahu_12f_n, w, sw, e or n, '
                f"or …ahu_cr_1 and ahu_cr_2"
            )
        state = State(self.handlers.rows, self.handlers.table, column)
        device = Device(row, state, partial(self.handlers.take, column), partial(self.handlers.forget, column))
        self._fans.append((device, column))
        return device

    def _drive(self, row: SimulatedDevice) -> Device:
        name, _ = _split(row.equipment)
        first = {"chwp": 0, "cwp": 8, "ct": 16}.get(name)
        if first is None:
            raise SiteError(
                f'device "{row.id}" equipment: got "{row.equipment}", wanted …chwp1 to 8, cwp1 to 8, ct1 to 4'
            )
        column = first + _place(row, name, 4 if name == "ct" else 8)
        drives = self.plant.drives
        state = State(drives.rows, drives.table, column)
        device = Device(row, state, partial(drives.take, column), partial(drives.forget, column))
        self._masters.append((device, column))
        return device


_CORE = ("zones", "handlers", "fancoils", "plant", "network", "meters", "rooms")


def _level(floor: str) -> int:
    match = _FLOOR.fullmatch(floor)
    return int(match[1]) if match else 1


def _split(address: str) -> tuple[str, int]:
    """Return name and number of an address's last part: `…feeder07` -> ("feeder", 7), `…ahu_05f_w` -> ("ahu", 5)."""
    match = _NAMED.fullmatch(address.rsplit(".", 1)[-1])
    return (match[1], int(match[2] or 0)) if match else ("", 0)


def _parent(value: object) -> int | None:
    number = _split(value)[1] if isinstance(value, str) else 0
    return number if number > 0 else None


def _node(row: SimulatedDevice) -> int | None:
    """Return the node of the grid that a meter sits at; None for one that stands alone."""
    name, number = _split(row.equipment)
    if name == "main":
        return Network.MAIN
    ranges = {
        "tx": (Network.TRANSFORMER, BOARDS),
        "lv": (Network.BOARD, BOARDS),
        "feeder": (Network.FEEDER, FEEDERS),
        "em": (Network.METER, _METERS),
    }
    first, count = ranges.get(name, (0, 0))
    return first + number - 1 if 1 <= number <= count else None


def _place(row: SimulatedDevice, name: str, count: int) -> int:
    got, number = _split(row.equipment)
    if got != name or not 1 <= number <= count:
        raise SiteError(
            f'device "{row.id}" equipment: got "{row.equipment}", the simulated building has {name}1 to {name}{count}'
        )
    return number - 1


def _shown(
    take: Callable[[str, float], float], rows: Mapping[str, int], table: np.ndarray[Any, Any], column: int
) -> Callable[[str, float], float]:
    """Return `take` that also shows the value in effect at once, so that a read-back need not wait for a step."""
    effective = {"chw_setpoint": "effective_chw_setpoint", "demand_limit": "effective_demand_limit"}

    def accept(tag: str, value: float) -> float:
        effect = take(tag, value)
        if tag != "alarm_reset":
            table[rows[tag], column] = effect
            if tag in effective:
                table[rows[effective[tag]], column] = effect
        return effect

    return accept
