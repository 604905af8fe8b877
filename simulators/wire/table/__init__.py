"""The register tables, by the profile id that the site's files use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.wire.table import air, carpark, drive, firepanel, meter, plant, standby, transformer

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.wire.unit import Table

__all__ = ["TABLES"]

TABLES: dict[str, Callable[[int], Table]] = {
    "abb-ach580": drive.abb_ach580,
    "abb-ach580-fan": carpark.abb_ach580_fan,
    "abb-b23": meter.abb_b23,
    "aerasgard-rftm": air.aerasgard_rftm,
    "alfen-ng910": carpark.alfen_ng910,
    "alpitronic-hyc50": carpark.alpitronic_hyc50,
    "apc-smart-ups": standby.apc_smart_ups,
    "carlo-gavazzi-em24": meter.carlo_gavazzi_em24,
    "carrier-23xrv": plant.carrier_23xrv,
    "danfoss-fc102": drive.danfoss_fc102,
    "deep-sea-dse8xxx": standby.deep_sea_dse8xxx,
    "delta-ac-max": carpark.delta_ac_max,
    "delta-cp2000": drive.delta_cp2000,
    "delta-dpm-c530a": meter.delta_dpm_c530a,
    "diel-mt200": transformer.diel_mt200,
    "eastron-sdm630": meter.eastron_sdm630,
    "janitza-umg801": meter.janitza_umg801,
    "keba-p30": carpark.keba_p30,
    "msr-polygard2-dgc06": carpark.msr_polygard2_dgc06,
    "schneider-iem3155": meter.schneider_iem3155,
    "schneider-pm5320": meter.schneider_pm5320,
    "schneider-pm5560": meter.schneider_pm5560,
    "siemens-pac3200": meter.siemens_pac3200,
    "site-standard-ats": standby.site_standard_ats,
    "site-standard-capacitor": standby.site_standard_capacitor,
    "site-standard-chiller": plant.site_standard_chiller,
    "site-standard-cubicle": transformer.site_standard_cubicle,
    "site-standard-fire": firepanel.site_standard_fire,
    "site-standard-fire-relay": firepanel.site_standard_fire_relay,
    "site-standard-iaq-station": air.site_standard_iaq_station,
    "site-standard-plant-header": plant.site_standard_plant_header,
    "site-standard-pulse-counter": standby.site_standard_pulse_counter,
    "tecsystem-nt935": transformer.tecsystem_nt935,
}
"""Each builds the table of one unit, given its unit id."""
