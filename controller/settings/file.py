"""The shape of each file of a site's folder, as strict models; editors get a JSON Schema of the same.

The rows are checked after their templates were filled in, so a field never sees a brace.
"""

from __future__ import annotations

from datetime import date  # noqa: TC003 - pydantic reads the annotations
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, model_validator

from controller.plan.plan import MOST_PLACEMENTS, MOST_VERTICES, MOST_ZONES

__all__ = [
    "FORMS",
    "AlarmFile",
    "AlarmRow",
    "BookingRow",
    "CarbonRow",
    "DeviceFile",
    "DeviceRow",
    "DocumentFile",
    "DocumentRow",
    "EnergyFile",
    "EquipmentFile",
    "EquipmentRow",
    "InputRow",
    "InspectionRow",
    "NameRow",
    "PlanFile",
    "PlanRow",
    "RuleFile",
    "RuleRow",
    "ServerFile",
    "SettingsRow",
    "SiteFile",
    "UseRow",
    "VehicleRow",
    "VenueRow",
    "WorksRow",
]

Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Address = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*\.[a-z0-9_-]+\.[a-z0-9_-]+$", max_length=120)]
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
PartOf = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}\*?$")]
PartAddress = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*\.[a-z0-9_-]+\.[a-z0-9_-]+\*?$", max_length=120)
]
Prefix = Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9_]{0,23})?$")]
FloorId = Annotated[str, StringConstraints(pattern=r"^(B[1-9]|[1-9]\d?F|RF)$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Long = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Short = Annotated[str, StringConstraints(max_length=200)]
Pattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.*-]+$", max_length=120)]
Patterns = Annotated[list[Pattern], Field(max_length=200)]
Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=300)]
PlanPath = Annotated[str, StringConstraints(pattern=r"^plans/[A-Za-z0-9][\w.-]{0,100}\.(svg|png)$")]
DocumentPath = Annotated[
    str,
    StringConstraints(pattern=r"^documents/([A-Za-z0-9][\w.-]{0,100}/)?[A-Za-z0-9][\w.-]{0,100}\.(svg|png|jpe?g|pdf)$"),
]
Place = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+){2,3}$", max_length=200)]
Vertex = Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]
Endpoint = Annotated[
    str,
    StringConstraints(
        pattern=r"^((rtu\+)?tcp://[^/\s:]+:\d{1,5}|serial:/\S+|opc\.tcp://[^/\s]+(/\S*)?|mqtts?://[^/\s:]+:\d{1,5})$",
        max_length=300,
    ),
]

FORMS = {
    "^[a-z0-9][a-z0-9_-]{0,62}$": "lower-case letters, digits, - and _, at most 63, such as tx1-meter",
    r"^[a-z0-9][a-z0-9_-]*\.[a-z0-9_-]+\.[a-z0-9_-]+$": "building.system.equipment, such as main.electrical.tx1",
    "^(duty|contact):[a-z0-9][a-z0-9_-]{0,62}$": "duty:<id> or contact:<id> of notify.toml",
    "^[a-z][a-z0-9_]{0,47}$": "a tag: a lower-case letter, then letters, digits and _, at most 48, such as power_l1",
    r"^[a-z][a-z0-9_]{0,40}\*?$": "the beginning of tags, such as ch_1, or with a number for * such as zone_*",
    r"^[a-z0-9][a-z0-9_-]*\.[a-z0-9_-]+\.[a-z0-9_-]+\*?$": (
        "building.system.equipment, with * for the number of the tag"
    ),
    "^([a-z][a-z0-9_]{0,23})?$": "a lower-case letter, then letters, digits and _, at most 24, such as spare_",
    r"^(B[1-9]|[1-9]\d?F|RF)$": "a floor: B9 to B1, 1F to 99F, or RF",
    r"^plans/[A-Za-z0-9][\w.-]{0,100}\.(svg|png)$": "a drawing such as plans/main-1f.svg, or .png",
    r"^documents/([A-Za-z0-9][\w.-]{0,100}/)?[A-Za-z0-9][\w.-]{0,100}\.(svg|png|jpe?g|pdf)$": (
        "a file such as documents/meter.pdf; svg, png, jpg and pdf are taken"
    ),
    r"^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+){2,3}$": "an equipment or a point, such as main.electrical.tx1",
    r"^[a-z0-9_.*-]+$": "an address of equipment, with * for any text, such as main.electrical.tx*",
    r"^[A-Z0-9-]{2,12}$": "a plate: capital letters, digits and -, such as EAA-0001",
    r"^[A-Z0-9]{0,40}$": "a card number: capital letters and digits",
    r"^([01]\d|2[0-3]):[0-5]\d$": "a time of day such as 07:30",
    r"^\d{1,3}:[0-5]\d$": "minutes and seconds after the start, such as 02:30",
    r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$": "a time of day such as 17:30, or 24:00",
    r"^[a-z0-9_*-]+$": "ids of schedules, with * for any text, such as office-*",
    r"^https?://\S+$": "an address such as http://127.0.0.1:8086",
    r"^((rtu\+)?tcp://[^/\s:]+:\d{1,5}|serial:/\S+|opc\.tcp://[^/\s]+(/\S*)?|mqtts?://[^/\s:]+:\d{1,5})$": (
        "tcp://host:502, rtu+tcp://host:4001, serial:/dev/ttyUSB0?baudrate=9600&parity=N, opc.tcp://host:4840 "
        "or mqtt://host:1883"
    ),
}
"""What a pattern asks for, for people."""


class SettingsRow(BaseModel):
    """A table of a file: strict, without unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NameRow(SettingsRow):
    """A name in both languages."""

    zh: Text
    en: Text


class LongNameRow(SettingsRow):
    """A sentence in both languages."""

    zh: Long
    en: Long


class SiteRow(SettingsRow):
    """`[site]`."""

    id: Word
    name: NameRow
    timezone: Text = "Asia/Taipei"
    country: Literal["TW", ""] = ""
    """Whose public holidays the schedules follow; empty: those of schedule.toml alone."""
    latitude: Annotated[FiniteFloat, Field(ge=-90, le=90)] = 25.0375
    longitude: Annotated[FiniteFloat, Field(ge=-180, le=180)] = 121.5645


class BuildingRow(SettingsRow):
    """`[[building]]`."""

    id: Word
    name: NameRow
    floors: Annotated[list[FloorId], Field(min_length=1, max_length=120)]
    """From the lowest to the roof."""


class AreaRow(SettingsRow):
    """`[[area]]`."""

    id: Word
    name: NameRow
    building: Word


class SiteFile(SettingsRow):
    """site.toml."""

    site: SiteRow
    building: Annotated[list[BuildingRow], Field(min_length=1)]
    area: list[AreaRow] = []
    simulation: dict[str, Any] = {}
    """For the simulators; the controller does not look at it."""


class DocumentItem(SettingsRow):
    """One document of a piece of equipment: a file of the site's folder `documents`."""

    kind: Literal["photo", "manual", "drawing"]
    file: DocumentPath
    title: NameRow


class EquipmentRow(SettingsRow):
    """`[[equipment]]`, expanded."""

    id: Address
    cls: Annotated[Word, Field(alias="class")]
    name: NameRow
    floor: Short = ""
    area: Short = ""
    wing: Short = ""
    maker: Short = ""
    model: Short = ""
    serial: Short = ""
    parameters: Annotated[dict[str, FiniteFloat | int | str], Field(max_length=100)] = {}
    """Numbers that alarms and rules may use by name, and texts for screens."""
    documents: Annotated[list[DocumentItem], Field(max_length=50)] = []


class DeviceRow(SettingsRow):
    """`[[device]]`, expanded."""

    id: Word
    equipment: Address
    profile: Word
    endpoint: Endpoint
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    period_s: Annotated[FiniteFloat, Field(ge=0.1, le=86_400)] | None = None
    urgent: bool = False
    prefix: Prefix = ""
    """Put before every tag, for two devices of one kind on one piece of equipment."""
    omit: list[Tag] = []
    """Tags of the profile that this site does not use."""
    names: Annotated[dict[Tag, NameRow], Field(max_length=2_000)] = {}
    """Names of points where they differ from the profile's, by tag."""
    parts: Annotated[dict[PartOf, PartAddress], Field(max_length=300)] = {}
    """Points of other equipment behind the same device: with `zone_* = "cityhall.fire.zone*"` the point
    `zone_07_state` is `cityhall.fire.zone07.state`."""
    defaults: Annotated[dict[Tag, FiniteFloat], Field(max_length=300)] = {}
    """Relinquish defaults of commandable points, by the profile's tag, where they are the site's business."""
    options: dict[str, Any] = {}
    secrets: dict[str, str] = {}


class AlarmRow(SettingsRow):
    """`[[alarm]]`: for a class of equipment, or for addresses by pattern."""

    cls: Annotated[Word | None, Field(alias="class")] = None
    equipment: str | None = None
    """Address, with `*` for any text."""
    area: Word | None = None
    """Only equipment of this area. Such a row goes before the class's own row, wherever the two stand."""
    tag: Tag | None = None
    kind: Literal["high_high", "high", "low", "low_low", "state", "communication"]
    limit: FiniteFloat | str | None = None
    """A number in the point's unit, or the name of a parameter of the equipment."""
    states: list[int] = []
    word: Tag | None = None
    """Tells this alarm from another one of the same point: a door that is forced, and one that is held open."""
    priority: Annotated[int, Field(ge=1, le=4)] = 3
    life_safety: bool = False
    on_delay_s: Annotated[FiniteFloat, Field(ge=0, le=86_400)] = 0
    off_delay_s: Annotated[FiniteFloat, Field(ge=0, le=86_400)] = 0
    deadband: Annotated[FiniteFloat, Field(ge=0)] = 0
    latching: bool = False
    text: LongNameRow | None = None
    consequence: LongNameRow | None = None
    action: LongNameRow | None = None
    respond_min: Annotated[FiniteFloat, Field(gt=0, le=100_000)] | None = None


class VirtualPointRow(SettingsRow):
    """The point that a rule makes on each of its equipment."""

    tag: Tag
    kind: Literal["analog", "binary", "multistate"] = "analog"
    unit: str = ""
    zh: Text
    en: Text
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    decimals: Annotated[int, Field(ge=0, le=6)] = 1
    deadband: Annotated[FiniteFloat, Field(ge=0)] = 0
    states: dict[str, tuple[str, str] | list[str]] = {}


class InputRow(SettingsRow):
    """One input of a rule."""

    point: str | None = None
    """A tag of the same equipment, or a whole address."""
    parameter: str | None = None
    unit: str = ""
    window: str | None = None
    """Such as `mean_15min`."""


class RuleRow(SettingsRow):
    """`[[rule]]`."""

    id: Word
    cls: Annotated[Word | None, Field(alias="class")] = None
    equipment: str | None = None
    point: VirtualPointRow
    inputs: dict[Tag, InputRow]
    expression: Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class ZoneRow(SettingsRow):
    """`[[plan.zones]]`: a part of a floor."""

    id: Word
    name: NameRow
    polygon: Annotated[list[Vertex], Field(min_length=3, max_length=MOST_VERTICES)]
    """Corners `[x, y]` in the order of the outline, from the upper left corner of the drawing."""
    holds: Annotated[list[Word], Field(max_length=50)] = []
    """Wings and areas whose equipment is laid out in it where nobody placed it; the zone's own id unless given."""


class PlacementRow(SettingsRow):
    """`[[plan.placements]]`: where an equipment, or a single point, stands."""

    address: Place
    at: Vertex


class PlanRow(SettingsRow):
    """`[[plan]]`, expanded: the plan of one floor."""

    building: Word
    floor: FloorId
    file: PlanPath | None = None
    """An SVG or PNG of the site's folder `plans`, at most 5 MiB."""
    size: Annotated[list[Annotated[FiniteFloat, Field(gt=0, le=100_000)]], Field(min_length=2, max_length=2)] | None = (
        None
    )
    """Width and height of the coordinates; the drawing's own unless given."""
    zones: Annotated[list[ZoneRow], Field(max_length=MOST_ZONES)] = []
    placements: Annotated[list[PlacementRow], Field(max_length=MOST_PLACEMENTS)] = []


class DocumentRow(DocumentItem):
    """`[[document]]`, expanded: a document of a class of equipment, or of addresses by pattern."""

    cls: Annotated[Word | None, Field(alias="class")] = None
    equipment: str | None = None
    """Address, with `*` for any text; exactly one of the two is given."""


class VenueRow(SettingsRow):
    """`[[venue]]`: a place that is let."""

    id: Word
    name: NameRow
    area: Short = ""
    floor: Short = ""
    equipment: Patterns = []
    """What every booking of it uses: addresses, with `*` for any text."""


class BookingRow(SettingsRow):
    """`[[booking]]`: one use of a venue. Repeated ones come as an iCalendar file."""

    id: Word
    venue: Word
    title: NameRow
    start: AwareDatetime
    """With its zone: `2026-12-05T09:00:00+08:00`."""
    end: AwareDatetime
    equipment: Patterns = []
    """What it uses beside the venue's own."""


class WorksRow(SettingsRow):
    """`[[works]]`: renovation or maintenance. What fits all of area, floors and equipment is out of service."""

    id: Word
    """Number of the work order."""
    kind: Literal["renovation", "maintenance"] = "renovation"
    title: NameRow
    first: Annotated[date | AwareDatetime, Field(alias="from")]
    """A day, or a time with its zone."""
    last: Annotated[date | AwareDatetime, Field(alias="to")]
    """The last day, or the time at which everything is back."""
    area: Short = ""
    floors: Annotated[list[FloorId], Field(max_length=120)] = []
    equipment: Patterns = []
    """Addresses, with `*` for any text."""
    takes_out: bool = True
    """False: everything goes on working beside it."""
    contractor: NameRow | None = None
    """A role or a firm, never a person."""
    reason: LongNameRow | None = None


class InspectionRow(SettingsRow):
    """`[[inspection]]`, expanded: what the law or the house wants looked at again and again."""

    id: Word
    kind: Word
    """What is inspected. A piece of equipment has one inspection of a kind at most."""
    title: NameRow
    basis: Text
    """The law or rule that wants it."""
    interval_months: Annotated[int, Field(ge=1, le=240)]
    last_done: date | None = None
    due: date | None = None
    """When the next one is due; without it: an interval after the last one."""
    certificate_until: date | None = None
    area: Short = ""
    equipment: Patterns = []


class CarbonRow(SettingsRow):
    """`[[carbon]]`: the emission factor of electricity of one year."""

    year: Annotated[int, Field(ge=1990, le=2100)]
    """AD."""
    kg_per_kwh: Annotated[FiniteFloat, Field(gt=0, le=5)]
    """kg CO2e per kWh."""
    source: Long
    note: Short = ""


class UseRow(SettingsRow):
    """`[[use]]`: an end use, and the meters that measure it."""

    id: Word
    name: NameRow
    meters: Annotated[list[Pattern], Field(min_length=1, max_length=200)]
    """Addresses, with `*` for any text. Their `energy_import` is counted."""


class EnergyFile(SettingsRow):
    """energy.toml."""

    main: Annotated[list[Pattern], Field(max_length=20)] = []
    """The meters that measure all electricity of the site, each once."""
    outdoor: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]*$", max_length=120)] = ""
    """The point of the outdoor temperature, °C, for baselines; empty: none."""
    carbon: Annotated[list[CarbonRow], Field(max_length=200)] = []
    use: Annotated[list[UseRow], Field(max_length=50)] = []


class VehicleRow(SettingsRow):
    """A line of vehicles.csv: an official vehicle that chargers know."""

    id: Word
    plate: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{2,12}$")]
    unit: Text
    """The office that runs it."""
    battery_kwh: Annotated[FiniteFloat, Field(gt=0, le=2000)]
    max_kw: Annotated[FiniteFloat, Field(gt=0, le=1000)]
    """What it takes at most."""
    departure: Clock | None = None
    """When it leaves on a working day."""
    rfid: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{0,40}$")] = ""
    """Number of its charging card."""
    note: Short = ""


class HttpRow(SettingsRow):
    """`[http]`."""

    host: Text = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    certificate: str = ""
    private_key: str = ""
    hosts: Annotated[list[Text], Field(max_length=50)] = []
    """Names under which browsers call it, without port; empty: loopback names on plain HTTP, any name on HTTPS."""


class InfluxRow(SettingsRow):
    """`[history.influx]`."""

    url: Url
    org: Text
    bucket: Text
    token_env: str = ""
    token_file: str = ""


class HistoryRow(SettingsRow):
    """`[history]`."""

    retention_days: Annotated[int, Field(ge=1, le=36_500)] = 3650
    influx: InfluxRow | None = None
    reads: Literal["embedded", "influx"] = "embedded"
    """Which store answers trends and exports; both are written. `influx` needs [history.influx] and its server up."""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.reads == "influx" and self.influx is None:
            raise ValueError('reads = "influx" needs [history.influx]')
        return self


class ServerFile(SettingsRow):
    """server.toml; every key has a default."""

    http: HttpRow = HttpRow()
    history: HistoryRow = HistoryRow()


class EquipmentFile(SettingsRow):
    """equipment.toml, before expansion."""

    equipment: list[dict[str, Any]] = []


class DeviceFile(SettingsRow):
    """devices/*.toml, before expansion."""

    device: list[dict[str, Any]] = []


class AlarmFile(SettingsRow):
    """alarms.toml and alarms/*.toml."""

    alarm: Annotated[list[AlarmRow], Field(max_length=10_000)] = []


class RuleFile(SettingsRow):
    """rules.toml and rules/*.toml."""

    rule: Annotated[list[RuleRow], Field(max_length=2_000)] = []


class PlanFile(SettingsRow):
    """plans.toml and plans/*.toml, before expansion."""

    plan: list[dict[str, Any]] = []


class DocumentFile(SettingsRow):
    """documents.toml, before expansion."""

    document: list[dict[str, Any]] = []
