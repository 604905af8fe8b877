"""When unchanged values may be said again: only with proof that somebody still looks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from asyncua import ua

from drivers.driver import Device
from drivers.opcua.held import Held, repeat_s
from drivers.profile import load_profile
from drivers.reading import Quality

PROFILE = load_profile(Path(__file__).parents[4] / "config/profiles/ahu/site-standard-ahu.toml")
S = 1_000_000_000
START = 1_800_000_000 * S


def held(period_s: float = 1.0, **changes: int) -> Held:
    numbers = np.arange(len(PROFILE.points), dtype=np.int32)
    for tag, number in changes.items():
        numbers[PROFILE.index(tag)] = number
    return Held([Device("ahu", PROFILE, "opc.tcp://x", numbers, period_s=period_s, options={"node_prefix": "A"})])


def say(one: Held, tag: str, value: float, at: float, kind: ua.VariantType = ua.VariantType.Double) -> None:
    raw = int(value) if kind == ua.VariantType.UInt32 else value
    one.take(one.handles["ahu", tag], ua.DataValue(ua.Variant(raw, kind)), START + round(at * S), at, trusted=True)


def test_opcua_nothing_is_repeated_before_the_counter_has_moved() -> None:
    one = held()
    say(one, "zone_temp", 21.0, 0.0)
    say(one, "watchdog", 7, 0.0, ua.VariantType.UInt32)
    assert one.repeat(0, START + 6 * S, 6.0) is None
    say(one, "watchdog", 7, 6.5, ua.VariantType.UInt32)
    assert one.repeat(0, START + 7 * S, 7.0) is None
    say(one, "watchdog", 8, 7.5, ua.VariantType.UInt32)
    batch = one.repeat(0, START + 8 * S, 8.0)
    assert batch is not None
    assert batch.point.tolist() == [PROFILE.index("zone_temp")]
    assert batch.time_ns.tolist() == [START + 8 * S]
    assert batch.value.tolist() == [21.0]


def test_opcua_repeats_end_ten_seconds_after_the_counter_stops() -> None:
    one = held()
    say(one, "zone_temp", 21.0, 0.0)
    for second in range(5):
        say(one, "watchdog", second, second, ua.VariantType.UInt32)
    said = [second for second in range(5, 60) if one.repeat(0, START + second * S, float(second)) is not None]
    assert said == [5, 9, 10, 14]  # zone temperature at 5 and 10, the counter itself at 9 and 14


def test_opcua_point_that_changes_is_not_repeated_and_bad_stays_bad() -> None:
    one = held()
    bad = ua.DataValue(ua.Variant(None), ua.StatusCode(ua.UInt32(0x808C0000)))
    for second in range(8):
        say(one, "zone_temp", 20.0 + second, second)
        say(one, "watchdog", second, second, ua.VariantType.UInt32)
        if second == 0:
            one.take(one.handles["ahu", "return_co2"], bad, START, 0.0, trusted=True)
    batch = one.repeat(0, START + 8 * S, 8.0)
    assert batch is not None
    assert batch.point.tolist() == [PROFILE.index("return_co2")]
    assert batch.quality.tolist() == [Quality.BAD_SENSOR]
    assert np.isnan(batch.value).all()


def test_opcua_new_connection_starts_without_proof_and_time_does_not_go_back() -> None:
    one = held()
    say(one, "zone_temp", 21.0, 0.0)
    say(one, "watchdog", 1, 0.0, ua.VariantType.UInt32)
    say(one, "watchdog", 2, 1.0, ua.VariantType.UInt32)
    assert one.repeat(0, START + 5 * S, 5.0) is not None
    one.reset()
    assert not one.samples(0, 5.0)
    assert one.repeat(0, START + 11 * S, 11.0) is None
    earlier = ua.DataValue(ua.Variant(22.0, ua.VariantType.Double))
    handle = one.handles["ahu", "zone_temp"]
    one.take(handle, earlier, START + 12 * S, 12.0, trusted=True)
    assert one.time_ns[handle] == START + 12 * S


def test_opcua_counter_is_watched_even_where_the_site_does_not_use_it() -> None:
    one = held(watchdog=-1, filter_dp=-1)
    assert one.subscribed(one.handles["ahu", "watchdog"])
    assert not one.subscribed(one.handles["ahu", "filter_dp"])
    say(one, "watchdog", 1, 0.0, ua.VariantType.UInt32)
    say(one, "watchdog", 2, 1.0, ua.VariantType.UInt32)
    assert one.samples(0, 2.0)
    assert one.repeat(0, START + 9 * S, 9.0) is None, "it has no number and is never handed over"


def test_opcua_slow_devices_have_slow_limits() -> None:
    assert (repeat_s(1.0), repeat_s(60.0)) == (5.0, 60.0)
    one = held(60.0)
    say(one, "zone_temp", 21.0, 0.0)
    say(one, "watchdog", 1, 0.0, ua.VariantType.UInt32)
    say(one, "watchdog", 2, 60.0, ua.VariantType.UInt32)
    assert one.repeat(0, START + 70 * S, 70.0) is not None
    assert one.repeat(0, START + 250 * S, 250.0) is None
