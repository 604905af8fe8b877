"""The alarm engine: conditions become states, states become journal entries, entries become what is announced.

Conditions are array work (`controller.alarm.condition`), the state machine is a pure table (`controller.alarm.state`);
this module joins them, keeps who did what when, and is the only writer of alarm states.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from controller.alarm.condition import Conditions, Firing
from controller.alarm.definition import DEVICE_KINDS, Alarm, AlarmEntry, AlarmState
from controller.alarm.state import ANNUNCIATED, HIDDEN, Event, State, step
from controller.errors import ConflictError, InvalidError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from controller.alarm.definition import AlarmDefinition
    from drivers.driver import Clock

__all__ = ["AlarmEngine"]

_MAX_UNRECORDED = 20_000
_RAISED = frozenset({State.UNACKNOWLEDGED, State.ACKNOWLEDGED})
_OF_THE_BUILDING = frozenset({Event.RAISE, Event.CLEAR, Event.REMOVE, Event.RESTORE})
"""What happens by itself (the calendar takes out and brings back): never refused, whatever the journal does."""


class AlarmEngine:
    """All alarms of the site.

    `record` is given every entry before the change can be seen through `changed_since`. It must return at once. When it
    raises UnavailableError, an operator's action is refused and changes nothing; an alarm of the building is raised all
    the same, and its entry is offered again at each `tick`, in order (`unrecorded` counts them).

    Raises:
        InvalidError: two definitions have one id.
    """

    def __init__(
        self, definitions: Iterable[AlarmDefinition], clock: Clock, record: Callable[[AlarmEntry], None]
    ) -> None:
        self.definitions: tuple[AlarmDefinition, ...] = tuple(definitions)
        self.undefined = 0
        """Events that the table of states does not have for the state they met; they changed nothing."""
        self.dropped_entries = 0
        """Entries lost because the journal refused for too long; 0 in health."""
        self._clock = clock
        self._record = record
        self._place = {definition.id: place for place, definition in enumerate(self.definitions)}
        if len(self._place) != len(self.definitions):
            twice = Counter(definition.id for definition in self.definitions).most_common(1)[0][0]
            raise InvalidError(f"alarm {twice} is defined twice; one definition for a point and kind is wanted")
        self._of_device = {d.device: place for place, d in enumerate(self.definitions) if d.kind in DEVICE_KINDS}
        self._conditions = Conditions(self.definitions)
        self._states: dict[int, AlarmState] = {}
        """Of every alarm that is not normal or was raised since the start."""
        self._open: dict[int, bool] = {}
        """Places of alarms that are not normal, with the `bad_input` last shown."""
        self._reason: dict[int, str] = {}
        self._unrecorded: deque[AlarmEntry] = deque()
        self._sequence = 0
        self._version = 0
        self._changed: OrderedDict[int, int] = OrderedDict()

    @property
    def version(self) -> int:
        """Number of the last change; see `changed_since`."""
        return self._version

    @property
    def unrecorded(self) -> int:
        """How many entries the journal has not taken yet."""
        return len(self._unrecorded)

    def restore(self, states: Iterable[AlarmState]) -> None:
        """Take the states of before the restart: same state, acknowledgement, comment and count.

        A state whose definition is gone is ended with an entry `withdrawn`, so that it does not stay for ever.

        Raises:
            InvalidError: a state has a name that does not exist; nothing after it is restored.
        """
        for state in states:
            if state.state == State.NORMAL:
                continue
            if state.state not in list(State):
                raise InvalidError(
                    f"alarm {state.definition}: state {state.state!r}; one of {', '.join(State)} is wanted"
                )
            place = self._place.get(state.definition)
            if place is None:
                self._withdraw(state)
                continue
            self._conditions.restore(place, state.state in _RAISED)
            self._states[place] = state
            self._open[place] = False
            self._show(place)

    def states(self) -> list[AlarmState]:
        """Return the state of every alarm that is not normal."""
        return [self._states[place] for place in self._open]

    def migrate(self, definitions: Iterable[AlarmDefinition]) -> AlarmEngine:
        """Return the engine of a new configuration. States stay; delays and inputs of unchanged conditions too."""
        engine = AlarmEngine(definitions, self._clock, self._record)
        engine._version, engine._sequence, engine._unrecorded = self._version, self._sequence, self._unrecorded
        engine.undefined, engine.dropped_entries = self.undefined, self.dropped_entries
        engine.restore(self.states())
        for place, definition in enumerate(engine.definitions):
            origin = self._place.get(definition.id)
            if origin is not None and _watches(definition) == _watches(self.definitions[origin]):
                engine._conditions.carry(place, self._conditions, origin)
        engine._conditions.bad_changed = True
        engine._show_bad()
        return engine

    def check(self, number: NDArray[np.int32], value: NDArray[np.float64], quality: NDArray[np.uint8]) -> None:
        """Check every reading of a batch, in its order, before change of value hides any.

        Give it `PointTable.screened` after each `apply`, the virtual points' readings, and the points that `expire`
        marked. Values that are not good neither raise nor clear; they set `bad_input`.
        """
        self._follow(self._conditions.check(number, value, quality, self._clock.monotonic()))
        self._show_bad()

    def device(self, device_id: str, lost: bool, reason: str = "") -> None:  # noqa: FBT001 - shape of the contract
        """Say whether the connection to a device is lost, and why; a device without such an alarm is passed over."""
        place = self._of_device.get(device_id)
        if place is not None:
            self._reason[place] = reason if lost else self._reason.get(place, "")
            self._follow(self._conditions.set(place, lost, self._clock.monotonic()))

    def take_out(self, reasons: Mapping[str, str]) -> None:
        """Set the equipment that is out of service, in place of that before, each with the reason.

        Its alarms go to the state out of service (ISA-18.2, I) and come back by themselves. Alarms of life safety stay:
        the table of states has no way out for them. A point's condition begins anew with its next good value; a lost
        device stays known as lost, and its alarm comes when the equipment is back.
        """
        for place, definition in enumerate(self.definitions):
            state = self._states.get(place)
            out = state is not None and state.state == State.OUT_OF_SERVICE
            reason = None if definition.life_safety else reasons.get(definition.equipment)
            if reason is not None and not out:
                if definition.kind != "communication":
                    self._conditions.forget(place)
                self._move(place, Event.REMOVE, math.nan, comment=reason)
            elif reason is None and out:
                self._move(place, Event.RESTORE, math.nan)

    def out_of_service(self) -> list[Alarm]:
        """Return the alarms that are out of service, in the order of their definitions."""
        out = [place for place in self._open if self._states[place].state == State.OUT_OF_SERVICE]
        return [self._alarm(place) for place in sorted(out)]

    @property
    def life_safety_points(self) -> frozenset[int]:
        """Numbers of the points that an alarm of life safety watches; they cannot be taken out of service."""
        return frozenset(d.number for d in self.definitions if d.life_safety and d.number >= 0)

    def tick(self) -> None:
        """Let on- and off-delays end, and offer the journal what it has not taken."""
        self._flush()
        self._follow(self._conditions.tick(self._clock.monotonic()))

    def acknowledge(self, ids: Sequence[str], user: str, comment: str = "") -> list[Alarm]:
        """Acknowledge alarms; return all of them as they stand now. One acknowledged already stays as it is.

        Raises:
            NotFoundError: an id is unknown; nothing was acknowledged.
            UnavailableError: the journal does not take entries; those before it in `ids` are acknowledged.
        """
        return self._operate(ids, Event.ACKNOWLEDGE, user, comment)

    def reset(self, ids: Sequence[str], user: str, comment: str = "") -> list[Alarm]:
        """Reset latched alarms whose condition is gone; return all of them as they stand now.

        Raises:
            NotFoundError, UnavailableError: as `acknowledge`.
        """
        return self._operate(ids, Event.RESET, user, comment)

    def comment(self, id: str, user: str, comment: str) -> Alarm:  # noqa: A002 - the word of the API
        """Add a comment to the present occurrence of an alarm.

        Raises:
            NotFoundError: the id is unknown.
            ConflictError: the alarm was not raised since the start.
            UnavailableError: the journal does not take entries.
        """
        place = self._find(id)
        old = self._states.get(place)
        if old is None:
            raise ConflictError(f"alarm {id} is normal; a comment belongs to an alarm that was raised")
        new = replace(old, comment=comment)
        self._write(place, "commented", old, new, None, user, comment)
        return self._alarm(place)

    def active(self) -> list[Alarm]:
        """Return the active list: life safety first, then by priority, unseen before seen, newest first.

        Shelved, suppressed and out-of-service alarms are not in it.
        """
        alarms = [self._alarm(place) for place in self._open if self._states[place].state not in HIDDEN]
        return sorted(alarms, key=_severity)

    def get(self, id: str) -> Alarm:  # noqa: A002 - the word of the API
        """Return one alarm, raised or normal.

        Raises:
            NotFoundError: the id is unknown.
        """
        return self._alarm(self._find(id))

    def changed_since(self, version: int) -> tuple[int, list[Alarm]]:
        """Return the present version and what has changed after `version`, oldest change first; normal ones too."""
        places = []
        for place in reversed(self._changed):
            if self._changed[place] <= version:
                break
            places.append(place)
        return self._version, [self._alarm(place) for place in reversed(places)]

    # --- from conditions and people to states -------------------------------------------------------------------------

    def _follow(self, fired: Iterable[Firing]) -> None:
        for firing in fired:
            self._move(firing.place, Event.RAISE if firing.active else Event.CLEAR, firing.value)

    def _operate(self, ids: Sequence[str], event: Event, user: str, comment: str) -> list[Alarm]:
        places = [self._find(id_) for id_ in ids]
        for place in places:
            self._move(place, event, math.nan, user, comment)
        return [self._alarm(place) for place in places]

    def _move(self, place: int, event: Event, value: float, user: str = "", comment: str = "") -> None:
        definition = self.definitions[place]
        old = self._states.get(place) or _normal(definition)
        transition = step(
            State(old.state),
            event,
            active=bool(self._conditions.active[place]),
            latching=definition.latching,
            automatic=definition.auto_acknowledge,
            life_safety=definition.life_safety,
        )
        if transition is None:
            self.undefined += 1
            return
        if transition.to == old.state and not transition.occurrence:
            return
        known = value if math.isfinite(value) else None
        new = self._next(place, old, event, transition.to, transition.occurrence, known, user, comment)
        self._write(place, event, old, new, known, user, comment)

    def _next(
        self,
        place: int,
        old: AlarmState,
        event: Event,
        to: State,
        occurrence: bool,  # noqa: FBT001 - inner step
        value: float | None,
        user: str,
        comment: str,
    ) -> AlarmState:
        """Return the state after a transition, with its times and people."""
        now = self._clock.now_ns()
        definition = self.definitions[place]
        if occurrence:
            reason = self._reason.get(place, "")
            return AlarmState(
                definition.id,
                f"{now}-{self._sequence + 1}",
                to,
                raised_ns=now,
                value=value,
                limit=definition.limit if math.isfinite(definition.limit) else None,
                count=1 if old.state == State.NORMAL else old.count + 1,
                data=MappingProxyType({"reason": reason}) if reason else MappingProxyType({}),
            )
        if event is Event.RAISE:
            return replace(old, state=to, returned_ns=None, count=old.count + 1)
        if event is Event.CLEAR:
            return replace(old, state=to, returned_ns=now)
        if event is Event.ACKNOWLEDGE:
            return replace(old, state=to, acknowledged_ns=now, acknowledged_by=user, comment=comment or old.comment)
        if event is Event.REMOVE:
            return AlarmState(
                definition.id,
                old.occurrence or f"{now}-{self._sequence + 1}",
                to,
                count=old.count,
                data=MappingProxyType({"reason": comment}),
            )
        if event is Event.RESTORE:
            return replace(old, state=to, data=MappingProxyType({}))
        if event is Event.ESCALATE:
            return replace(old, state=to, acknowledged_ns=None, acknowledged_by="")
        return replace(old, state=to, comment=comment or old.comment)

    # --- journal and what is shown ------------------------------------------------------------------------------------

    def _write(
        self, place: int, event: str, old: AlarmState, new: AlarmState, value: float | None, user: str, comment: str
    ) -> None:
        """Hand the entry to the journal, then let the change be seen."""
        entry = self._entry(event, old, new, value, user, comment, self.definitions[place])
        if event in _OF_THE_BUILDING:
            self._offer(entry)
        else:
            self._flush()
            if self._unrecorded:
                raise UnavailableError(
                    f"alarm {new.definition}: the journal does not take entries ({len(self._unrecorded)} wait); "
                    f"nothing was changed, try again when it does"
                )
            self._record(entry)
        self._states[place] = new
        if new.state == State.NORMAL:
            self._open.pop(place, None)
        else:
            self._open.setdefault(place, False)
        self._show(place)

    def _entry(
        self,
        event: str,
        old: AlarmState,
        new: AlarmState,
        value: float | None,
        user: str,
        comment: str,
        definition: AlarmDefinition | None,
    ) -> AlarmEntry:
        self._sequence += 1
        now = self._clock.now_ns()
        return AlarmEntry(
            id=f"{now}-{self._sequence}",
            occurrence=new.occurrence,
            definition=new.definition,
            time_ns=now,
            event=str(event),
            from_state=str(old.state),
            to_state=str(new.state),
            value=value,
            limit=new.limit,
            user=user,
            comment=comment,
            source=(definition.point or definition.device) if definition else new.definition.partition("#")[0],
            state=new,
        )

    def _offer(self, entry: AlarmEntry) -> None:
        """Record an entry of the building, or keep it until the journal takes it."""
        self._flush()
        if not self._unrecorded:
            try:
                self._record(entry)
            except UnavailableError:
                pass
            else:
                return
        if len(self._unrecorded) >= _MAX_UNRECORDED:
            self._unrecorded.popleft()
            self.dropped_entries += 1
        self._unrecorded.append(entry)

    def _flush(self) -> None:
        while self._unrecorded:
            try:
                self._record(self._unrecorded[0])
            except UnavailableError:
                return
            self._unrecorded.popleft()

    def _withdraw(self, state: AlarmState) -> None:
        gone = replace(state, state=str(State.NORMAL), returned_ns=self._clock.now_ns())
        self._offer(self._entry("withdrawn", state, gone, None, "", "the alarm is no longer configured", None))

    def _show(self, place: int) -> None:
        self._version += 1
        self._changed[place] = self._version
        self._changed.move_to_end(place)
        if place in self._open:
            self._open[place] = bool(self._conditions.bad[place])

    def _show_bad(self) -> None:
        """Let a change of `bad_input` of the alarms that somebody looks at be seen."""
        if not self._conditions.bad_changed:
            return
        self._conditions.bad_changed = False
        bad = self._conditions.bad
        for place, shown in self._open.items():
            if shown != bool(bad[place]):
                self._show(place)

    def _alarm(self, place: int) -> Alarm:
        definition = self.definitions[place]
        state = self._states.get(place) or _normal(definition)
        return Alarm(definition, state, bool(self._conditions.bad[place]), self._changed.get(place, 0))

    def _find(self, id_: str) -> int:
        place = self._place.get(id_)
        if place is None:
            raise NotFoundError(
                f"no alarm has the id {id_!r}; ids are <point address>#<kind> or <device>#communication"
            )
        return place


def _normal(definition: AlarmDefinition) -> AlarmState:
    return AlarmState(definition.id, "", State.NORMAL)


def _watches(definition: AlarmDefinition) -> tuple[object, ...]:
    """Return what decides the condition; NaN (no limit) as None, for it is not equal to itself."""
    limit = None if math.isnan(definition.limit) else definition.limit
    return (definition.kind, definition.number, definition.device, limit, definition.states, definition.deadband)


def _severity(alarm: Alarm) -> tuple[object, ...]:
    unseen = alarm.state.state in ANNUNCIATED
    return (
        not alarm.definition.life_safety,
        alarm.definition.priority,
        not unseen,
        -(alarm.state.raised_ns or 0),
        alarm.id,
    )
