"""What a new configuration changes, and the overlay of what was changed while running."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.clock import VirtualClock
from controller.settings.build import Endpoints
from controller.settings.difference import compare
from controller.settings.overlay import Change
from controller.settings.secret import resolve

Folder = Any
ALARM = "main.electrical.meter1.power#high"
KEY = "limits/main.electrical.meter1.power"


def test_the_same_files_read_twice_differ_in_nothing(folder: Folder) -> None:
    assert not compare(folder.load(), folder.load())


def test_each_kind_of_change_is_named(folder: Folder) -> None:
    old = folder.load()
    folder.change("site.toml", "Offices", "Bureau")
    folder.change("equipment.toml", "SDM630", "SDM630 V2")
    folder.change("devices/meter.toml", "period_s = 5", "period_s = 2")
    folder.change("alarms.toml", "priority = 3", "priority = 2")
    folder.change("server.toml", "port = 8080", "port = 8081")

    found = compare(old, folder.load())

    assert found.site.changed == ("area office",)
    assert found.equipment.changed == ("main.electrical.meter1",)
    assert found.devices.changed == ("meter1",)
    assert found.alarms.changed == (ALARM,)
    assert found.links == ("tcp://192.0.2.10:502",)
    assert found.restart == ("http.port",)
    assert found.to_json()["links"] == ("tcp://192.0.2.10:502",)


def test_a_changed_profile_restarts_its_link(folder: Folder) -> None:
    from controller.share import share_dir

    text = (share_dir("config") / "profiles" / "meter" / "eastron-sdm630.toml").read_text("utf-8")
    folder.write("profiles/eastron-sdm630.toml", text)
    old = folder.load()
    assert not compare(old, folder.load())
    folder.write("profiles/eastron-sdm630.toml", text.replace("scale = 0.001", "scale = 0.01"))

    assert compare(old, folder.load()).devices.changed == ("meter1",)


def test_numbers_of_unchanged_points_stay_when_others_come(folder: Folder) -> None:
    old = {address: point.number for address, point in folder.load().site.points.items()}
    folder.write(
        "devices/a.toml",
        '[[device]]\nid = "a"\nequipment = "main.electrical.meter1"\nprofile = "eastron-sdm630"\n'
        'endpoint = "tcp://192.0.2.9:502"\nprefix = "a_"\n',
    )

    new = {address: point.number for address, point in folder.load().site.points.items()}

    assert {address: new[address] for address in old} == old
    assert len(set(new.values())) == 56


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Change(KEY, {"high": 75}), 75.0),
        (Change(KEY, {"high": None}), None),
        (Change(KEY, {"low": 5}), 50.0),
        (Change(KEY, {"high": "much"}), 50.0),
        (Change(KEY, {"high": float("nan")}), 50.0),
        (Change(KEY, "nonsense"), 50.0),
        (Change(KEY, {"high": 75}, expires_ns=1), 50.0),
        (Change("limits/main.electrical.gone.power", {"high": 1}), 50.0),
        (Change("other/key", {"high": 1}), 50.0),
    ],
)
def test_the_overlay_of_limits(folder: Folder, change: Change, expected: float | None) -> None:
    configuration = folder.load(changes=[change], clock=VirtualClock())
    limits = {item.id: item.limit for item in configuration.alarms}

    assert limits.get(ALARM) == expected
    shown = configuration.site.points["main.electrical.meter1.power"].limits.high
    assert shown == expected if expected is not None else shown != shown  # noqa: PLR0124 - NaN: no limit


def test_secrets_come_from_the_environment_or_files_and_are_named_when_missing(tmp_path: Path) -> None:
    (tmp_path / "word").write_bytes("\ufeffgeheim \nmore\n".encode())
    (tmp_path / "empty").write_text("\n", "utf-8")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    named = {
        "user_env": "U",
        "password_file": "word",
        "ca_file": "word",
        "token_env": "NONE",
        "certificate_file": "gone",
        "private_key_env": "K",
        "colour_env": "U",
    }

    found, wrong, missing = resolve(named, {"U": "me", "K": "/k.pem"}, tmp_path)

    assert found == {"user": "me", "password": "geheim", "ca": str(tmp_path / "word"), "private_key": "/k.pem"}
    assert wrong == ["colour_env"]
    assert [one.en for one in missing] == [
        "environment variable NONE (token) is not set",
        f"file {tmp_path / 'gone'} (certificate) does not exist",
    ]
    for name in ("empty", "binary"):
        found, _, missing = resolve({"password_file": name}, {}, tmp_path)
        assert found == {}
        assert "cannot be read, or its first line is empty" in missing[0].en


def test_endpoints_are_laid_over_and_bring_their_secrets(folder: Folder) -> None:
    laid = Endpoints.parse(
        {"tcp://192.0.2.10:502": "tcp://127.0.0.1:4000", "secrets": {"tcp://192.0.2.10:502": {"user": "u"}}}
    )

    (device,) = folder.load(endpoints=laid).devices

    assert (device.endpoint, device.secrets) == ("tcp://127.0.0.1:4000", {"user": "u"})
    assert "secrets" not in repr(device)
