"""A small site behind the real application: all rooms are real but field and history, which are in memory."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from argon2 import PasswordHasher

from controller.alarm.definition import AlarmEntry
from controller.alarm.engine import AlarmEngine
from controller.api.app import create_app
from controller.api.runtime import ApiSettings, CalendarView, LimitChange, NotifyView, Runtime, StrategyView
from controller.clock import VirtualClock
from controller.command.arbiter import Arbiter
from controller.command.order import Command
from controller.cycle import Parts
from controller.drill.engine import DrillEngine, Record
from controller.energy.carbon import Factor
from controller.identity.identity import Identity
from controller.identity.password import PasswordVault
from controller.identity.permission import Role
from controller.job import InlineJobs
from controller.journal import entry as row
from controller.journal.entry import SlotRow
from controller.journal.journal import InlineExecutor, Journal
from controller.maintenance.works import outages
from controller.notify.desk import NotifyDesk
from controller.notify.plan import NotifyPlan
from controller.notify.push import VapidKey
from controller.plan.plan import Plan
from controller.plan.store import DrawingStore
from controller.point.model import Limits, Name, Site
from controller.point.table import PointTable
from controller.report.desk import Desk
from controller.rule.engine import RuleEngine
from controller.safety.cause import Cause, Effect, FireTable
from controller.safety.effect import expected
from controller.safety.fire import FirePicture, FireStatus, ZonePicture
from controller.safety.response import Burning, Phase, Response
from controller.safety.watch import FireRecord, FireWatch
from controller.schedule.booking import in_use
from controller.settings.calendar import Calendar, entry_key, lay_calendar
from controller.settings.energy import EndUse, EnergyPlan, Fleet, books_of
from controller.settings.overlay import Change, forget, store
from controller.settings.roster import lay_rosters, roster_key
from controller.strategy.engine import StrategyEngine
from drivers.reading import Readings
from tests.services.hall import (
    CAR,
    DRAWING,
    MANUAL,
    SCENARIO,
    START_NS,
    build_alarms,
    build_calendar,
    build_notify,
    build_plan,
    build_site,
    build_strategies,
)
from tests.services.memory import KnownPresence, MemoryField, MemoryHistory
from tests.services.stock import Stock
from tests.services.timetable import ScheduleDesk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fastapi import FastAPI

    from controller.drill.signal import Signal
    from controller.strategy.strategy import Mode

PASSWORD = "four quiet words here"
ORIGIN = "http://127.0.0.1:8080"


@dataclass
class House:
    """Everything that a test touches."""

    app: FastAPI
    runtime: Runtime
    clock: VirtualClock
    journal: Journal
    identity: Identity
    field: MemoryField
    history: MemoryHistory
    arbiter: Arbiter
    path: Path
    stock: Stock
    signals: list[Signal]
    """Real signals that are active."""
    strategies: StrategyEngine
    limits: list[tuple[str, Limits, str, str, int | None]] = dataclass_field(default_factory=list)
    site: Site = dataclass_field(default_factory=build_site)
    plans: dict[tuple[str, str], tuple[Plan, LimitChange]] = dataclass_field(default_factory=dict)
    """Those that were changed, over the one of the files."""
    notify: NotifyPlan = dataclass_field(default_factory=build_notify)

    def browser(self, address: str = "127.0.0.1") -> Browser:
        return Browser(self, address)

    async def user(
        self, role: Role, *, name: str = "", areas: tuple[str, ...] = (), address: str = "127.0.0.1"
    ) -> Browser:
        """Make a user with a password and return its signed-in browser."""
        name = name or f"u.{role.value.replace('_', '-')}"
        _, link = await self.identity.create_user(name, f"User {role.value}", role, areas, "test", "127.0.0.1")
        raw, principal = await self.identity.sign_in_by_link(link, "127.0.0.1")
        assert raw
        await self.identity.set_password(principal, None, PASSWORD, "127.0.0.1")
        browser = self.browser(address)
        await browser.sign_in(name, PASSWORD)
        return browser

    def put(self, address: str, value: float) -> None:
        number = self.site.points[address].number
        self.runtime.table().apply(Readings.of([number], [value], self.clock.now_ns()))

    def burn(self, *, reset: bool = False) -> Response:
        """Have a fire answered: the air handler is held, and the chiller is expected to stop."""
        watch, fire = self.runtime.fire, Name("1F 火警", "Fire on 1F")
        effect = Effect("stopped", Name("停止", "stopped"), "hall.plant.ch1.enable", 0.0, 0.0, 30.0)
        cause = Cause("floor-1f", fire, ("hall.fire.zone1",), ("hall.hvac.ahu1.zone_temp_sp",), (effect,))
        watch.table = FireTable("hall.fire.panel", "", cause.zones, (cause,), zone_names=(fire,))
        now_ns = self.clock.now_ns()
        status = FireStatus.NORMAL if reset else FireStatus.FIRE
        watch.picture = FirePicture(status, (), (ZonePicture(status),), not reset, () if reset else (0,), reset=reset)
        watch.response = Response("fire-1", Phase.ACTIVE, now_ns, (Burning("hall.fire.zone1", now_ns),))
        watch.sights = expected(watch.response, watch.table)
        watch._hold()
        return watch.response

    def raise_alarm(self, address: str = "hall.electrical.tx1.winding_temp_a", value: float = 140.0) -> str:
        number = self.site.points[address].number
        self.runtime.alarms.check(np.array([number], np.int32), np.array([value]), np.array([0], np.uint8))
        self.runtime.alarms.tick()
        return f"{address}#high"


class Browser:
    """An HTTP client that sends what a browser of the control room sends."""

    def __init__(self, house: House, address: str = "127.0.0.1") -> None:
        transport = httpx.ASGITransport(house.app, raise_app_exceptions=False, client=(address, 50_000))
        self.http = httpx.AsyncClient(transport=transport, base_url=ORIGIN)
        self.csrf = ""

    async def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Origin": ORIGIN, "X-CSRF-Token": self.csrf, **more.pop("headers", {})}
        path = path if path.startswith(("/health", "/ready", "/metrics", "http")) else f"/api/v1{path}"
        return await self.http.request(method, path, headers=headers, **more)

    async def sign_in(self, name: str, password: str) -> httpx.Response:
        reply = await self("POST", "/session", json={"username": name, "password": password})
        self.csrf = reply.json().get("csrf", "")
        return reply


async def open_house(
    path: Path,
    settings: ApiSettings | None = None,
    *,
    demo: bool = False,
    static: Path | None = None,
    start_ns: int = START_NS,
) -> House:
    clock = VirtualClock(start_ns)
    site = build_site()
    journal = await Journal.open(path / "state.db", clock, InlineExecutor())
    vault = PasswordVault(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    identity = await Identity.open(journal, clock, vault, demo=demo)

    def record_alarm(item: AlarmEntry) -> None:
        entry = row.AlarmRow(
            item.occurrence,
            item.definition,
            item.time_ns,
            item.event,
            item.from_state,
            item.to_state,
            item.value,
            item.limit,
            item.user,
            item.comment,
        )
        journal.alarm(entry)

    def record_command(made: Command, slots: tuple[SlotRow, ...]) -> None:
        number = house.site.points[made.point].number
        entry = row.CommandRow(
            made.id,
            made.requested_ns,
            made.point,
            number,
            made.slot,
            made.value,
            made.previous,
            made.owner,
            made.reason,
            made.state,
            made.message,
        )
        new = None if arbiter.knows(made.id) else partial(lose, made.id)
        journal.command(entry, lost=new)

    def lose(command: str, error: Exception) -> None:
        arbiter.withdraw(command, f"not recorded: {error}")

    ids = itertools.count(1)
    arbiter = Arbiter(site, clock, new_id=lambda: f"c-{next(ids)}", record=record_command)
    table = PointTable(site, clock)
    field_, history = MemoryField(), MemoryHistory()
    stock = Stock.of(path.with_name(f"{path.name}-site"), clock)
    house: House

    async def set_limits(address: str, limits: Limits, owner: str, reason: str, until_ns: int | None) -> None:
        house.limits.append((address, limits, owner, reason, until_ns))
        points = dict(house.site.points)
        points[address] = replace(points[address], limits=limits)
        house.site = replace(house.site, points=points, generation=house.site.generation + 1)

    files = build_calendar(site)
    changes: dict[str, Change] = {}

    def calendar() -> Calendar:
        return lay_calendar(files, changes.values(), house.site)

    async def set_entry(kind: str, id_: str, value: Any, owner: str, reason: str) -> None:
        change = Change(entry_key(kind, id_), value, owner, reason, None, clock.now_ns())
        await journal.write(store(change))
        changes[change.key] = change

    async def reset_entry(kind: str, id_: str) -> None:
        await journal.write(forget(entry_key(kind, id_)))
        changes.pop(entry_key(kind, id_), None)

    def change_of(kind: str, id_: str) -> LimitChange | None:
        change = changes.get(entry_key(kind, id_))
        return None if change is None else LimitChange(change.who, change.why, change.time_ns, None)

    desk = ScheduleDesk(site, arbiter, journal, clock, calendar)
    folder = path.with_name(f"{path.name}-site")
    for file, content in (("plans/hall.svg", DRAWING), ("documents/ahu.pdf", MANUAL)):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    base = build_plan()

    async def set_plan(building: str, floor: str, plan: Plan | None, owner: str, reason: str) -> None:
        if plan is None or plan == base:
            house.plans.pop((building, floor), None)
        else:
            house.plans[building, floor] = (plan, LimitChange(owner, reason, clock.now_ns(), None))

    signals: list[Signal] = []

    def record_drill(made: Record) -> None:
        drill = made.drill
        journal.drill(
            None if drill is None else row.DrillRow(drill.id, str(drill.phase), drill.planned_ns, drill.to_json()),
            [
                row.DrillEntryRow(one.drill, one.time_ns, one.kind, one.who, one.text.zh, one.text.en, dict(one.data))
                for one in made.entries
            ],
            [row.DrillTickRow(id_, tick.key, tick.received_ns, tick.to_json()) for id_, tick in made.ticks],
            [row.DrillPersonRow(id_, one.id, one.area, one.floor, one.door, one.seen_ns) for id_, one in made.people],
        )

    def tell_drill() -> None:
        if house.runtime.hub is not None:
            house.runtime.hub.publish_drill()

    drills = DrillEngine(
        clock,
        signals=lambda: signals,
        presence=KnownPresence(lambda: house.site),
        record=record_drill,
        tell=tell_drill,
    )
    notify_desk = NotifyDesk(
        lambda: house.notify,
        lambda: house.site,
        lambda: desk.files.office,
        lambda: house.runtime.alarms,
        identity,
        journal,
        clock,
        VapidKey(path / "vapid.pem"),
    )

    async def set_roster(duty: str, value: Any, owner: str, reason: str) -> None:
        key = roster_key(duty)
        changes.pop(key, None)
        if value is not None:
            changes[key] = Change(key, value, owner, reason, None, clock.now_ns())
        house.notify = lay_rosters(replace(house.notify, duties=build_notify().duties), changes.values())

    def roster_change(duty: str) -> LimitChange | None:
        change = changes.get(roster_key(duty))
        return None if change is None else LimitChange(change.who, change.why, change.time_ns, None)

    entries = build_strategies()
    switched: dict[str, LimitChange] = {}

    async def set_mode(strategy: str, mode: Mode, owner: str, reason: str) -> None:
        nonlocal entries
        await journal.write(store(Change(f"strategy/{strategy}", mode, owner, reason, None, clock.now_ns())))
        entries = tuple(replace(entry, mode=mode) for entry in entries)
        switched[strategy] = LimitChange(owner, reason, clock.now_ns(), None)
        engine.look()

    engine = StrategyEngine(lambda: entries, lambda: table, lambda: arbiter, lambda: house.runtime.alarms, clock)
    alarms = AlarmEngine(build_alarms(), clock, record_alarm)

    def record_fire(item: FireRecord) -> None:
        rows = [row.FireRow(item.response, item.time_ns, note.event, who=note.who) for note in item.notes]
        journal.fire(rows, item.state)

    parts = Parts(table, RuleEngine((), site, clock), alarms, arbiter)
    runtime = Runtime(
        drills=drills,
        scenarios=lambda: {SCENARIO.id: SCENARIO},
        jobs=InlineJobs(),
        notify=NotifyView(lambda: house.notify, notify_desk, roster_change, set_roster),
        fire=FireWatch(FireTable, parts, clock, record=record_fire, changed=lambda: None),
        strategies=StrategyView(engine.statuses, engine.status, switched.get, set_mode),
        calendar=CalendarView(
            calendar=calendar,
            outages=lambda: outages(calendar().works, clock.now_ns()),
            in_use=lambda: in_use(calendar().bookings, calendar().venues.values(), clock.now_ns()),
            change=change_of,
            of_files=lambda kind, id_: id_ in files.entries(kind),
            set_entry=set_entry,
            reset_entry=reset_entry,
        ),
        schedules=desk.view(),
        energy=lambda: EnergyPlan(
            (Factor(2024, 0.474, "能源署"),), ("hall.electrical.tx1.power",), (EndUse("all", Name("全", "all"), ()),)
        ),
        fleet=lambda: Fleet((CAR,), {"XEV0001": CAR}, {"F1EE7001": CAR}),
        folder=folder,
        drawings=DrawingStore(path / "drawings"),
        base_plans=lambda: {base.key: base},
        plans=lambda: {base.key: base, **{key: plan for key, (plan, _) in house.plans.items()}},
        plan_change=lambda building, floor: house.plans.get((building, floor), (None, None))[1],
        set_plan=set_plan,
        site=lambda: house.site,
        table=lambda: table,
        alarms=alarms,
        arbiter=arbiter,
        field=field_,
        history=history,
        journal=journal,
        identity=identity,
        clock=clock,
        version="0.1.0",
        set_limits=set_limits,
        amend=stock.amend,
        inventory=stock.inventory,
        test_read=stock.test_read,
        overview=lambda: ["hall.electrical.tx1.power", "hall.plant.ch1.cop"],
    )
    runtime.reports = Desk(
        path / "reports",
        runtime.metering,
        lambda: books_of(runtime.energy(), runtime.tariff(), site),
        lambda: site.name,
        InlineJobs(),
        clock,
        "0.1.0",
    )
    settings = settings or ApiSettings(requests_per_s=10_000, sign_ins_per_min=10_000)
    app = create_app(runtime, static_dir=static, settings=settings)
    house = House(
        app, runtime, clock, journal, identity, field_, history, arbiter, path, stock, signals, engine, site=site
    )
    engine.look()
    return house


async def close_house(house: House) -> None:
    house.identity.close()
    await house.journal.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    opened = await open_house(tmp_path)
    yield opened
    await close_house(opened)


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[House]:
    opened = await open_house(tmp_path, demo=True)
    yield opened
    await close_house(opened)


@pytest.fixture
def opener() -> Any:
    """Hand `open_house` and `close_house` to tests that open their own."""
    return open_house, close_house
