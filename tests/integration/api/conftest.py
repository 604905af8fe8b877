"""A small site behind the real application: all rooms are real but field and history, which are in memory."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import httpx
import numpy as np
import pytest
from argon2 import PasswordHasher

from controller.alarm.definition import AlarmDefinition, AlarmEntry
from controller.alarm.engine import AlarmEngine
from controller.api.app import create_app
from controller.api.runtime import ApiSettings, CalendarView, LimitChange, NotifyView, Runtime, StrategyView
from controller.clock import VirtualClock
from controller.command.arbiter import Arbiter
from controller.command.order import Command
from controller.cycle import Parts
from controller.drill.engine import DrillEngine, Record
from controller.drill.presence import Person, Presence
from controller.drill.scenario import Assembly, Goal, Inject, Scenario, Step
from controller.energy.carbon import Factor
from controller.field.field import DeviceStatus
from controller.history.store import Before, Buckets, Series
from controller.identity.identity import Identity
from controller.identity.password import PasswordVault
from controller.identity.permission import Role
from controller.job import InlineJobs
from controller.journal import entry as row
from controller.journal.entry import SlotRow
from controller.journal.journal import InlineExecutor, Journal
from controller.maintenance.works import outages
from controller.notify.desk import NotifyDesk
from controller.notify.plan import ChannelSpec, Contact, NotifyPlan, Route, Target, Way
from controller.notify.plan import Step as RouteStep
from controller.notify.push import VapidKey
from controller.notify.roster import Duty, Hours, Shift
from controller.plan.plan import Drawing, Plan, Zone
from controller.plan.store import DrawingStore, digest
from controller.point.model import Area, Building, Document, Equipment, Floor, Limits, Name, Point, Site, WriteSpec
from controller.point.table import PointTable
from controller.report.desk import Desk
from controller.rule.engine import RuleEngine
from controller.safety.cause import Cause, Effect, FireTable
from controller.safety.effect import expected
from controller.safety.fire import FirePicture, FireStatus, ZonePicture
from controller.safety.response import Burning, Phase, Response
from controller.safety.watch import FireRecord, FireWatch
from controller.schedule.booking import Venue, in_use
from controller.settings.calendar import Calendar, Frame, entry_key, lay_calendar
from controller.settings.energy import EndUse, EnergyPlan, Fleet, Vehicle, books_of
from controller.settings.overlay import Change, forget, store
from controller.settings.roster import lay_rosters, roster_key
from controller.strategy.demand import Demand
from controller.strategy.engine import StrategyEngine
from controller.strategy.shed import Comfort, Group, Item
from controller.strategy.strategy import Entry
from drivers.errors import DeviceTimeoutError
from drivers.picture import Picture
from drivers.reading import Readings
from tests.services.stock import Stock
from tests.services.timetable import ScheduleDesk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from fastapi import FastAPI

    from controller.drill.signal import Signal
    from controller.maintenance.inspection import Inspection
    from controller.maintenance.works import Works
    from controller.schedule.booking import Booking
    from controller.strategy.strategy import Mode

CAR = Vehicle("car-01", "XEV-0001", "秘書處", 60.0, 11.0, "08:30", "F1EE7001", "assumed")
START_NS = 1_767_225_600_000_000_000
PASSWORD = "four quiet words here"
ORIGIN = "http://127.0.0.1:8080"


DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1200 800"><path d="M0 0h1200v800H0z"/></svg>'
MANUAL = b"%PDF-1.4 how to run it"


def build_plan() -> Plan:
    """The plan of the files: one zone, whose equipment is laid out by itself."""
    zone = Zone("west", Name("西區", "West"), ((0.0, 0.0), (600.0, 0.0), (600.0, 800.0), (0.0, 800.0)))
    drawing = Drawing(digest(DRAWING), "svg", 1200.0, 800.0, "plans/hall.svg")
    return Plan("hall", "1F", 1200.0, 800.0, drawing, (zone,))


def build_strategies() -> tuple[Entry, ...]:
    """Demand limiting with one room to shed."""
    room = Comfort(Name("西區", "West"), "hall.hvac.ahu1.zone_temp", "hall.hvac.ahu1.zone_temp_sp")
    group = Group("rooms", Name("房間", "Rooms"), 1, "raise", (0.5, 1.0), "K", kw=20.0)
    item = Item("hall.hvac.ahu1.zone_temp_sp", "hall.hvac.ahu1", room.name, group, (room,), low=18.0, high=28.0)
    return (Entry(Demand("hall.electrical.tx1.power", 1000.0, (item,)), "run"),)


def build_site(generation: int = 1) -> Site:
    def name(text: str) -> Name:
        return Name(f"{text}號", text)

    rated: dict[str, dict[str, float | str]] = {
        "tx1": {"rated_kva": 2000.0, "feeds": "hall.electrical.lv1"},
        "ch1": {"rated_kw": math.inf},
    }
    manual = Document("manual", name("manual"), "documents/ahu.pdf", "application/pdf", len(MANUAL), digest(MANUAL))
    equipment = {}
    for short, cls, system, area in (
        ("tx1", "transformer", "electrical", "substation"),
        ("ahu1", "ahu", "hvac", "west"),
        ("ch1", "chiller", "plant", "plant"),
    ):
        address = f"hall.{system}.{short}"
        equipment[address] = Equipment(
            address,
            cls,
            name(address),
            "hall",
            system,
            "1F",
            area,
            parameters=rated.get(short, {}),
            documents=(manual,) if short == "ahu1" else (),
        )
    numbers = itertools.count()

    def point(equip: str, tag: str, unit: str, **more: Any) -> Point:
        address = f"{equip}.{tag}"
        values = {"kind": "analog", "device": "dev-" + equip.rpartition(".")[2], "tag": tag, **more}
        area = equipment[equip].area
        return Point(next(numbers), address, unit=unit, name=name(tag), equipment=equip, area=area, **values)

    points = [
        point("hall.electrical.tx1", "winding_temp_a", "°C", low=-20, high=250, limits=Limits(150.0, 130.0)),
        point("hall.electrical.tx1", "power", "kW"),
        point("hall.hvac.ahu1", "zone_temp", "°C"),
        point("hall.hvac.ahu1", "zone_temp_sp", "°C", low=16, high=30, write=WriteSpec(18.0, 28.0, 26.0)),
        point(
            "hall.hvac.ahu1",
            "mode",
            "",
            kind="multistate",
            states=((0, name("off")), (1, name("on"))),
            write=WriteSpec(0.0, 1.0),
        ),
        point("hall.plant.ch1", "enable", "", kind="binary", write=WriteSpec(0.0, 1.0)),
        point("hall.plant.ch1", "cop", "", device=""),
    ]
    floors = (Floor("B1", -1, name("B1")), Floor("1F", 1, name("1F")))
    return Site(
        id="hall",
        name=name("Hall"),
        timezone="Asia/Taipei",
        generation=generation,
        buildings={"hall": Building("hall", name("Hall"), floors)},
        areas={area: Area(area, name(area), "hall") for area in ("substation", "west", "plant")},
        equipment=equipment,
        points={entry.address: entry for entry in points},
    )


class MemoryField:
    """States of devices that the test sets."""

    def __init__(self) -> None:
        self.devices = {
            device: DeviceStatus(
                id=device,
                profile="site-standard",
                protocol="modbus",
                endpoint="tcp://10.0.0.1:502",
                unit=1,
                equipment=equipment,
                points=2,
                state="good",
                last_good_ns=START_NS,
                since_ns=START_NS,
                polls=3,
                errors=0,
                timeouts=0,
                refused=0,
                latency_p95_ms=math.nan,
                message="",
                keepalives=0,
                writes=0,
            )
            for device, equipment in (
                ("dev-tx1", "hall.electrical.tx1"),
                ("dev-ahu1", "hall.hvac.ahu1"),
                ("dev-ch1", "hall.plant.ch1"),
            )
        }

        self.pictures: dict[str, Picture] = {}
        self.asked: list[str] = []

    def statuses(self) -> list[DeviceStatus]:
        return list(self.devices.values())

    async def picture(self, device: str) -> Picture:
        self.asked.append(device)
        if device not in self.pictures:
            raise DeviceTimeoutError(f"{device}: no picture")
        return self.pictures[device]


class MemoryHistory:
    """Readings that the test puts in, answered in the shapes of the contract."""

    def __init__(self) -> None:
        self.readings: dict[int, list[tuple[int, float, int]]] = {}
        self.error: Exception | None = None

    async def raw(self, numbers: Sequence[int], start_ns: int, end_ns: int, limit: int = 100_000) -> list[Series]:
        if self.error:
            raise self.error
        found = []
        for number in numbers:
            rows = sorted(self.readings.get(number, []))
            inside = [r for r in rows if start_ns <= r[0] < end_ns]
            earlier = [r for r in rows if r[0] < start_ns]
            kept = inside[:limit]
            found.append(
                Series(
                    number,
                    np.array([r[0] for r in kept], np.int64),
                    np.array([r[1] for r in kept], np.float64),
                    np.array([r[2] for r in kept], np.uint8),
                    earlier[-1] if earlier else None,
                    truncated=len(inside) > limit,
                )
            )
        return found

    async def before(self, numbers: Sequence[int], time_ns: int) -> list[Before | None]:
        return [series.before for series in await self.raw(numbers, time_ns, time_ns + 1)]

    async def aggregate(self, numbers: Sequence[int], start_ns: int, end_ns: int, bucket_ns: int) -> list[Buckets]:
        found = []
        for series in await self.raw(numbers, start_ns, end_ns):
            place = (series.time_ns - start_ns) // bucket_ns
            columns: list[list[float]] = [[] for _ in range(7)]
            for bucket in np.unique(place):
                values = series.value[place == bucket]
                good = (series.quality[place == bucket] < 64) & np.isfinite(values)
                kept = values[good] if good.any() else np.array([np.nan])
                line = (start_ns + int(bucket) * bucket_ns, len(values), kept.min(), kept.max(), kept.mean(), kept[-1])
                for column, value in zip(columns, (*line, good.mean()), strict=True):
                    column.append(float(value) if column is not columns[0] else value)
            arrays = [np.array(column, np.float64) for column in columns[2:]]
            start, count = (np.array(column, np.int64) for column in columns[:2])
            found.append(Buckets(series.number, start, count, *arrays))
        return found


def build_notify(hook: str = "http://127.0.0.1:9/hook") -> NotifyPlan:
    """Phones and a webhook that nobody answers; a duty by day, and operators the rest of the time."""
    channels = {
        "phone": ChannelSpec("phone", "push", Name("推播", "Push")),
        "hook": ChannelSpec("hook", "webhook", Name("網路", "Hook"), url=hook),
        "mail": ChannelSpec(
            "mail", "mail", Name("郵件", "Mail"), missing=Name("環境變數 X 未設定", "environment variable X is not set")
        ),
    }
    ways = (Way("phone"), Way("hook"), Way("mail", "secret-box@hall.invalid"))
    contacts = {
        "room": Contact("room", Name("中控室", "Control room"), ways, role="operator"),
        "engineer": Contact("engineer", Name("工程師", "Engineer"), ways[1:], user="u.operator"),
    }
    shifts = (Shift(Hours(("workday",), 480, 1080), ("engineer",)),)
    duty = Duty("plant", Name("機電值勤", "Plant duty"), shifts, ("room",))
    route = Route("all", Name("全部", "All"), (RouteStep(0, (Target("duty", "plant"),)),))
    return NotifyPlan(contacts, {"plant": duty}, (route,), channels, hosts=("127.0.0.1",))


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


SCENARIO = Scenario(
    "tea",
    Name("茶水間火警", "Fire in the tea room"),
    "hall",
    "1F",
    3600.0,
    injects=(
        Inject("detector", 0.0, Name("探測器動作", "a detector"), "reporting", 120.0, "hall.hvac.ahu1.mode", 1.0),
        Inject("smoke", 60.0, Name("有煙", "smoke")),
    ),
    goals=(Goal("out", "accounted", Name("全員到齊", "everybody out"), 900.0),),
    assembly=(Assembly("plaza", Name("廣場", "Plaza")),),
    steps=(Step("told", Name("已通知", "everybody is told")),),
)


class KnownPresence(Presence):
    """Everybody whom a test put into the building."""

    def inside(self, now_ns: int) -> list[Person]:
        return [
            Person("p-1", "west", "1F", "hall.access.w_01f_1", now_ns - 1_000_000_000),
            Person("p-2", "west", "1F", "hall.access.w_01f_1", now_ns - 1_000_000_000),
            Person("p-3", "plant", "B1", "hall.access.p_b1_1", now_ns - 1_000_000_000),
        ]


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


def _alarms() -> list[AlarmDefinition]:
    shared: dict[str, Any] = {
        "equipment": "hall.electrical.tx1",
        "system": "electrical",
        "area": "substation",
        "floor": "1F",
    }
    return [
        AlarmDefinition(
            id="hall.electrical.tx1.winding_temp_a#high",
            kind="high",
            number=0,
            point="hall.electrical.tx1.winding_temp_a",
            device="dev-tx1",
            limit=130.0,
            unit="°C",
            priority=2,
            text=Name("繞組溫度過高", "Winding temperature high"),
            **shared,
        ),
    ]


def build_calendar(site: Site) -> Calendar:
    """A calendar with something of everything; the clock of the house begins on 2026-01-01 08:00 in Taipei."""
    frame = Frame.of(site)
    hall = Venue("hall", Name("大廳", "Hall"), "west", "1F", ("hall.hvac.ahu1",))
    works = {
        "kind": "maintenance",
        "title": {"zh": "主機保養", "en": "Service"},
        "from": "2026-01-10",
        "to": "2026-01-12",
        "equipment": ["hall.plant.ch1"],
    }
    inspection = {
        "kind": "service",
        "title": {"zh": "變壓器檢查", "en": "Inspection of the transformer"},
        "basis": "電業法",
        "interval_months": 6,
        "last_done": "2025-06-01",
        "equipment": ["hall.electrical.*"],
    }
    booking = {
        "venue": "hall",
        "title": {"zh": "市集", "en": "Fair"},
        "start": "2026-01-03T09:00:00+08:00",
        "end": "2026-01-03T17:00:00+08:00",
    }
    venues = {"hall": hall}
    return Calendar(
        venues=venues,
        bookings=(cast("Booking", frame.read("booking", "b1", booking, venues)),),
        works=(cast("Works", frame.read("works", "w1", works, venues)),),
        inspections=(cast("Inspection", frame.read("inspection", "i1", inspection, venues)),),
    )


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
    alarms = AlarmEngine(_alarms(), clock, record_alarm)

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
