"""The rows of the journals, in primitive fields: what other rooms hand to `Journal`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AlarmRow", "AlarmStateRow", "AuditRow", "CommandRow", "FireRow", "SlotRow"]


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One transition of one alarm."""

    occurrence: str
    """Id of this occurrence of the alarm; a new one each time it is raised."""
    definition: str
    """Id of the alarm's definition, such as `cityhall.electrical.tx1.winding_temp_a#high`."""
    time_ns: int
    event: str
    """What happened: `raised`, `returned`, `acknowledged`, `commented` …"""
    from_state: str
    to_state: str
    value: float | None = None
    limit: float | None = None
    user: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class AlarmStateRow:
    """The state of one alarm after a transition; `state == "normal"` removes the row."""

    definition: str
    occurrence: str
    state: str
    raised_ns: int | None = None
    returned_ns: int | None = None
    acknowledged_ns: int | None = None
    acknowledged_by: str = ""
    comment: str = ""
    value: float | None = None
    limit: float | None = None
    count: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)
    """What else a restart must know; JSON."""


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One state of one command."""

    command: str
    """Id of the command."""
    time_ns: int
    point: str
    number: int
    slot: int
    value: float | None
    """None releases the slot."""
    previous: float | None
    owner: str
    reason: str
    state: str
    """`accepted`, `pending`, `verifying`, `done`, `failed`, `unknown`, `masked` or `expired`."""
    message: str = ""
    until_ns: int | None = None
    readback: float | None = None


@dataclass(frozen=True, slots=True)
class SlotRow:
    """One slot of a priority array after a change; `value is None` removes the row."""

    point: str
    slot: int
    value: float | None
    owner: str = ""
    reason: str = ""
    since_ns: int = 0
    until_ns: int | None = None
    lease_s: float | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who did what to which thing, from where, and how it ended."""

    time_ns: int
    actor: str
    """User name, token id, or `system`."""
    action: str
    """Lower-case words, such as `sign_in`, `user_create`, `limit_change`."""
    target: str = ""
    outcome: str = "done"
    """`requested` (durable before a change is made), `done`, `refused` or `failed`."""
    reason: str = ""
    client: str = ""
    """Network address of the client."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Before and after; JSON. Never a secret."""


@dataclass(frozen=True, slots=True)
class FireRow:
    """One thing that happened in the response to a fire."""

    response: str
    """Id of the response."""
    time_ns: int
    event: str
    """`began`, `spread`, `reset`, `stood_down`, `given_back`, `effect`, `ended` …"""
    zone: str = ""
    point: str = ""
    who: str = ""
    reason: str = ""
