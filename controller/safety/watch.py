"""The watch over fire: reads the panel's points each turn, holds back what a fire takes, and says what is known.

It runs inside the cycle, after the alarms and before the commands of the same turn, so that nothing is sent in the turn
that saw the fire. It never waits: what it decided takes effect at once and is unrecorded until the journal has it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from controller.safety.alarm import EFFECTS, RESPONSE, STATUS, effects_reason, response_reason, status_reason
from controller.safety.cause import FireTable
from controller.safety.effect import Sight, SightState, deviations, expected, look
from controller.safety.fire import FireInputs, FireMemory, FirePicture, FireStatus, Reason, judge
from controller.safety.matrix import Matrix, matrix
from controller.safety.response import Note, Phase, Response, advance, held_points, holds, stand_down, steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from controller.alarm.engine import AlarmEngine
    from controller.command.arbiter import Arbiter
    from controller.point.table import PointTable
    from drivers.driver import Clock

__all__ = ["Emptied", "FireRecord", "FireWatch"]

_log = logging.getLogger(__name__)

LOOK_S = 0.5
"""Patience and times of effects are looked at this often when nothing changes."""
START_S = 15.0
"""So long after a start a panel that was not read yet is not an alarm: every device is read by then. Shown it is."""
PATIENCE_S = 60.0
"""After a start nothing is sent to what the table holds until the status was known twice, but no longer than this."""
_RETRY_S = 1.0
_UNREAD = frozenset({Reason.NOT_READ, Reason.RELAY_LOST, Reason.LINK_LOST})
_PANEL = ("heartbeat", "fire", "pre_alarm", "fault", "test", "zones_in_fire")
_RELAY = ("fire", "fault")
_INPUTS = (*_PANEL, *(f"relay_{tag}" for tag in _RELAY))
_UNCERTAIN = np.uint8(64)
_MOST_EMPTIED = 2000


class Parts(Protocol):
    """What the watch works on; `shifu apply` replaces them."""

    table: PointTable
    alarms: AlarmEngine
    arbiter: Arbiter


@dataclass(frozen=True, slots=True)
class Emptied:
    """What was in a slot before it was emptied for the fire; whoever stands down sees what may be wanted again."""

    point: str
    slot: int
    value: float
    owner: str
    reason: str


@dataclass(frozen=True, slots=True)
class FireRecord:
    """Notes of one turn and the state after them, for the journal; `state` is None when all is over."""

    response: str
    time_ns: int
    notes: tuple[Note, ...]
    state: Mapping[str, Any] | None


class FireWatch:
    """One a controller. `look` is called by the cycle, `stand_down` by the API, everything else is reading."""

    def __init__(
        self,
        table: Callable[[], FireTable],
        parts: Parts,
        clock: Clock,
        *,
        record: Callable[[FireRecord], None],
        changed: Callable[[], None],
    ) -> None:
        """Begin knowing nothing.

        `record` appends to the journal and returns at once. `changed` tells that the picture, the response or what is
        recorded of it changed; it is called again each second while something is unrecorded.
        """
        self._table_of = table
        self._parts = parts
        self._clock = clock
        self._record = record
        self._changed = changed
        self.table = FireTable()
        self.picture = FirePicture()
        self.response = Response()
        self.sights: tuple[Sight, ...] = ()
        self.emptied: tuple[Emptied, ...] = ()
        self.version = 0
        """Grows with each change that is worth telling."""
        self.recorded = 0
        """The version up to which the journal has everything."""
        self._memory = FireMemory()
        self._bound: tuple[object, object] = (None, None)
        self._numbers: NDArray[np.intp] = np.empty(0, np.intp)
        self._known: NDArray[np.bool_] = np.empty(0, np.bool_)
        self._absent: frozenset[str] = frozenset()
        self._place: dict[str, int] = {}
        self._seen: tuple[bytes, bytes] = (b"", b"")
        self._due = -np.inf
        self._step_due = np.inf
        self._retry = -np.inf
        self._anchor = (clock.now_ns(), clock.monotonic())
        self._waiting: set[float] | None = set()
        """Heartbeats seen with a known status since the start; None when commands go out."""
        self._until = clock.monotonic() + PATIENCE_S
        self._silent_until = clock.monotonic() + START_S
        """Until when a panel that was never read is no alarm."""

    # -- life --------------------------------------------------------------------------------------------------------

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Take up a response of before the restart: what was held is held, before anything else happens.

        Without one, nothing is sent to what a fire would hold until the status was known twice. A state that cannot be
        read holds everything: a fire was on, and nobody knows how it ended.
        """
        self._bind()
        if not self.table.panel:
            return
        self._parts.arbiter.pause(self.table.points)
        if state is None:
            return
        try:
            self.response = Response.from_json(state["response"])
            self.emptied = tuple(Emptied(**item) for item in state["emptied"])
            self.sights = self._expected({(kind, point): seen for kind, point, seen in state["seen"]})
        except (KeyError, TypeError, ValueError):
            _log.exception("the response to a fire cannot be read back; everything is held until a stand-down")
            now_ns = self._clock.now_ns()
            self.response = Response(f"fire-{now_ns}", Phase.ACTIVE, now_ns, everywhere_ns=now_ns)
            self.sights = self._expected({})
        self._hold()
        self._step_due = self._clock.monotonic() + self.table.pause_s
        self._tell((Note("restarted"),))

    def look(self) -> None:
        """Look at the panel; whatever follows takes effect before the commands of this turn."""
        self._bind()
        if not self.table.panel:
            return
        now = self._clock.monotonic()
        values, quality = self._read()
        seen = (values.tobytes(), quality.tobytes())
        if seen == self._seen and now < self._due:
            return
        self._seen, self._due = seen, now + LOOK_S
        inputs = self._inputs(values, quality)
        before = self.picture
        self.picture, self._memory = judge(inputs, self._memory, now)
        self._ready(inputs.heartbeat, now)
        former, now_ns = self.response, self._clock.now_ns()
        self.response, notes = advance(self.response, self.picture, self.table, now_ns)
        anew = any(note.event in ("began", "again") for note in notes)
        if anew:
            self._anchor = (now_ns, now)
        if anew or (former.zones, former.everywhere_ns) != (self.response.zones, self.response.everywhere_ns):
            self._hold()
            # What was seen in an earlier fire proves nothing in this one: the building has gone back meanwhile.
            self.sights = self._expected({} if anew else {sight.key: sight.seen_ns for sight in self.sights})
        notes += self._look_at_effects(values, quality, now)
        notes += self._give_back(now)
        if notes:
            self._tell(notes)
        elif self.picture != before:
            self.version += 1
            self._say()
        self._raise()
        if self.recorded < self.version and now >= self._retry:
            self._say()

    def stand_down(self, who: str, reason: str) -> Response:
        """Begin to give back what is held; the first step is done in the next turn.

        Raises:
            ConflictError: there is no response, or the panel is not seen to be reset.
        """
        self.response = stand_down(self.response, self.picture, who, reason, self._clock.now_ns())
        self._step_due = self._clock.monotonic()
        self._due = -np.inf
        self._tell((Note("stood_down", who=who, reason=reason),))
        return self.response

    def confirm(self, version: int) -> None:
        """Note that the journal has everything up to a version."""
        if version > self.recorded:
            self.recorded = version
            if version == self.version:
                self._changed()

    @property
    def unrecorded(self) -> bool:
        """True while the journal has not got what is shown."""
        return self.recorded < self.version and self.response.phase is not Phase.IDLE

    def next_step_s(self) -> float | None:
        """Return the seconds until the next step of giving back; None when none is to come."""
        if self.response.phase is not Phase.RESTORING:
            return None
        return max(0.0, self._step_due - self._clock.monotonic())

    def matrix(self) -> Matrix:
        """Return the cause-and-effect table as it stands now."""
        table = self._parts.table

        def feedback(address: str) -> float | None:
            point = table.site.points.get(address)
            known = point is not None and table.quality[point.number] < _UNCERTAIN
            return float(table.value[point.number]) if point is not None and known else None

        return matrix(self.table, self.picture, self.response, self.sights, feedback)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _bind(self) -> None:
        """Find the points of the table anew when the table or the site changed."""
        table, points = self._table_of(), self._parts.table
        if not table.panel and self.response.phase is not Phase.IDLE:
            table = self.table  # files without a panel end no fire: it is looked at until all is given back
        if self._bound[0] is table and self._bound[1] is points.site:
            return
        same, before = self._bound[0] is table, self.table
        self._bound, self.table = (table, points.site), table
        if not table.panel:
            self.picture, self._memory = FirePicture(), FireMemory()
            return
        wanted = [f"{table.panel}.{tag}" for tag in _PANEL]
        wanted += [f"{table.relay}.{tag}" if table.relay else "" for tag in _RELAY]
        wanted += [f"{zone}.state" for zone in table.zones]
        kinds = {effect.point: None for cause in table.causes for effect in cause.effects}
        self._place = {address: place for place, address in enumerate(kinds, len(wanted))}
        found = [points.site.points.get(address) for address in (*wanted, *kinds)]
        self._known = np.array([point is not None for point in found])
        self._absent = frozenset(name for name, point in zip(_INPUTS, found, strict=False) if point is None)
        self._numbers = np.array([0 if point is None else point.number for point in found], np.intp)
        self._seen, self._due = (b"", b""), -np.inf
        if not same and self.response.phase is not Phase.IDLE:
            kept = tuple(point for point in held_points(self.response, before) if point in points.site.points)
            self.response = replace(self.response, kept=kept)
            self._hold()
            self.sights = self._expected({sight.key: sight.seen_ns for sight in self.sights})
            self._tell(())

    def _read(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the values of all points of the table, and which of them are good."""
        table = self._parts.table
        good = self._known & (table.quality[self._numbers] < _UNCERTAIN)
        return table.value[self._numbers], good

    def _inputs(self, values: NDArray[np.float64], good: NDArray[np.bool_]) -> FireInputs:
        def truth(place: int) -> bool | None:
            return bool(values[place]) if good[place] else None

        first = len(_PANEL) + len(_RELAY)
        last = first + len(self.table.zones)
        states = [
            int(value) if known and value == int(value) else None
            for value, known in zip(values[first:last].tolist(), good[first:last].tolist(), strict=True)
        ]
        return FireInputs(
            heartbeat=float(values[0]) if good[0] else None,
            fire=truth(1),
            pre_alarm=truth(2),
            fault=truth(3),
            test=truth(4),
            zones_in_fire=int(values[5]) if good[5] else None,
            zones=tuple(states),
            relay_fire=truth(6),
            relay_fault=truth(7),
            absent=self._absent,
        )

    def _ready(self, heartbeat: float | None, now: float) -> None:
        """Let commands go out when the status was known at two heartbeats, or after a while in any case."""
        if self._waiting is None:
            return
        if self.picture.status is not FireStatus.UNKNOWN and heartbeat is not None:
            self._waiting.add(heartbeat)
        if len(self._waiting) >= 2 or now >= self._until or self.picture.evidence:
            self._waiting = None
            self._parts.arbiter.pause(())

    def _expected(self, seen: Mapping[tuple[str, str], int | None]) -> tuple[Sight, ...]:
        """Return what the fire calls for, with what was seen of it already."""
        return tuple(
            replace(sight, seen_ns=at, state=SightState.DONE if at <= sight.due_ns else SightState.LATE)
            if (at := seen.get(sight.key)) is not None
            else sight
            for sight in expected(self.response, self.table)
        )

    def _hold(self) -> None:
        gone = self._parts.arbiter.hold(holds(self.response, self.table, self._why()))
        # A slot is emptied twice only when it was given back in between: what was in it last is what counts.
        kept = {(item.point, item.slot): item for item in self.emptied}
        for point, slot in gone:
            kept[point, slot.slot] = Emptied(point, slot.slot, slot.value, slot.owner, slot.reason)
        self.emptied = tuple(kept.values())[:_MOST_EMPTIED]

    def _why(self) -> str:
        first = self.table.name_of(self.response.zones[0].zone).en if self.response.zones else "a zone not known"
        if self.response.phase is Phase.RESTORING:
            return f"after the fire in {first} it is given back step by step; these slots come later"
        return f"fire in {first}; until the panel is reset and a safety officer stands down"

    def _look_at_effects(self, values: NDArray[np.float64], good: NDArray[np.bool_], now: float) -> tuple[Note, ...]:
        """Look at every expected effect, until the panel is reset: then the building goes back by its own wires."""
        if self.response.phase is not Phase.ACTIVE or self.response.over:
            return ()
        began_ns, began = self._anchor
        # Durations are monotonic: a clock that is set while it burns moves no limit.
        now_ns = began_ns + round((now - began) * 1e9)
        notes, sights = [], []
        for sight in self.sights:
            place = self._place[sight.effect.point]
            after = look(sight, float(values[place]) if good[place] else None, now_ns)
            sights.append(after)
            if after.state is not sight.state:
                notes.append(Note("effect", point=after.effect.point, reason=f"{after.effect.kind}: {after.state}"))
        self.sights = tuple(sights)
        return tuple(notes)

    def _give_back(self, now: float) -> tuple[Note, ...]:
        if self.response.phase is not Phase.RESTORING or now < self._step_due:
            return ()
        plan = steps(self.response, self.table)
        done = self.response.given_back + 1
        if self.response.given_back >= len(plan):
            note = Note("ended")
            self.response, self.sights, self.emptied = Response(), (), ()
            self._hold()
            return (note,)
        step = plan[self.response.given_back]
        self.response = replace(self.response, given_back=done)
        self._step_due = now + self.table.pause_s
        self._hold()
        slots = ", ".join(map(str, sorted(step.slots)))
        return (Note("given_back", reason=f"step {done} of {len(plan)}: slots {slots} of {len(step.points)} points"),)

    def _tell(self, notes: Sequence[Note]) -> None:
        """Record what happened with the state after it, and let it be seen."""
        self.version += 1
        state = None
        if self.response.phase is not Phase.IDLE:
            self._last_id = self.response.id
            state = {
                "response": self.response.to_json(),
                "emptied": [
                    {name: getattr(item, name) for name in Emptied.__dataclass_fields__} for item in self.emptied
                ],
                "seen": [[*sight.key, sight.seen_ns] for sight in self.sights if sight.seen_ns is not None],
            }
        self._record(FireRecord(self._last_id, self._clock.now_ns(), tuple(notes), state))
        self._say()

    _last_id = ""

    def _say(self) -> None:
        self._retry = self._clock.monotonic() + _RETRY_S
        self._changed()

    def _raise(self) -> None:
        """Say to the alarms what is known; they know what is new."""
        alarms, picture = self._parts.alarms, self.picture
        unknown = picture.status is FireStatus.UNKNOWN
        if not unknown:
            self._silent_until = -np.inf
        early = self._clock.monotonic() < self._silent_until and _UNREAD.issuperset(picture.reasons)
        alarms.device(STATUS, unknown and not early, status_reason(picture))
        alarms.device(RESPONSE, self.response.phase is Phase.ACTIVE, response_reason(self.response, self.table))
        wrong = deviations(self.sights) if self.response.phase is Phase.ACTIVE else ()
        alarms.device(EFFECTS, bool(wrong), effects_reason(wrong))

    def held(self) -> tuple[str, ...]:
        """Return the points that are held, or were, in the present response."""
        return held_points(self.response, self.table)
