"""The values that travel in and out of the alarm engine: definition, state, journal entry and what a screen is shown.

They are plain frozen values, so that settings, journal and API can build and read them without the engine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from controller.errors import InvalidError
from controller.point.model import Name
from controller.point.reason import spoken

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DEVICE_KINDS",
    "KINDS",
    "LIMIT_KINDS",
    "Alarm",
    "AlarmDefinition",
    "AlarmEntry",
    "AlarmState",
    "definition_id",
]

LIMIT_KINDS = ("high_high", "high", "low", "low_low")
DEVICE_KINDS = ("communication", "system")
"""Kinds that no reading raises: something says that a device, or a part of the controller itself, is lost."""
KINDS = (*LIMIT_KINDS, "state", *DEVICE_KINDS)

_EMPTY: Mapping[str, Any] = MappingProxyType({})
_UNNAMED = Name("", "")
_LARGEST_STATE = 65_535


def definition_id(kind: str, *, point: str = "", device: str = "", word: str = "") -> str:
    """Return the id of an alarm: `<point address>#<kind>`, or `<device id>#communication`.

    `word` tells several alarms of one kind and point apart, as `….alarm#state-held` beside `….alarm#state`.
    """
    return f"{device if kind == 'communication' else point}#{kind}{'-' if word else ''}{word}"


@dataclass(frozen=True, slots=True)
class AlarmDefinition:
    """One alarm that may be raised: what is watched, when, how bad it is, and what to do.

    Raises:
        InvalidError: kind, limit, states, priority, delays or deadband are not usable; the message has the id.
    """

    id: str
    """See `definition_id`."""
    kind: str
    """One of `KINDS`."""
    number: int = -1
    """Point number; -1 for a communication or system alarm."""
    point: str = ""
    """Point address; empty for a communication or system alarm."""
    device: str = ""
    """Device id; of a communication alarm the one watched, of a system alarm the part of the controller that is
    watched, else the one that the point belongs to."""
    limit: float = math.nan
    """In the point's unit; NaN for all others than limit alarms."""
    states: tuple[int, ...] = ()
    """State alarm: the values, 0..65535, that raise it."""
    unit: str = ""
    priority: int = 3
    """1 critical … 4 low."""
    life_safety: bool = False
    """Cannot be shelved, suppressed or taken out of service; always first in the list."""
    on_delay_s: float = 0.0
    """How long the condition must hold before the alarm is raised, on the monotonic clock."""
    off_delay_s: float = 0.0
    deadband: float = 0.0
    """How far inside the limit the value must come back, in the point's unit."""
    latching: bool = False
    """The alarm stays after the condition has gone until an operator resets it."""
    auto_acknowledge: bool = False
    """A return to normal needs no acknowledgement (low priorities)."""
    text: Name = _UNNAMED
    consequence: Name = _UNNAMED
    action: Name = _UNNAMED
    respond_s: float | None = None
    """Time that the operator has before the consequence."""
    equipment: str = ""
    system: str = ""
    area: str = ""
    floor: str = ""

    def __post_init__(self) -> None:
        where = f"alarm {self.id}"
        if self.kind not in KINDS:
            raise InvalidError(f"{where}: kind {self.kind!r}; one of {', '.join(KINDS)} is wanted")
        if self.kind in DEVICE_KINDS:
            if not self.device:
                raise InvalidError(f"{where}: a {self.kind} alarm needs the id of its device")
        elif self.number < 0:
            raise InvalidError(f"{where}: point number {self.number}; an alarm of a point needs a number from 0")
        if self.kind in LIMIT_KINDS and not math.isfinite(self.limit):
            raise InvalidError(f"{where}: limit {self.limit}; a finite number in {self.unit or 'no unit'} is wanted")
        if self.kind == "state":
            if not self.states:
                raise InvalidError(f"{where}: no states; at least one value that raises it is wanted")
            if wrong := [state for state in self.states if not 0 <= state <= _LARGEST_STATE]:
                raise InvalidError(f"{where}: state {wrong[0]}; whole numbers 0..{_LARGEST_STATE} are wanted")
        if not 1 <= self.priority <= 4:
            raise InvalidError(f"{where}: priority {self.priority}; 1 (critical) to 4 (low) is wanted")
        for name, value in (
            ("on_delay_s", self.on_delay_s),
            ("off_delay_s", self.off_delay_s),
            ("deadband", self.deadband),
        ):
            if not (math.isfinite(value) and value >= 0):
                raise InvalidError(f"{where}: {name} {value}; a finite number from 0 is wanted")


@dataclass(frozen=True, slots=True)
class AlarmState:
    """Where one alarm stands; everything that a restart must know. Field by field the journal's `AlarmStateRow`."""

    definition: str
    occurrence: str
    """Id of the present occurrence: new each time the alarm is raised."""
    state: str
    """A value of `controller.alarm.state.State`."""
    raised_ns: int | None = None
    returned_ns: int | None = None
    acknowledged_ns: int | None = None
    acknowledged_by: str = ""
    comment: str = ""
    value: float | None = None
    """Value that raised it; None where no reading did."""
    limit: float | None = None
    """Limit at that time."""
    count: int = 0
    """How often it was raised since it was last normal."""
    data: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    """`reason` of a communication or system alarm; later the end of a shelving."""

    @classmethod
    def of(cls, row: Any) -> AlarmState:
        """Return the state that any object with these fields holds (a row of the journal's `alarm_state`)."""
        return cls(**{name: getattr(row, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class AlarmEntry:
    """One line of the alarm journal: a transition, or a comment (then both states are the same)."""

    id: str
    """Unique within the site: `<time ns>-<sequence>`."""
    occurrence: str
    definition: str
    time_ns: int
    event: str
    """`raised`, `returned`, `acknowledged`, `reset`, `escalated`, `commented`, `shelved`, `unshelved`, `suppressed`,
    `unsuppressed`, `removed`, `restored`, or `withdrawn` (its definition is gone)."""
    from_state: str
    to_state: str
    value: float | None
    limit: float | None
    user: str
    comment: str
    source: str
    """Address of the point or id of the device."""
    state: AlarmState
    """The state after it; `state.state == "normal"` means that nothing needs to be kept."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A definition and where it stands, as lists and the stream show it."""

    definition: AlarmDefinition
    state: AlarmState
    bad_input: bool
    """The input is not good now: what is shown is what was known before."""
    version: int
    """Number of the engine's last change of this alarm; see `AlarmEngine.changed_since`."""

    @property
    def id(self) -> str:
        """Id of the definition."""
        return self.definition.id

    @property
    def area(self) -> str:
        """Area for permissions."""
        return self.definition.area

    def respond_by_ns(self) -> int | None:
        """Return until when somebody must have acted, ns UTC; None without a limit of time."""
        if self.definition.respond_s is None or self.state.raised_ns is None:
            return None
        return self.state.raised_ns + round(self.definition.respond_s * 1e9)

    def reason(self) -> str:
        """Return what was said of what is lost, in the words of link, disk or server; empty where nothing was."""
        return str(self.state.data.get("reason", ""))

    def to_json(self) -> dict[str, Any]:
        """Return the Alarm of the API and the stream; times ISO 8601 UTC with ms, None where there is none."""
        definition, state = self.definition, self.state
        return {
            "id": definition.id,
            "occurrence": state.occurrence,
            "state": state.state,
            "priority": definition.priority,
            "life_safety": definition.life_safety,
            "kind": definition.kind,
            "point": definition.point or None,
            "device": (definition.device or None) if definition.kind != "system" else None,
            "equipment": definition.equipment,
            "system": definition.system,
            "area": definition.area,
            "floor": definition.floor,
            "text": _name(definition.text),
            "reason": _name(spoken(self.reason())) if self.reason() else None,
            "consequence": _name(definition.consequence),
            "action": _name(definition.action),
            "respond_by": _iso(self.respond_by_ns()),
            "value": _finite(state.value),
            "limit": _finite(state.limit),
            "unit": definition.unit,
            "raised_at": _iso(state.raised_ns),
            "returned_at": _iso(state.returned_ns),
            "acknowledged_at": _iso(state.acknowledged_ns),
            "acknowledged_by": state.acknowledged_by or None,
            "comment": state.comment or None,
            "count": state.count,
            "bad_input": self.bad_input,
        }


def _name(name: Name) -> dict[str, str]:
    return {"zh": name.zh, "en": name.en}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _iso(time_ns: int | None) -> str | None:
    if time_ns is None:
        return None
    # Whole milliseconds, computed in integers: a float of ns since 1970 is off by up to 128 ns.
    seconds, rest = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"
