"""The composition root: builds everything from a site's folder and a data folder, runs it, and takes it apart again.

Only here are concrete stores and servers named (drivers: `controller.connection`). Reading `Controller.start` from top
to bottom shows the house.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sqlite3
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from controller import recall
from controller.alarm.engine import AlarmEngine
from controller.almanac import Almanac
from controller.api.app import create_app
from controller.api.drill_record import musters_of, open_drills
from controller.api.render import limits_json
from controller.api.runtime import (
    ApiSettings,
    CalendarView,
    LimitChange,
    NotifyView,
    Runtime,
    ScheduleView,
    StrategyView,
)
from controller.api.server import HttpSettings, Server, build_server
from controller.clock import SystemClock
from controller.command.arbiter import Arbiter
from controller.connection import build_driver, check_devices
from controller.cycle import Cycle, Parts
from controller.delivery import ReportDelivery
from controller.drill.engine import DrillEngine
from controller.drill.presence import Presence
from controller.drill.signal import Watch, fire_signals
from controller.enrolment import enrolment
from controller.errors import ConflictError, InvalidError, ShifuError, UnavailableError
from controller.field.field import Field, Idle
from controller.field.inbox import Inbox
from controller.gauge import cycle_gauges, store_gauges
from controller.history.delivery import Influx
from controller.history.embedded import EmbeddedHistory
from controller.history.flux import InfluxHistory
from controller.history.influx import InfluxWriter
from controller.history.log import FrameLog
from controller.identity.identity import Identity
from controller.job import JobProcess
from controller.journal.entry import AuditRow
from controller.journal.journal import Journal
from controller.journal.lock import FolderLock
from controller.local import LocalServer
from controller.notify.desk import NotifyDesk
from controller.plan.store import DrawingStore
from controller.point.registry import Registry
from controller.point.table import PointTable
from controller.recorder import Recorder
from controller.report.desk import Desk
from controller.report.timetable import Timetable
from controller.rule.engine import RuleEngine
from controller.safety.alarm import definitions as fire_alarms
from controller.safety.watch import FireWatch
from controller.schedule.engine import ScheduleEngine
from controller.schedule.timetable import uses
from controller.selfcheck import DEFINITIONS, DiskCheck, SelfCheck, damage, influx_trouble, log_trouble
from controller.settings.amendment import is_amendment
from controller.settings.build import Endpoints
from controller.settings.calendar import entry_key
from controller.settings.difference import compare
from controller.settings.energy import books_of
from controller.settings.inventory import Inventory
from controller.settings.load import build, read_files
from controller.settings.overlay import (
    LIMITS,
    Change,
    apply_plans,
    forget,
    lay_over,
    limit_change,
    plan_change,
    plan_key,
    store,
)
from controller.settings.problem import SettingsError
from controller.settings.roster import lay_rosters, roster_key
from controller.settings.schedule import schedule_key
from controller.settings.secret import resolve
from controller.settings.strategy import lay_strategies, strategy_key
from controller.share import product_version, share_dir
from controller.strategy.engine import StrategyEngine, definitions
from controller.trial import Trials
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from controller.alarm.definition import AlarmDefinition
    from controller.energy.statement import Books
    from controller.history.log import Committed
    from controller.plan.plan import Plan
    from controller.point.model import Limits, Site
    from controller.schedule.timetable import Use
    from controller.settings.configuration import Configuration
    from controller.settings.difference import Difference
    from controller.settings.file import InfluxRow
    from controller.settings.load import Files
    from controller.strategy.strategy import Mode
    from drivers.driver import Clock

__all__ = ["Controller", "Options"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How this run differs from what the site's folder says."""

    site: Path
    data: Path
    host: str | None = None
    port: int | None = None
    endpoints: Endpoints = field(default_factory=Endpoints)
    demo: bool = False
    influx: InfluxRow | None = None
    """An InfluxDB in place of the one that server.toml names."""


class Controller:
    """One running controller. `start`, then `run` until `stop` is called from a signal handler."""

    def __init__(self, options: Options, clock: Clock | None = None) -> None:
        """Prepare; nothing is opened before `start`."""
        self.options = options
        self.clock: Clock = clock or SystemClock()
        self.configuration: Configuration
        self.server: Server
        self.identity: Identity
        self._tasks: list[asyncio.Task[Any]] = []
        self._stopping = asyncio.Event()
        self._applying = asyncio.Lock()
        self._text: Files
        """What the files said when they were applied."""
        self._files: Configuration
        """What that amounts to with the equipment and devices of the screen, without changed limits."""
        self._changes: dict[str, Change] = {}
        self._exit = AsyncExitStack()
        """Closes what was opened, the last first."""
        self._started = False

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open everything in order. Devices, brokers and databases may all be down: they join when they appear.

        Raises:
            SettingsError: the site's folder cannot be used.
            ConflictError: another controller has the data folder.
            UnavailableError: the state database or the port cannot be had.
        """
        options, clock = self.options, self.clock
        self._exit.callback(FolderLock(options.data).release)
        self.journal = await Journal.open(options.data / "state.db", clock)
        self._exit.push_async_callback(self.journal.close)
        cut = await recall.end_cut_commands(self.journal, clock)
        if cut:
            _log.warning("%d commands of the last run ended unknown; none is sent again", cut)
        self.configuration = await self._load()
        site = self.configuration.site

        history = self.configuration.server.history
        with _opening(options.data / "history.db"):
            self.embedded = EmbeddedHistory(
                options.data / "history.db", options.data / "log", clock, keep_days=history.retention_days
            )
        server = self._influx()
        with _opening(options.data / "influx"):
            self.influx = None if server is None else self._influx_writer(server)
        asked = self.configuration.server.history.reads == "influx"
        self.reader = InfluxHistory(server, _addresses(site)) if asked and server is not None else None
        if self.reader is not None:
            self._exit.push_async_callback(asyncio.to_thread, self.reader.close)
        self.log = FrameLog(
            options.data / "log",
            clock,
            generation=site.generation,
            committed=self._committed,
            needed=lambda: self.embedded.cursor,
        )
        self.recorder = Recorder(self.journal, self.log, clock, lambda: self.configuration.site)

        alarms = AlarmEngine(_alarms(self.configuration), clock, self.recorder.alarm_entry)
        alarms.restore(await recall.alarm_states(self.journal))
        arbiter = Arbiter(site, clock, new_id=partial(secrets.token_hex, 10), record=self.recorder.command)
        arbiter.restore(await recall.slots(self.journal))
        table = PointTable(site, clock)
        self.jobs = JobProcess()
        self._exit.push_async_callback(self.jobs.close)
        self.strategies = await self._strategy_engine()
        rules = RuleEngine(self.configuration.rules, site, clock)
        self.parts = Parts(table, rules, alarms, arbiter, self.strategies)
        self.cycle = Cycle(self.parts, clock, self.recorder)
        self.inbox = Inbox(self.cycle.wake)
        self.cycle.attach(self.inbox)
        self.field = Field(partial(build_driver, clock), self.inbox, clock, on_health=self.recorder.health)
        self.recorder.field, self.recorder.parts = self.field, self.parts
        self.fire = FireWatch(
            lambda: self.configuration.fire,
            self.parts,
            clock,
            record=self.recorder.fire_entry,
            changed=self.recorder.fire_changed,
        )
        self.recorder.fire = self.fire
        self.fire.restore(await recall.fire_response(self.journal))
        self.cycle.watches.append(("fire", self.fire.look))
        self.almanac = Almanac(lambda: self.configuration.calendar, self.cycle, clock, self._calendars_changed)
        self.schedules = ScheduleEngine(
            timetable=lambda: self.configuration.timetable,
            used=self._used,
            site=lambda: self.configuration.site,
            arbiter=arbiter,
            out=lambda: self.almanac.outages,
            ready=self._tried,
            clock=clock,
            changed=self.recorder.calendar,
        )

        await self._prepare_drills()
        self.identity = await Identity.open(self.journal, clock, demo=options.demo)
        self._exit.callback(self.identity.close)
        with _opening(options.data / "vapid.pem"):
            self.notify = NotifyDesk.open(
                options.data,
                lambda: self.configuration.notify,
                lambda: self.configuration.site,
                lambda: self.parts.alarms,
                self.identity,
                self.journal,
                clock,
            )
        await self.notify.start()
        self._exit.push_async_callback(self.notify.close)
        self.recorder.notify = self.notify.notifier.tell
        self.server = self._serve()
        self._report()

        self.log.start()
        self.embedded.start()
        self._exit.push_async_callback(asyncio.to_thread, self.embedded.close)
        if self.influx is not None:
            self.influx.start()
            self._exit.push_async_callback(asyncio.to_thread, self.influx.close)
        self._exit.push_async_callback(asyncio.to_thread, self.log.close)
        self.local = LocalServer(
            options.data / "control.sock",
            {
                "apply": self._local_apply,
                "status": self._local_status,
                **enrolment(self.identity, lambda: self.configuration.site.areas, lambda: self.server.url),
            },
        )
        await self.local.start()
        self._task(self.cycle.run(), "cycle")
        self._task(self.recorder.run(), "recorder")
        self._task(self.server.run_until_stopped(), "server")
        self._task(self.notify.run(), "notify")
        self._task(self._watch_loop(), "loop watch")
        self._task(self._self_check().run(), "self check")
        self._task(self._watch_changes(), "change watch")
        self.almanac.look()
        self.schedules.look()
        self._task(self.almanac.run(), "almanac")
        self._task(self.schedules.run(), "schedules")
        self._task(self._refill(), "window refill")
        self._task(self.reports.run(), "reports")
        self._task(self.timetable.run(), "report timetable")
        self._started = True
        await self._occupy()
        for notice in self.configuration.notices:
            _log.warning("%s", notice)
        devices = self.configuration.devices
        self._say(
            "started: site %s, generation %d, %d devices on %d connections, at %s",
            site.id,
            site.generation,
            len(devices),
            len({device.endpoint for device in devices}),
            self.server.url,
        )
        self.journal.audit(
            AuditRow(clock.now_ns(), "system", "start", options.site.name, data={"version": product_version()})
        )

    async def run(self) -> None:
        """Return when `stop` was called, or when a task that must live has ended."""
        stopped = asyncio.create_task(self._stopping.wait())
        vital = [task for task in self._tasks if task.get_name() in ("cycle", "recorder", "server")]
        done, _ = await asyncio.wait([stopped, *vital], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in done - {stopped}:
            if not task.cancelled() and (error := task.exception()):
                raise error

    def stop(self) -> None:
        """Have `run` return; called by signal handlers."""
        self._stopping.set()

    async def close(self) -> None:
        """Stop in the reverse order of the start, within 10 s; outputs are left as their fail state says.

        Also after a start that failed half-way: what was opened is closed.
        """
        if self._started:
            self._say("stopping")
            try:
                async with asyncio.timeout(8.0):
                    await self.local.close()
                    self.server.stop()
                    # First what is being written: the links that close must not take its read-back away.
                    await self.recorder.close()
                    await self.field.close()
            except TimeoutError:
                _log.warning("stopped without waiting for everything")
        for task in self._tasks:
            if task.get_name() != "server" or not self._started:
                task.cancel()
        if self._started:
            self.strategies.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._exit.aclose()
        if self._started:
            self._say("stopped")

    # -- configuration -----------------------------------------------------------------------------------------------

    async def apply(self, *, dry_run: bool = False, who: str = "system") -> Difference:
        """Read the site's folder again and swap to it between two turns; a bad one changes nothing.

        Raises:
            SettingsError, InvalidError: what is wrong with the new files; the old configuration runs on.
            UnavailableError: the state database cannot keep the new point numbers.
        """
        async with self._applying:
            new = await self._load(dry_run=dry_run)
            difference = compare(self.configuration, new)
            if dry_run:
                return difference
            await self._forget_same(who)
            if not difference:
                return difference
            await self._swap(new)
            for notice in new.notices:
                _log.warning("%s", notice)
            self.journal.audit(
                AuditRow(self.clock.now_ns(), who, "apply", self.options.site.name, data=difference.to_json())
            )
            return difference

    async def _forget_same(self, who: str) -> None:
        """End the changes of the screen that the files say too by now."""
        for key in self._files.same:
            change = self._changes[key]
            said = AuditRow(
                self.clock.now_ns(), who, "device_change", key, reason="the files say the same", data={"by": change.who}
            )
            await self.journal.change(said, forget(key, made_ns=change.time_ns))
            del self._changes[key]
        self._files = replace(self._files, same=())
        self._inventory = Inventory(self._text, self._changes, self._files, self.options.endpoints)

    async def _swap(self, new: Configuration) -> None:
        # Everything that can fail is made before anything is changed; the changes themselves do not wait.
        rules = RuleEngine(new.rules, new.site, self.clock)
        alarms = self.parts.alarms.migrate(_alarms(new))
        self.configuration = new
        self.parts.table = self.parts.table.migrate(new.site)
        self.parts.rules = rules
        self.parts.alarms = alarms
        self.parts.arbiter.migrate(new.site)
        self.log.generation = new.site.generation
        for server in (self.influx, self.reader):
            if server is not None:
                server.configure(_addresses(new.site))
        self.runtime.alarms = alarms
        self.almanac.look()
        self.timetable.use(new.report, ZoneInfo(new.site.timezone))
        self.schedules.look()
        await self._occupy()
        self._task(self._refill(), "window refill")

    async def _occupy(self) -> None:
        """Run the links of the devices in service; the points of the others say that they are out of service."""
        configuration = self.configuration
        idle = [Idle(item.device, item.message, item.since_ns) for item in configuration.retired]
        await self.field.apply(configuration.devices, configuration.equipment, idle)
        for item in idle:
            numbers = item.device.numbers[item.device.numbers >= 0]
            # Behind what its link had delivered: the last word is that nothing is read any more.
            self.inbox.readings(item.device, Readings.bad(numbers, self.clock.now_ns(), Quality.BAD_OUT_OF_SERVICE))
        if self.runtime.hub is not None:
            self.runtime.hub.publish_lists()

    async def _load(self, *, dry_run: bool = False) -> Configuration:
        registry = Registry(await recall.point_numbers(self.journal))
        changes = {change.key: change for change in await recall.changes(self.journal)}
        generation = (
            self.configuration.site.generation if dry_run else await recall.next_generation(self.journal, self.clock)
        )
        text, files = await asyncio.to_thread(self._read, registry, generation, tuple(changes.values()))
        if not dry_run:
            await recall.keep_numbers(self.journal, registry.new, self.clock)
            self._text, self._files, self._changes = text, files, changes
            self._inventory = Inventory(text, changes, files, self.options.endpoints)
        return lay_over(files, changes.values(), self.clock.now_ns(), generation)

    def _read(self, registry: Registry, generation: int, changes: Sequence[Change]) -> tuple[Files, Configuration]:
        text = read_files(self.options.site)
        return text, self._build(text, registry, generation, changes)

    def _build(self, text: Files, registry: Registry, generation: int, changes: Sequence[Change]) -> Configuration:
        return build(
            text,
            registry,
            clock=self.clock,
            generation=generation,
            changes=[change for change in changes if is_amendment(change.key)],
            endpoints=self.options.endpoints,
            check_devices=check_devices,
        )

    async def _amend(self, made: Sequence[Change], ended: Sequence[str]) -> None:
        """Make and end changes of equipment and devices over the files as they were applied, all or none.

        Raises:
            SettingsError: one of them does not fit, or would set another aside; nothing was changed.
            UnavailableError: they cannot be kept; nothing was changed.
        """
        async with self._applying:
            changes = {key: change for key, change in self._changes.items() if key not in ended}
            changes |= {change.key: change for change in made}
            registry = Registry(await recall.point_numbers(self.journal))
            self._text.library.look_again()
            files = await asyncio.to_thread(self._build, self._text, registry, 0, tuple(changes.values()))
            wrong = [said for key, said in files.aside.items() if self._files.aside.get(key) != said]
            wrong += [files.aside[change.key] for change in made if change.key in files.aside]
            if wrong:
                raise SettingsError(list(dict.fromkeys(problem for said in wrong for problem in said)))
            generation = await recall.next_generation(self.journal, self.clock)
            new = lay_over(files, changes.values(), self.clock.now_ns(), generation)
            await recall.keep_numbers(self.journal, registry.new, self.clock)
            await self.journal.write(*map(forget, ended), *map(store, made))
            self._files, self._changes = files, changes
            self._inventory = Inventory(self._text, changes, files, self.options.endpoints)
            await self._swap(new)

    async def _set_limits(self, address: str, limits: Limits, owner: str, reason: str, until_ns: int | None) -> None:
        """Lay limits over the files' and put them into effect; those of the files end the change.

        Raises:
            NotFoundError: the point is gone.
            UnavailableError: they cannot be kept; nothing was changed.
        """
        async with self._applying:
            now_ns = self.clock.now_ns()
            made = Change(LIMITS + address, None, owner, reason, until_ns, now_ns)
            change = limit_change(self._files, address, limits, made)
            changes = {key: old for key, old in self._changes.items() if key != made.key}
            if change is not None:
                changes[change.key] = change
            generation = await recall.next_generation(self.journal, self.clock)
            new = lay_over(self._files, changes.values(), now_ns, generation)
            await self.journal.write(forget(made.key) if change is None else store(change))
            self._changes = changes
            self._use_limits(new)

    async def _set_plan(self, building: str, floor: str, plan: Plan | None, owner: str, reason: str) -> None:
        """Use a plan in place of the files'; None, or that of the files, ends the change.

        Raises:
            UnavailableError: it cannot be kept; nothing was changed.
        """
        async with self._applying:
            made = Change(plan_key(building, floor), None, owner, reason, None, self.clock.now_ns())
            change = None if plan is None else plan_change(self._files, plan, made)
            changes = {key: old for key, old in self._changes.items() if key != made.key}
            if change is not None:
                changes[change.key] = change
            await self.journal.write(forget(made.key) if change is None else store(change))
            self._changes = changes
            self.configuration = replace(self.configuration, plans=apply_plans(self._files, changes.values()))

    async def _set_entry(self, kind: str, id_: str, value: Mapping[str, Any] | None, owner: str, reason: str) -> None:
        """Lay a row of a calendar over the files' and put it into effect; None takes the entry away.

        Raises:
            UnavailableError: it cannot be kept; nothing was changed.
        """
        if value is None and id_ not in self._files.calendar.entries(kind):
            await self._reset_entry(kind, id_)  # an entry of a screen alone leaves nothing behind
            return
        async with self._applying:
            change = Change(entry_key(kind, id_), value, owner, reason, None, self.clock.now_ns())
            await self.journal.write(store(change))
            self._use_calendar({**self._changes, change.key: change})

    async def _reset_entry(self, kind: str, id_: str) -> None:
        """Have an entry be as the files say again.

        Raises:
            UnavailableError: this cannot be kept; nothing was changed.
        """
        async with self._applying:
            mine = entry_key(kind, id_)
            await self.journal.write(forget(mine))
            self._use_calendar({key: change for key, change in self._changes.items() if key != mine})

    def _use_calendar(self, changes: dict[str, Change]) -> None:
        """Calendars change no point and no alarm's definition: the site stays as it is, and so do all screens."""
        now_ns, generation = self.clock.now_ns(), self.configuration.site.generation
        self._changes = changes
        new = lay_over(self._files, changes.values(), now_ns, generation)
        self.configuration = replace(self.configuration, calendar=new.calendar, timetable=new.timetable)
        self.almanac.look()
        self._calendars_changed()

    def _calendars_changed(self) -> None:
        """What is out of service, in use, or on the timetable is another: the schedules follow at once."""
        self.schedules.look()
        self.recorder.calendar()

    async def _set_roster(self, duty: str, value: Mapping[str, Any] | None, owner: str, reason: str) -> None:
        """Lay a roster over the files'; None has it be as the files say again.

        Raises:
            UnavailableError: it cannot be kept; nothing was changed.
        """
        async with self._applying:
            made = Change(roster_key(duty), value, owner, reason, None, self.clock.now_ns())
            await self.journal.write(forget(made.key) if value is None else store(made))
            changes = {key: change for key, change in self._changes.items() if key != made.key}
            self._changes = changes if value is None else {**changes, made.key: made}
            notify = lay_rosters(self._files.notify, self._changes.values())
            self.configuration = replace(self.configuration, notify=notify)

    def _used(self, start_ns: int, end_ns: int) -> list[Use]:
        calendar = self.configuration.calendar
        return uses(calendar.all_bookings(start_ns, end_ns), calendar.venues)

    def _tried(self, device: str) -> bool:
        status = self.field.status(device)
        return status is not None and status.state != "starting"

    async def _set_schedule(
        self, kind: str, id_: str, value: Mapping[str, Any] | None, owner: str, reason: str
    ) -> None:
        """Lay a change of a schedule or an exception over the files'; None takes an exception away.

        Raises:
            UnavailableError: it cannot be kept; nothing was changed.
        """
        if value is None and id_ not in self._files.timetable.exceptions:
            await self._reset_schedule(kind, id_)  # an exception of a screen alone leaves nothing behind
            return
        async with self._applying:
            change = Change(schedule_key(kind, id_), value, owner, reason, None, self.clock.now_ns())
            await self.journal.write(store(change))
            self._use_calendar({**self._changes, change.key: change})

    async def _reset_schedule(self, kind: str, id_: str) -> None:
        """Have a schedule or an exception be as the files say again.

        Raises:
            UnavailableError: this cannot be kept; nothing was changed.
        """
        async with self._applying:
            mine = schedule_key(kind, id_)
            await self.journal.write(forget(mine))
            self._use_calendar({key: change for key, change in self._changes.items() if key != mine})

    def _schedule_view(self) -> ScheduleView:
        return ScheduleView(
            timetable=lambda: self.configuration.timetable,
            base=lambda: self._files.timetable,
            used=self._used,
            wishes=lambda: self.schedules.wishes,
            refused=lambda: self.schedules.refused,
            change=lambda kind, id_: self._change(schedule_key(kind, id_)),
            set=self._set_schedule,
            reset=self._reset_schedule,
        )

    def _calendar_view(self) -> CalendarView:
        return CalendarView(
            calendar=lambda: self.configuration.calendar,
            outages=lambda: self.almanac.outages,
            in_use=lambda: self.almanac.in_use,
            change=lambda kind, id_: self._change(entry_key(kind, id_)),
            of_files=lambda kind, id_: id_ in self._files.calendar.entries(kind),
            set_entry=self._set_entry,
            reset_entry=self._reset_entry,
        )

    async def _set_mode(self, strategy: str, mode: Mode, owner: str, reason: str) -> None:
        """Switch a strategy; the mode of the files ends the change.

        Raises:
            UnavailableError: it cannot be kept; nothing was changed.
        """
        async with self._applying:
            change = Change(strategy_key(strategy), mode, owner, reason, None, self.clock.now_ns())
            same = any(one.strategy.id == strategy and one.mode == mode for one in self._files.strategies)
            await self.journal.write(forget(change.key) if same else store(change))
            self._changes = {key: old for key, old in self._changes.items() if key != change.key}
            if not same:
                self._changes[change.key] = change
            entries = lay_strategies(self._files.strategies, self._changes.values())
            self.configuration = replace(self.configuration, strategies=entries)
            self.strategies.look()

    def _strategy_view(self) -> StrategyView:
        return StrategyView(
            statuses=self.strategies.statuses,
            status=self.strategies.status,
            change=lambda strategy: self._change(strategy_key(strategy)),
            set_mode=self._set_mode,
        )

    async def _strategy_engine(self) -> StrategyEngine:
        zone, now_ns = ZoneInfo(self.configuration.site.timezone), self.clock.now_ns()
        midnight = datetime.fromtimestamp(now_ns / 1e9, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        programs = [entry.strategy for entry in self.configuration.strategies]
        past = await recall.strategy_past(self.journal, programs, round(midnight.timestamp() * 1e9))
        return StrategyEngine(
            lambda: self.configuration.strategies,
            lambda: self.parts.table,
            lambda: self.parts.arbiter,
            lambda: self.parts.alarms,
            self.clock,
            jobs=self.jobs,
            past=past,
        )

    def _use_limits(self, new: Configuration) -> None:
        """Take a configuration that differs in limits alone: nothing restarts, windows and links stay."""
        self.configuration = new
        self.runtime.alarms = self.parts.alarms = self.parts.alarms.migrate(_alarms(new))
        self.parts.table.site = new.site
        self.parts.arbiter.migrate(new.site)
        self.log.generation = new.site.generation

    async def _watch_changes(self) -> None:
        """Have changes end by themselves when their time is over, also those that ended while nothing ran."""
        ended: list[Change] = []
        while True:
            async with self._applying:
                # The files' limits come back first: with the journal down they must not wait for it.
                ended += self._end_changes()
            try:
                while ended:
                    await self._record_end(ended[0])
                    ended.pop(0)
            except UnavailableError as error:
                _log.error("limits of %s ended, which is not recorded yet: %s", ended[0].key, error)
            await self.clock.sleep(1.0)

    def _end_changes(self) -> list[Change]:
        now_ns = self.clock.now_ns()
        ended = [change for change in self._changes.values() if change.over(now_ns)]
        if ended:
            self._changes = {key: change for key, change in self._changes.items() if change not in ended}
            generation = self.configuration.site.generation + 1
            self._use_limits(lay_over(self._files, self._changes.values(), now_ns, generation))
        return ended

    async def _record_end(self, change: Change) -> None:
        address = change.key.removeprefix(LIMITS)
        base = self._base_limits(address)
        data = {"before": change.value, "after": None if base is None else limits_json(base), "by": change.who}
        now_ns = self.clock.now_ns()
        await recall.next_generation(self.journal, self.clock)
        row = AuditRow(now_ns, "system", "limit_change", address, reason="its time is over", data=data)
        await self.journal.change(row, forget(change.key, made_ns=change.time_ns))

    def _limit_change(self, address: str) -> LimitChange | None:
        return self._change(LIMITS + address)

    def _plan_change(self, building: str, floor: str) -> LimitChange | None:
        return self._change(plan_key(building, floor))

    def _change(self, key: str) -> LimitChange | None:
        change = self._changes.get(key)
        return None if change is None else LimitChange(change.who, change.why, change.time_ns, change.expires_ns)

    def _base_limits(self, address: str) -> Limits | None:
        point = self._files.site.points.get(address)
        return None if point is None else point.limits

    async def _prepare_drills(self) -> None:
        """Follow the cards since before the start, and end a drill that the stop cut short."""
        presence = Presence(lambda: self.configuration.site)
        for kind, time_ns, data in await recall.passes(self.journal, self.clock):
            presence.take(kind, time_ns, data)
        watch = Watch(lambda: self.configuration.site, lambda: _alarms(self.configuration))
        self.drills = self.recorder.drills = DrillEngine(
            self.clock,
            signals=lambda: (*watch.active(self.parts.table), *fire_signals(self.fire)),
            presence=presence,
            record=self.recorder.drill,
            tell=self.recorder.tell_drill,
            recorded=lambda: self.journal.healthy,
        )
        drills = await open_drills(self.journal)
        self.drills.restore(drills, *await musters_of(self.journal, [drill.id for drill in drills]))
        self.cycle.watches.append(("drill", self.drills.turn))

    # -- parts -------------------------------------------------------------------------------------------------------

    def _influx(self) -> Influx | None:
        row = self.options.influx or self.configuration.server.history.influx
        if row is None:
            return None
        named = {f"token_{kind}": where for kind, where in (("env", row.token_env), ("file", row.token_file)) if where}
        found, _, missing = resolve(named, os.environ, self.options.site)
        if "token" not in found:
            reason = missing[0] if missing else "give token_env or token_file"
            raise InvalidError(f"server.toml: [history.influx] has no token: {reason}")
        return Influx(row.url, row.org, row.bucket, found["token"])

    def _influx_writer(self, server: Influx) -> InfluxWriter:
        data = self.options.data
        return InfluxWriter(data / "influx", data / "log", server, _addresses(self.configuration.site), self.clock)

    def _committed(self, item: Committed) -> None:
        """Tell both readers of the log about a durable frame (on the log's thread)."""
        self.embedded.on_committed(item)
        if self.influx is not None:
            self.influx.on_committed(item)

    def _self_check(self) -> SelfCheck:
        def journal() -> str:
            return "" if self.journal.healthy else self.journal.reason

        checks: dict[str, Callable[[], str | None]] = {
            "journal": journal,
            "log": lambda: log_trouble(self.log.status(), self.embedded.status()),
            "influx": lambda: "" if self.influx is None else influx_trouble(self.influx.status()),
            "notify": self.notify.trouble,
            "damage": lambda: damage(self.journal, self.log.status(), self.embedded.status()),
        }
        return SelfCheck(self.clock, lambda: self.parts.alarms, checks, DiskCheck(self.options.data))

    def _serve(self) -> Server:
        row = self.configuration.server.http
        folder = self.options.site
        http = HttpSettings(
            host=self.options.host or row.host,
            port=row.port if self.options.port is None else self.options.port,
            certificate=folder / row.certificate if row.certificate else None,
            private_key=folder / row.private_key if row.private_key else None,
        )
        self.runtime = Runtime(
            site=lambda: self.configuration.site,
            table=lambda: self.parts.table,
            alarms=self.parts.alarms,
            arbiter=self.parts.arbiter,
            field=self.field,
            history=self.reader or self.embedded,
            journal=self.journal,
            identity=self.identity,
            clock=self.clock,
            version=product_version(),
            fire=self.fire,
            set_limits=self._set_limits,
            amend=self._amend,
            inventory=lambda: self._inventory,
            test_read=Trials(self.clock, self.options.endpoints).read,
            base_limits=self._base_limits,
            limit_change=self._limit_change,
            calendar=self._calendar_view(),
            notify=NotifyView(
                plan=lambda: self.configuration.notify,
                desk=self.notify,
                change=lambda duty: self._change(roster_key(duty)),
                set_roster=self._set_roster,
            ),
            schedules=self._schedule_view(),
            strategies=self._strategy_view(),
            energy=lambda: self.configuration.energy,
            tariff=lambda: self.configuration.tariff,
            report_plan=lambda: self.configuration.report,
            fleet=lambda: self.configuration.fleet,
            drills=self.drills,
            jobs=self.jobs,
            scenarios=lambda: self.configuration.scenarios,
            overview=self._overview,
            folder=self.options.site,
            drawings=DrawingStore(self.options.data / "drawings"),
            plans=lambda: self.configuration.plans,
            base_plans=lambda: self._files.plans,
            plan_change=self._plan_change,
            set_plan=self._set_plan,
            ready=lambda: {
                "started": self._started,
                "log": self.log.status().healthy,
                "history": self.embedded.status().healthy,
            },
            metrics=self._metrics,
        )
        built = share_dir("dashboards") / "control_room" / "dist"
        app = create_app(
            self.runtime,
            static_dir=built if built.is_dir() else None,
            settings=ApiSettings(https=http.https, hosts=tuple(row.hosts)),
        )
        self.recorder.hub = self.runtime.hub
        return build_server(app, http, self.clock)

    def _report(self) -> None:
        def books() -> Books:
            here = self.configuration
            return books_of(here.energy, here.tariff, here.site)

        self.reports = self.runtime.reports = Desk(
            self.options.data / "reports",
            self.runtime.metering,
            books,
            lambda: self.configuration.site.name,
            self.jobs,
            self.clock,
            product_version(),
            (ReportDelivery(self.options.data / "reports", lambda: self.configuration.notify, self.notify.notifier),),
        )
        self.timetable = Timetable(self.reports, self.clock)
        self.timetable.use(self.configuration.report, ZoneInfo(self.configuration.site.timezone))

    def _overview(self) -> Sequence[str]:
        """Return the points of the overview: everything but the many meters and rooms."""
        many = ("meter", "environment")
        return [
            point.address
            for point in self.configuration.site.points.values()
            if self.configuration.site.equipment[point.equipment].system not in many
        ]

    def _metrics(self) -> Mapping[str, float]:
        return {
            **cycle_gauges(self.cycle.counts, self.parts, self.inbox),
            **self.notify.gauges(),
            **store_gauges(self.log.status(), self.embedded.status(), self.influx),
            "loop_slowest_seconds": self._loop_slowest_s,
            "announcement_faults_total": self.recorder.faults,
            "schedule_faults_total": self.schedules.faults,
            "schedule_refused_points": len(self.schedules.refused),
        }

    def _say(self, message: str, *values: object) -> None:
        """Log an event of the controller's own life; the demo tells people of it in its own words."""
        _log.log(logging.DEBUG if self.options.demo else logging.INFO, message, *values)

    # -- tasks -------------------------------------------------------------------------------------------------------

    _loop_slowest_s = 0.0

    async def _watch_loop(self) -> None:
        """Measure how late the loop wakes; more than 2 s is worth a line."""
        while True:
            before = self.clock.monotonic()
            await self.clock.sleep(0.5)
            late = self.clock.monotonic() - before - 0.5
            self._loop_slowest_s = max(self._loop_slowest_s, late)
            if late > 2.0:
                _log.warning("the event loop stood still for %.1f s", late)

    async def _refill(self) -> None:
        """Fill the rules' windows from history; a rule whose window is not full says unknown until then."""
        try:
            await self.parts.rules.refill(self.embedded)
        except ShifuError as error:
            _log.warning("windows begin empty: %s", error)

    def _task(self, work: Any, name: str) -> None:
        task: asyncio.Task[Any] = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        task.add_done_callback(partial(_say_fault, self._tasks))

    # -- local socket ------------------------------------------------------------------------------------------------

    async def _local_apply(self, request: Mapping[str, Any]) -> dict[str, Any]:
        folder = request.get("site")
        if folder is not None and Path(str(folder)).resolve() != self.options.site.resolve():
            raise ConflictError(f"this controller runs {self.options.site}, not {folder}")
        difference = await self.apply(dry_run=request.get("dry_run") is True, who="shifu apply")
        return {"difference": difference.to_json()}

    async def _local_status(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - handlers have one shape
        states: dict[str, int] = {}
        for status in self.field.statuses():
            states[status.state] = states.get(status.state, 0) + 1
        return {
            "version": product_version(),
            "site": self.configuration.site.id,
            "generation": self.configuration.site.generation,
            "url": self.server.url,
            "devices": states,
            "influx": "" if self.influx is None else self.influx.status().reason or "takes lines",
        }


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    """Say in a sentence what cannot be opened; what is damaged is set aside elsewhere and keeps nothing from starting.

    Raises:
        UnavailableError: no permission, no space, locked.
    """
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        raise UnavailableError(f"{path}: cannot be opened: {error}") from error


def _alarms(configuration: Configuration) -> list[AlarmDefinition]:
    """Return the alarms of the site's files, of its strategies, of fire, and those of the controller itself."""
    strategies = definitions(entry.strategy for entry in configuration.strategies)
    return [*configuration.alarms, *strategies, *DEFINITIONS, *fire_alarms(configuration.fire)]


def _addresses(site: Site) -> dict[int, str]:
    return {point.number: address for address, point in site.points.items()}


def _say_fault(tasks: list[asyncio.Task[Any]], task: asyncio.Task[Any]) -> None:
    if task.get_name() == "window refill" and task in tasks:
        tasks.remove(task)
    if not task.cancelled() and (error := task.exception()):
        _log.error("task %s ended: %r", task.get_name(), error)
