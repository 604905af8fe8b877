"""What bay sensors, gates, signs and cameras of the car park say over MQTT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulators.plant.parking import ROW
from simulators.wire.chirpstack import iso
from simulators.wire.talker import Message, StateTalker, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from simulators.fault import View
    from simulators.plant.device import Occurrence
    from simulators.wire.talker import Talker

__all__ = ["PARKING", "RowTalker"]

_HEARTBEAT_S = 3600.0
_GATE = ("closed", "open", "moving", "fault")


class RowTalker:
    """Twenty bay sensors, each with a topic of its own."""

    topics: Sequence[str] = ()

    def __init__(self, view: View) -> None:
        """Speak for the bays of one row."""
        options = view.device.options
        self._view = view
        level = f"site/{options['site']}/parking/{options['level']}"
        self._topic = f"{level}/bay/{options['row']}"
        self._gateway = StateTalker(view, f"{level}/row/{options['row']}", _weakest, heartbeat_s=_HEARTBEAT_S)
        self._said: list[tuple[float, float] | None] = [None] * ROW
        self._due_s = [_HEARTBEAT_S * (n + 1) / ROW for n in range(ROW)]

    def speak(self, now_ns: int, elapsed_s: float) -> Iterable[Message]:
        """Return what changed, and the heartbeats that are due."""
        state = self._view.state()
        chargers = int(state["chargers"])
        found = list(self._gateway.speak(now_ns, elapsed_s))
        for place in range(ROW):
            bay = f"{place + 1:02}"
            now = (state[f"bay_{bay}"], state[f"battery_{bay}"])
            if now == self._said[place] and elapsed_s < self._due_s[place]:
                continue
            if self._said[place] is not None:
                self._due_s[place] = elapsed_s + _HEARTBEAT_S
            self._said[place] = now
            body: dict[str, Any] = {
                "time": iso(now_ns),
                "occupied": bool(now[0]),
                "since": iso(round(state[f"since_{bay}"] * 1e9)),
                "battery": int(now[1]),
            }
            if place < chargers:
                body["charger"] = f"EV{bay}"
            found.append(Message(f"{self._topic}{bay}", encode(body), retain=True, qos=1))
        return found

    def hear(self, topic: str, payload: bytes, now_ns: int) -> Iterable[Message]:  # noqa: ARG002 - it never listens
        """Return nothing: sensors only tell."""
        return ()


def _weakest(state: Mapping[str, float]) -> dict[str, Any]:
    """Return what the row's gateway says of its weakest sensor."""
    return {"battery": int(state["battery"]), "bay": int(state["battery_bay"])}


def _gate(view: View) -> StateTalker:
    options = view.device.options
    topic = f"site/{options['site']}/parking/gate/{options['gate']}"

    def body(state: Mapping[str, float]) -> dict[str, Any]:
        return {"state": _GATE[int(state["state"])], "loop": state["loop"] >= 0.5, "passages": int(state["passages"])}

    def event(what: Occurrence, sequence: int) -> dict[str, Any]:
        identifier = f"{options['gate']}-{what.time_ns // 1_000_000}-{sequence}"
        return {"id": identifier, "seq": sequence, "time": iso(what.time_ns), "type": what.type, **what.data}

    return StateTalker(view, topic, body, heartbeat_s=_HEARTBEAT_S, event_topic=f"{topic}/event", event=event)


def _sign(view: View) -> StateTalker:
    options = view.device.options

    def body(state: Mapping[str, float]) -> dict[str, Any]:
        return {"free": int(state["free_shown"]), "fault": state["fault"] >= 0.5}

    return StateTalker(view, f"site/{options['site']}/parking/{options['level']}/sign", body, heartbeat_s=_HEARTBEAT_S)


def _camera(view: View) -> StateTalker:
    options = view.device.options

    def body(state: Mapping[str, float]) -> dict[str, Any]:
        return {"occupied": state["bay_occupied"] >= 0.5, "vehicle": int(state["vehicle"])}

    return StateTalker(view, f"site/{options['site']}/ev/{options['charger']}/bay", body, heartbeat_s=_HEARTBEAT_S)


PARKING: dict[str, Callable[[View], Talker]] = {
    "site-standard-parking-row": RowTalker,
    "site-standard-gate": _gate,
    "site-standard-guidance-sign": _sign,
    "site-standard-charging-bay": _camera,
}
"""Profile id -> the voice of a device of that model."""
