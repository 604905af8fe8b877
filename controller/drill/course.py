"""The course of a drill, as pure decisions: planned → running → stood down → restored → reported.

    planned ──request──► requested ──confirm (another person)──► running ──► stood down ──► restored ──► reported
       └──── cancel ────────┘                                       │
                                      end time · real signal · restart · abort · stand down

Every decision takes a drill and returns the next one with what is to be written of it. Nothing here knows of a point
that could be commanded: a drill has no way to equipment at all. A request that nobody confirms in `CONFIRM_S` lapses.
Time in a drill is counted on the monotonic clock (`elapsed_s`): a clock that is set ends no drill and delays none.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from controller.drill.scenario import Level, Scenario
from controller.drill.signal import Signal
from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from controller.point.model import Name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.drill.scenario import Inject

__all__ = [
    "CONFIRM_S",
    "LONGEST_S",
    "Answer",
    "Cause",
    "Drill",
    "Entry",
    "Move",
    "Phase",
    "abort",
    "answer",
    "cancel",
    "confirm",
    "end_by_restart",
    "give",
    "lapse",
    "note",
    "plan",
    "report",
    "request",
    "restore",
    "stand_down",
    "tick",
]

CONFIRM_S = 300.0
"""Within this the second person confirms a start."""
LONGEST_S = 8 * 3600.0
"""A drill lasts no longer: a forgotten one must not be the state of a working day."""
MARK = Name("演練 DRILL", "演練 DRILL")
"""First in every message and record of a drill, in both languages."""


class Phase(StrEnum):
    """Where a drill stands."""

    PLANNED = "planned"
    REQUESTED = "requested"
    """The start is asked for and waits for the second person."""
    RUNNING = "running"
    STOOD_DOWN = "stood_down"
    """It has ended, by whatever `Cause`; normal operation is still to be restored."""
    RESTORED = "restored"
    REPORTED = "reported"
    CANCELLED = "cancelled"


class Cause(StrEnum):
    """Why a running drill ended."""

    STOOD_DOWN = "stood_down"
    """Its controller stood it down."""
    END_TIME = "end_time"
    REAL = "real"
    """A real signal came."""
    ABORTED = "aborted"
    """Somebody on duty broke it off."""
    RESTART = "restart"
    """The controller was restarted; a drill never goes on by itself."""


OPEN = frozenset({Phase.PLANNED, Phase.REQUESTED, Phase.RUNNING, Phase.STOOD_DOWN, Phase.RESTORED})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a team answered to an inject."""

    inject: str
    who: str
    time_ns: int
    after_s: float
    """Seconds after the inject was given."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill."""

    id: str
    scenario: Scenario
    level: Level
    end_ns: int
    """Calendar time, ns UTC, at which it is to end by itself."""
    planned_by: str
    planned_ns: int
    notice: str = ""
    """How and when the fire authority was told (消防法施行細則)."""
    remark: str = ""
    phase: Phase = Phase.PLANNED
    requested_by: str = ""
    requested_ns: int | None = None
    confirmed_by: str = ""
    started_ns: int | None = None
    length_s: float = 0.0
    """From the start to the end time, as it was when it started."""
    given: tuple[tuple[str, int], ...] = ()
    """Injects that were given, with the time, ns UTC."""
    answers: tuple[Answer, ...] = ()
    ended_ns: int | None = None
    cause: Cause | None = None
    ended_by: str = ""
    ended_why: str = ""
    real: tuple[Signal, ...] = ()
    """The signals that ended it."""
    steps: tuple[str, ...] = ()
    """What was checked at the restoring."""
    restored_by: str = ""
    restored_ns: int | None = None
    conclusion: str = ""
    reported_by: str = ""
    reported_ns: int | None = None

    @property
    def drill_values(self) -> Mapping[str, float]:
        """Return what the drill shows now, by point: beside the real values and never in their place."""
        if self.phase is not Phase.RUNNING or self.level is not Level.SIMULATED:
            return {}
        known = dict(self.given)
        return {
            inject.point: inject.value
            for inject in self.scenario.injects
            if inject.id in known and inject.point and inject.value is not None
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain data for the journal."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "scenario": self.scenario.to_json(),
            "level": str(self.level),
            "phase": str(self.phase),
            "cause": None if self.cause is None else str(self.cause),
            "given": [list(pair) for pair in self.given],
            "answers": [{name: getattr(item, name) for name in _ANSWER} for item in self.answers],
            "real": [signal.to_json() for signal in self.real],
            "steps": list(self.steps),
        }

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Drill:
        """Return the drill that `to_json` wrote."""
        return cls(
            **{name: data[name] for name in _PLAIN},
            scenario=Scenario.of_json(data["scenario"]),
            level=Level(data["level"]),
            phase=Phase(data["phase"]),
            cause=None if data["cause"] is None else Cause(data["cause"]),
            given=tuple((str(id_), int(time_ns)) for id_, time_ns in data["given"]),
            answers=tuple(Answer(**row) for row in data["answers"]),
            real=tuple(Signal.of_json(row) for row in data["real"]),
            steps=tuple(data["steps"]),
        )


_OTHER = frozenset({"scenario", "level", "phase", "cause", "given", "answers", "real", "steps"})
_PLAIN = tuple(name for name in Drill.__dataclass_fields__ if name not in _OTHER)
_ANSWER = tuple(Answer.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the record of a drill."""

    drill: str
    time_ns: int
    kind: str
    """`planned`, `requested`, `lapsed`, `started`, `inject`, `answer`, `note`, `ended`, `restored`, `reported` or
    `cancelled`."""
    who: str
    """User, or `system`."""
    text: Name
    """Begins with 演練 DRILL."""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Move:
    """A drill after a decision, and what is written of it."""

    drill: Drill
    entries: tuple[Entry, ...] = ()


def _entry(drill: Drill, now_ns: int, kind: str, who: str, zh: str, en: str, **data: Any) -> Entry:
    return Entry(drill.id, now_ns, kind, who, Name(f"{MARK.zh} {zh}", f"{MARK.en} {en}"), data)


def _want(drill: Drill, *phases: Phase) -> None:
    if drill.phase not in phases:
        wanted = " or ".join(phase.replace("_", " ") for phase in phases)
        raise ConflictError(f"drill {drill.id} is {drill.phase.replace('_', ' ')}; this needs one that is {wanted}")


def plan(
    id_: str, scenario: Scenario, level: Level, end_ns: int, who: str, now_ns: int, notice: str = "", remark: str = ""
) -> Move:
    """Plan a drill.

    Raises:
        InvalidError: the level is not one of the scenario, or its end lies in the past or too far away.
    """
    if level not in scenario.levels:
        known = ", ".join(scenario.levels)
        raise InvalidError(f"level {level!r} is none of scenario {scenario.id!r}; it has {known}")
    if end_ns <= now_ns:
        raise InvalidError("the end of the drill lies in the past; give an end time that is still to come")
    drill = Drill(id_, scenario, level, end_ns, who, now_ns, notice, remark)
    said = _entry(
        drill, now_ns, "planned", who, f"已計畫：{scenario.name.zh}", f"planned: {scenario.name.en}", level=str(level)
    )
    return Move(drill, (said,))


def request(drill: Drill, who: str, now_ns: int, real: Sequence[Signal]) -> Move:
    """Ask for the start; the second person confirms it in `CONFIRM_S`.

    Raises:
        ConflictError: it is not planned, a real signal is active, or the fire status is not known.
        InvalidError: its end lies in the past, or too far away.
    """
    _want(drill, Phase.PLANNED)
    _clear(real)
    _end_fits(drill, now_ns)
    asked = replace(drill, phase=Phase.REQUESTED, requested_by=who, requested_ns=now_ns)
    return Move(
        asked,
        (
            _entry(
                asked, now_ns, "requested", who, "請求開始，等候第二人同意", "start asked for; waits for another person"
            ),
        ),
    )


def confirm(drill: Drill, who: str, now_ns: int, waited_s: float, real: Sequence[Signal]) -> Move:
    """Start it, `waited_s` after the request.

    Raises:
        ForbiddenError: the same person asked for the start.
        ConflictError: it is not asked for, the time to confirm is over, or a real signal is active.
        InvalidError: its end lies in the past by now.
    """
    _want(drill, Phase.REQUESTED)
    if who == drill.requested_by:
        raise ForbiddenError(f"{who} asked for this start; another person has to confirm it")
    if waited_s > CONFIRM_S:
        raise ConflictError(f"nobody confirmed within {CONFIRM_S / 60:.0f} minutes; ask for the start again")
    _clear(real)
    _end_fits(drill, now_ns)
    length_s = (drill.end_ns - now_ns) / 1e9
    started = replace(drill, phase=Phase.RUNNING, confirmed_by=who, started_ns=now_ns, length_s=length_s)
    said = _entry(
        started,
        now_ns,
        "started",
        who,
        f"開始：{drill.scenario.name.zh}",
        f"started: {drill.scenario.name.en}",
        requested_by=drill.requested_by,
        level=str(drill.level),
        end_ns=drill.end_ns,
    )
    return Move(started, (said,))


def lapse(drill: Drill, now_ns: int, waited_s: float) -> Move | None:
    """Take back a request that nobody confirmed in its time; None while there is time."""
    if drill.phase is not Phase.REQUESTED or waited_s <= CONFIRM_S:
        return None
    back = replace(drill, phase=Phase.PLANNED, requested_by="", requested_ns=None)
    return Move(
        back, (_entry(back, now_ns, "lapsed", "system", "逾時未同意，未開始", "not confirmed in time; not started"),)
    )


def tick(drill: Drill, elapsed_s: float, now_ns: int, real: Sequence[Signal]) -> Move | None:
    """Return what time and the building make of a running drill; None when nothing changes.

    A real signal comes before everything: also before an inject that is due at the same moment, and for the very point
    that the drill plays with.
    """
    if drill.phase is not Phase.RUNNING:
        return None
    if real:
        first = real[0].public()
        place = Name(f"{first.place.zh} {first.text.zh}".strip(), f"{first.place.en} {first.text.en}".strip())
        said = Name(f"真實訊號 {place.zh}".strip(), f"real signal {place.en}".strip())
        return _ended(drill, now_ns, Cause.REAL, "system", said, real)
    if elapsed_s >= drill.length_s:
        return _ended(drill, now_ns, Cause.END_TIME, "system", Name("結束時間到", "end time reached"))
    known = {id_ for id_, _ in drill.given}
    due = [one for one in drill.scenario.injects if one.after_s <= elapsed_s and one.id not in known]
    return _give(drill, due, now_ns, "system") if due else None


def _give(drill: Drill, injects: Sequence[Inject], now_ns: int, who: str) -> Move:
    after = replace(drill, given=(*drill.given, *((one.id, now_ns) for one in injects)))
    return Move(
        after,
        tuple(
            _entry(after, now_ns, "inject", who, f"狀況：{one.text.zh}", f"inject: {one.text.en}", inject=one.id)
            for one in injects
        ),
    )


def give(drill: Drill, inject: str, who: str, now_ns: int) -> Move:
    """Give an inject before its time.

    Raises:
        ConflictError: the drill does not run, or it was given already.
        NotFoundError: the scenario has no such inject.
    """
    _want(drill, Phase.RUNNING)
    found = _inject(drill, inject)
    if inject in dict(drill.given):
        raise ConflictError(f"inject {inject!r} was given already")
    return _give(drill, (found,), now_ns, who)


def answer(drill: Drill, inject: str, who: str, now_ns: int, text: str = "") -> Move:
    """Write down that a team answered an inject; the first answer counts.

    Raises:
        ConflictError: the drill does not run, the inject was not given yet or wants no answer, or has one.
        NotFoundError: the scenario has no such inject.
    """
    _want(drill, Phase.RUNNING)
    found = _inject(drill, inject)
    given = dict(drill.given).get(inject)
    if given is None:
        raise ConflictError(f"inject {inject!r} was not given yet")
    if found.answer_s is None:
        raise ConflictError(f"inject {inject!r} wants no answer")
    if any(one.inject == inject for one in drill.answers):
        raise ConflictError(f"inject {inject!r} has an answer already")
    made = Answer(inject, who, now_ns, max(0.0, (now_ns - given) / 1e9), text)
    after = replace(drill, answers=(*drill.answers, made))
    said = _entry(
        after,
        now_ns,
        "answer",
        who,
        f"回報：{found.text.zh}",
        f"answered: {found.text.en}",
        inject=inject,
        after_s=made.after_s,
        note=text,
    )
    return Move(after, (said,))


def note(drill: Drill, who: str, now_ns: int, text: str) -> Move:
    """Write down what somebody saw; a deviation for the report.

    Raises:
        ConflictError: the drill has not begun, or its report is finished.
    """
    _want(drill, Phase.RUNNING, Phase.STOOD_DOWN, Phase.RESTORED)
    return Move(drill, (_entry(drill, now_ns, "note", who, f"觀察：{text}", f"observed: {text}", note=text),))


def stand_down(drill: Drill, who: str, now_ns: int, why: str) -> Move:
    """End it as planned.

    Raises:
        ConflictError: it does not run.
    """
    _want(drill, Phase.RUNNING)
    return _ended(drill, now_ns, Cause.STOOD_DOWN, who, Name(f"解除：{why}", f"stood down: {why}"), why=why)


def abort(drill: Drill, who: str, now_ns: int, why: str) -> Move:
    """Break it off.

    Raises:
        ConflictError: it does not run.
    """
    _want(drill, Phase.RUNNING)
    return _ended(drill, now_ns, Cause.ABORTED, who, Name(f"中止：{why}", f"broken off: {why}"), why=why)


def end_by_restart(drill: Drill, now_ns: int) -> Move | None:
    """Return what a start of the controller makes of a drill: nothing runs on, and no request is left waiting."""
    if drill.phase is Phase.RUNNING:
        said = Name("控制器重新啟動", "the controller was restarted")
        return _ended(drill, now_ns, Cause.RESTART, "system", said)
    if drill.phase is Phase.REQUESTED:
        back = replace(drill, phase=Phase.PLANNED, requested_by="", requested_ns=None)
        said_zh, said_en = "控制器重新啟動，開始請求作廢", "the controller was restarted; the request is void"
        return Move(back, (_entry(back, now_ns, "lapsed", "system", said_zh, said_en),))
    return None


def cancel(drill: Drill, who: str, now_ns: int, why: str) -> Move:
    """Call off a drill that has not begun.

    Raises:
        ConflictError: it has begun.
    """
    _want(drill, Phase.PLANNED, Phase.REQUESTED)
    off = replace(drill, phase=Phase.CANCELLED, ended_ns=now_ns, ended_by=who, ended_why=why)
    return Move(off, (_entry(off, now_ns, "cancelled", who, f"取消：{why}", f"called off: {why}", reason=why),))


def restore(drill: Drill, who: str, now_ns: int, steps: Sequence[str], real: Sequence[Signal]) -> Move:
    """Say that normal operation goes on; every step of the scenario was checked.

    Raises:
        ConflictError: it has not ended, a real signal is active, or a step was not checked.
        InvalidError: a step is none of the scenario.
    """
    _want(drill, Phase.STOOD_DOWN)
    known = [step.id for step in drill.scenario.steps]
    if strange := [step for step in steps if step not in known]:
        raise InvalidError(f"step {strange[0]!r} is none of the scenario; it has {', '.join(known) or 'none'}")
    _clear(real)
    if missing := [step for step in drill.scenario.steps if step.id not in steps]:
        raise ConflictError(f"not checked yet: {missing[0].text.en} ({len(missing)} of {len(known)} steps are missing)")
    after = replace(drill, phase=Phase.RESTORED, steps=tuple(known), restored_by=who, restored_ns=now_ns)
    said = _entry(after, now_ns, "restored", who, "復原完成", "normal operation restored", steps=known)
    return Move(after, (said,))


def report(drill: Drill, who: str, now_ns: int, conclusion: str) -> Move:
    """Close it with the conclusion of the after-action review.

    Raises:
        ConflictError: it is not restored.
    """
    _want(drill, Phase.RESTORED)
    after = replace(drill, phase=Phase.REPORTED, conclusion=conclusion, reported_by=who, reported_ns=now_ns)
    said = _entry(after, now_ns, "reported", who, "檢討報告完成", "after-action review finished", conclusion=conclusion)
    return Move(after, (said,))


def _ended(
    drill: Drill, now_ns: int, cause: Cause, who: str, said: Name, real: Sequence[Signal] = (), why: str = ""
) -> Move:
    after = replace(
        drill, phase=Phase.STOOD_DOWN, ended_ns=now_ns, cause=cause, ended_by=who, ended_why=why, real=tuple(real)
    )
    data = {"cause": str(cause), "real": [signal.public().to_json() for signal in real], "reason": why}
    return Move(after, (_entry(after, now_ns, "ended", who, f"結束：{said.zh}", f"ended: {said.en}", **data),))


def _inject(drill: Drill, id_: str) -> Inject:
    for inject in drill.scenario.injects:
        if inject.id == id_:
            return inject
    raise NotFoundError(f"scenario {drill.scenario.id!r} has no inject {id_[:60]!r}")


def _clear(real: Sequence[Signal]) -> None:
    if real:
        first = real[0].public()
        where = f" at {first.place.en}" if first.place.en else ""
        raise ConflictError(
            f"a real signal is active: {first.text.en or 'see the alarms'}{where}; no drill goes on beside it"
        )


def _end_fits(drill: Drill, now_ns: int) -> None:
    left_s = (drill.end_ns - now_ns) / 1e9
    if left_s <= 0:
        raise InvalidError("the end of the drill lies in the past; plan it again with one that is still to come")
    if left_s > LONGEST_S:
        raise InvalidError(f"the end is {left_s / 3600:.1f} hours away; a drill lasts {LONGEST_S / 3600:.0f} at most")
