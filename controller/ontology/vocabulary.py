"""What our classes and units are called elsewhere, and where in the building a thing is said to be.

Sources: Project Haystack 4 (defs `ph`, `phIoT`, and its unit database, units.txt); Brick 1.4.4 (Brick.ttl, whose class
names are in `brick.txt`); QUDT 2.1 (vocabulary unit). A class that neither knows keeps its name behind `shifu`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controller.point.model import Equipment, Point, Site

__all__ = [
    "CLASSES",
    "HAYSTACK_UNITS",
    "QUDT_UNITS",
    "EquipmentWords",
    "Space",
    "camel",
    "equipment_class",
    "feeds",
    "point_class",
    "spaces",
]


@dataclass(frozen=True, slots=True)
class EquipmentWords:
    """A class of equipment: Haystack's tags beside `equip`, and Brick's class."""

    tags: str
    brick: str


CLASSES: Mapping[str, EquipmentWords] = {
    name: EquipmentWords(tags, brick)
    for name, tags, brick in (
        ("meter", "elec meter", "Electrical_Meter"),
        ("water_meter", "water meter", "Water_Meter"),
        ("transformer", "elec shifuTransformer", "Transformer"),
        ("switchgear", "elec switchgear", "Switchgear"),
        ("ups", "elec ups", "Battery_Energy_Storage_System"),
        ("generator", "elec shifuGenerator", "Electrical_Equipment"),
        ("capacitor_bank", "elec shifuCapacitorBank", "Electrical_Equipment"),
        ("chiller", "chiller chilled water", "Chiller"),
        ("cooling_tower", "coolingTower", "Cooling_Tower"),
        ("pump", "pump motor", "Pump"),
        ("vfd", "vfd", "Variable_Frequency_Drive"),
        ("plant_header", "chilled water plant", "Chilled_Water_System"),
        ("ahu", "ahu airHandlingEquip", "Air_Handling_Unit"),
        ("fcu", "fcu airHandlingEquip", "Fan_Coil_Unit"),
        ("fan", "fan motor", "Fan"),
        ("exhaust_fan", "exhaust fan motor", "Exhaust_Fan"),
        ("environment", "shifuEnvironmentSensor", "Sensor_Equipment"),
        ("iaq_station", "shifuEnvironmentSensor", "IAQ_Sensor_Equipment"),
        ("gas_detector", "shifuGasDetector", "Sensor_Equipment"),
        ("leak", "shifuLeakDetector", "Leak_Detector_Equipment"),
        ("charger", "evse", "Electric_Vehicle_Charging_Station"),
        ("bay", "shifuBay", "Parking_Space"),
        ("barrier", "shifuBarrier", "Equipment"),
        ("lift", "elevator verticalTransport", "Elevator"),
        ("door", "shifuDoor", "Access_Control_Equipment"),
        ("reader", "shifuReader", "Access_Reader"),
        ("camera", "shifuCamera", "Surveillance_Camera"),
        ("intercom", "shifuIntercom", "Video_Intercom"),
        ("sos", "shifuSos", "Emergency_Phone"),
        ("intrusion", "shifuIntrusion", "Intrusion_Detection_Equipment"),
        ("sos_button", "shifuSos", "Safety_Equipment"),
        ("intrusion_zone", "shifuIntrusion", "Intrusion_Detection_Equipment"),
        ("access_controller", "shifuAccessController", "Access_Control_Equipment"),
        ("recorder", "shifuRecorder", "Network_Video_Recorder"),
        ("gate", "shifuGate", "Access_Control_Equipment"),
        ("parking_row", "shifuParkingRow", "Sensor_Equipment"),
        ("room", "shifuRoom", "Sensor_Equipment"),
        ("fire_panel", "shifuFirePanel", "Fire_Control_Panel"),
        ("fire_zone", "shifuFireZone", "Fire_Safety_Equipment"),
    )
}
_REFINED = {("pump", "chilled"): "Chilled_Water_Pump", ("pump", "condenser"): "Condenser_Water_Pump"}
"""By class and the parameter `loop`."""

HAYSTACK_UNITS: Mapping[str, str] = {
    "K": "Δ°C",
    "kvar": "kVAR",
    "kvarh": "kVARh",
    "RT": "tonref",
    "%RH": "%RH",
    "d": "day",
    "dB": "db",
    "µS/cm": "_µS/cm",
}
"""Where Haystack's symbol differs from ours; one that its database lacks begins with an underscore."""

QUDT_UNITS: Mapping[str, str] = {
    "°C": "DEG_C",
    "K": "K",
    "%": "PERCENT",
    "%RH": "PERCENT_RH",
    "V": "V",
    "A": "A",
    "mA": "MilliA",
    "W": "W",
    "kW": "KiloW",
    "kVA": "KiloV-A",
    "kvar": "KiloV-A_Reactive",
    "Wh": "W-HR",
    "kWh": "KiloW-HR",
    "MWh": "MegaW-HR",
    "kvarh": "KiloV-A_Reactive-HR",
    "Hz": "HZ",
    "rpm": "REV-PER-MIN",
    "Pa": "PA",
    "hPa": "HectoPA",
    "kPa": "KiloPA",
    "bar": "BAR",
    "ppm": "PPM",
    "ppb": "PPB",
    "µg/m³": "MicroGM-PER-M3",
    "mg/m³": "MilliGM-PER-M3",
    "L": "L",
    "L/s": "L-PER-SEC",
    "L/min": "L-PER-MIN",
    "m³": "M3",
    "m³/h": "M3-PER-HR",
    "m³/s": "M3-PER-SEC",
    "m/s": "M-PER-SEC",
    "mm": "MilliM",
    "m": "M",
    "s": "SEC",
    "min": "MIN",
    "h": "HR",
    "d": "DAY",
    "dB": "DeciB",
    "lx": "LUX",
    "RT": "TON_FG",
    "µS/cm": "MicroS-PER-CentiM",
}


@dataclass(frozen=True, slots=True)
class Space:
    """A wing or an area on one floor; the id is `building:floor:area`."""

    id: str
    building: str
    floor: str
    zh: str
    en: str
    comfort: bool
    """True where air is treated or watched: an HVAC zone."""


_AIR = frozenset({"ahu", "fcu", "environment", "iaq_station"})


def spaces(site: Site) -> tuple[dict[str, Space], dict[str, str]]:
    """Return the zones of all floors, and for each equipment the id of its zone, its floor, or its building."""
    found: dict[str, Space] = {}
    where: dict[str, str] = {}
    for item in site.equipment.values():
        part = item.wing or item.area
        if not (item.floor and part):
            where[item.address] = f"{item.building}:{item.floor}" if item.floor else item.building
            continue
        name = f"{item.building}:{item.floor}:{part}"
        area = site.areas.get(part)
        comfort = item.cls in _AIR or (name in found and found[name].comfort)
        zh, en = (area.name.zh, area.name.en) if area else (part, part)
        found[name] = Space(name, item.building, item.floor, f"{item.floor} {zh}", f"{item.floor} {en}", comfort)
        where[item.address] = name
    return found, where


def feeds(site: Site) -> Iterator[tuple[str, str]]:
    """Yield (from, to) once for each flow that the parameters `feeds` and `fed_by` tell of."""
    seen = set()
    for item in site.equipment.values():
        for key, ahead in (("feeds", True), ("fed_by", False)):
            other = item.parameters.get(key)
            if isinstance(other, str) and other in site.equipment:
                pair = (item.address, other) if ahead else (other, item.address)
                if pair not in seen:
                    seen.add(pair)
                    yield pair


def equipment_class(item: Equipment) -> str:
    """Return the Brick class of an equipment, always one that exists."""
    refined = _REFINED.get((item.cls, str(item.parameters.get("loop", ""))))
    words = CLASSES.get(item.cls)
    return refined or (words.brick if words else "Equipment")


def point_class(point: Point) -> str:
    """Return the Brick class of a point: the profile's where Brick has it, else what kind of point it is."""
    named = _brick().get(point.brick)
    if named is not None and named.rsplit("_", 1)[-1] in _POINTS:
        return named
    word = point.address.rpartition(".")[2]
    if point.write is not None:
        return "Setpoint" if point.kind == "analog" and re.search(r"_(sp|setpoint|limit)$", word) else "Command"
    if point.kind == "binary":
        return "Alarm" if re.search(r"alarm|fault|trip", word) else "Status"
    return "Status" if point.kind == "multistate" else "Sensor"


_POINTS = ("Sensor", "Setpoint", "Command", "Status", "Alarm", "Parameter", "Limit")


@cache
def _brick() -> Mapping[str, str]:
    """Return the names of Brick's classes, each with the one that is to be used for it."""
    text = (Path(__file__).parent / "brick.txt").read_text("utf-8")
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    return {words[0]: words[-1] for words in lines}


def camel(text: str) -> str:
    """Return `rated_kva` as `ratedKva`."""
    first, *rest = [part for part in re.split(r"[^A-Za-z0-9]+", text) if part] or ["x"]
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
