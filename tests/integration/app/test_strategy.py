"""Strategies in a whole controller: modes and limits of a day outlive a restart; `apply` takes a new contract."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controller.app import Controller, Options
from controller.settings.problem import SettingsError
from controller.strategy.engine import owner_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

MINIMAL = Path(__file__).parents[3] / "config" / "minimal"
SP = "main.hvac.ahu1.zone_temp_sp"
EQUIPMENT = """
[[equipment]]
id = "main.hvac.ahu1"
class = "ahu"
name = { zh = "空調箱", en = "Air handler" }
floor = "1F"
area = "office"
"""
DEVICES = """
[[device]]
id = "ahu1"
equipment = "main.hvac.ahu1"
profile = "site-standard-ahu"
endpoint = "opc.tcp://127.0.0.1:1"
defaults = { zone_temp_sp = 26.0 }
options = { node_prefix = "AHU/1" }
secrets = { user_env = "A", password_env = "B", certificate_env = "C", private_key_env = "D", ca_env = "E" }
"""
STRATEGY = """[demand]
mode = "dry_run"
meter = "main.electrical.meter1.power"
contract_kw = 50
[[demand.shed]]
id = "rooms"
name = { zh = "房間", en = "Rooms" }
points = ["main.hvac.ahu1.zone_temp_sp"]
priority = 1
higher = [1.0]
kw = 5
comfort = true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(MINIMAL, tmp_path / "site")
    site = tmp_path / "site"
    meter = site / "devices" / "meter.toml"
    meter.write_text(meter.read_text("utf-8").replace("192.0.2.10:502", "127.0.0.1:1"), "utf-8")
    (site / "equipment.toml").write_text((site / "equipment.toml").read_text("utf-8") + EQUIPMENT, "utf-8")
    (site / "devices" / "air.toml").write_text(DEVICES, "utf-8")
    (site / "strategy.toml").write_text(STRATEGY, "utf-8")
    return tmp_path


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Controller]:
    controller = Controller(Options(folder / "site", folder / "data", port=0, demo=True))
    await controller.start()
    try:
        yield controller
    finally:
        await controller.close()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(15.0):
        while not condition():  # noqa: ASYNC110 - the cycle has no event for it
            await asyncio.sleep(0.02)


async def test_a_mode_of_the_screen_outlives_a_restart_and_that_of_the_files_ends_it(folder: Path) -> None:
    async with running(folder) as controller:
        await until(lambda: controller.strategies.status("demand").time_ns)
        status = controller.strategies.status("demand")
        assert (status.mode, status.decision.state) == ("dry_run", "stepped_back")
        assert controller.parts.alarms.get("strategy#demand").definition.priority == 3
        await controller.runtime.strategies.set_mode("demand", "run", "alice", "it has run dry for a week")
        assert controller.strategies.status("demand").mode == "run"
    async with running(folder) as controller:
        assert controller.configuration.strategies[0].mode == "run"
        change = controller.runtime.strategies.change("demand")
        assert change is not None
        assert (change.owner, change.reason) == ("alice", "it has run dry for a week")
        await controller.runtime.strategies.set_mode("demand", "dry_run", "alice", "as the files say")
        assert controller.runtime.strategies.change("demand") is None
    async with running(folder) as controller:
        assert controller.configuration.strategies[0].mode == "dry_run"


async def test_what_was_shed_today_is_known_after_a_restart_and_nothing_is_held(folder: Path) -> None:
    async with running(folder) as controller:
        for value in (27.0, None, 27.0):
            controller.parts.arbiter.request(SP, 9, value, owner_of("demand"), "x", lease_s=3600 if value else None)
        await controller.journal.commit()
    async with running(folder) as controller:
        await until(lambda: controller.strategies.status("demand").time_ns)
        assert controller.parts.arbiter.slots(SP) == (None,) * 16
        spells = controller.strategies._runs["demand"].memory.spells["main.hvac.ahu1"]
        assert len(spells) == 2, "two sheds of today, the second one ended by the restart"


async def test_apply_takes_a_new_contract_and_refuses_one_of_zero(folder: Path) -> None:
    strategy = folder / "site" / "strategy.toml"
    async with running(folder) as controller:
        await until(lambda: controller.strategies.status("demand").time_ns)
        strategy.write_text(STRATEGY.replace("contract_kw = 50", "contract_kw = 0"), "utf-8")
        with pytest.raises(SettingsError, match=r"strategy.toml:4: demand.contract_kw: got 0, wanted more than 0"):
            await controller.apply()
        strategy.write_text(STRATEGY.replace("contract_kw = 50", "contract_kw = 80"), "utf-8")
        difference = await controller.apply()
        assert difference.strategies.changed == ("demand",)
        await until(lambda: contract(controller) == 80.0)


def contract(controller: Controller) -> float:
    figures = controller.strategies.status("demand").decision.figures
    return next((figure.value for figure in figures if figure.id == "contract"), 0.0)
