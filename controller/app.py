"""The composition root: builds everything from a site's folder and a data folder, runs it, and takes it apart again.

Concrete parts are named here and in the modules beside it: stores in `historian`, drivers in `connection`, what the API
sees in `view`. Reading `Controller.start` from top to bottom shows the house.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import AsyncExitStack
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
from controller.api.runtime import ApiSettings, Runtime
from controller.api.server import HttpSettings, Server, build_server
from controller.attendant import Attendant
from controller.clock import SystemClock
from controller.command.arbiter import Arbiter
from controller.connection import build_driver
from controller.cycle import Cycle, Parts
from controller.delivery import ReportDelivery
from controller.drill.engine import DrillEngine
from controller.drill.messenger import Messenger
from controller.drill.presence import Presence
from controller.drill.signal import Watch, fire_signals
from controller.enrolment import enrolment
from controller.errors import ConflictError, ShifuError
from controller.field.field import Field, Idle
from controller.field.inbox import Inbox
from controller.gauge import cycle_gauges
from controller.historian import Historian, opening
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
from controller.selfcheck import DEFINITIONS, DiskCheck, SelfCheck, damage
from controller.settings.build import Endpoints
from controller.settings.energy import books_of
from controller.share import product_version, share_dir
from controller.strategy.engine import StrategyEngine, definitions
from controller.task import LoopWatch, Tasks
from controller.trial import Trials
from controller.usual import UsualCourse
from controller.view import calendar_view, notify_view, overview, schedule_view, strategy_view
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from controller.alarm.definition import AlarmDefinition
    from controller.energy.statement import Books
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
        self._tasks = Tasks()
        self._loop_watch = LoopWatch(self.clock)
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
        if options.influx is not None:
            history = history.model_copy(update={"influx": options.influx})
        self.historian = Historian(options.data, options.site, history, site, clock)
        self._exit.push_async_callback(asyncio.to_thread, self.historian.close)
        self.recorder = Recorder(self.journal, self.historian.log, clock, lambda: self.configuration.site)

        alarms = AlarmEngine(_alarms(self.configuration), clock, self.recorder.alarm_entry)
        alarms.restore(await recall.alarm_states(self.journal))
        arbiter = Arbiter(site, clock, new_id=partial(secrets.token_hex, 10), record=self.recorder.command)
        arbiter.restore(await recall.slots(self.journal))
        table = PointTable(site, clock)
        self.jobs = JobProcess()
        self._exit.push_async_callback(self.jobs.close)
        self.usual = UsualCourse(
            self.historian.store,
            lambda: self.configuration.site,
            lambda: self.configuration.timetable.office,
            clock,
        )
        self.strategies = await self._strategy_engine()
        rules = RuleEngine(self.configuration.rules, site, clock, self._workday)
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
        with opening(options.data / "vapid.pem"):
            self.notify = NotifyDesk.open(
                options.data,
                lambda: self.configuration.notify,
                lambda: self.configuration.site,
                lambda: self.configuration.timetable.office,
                lambda: self.parts.alarms,
                self.identity,
                self.journal,
                clock,
            )
        await self.notify.start()
        await self.messenger.start(self.notify.notifier, self.drills.open)
        self._exit.push_async_callback(self.notify.close)
        self.recorder.notify = self.notify.notifier.tell
        self.server = self._serve()
        self._report()

        self.historian.start()
        self.local = LocalServer(
            options.data / "control.sock",
            {
                "apply": self._local_apply,
                "status": self._local_status,
                **enrolment(self.identity, lambda: self.configuration.site.areas, lambda: self.server.url),
            },
        )
        await self.local.start()
        self._tasks.start(self.cycle.run(), "cycle")
        self._tasks.start(self.recorder.run(), "recorder")
        self._tasks.start(self.server.run_until_stopped(), "server")
        self._tasks.start(self.notify.run(), "notify")
        self._tasks.start(self.messenger.run(), "drill messages")
        self._tasks.start(self._loop_watch.run(), "loop watch")
        self._tasks.start(self._self_check().run(), "self check")
        self._tasks.start(self.revision.run(), "change watch")
        self.almanac.look()
        self.schedules.look()
        self._tasks.start(self.almanac.run(), "almanac")
        self._tasks.start(self.schedules.run(), "schedules")
        attendant = Attendant(self.strategies.statuses, self.revision, self.journal, clock)
        self._tasks.start(attendant.run(), "chargers' attendant")
        self._tasks.start(self._refill(), "window refill", ends=True)
        self._tasks.start(self.usual.run(), "usual courses")
        self._tasks.start(self.reports.run(), "reports")
        self._tasks.start(self.timetable.run(), "report timetable")
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
        await self._tasks.first_end(("cycle", "recorder", "server"), self._stopping)

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
        if self._started:
            self.strategies.close()
        await self._tasks.close(spared=("server",) if self._started else ())
        await self._exit.aclose()
        if self._started:
            self._say("stopped")

    # -- configuration -----------------------------------------------------------------------------------------------

    async def swap(self, new: Configuration, use: Callable[[], None]) -> None:
        """Put another configuration into effect between two turns; `use` makes it the one that is asked for."""
        # Everything that can fail is made before anything is changed; the changes themselves do not wait.
        rules = RuleEngine(new.rules, new.site, self.clock, self._workday)
        alarms = self.parts.alarms.migrate(_alarms(new))
        use()
        self.parts.table = self.parts.table.migrate(new.site)
        self.parts.rules = rules
        self.parts.alarms = alarms
        self.parts.arbiter.migrate(new.site)
        self.historian.configure(new.site)
        self.runtime.alarms = alarms
        self.almanac.look()
        self.timetable.use(new.report, ZoneInfo(new.site.timezone))
        self.schedules.look()
        await self._occupy()
        self._tasks.start(self._refill(), "window refill", ends=True)

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
        self.historian.configure(new.site)

    def calendars(self) -> None:
        """Calendars, schedules or bookings are others: what is out of service or in use is looked at anew."""
        self.almanac.look()
        self._calendars_changed()

    def modes(self) -> None:
        """A strategy was switched, or something declared to one."""
        self.strategies.look()

    def _calendars_changed(self) -> None:
        """What is out of service, in use, or on the timetable is another: the schedules follow at once."""
        self.schedules.look()
        self.recorder.calendar()

    def _used(self, start_ns: int, end_ns: int) -> list[Use]:
        calendar = self.configuration.calendar
        return uses(calendar.all_bookings(start_ns, end_ns), calendar.venues)

    def _workday(self, day: date) -> bool:
        return self.configuration.timetable.office.workday(day)

    def _tried(self, device: str) -> bool:
        status = self.field.status(device)
        return status is not None and status.state != "starting"

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
            usual=self.usual,
        )

    async def _prepare_drills(self) -> None:
        """Follow the cards since before the start, and end a drill that the stop cut short."""
        presence = Presence(lambda: self.configuration.site)
        for kind, time_ns, data in await recall.passes(self.journal, self.clock):
            presence.take(kind, time_ns, data)
        watch = Watch(lambda: self.configuration.site, lambda: _alarms(self.configuration))
        self.messenger = Messenger(
            lambda id_: self.drills.get(id_),  # noqa: PLW0108 - the engine comes after
            lambda: self.configuration.site.timezone,
            self.clock,
            lambda id_, target: self.drills.unreached(id_, target),  # noqa: PLW0108 - the engine comes after
        )
        self.drills = self.recorder.drills = DrillEngine(
            self.clock,
            signals=lambda: (*watch.active(self.parts.table), *fire_signals(self.fire)),
            presence=presence,
            record=self.recorder.drill,
            tell=self.recorder.tell_drill,
            recorded=lambda: self.journal.healthy,
            announce=self.messenger.take,
        )
        drills = await open_drills(self.journal)
        self.drills.restore(drills, *await musters_of(self.journal, [drill.id for drill in drills]))
        self.cycle.watches.append(("drill", self.drills.turn))

    # -- parts -------------------------------------------------------------------------------------------------------

    def _self_check(self) -> SelfCheck:
        history = self.historian

        def journal() -> str:
            return "" if self.journal.healthy else self.journal.reason

        checks: dict[str, Callable[[], str | None]] = {
            "journal": journal,
            "log": history.log_trouble,
            "influx": history.influx_trouble,
            "notify": self.notify.trouble,
            "damage": lambda: damage(self.journal, history.log.status(), history.embedded.status()),
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
            history=self.historian.store,
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
            calendar=calendar_view(self.revision, self.almanac),
            notify=notify_view(self.revision, self.notify),
            schedules=schedule_view(self.revision, self.schedules, self._used),
            strategies=strategy_view(self.revision, self.strategies),
            energy=lambda: self.configuration.energy,
            tariff=lambda: self.configuration.tariff,
            report_plan=lambda: self.configuration.report,
            fleet=lambda: self.configuration.fleet,
            drills=self.drills,
            jobs=self.jobs,
            scenarios=lambda: self.configuration.scenarios,
            overview=lambda: overview(self.configuration.site),
            folder=self.options.site,
            drawings=DrawingStore(self.options.data / "drawings"),
            plans=lambda: self.configuration.plans,
            base_plans=lambda: self.revision.files.plans,
            plan_change=self.revision.plan_change,
            set_plan=self.revision.set_plan,
            ready=lambda: {
                "started": self._started,
                "log": self.historian.log.status().healthy,
                "history": self.historian.embedded.status().healthy,
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

    def _metrics(self) -> Mapping[str, float]:
        return {
            **cycle_gauges(self.cycle.counts, self.parts, self.inbox),
            **self.notify.gauges(),
            **self.historian.gauges(),
            "loop_slowest_seconds": self._loop_watch.slowest_s,
            "announcement_faults_total": self.recorder.faults,
            "schedule_faults_total": self.schedules.faults,
            "schedule_refused_points": len(self.schedules.refused),
        }

    def _say(self, message: str, *values: object) -> None:
        """Log an event of the controller's own life; the demo tells people of it in its own words."""
        _log.log(logging.DEBUG if self.options.demo else logging.INFO, message, *values)

    # -- tasks -------------------------------------------------------------------------------------------------------

    async def _refill(self) -> None:
        """Fill the rules' windows from history; a rule whose window is not full says unknown until then."""
        try:
            await self.parts.rules.refill(self.historian.embedded)
        except ShifuError as error:
            _log.warning("windows begin empty: %s", error)

    # -- local socket ------------------------------------------------------------------------------------------------

    async def _local_apply(self, request: Mapping[str, Any]) -> dict[str, Any]:
        folder = request.get("site")
        if folder is not None and Path(str(folder)).resolve() != self.options.site.resolve():
            raise ConflictError(f"this controller runs {self.options.site}, not {folder}")
        difference = await self.apply(dry_run=request.get("dry_run") is True, who="shifu apply")
        return {"difference": difference.to_json()}

    async def _local_status(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - handlers have one shape
        states: dict[str, int] = {}
        influx = self.historian.influx
        for status in self.field.statuses():
            states[status.state] = states.get(status.state, 0) + 1
        return {
            "version": product_version(),
            "site": self.configuration.site.id,
            "generation": self.configuration.site.generation,
            "url": self.server.url,
            "devices": states,
            "influx": "" if influx is None else influx.status().reason or "takes lines",
        }


def _alarms(configuration: Configuration) -> list[AlarmDefinition]:
    """Return the alarms of the site's files, of its strategies, of fire, and those of the controller itself."""
    strategies = definitions(entry.strategy for entry in configuration.strategies)
    return [*configuration.alarms, *strategies, *DEFINITIONS, *fire_alarms(configuration.fire)]
