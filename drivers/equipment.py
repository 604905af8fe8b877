"""Classes of equipment, and the points that each must have, so that pages, rules and alarms can count on them.

A profile may have more points than its class knows; those of the class have its kind and its unit.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from drivers.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.profile import Profile

__all__ = ["EQUIPMENT", "EquipmentClass", "PointSpec", "check_profile"]


@dataclass(frozen=True, slots=True)
class PointSpec:
    """What a point of a class is."""

    kind: str
    unit: str
    command: bool = False
    """True for a point that may be commanded."""


@dataclass(frozen=True, slots=True)
class EquipmentClass:
    """One class of equipment."""

    name: str
    zh: str
    en: str
    points: Mapping[str, PointSpec]
    required: tuple[str, ...] = ()
    """Every profile of the class has all of these."""
    one_of: tuple[str, ...] = ()
    """Every profile of the class has at least one of these."""


def _points(**rows: str) -> dict[str, PointSpec]:
    """Read rows of `unit = "tag tag! …"`; the tag of a point that may be commanded ends in `!`."""
    kinds = {"binary": ("binary", ""), "multistate": ("multistate", ""), "count": ("counter", "")}
    units = {"m3": "m³", "celsius": "°C", "percent": "%", "none": "", "l_s": "L/s", "l_min": "L/min", "us_cm": "µS/cm",
             "ug_m3": "µg/m³", "mg_m3": "mg/m³", "session_kwh": "kWh"}  # fmt: skip
    specs = {}
    for key, tags in rows.items():
        kind, unit = kinds.get(
            key, ("counter" if key in ("kWh", "kvarh", "h", "m3") else "analog", units.get(key, key))
        )
        for tag in tags.split():
            specs[tag.rstrip("!")] = PointSpec(kind, unit, tag.endswith("!"))
    return specs


_CLASSES = (
    EquipmentClass(
        "meter", "智慧型電表", "Power meter",
        _points(
            V="voltage_l1n voltage_l2n voltage_l3n voltage_l12 voltage_l23 voltage_l31",
            A="current_l1 current_l2 current_l3 current_n",
            kW="power_l1 power_l2 power_l3 power demand",
            kvar="reactive_power",
            kVA="apparent_power",
            none="power_factor",
            Hz="frequency",
            kWh="energy_import energy_export",
            kvarh="reactive_energy_import",
            percent="thd_v_l1 thd_v_l2 thd_v_l3 thd_i_l1 thd_i_l2 thd_i_l3",
        ),
        required=("power", "energy_import"),
    ),
    EquipmentClass(
        "transformer", "高壓變壓器", "Transformer",
        _points(
            celsius="winding_temp_a winding_temp_b winding_temp_c core_temp",
            binary="temp_alarm temp_trip temp_fault fan_1 fan_2",
        ),
        required=("winding_temp_a", "winding_temp_b", "winding_temp_c", "temp_fault"),
    ),
    EquipmentClass(
        "switchgear", "開關箱", "Switchgear",
        _points(
            binary="breaker_closed breaker_tripped racked_in earth_switch_closed door_open arc_relay remote "
            "dc_supply_ok fan_1_runs fan_2_runs",
            multistate="tap_position",
        ),
        required=("breaker_closed", "breaker_tripped"),
    ),
    EquipmentClass(
        "lift", "升降設備", "Lift",
        _points(
            multistate="position direction door mode park_floor!",
            percent="load",
            binary="passenger_alarm entrapment service_request!",
            count="fault_code trips door_cycles",
            h="run_hours",
            kWh="energy",
        ),
        required=("position", "door", "mode", "entrapment"),
    ),
    EquipmentClass(
        "fire_panel", "火警受信總機", "Fire panel",
        _points(
            count="heartbeat",
            none="panel_word zones_in_fire zones_in_fault",
            binary="fire pre_alarm fault disablement test silenced evacuation mains_fail battery_fault earth_fault",
        ),
        required=("heartbeat", "fire", "fault"),
    ),
    EquipmentClass("fire_relay", "火警繼電器", "Fire relay", _points(binary="fire fault"), required=("fire", "fault")),
    EquipmentClass(
        "generator", "發電機", "Generator",
        _points(
            multistate="mode state fail_to_start low_oil_pressure high_coolant_temp low_fuel",
            percent="fuel load",
            kPa="oil_pressure",
            celsius="coolant_temp",
            V="battery_voltage voltage_l1n voltage_l2n voltage_l3n",
            A="current_l1 current_l2 current_l3",
            kW="power",
            Hz="frequency",
            h="run_time",
            kWh="energy",
            count="starts",
            binary="test_start! test_cancel!",
        ),
        required=("mode", "state", "fuel"),
    ),
    EquipmentClass(
        "ats", "自動切換開關", "Transfer switch",
        _points(binary="normal_source generator_source on_normal on_generator auto fault"),
        required=("on_normal", "on_generator"),
    ),
    EquipmentClass(
        "ups", "不斷電系統", "UPS",
        _points(
            binary="on_line on_battery bypass output_off fault input_bad test_runs replace_battery test_passed "
            "test_failed battery_disconnected charger_fault",
            s="runtime",
            percent="charge load load_apparent efficiency",
            V="battery_voltage output_voltage input_voltage",
            A="output_current",
            Hz="output_frequency",
            celsius="battery_temp",
        ),
        required=("on_battery", "charge", "runtime"),
    ),
    EquipmentClass(
        "capacitor", "電容器組", "Capacitor bank",
        _points(
            binary="breaker_closed breaker_tripped door_open auto step_1 step_2 step_3 step_4 step_5 step_6 "
            "step_fault over_temperature",
        ),
        required=("breaker_closed", "step_fault"),
    ),
    EquipmentClass("pulse_counter", "脈衝計數器", "Pulse counter", {}),
    EquipmentClass(
        "water_meter", "智慧型水表", "Water meter",
        _points(m3="volume", multistate="status"),
        required=("volume",),
    ),
    EquipmentClass(
        "chiller", "冰水主機", "Chiller",
        _points(
            multistate="state",
            binary="alarm alarm_low_evap alarm_high_cond alarm_oil alarm_flow_evap alarm_flow_cond alarm_motor "
            "alarm_freeze alarm_vsd alarm_sensor remote enable! alarm_reset!",
            celsius="chw_supply_temp chw_return_temp cw_leaving_temp cw_entering_temp discharge_temp evap_sat_temp "
            "cond_sat_temp chw_setpoint! effective_chw_setpoint",
            l_s="chw_flow cw_flow",
            percent="load motor_current vane demand_limit! effective_demand_limit",
            kW="power",
            kPa="evap_pressure cond_pressure oil_pressure",
            kWh="energy",
            h="run_hours",
            count="starts gateway_heartbeat controller_heartbeat",
            s="start_wait minimum_on_left",
        ),
        required=("state", "chw_supply_temp", "chw_return_temp", "enable", "chw_setpoint"),
    ),
    EquipmentClass(
        "vfd", "變頻器", "Variable-frequency drive",
        _points(
            binary="run fault remote at_setpoint airflow run_cmd!",
            percent="speed speed_cmd!",
            Hz="frequency",
            A="current",
            kW="power",
        ),
        required=("run", "fault", "speed", "run_cmd", "speed_cmd"),
    ),
    EquipmentClass(
        "gas_detector", "一氧化碳與二氧化氮偵測器", "CO and NO2 detector",
        _points(ppm="co co_mean no2 no2_mean", binary="co_fault no2_fault"),
        required=("co", "co_fault"),
    ),
    EquipmentClass(
        "charger", "充電樁", "EV charger",
        _points(
            multistate="state",
            binary="vehicle_connected enable! bay_occupied",
            kW="power max_power power_limit! power_limit_applied",
            A="current current_l1 current_l2 current_l3 safe_current current_limit! current_limit_applied",
            V="voltage",
            kWh="energy",
            session_kwh="session_energy",
            percent="soc",
            s="limit_valid session_time",
            none="error_code vehicle",
        ),
        one_of=("state", "vehicle"),
    ),
    EquipmentClass(
        "parking_row", "車位列", "Row of parking bays",
        _points(
            binary=" ".join(f"bay_{n:02}" for n in range(1, 21)),
            percent="battery",
            none="battery_bay",
        ),
        required=("bay_01",),
    ),
    EquipmentClass(
        "gate", "柵欄機", "Barrier",
        _points(multistate="state", binary="loop", count="passages"),
        required=("state",),
    ),
    EquipmentClass(
        "guidance_sign", "車位導引牌", "Guidance sign",
        _points(none="free_shown", binary="fault"),
        required=("free_shown",),
    ),
    EquipmentClass(
        "plant_header", "冰水系統", "Plant header",
        _points(
            celsius="chw_supply_temp chw_return_temp outdoor_temp wet_bulb_temp",
            kPa="differential_pressure differential_pressure_setpoint!",
            percent="bypass_valve bypass_valve_cmd!",
            mm="basin_level",
            l_min="makeup_flow",
            us_cm="conductivity",
        ),
        required=("chw_supply_temp", "chw_return_temp", "differential_pressure"),
    ),
    EquipmentClass(
        "ahu", "空調箱", "Air-handling unit",
        _points(
            celsius="supply_air_temp return_air_temp mixed_air_temp outdoor_air_temp supply_air_temp_sp! zone_temp "
            "zone_temp_sp!",
            Pa="supply_static_pressure supply_static_pressure_sp! filter_dp",
            ppm="return_co2",
            percent="return_humidity chw_valve_cmd! chw_valve_position fan_speed_cmd! outdoor_damper_cmd! "
            "outdoor_damper_position",
            binary="filter_dirty freeze_stat smoke_damper_closed fan_run fan_fault fan_cmd!",
            multistate="mode!",
        ),
        required=("supply_air_temp", "fan_run"),
    ),
    EquipmentClass(
        "fcu", "小型送風機", "Fan-coil unit",
        _points(celsius="zone_temp zone_temp_sp!", binary="valve_open occupied", multistate="fan_speed"),
        required=("zone_temp", "fan_speed"),
    ),
    EquipmentClass(
        "iaq_station", "環境品質監控設備", "Air-quality station",
        _points(
            celsius="temperature",
            percent="humidity",
            ppm="co2 co",
            ppb="o3 no2 hcho tvoc",
            ug_m3="pm1 pm25 pm10",
            hPa="pressure",
            dB="noise",
            lx="illuminance",
            d="days_since_calibration",
        ),
        required=("co2", "pm25"),
    ),
    EquipmentClass(
        "environment", "環境感測器", "Environment sensor",
        _points(
            celsius="temperature",
            percent="humidity battery",
            ppm="co2",
            ug_m3="pm25 pm10",
            mg_m3="hcho",
            hPa="pressure",
        ),
        one_of=("temperature", "humidity", "co2", "pm25", "tvoc"),
    ),
    EquipmentClass(
        "door", "門", "Door",
        _points(
            multistate="mode! alarm",
            binary="position lock tamper fault battery_low fire_released ack_alarm!",
            s="momentary_unlock!",
        ),
        required=("mode", "position", "lock", "alarm"),
    ),
    EquipmentClass(
        "access_controller", "門禁控制器", "Door controller",
        _points(binary="online duress"),
        required=("online",),
    ),
    EquipmentClass(
        "intrusion_zone", "防盜區域", "Intrusion zone",
        _points(multistate="state", binary="battery_low"),
        required=("state",),
    ),
    EquipmentClass(
        "sos_button", "緊急求助按鈕", "SOS button",
        _points(binary="pressed tamper"),
        required=("pressed", "tamper"),
    ),
    EquipmentClass(
        "intercom", "對講機", "Intercom station",
        _points(multistate="call", binary="registered"),
        required=("call",),
    ),
    EquipmentClass(
        "camera", "攝影機", "Camera",
        _points(binary="motion online signal_loss scene_change hardware_failure storage_failure"),
        one_of=("online", "signal_loss"),
    ),
    EquipmentClass(
        "recorder", "錄影主機", "Video recorder",
        _points(binary="online"),
        required=("online",),
    ),
)  # fmt: skip

EQUIPMENT: Mapping[str, EquipmentClass] = MappingProxyType({item.name: item for item in _CLASSES})
"""Classes by name, as in `Profile.equipment`. TVOC, light level and occupancy differ in unit by model and are free."""


def check_profile(profile: Profile) -> None:
    """Check a profile against its class of equipment.

    Raises:
        ProfileError: the class is unknown, a point of it is missing, or has another kind or unit.
    """
    where = f"profile {profile.id}"
    cls = EQUIPMENT.get(profile.equipment)
    if cls is None:
        close = difflib.get_close_matches(profile.equipment, EQUIPMENT, 1, 0.5)
        hint = f'; did you mean "{close[0]}"?' if close else f"; known are {', '.join(EQUIPMENT)}"
        raise ProfileError(f'{where}: profile.equipment: "{profile.equipment}" is no class of equipment{hint}')
    tags = {point.tag for point in profile.points}
    missing = [tag for tag in cls.required if tag not in tags]
    if missing:
        raise ProfileError(f"{where}: a {cls.name} must have {', '.join(missing)}")
    if cls.one_of and not tags.intersection(cls.one_of):
        raise ProfileError(f"{where}: a {cls.name} must have at least one of {', '.join(cls.one_of)}")
    for point in profile.points:
        spec = cls.points.get(point.tag)
        if spec is None:
            continue
        if point.kind != spec.kind:
            raise ProfileError(f'{where}: point "{point.tag}": kind: got {point.kind}, a {cls.name} has {spec.kind}')
        if point.unit != spec.unit:
            raise ProfileError(
                f'{where}: point "{point.tag}": unit: got "{point.unit}", a {cls.name} has "{spec.unit}"'
            )
        if point.write is not None and not spec.command:
            raise ProfileError(f'{where}: point "{point.tag}": write: a {cls.name} has no command of this name')
