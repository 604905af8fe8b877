"""The files in docs/how-to are loaded as they stand: a block ```toml devices/x.toml becomes that file of a new site."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from controller.cli import app
from drivers.driver import Device
from drivers.modbus.codec import BlockDecoder
from drivers.modbus.plan import plan_profile
from drivers.mqtt.route import Intake
from drivers.profile import Profile, load_profile

HOWTO = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = sorted(path.stem for path in HOWTO.glob("*.md"))
MEASURED_NS = 1_767_225_600_000_000_000
"""2026-01-01T08:00:00+08:00"""
_BLOCK = re.compile(r"^( *)```(?:toml|csv) (\S+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> dict[str, str]:
    """Return the files of a page by their path below the site's folder."""
    found = {}
    for indent, path, text in _BLOCK.findall((HOWTO / f"{page}.md").read_text("utf-8")):
        found[path] = "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))
    return found


def shifu(*arguments: str) -> None:
    """Run the command in this process; what it refuses is raised."""
    done = CliRunner().invoke(app, arguments)
    if done.exception is not None:
        raise AssertionError(f"shifu {' '.join(arguments)}: {done.exception}\n{done.output}")


def site_of(page: str, folder: Path) -> Path:
    """Write the site that `shifu init` makes, with the page's files in it."""
    shifu("init", str(folder), "--profile", "eastron-sdm630", "--endpoint", "tcp://192.0.2.10:502")
    for line in re.findall(
        r"^ *shifu (tls init my-building .*)$", (HOWTO / f"{page}.md").read_text("utf-8"), re.MULTILINE
    ):
        shifu(*[str(folder) if word == "my-building" else word for word in line.split()])
    for path, text in blocks(page).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)])
def test_files_of_a_page_pass_the_check(page: str, tmp_path: Path) -> None:
    site = site_of(page, tmp_path / "my-building")

    shifu("check", str(site))


def test_a_mistake_in_such_a_file_is_found(tmp_path: Path) -> None:
    site = site_of("write-a-profile", tmp_path / "my-building")
    profile = site / "profiles" / "example-ex100.toml"
    profile.write_text(profile.read_text("utf-8").replace('address = 17, type = "i32"', 'address = 17, type = "i33"'))

    with pytest.raises(AssertionError, match=r'point "power": wire\.type: got \'i33\''):
        shifu("check", str(site))


def test_the_pages_that_must_have_files_have_them() -> None:
    assert {"connect-a-meter", "write-a-profile", "use-your-own-influxdb", "https-and-users"} <= {
        page for page in PAGES if blocks(page)
    }


def profile_of(tmp_path: Path, name: str) -> Profile:
    path = tmp_path / f"{name}.toml"
    path.write_text(blocks("write-a-profile")[f"profiles/{name}.toml"], "utf-8")
    return load_profile(path)


def test_the_modbus_example_decodes_the_registers_of_its_table(tmp_path: Path) -> None:
    profile = profile_of(tmp_path, "example-ex100")
    # 40011 = 2305 (230.5 V), 40017-18 = -1500 W, 40031-32 = 123456 (12,345.6 kWh), 40050 = 0x0008: wire 10 … 49.
    registers = {10: 2305, 16: 0xFFFF, 17: 0xFA24, 30: 0x0001, 31: 0xE240, 49: 0x0008}
    found = {}
    for request in plan_profile(profile).requests:
        words = [registers.get(place, 0) for place in range(request.address, request.address + request.count)]
        decoder = BlockDecoder(request)
        value = np.full(len(profile.points), np.nan)
        quality = np.zeros(len(profile.points), np.uint8)
        decoder.decode(np.array(words, ">u2").tobytes(), value, quality)
        for register in request.registers:
            found[register.tag] = float(value[register.place])

    assert found == pytest.approx({"voltage_l1n": 230.5, "power": -1.5, "energy_import": 12345.6, "wiring_error": 1.0})


def test_the_mqtt_example_reads_its_message(tmp_path: Path) -> None:
    page = (HOWTO / "write-a-profile.md").read_text("utf-8")
    message = re.search(r'messages such as `(\{"time".*?\}\})`', page)
    assert message
    profile = profile_of(tmp_path, "example-room")
    room = Device(
        "room1", profile, "mqtt://127.0.0.1:1", np.array([3, 4], np.int32), period_s=60.0, options={"room": "R01"}
    )
    intake = Intake([room])
    (parcel,) = intake.take(
        "site/R01/status", message.group(1).encode(), retained=False, now_ns=MEASURED_NS + 1_000_000_000
    )
    (batch,) = parcel.batches

    assert ("site/R01/status",) == intake.topics
    assert [3, 4] == batch.point.tolist()
    assert [23.5, 61.0] == batch.value.tolist()
    assert [MEASURED_NS] * 2 == batch.time_ns.tolist()
    assert not batch.late
