"""A small house of three pieces of equipment: its points, alarms, plan, calendar, duty, strategy and drill."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, cast

from controller.alarm.definition import AlarmDefinition
from controller.drill.scenario import Assembly, Goal, Inject, Scenario, Step
from controller.notify.plan import ChannelSpec, Contact, NotifyPlan, Route, Target, Way
from controller.notify.plan import Step as RouteStep
from controller.notify.roster import Duty, Hours, Shift
from controller.plan.plan import Drawing, Plan, Zone
from controller.plan.store import digest
from controller.point.model import Area, Building, Document, Equipment, Floor, Limits, Name, Point, Site, WriteSpec
from controller.schedule.booking import Venue
from controller.settings.calendar import Calendar, Frame
from controller.settings.energy import Vehicle
from controller.strategy.demand import Demand
from controller.strategy.shed import Comfort, Group, Item
from controller.strategy.strategy import Entry

if TYPE_CHECKING:
    from controller.maintenance.inspection import Inspection
    from controller.maintenance.works import Works
    from controller.schedule.booking import Booking

__all__ = [
    "CAR", "DRAWING", "MANUAL", "SCENARIO", "START_NS", "build_alarms", "build_calendar", "build_notify", "build_plan",
    "build_site", "build_strategies",
]  # fmt: skip

START_NS = 1_767_225_600_000_000_000
CAR = Vehicle("car-01", "XEV-0001", "秘書處", 60.0, 11.0, "08:30", "F1EE7001", "assumed")
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


def build_alarms() -> list[AlarmDefinition]:
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
