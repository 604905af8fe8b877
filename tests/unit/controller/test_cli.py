"""The command line: help of every command, exit codes, JSON for programs, sentences instead of tracebacks."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from controller import cli, journal
from controller.demo import free_port, reset_demo
from controller.errors import ConflictError, InvalidError, UnavailableError
from controller.journal.lock import FolderLock
from controller.share import product_version, share_dir
from simulators.site import read_site

ROOT = Path(cli.__file__).parents[1]
COMMANDS = ("demo", "run", "check", "apply", "init", "read", "user", "tls", "history", "version")
DEEPER = (
    "user list",
    "user add",
    "user change",
    "user link",
    "tls init",
    "tls show",
    "history export",
    "history import",
)


def shifu(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line as `main` does; return the exit code."""
    monkeypatch.setattr(sys, "argv", ["shifu", *arguments])
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture
def site(tmp_path: Path) -> Path:
    shutil.copytree(share_dir("config") / "minimal", tmp_path / "site")
    return tmp_path / "site"


def test_help_names_every_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert shifu(monkeypatch, "--help") == 0

    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in (*COMMANDS, "sim"))


@pytest.mark.parametrize("command", [*COMMANDS, *DEEPER])
def test_help_of_every_command_explains_every_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert shifu(monkeypatch, *command.split(), "--help") == 0

    text = capsys.readouterr().out
    assert text.startswith("Usage: ")
    options = [line.split() for line in text.splitlines() if line.startswith("  --")]
    assert options
    assert all(len(words) > 2 for words in options), options


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nothing",), 2, "No such command 'nothing'"),
        (("check", "--nothing"), 2, "No such option"),
        (("run",), 2, "Missing argument"),
        (("run", "x", "--port", "70000"), 2, "less than or equal to 65535"),
        (("check", "no-such-folder"), 2, "no-such-folder: got no folder, wanted a site's folder"),
        (("check",), 2, "which site?"),
        (("run", "x", "--endpoints", "no-such-map"), 2, "no-such-map: No such file or directory"),
        (("apply", "x", "--data", "no-data"), 1, "no controller answers at no-data/control.sock"),
        (("user", "list", "--data", "no-data"), 1, "Is `shifu run` up with --data no-data?"),
        (("user", "change", "x"), 2, "nothing to change"),
        (("init", "new", "--profile", "eastron-sdm360"), 2, 'Did you mean "eastron-sdm630"?'),
        (("init", "New Site!", "--profile", "eastron-sdm630", "--id", "X"), 2, '"X" is no id'),
        (("init", "new", "--profile", "eastron-sdm630", "--endpoint", 'a"b'), 2, "device.endpoint: got"),
        (("init", "new", "--profile", "own.toml"), 2, "own.toml: got No such file or directory"),
        (("read", "ftp://x"), 2, "wanted tcp://host:502"),
        (("read", "tcp://127.0.0.1:9", "--profile", "milesight-am319"), 2, "is for mqtt"),
        (("read", "opc.tcp://127.0.0.1:9", "--profile", "eastron-sdm630"), 2, "--profile reads Modbus devices"),
        (
            ("read", "tcp://127.0.0.1:9", "--profile", "none"),
            2,
            'no profile "none". `shifu read --profiles` lists them. A',
        ),
        (("read", "tcp://127.0.0.1:99999"), 2, "Port out of range"),
        (("read", "tcp://127.0.0.1:9", "--count", "126"), 2, "1 to 125"),
        (("read", "mqtt://127.0.0.1:9"), 2, "no topic"),
        (("read", "mqtt://me:secret@127.0.0.1:9/x"), 2, "--user"),
        (("history", "import", "text", "--site", "x"), 2, "text: got no history file"),
        (("read", "tcp://127.0.0.1:9", "--timeout", "1"), 1, "127.0.0.1:9"),
        (("tls", "show", "none.pem"), 2, "none.pem"),
        (("history", "export", "x", "--point", "a.b.c.d", "--start", "today", "--end", "now"), 2, '"today" is no time'),
    ],
)
def test_a_mistake_is_a_sentence_with_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("no numbers", "utf-8")

    assert shifu(monkeypatch, *arguments) == code

    said = capsys.readouterr()
    assert message in said.err
    assert "Traceback" not in said.err
    assert "secret" not in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["text"], "nothing is left behind"


def test_check_says_what_the_site_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], site: Path
) -> None:
    assert shifu(monkeypatch, "check", str(site)) == 0
    assert capsys.readouterr().out.startswith(
        f"{site}: good. 1 building, 1 equipment, 1 device, 1 connection, 28 points, 0 commandable, 2 alarms, 0 rules"
    )

    assert shifu(monkeypatch, "check", str(site), "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["ok"], data["points"], data["holding"]) == (True, 28, [])


def test_check_of_the_city_hall_is_good_and_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shifu(monkeypatch, "check", str(share_dir("config") / "taipei-city-hall"), "--json") == 0

    data = json.loads(capsys.readouterr().out)
    # The simulators read the same folder by themselves, with a reader of their own.
    known = read_site(share_dir("config") / "taipei-city-hall")
    endpoints = {device.endpoint for device in known.devices}
    assert (data["devices"], data["equipment"]) == (len(known.devices), len(known.equipment))
    assert data["connections"] == len(endpoints)
    assert data["points"] <= 10_000
    # OPC UA servers: a user and a certificate each; their endpoints are named by what they serve.
    # Channels of notify.toml: a password and an address with a token.
    named = re.compile(
        r"environment variable SHIFU_(DDC|LIFT|ACCESS)_\w+ \(\w+\) is not set: device "
        r"|notify\.toml: channel (mail|chat) is not set up: environment variable SHIFU_\w+ \(\w+\) is not set"
    )
    assert data["notices"]
    assert not [notice for notice in data["notices"] if not named.match(notice)]
    assert "cityhall.plant.ch1.enable" in data["holding"]


def test_check_of_a_calendar_file_with_a_broken_time_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], site: Path
) -> None:
    (site / "calendar").mkdir(exist_ok=True)
    text = (
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:market\nDTSTART:20260103T090000Z\nRDATE:banana\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    (site / "calendar" / "hire.ics").write_text(text, "utf-8")

    assert shifu(monkeypatch, "check", str(site)) == 2
    assert capsys.readouterr().err.splitlines() == [
        "calendar/hire.ics: event market: RDATE cannot be read: Expected time, got: banana",
        f"{site}: 1 problem",
    ]


def test_check_of_a_bad_site_is_code_2_with_places(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], site: Path
) -> None:
    (site / "server.toml").write_text('[http]\nport = "80"\n', "utf-8")

    assert shifu(monkeypatch, "check", str(site)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        'server.toml:2: http.port: got "80", wanted a whole number',
        f"{site}: 1 problem",
    ]
    assert shifu(monkeypatch, "check", str(site), "--json") == 2
    assert json.loads(capsys.readouterr().out) == {
        "ok": False,
        "problems": [
            {
                "file": "server.toml",
                "line": 2,
                "key": "http.port",
                "got": '"80"',
                "wanted": "a whole number",
                "todo": "",
            }
        ],
    }


@pytest.mark.parametrize(
    "profile", ["eastron-sdm630", "carrier-23xrv", "tecsystem-nt935", "site-standard-ahu", "milesight-am319"]
)
def test_init_writes_a_good_site_of_any_profile(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, profile: str
) -> None:
    folder = tmp_path / "My New Site"

    assert shifu(monkeypatch, "init", str(folder), "--profile", profile, "--unit", "7") == 0
    assert shifu(monkeypatch, "check", str(folder), "--json") == 0

    written = capsys.readouterr().out
    data = json.loads(written[written.index("{\n") :])
    assert (data["site"], data["devices"]) == ("my-new-site", 1)
    for path in folder.rglob("*.toml"):
        schema = path.read_text("utf-8").splitlines()[0].removeprefix("#:schema ")
        assert (path.parent / schema).is_file()
    assert shifu(monkeypatch, "init", str(folder), "--profile", profile) == 1
    assert "is not empty" in capsys.readouterr().err


def test_init_takes_a_profile_of_your_own_along(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = (share_dir("config") / "profiles" / "meter" / "eastron-sdm630.toml").read_text("utf-8")
    own = tmp_path / "my-meter.toml"
    own.write_text(text.replace('"eastron-sdm630"', '"my-meter"', 1), "utf-8")

    assert shifu(monkeypatch, "init", str(tmp_path / "new"), "--profile", str(own)) == 0
    assert (tmp_path / "new" / "profiles" / "my-meter.toml").read_text("utf-8") == own.read_text("utf-8")
    assert shifu(monkeypatch, "check", str(tmp_path / "new")) == 0
    assert "28 points" in capsys.readouterr().out


def test_schemas_in_the_tree_are_up_to_date_and_accept_the_sites(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import tomllib

    import jsonschema_rs

    assert shifu(monkeypatch, "check", "--schema", str(tmp_path / "schema"), "--json") == 0
    said = json.loads(capsys.readouterr().out)
    kept = share_dir("config") / "schema"
    written = {path.name: path.read_text("utf-8") for path in (tmp_path / "schema").iterdir()}
    assert {Path(name).name for name in said} == set(written)
    assert {path.name: path.read_text("utf-8") for path in kept.iterdir()} == written, (
        "run `shifu check --schema config/schema`"
    )
    for site in ("minimal", "taipei-city-hall"):
        for path in (share_dir("config") / site).rglob("*.toml"):
            text = path.read_text("utf-8")
            schema = path.parent / text.splitlines()[0].removeprefix("#:schema ")
            validator = jsonschema_rs.validator_for(json.loads(schema.read_text("utf-8")))
            # Editors take days and times of TOML for texts.
            data = json.loads(json.dumps(tomllib.loads(text), default=lambda moment: moment.isoformat()))
            assert not [f"{path}: {error.message}" for error in validator.iter_errors(data)]
    validator = jsonschema_rs.validator_for(json.loads((kept / "devices.schema.json").read_text("utf-8")))
    assert not validator.is_valid({"device": [{"idd": "x"}]})
    assert not validator.is_valid({"device": [{"id": "x", "unit": "one"}]})
    assert validator.is_valid({"device": [{"id": "x{n}", "unit": "{n}", "for": {"n": "1..4"}}]})


def migrations() -> list[str]:
    """Return the names of the schema's versions, oldest first."""
    folder = Path(journal.__file__).parent / "migrations" / "versions"
    return sorted(path.name.partition("_")[0] for path in folder.glob("v*.py"))


def test_version_as_text_and_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert shifu(monkeypatch, "version", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["shifu"] == product_version()
    assert data["formats"] == {"state": migrations()[-1], "log frame": 1, "history": 2, "stream": "SFU1"}
    assert shifu(monkeypatch, "version") == 0
    assert capsys.readouterr().out.startswith(f"shifu          {product_version()}\n")


def test_profiles_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert shifu(monkeypatch, "read", "--profiles", "--json") == 0

    rows = json.loads(capsys.readouterr().out)
    assert {row["protocol"] for row in rows} == {"modbus", "opcua", "mqtt"}
    assert all(row["source"] for row in rows)


def test_tls_makes_a_pair_that_the_server_settings_take(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], site: Path
) -> None:
    assert shifu(monkeypatch, "tls", "init", str(site), "--name", "shifu.example.gov.tw", "--name", "10.0.0.9") == 0
    text = capsys.readouterr().out
    assert "names        shifu.example.gov.tw, 10.0.0.9" in text
    assert (site / "server.key").stat().st_mode & 0o777 == 0o600
    (site / "server.toml").write_text(text[text.index("  [http]") :].replace("  ", ""), "utf-8")

    assert shifu(monkeypatch, "check", str(site)) == 0
    assert shifu(monkeypatch, "tls", "show", str(site / "server.pem"), "--json") == 0
    shown = capsys.readouterr().out
    assert json.loads(shown[shown.index("{") :])["names"] == ["shifu.example.gov.tw", "10.0.0.9"]
    assert shifu(monkeypatch, "tls", "init", str(site), "--name", "a.example") == 1


# -- the demo's folder and port ----------------------------------------------------------------------------------------


def test_a_taken_port_is_said_and_the_next_one_used() -> None:
    said: list[str] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        found = free_port(port, said.append)

    assert port < found < port + 20
    assert said == [f"Port {port} is taken; using {found}."]


def test_a_free_port_is_used_without_a_word() -> None:
    said: list[str] = []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    assert free_port(port, said.append) == port
    assert said == []
    assert free_port(0, said.append) == 0


def test_ports_beyond_the_last_are_not_tried() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 65_535))
        taken.listen()
        with pytest.raises(UnavailableError, match="--port"):
            free_port(65_535, print)


def test_reset_forgets_the_demo_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    assert reset_demo(folder) is False
    for name in ("data/log/a", "run/endpoints.json", "history.npz"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x", "utf-8")
    (folder / "thesis.txt").write_text("x", "utf-8")
    with pytest.raises(InvalidError, match=r"thesis\.txt"):
        reset_demo(folder)
    (folder / "thesis.txt").unlink()
    with FolderLock(folder / "run"), pytest.raises(ConflictError, match="in use"):
        reset_demo(folder)

    assert reset_demo(folder) is True
    assert not folder.exists()


def test_a_server_that_is_not_there_is_one_sentence(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "controller", "read", "opc.tcp://127.0.0.1:9"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        check=False,
    )

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
