"""Whatever happens to an alarm, its journal tells the whole story."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from controller.alarm.definition import AlarmDefinition, AlarmEntry, AlarmState
from controller.alarm.engine import AlarmEngine
from controller.alarm.state import Event, State, step
from controller.clock import VirtualClock
from controller.errors import UnavailableError

IDS = ("a#high", "b#low", "c#state", "d#communication")
UNSEEN = ("unacknowledged", "latched_unacknowledged")


class AlarmMachine(RuleBasedStateMachine):
    @initialize(
        latching=st.booleans(), automatic=st.booleans(), delays=st.sampled_from([(0.0, 0.0), (3.0, 0.0), (2.0, 4.0)])
    )
    def start(self, latching: bool, automatic: bool, delays: tuple[float, float]) -> None:
        on, off = delays
        self.definitions = (
            AlarmDefinition(IDS[0], "high", 1, "a", limit=10.0, deadband=1.0, on_delay_s=on, latching=latching),
            AlarmDefinition(IDS[1], "low", 1, "a", limit=0.0, off_delay_s=off, auto_acknowledge=automatic),
            AlarmDefinition(IDS[2], "state", 2, "c", states=(3, 4), on_delay_s=on, off_delay_s=off, life_safety=True),
            AlarmDefinition(IDS[3], "communication", device="d", on_delay_s=on),
        )
        self.clock = VirtualClock()
        self.journal: list[AlarmEntry] = []
        self.broken = False
        self.engine = AlarmEngine(self.definitions, self.clock, self.record)
        self.shown: dict[str, str] = {}
        self.version = 0

    def record(self, entry: AlarmEntry) -> None:
        if self.broken:
            raise UnavailableError("down")
        self.journal.append(entry)

    @rule(
        number=st.sampled_from([1, 2, 7]),
        values=st.lists(st.sampled_from([-1.0, 0.0, 3.0, 5.0, 9.5, 11.0]), min_size=1, max_size=4),
        quality=st.sampled_from([0, 0, 0, 64, 128]),
    )
    def read(self, number: int, values: list[float], quality: int) -> None:
        n = len(values)
        self.engine.check(np.full(n, number, np.int32), np.array(values), np.full(n, quality, np.uint8))

    @rule(lost=st.booleans())
    def connection(self, lost: bool) -> None:
        self.engine.device("d", lost, "time-out")

    @rule(seconds=st.sampled_from([0.5, 1.0, 5.0]))
    def wait(self, seconds: float) -> None:
        self.clock.move(seconds)
        self.engine.tick()

    @rule(seconds=st.sampled_from([-3600.0, 3600.0]))
    def jump(self, seconds: float) -> None:
        before = {id_: self.engine.get(id_).state for id_ in IDS}
        self.clock.jump(seconds)
        assert {id_: self.engine.get(id_).state for id_ in IDS} == before

    @rule(id_=st.sampled_from(IDS), what=st.sampled_from(["acknowledge", "reset"]))
    def operate(self, id_: str, what: str) -> None:
        before = self.engine.get(id_).state
        try:
            getattr(self.engine, what)([id_], "ming", "")
        except UnavailableError:
            assert self.engine.get(id_).state == before

    @rule(broken=st.booleans())
    def journal_fails(self, broken: bool) -> None:
        self.broken = broken

    @rule()
    def restart(self) -> None:
        self.broken = False
        self.engine.tick()
        self.clock.move(0.001)
        before = {id_: self.engine.get(id_).state for id_ in IDS}
        states = self.engine.states()
        self.engine = AlarmEngine(self.definitions, self.clock, self.record)
        self.engine.restore([AlarmState.of(state) for state in states])
        for id_ in IDS:
            after = self.engine.get(id_).state
            assert after == before[id_] or before[id_].state == after.state == State.NORMAL
        self.version = 0
        self.shown = {}

    @rule()
    def configure(self) -> None:
        before = {id_: self.engine.get(id_).state for id_ in IDS if self.engine.get(id_).state.state != State.NORMAL}
        self.engine = self.engine.migrate(reversed(self.definitions))
        assert {state.definition: state for state in self.engine.states()} == before

    @invariant()
    def the_journal_and_what_waits_tell_every_state(self) -> None:
        if not hasattr(self, "engine"):
            return
        told = dict.fromkeys(IDS, State.NORMAL)
        occurrence: dict[str, str] = {}
        definitions = {definition.id: definition for definition in self.definitions}
        for entry in [*self.journal, *self.engine._unrecorded]:
            definition = definitions[entry.definition]
            assert entry.from_state == told[entry.definition], "a transition without an entry"
            active = entry.event == Event.RAISE
            transition = step(
                State(entry.from_state),
                Event(entry.event),
                active=active,
                latching=definition.latching,
                automatic=definition.auto_acknowledge,
                life_safety=definition.life_safety,
            )
            assert transition is not None
            assert transition.to == entry.to_state == entry.state.state
            assert transition.occurrence == (entry.occurrence != occurrence.get(entry.definition))
            if entry.from_state in UNSEEN and entry.to_state not in UNSEEN:
                assert entry.event in ("acknowledged", "returned", "reset")
            told[entry.definition] = State(entry.to_state)
            occurrence[entry.definition] = entry.occurrence
        assert {id_: self.engine.get(id_).state.state for id_ in IDS} == told

    @invariant()
    def the_stream_shows_the_same_as_the_list(self) -> None:
        if not hasattr(self, "engine"):
            return
        self.version, changed = self.engine.changed_since(self.version)
        for alarm in changed:
            self.shown[alarm.id] = alarm.state.state
        listed = {alarm.id: alarm.state.state for alarm in self.engine.active()}
        assert {id_: state for id_, state in self.shown.items() if state != State.NORMAL} == listed

    @invariant()
    def entries_have_their_own_ids(self) -> None:
        if hasattr(self, "engine"):
            ids = [entry.id for entry in self.journal]
            assert len(ids) == len(set(ids))


AlarmMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAlarmMachine = AlarmMachine.TestCase
