"""The road from the wire to the API and back, with everything running."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from controller.share import share_dir
from simulators.site import read_site
from tests.services.city import City, Client, wait_for


@pytest.fixture(scope="module")
def operator(people: Callable[[str], Client]) -> Client:
    return people("operator")


def test_every_device_is_read_and_every_protocol_is_there(city: City, operator: Client) -> None:
    def states() -> dict[str, str]:
        return {item["id"]: item["state"] for item in operator.all("/devices")}

    known = {device.id for device in read_site(share_dir("config") / "taipei-city-hall").devices}
    wait_for(lambda: set(states()) == known and set(states().values()) == {"good"}, 90, lambda: str(states()))

    protocols = {item["protocol"] for item in operator.all("/devices")}
    assert protocols == {"modbus", "opcua", "mqtt"}


def test_main_meter_agrees_with_the_low_voltage_mains(operator: Client) -> None:
    addresses = ["cityhall.electrical.main.power", *[f"cityhall.electrical.lv{n}.power" for n in range(1, 6)]]
    items = operator.get(f"/values?points={','.join(addresses)}")["items"]
    values = {item["address"]: item["value"] for item in items}
    main = values.pop("cityhall.electrical.main.power")

    assert main > 100
    assert sum(values.values()) == pytest.approx(main, rel=0.05)


def test_virtual_points_are_computed(operator: Client) -> None:
    wait_for(lambda: operator.value("cityhall.electrical.tx1.load_factor")["quality_name"] == "good", 20)
    load = operator.value("cityhall.electrical.tx1.load_factor")["value"]
    power = operator.value("cityhall.electrical.tx1.apparent_power")["value"]

    assert load == pytest.approx(power / 2000 * 100, rel=0.1)


def test_history_of_the_days_before_the_start_is_there(operator: Client) -> None:
    import datetime

    now = datetime.datetime.now(datetime.UTC)
    start = (now - datetime.timedelta(hours=20)).isoformat().replace("+00:00", "Z")
    end = now.isoformat().replace("+00:00", "Z")
    path = f"/history?points=cityhall.electrical.main.power&start={start}&end={end}&buckets=20"

    def filled() -> int:
        series = operator.get(path)["series"][0]
        return sum(value is not None for value in series["mean"])

    wait_for(lambda: filled() >= 18, 60, lambda: f"{filled()} buckets")


def test_a_set_point_goes_to_the_register_once_and_is_read_back(city: City, operator: Client) -> None:
    def writes() -> list[dict[str, Any]]:
        return [row for row in city.sim("ledger", "ch1-unit") if row["quantity"] == "chw_setpoint"]

    wait_for(lambda: operator.get("/devices/ch1-unit")["state"] == "good", 20)
    before = len(writes())  # the city is shared: other tests write this set-point too
    command = operator.post(
        "/commands", {"point": "cityhall.plant.ch1.chw_setpoint", "value": 8.5, "reason": "test", "expires_s": 600}
    )
    done = wait_for(
        lambda: (item := operator.get(f"/commands/{command['id']}"))["state"] in ("done", "failed", "unknown") and item,
        20,
    )

    assert done["state"] == "done", done["message"]
    assert done["readback"] == pytest.approx(8.5)
    assert [row["value"] for row in writes()[before:]] == [8.5]
    array = operator.get("/points/cityhall.plant.ch1.chw_setpoint/slots")
    assert array["winner"] == 8
    assert array["slots"][7]["reason"] == {"zh": "test", "en": "test"}


def test_a_pulled_plug_touches_exactly_its_own_points_raises_one_alarm_and_heals(city: City, operator: Client) -> None:
    others = "cityhall.electrical.lv3.power"
    mine = "cityhall.electrical.lv2.power"
    wait_for(lambda: operator.value(mine)["quality_name"] == "good", 20)
    city.sim("fault", "disconnect", "lv2-meter")
    try:
        wait_for(lambda: operator.value(mine)["quality_name"] != "good", 15)
        alarms = wait_for(
            lambda: [
                item
                for item in operator.get("/alarms?state=active")["items"]
                if item["equipment"] == "cityhall.electrical.lv2"
            ],
            15,
        )
        stale = {
            item["address"].rsplit(".", 1)[0]
            for item in operator.get("/values?system=electrical")["items"]
            if item["quality_name"] not in ("good", "bad_comm", "bad_config")
        }

        assert [item["id"] for item in alarms] == ["lv2-meter#communication"]
        assert stale == {"cityhall.electrical.lv2"}
        assert operator.value(others)["quality_name"] == "good"
    finally:
        city.sim("fault", "clear", "lv2-meter")
    wait_for(lambda: operator.value(mine)["quality_name"] == "good", 30)
    wait_for(
        lambda: (
            [
                item["state"]
                for item in operator.get("/alarms?state=active")["items"]
                if item["id"] == "lv2-meter#communication"
            ]
            == ["returned"]
        ),
        15,
    )
    operator.post("/alarms/acknowledge", {"ids": ["lv2-meter#communication"], "comment": "plug is back"})
    assert not [
        item for item in operator.get("/alarms?state=active")["items"] if item["id"] == "lv2-meter#communication"
    ]
