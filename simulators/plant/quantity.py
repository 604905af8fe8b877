"""What each model measures: the tags of the contract, by class of device, and the model's accuracy class.

Typed here a second time, from the vendors' documents named in the profiles, so that the simulators share no table with
the drivers.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AHU",
    "CHILLER",
    "CUBICLE",
    "DRIVE",
    "ENVIRONMENT",
    "FCU",
    "HEADER",
    "METER",
    "MODELS",
    "RELAY",
    "WALL",
    "Model",
]

METER = (
    "voltage_l1n", "voltage_l2n", "voltage_l3n", "voltage_l12", "voltage_l23", "voltage_l31",
    "current_l1", "current_l2", "current_l3", "current_n",
    "power_l1", "power_l2", "power_l3", "power",
    "reactive_power", "apparent_power", "power_factor", "frequency",
    "energy_import", "energy_export", "reactive_energy_import",
    "thd_v_l1", "thd_v_l2", "thd_v_l3", "thd_i_l1", "thd_i_l2", "thd_i_l3", "demand",
)  # fmt: skip
RELAY = (
    "winding_temp_a", "winding_temp_b", "winding_temp_c", "core_temp",
    "temp_alarm", "temp_trip", "temp_fault", "fan_1", "fan_2",
)  # fmt: skip
CUBICLE = (
    "breaker_closed", "breaker_tripped", "racked_in", "earth_switch_closed", "door_open", "arc_relay", "remote",
    "dc_supply_ok", "tap_position", "fan_1_runs", "fan_2_runs",
)  # fmt: skip
CHILLER = (
    "state", "alarm", "alarm_low_evap", "alarm_high_cond", "alarm_oil", "alarm_flow_evap", "alarm_flow_cond",
    "alarm_motor", "alarm_freeze", "alarm_vsd", "alarm_sensor", "remote",
    "chw_supply_temp", "chw_return_temp", "cw_leaving_temp", "cw_entering_temp", "chw_flow", "cw_flow",
    "load", "power", "motor_current", "vane", "evap_pressure", "cond_pressure", "oil_pressure",
    "discharge_temp", "evap_sat_temp", "cond_sat_temp", "energy", "run_hours", "starts",
    "start_wait", "minimum_on_left", "gateway_heartbeat",
    "enable", "chw_setpoint", "demand_limit", "alarm_reset", "controller_heartbeat",
    "effective_chw_setpoint", "effective_demand_limit",
)  # fmt: skip
DRIVE = (
    "run", "fault", "remote", "at_setpoint", "speed", "frequency", "current", "power", "run_cmd", "speed_cmd",
)  # fmt: skip
HEADER = (
    "chw_supply_temp", "chw_return_temp", "differential_pressure", "bypass_valve", "outdoor_temp", "wet_bulb_temp",
    "basin_level", "makeup_flow", "conductivity", "bypass_valve_cmd", "differential_pressure_setpoint",
)  # fmt: skip
AHU = (
    "supply_air_temp", "return_air_temp", "mixed_air_temp", "outdoor_air_temp", "supply_air_temp_sp",
    "supply_static_pressure", "supply_static_pressure_sp", "return_co2", "return_humidity",
    "chw_valve_cmd", "chw_valve_position", "zone_temp", "zone_temp_sp", "filter_dp", "filter_dirty", "freeze_stat",
    "smoke_damper_closed", "fan_run", "fan_fault", "fan_cmd", "fan_speed_cmd",
    "outdoor_damper_cmd", "outdoor_damper_position", "mode", "watchdog", "controller_alive",
)  # fmt: skip
FCU = ("zone_temp", "zone_temp_sp", "fan_speed", "valve_open", "occupied")
ENVIRONMENT = (
    "temperature", "humidity", "co2", "pm25", "pm10", "tvoc", "hcho", "pressure", "light_level", "occupied", "battery",
)  # fmt: skip
WALL = ("co2", "voc_level", "temperature", "humidity", "tvoc", "pm25")
"""A wall sensor on a bus: no light, no battery, its volatiles as a signal in % and as ppb."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model: its class of device and what of it is written into the history of the days before the start."""

    cls: str
    accuracy_percent: float = 0.0
    """Of a meter: the limit of its gain error."""
    history: tuple[str, ...] = ()
    """Of a part's model: the quantities that trends, reports and baselines need."""


MODELS = {
    # Active-energy classes of the data sheets: 0.2S (UMG 801, PM5560), 0.5S (PAC3200, PM5320, DPM-C530A, iEM3155), 1.
    "janitza-umg801": Model("meter", 0.2),
    "schneider-pm5560": Model("meter", 0.2),
    "siemens-pac3200": Model("meter", 0.5),
    "delta-dpm-c530a": Model("meter", 0.5),
    "schneider-pm5320": Model("meter", 0.5),
    "schneider-iem3155": Model("meter", 0.5),
    "eastron-sdm630": Model("meter", 1.0),
    "carlo-gavazzi-em24": Model("meter", 1.0),
    "abb-b23": Model("meter", 1.0),
    "tecsystem-nt935": Model("relay"),
    "diel-mt200": Model("relay"),
    "site-standard-cubicle": Model("cubicle"),
    "site-standard-chiller": Model("chiller"),
    "carrier-23xrv": Model("chiller"),
    "abb-ach580": Model("drive"),
    "delta-cp2000": Model("drive"),
    "danfoss-fc102": Model("drive"),
    "site-standard-plant-header": Model("header"),
    "site-standard-ahu": Model("ahu"),
    "site-standard-fcu": Model("fcu"),
    "milesight-am319": Model("environment"),
    "aerasgard-rftm": Model("wall"),
}
