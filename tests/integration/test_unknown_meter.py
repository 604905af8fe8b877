"""The how-to of a meter that nobody knows yet: read it, recognise it, write a site, check it, run it, see it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.services.city import wait_for
from tests.services.mosquitto import Mosquitto
from tests.services.process import Shifu, WordServer, shifu


def test_an_unknown_meter_is_brought_into_a_new_site(tmp_path: Path) -> None:
    with WordServer() as meter:
        # Eastron SDM630 Modbus V2, input registers: 30001 voltage L1, 30053 total power (W), 30073 import (kWh).
        meter.put_float(0x0000, 230.5)
        meter.put_float(0x0034, 12_500.0)
        meter.put_float(0x0048, 4_321.5)

        raw = ("read", meter.endpoint, "--unit", "1", "--register", "0", "--count", "2", "--function", "4")
        shown = shifu(*raw).stdout
        data = json.loads(shifu(*raw, "--json").stdout)
        assert "raw: 43 66 80 00" in shown
        assert [name for name, values in data["values"].items() if values == [230.5]] == ["f32 be"]
        assert data["raw"] == "43668000"

        profile = shifu("read", meter.endpoint, "--profile", "eastron-sdm630", "--json").stdout
        values = {row["tag"]: row["value"] for row in json.loads(profile)}
        assert (values["voltage_l1n"], values["power"], values["energy_import"]) == (230.5, 12.5, 4321.5)

        site = tmp_path / "my-site"
        said = shifu("init", str(site), "--profile", "eastron-sdm630", "--endpoint", meter.endpoint).stdout
        assert f"shifu check {site}" in said
        assert "1 device" in shifu("check", str(site)).stdout
        with Shifu(site, tmp_path / "data") as running:
            client = running.user("viewer")

            def power() -> Any:
                return client.value("main.electrical.meter1.power")["value"]

            assert wait_for(power, 20) == pytest.approx(12.5)
            point = client.get("/points/main.electrical.meter1.power")
            assert (point["unit"], point["limits"]["high"]) == ("kW", 50)
        assert running.stop() == 0


def test_a_profile_of_which_nothing_can_be_read_is_no_success() -> None:
    with WordServer() as meter:
        meter.refuses = 2  # illegal data address: another model
        done = shifu("read", meter.endpoint, "--profile", "eastron-sdm630", check=1)

    assert "bad_config" in done.stdout
    assert done.stderr == f"{meter.endpoint} unit 1: no point of eastron-sdm630 could be read; look at unit and model\n"


def test_a_broker_that_wants_a_user_is_read(tmp_path: Path) -> None:
    tool = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
    (tmp_path / "passwords").write_text("")
    subprocess.run([tool, "-b", str(tmp_path / "passwords"), "shifu", "right"], check=True, timeout=20)
    with Mosquitto(tmp_path, extra=f"allow_anonymous false\npassword_file {tmp_path}/passwords") as broker:
        topic = f"{broker.endpoint}/$SYS/broker/version"
        done = shifu("read", topic, "--user", "shifu", "--json", SHIFU_READ_PASSWORD="right")
        refused = shifu("read", topic, "--user", "shifu", check=1, SHIFU_READ_PASSWORD="wrong")

    assert bytes.fromhex(json.loads(done.stdout)["raw"]).startswith(b"mosquitto version")
    assert "wrong" not in refused.stderr
