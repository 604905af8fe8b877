from __future__ import annotations

import pytest

from simulators.plant.chiller import OFF, RUNNING, TRIPPED, WAITING, YORK_YT, Chiller


def made(**changes: bool) -> Chiller:
    return Chiller("ch", YORK_YT, gateway=changes.get("gateway", True), energy_kwh=0.0, hours=0.0)


def run(chiller: Chiller, seconds: float, flow: float = 1.0, return_c: float = 12.0, step_s: float = 5.0) -> None:
    for _ in range(int(seconds / step_s)):
        chiller.step(step_s, flow * YORK_YT.chilled_ls, flow * YORK_YT.condenser_ls, return_c, 29.0)


def started() -> Chiller:
    chiller = made()
    chiller.take("enable", 1.0)
    run(chiller, 1200)
    assert chiller.state == RUNNING
    return chiller


def test_pre_lubrication_ramp_and_set_point() -> None:
    chiller = made()
    chiller.take("enable", 1.0)
    run(chiller, 55)
    assert chiller.load_kw == 0.0
    run(chiller, 90)
    assert 0.0 < chiller.load_kw < 1200.0
    run(chiller, 1200)
    assert chiller.leaving_c == pytest.approx(7.0, abs=0.01)
    assert chiller.load_kw == pytest.approx(4.186 * 75.71 * 5.0, rel=1e-3)
    assert chiller.condenser_c == pytest.approx(29.0 + (chiller.load_kw + chiller.power_kw) / (4.186 * 94.64))
    assert chiller.run_hours == pytest.approx((1345 - 60) / 3600, abs=0.005)


def test_too_much_load_leaves_the_water_warmer() -> None:
    chiller = started()
    run(chiller, 1200, return_c=16.0)
    assert chiller.leaving_c > 8.0
    assert chiller.load_kw == pytest.approx(1.06 * YORK_YT.available_kw(7.0, 29.0), rel=1e-3)


def test_four_starts_an_hour_and_no_more() -> None:
    chiller = made()
    starts = chiller.starts
    for _ in range(120):  # ten minutes a turn would be six an hour
        chiller.take("enable", 1.0)
        run(chiller, 230)
        chiller.take("enable", 0.0)
        run(chiller, 370)
        if chiller.age_s >= 3600.0:
            break
    assert chiller.starts - starts == 4
    chiller.take("enable", 1.0)
    run(chiller, 5)
    assert chiller.state in {WAITING, 1}


def test_flow_that_fails_trips_after_its_time_and_not_before() -> None:
    chiller = started()
    run(chiller, 25, flow=0.2)
    run(chiller, 10)
    assert chiller.state == RUNNING
    run(chiller, 45, flow=0.2)
    assert chiller.state == TRIPPED
    assert chiller.alarms["flow_evap"]
    assert (chiller.load_kw, chiller.wants_water) == (0.0, False)
    chiller.take("alarm_reset", 1.0)
    assert chiller.state == OFF
    assert not any(chiller.alarms.values())
    assert chiller.start_wait_s > 200.0


def test_a_hot_condenser_trips() -> None:
    chiller = started()
    for _ in range(200):
        chiller.step(5.0, YORK_YT.chilled_ls, 0.45 * YORK_YT.condenser_ls, 14.0, 36.0)
    assert chiller.alarms["high_cond"]
    assert chiller.state == TRIPPED


def test_a_running_heartbeat_keeps_the_set_point() -> None:
    chiller = started()
    chiller.take("chw_setpoint", 9.0)
    for beat in range(30):
        chiller.take("controller_heartbeat", float(beat))
        run(chiller, 30)
    assert chiller.setpoint == 9.0
    run(chiller, 65)
    assert chiller.setpoint == 7.0
    assert chiller.remote_enable == 1.0


def test_a_machine_without_gateway_keeps_its_set_point() -> None:
    chiller = made(gateway=False)
    assert chiller.take("chw_setpoint", 9.0) == 9.0
    run(chiller, 600)
    assert chiller.setpoint == 9.0
