"""The electrical tree: one 22.8 kV supply, five transformers, five boards, forty feeders, what hangs below them.

Power is a flow of physical kW and kvar from the loads up; the main node is transformers' load plus their losses. What
a meter shows of a node is another matter (`simulators.plant.meter`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.people import light_share, occupancy
from simulators.plant.transformer import TransformerBank
from simulators.plant.weather import stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulators.plant.calendar import Moment

__all__ = ["BOARDS", "FEEDERS", "KINDS", "HouseLoad", "Network", "Topology"]

BOARDS, FEEDERS = 5, 40
KINDS = ("machine", "light", "socket", "handler", "lift", "server", "kitchen", "park")
"""The eight feeders of each board: its chiller (on the fifth board pumps and towers), then these."""
_TANGENT = np.tan(np.arccos(np.array([0.88, 0.95, 0.93, 0.96, 0.85, 0.98, 0.99, 0.87])))
_DISTORTION = np.array([4.0, 12.0, 18.0, 22.0, 20.0, 14.0, 2.0, 15.0])
_JITTER = np.array([0.0, 0.01, 0.025, 0.01, 0.25, 0.006, 0.12, 0.03])
_JITTER_S = np.array([60.0, 600.0, 300.0, 300.0, 45.0, 900.0, 240.0, 600.0])
_RESIDUE = 0.06
"""Part of a feeder that no sub-meter sees."""
_BUSBAR = 2e-4
_STEP_KVAR, _STEPS = 40.0, 6
_SERVER_KW, _PARK_KW, _KITCHEN_KW, _LIFT_KW = 1060.0, 380.0, 260.0, 170.0
"""Servers come with their UPS and with what of their cooling is not chilled water: most of the night's base."""


@dataclass(frozen=True, slots=True)
class Topology:
    """Who hangs below whom; indices from 0."""

    rated_kva: NDArray[np.float64]
    """(BOARDS,)"""
    board_of_feeder: NDArray[np.int64]
    """(FEEDERS,)"""
    feeder_of_meter: NDArray[np.int64]
    """(M,) of the sub-meters."""
    lone_kw: NDArray[np.float64]
    """(K,) rating of meters that hang below no feeder of the tree (a small site's single board)."""


@dataclass(frozen=True, slots=True)
class HouseLoad:
    """What the rest of the world draws, kW."""

    chillers: NDArray[np.float64]
    """(4,)"""
    drives: float
    handlers_west: float
    handlers_rest: float
    light: float
    """All lamps, kW."""
    socket: float
    """All plugs, kW."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """What the parts of the building draw, kW, by kind of feeder; it takes the place of the usual course of lifts
    and of the fans and chargers of the car park, and comes on top of everything else."""


class Network:
    """Power of every node: 0 main, 1-5 transformers, 6-10 boards, 11-50 feeders, then sub-meters, then lone ones."""

    MAIN = 0
    TRANSFORMER = 1
    BOARD = 6
    FEEDER = 11
    METER = 51

    def __init__(self, seed: int, topology: Topology) -> None:
        """All noise comes from `seed`."""
        self.topology = topology
        self.meters = len(topology.feeder_of_meter)
        self.lone = self.METER + self.meters
        self.nodes = self.lone + len(topology.lone_kw)
        self.transformers = TransformerBank(seed, topology.rated_kva)
        draw = stream(seed, "network")
        kind = np.arange(FEEDERS) % 8
        self._kind = kind
        self._tangent = _TANGENT[kind] * draw.uniform(0.9, 1.1, FEEDERS)
        self._jitter, self._jitter_s = _JITTER[kind], _JITTER_S[kind]
        self._weight = draw.gamma(4.0, 0.25, self.meters)
        self._board = topology.board_of_feeder
        shares = np.empty((3, self.nodes))
        shares[:, : self.lone] = draw.normal(1.0, 0.02, (3, self.lone))
        shares[:, self.METER : self.lone] = draw.normal(1.0, 0.06, (3, self.meters))
        # Lone meters draw from a stream of their own: the tree is the same with and without them.
        shares[:, self.lone :] = stream(seed, "lone meter").normal(1.0, 0.06, (3, self.nodes - self.lone))
        # Larger nodes are sums of many: their phases are closer together.
        shares[:, : self.FEEDER] = draw.normal(1.0, 0.008, (3, self.FEEDER))
        self.shares = shares / shares.sum(axis=0)
        """(3, nodes) each phase's part of the power."""
        node_board = np.zeros(self.nodes, np.int64)
        node_board[self.TRANSFORMER : self.BOARD] = node_board[self.BOARD : self.FEEDER] = np.arange(BOARDS)
        node_board[self.FEEDER : self.METER] = self._board
        node_board[self.METER : self.lone] = self._board[topology.feeder_of_meter]
        self.node_board = node_board
        self._noise = stream(seed, "network noise")
        self._lone_noise = stream(seed, "lone meter noise")
        self._feeder_noise = np.zeros(FEEDERS)
        self._meter_noise = np.zeros(self.meters + len(topology.lone_kw))
        self._supply_noise = self._frequency_noise = 0.0
        self._steps = np.zeros(BOARDS)
        self.lost_steps = np.zeros(BOARDS)
        """Steps of each bank that do not come in."""
        self._steps_s = 0.0
        self.supply_pu, self.frequency = 1.0, 60.0
        self.power = np.zeros(self.nodes)
        self.reactive = np.zeros(self.nodes)
        self.distortion = np.full(self.nodes, 8.0)

    @property
    def steps(self) -> NDArray[np.float64]:
        """Return the capacitor steps that are in at each board."""
        return self._steps

    def step(self, dt_s: float, moment: Moment, outdoor_c: float, house: HouseLoad) -> None:
        """Advance by `dt_s` under what the house draws."""
        draw = self._noise.standard_normal(FEEDERS + self.meters + 2)
        lone = self._lone_noise.standard_normal(self.nodes - self.lone)
        keep = np.exp(-dt_s / self._jitter_s)
        self._feeder_noise = keep * self._feeder_noise + np.sqrt(1.0 - keep * keep) * draw[:FEEDERS]
        slow = float(np.exp(-dt_s / 900.0))
        root = float(np.sqrt(1.0 - slow * slow))
        self._meter_noise = slow * self._meter_noise + root * np.concatenate((draw[FEEDERS:-2], lone))
        self._supply_noise = slow * self._supply_noise + root * float(draw[-2])
        quick = float(np.exp(-dt_s / 20.0))
        self._frequency_noise = quick * self._frequency_noise + float(np.sqrt(1.0 - quick * quick) * draw[-1])
        self.frequency = 60.0 + 0.012 * self._frequency_noise
        busy = occupancy(moment.hour, workday=moment.workday)
        self.supply_pu = 1.006 - 0.012 * busy + 0.004 * self._supply_noise
        self._feed(moment, busy, house)
        self._climb(dt_s, outdoor_c)

    def _feed(self, moment: Moment, busy: float, house: HouseLoad) -> None:
        lamps = light_share(moment.hour, workday=moment.workday)
        lunch = max(0.0, 1.0 - abs(moment.hour - 11.8) / 1.8) if moment.workday else 0.0
        rush = sum(max(0.0, 1.0 - abs(moment.hour - at) / 0.7) for at in (8.2, 12.0, 13.3, 17.6)) * moment.workday
        usual = np.empty((BOARDS, 8))
        usual[:4, 0] = house.chillers + 3.0
        usual[4, 0] = house.drives + 4.0
        usual[:, 1] = house.light / BOARDS + 3.0 * lamps
        usual[:, 2] = house.socket / BOARDS
        usual[0, 3] = house.handlers_west + 4.0
        usual[1:, 3] = house.handlers_rest / 4.0 + 4.0
        usual[:, 4] = _LIFT_KW / BOARDS * (0.06 + 0.5 * busy + 0.44 * min(rush, 1.0))
        usual[:, 5] = _SERVER_KW / BOARDS
        usual[:, 6] = _KITCHEN_KW / BOARDS * (0.06 + 0.74 * lunch + 0.2 * busy)
        # At night lamps at a third, and fans only when their carbon-monoxide sensors ask.
        usual[:, 7] = _PARK_KW / BOARDS * (0.3 + 0.7 * busy)
        if "lift" in house.parts:
            usual[:, 4] = 0.0
        if "park" in house.parts:
            usual[:, 7] = _PARK_KW / BOARDS * (0.3 + 0.25 * busy)
        for kind, kw in house.parts.items():
            usual[:, KINDS.index(kind)] += kw / BOARDS
        feeder = slice(self.FEEDER, self.METER)
        # Lifts that are simulated one by one bring their own restlessness.
        calm = (self._kind == KINDS.index("lift")) & ("lift" in house.parts)
        noise = 1.0 + np.where(calm, 0.02, self._jitter) * np.clip(self._feeder_noise, -2.5, 2.5)
        self.power[feeder] = usual.reshape(-1) * noise
        self.reactive[feeder] = self.power[feeder] * self._tangent
        self.distortion[feeder] = _DISTORTION[self._kind]
        below = slice(self.METER, self.lone)
        parent = self.topology.feeder_of_meter
        weight = self._weight * np.exp(0.12 * self._meter_noise[: self.meters])
        total = np.bincount(parent, weight, FEEDERS) / (1.0 - _RESIDUE)
        part = weight / np.maximum(total, 1e-12)[parent]
        self.power[below] = part * self.power[feeder][parent]
        self.reactive[below] = part * self.reactive[feeder][parent]
        self.distortion[below] = self.distortion[feeder][parent]
        if len(self.topology.lone_kw):
            swing = np.exp(0.15 * self._meter_noise[self.meters :])
            self.power[self.lone :] = self.topology.lone_kw * (0.12 + 0.4 * busy + 0.2 * lamps) * swing
            self.reactive[self.lone :] = 0.33 * self.power[self.lone :]

    def _climb(self, dt_s: float, outdoor_c: float) -> None:
        feeder = slice(self.FEEDER, self.METER)
        board_kw = np.asarray(np.bincount(self._board, self.power[feeder], BOARDS) * (1.0 + _BUSBAR), np.float64)
        board_kvar = np.bincount(self._board, self.reactive[feeder], BOARDS)
        squares = np.bincount(self._board, (self.power[feeder] * self.distortion[feeder]) ** 2, BOARDS)
        distortion = 1.6 * np.sqrt(squares) / np.maximum(board_kw, 1.0)
        self._steps_s += dt_s
        if self._steps_s >= 60.0:
            # Capacitor bank: a step in when more than 1.1 steps are missing, out before the board leads.
            missing = board_kvar - self._steps * _STEP_KVAR
            change = np.where(missing > 1.1 * _STEP_KVAR, 1.0, np.where(missing < 0.0, -1.0, 0.0))
            self._steps = np.clip(self._steps + change, 0.0, _STEPS - self.lost_steps)
            self._steps_s = 0.0
        rest_kvar = board_kvar - self._steps * _STEP_KVAR
        lead = slice(self.TRANSFORMER, self.BOARD)
        board = slice(self.BOARD, self.FEEDER)
        self.power[board] = self.power[lead] = board_kw
        self.reactive[board] = self.reactive[lead] = rest_kvar
        self.distortion[board] = self.distortion[lead] = distortion
        bank = self.transformers
        bank.step(dt_s, outdoor_c, self.supply_pu, board_kw, rest_kvar, self.shares[:, lead], distortion)
        load = np.hypot(board_kw, rest_kvar) / bank.rated_kva
        self.power[self.MAIN] = board_kw.sum() + bank.losses_kw.sum()
        # Magnetising 0.5 % and the stray field, u_k 6 %.
        self.reactive[self.MAIN] = float(np.sum(rest_kvar + bank.rated_kva * (0.005 + 0.06 * load**2)))
        self.distortion[self.MAIN] = 0.6 * float(distortion.mean())
