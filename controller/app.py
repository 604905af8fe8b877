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
from dataclasses import dataclass, field
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
from controller.api.runtime import (
    ApiSettings,
    CalendarView,
    NotifyView,
    Runtime,
    ScheduleView,
    StrategyView,
)
from controller.api.server import HttpSettings, Server, build_server
from controller.clock import SystemClock
from controller.command.arbiter import Arbiter
from controller.connection import build_driver
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
from controller.history.embedded import EmbeddedHistory
from controller.history.log import FrameLog
from controller.identity.identity import Identity
from controller.job import JobProcess
from controller.journal.entry import AuditRow
from controller.journal.journal import Journal
from controller.journal.lock import FolderLock
from controller.local import LocalServer
from controller.notify.desk import NotifyDesk
from controller.plan.store import DrawingStore
from controller.point.table import PointTable
from controller.recorder import Recorder
from controller.report.desk import Desk
from controller.report.timetable import Timetable
from controller.revision import Revision
from controller.rule.engine import RuleEngine
from controller.safety.alarm import definitions as fire_alarms
from controller.safety.watch import FireWatch
from controller.schedule.engine import ScheduleEngine
from controller.schedule.timetable import uses
from controller.selfcheck import DEFINITIONS, DiskCheck, SelfCheck, damage, influx_trouble, log_trouble
from controller.settings.build import Endpoints
from controller.settings.calendar import entry_key
from controller.settings.energy import books_of
from controller.settings.roster import roster_key
from controller.settings.schedule import schedule_key
from controller.settings.secret import resolve
from controller.settings.strategy import strategy_key
from controller.share import product_version, share_dir
from controller.strategy.engine import StrategyEngine, definitions
from controller.trial import Trials
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from controller.alarm.definition import AlarmDefinition
    from controller.energy.statement import Books
    from controller.history.delivery import Influx
    from controller.history.flux import InfluxHistory
    from controller.history.influx import InfluxWriter
    from controller.history.log import Committed
    from controller.point.model import Site
    from controller.schedule.timetable import Use
    from controller.settings.configuration import Configuration
    from controller.settings.difference import Difference
    from controller.settings.file import InfluxRow
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
        self.revision: Revision
        self.server: Server
        self.identity: Identity
        self._tasks: list[asyncio.Task[Any]] = []
        self._stopping = asyncio.Event()
        self._exit = AsyncExitStack()
        """Closes what was opened, the last first."""
        self._started = False

    @property
    def configuration(self) -> Configuration:
        """What is in effect now."""
        return self.revision.configuration

    async def apply(self, *, dry_run: bool = False, who: str = "system") -> Difference:
        """Read the site's folder again and swap to it between two turns; a bad one changes nothing.

        Raises:
            SettingsError, InvalidError: what is wrong with the new files; the old configuration runs on.
            UnavailableError: the state database cannot keep the new point numbers.
        """
        return await self.revision.apply(dry_run=dry_run, who=who)

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
        self.revision = Revision(options.site, options.endpoints, self.journal, clock, self)
        await self.revision.load()
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
        self.reader = self._influx_reader(server) if asked and server is not None else None
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
        self._task(self.revision.run(), "change watch")
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

    async def swap(self, new: Configuration, use: Callable[[], None]) -> None:
        """Put another configuration into effect between two turns; `use` makes it the one that is asked for."""
        # Everything that can fail is made before anything is changed; the changes themselves do not wait.
        rules = RuleEngine(new.rules, new.site, self.clock)
        alarms = self.parts.alarms.migrate(_alarms(new))
        use()
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

    def limits(self, new: Configuration) -> None:
        """Take a configuration that differs in limits alone: nothing restarts, windows and links stay."""
        self.runtime.alarms = self.parts.alarms = self.parts.alarms.migrate(_alarms(new))
        self.parts.table.site = new.site
        self.parts.arbiter.migrate(new.site)
        self.log.generation = new.site.generation

    def calendars(self) -> None:
        """Calendars, schedules or bookings are others: what is out of service or in use is looked at anew."""
        self.almanac.look()
        self._calendars_changed()

    def modes(self) -> None:
        """A strategy was switched."""
        self.strategies.look()

    def _calendars_changed(self) -> None:
        """What is out of service, in use, or on the timetable is another: the schedules follow at once."""
        self.schedules.look()
        self.recorder.calendar()

    def _used(self, start_ns: int, end_ns: int) -> list[Use]:
        calendar = self.configuration.calendar
        return uses(calendar.all_bookings(start_ns, end_ns), calendar.venues)

    def _tried(self, device: str) -> bool:
        status = self.field.status(device)
        return status is not None and status.state != "starting"

    def _schedule_view(self) -> ScheduleView:
        return ScheduleView(
            timetable=lambda: self.configuration.timetable,
            base=lambda: self.revision.files.timetable,
            used=self._used,
            wishes=lambda: self.schedules.wishes,
            refused=lambda: self.schedules.refused,
            change=lambda kind, id_: self.revision.change(schedule_key(kind, id_)),
            set=self.revision.set_schedule,
            reset=self.revision.reset_schedule,
        )

    def _calendar_view(self) -> CalendarView:
        return CalendarView(
            calendar=lambda: self.configuration.calendar,
            outages=lambda: self.almanac.outages,
            in_use=lambda: self.almanac.in_use,
            change=lambda kind, id_: self.revision.change(entry_key(kind, id_)),
            of_files=lambda kind, id_: id_ in self.revision.files.calendar.entries(kind),
            set_entry=self.revision.set_entry,
            reset_entry=self.revision.reset_entry,
        )

    def _strategy_view(self) -> StrategyView:
        return StrategyView(
            statuses=self.strategies.statuses,
            status=self.strategies.status,
            change=lambda strategy: self.revision.change(strategy_key(strategy)),
            set_mode=self.revision.set_mode,
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
        from controller.history.delivery import Influx  # noqa: PLC0415 - 13 MB that a site without a server does without

        return Influx(row.url, row.org, row.bucket, found["token"])

    def _influx_writer(self, server: Influx) -> InfluxWriter:
        from controller.history.influx import InfluxWriter  # noqa: PLC0415 - the same

        data = self.options.data
        return InfluxWriter(data / "influx", data / "log", server, _addresses(self.configuration.site), self.clock)

    def _influx_reader(self, server: Influx) -> InfluxHistory:
        from controller.history.flux import InfluxHistory  # noqa: PLC0415 - the same

        return InfluxHistory(server, _addresses(self.configuration.site))

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
            set_limits=self.revision.set_limits,
            amend=self.revision.amend,
            inventory=lambda: self.revision.inventory,
            test_read=Trials(self.clock, self.options.endpoints).read,
            base_limits=self.revision.base_limits,
            limit_change=self.revision.limit_change,
            calendar=self._calendar_view(),
            notify=NotifyView(
                plan=lambda: self.configuration.notify,
                desk=self.notify,
                change=lambda duty: self.revision.change(roster_key(duty)),
                set_roster=self.revision.set_roster,
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
            base_plans=lambda: self.revision.files.plans,
            plan_change=self.revision.plan_change,
            set_plan=self.revision.set_plan,
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
