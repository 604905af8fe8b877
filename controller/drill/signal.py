"""The real signals before which every drill gives way: fire, SOS, people trapped, panel faults, gas, duress.

They are read from the present values of the points themselves, not from the list of alarms: no delay, acknowledgement
or shelving stands between a detector and the end of a drill, and what a drill shows for a point is kept elsewhere and
cannot be mistaken for it. Which points count follows from the site's alarms: every alarm of life safety, and every
alarm of the fire system of priority 1 or 2 (its fault is one). Rules of `reference` 1.5 for drills: never blocked,
delayed, hidden or renamed by a drill.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from controller.point.model import Name
from controller.safety.fire import FireStatus
from controller.safety.response import Phase as ResponsePhase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from controller.alarm.definition import AlarmDefinition
    from controller.point.model import Site
    from controller.point.table import PointTable
    from controller.safety.watch import FireWatch

__all__ = ["Signal", "Watch", "fire_signals"]

_GOOD = 64
"""Qualities below this are good (OPC UA severity)."""
_PANEL_TAGS = frozenset({"fault", "panel_lost", "relay_disagrees"})
_KINDS = {"sos_button": "sos", "lift": "trapped", "access_controller": "duress", "gas_detector": "gas"}
_UNKNOWN = Name("火警狀態不明", "fire status unknown")
_NOWHERE = Name("", "")
_NO_PANEL = Name("本場所沒有可讀取的受信總機", "this site has no fire panel that can be read")


@dataclass(frozen=True, slots=True)
class Signal:
    """One real signal that is active now."""

    kind: str
    """`fire`, `pre_alarm`, `panel`, `unknown` (what the panel says is not known), `sos`, `trapped`, `duress`, `gas` or
    `other`."""
    point: str
    """Address; empty where no point can say."""
    text: Name
    equipment: str = ""
    place: Name = _NOWHERE
    """Name of the equipment."""
    area: str = ""
    floor: str = ""

    def public(self) -> Signal:
        """Return what may be told to everybody: of a duress only that something is real.

        Its alarm goes to those who answer it, and whoever stands beside the person must not read it from a wall.
        """
        return Signal("other", "", _NOWHERE) if self.kind in {"duress", "other"} else self

    def to_json(self) -> dict[str, Any]:
        """Return the signal for API, stream and journal."""
        return {
            "kind": self.kind,
            "point": self.point,
            "text": {"zh": self.text.zh, "en": self.text.en},
            "equipment": self.equipment,
            "place": {"zh": self.place.zh, "en": self.place.en},
            "area": self.area,
            "floor": self.floor,
        }

    @classmethod
    def of_json(cls, data: Any) -> Signal:
        """Return the signal that `to_json` wrote."""
        return cls(**{**data, "text": Name(**data["text"]), "place": Name(**data["place"])})


class Watch:
    """The points of a site that end a drill; found anew for each configuration."""

    def __init__(self, site: Callable[[], Site], alarms: Callable[[], Iterable[AlarmDefinition]]) -> None:
        """Watch the points of whatever site and alarms are in effect."""
        self._site = site
        self._alarms = alarms
        self._of: Site | None = None

    def _follow(self) -> None:
        site = self._site()
        if site is self._of:
            return
        self._of = site
        rows: list[tuple[int, int, float, Signal]] = []
        for alarm in self._alarms():
            if alarm.number < 0 or not (alarm.life_safety or (alarm.system == "fire" and alarm.priority <= 2)):
                continue
            signal = _signal(site, alarm.point, alarm.text)
            if alarm.kind == "state":
                rows += [(alarm.number, 0, float(state), signal) for state in alarm.states]
            else:
                rows.append((alarm.number, 1 if alarm.kind.startswith("high") else -1, alarm.limit, signal))
        panels = []
        for point in site.points.values():
            equipment = site.equipment.get(point.equipment)
            if equipment is None or not point.address.endswith(".fire"):
                continue
            if equipment.cls in {"fire_panel", "fire_relay"}:
                # The panel's own bit is there at every poll, and its zones only follow it.
                rows.append((point.number, 0, 1.0, _signal(site, point.address, Name("火警", "fire"))))
            if equipment.cls == "fire_panel":
                panels.append((point.number, _signal(site, point.address, _UNKNOWN, "unknown")))
        rows.sort(key=lambda row: row[3].kind != "fire")
        self._signals = tuple(row[3] for row in rows)
        self._number = np.array([row[0] for row in rows], np.intp)
        self._side = np.array([row[1] for row in rows], np.int8)
        self._target = np.array([row[2] for row in rows], np.float64)
        self._panels = tuple(panels)

    def active(self, table: PointTable) -> tuple[Signal, ...]:
        """Return the signals that are active in the present values, fires first, one a point.

        A point of bad quality keeps what it said last while it was good: a detector that fell silent in a fire has not
        put it out. A panel whose fire input is not known good is a signal of its own.
        """
        self._follow()
        if len(self._number) and int(self._number.max()) >= table.size:
            return (Signal("unknown", "", _UNKNOWN),)
        value = table.value[self._number]
        value = np.where(np.isfinite(value), value, table.good_value[self._number])
        with np.errstate(invalid="ignore"):
            hit = np.where(self._side == 0, value == self._target, self._side * (value - self._target) > 0)
        found = {self._signals[place].point: self._signals[place] for place in reversed(hit.nonzero()[0].tolist())}
        signals = [*reversed(found.values())]
        signals += [unknown for number, unknown in self._panels if int(table.quality[number]) >= _GOOD]
        if not self._panels:
            signals.append(Signal("unknown", "", _NO_PANEL))
        return tuple(signals)


def fire_signals(watch: FireWatch) -> tuple[Signal, ...]:
    """Return what the watch over fire says on top: a response that is not over, a status that is not known.

    A panel that was reset is not the end of a fire: that is when the safety officer stands down.
    """
    found = []
    if watch.response.phase is ResponsePhase.ACTIVE:
        found.append(Signal("fire", "", Name("火警尚未解除", "the fire is not stood down")))
    if watch.table.panel and watch.picture.status is FireStatus.UNKNOWN:
        found.append(Signal("unknown", "", _UNKNOWN))
    return tuple(found)


def _signal(site: Site, address: str, text: Name, kind: str = "") -> Signal:
    point = site.points[address]
    equipment = site.equipment[point.equipment]
    return Signal(
        kind or _kind(equipment.cls, equipment.system, address.rsplit(".", 1)[1]),
        address,
        text,
        equipment.address,
        equipment.name,
        point.area,
        equipment.floor,
    )


def _kind(cls: str, system: str, tag: str) -> str:
    if system != "fire":
        return _KINDS.get(cls, "other")
    if tag in _PANEL_TAGS:
        return "panel"
    return "pre_alarm" if tag == "pre_alarm" else "fire"
