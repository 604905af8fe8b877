"""Devices over the API: what is refused and how, who may, and the record of commissioning."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from controller.identity.permission import Role
from drivers.reading import Quality, Readings

NEW: dict[str, Any] = {
    "id": "em004-meter",
    "equipment": "hall.meter.em004",
    "profile": "eastron-sdm630",
    "endpoint": "tcp://10.0.0.2:502",
    "unit": 4,
}
PIECE: dict[str, Any] = {
    "id": "hall.meter.em004",
    "class": "meter",
    "name": {"zh": "電表 4", "en": "Meter 4"},
    "floor": "1F",
    "area": "west",
}
SECRETS = {"user_env": "NORTH_USER", "password_env": "NORTH_PASSWORD"}
NORTH: dict[str, Any] = {
    "id": "north-2",
    "equipment": "hall.meter.em002",
    "profile": "site-standard-ahu",
    "endpoint": "opc.tcp://10.0.0.3:4840",
    "prefix": "ahu_",
    "options": {"node_prefix": "AHU/2", "security": "none"},
}


def body(device: dict[str, Any] | None = None, piece: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"device": {**NEW, **(device or {})}, "equipment": {**PIECE, **(piece or {})}, "reason": "new"}


WRONG = {
    "an id that is taken": (body({"id": "em001-meter"}), "device.id"),
    "an address that is taken": (body({"equipment": "hall.meter.em001"}, {"id": "hall.meter.em001"}), "equipment.id"),
    "an unknown profile": (body({"profile": "eastron-sdm360"}), "device.profile"),
    "a second device at the address": (body({"unit": 1}), "device.unit"),
    "an unknown option": (body({"options": {"wordorder": "be"}}), "device.options.wordorder"),
    "an option of a wrong value": (body({"options": {"word_order": "x"}}), "device"),
    "an option that is a table": (body({"options": {"base": {"a": 1}}}), "device.options.base"),
    "a name of a million characters": (body(None, {"name": {"zh": "電" * 300_000, "en": "x"}}), "equipment.name.zh"),
    "an id of a million characters": (body({"id": "x" * 900_000}), "device.id"),
    "a line end in a name": (body(None, {"name": {"zh": "電\n表", "en": "x"}}), "equipment.name.zh"),
    "a direction mark in a name": (body(None, {"name": {"zh": "電\u202e表", "en": "x"}}), "equipment.name.zh"),
    "a template in a name": (body(None, {"name": {"zh": "電表 {n}", "en": "x"}}), "equipment.name.zh"),
    "an unknown key": (body({"perod_s": 5}), "device.perod_s"),
    "a scheme of another protocol": (body({"endpoint": "mqtt://10.0.0.2:1883"}), "device.endpoint"),
    "a web address": (body({"endpoint": "http://10.0.0.2:80"}), "device.endpoint"),
    "a file that is no serial port": (body({"endpoint": "serial:/dev/watchdog"}), "device.endpoint"),
    "a port that does not exist": (body({"endpoint": "tcp://10.0.0.2:99999"}), "device.endpoint"),
    "a building that does not exist": (body({"equipment": "x.meter.a"}, {"id": "x.meter.a"}), "equipment.id"),
    "a floor that does not exist": (body(None, {"floor": "9F"}), "equipment.floor"),
    "an area that does not exist": (body(None, {"area": "moon"}), "equipment.area"),
    "a tag that does not exist": (body({"omit": ["powr"]}), "device.omit"),
    "a secret in clear": (body({"secrets": {"password": "hello"}}), "device.secrets"),
    "a secret from anywhere": (body({"secrets": {"password_file": "/etc/shadow"}}), "device.secrets"),
    "no equipment of that address": ({"device": NEW, "reason": "x"}, "device.equipment"),
    "points that another device has": ({"device": {**NEW, "equipment": "hall.meter.em001"}, "reason": "x"}, "device"),
}


async def test_a_wrong_device_is_refused_at_its_field_and_nothing_is_made(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    for case, (sent, key) in WRONG.items():
        reply = await engineer("POST", "/inventory/devices", json=sent)
        assert reply.status_code == 422, f"{case}: {reply.text[:500]}"
        problem = reply.json()["problems"][0]
        assert problem["key"] == key, case
        assert problem["got"] or problem["wanted"], case
        assert len(reply.content) < 5_000, case
        assert house.stock.changes == {}, case


async def test_a_device_is_made_changed_retired_restored_exported_and_removed(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    made = await engineer("POST", "/inventory/devices", json=body())
    assert made.status_code == 201
    assert made.json()["origin"] == "screen"
    path = "/inventory/devices/em004-meter"
    assert (await engineer("PUT", path, json=body())).status_code == 428
    etag = {"If-Match": made.headers["etag"]}
    changed = await engineer("PUT", path, json=body({"unit": 5}), headers=etag)
    assert changed.json()["device"]["unit"] == 5
    assert (await engineer("PUT", path, json=body({"unit": 6}), headers=etag)).status_code == 412
    etag = {"If-Match": changed.headers["etag"]}
    assert (await engineer("PUT", path, json=body({"id": "other"}), headers=etag)).status_code == 422
    assert (await engineer("POST", f"{path}/restore", json={"reason": "x"}, headers=etag)).status_code == 409
    retired = await engineer("POST", f"{path}/retire", json={"reason": "x"}, headers=etag)
    assert retired.json()["retired"]["owner"] == "u.engineer"
    etag = {"If-Match": retired.headers["etag"]}
    restored = await engineer("POST", f"{path}/restore", json={"reason": "x"}, headers=etag)
    packed = await engineer("GET", "/inventory/export")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        text = "".join(archive.read(name).decode() for name in archive.namelist())
    assert 'name = { zh = "電表 4", en = "Meter 4" }' in text
    etag = {"If-Match": restored.headers["etag"]}
    assert (await engineer("DELETE", path, headers=etag)).status_code == 204
    assert (await engineer("GET", path)).status_code == 404
    assert house.stock.changes == {}
    read = await engineer("GET", "/inventory/devices/em001-meter")
    gone = await engineer("DELETE", "/inventory/devices/em001-meter", headers={"If-Match": read.headers["etag"]})
    assert gone.status_code == 409
    assert "devices.toml:" in gone.json()["detail"]


async def test_a_row_of_the_files_that_is_set_back_ends_its_change(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    path = "/inventory/devices/em001-meter"
    read = await engineer("GET", path)
    sent = {"device": {**read.json()["device"], "period_s": 2.0}, "reason": "slower"}
    changed = await engineer("PUT", path, json=sent, headers={"If-Match": read.headers["etag"]})
    assert (changed.json()["origin"], changed.json()["device_in_files"]) == ("changed", read.json()["device"])
    sent = {"device": read.json()["device"], "reason": "back"}
    again = await engineer("PUT", path, json=sent, headers={"If-Match": changed.headers["etag"]})
    assert again.json()["origin"] == "files"
    assert house.stock.changes == {}


async def test_secrets_are_chosen_by_name_and_never_shown(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    found = await engineer("GET", "/inventory/secrets", params={"endpoint": NORTH["endpoint"]})
    assert found.json()["items"] == [{"secrets": SECRETS, "devices": ["north-ahu"]}]
    assert (await engineer("GET", "/inventory/secrets", params={"endpoint": NEW["endpoint"]})).json()["items"] == []
    read = {key: NORTH[key] for key in ("profile", "endpoint", "options")}
    assert (await engineer("POST", "/test-reads", json={**read, "secrets": SECRETS})).status_code == 200
    assert house.stock.reads[-1][-1] == {"user": "shifu", "password": "not shown anywhere"}
    stolen = {**read, "endpoint": "opc.tcp://10.9.9.9:4840", "secrets": SECRETS}
    refused = await engineer("POST", "/test-reads", json=stolen)
    assert (refused.status_code, refused.json()["problems"][0]["key"]) == (422, "device.secrets")
    made = await engineer("POST", "/inventory/devices", json={"device": {**NORTH, "secrets": SECRETS}, "reason": "x"})
    assert made.status_code == 201, made.text
    pages = [await engineer("GET", path) for path in ("/inventory/devices/north-2", "/inventory", "/inventory/export")]
    assert all("not shown anywhere" not in page.text for page in pages)
    west = await house.user(Role.ENGINEER, name="sub", areas=("substation",))
    assert (await west("POST", "/test-reads", json={**read, "secrets": SECRETS})).status_code == 403


NO_TRIAL: tuple[tuple[dict[str, Any], int], ...] = (
    ({"endpoint": "http://10.0.0.5:80"}, 422),
    ({"endpoint": "file:///etc/passwd"}, 422),
    ({"endpoint": "opc.tcp://10.0.0.5:4840"}, 422),
    ({"endpoint": "serial:/etc/passwd"}, 422),
    ({"endpoint": "serial:/dev/../etc/passwd"}, 422),
    ({"endpoint": "serial:/dev/watchdog"}, 422),
    ({"profile": "nobody"}, 422),
    ({"unit": 256}, 422),
    ({"options": {"x": 1}}, 422),
    ({"options": {"word_order": "x" * 10_000}}, 422),
    ({"endpoint": "tcp://10.0.0.2:502", "unit": 2, "profile": "abb-b23"}, 409),
    ({"endpoint": "rtu+tcp://10.0.0.9:4001", "unit": 9}, 409),
)


async def test_a_test_read_that_must_not_be_made(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    for changed, status in NO_TRIAL:
        sent = {"profile": "eastron-sdm630", "endpoint": "tcp://10.0.0.5:502", **changed}
        reply = await engineer("POST", "/test-reads", json=sent)
        assert reply.status_code == status, f"{changed}: {reply.text}"
        assert reply.json()["what_to_do"], changed
    assert house.stock.reads == []


async def test_an_engineer_of_one_area_makes_devices_there_alone(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER, areas=("west",))
    assert (await engineer("POST", "/inventory/devices", json=body(None, {"area": "substation"}))).status_code == 403
    assert (await engineer("GET", "/inventory/devices/dev-tx1")).status_code == 404
    assert (await engineer("GET", "/inventory/export")).status_code == 403
    assert (await engineer("POST", "/inventory/devices", json=body())).status_code == 201
    other = await house.user(Role.ENGINEER, name="sub", areas=("substation",))
    assert (await other("GET", "/inventory")).json()["items"] == []


POINT = "hall.electrical.tx1.power"


async def test_a_comparison_keeps_what_was_read_and_what_was_measured(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    house.put(POINT, 812.0)
    sent = {"point": POINT, "reference": 810.5, "verdict": "ok", "note": "=clamp 3", "raw": "444b 0000"}
    made = await engineer("POST", "/commissioning", json=sent)
    assert made.status_code == 201, made.text
    row = made.json()
    assert (row["value"], row["reference"], row["deviation"]) == (812.0, 810.5, 1.5)
    assert (row["device"], row["unit"], row["quality_name"], row["who"]) == ("dev-tx1", "kW", "good", "u.engineer")
    house.runtime.table().apply(Readings.of([1], [float("nan")], house.clock.now_ns() + 1, Quality.BAD_OUT_OF_SERVICE))
    bad = (
        await engineer("POST", "/commissioning", json={"point": POINT, "verdict": "not_ok", "reference": 1.0})
    ).json()
    assert (bad["value"], bad["deviation"], bad["quality_name"]) == (None, None, "bad_out_of_service")
    listed = (await engineer("GET", "/commissioning?device=dev-tx1")).json()["items"]
    assert [item["verdict"] for item in listed] == ["not_ok", "ok"]
    assert (await engineer("GET", "/commissioning?point=hall.hvac.ahu1.zone_temp")).json()["items"] == []
    lines = (await engineer("GET", "/commissioning?device=dev-tx1&format=csv")).text.splitlines()
    assert lines[0].startswith("\ufefftime (Asia/Taipei),device,point,name,unit,value")
    assert lines[1].endswith(",kW,812,good,444b 0000,810.5,1.5,ok,'=clamp 3,u.engineer")
    west = await house.user(Role.VIEWER, name="west", areas=("west",))
    assert (await west("GET", "/commissioning")).json()["items"] == []
    for wrong, status in (
        ({"point": "hall.plant.ch1.cop", "verdict": "ok"}, 409),
        ({"point": "hall.none", "verdict": "ok"}, 404),
        ({"point": POINT, "verdict": "fine"}, 422),
        ({"point": POINT, "verdict": "ok", "note": "a\nb"}, 422),
        ({"point": POINT, "verdict": "ok", "reference": 1e300}, 422),
    ):
        assert (await engineer("POST", "/commissioning", json=wrong)).status_code == status
