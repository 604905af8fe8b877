"""The drills of a site: one at a time under way, looked at in every turn of the cycle.

The engine holds what `course`, `muster` and `presence` decide, and hands every change to `record` before anybody can
see it. It reads present values and never has anything to write to: it is given no arbiter, no driver and no table to
put a drill value into. What a drill shows is in `view` alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.drill import course
from controller.drill.course import Cause, Phase
from controller.drill.muster import CARD, Status, Tick, TickKind, board
from controller.errors import ConflictError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from controller.drill.course import Drill, Entry, Move
    from controller.drill.muster import Board
    from controller.drill.presence import Person, Presence
    from controller.drill.signal import Signal
    from drivers.driver import Clock
    from drivers.event import Event

__all__ = ["MOST_OPEN", "MOST_TICKS", "DrillEngine", "Record"]

_log = logging.getLogger(__name__)

MOST_OPEN = 50
"""Drills that are not closed; more are refused."""
MOST_TICKS = 100_000
"""Of one drill: two hundred wardens, five hundred ticks each."""
COUNTS_S = 1.0
"""The screens are told of what wardens count this often at most."""
SHOWN_SIGNALS = 5
"""Real signals that the screens are told of, fires first; of the others the number."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a change adds to the journal, in one transaction."""

    drill: Drill | None = None
    entries: tuple[Entry, ...] = ()
    ticks: tuple[tuple[str, Tick], ...] = ()
    """With the id of their drill."""
    people: tuple[tuple[str, Person], ...] = ()
    """Who was in the building at the start, with the id of the drill."""


class DrillEngine:
    """One a controller. `turn` is called by the cycle, `event` for each event, everything else by the API."""

    def __init__(
        self,
        clock: Clock,
        *,
        signals: Callable[[], Sequence[Signal]],
        presence: Presence,
        record: Callable[[Record], None],
        tell: Callable[[], None],
        recorded: Callable[[], bool] = lambda: True,
        announce: Callable[[Drill, Sequence[Entry]], None] = lambda _drill, _entries: None,
    ) -> None:
        """Prepare.

        `record`, `tell` and `announce` (messages to people) return at once and never raise for a failing disk;
        `recorded` is False while it fails.
        """
        self.presence = presence
        self._clock = clock
        self._signals = signals
        self._record = record
        self._tell = tell
        self._recorded = recorded
        self._announce = announce
        self._drills: dict[str, Drill] = {}
        self._people: dict[str, tuple[Person, ...]] = {}
        self._ticks: dict[str, dict[str, Tick]] = {}
        self._out: set[str] = set()
        """Those whom a card at an exit accounts for, in the drill under way."""
        self._since = 0.0
        """Monotonic time of the request or the start of the drill under way."""
        self._shown: object = None
        self._boards: dict[str, Board] = {}
        """Boards as they were last worked out; forgotten with the next tick."""
        self._counted = False
        """Something was counted that the screens have not been told of."""
        self._told = 0.0

    def restore(
        self,
        drills: Iterable[Drill],
        people: Mapping[str, Sequence[Person]],
        ticks: Mapping[str, Sequence[Tick]],
    ) -> None:
        """Take the drills that are not closed; one that ran when the controller stopped is ended, and says so."""
        for drill in drills:
            if drill.phase not in course.OPEN:
                continue
            self._drills[drill.id] = drill
            self._people[drill.id] = tuple(people.get(drill.id, ()))
            self._ticks[drill.id] = {tick.key: tick for tick in ticks.get(drill.id, ())}
            move = course.end_by_restart(drill, self._clock.now_ns())
            if move is not None:
                _log.warning("drill %s: %s", drill.id, move.entries[0].text.en)
                self._take(move)

    # -- what is so --------------------------------------------------------------------------------------------------

    @property
    def open(self) -> tuple[Drill, ...]:
        """Return the drills that are not closed, the newest first."""
        return tuple(sorted(self._drills.values(), key=lambda drill: -drill.planned_ns))

    @property
    def current(self) -> Drill | None:
        """Return the drill that is asked for or runs; else one that waits for its restoring; else None."""
        for phases in ((Phase.REQUESTED, Phase.RUNNING), (Phase.STOOD_DOWN,)):
            found = [drill for drill in self.open if drill.phase in phases]
            if found:
                return found[0]
        return None

    def get(self, id_: str) -> Drill | None:
        """Return a drill that is not closed."""
        return self._drills.get(id_)

    def elapsed_s(self, drill: Drill) -> float:
        """Return how long a drill has run, s, on the monotonic clock; of one that has ended by its calendar times."""
        if drill.phase is Phase.RUNNING:
            return self._clock.monotonic() - self._since
        if drill.started_ns is None or drill.ended_ns is None:
            return 0.0
        return max(0.0, (drill.ended_ns - drill.started_ns) / 1e9)

    def waits_s(self, drill: Drill) -> float:
        """Return how long the second person still has, s; 0 when nobody is waited for."""
        if drill.phase is not Phase.REQUESTED:
            return 0.0
        return max(0.0, course.CONFIRM_S - (self._clock.monotonic() - self._since))

    def signals(self) -> tuple[Signal, ...]:
        """Return the real signals that are active now."""
        return tuple(self._signals())

    def muster(self, id_: str) -> Board:
        """Return the board of a drill that is not closed."""
        if id_ not in self._boards:
            drill = self._drills.get(id_)
            ended_ns = None if drill is None else drill.ended_ns
            self._boards[id_] = board(self._people.get(id_, ()), self._ticks.get(id_, {}).values(), ended_ns)
        return self._boards[id_]

    def person(self, id_: str, person: str) -> Person | None:
        """Return where somebody was when a drill that is not closed began; None when no card had brought them in."""
        return next((one for one in self._people.get(id_, ()) if one.id == person), None)

    def view(self) -> dict[str, Any]:
        """Return what every screen is told, whoever looks: no names, and of a duress only that something is real."""
        drill = self.current
        if drill is None:
            return {"drill": None, "real": [], "more": 0, "unrecorded": False}
        real = self._real(drill)
        return {
            "drill": {
                "id": drill.id,
                "phase": str(drill.phase),
                "level": str(drill.level),
                "name": {"zh": drill.scenario.name.zh, "en": drill.scenario.name.en},
                "building": drill.scenario.building,
                "floor": drill.scenario.floor,
                "started_ms": _ms(drill.started_ns),
                "end_ms": _ms(None if drill.started_ns is None else drill.started_ns + round(drill.length_s * 1e9)),
                "ended_ms": _ms(drill.ended_ns),
                "cause": None if drill.cause is None else str(drill.cause),
                "values": [{"point": point, "value": value} for point, value in drill.drill_values.items()],
                "given": len(drill.given),
                "last": _last(drill),
            },
            "real": [_public(signal) for signal in real[:SHOWN_SIGNALS]],
            "more": max(0, len(real) - SHOWN_SIGNALS),
            "unrecorded": not self._recorded(),
        }

    def _real(self, drill: Drill) -> tuple[Signal, ...]:
        """Return the signals of a drill that ended by one: those that are active still, or else none."""
        if drill.phase is not Phase.STOOD_DOWN or drill.cause is not Cause.REAL:
            return ()
        return self.signals()

    # -- from the cycle ----------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Look at the drill under way: real signals, end time, injects that are due, a request that lapses."""
        drill = self.current
        if drill is None:
            return
        now_ns, elapsed_s = self._clock.now_ns(), self._clock.monotonic() - self._since
        if drill.phase is Phase.RUNNING:
            move = course.tick(drill, elapsed_s, now_ns, self.signals())
        else:
            move = course.lapse(drill, now_ns, elapsed_s)
        if move is not None:
            for entry in move.entries:
                _log.info("drill %s: %s", drill.id, entry.text.en)
            self._take(move)
            return
        shown = (self._real(drill), self._recorded())
        if shown != self._shown or (self._counted and self._clock.monotonic() - self._told >= COUNTS_S):
            self._shown = shown
            self._say()

    def event(self, event: Event) -> None:
        """Follow a card at a door; at an exit during a drill it accounts for its holder.

        Who did not go through after all, or comes back in, is no longer accounted for by the card.
        """
        person = self.presence.take(event.type, event.time_ns, event.data)
        drill = self.current
        if person is None or drill is None or drill.phase is not Phase.RUNNING:
            return
        known = self.person(drill.id, person.id)
        if known is None or (person.inside and person.id not in self._out):
            return
        (self._out.discard if person.inside else self._out.add)(person.id)
        now_ns = self._clock.now_ns()
        key = f"{CARD}/{event.source}/{event.key}"
        self._keep_ticks(
            drill,
            [
                Tick(
                    key,
                    TickKind.PERSON,
                    CARD,
                    event.time_ns,
                    event.time_ns,
                    now_ns,
                    known.area,
                    known.floor,
                    person.id,
                    None if person.inside else Status.ACCOUNTED,
                )
            ],
        )

    # -- from people -------------------------------------------------------------------------------------------------

    def add(self, move: Move) -> Drill:
        """Keep a drill that `course.plan` made.

        Raises:
            ConflictError: there are too many that are not closed.
        """
        if len(self._drills) >= MOST_OPEN:
            raise ConflictError(f"{MOST_OPEN} drills are not closed; finish or cancel one first")
        self._take(move)
        return move.drill

    def act(self, id_: str, decide: Callable[[Drill, int], Move]) -> Drill:
        """Take a decision of somebody; return the drill after it.

        Raises:
            NotFoundError: no drill that is not closed has this id.
            ShifuError: `decide` refused; nothing was changed.
        """
        drill = self._drills.get(id_)
        if drill is None:
            raise NotFoundError(f"no open drill {id_[:60]!r}; GET /api/v1/drills lists them")
        move = decide(drill, self._clock.now_ns())
        self._take(move)
        return move.drill

    def request(self, id_: str, who: str) -> Drill:
        """Ask for the start of a drill; see `course.request`.

        Raises:
            ConflictError: another drill is under way, or see there.
        """
        under_way = self.current
        if under_way is not None and under_way.id != id_:
            raise ConflictError(
                f"drill {under_way.id} is {under_way.phase.replace('_', ' ')}; finish or restore it before the next"
            )
        return self.act(id_, lambda drill, now_ns: course.request(drill, who, now_ns, self.signals()))

    def confirm(self, id_: str, who: str) -> Drill:
        """Start a drill as the second person; see `course.confirm`."""
        waited_s = self._clock.monotonic() - self._since
        return self.act(id_, lambda drill, now_ns: course.confirm(drill, who, now_ns, waited_s, self.signals()))

    def unreached(self, id_: str, target: str) -> None:
        """Write down that somebody of the scenario could not be told, for notify.toml has them no longer."""
        drill = self._drills.get(id_)
        if drill is not None and drill.started_ns is not None:
            text = f"未能通知 {target}，通知設定中已無此對象 (could not be told: notify.toml has it no longer)"
            self._take(course.note(drill, "system", self._clock.now_ns(), text))

    def restored(self, id_: str, who: str, steps: Sequence[str]) -> Drill:
        """Restore after a drill; see `course.restore`."""
        return self.act(id_, lambda drill, now_ns: course.restore(drill, who, now_ns, steps, self.signals()))

    def ticks(self, id_: str, ticks: Sequence[Tick]) -> list[str]:
        """Keep what wardens said, each key once; return the keys that are kept now (all of them).

        Ticks that a phone kept while it had no network are taken after the end of the drill too, until its report.

        Raises:
            NotFoundError: no drill that is not closed has this id.
            ConflictError: it has not begun, or it has too many ticks.
        """
        drill = self._drills.get(id_)
        if drill is None:
            raise NotFoundError(f"no open drill {id_[:60]!r}; GET /api/v1/drills lists them")
        if drill.started_ns is None:
            raise ConflictError(f"drill {drill.id} has not begun; there is nobody to count")
        _check_ticks(id_, len(self._ticks[id_]), ticks)
        self._keep_ticks(drill, ticks)
        return [tick.key for tick in ticks]

    def after_close(self, drill: Drill, known: Collection[str], ticks: Sequence[Tick]) -> list[str]:
        """Keep what wardens said of a drill whose report is finished: in the record, and no part of its muster.

        A phone that comes back days later loses nothing, and nothing of the report changes.

        Args:
            drill: it ran once, and is closed.
            known: keys of its ticks in the journal.
            ticks: each is kept once.

        Raises:
            ConflictError: it never ran, or it has too many ticks.
        """
        if drill.started_ns is None or drill.phase in course.OPEN:
            raise ConflictError(f"drill {drill.id} is {drill.phase.replace('_', ' ')}; there is nothing to count after")
        _check_ticks(drill.id, len(known), ticks)
        new = {tick.key: tick for tick in ticks if tick.key not in known}
        if new:
            self._record(Record(ticks=tuple((drill.id, tick) for tick in new.values())))
        return [tick.key for tick in ticks]

    # -- inner -------------------------------------------------------------------------------------------------------

    def _keep_ticks(self, drill: Drill, ticks: Iterable[Tick]) -> None:
        known = self._ticks.setdefault(drill.id, {})
        new = []
        for tick in ticks:
            if tick.key not in known:
                known[tick.key] = tick
                new.append(tick)
        if new:
            self._record(Record(ticks=tuple((drill.id, tick) for tick in new)))
            self._boards.pop(drill.id, None)
            # Two hundred wardens count at once: the screens are told once a second, by the turn.
            self._counted = True

    def _say(self) -> None:
        self._counted, self._told = False, self._clock.monotonic()
        self._tell()

    def _take(self, move: Move) -> None:
        drill = move.drill
        before = self._drills.get(drill.id)
        people: tuple[Person, ...] = ()
        started = drill.phase is Phase.RUNNING and (before is None or before.phase is not Phase.RUNNING)
        if started:
            people = tuple(self.presence.inside(self._clock.now_ns()))
        self._record(Record(drill, move.entries, people=tuple((drill.id, person) for person in people)))
        if started:
            self._people[drill.id] = people
            self._out.clear()
        if started or drill.phase is Phase.REQUESTED:
            self._since = self._clock.monotonic()
        if drill.phase in course.OPEN:
            self._drills[drill.id] = drill
            self._ticks.setdefault(drill.id, {})
        else:
            for kept in (self._drills, self._people, self._ticks):
                kept.pop(drill.id, None)
        self._boards.pop(drill.id, None)
        self._shown = (self._real(drill), self._recorded())
        self._say()
        self._announce(drill, move.entries)


def _check_ticks(drill: str, known: int, ticks: Sequence[Tick]) -> None:
    if known + len(ticks) > MOST_TICKS:
        raise ConflictError(f"drill {drill} has {known} ticks; {MOST_TICKS} are the most")
    for tick in ticks:
        if tick.kind is TickKind.PERSON and (not tick.person or tick.status is None):
            raise InvalidError(f"tick {tick.key!r}: a tick of a person needs the person and a status")


def _ms(time_ns: int | None) -> int | None:
    return None if time_ns is None else time_ns // 1_000_000


def _last(drill: Drill) -> dict[str, str] | None:
    """Return the words of the inject that was given last."""
    if not drill.given:
        return None
    last = drill.given[-1][0]
    return next(
        ({"zh": one.text.zh, "en": one.text.en} for one in drill.scenario.injects if one.id == last),
        None,
    )


def _public(signal: Signal) -> dict[str, Any]:
    """Return a signal as every screen is told of it."""
    data = signal.public().to_json()
    return {key: data[key] for key in ("kind", "text", "place", "floor")}
