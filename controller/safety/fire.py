"""What the fire panel says, judged: per zone and whole normal, pre-alarm, fire, fault, or unknown. Pure functions.

A source that says fire is believed at once (BS 7273-4: release on alarm and on any fault). When a source that must
agree goes on denying it, or when a source is lost, stale, or under test, the status is unknown: an alarm, never normal.
The panel is the only authority; nothing here, and nothing in the controller, writes to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FireInputs", "FireMemory", "FirePicture", "FireStatus", "Reason", "ZonePicture", "judge"]

HEARTBEAT_S = 5.0
"""The panel's heartbeat moves every second; one that stands still for so long is a lost link (site standard)."""
ZONE_S = 2.0
"""A zone and the panel's summary come in one poll of 0.25 s; so long they may differ."""
LIST_S = 5.0
"""Zones are read every 2 s and when the summary changes; so long their number may differ from the panel's count."""
RELAY_S = 10.0
"""The hard-wired relay is polled apart; a difference of so long is an alarm (site standard)."""


class FireStatus(StrEnum):
    """What is known of a zone, or of the whole."""

    NORMAL = "normal"
    PRE_ALARM = "pre_alarm"
    FIRE = "fire"
    FAULT = "fault"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a status is unknown, in one word that the pages say in their language."""

    NOT_READ = "not_read"
    """The panel, or a zone, was never read, is stale or bad."""
    RELAY_LOST = "relay_lost"
    """The relay, which tells fire past the panel's gateway, was never read, is stale or bad."""
    LINK_LOST = "link_lost"
    """The heartbeat stands still."""
    WALK_TEST = "walk_test"
    """The panel, or a zone, is under test: a detector that responds raises no alarm there."""
    ISOLATED = "isolated"
    """The zone is isolated: it tells no fire. It has an alarm of its own and does not make the whole unknown."""
    ZONE_DENIED = "zone_denied"
    """A zone is in fire or pre-alarm, or has a fault, and the panel's summary denies it."""
    RELAY_DENIED = "relay_denied"
    """The relay says fire and the panel denies it."""
    COUNT_DENIED = "count_denied"
    """The panel counts more zones in fire than can be seen."""


@dataclass(frozen=True, slots=True)
class FireInputs:
    """What the points of the panel say in one turn; None is not known: never read, stale, bad or out of range."""

    heartbeat: float | None = None
    fire: bool | None = None
    pre_alarm: bool | None = None
    fault: bool | None = None
    test: bool | None = None
    zones_in_fire: int | None = None
    zones: tuple[int | None, ...] = ()
    """State of each zone: 0 normal, 1 pre-alarm, 2 fire, 3 fault, 4 isolated, 5 under test (site standard)."""
    relay_fire: bool | None = None
    relay_fault: bool | None = None
    absent: frozenset[str] = frozenset()
    """Names of those above that the site has not got, such as a relay: that they are not known says nothing."""


@dataclass(frozen=True, slots=True)
class FireMemory:
    """What has to be remembered from turn to turn; times on the monotonic clock, s."""

    heartbeat: float | None = None
    moved: float = -math.inf
    """When the heartbeat was last seen to move."""
    differs: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Since when sources differ, by what differs."""


@dataclass(frozen=True, slots=True)
class ZonePicture:
    """One zone."""

    status: FireStatus
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class FirePicture:
    """What is known of fire in the whole house."""

    status: FireStatus = FireStatus.UNKNOWN
    reasons: tuple[Reason, ...] = (Reason.NOT_READ,)
    """Why the status is unknown, or what beside a fire is not known; empty when all is known."""
    zones: tuple[ZonePicture, ...] = ()
    """In the order of the zones of the table."""
    evidence: bool = False
    """At least one source says fire now, whatever the others say: slots are emptied for this."""
    burning: tuple[int, ...] = ()
    """Places of the zones that are in fire."""
    unlocated: bool = False
    """There is evidence of fire and no zone has shown it in time: it may be anywhere."""
    reset: bool = False
    """The link lives, all is known, and no source says fire or pre-alarm: the panel has been reset."""


_ZONE = (
    ZonePicture(FireStatus.NORMAL),
    ZonePicture(FireStatus.PRE_ALARM),
    ZonePicture(FireStatus.FIRE),
    ZonePicture(FireStatus.FAULT),
    ZonePicture(FireStatus.UNKNOWN, Reason.ISOLATED),
    ZonePicture(FireStatus.UNKNOWN, Reason.WALK_TEST),
)
_NOT_READ = ZonePicture(FireStatus.UNKNOWN, Reason.NOT_READ)
_LOST = ZonePicture(FireStatus.UNKNOWN, Reason.LINK_LOST)
_DENIED = ZonePicture(FireStatus.UNKNOWN, Reason.ZONE_DENIED)


def judge(inputs: FireInputs, memory: FireMemory, now: float) -> tuple[FirePicture, FireMemory]:
    """Return what is known now and what to remember; `now` is monotonic, s."""
    memory = _remembered(inputs, memory, now)
    alive = now - memory.moved <= HEARTBEAT_S
    late = {what for what, since in memory.differs.items() if now - since >= _PATIENCE[what]}
    zones = tuple(_zone(state, alive=alive, denied=late) for state in inputs.zones)
    burning = tuple(place for place, state in enumerate(inputs.zones) if state == _FIRE)
    evidence = bool(inputs.fire or burning or inputs.relay_fire or inputs.zones_in_fire)
    reasons = _reasons(inputs, zones, late, alive=alive)
    if inputs.fire or (evidence and not late & _DENIES):
        status = FireStatus.FIRE
    elif evidence or reasons:
        status = FireStatus.UNKNOWN
    elif inputs.pre_alarm or any(zone.status is FireStatus.PRE_ALARM for zone in zones):
        status = FireStatus.PRE_ALARM
    elif inputs.fault or inputs.relay_fault or any(zone.status is FireStatus.FAULT for zone in zones):
        status = FireStatus.FAULT
    else:
        status = FireStatus.NORMAL
    picture = FirePicture(
        status,
        reasons,
        zones,
        evidence,
        burning,
        unlocated=evidence and not burning and "unlocated" in late,
        reset=status in (FireStatus.NORMAL, FireStatus.FAULT),
    )
    return picture, memory


_PRE_ALARM, _FIRE, _FAULT, _TEST = 1, 2, 3, 5
_PATIENCE = {"zone": ZONE_S, "pre_alarm": ZONE_S, "fault": ZONE_S, "count": LIST_S, "relay": RELAY_S, "unlocated": 3.0}
_DENIES = frozenset({"zone", "count", "relay"})
_RELAY = frozenset({"relay_fire", "relay_fault"})
_SOURCES = ("fire", "pre_alarm", "fault", "test", "zones_in_fire", *sorted(_RELAY))
"""What must be known, or nobody knows whether all is well; the heartbeat has its own time."""


def _differences(inputs: FireInputs) -> set[str]:
    """Return which sources contradict each other in this turn."""
    fire, zones = inputs.fire, inputs.zones
    burning = zones.count(_FIRE)
    told = bool(fire or burning or inputs.relay_fire or inputs.zones_in_fire)
    claims = {
        "zone": fire is False and burning > 0,
        "pre_alarm": inputs.pre_alarm is False and _PRE_ALARM in zones,
        "fault": inputs.fault is False and _FAULT in zones,
        "count": fire is False and bool(inputs.zones_in_fire),
        "relay": fire is False and inputs.relay_fire is True,
        "unlocated": told and burning == 0,
    }
    return {what for what, holds in claims.items() if holds}


def _remembered(inputs: FireInputs, memory: FireMemory, now: float) -> FireMemory:
    heartbeat, moved = inputs.heartbeat, memory.moved
    # The first value of all, or after a gap, proves nothing: a gateway without its panel answers too.
    if None not in (heartbeat, memory.heartbeat) and heartbeat != memory.heartbeat:
        moved = now
    differs = {what: memory.differs.get(what, now) for what in _differences(inputs)}
    if (heartbeat, moved) == (memory.heartbeat, memory.moved) and differs == memory.differs:
        return memory
    return FireMemory(heartbeat, moved, MappingProxyType(differs))


def _zone(state: int | None, *, alive: bool, denied: set[str]) -> ZonePicture:
    if state is None or not 0 <= state < len(_ZONE):
        return _NOT_READ
    if (state == _FIRE and "zone" in denied) or (state == _PRE_ALARM and "pre_alarm" in denied):
        return _DENIED
    if state == _FAULT and "fault" in denied:
        return _DENIED
    # A fire that was told stays one; nothing else is believed of a panel whose heart stands still.
    return _ZONE[state] if alive or state == _FIRE else _LOST


def _reasons(inputs: FireInputs, zones: tuple[ZonePicture, ...], late: set[str], *, alive: bool) -> tuple[Reason, ...]:
    found: dict[Reason, None] = {}
    lost = {name for name in _SOURCES if getattr(inputs, name) is None} - inputs.absent
    if lost - _RELAY or any(zone.reason is Reason.NOT_READ for zone in zones):
        found[Reason.NOT_READ] = None
    if lost & _RELAY:
        found[Reason.RELAY_LOST] = None
    if not alive:
        found[Reason.LINK_LOST] = None
    if inputs.test or _TEST in inputs.zones:
        found[Reason.WALK_TEST] = None
    if late & {"zone", "pre_alarm", "fault"}:
        found[Reason.ZONE_DENIED] = None
    if "relay" in late:
        found[Reason.RELAY_DENIED] = None
    if "count" in late:
        found[Reason.COUNT_DENIED] = None
    return tuple(found)
