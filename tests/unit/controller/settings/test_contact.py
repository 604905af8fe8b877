"""notify.toml with its mistakes, its secrets, and rosters of screens laid over it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.clock import VirtualClock
from controller.errors import InvalidError
from controller.point.registry import Registry
from controller.settings.difference import compare
from controller.settings.load import load
from controller.settings.overlay import Change, lay_over
from controller.settings.problem import SettingsError
from controller.settings.roster import RosterFrame, lay_rosters, roster_json, roster_key
from controller.share import share_dir

Folder = Any

GOOD = """
address = "https://shifu.example.gov.tw"
hosts = ["10.0.0.5"]
[[channel]]
id = "mail"
kind = "mail"
name = { zh = "郵件", en = "Mail" }
host = "mail.example.gov.tw"
sender = "shifu@example.gov.tw"
user = "shifu"
password_env = "MAIL_PASSWORD"
[[channel]]
id = "chat"
kind = "app"
name = { zh = "通訊", en = "Chat" }
url_env = "CHAT_URL"
[[channel]]
id = "hook"
kind = "webhook"
name = { zh = "網路", en = "Hook" }
url = "http://10.0.0.5:8080/x"
[[contact]]
id = "engineer"
name = { zh = "工程師", en = "Engineer" }
ways = [{ channel = "mail", to = "duty@example.gov.tw" }, { channel = "chat", to = "U1" }]
[[duty]]
id = "plant"
name = { zh = "機電", en = "Plant" }
otherwise = ["engineer"]
[[duty.shifts]]
days = ["workday"]
from = "18:00"
to = "08:00"
contacts = ["engineer"]
[[route]]
id = "all"
name = { zh = "全部", en = "All" }
steps = [{ to = ["duty:plant"] }, { after_min = 15, to = ["contact:engineer"] }]
"""
SECRETS = {"MAIL_PASSWORD": "hush-hush", "CHAT_URL": "line://hushtoken/{to}"}


def test_a_good_file_amounts_to_a_plan(folder: Folder) -> None:
    folder.write("notify.toml", GOOD)
    plan = folder.load(environment=SECRETS).notify
    assert plan.channels["mail"].port == 587
    assert plan.channels["mail"].password == "hush-hush"
    assert not any(spec.missing for spec in plan.channels.values())
    assert [step.after_s for step in plan.routes[0].steps] == [0, 900]
    assert plan.duties["plant"].shifts[0].hours.start_min == 18 * 60


def test_secrets_that_are_not_set_here_are_said_and_never_shown(folder: Folder) -> None:
    folder.write("notify.toml", GOOD)
    configuration = folder.load()
    missing = configuration.notify.channels["mail"].missing
    assert missing is not None
    assert "MAIL_PASSWORD" in missing.en
    assert "MAIL_PASSWORD" in missing.zh
    assert "未設定" in missing.zh
    assert sum("notify.toml" in notice for notice in configuration.notices) >= 2
    assert "hush" not in repr(folder.load(environment=SECRETS).notify)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "webhook"', 'kind = "pigeon"', "notify.toml:19: channel.kind"),
        ("http://10.0.0.5:8080/x", "http://10.0.0.6/x", "channel.url: got another address"),
        (
            "http://10.0.0.5:8080/x",
            "https://10.0.0.6/x",
            "channel.url: got another address, wanted the number of a",
        ),
        (
            "http://10.0.0.5:8080/x",
            "https://127.0.0.1/x",
            "channel.url: got another address, wanted the number of a",
        ),
        (
            "http://10.0.0.5:8080/x",
            "https://[::1]/x",
            "channel.url: got another address, wanted the number of a",
        ),
        ('hosts = ["10.0.0.5"]', 'hosts = ["10.0.0.5", "::1:x"]', 'hosts: got "::1:x"'),
        ('sender = "shifu@example.gov.tw"\n', "", "channel.sender: got nothing"),
        ('user = "shifu"', 'user = "shifu"\nsecurity = "none"', 'channel.security: got "none"'),
        ('url_env = "CHAT_URL"', "", "channel.url_env: got nothing"),
        ('{ channel = "mail", to = "duty@example.gov.tw" }', '{ channel = "mails", to = "x@y" }', 'mean "mail"'),
        ('to = "duty@example.gov.tw"', 'to = "duty"', "contact.ways.to"),
        ('contacts = ["engineer"]', 'contacts = ["enginer"]', 'Did you mean "engineer"?'),
        ('otherwise = ["engineer"]', "otherwise = []", "duty.otherwise"),
        ('from = "18:00"', 'from = "25:00"', "a time of day such as 07:30"),
        ('days = ["workday"]', 'days = ["someday"]', "duty.shifts.days"),
        ('"duty:plant"', '"duty:plnt"', 'Did you mean "plant"?'),
        ('"duty:plant"', '"plant"', "duty:<id> or contact:<id>"),
        ('hosts = ["10.0.0.5"]', 'hosts = ["10.0.0.5"]\nreports = ["contact:chif"]', "reports: got"),
        ("after_min = 15", "after_min = -1", "route.steps.after_min"),
        ('id = "all"', 'id = "all"\nsystems = ["electric"]', 'Did you mean "electrical"?'),
        ('id = "all"', 'id = "all"\nareas = ["moon"]', "route.areas"),
        ('address = "https:', 'address = "http:', "address: got"),
        ('hosts = ["10.0.0.5"]', 'hosts = ["http://10.0.0.5"]', "hosts: got"),
        ('hosts = ["10.0.0.5"]', 'hosts = ["10.0.0.5"]\ngateway = "http://u:p@g:1"', "gateway: got something else"),
        ('hosts = ["10.0.0.5"]', 'hosts = ["10.0.0.5"]\ncleard = "all"', "an unknown key"),
    ],
)
def test_mistakes_are_named_with_their_line(folder: Folder, old: str, new: str, said: str) -> None:
    folder.write("notify.toml", GOOD)
    folder.change("notify.toml", old, new)
    found = [str(problem) for problem in folder.problems()]
    assert all(problem.startswith("notify.toml:") for problem in found)
    assert any(said in problem for problem in found), found
    assert "u:p@" not in str(found)


@pytest.mark.parametrize(("host", "number"), [("127.0.0.1", "127.0.0.1"), ("10.0.0.6", "10.0.0.6"), ("::1", "[::1]")])
def test_a_webhook_to_a_number_that_is_listed_is_taken(folder: Folder, host: str, number: str) -> None:
    text = GOOD.replace('"10.0.0.5"', f'"{host}"').replace("http://10.0.0.5:8080/x", f"https://{number}/x")
    folder.write("notify.toml", text)
    assert folder.load(environment=SECRETS).notify.channels["hook"].url == f"https://{number}/x"


METER_ALARM = """
[[alarm]]
class = "meter"
tag = "power"
kind = "high"
limit = 90
priority = 1
life_safety = true
"""


@pytest.mark.parametrize(
    ("narrow", "told"),
    [
        ("life_safety = false", False),
        ('systems = ["system"]', False),
        ("life_safety = true", True),
        ("priorities = [4]", True),  # life safety knows no priorities
        ("", True),
    ],
)
def test_life_safety_that_no_route_takes_is_refused_with_its_classes(folder: Folder, narrow: str, told: bool) -> None:
    folder.write("alarms.toml", folder.text("alarms.toml") + METER_ALARM)
    folder.write("notify.toml", GOOD.replace('id = "all"\n', f'id = "all"\n{narrow}\n'))
    if told:
        assert folder.load(environment=SECRETS).notify.routes
        return
    said = folder.problem()
    assert said.startswith(
        "notify.toml:35: route: got no route for life safety of meter (main.electrical.meter1.power#"
    )
    assert said.endswith("One with life_safety = true and no other filter takes them all.")
    folder.write("notify.toml", GOOD[: GOOD.index("[[route]]")])
    assert not folder.load(environment=SECRETS).notify.routes, "a file without routes tells nobody, and is meant so"


def test_an_address_that_is_refused_is_not_told(folder: Folder) -> None:
    folder.write("notify.toml", GOOD)
    with pytest.raises(SettingsError) as error:
        folder.load(environment={**SECRETS, "CHAT_URL": "json://elsewhere/hushtoken"})
    assert "hushtoken" not in str(error.value)
    assert "notify.toml:16" in str(error.value)


def test_a_roster_of_the_screen_lies_over_the_files(folder: Folder) -> None:
    folder.write("notify.toml", GOOD)
    base = folder.load(environment=SECRETS)
    value = {"shifts": [{"days": ["every"], "from": "00:00", "to": "00:00", "contacts": ["engineer"]}]}
    laid = lay_over(base, [Change(roster_key("plant"), value, "wang", "x")], 0, 2).notify
    assert roster_json(laid.duties["plant"])["shifts"] == value["shifts"]
    # One that does not fit any more is passed over, and so is that of a duty that is gone.
    gone = {"shifts": [{**value["shifts"][0], "contacts": ["gone"]}]}
    changes = [Change(roster_key("plant"), gone, "wang", "x"), Change(roster_key("away"), value, "wang", "x")]
    assert lay_rosters(base.notify, changes).duties == base.notify.duties


def test_what_a_screen_sends_is_checked_as_a_file_is(folder: Folder) -> None:
    folder.write("notify.toml", GOOD)
    plan = folder.load(environment=SECRETS).notify
    frame, duty = RosterFrame(plan.contacts), plan.duties["plant"]
    assert frame.read(duty, roster_json(duty)) == duty
    stranger = {"shifts": [{"days": ["every"], "contacts": ["nobody"]}]}
    wrongs: tuple[Any, ...] = ({"shifts": "x"}, [], None, stranger, {"more": 1})
    for wrong in wrongs:
        with pytest.raises(InvalidError):
            frame.read(duty, wrong)


def test_a_changed_password_is_a_difference_that_is_not_shown(folder: Folder) -> None:
    folder.write("notify.toml", GOOD)
    before = folder.load(environment=SECRETS)
    after = folder.load(environment={**SECRETS, "MAIL_PASSWORD": "other"})
    difference = compare(before, after)
    assert difference.notify.changed == ("channel mail",)
    assert "hush" not in str(difference.to_json())
    assert not compare(before, replace(before))


def test_the_city_hall_tells_life_safety_by_two_ways() -> None:
    configuration = load(share_dir("config") / "taipei-city-hall", Registry(), clock=VirtualClock(), environment={})
    plan = configuration.notify
    assert len(plan.routes) == 4
    assert not [notice for notice in configuration.notices if "give it a second" in notice]
