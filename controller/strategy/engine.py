"""Runs the strategies: calls each at its period, carries out what it decides by lease, and keeps what it said.

`step` is a part of the cycle's turn, behind the rules and before the arbiter's orders, and never waits. A strategy that
raises costs itself alone: its slots are emptied and it says so. What the engine holds it renews at every decision; when
the engine or a strategy is not called any more the leases run out and the arbiter gives the points back.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from controller.alarm.definition import AlarmDefinition
from controller.errors import ConflictError, NotFoundError, ShifuError
from controller.point.model import Name
from controller.point.reason import both
from controller.strategy.strategy import Decision, JobResult, Seen
from drivers.reading import Quality

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from controller.alarm.engine import AlarmEngine
    from controller.command.arbiter import Arbiter
    from controller.job import Jobs
    from controller.point.table import PointTable
    from controller.strategy.strategy import Entry, Job, Mode, Past, Strategy, Target, Usual
    from drivers.driver import Clock

__all__ = ["Said", "StrategyEngine", "StrategyStatus", "definitions", "owner_of"]

_log = logging.getLogger(__name__)

_KEPT = 200
"""Decisions of a strategy that are kept for its page; the commands that came of them are in the journal."""
_LEAST_LEASE_S = 60.0
_LEASE_PERIODS = 3.0
_STEPPED_BACK_S = 60.0
"""So long a strategy may be stepped back before that is an alarm: a meter that restarts is none."""
_FAULT = Name("策略程式發生錯誤，已退讓；詳見控制器日誌", "the strategy failed and stepped back; the log says where")
_DRY = Name("試算", "dry run")
_APPLY = Name("設定更新", "the configuration was changed")
_TAKEN_OUT = Name("策略已自設定移除", "the strategy was taken out of the configuration")
_OFF = Name("已停用", "switched off")
_NOT_YET = Name("啟動後尚未判斷", "It has not decided since the start")


@dataclass(frozen=True, slots=True)
class Said:
    """One line of a strategy's timeline."""

    time_ns: int
    mode: Mode
    decision: Decision


@dataclass(frozen=True, slots=True)
class StrategyStatus:
    """A strategy as its page shows it."""

    strategy: Strategy
    mode: Mode
    decision: Decision
    time_ns: int
    """When it last decided; 0 when it has not."""
    held: tuple[str, ...]
    """Points that it holds now."""
    refused: Mapping[str, str]
    """Points that it wanted and did not get, with the arbiter's word."""
    said: tuple[Said, ...]
    """The last decisions that changed something, newest first."""


def owner_of(strategy: str) -> str:
    """Return the owner that the slots and commands of a strategy carry."""
    return f"strategy:{strategy}"


def definitions(strategies: Iterable[Strategy]) -> list[AlarmDefinition]:
    """Return the alarms of all strategies: stepping back of each, and their own."""
    found = []
    for strategy in strategies:
        found.append(
            AlarmDefinition(
                f"strategy#{strategy.id}",
                "system",
                device=f"strategy#{strategy.id}",
                priority=3,
                on_delay_s=_STEPPED_BACK_S,
                off_delay_s=10.0,
                text=Name(f"{strategy.name.zh}退讓", f"{strategy.name.en} has stepped back"),
                consequence=Name(
                    "其指令已釋放，設備回到排程或預設值，或依原因所述保持安全值；此策略在原因排除前不做其他動作",
                    "Its slots are empty and the equipment is on schedule or default, or held at the safe value that "
                    "the reason names; it does nothing else meanwhile",
                ),
                action=Name(
                    "1. 依原因檢查所列點位或電表的通訊與讀值 2. 排除後自動恢復，不必重新啟動",
                    "1. Check communication and value of the point that the reason names 2. It resumes by itself",
                ),
                respond_s=3600.0,
                system="system",
            )
        )
        found += strategy.alarms
    return found


@dataclass(slots=True)
class _Run:
    """A strategy at work."""

    entry: Entry
    memory: Any
    real: Any = None
    """What it remembered when a dry run began: what is imagined in one never counts as done."""
    due: float = -math.inf
    held: dict[str, None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    decision: Decision = field(default_factory=lambda: Decision("watching", _NOT_YET))
    time_ns: int = 0
    said: deque[Said] = field(default_factory=lambda: deque(maxlen=_KEPT))
    result: JobResult | None = None
    task: asyncio.Task[None] | None = None
    faults: int = 0


class _Look:
    """The view of one strategy at one moment."""

    def __init__(
        self,
        table: PointTable,
        arbiter: Arbiter,
        slot: int,
        clock: Clock,
        result: JobResult | None,
        usual: Usual | None,
        *,
        dry: bool,
    ) -> None:
        self._table, self._arbiter, self._slot, self._dry = table, arbiter, slot, dry
        self._usual = usual
        self._now_ns, self._now, self._result = clock.now_ns(), clock.monotonic(), result

    @property
    def dry(self) -> bool:
        return self._dry

    @property
    def now_ns(self) -> int:
        return self._now_ns

    @property
    def now(self) -> float:
        return self._now

    @property
    def result(self) -> JobResult | None:
        return self._result

    def see(self, point: str) -> Seen:
        found = self._table.site.points.get(point)
        if found is None:
            return Seen(math.nan, int(Quality.BAD_CONFIG))
        number = found.number
        return Seen(
            float(self._table.value[number]),
            int(self._table.quality[number]),
            self._now - float(self._table.received[number]),
        )

    def value(self, point: str) -> float:
        found = self._table.site.points.get(point)
        if found is None or self._table.quality[found.number] >= np.uint8(Quality.UNCERTAIN_STALE):
            return math.nan
        return float(self._table.value[found.number])

    def base(self, point: str) -> float:
        try:
            value = self._arbiter.beneath(point, self._slot)
        except NotFoundError:
            return math.nan
        return math.nan if value is None else value

    def usual(self, point: str, ahead_s: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._usual is None:
            return np.full(len(ahead_s), math.nan)
        return self._usual.kw(point, self._now_ns, ahead_s)

    def masked(self, point: str) -> bool:
        return 0 < self._arbiter.winner(point) < self._slot


class StrategyEngine:
    """All strategies of the site. Called on the event loop only."""

    def __init__(
        self,
        entries: Callable[[], tuple[Entry, ...]],
        table: Callable[[], PointTable],
        arbiter: Callable[[], Arbiter],
        alarms: Callable[[], AlarmEngine],
        clock: Clock,
        *,
        jobs: Jobs | None = None,
        past: Mapping[str, Sequence[Past]] | None = None,
        usual: Usual | None = None,
    ) -> None:
        """Prepare. `entries` is asked in every step: a changed mode or configuration takes effect there.

        `past` is, by the id of a strategy, what its slots held since local midnight; `usual` knows the usual courses.
        """
        self._entries = entries
        self._table, self._arbiter, self._alarms = table, arbiter, alarms
        self._clock = clock
        self._jobs = jobs
        self._usual = usual
        self._past = dict(past or {})
        self._runs: dict[str, _Run] = {}
        self._known: tuple[Entry, ...] | None = None
        self.version = 0
        """Grows when a strategy decided, changed its mode, came or went; for those who show it."""
        self.faults = 0

    # -- the turn ----------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Have every strategy decide whose time has come."""
        self.look()
        now = self._clock.monotonic()
        for run in self._runs.values():
            if now < run.due:
                continue
            period = run.entry.strategy.period_s
            late = now - run.due
            run.due = run.due + period if late < period else now + period
            self._turn(run)

    def look(self) -> None:
        """Take over what changed of configuration and modes; what follows of it is done at the next step."""
        entries = self._entries()
        if entries is not self._known:
            self._take(entries)

    def statuses(self) -> list[StrategyStatus]:
        """Return every strategy as its page shows it, in the order of the configuration."""
        self.look()
        return [self._status(run) for run in self._runs.values()]

    def status(self, strategy: str) -> StrategyStatus:
        """Return one of them.

        Raises:
            NotFoundError: the site has no such strategy.
        """
        self.look()
        if strategy not in self._runs:
            raise NotFoundError(f"no strategy {strategy[:60]!r}; this site has {', '.join(self._runs) or 'none'}")
        return self._status(self._runs[strategy])

    def close(self) -> None:
        """Give up jobs that are out. Slots are left to their leases, as everything is at the end of a controller."""
        for run in self._runs.values():
            if run.task is not None:
                run.task.cancel()

    # -- inside ------------------------------------------------------------------------------------------------------

    @staticmethod
    def _status(run: _Run) -> StrategyStatus:
        return StrategyStatus(
            run.entry.strategy,
            run.entry.mode,
            run.decision,
            run.time_ns,
            tuple(run.held),
            dict(run.refused),
            tuple(reversed(run.said)),
        )

    def _take(self, entries: tuple[Entry, ...]) -> None:
        """Take over a configuration; a strategy that is the same goes on with what it remembers."""
        old, self._runs = self._runs, {}
        for entry in entries:
            name = entry.strategy.id
            run = old.pop(name, None)
            if run is None or run.entry.strategy != entry.strategy:
                fresh = _Run(entry, self._begin(entry.strategy, self._past.pop(name, ())))
                if run is not None:
                    self._drop_job(run)
                    fresh.held, fresh.said = run.held, run.said
                    self._release(fresh, [point for point in run.held if point not in entry.strategy.outputs], _APPLY)
                run = fresh
                run.real = run.memory
            elif run.entry.mode != entry.mode:
                if entry.mode == "dry_run":
                    run.real = run.memory
                elif run.entry.mode == "dry_run":
                    run.memory = run.real
                    self._drop_job(run)
                run.entry, run.due = entry, -math.inf
            else:
                if run.entry is not entry:
                    run.due = -math.inf  # what was declared to it may be another
                run.entry = entry
            self._runs[name] = run
        for run in old.values():
            self._drop_job(run)
            self._release(run, list(run.held), _TAKEN_OUT)
            self._alarms().device(f"strategy#{run.entry.strategy.id}", False)
        self._known = entries
        self.version += 1

    def _begin(self, strategy: Strategy, past: Sequence[Past]) -> Any:
        try:
            return strategy.begin(self._view(strategy), past)
        except Exception:  # noqa: BLE001 - logged and counted: one strategy must not stop the others
            self._fault(strategy)
            return None

    def _view(self, strategy: Strategy, result: JobResult | None = None, *, dry: bool = False) -> _Look:
        return _Look(self._table(), self._arbiter(), strategy.slot, self._clock, result, self._usual, dry=dry)

    def _turn(self, run: _Run) -> None:
        strategy, mode = run.entry.strategy, run.entry.mode
        if mode == "off":
            if run.held:
                self._release(run, list(run.held), _OFF)
            self._drop_job(run)
            self._tell(strategy, run.decision, well=True)
            decision = Decision("watching", Name("已停用", "Switched off"))
        else:
            decision = self._decide(run)
            self._carry_out(run, decision)
            self._tell(strategy, decision, well=False)
        self._note(run, decision)

    def _decide(self, run: _Run) -> Decision:
        strategy = run.entry.strategy
        view = self._view(strategy, run.result, dry=run.entry.mode == "dry_run")
        run.result = None
        try:
            decision, run.memory = strategy.decide(view, run.memory)
            if strange := [target.point for target in decision.targets if target.point not in strategy.outputs]:
                raise ConflictError(f"strategy {strategy.id}: {strange[0]} is none of its outputs")
        except Exception:  # noqa: BLE001 - logged and counted; it costs this strategy alone
            run.faults += 1
            self._fault(strategy, run.faults)
            # Whatever it remembered may be what it fell over.
            run.memory = self._begin(strategy, ())
            return Decision("stepped_back", _FAULT)
        if decision.job is not None and run.task is None:
            self._start(run, decision.job)
        return decision

    def _fault(self, strategy: Strategy, count: int = 1) -> None:
        self.faults += 1
        if count in (1, 10, 100) or count % 1000 == 0:
            _log.exception("strategy %s failed and steps back (fault %d)", strategy.id, count)

    def _carry_out(self, run: _Run, decision: Decision) -> None:
        strategy = run.entry.strategy
        # One that stepped back holds nothing but what it names as safe.
        act = run.entry.mode == "run"
        wanted = {target.point: target for target in decision.targets} if act else {}
        gone = [point for point in run.held if point not in wanted]
        if gone:
            self._release(run, gone, _DRY if run.entry.mode == "dry_run" else decision.why)
        run.refused = {}
        lease_s = max(_LEAST_LEASE_S, _LEASE_PERIODS * strategy.period_s)
        for target in wanted.values():
            self._ask(run, target, lease_s)

    def _ask(self, run: _Run, target: Target, lease_s: float) -> None:
        strategy = run.entry.strategy
        try:
            self._arbiter().request(
                target.point, strategy.slot, target.value, owner_of(strategy.id), both(target.why), lease_s=lease_s
            )
        except ShifuError as error:
            run.refused[target.point] = str(error)
            if not self._fills(strategy, target.point):
                run.held.pop(target.point, None)
            return
        run.held[target.point] = None

    def _fills(self, strategy: Strategy, point: str) -> bool:
        """Tell whether a slot has what a strategy put there: a fire empties it, and so does a lease that ran out."""
        try:
            held = self._arbiter().slots(point)[strategy.slot - 1]
        except NotFoundError:
            return False
        return held is not None and held.owner == owner_of(strategy.id)

    def _release(self, run: _Run, points: list[str], why: Name) -> None:
        strategy, arbiter = run.entry.strategy, self._arbiter()
        reason = both(Name(f"釋放：{why.zh}", f"released: {why.en}"))
        for point in points:
            try:
                if self._fills(strategy, point):
                    arbiter.request(point, strategy.slot, None, owner_of(strategy.id), reason)
            except (NotFoundError, ConflictError):
                pass  # the point is gone, or emptied by somebody else
            except ShifuError as error:
                # It stays held and is released at the next decision, or by its lease.
                run.refused[point] = str(error)
                continue
            run.held.pop(point, None)

    def _tell(self, strategy: Strategy, decision: Decision, *, well: bool) -> None:
        alarms = self._alarms()
        back = decision.state == "stepped_back" and not well
        alarms.device(f"strategy#{strategy.id}", back, both(decision.why) if back else "")
        for definition in strategy.alarms:
            word = definition.id.removeprefix(f"strategy#{strategy.id}-")
            reason = "" if well else decision.trouble.get(word, "")
            alarms.device(definition.device, bool(reason), reason)

    def _note(self, run: _Run, decision: Decision) -> None:
        before = run.said[-1] if run.said else None
        run.decision, run.time_ns = decision, self._clock.now_ns()
        if before is None or _gist(before) != _gist(Said(0, run.entry.mode, decision)):
            # Without its parts: two hundred shed lists are of no use to anybody.
            run.said.append(Said(run.time_ns, run.entry.mode, replace(decision, parts=())))
        self.version += 1

    # -- jobs --------------------------------------------------------------------------------------------------------

    def _start(self, run: _Run, job: Job) -> None:
        if self._jobs is None:
            run.result = JobResult(error="this controller has no job process")
            return
        run.task = asyncio.get_running_loop().create_task(
            self._work(run, job, self._jobs), name=f"job of strategy {run.entry.strategy.id}"
        )

    async def _work(self, run: _Run, job: Job, jobs: Jobs) -> None:
        try:
            run.result = JobResult(await jobs.run(job.work, job.argument, limit_s=job.limit_s))
        except ShifuError as error:
            run.result = JobResult(error=str(error))
        except Exception as error:  # noqa: BLE001 - the strategy is told, and decides without it
            _log.exception("a job of strategy %s failed", run.entry.strategy.id)
            run.result = JobResult(error=repr(error))
        finally:
            if run.task is asyncio.current_task():
                run.task = None

    @staticmethod
    def _drop_job(run: _Run) -> None:
        if run.task is not None:
            run.task.cancel()
            run.task = None
        run.result = None


def _gist(said: Said) -> tuple[object, ...]:
    """Return what makes a decision another one: numbers that wander in its sentence do not."""
    decision = said.decision
    why = decision.why if decision.state == "stepped_back" else None
    troubles = tuple(word for word, reason in decision.trouble.items() if reason)
    return (
        said.mode,
        decision.state,
        why,
        troubles,
        frozenset((target.point, target.value) for target in decision.targets),
    )
