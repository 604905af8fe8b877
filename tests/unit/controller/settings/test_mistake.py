"""Every mistake is said with file, line, key, what was got, what is wanted and, where there is one, what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.clock import VirtualClock
from controller.point.registry import Registry
from controller.settings.build import MAX_POINTS
from controller.settings.load import load
from controller.settings.problem import MOST, SettingsError
from controller.share import share_dir

Folder = Any
Devices = Callable[..., Folder]

METER = "devices/meter.toml"
SECOND = """\
[[device]]
id = "meter2"
equipment = "main.electrical.meter1"
profile = "eastron-sdm630"
endpoint = "tcp://192.0.2.10:502"
unit = 2
"""


def test_the_packaged_minimal_site_is_good(folder: Folder) -> None:
    configuration = folder.load()

    assert (len(configuration.devices), len(configuration.site.points)) == (1, 28)
    assert {item.id for item in configuration.alarms} == {
        "main.electrical.meter1.power#high",
        "meter1#communication",
    }
    assert configuration.notices == ()


@pytest.mark.parametrize(
    ("replaced", "more", "expected"),
    [
        ({"unit": "999"}, "", "6: device.unit: got 999, wanted at most 255"),
        ({"unit": '"one"'}, "", '6: device.unit: got "one", wanted a whole number'),
        ({"unit": "1.5"}, "", "6: device.unit: got 1.5, wanted a whole number"),
        ({"unit": "true"}, "", "6: device.unit: got True, wanted a whole number"),
        ({}, "period_s = nan\n", "7: device.period_s: got nan, wanted a finite number"),
        ({}, "period_s = inf\n", "7: device.period_s: got inf, wanted a finite number"),
        ({}, "period_s = 0\n", "7: device.period_s: got 0, wanted at least 0.1"),
        ({}, "urgent = 1\n", "7: device.urgent: got 1, wanted true or false"),
        ({}, 'omit = "power"\n', '7: device.omit: got "power", wanted a list [ … ]'),
        (
            {},
            'omit = ["powr"]\n',
            ('7: device.omit: got "powr", wanted a tag of the profile eastron-sdm630. Did you mean "power"?'),
        ),
        (
            {},
            "perod_s = 5\n",
            (
                "7: device.perod_s: got an unknown key, wanted one of id, equipment, profile, endpoint, unit, "
                'period_s, urgent, prefix, omit, names, parts, defaults, options, secrets. Did you mean "period_s"?'
            ),
        ),
        (
            {"profile": '"eastron-sdm360"'},
            "",
            ('4: device.profile: got "eastron-sdm360", wanted a profile that exists. Did you mean "eastron-sdm630"?'),
        ),
        (
            {"equipment": '"main.electrical.metre1"'},
            "",
            (
                '3: device.equipment: got "main.electrical.metre1", wanted an address of equipment.toml. '
                'Did you mean "main.electrical.meter1"?'
            ),
        ),
        (
            {"endpoint": '"192.0.2.10:502"'},
            "",
            (
                '5: device.endpoint: got "192.0.2.10:502", wanted tcp://host:502, rtu+tcp://host:4001, '
                "serial:/dev/ttyUSB0?baudrate=9600&parity=N, opc.tcp://host:4840 or mqtt://host:1883"
            ),
        ),
        (
            {"endpoint": '"tcp://192.0.2.10:99999"'},
            "",
            ('5: device.endpoint: got port 99999 in "tcp://192.0.2.10:99999", wanted a port from 1 to 65535'),
        ),
        (
            {"endpoint": '"mqtt://192.0.2.10:1883"'},
            "",
            (
                '5: device.endpoint: got "mqtt://192.0.2.10:1883", wanted one that begins with tcp: or '
                "rtu+tcp: or serial:. The profile eastron-sdm630 speaks modbus."
            ),
        ),
        (
            {},
            'options = { word_ordr = "little" }\n',
            (
                "7: device.options.word_ordr: got an unknown option, wanted one of word_order, base. "
                'Did you mean "word_order"?'
            ),
        ),
        (
            {},
            'secrets = { password = "hunter2" }\n',
            (
                "7: device.secrets.password: got an unknown key, wanted user_env or user_file, "
                "password_env or password_file, certificate_env or certificate_file, private_key_env or "
                "private_key_file, ca_env or ca_file, token_env or token_file. "
                "A secret itself never stands in these files."
            ),
        ),
        (
            {"unit": '"{n}"'},
            "",
            (
                '6: device.unit: got "{n}": unknown name "n"; known are none: the row has no `for`, '
                'wanted a template such as "{n:02}" over `for = { n = "1..40" }`'
            ),
        ),
        (
            {},
            'for = { n = "1..2" }\neach = { "3" = { unit = 4 } }\n',
            "3: device.id: got",
        ),
    ],
)
def test_a_mistake_in_a_device(devices: Devices, replaced: dict[str, str], more: str, expected: str) -> None:
    if "each" in more:
        replaced = {"id": '"m{n}"', "unit": '"{n}"'}
        expected = '8: device.each: got "3", wanted a value that the first variable of `for` takes'

    assert devices(more, **replaced).problem() == f"{METER}:{expected}"


def test_a_wrong_word_order_is_said_where_the_device_stands(devices: Devices) -> None:
    text = devices('options = { word_order = "middle" }\n').problem()

    assert text.startswith('devices/meter.toml:1: device: "meter1" with profile eastron-sdm630: ')
    assert "word_order" in text
    assert "middle" in text


def test_a_list_without_option_says_which_option(folder: Folder) -> None:
    folder.write("devices/meter.toml", "")
    folder.write(
        "devices/air.csv",
        "id,equipment,profile,endpoint,option.dev_eui\n"
        "e1,main.electrical.meter1,milesight-am319,mqtt://192.0.2.1:1883,24e124710c000001\n",
    )
    (folder.path / "alarms.toml").unlink()

    text = folder.problem()

    assert text.startswith("devices/air.csv:2: device: ")
    assert "needs the option 'application'" in text


def test_same_id_twice_names_the_other_place(devices: Devices) -> None:
    folder = devices(SECOND.replace("meter2", "meter1"))

    assert folder.problem() == (
        'devices/meter.toml:8: device.id: got "meter1", wanted a name of its own. It is at devices/meter.toml:1 too.'
    )


def test_same_endpoint_and_unit_twice_names_the_other_device(devices: Devices) -> None:
    folder = devices(SECOND.replace("unit = 2", 'unit = 1\nprefix = "b_"'))

    assert folder.problem() == (
        "devices/meter.toml:12: device.unit: got tcp://192.0.2.10:502 unit 1, wanted an address of its own. "
        '"meter1" is there: devices/meter.toml:1.'
    )


def test_overlapping_tags_are_one_problem_with_a_way_out(devices: Devices) -> None:
    text = devices(SECOND).problem()

    assert text.startswith(
        'devices/meter.toml:7: device: got 28 points of main.electrical.meter1 that "meter1" (devices/meter.toml:1) has'
    )
    assert text.endswith('Give one of the two devices a prefix, or list the tags under "omit".')


def test_a_prefix_keeps_two_devices_of_one_kind_apart(devices: Devices) -> None:
    configuration = devices(SECOND + 'prefix = "spare_"\n').load()

    assert "main.electrical.meter1.spare_power" in configuration.site.points
    assert len(configuration.site.points) == 56


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (
            "equipment.toml",
            '"B1"',
            '"B2"',
            ('equipment.toml:8: equipment.floor: got "B2", wanted one of B1, 1F, 2F, the floors of main'),
        ),
        (
            "equipment.toml",
            '"office"',
            '"offce"',
            ('equipment.toml:9: equipment.area: got "offce", wanted an area of site.toml. Did you mean "office"?'),
        ),
        (
            "equipment.toml",
            '"main.electrical.meter1"',
            '"mein.electrical.meter1"',
            (
                "equipment.toml:5: equipment.id: got "
                'building "mein", wanted a building of site.toml. Did you mean "main"?'
            ),
        ),
        (
            "equipment.toml",
            '"main.electrical.meter1"',
            '"Main.electrical"',
            (
                "equipment.toml:5: equipment.id: got "
                '"Main.electrical", wanted building.system.equipment, such as main.electrical.tx1'
            ),
        ),
        (
            "site.toml",
            "Asia/Taipei",
            "Asia/Taipeh",
            ('site.toml:7: site.timezone: got "Asia/Taipeh", wanted an IANA name such as Asia/Taipei'),
        ),
        (
            "site.toml",
            'building = "main"',
            'building = "mein"',
            ('site.toml:17: area.building: got "mein", wanted a building of this site. Did you mean "main"?'),
        ),
        (
            "site.toml",
            '"B1", "1F"',
            '"B1", "B1"',
            'site.toml:12: building.floors: got "B1" twice, wanted each floor once',
        ),
        (
            "site.toml",
            '"B1", "1F"',
            '"B1", "G"',
            ('site.toml:12: building.floors: got "G", wanted a floor: B9 to B1, 1F to 99F, or RF'),
        ),
        ("server.toml", "port = 8080", 'port = "80"', 'server.toml:6: http.port: got "80", wanted a whole number'),
        (
            "server.toml",
            "port = 8080",
            "port = 8080\nhots = []",
            (
                "server.toml:7: http.hots: got an unknown key, wanted one "
                'of host, port, certificate, private_key, hosts. Did you mean "hosts"?'
            ),
        ),
        ("server.toml", "port = 8080", 'certificate = "a.pem"\nprivate_key = "a.key"', None),
        (
            "server.toml",
            "port = 8080",
            'certificate = "site.toml"',
            ("server.toml:4: http.private_key: got nothing, wanted this key. Give the pair."),
        ),
        (
            "alarms.toml",
            '"limit_kw"',
            '"limit_kv"',
            (
                'alarms.toml:4: alarm: limit = "limit_kv": main.electrical.meter1 has '
                "no such number among its parameters"
            ),
        ),
        (
            "alarms.toml",
            '"power"',
            '"powr"',
            ('alarms.toml:6: alarm.tag: got "powr", wanted a point of main.electrical.meter1. Did you mean "power"?'),
        ),
        (
            "alarms.toml",
            'class = "meter"',
            'class = "metr"',
            ('alarms.toml:5: alarm.class: got "metr", wanted a class of the site. Did you mean "meter"?'),
        ),
        ("alarms.toml", 'class = "meter"', "", 'alarms.toml:4: alarm: wanted exactly one of "class" and "equipment"'),
        (
            "alarms.toml",
            '"high" ',
            '"hi" ',
            (
                "alarms.toml:7: alarm.kind: got \"hi\", wanted 'high_high', 'high', 'low', "
                "'low_low', 'state' or 'communication'"
            ),
        ),
        ("alarms.toml", "priority = 3", "priority = 5", "alarms.toml:9: alarm.priority: got 5, wanted at most 4"),
        (
            "alarms.toml",
            'limit = "limit_kw"',
            "limit = nan",
            ("alarms.toml:8: alarm.limit: got nan, wanted a finite number or a text in quotes"),
        ),
    ],
)
def test_a_mistake_in_another_file(folder: Folder, file: str, old: str, new: str, expected: str | None) -> None:
    folder.change(file, old, new)

    problems = [str(problem) for problem in folder.problems()]

    if expected is None:
        assert problems == [
            'server.toml:6: http.certificate: got "a.pem", wanted a file that exists. `shifu tls init` makes a pair.',
            'server.toml:7: http.private_key: got "a.key", wanted a file that exists. `shifu tls init` makes a pair.',
        ]
    else:
        assert problems == [expected]


def test_limits_that_contradict_each_other(folder: Folder) -> None:
    row = '\n[[alarm]]\nclass = "meter"\ntag = "power"\nkind = "high_high"\nlimit = 10\n'
    folder.write("alarms.toml", folder.text("alarms.toml") + row)

    (problem,) = folder.problems()

    assert problem.key == "alarm.limit"
    assert problem.line == folder.text("alarms.toml").splitlines().index("limit = 10") + 1
    assert problem.got == "high 50 and high_high 10 of main.electrical.meter1.power"
    assert problem.todo == "The other row is alarms.toml:4."


RULE = """\
[[rule]]
id = "{id}"
class = "meter"
point = {{ tag = "{tag}", unit = "kW", zh = "甲", en = "A" }}
inputs = {{ p = {{ point = "power", unit = "{unit}" }} }}
expression = "{expression}"
"""


def test_every_wrong_rule_is_said_with_its_line_and_column(folder: Folder) -> None:
    first = RULE.format(id="one", tag="one", unit="kW", expression="p +* 2")
    second = RULE.format(id="two", tag="two", unit="degC", expression="p")
    third = RULE.format(id="three", tag="three", unit="kW", expression="p * 2")
    folder.write("rules.toml", first + second + third)

    problems = [str(problem) for problem in folder.problems()]

    assert len(problems) == 2
    assert problems[0].startswith("rules.toml:6: rule: rule one, expression line 1, column 4: ")
    assert problems[1].startswith("rules.toml:12: rule: rule two, expression line 1, column 1: ")


def test_a_rule_on_a_point_that_exists(folder: Folder) -> None:
    folder.write("rules.toml", RULE.format(id="one", tag="power", unit="kW", expression="p"))

    text = folder.problem()

    assert text.startswith(
        'rules.toml:6: rule.point.tag: got "main.electrical.meter1.power", wanted a tag that is free'
    )


def test_a_profile_of_the_site_is_placed_to_its_line(devices: Devices) -> None:
    folder = devices(profile='"own"')
    folder.write(
        "profiles/own.toml",
        '[profile]\nid = "own"\nequipment = "meter"\nprotocol = "modbus"\nvendor = "A"\nmodel = "B"\nsource = "C"\n'
        '[[point]]\ntag = "power"\nunit = "kW"\nzh = "甲"\nen = "A"\nlow = 5\nhigh = 1\nwire = { address = 0 }\n',
    )

    text = folder.problem()

    assert text.startswith("profiles/own.toml:")
    assert "low 5" in text


def test_a_profile_with_an_absurd_byte_order(devices: Devices) -> None:
    folder = devices(profile='"own-meter"')
    text = (share_dir("config") / "profiles" / "meter" / "eastron-sdm630.toml").read_text("utf-8")
    own = text.replace('"eastron-sdm630"', '"own-meter"', 1)
    folder.write("profiles/own-meter.toml", own)
    assert folder.load().devices[0].profile.id == "own-meter"
    head = "[profile.wire]"
    folder.write("profiles/own-meter.toml", own.replace(head, f"{head}\nword_order = 'middle'", 1))

    text = folder.problem()

    assert text.startswith('devices/meter.toml:1: device: "meter1" with profile own-meter: ')
    assert "middle" in text


def test_mistakes_of_several_files_are_said_together(devices: Devices) -> None:
    folder = devices(unit="999")
    folder.change("site.toml", 'id = "minimal" ', 'id = "Minimal" ')
    folder.change("alarms.toml", "priority = 3", "priority = 9")

    assert {problem.file for problem in folder.problems()} == {METER, "site.toml", "alarms.toml"}


def test_what_stands_on_a_wrong_device_is_not_said_too(devices: Devices) -> None:
    assert "profile" in devices(profile='"none"').problem()


def test_a_misspelt_file_is_not_left_out_without_a_word(folder: Folder) -> None:
    folder.write("alarm.toml", "")

    assert folder.problem().endswith('Did you mean "alarms.toml"?')


def test_files_of_secrets_and_hidden_files_may_stand_there(folder: Folder) -> None:
    folder.write("x.secret.toml", "a = 1")
    folder.write(".draft.toml", "a = 1")

    assert folder.load()


def test_a_misspelt_folder(folder: Folder) -> None:
    (folder.path / "device").mkdir()

    assert folder.problem().endswith('Did you mean "devices"?')


def test_a_folder_that_may_not_be_read_is_not_an_empty_one(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path.name == "devices":
            raise PermissionError(13, "Permission denied", str(path))
        return usual(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)

    assert folder.problem() == "devices/: got Permission denied, wanted a folder that can be read"


def test_no_folder_and_no_site_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="shifu init"):
        load(tmp_path / "none", Registry(), clock=VirtualClock())
    with pytest.raises(SettingsError, match=r"site\.toml: got no such file"):
        load(tmp_path, Registry(), clock=VirtualClock())


def test_one_bracket_where_two_belong(devices: Devices) -> None:
    folder = devices()
    folder.change(METER, "[[device]]", "[device]")

    assert folder.problem().endswith("wanted tables [[device]]. Write [[device]], with two brackets.")


def test_a_thousand_mistakes_end_the_reading(folder: Folder) -> None:
    rows = "".join(f"m{n},main.electrical.none{n},eastron-sdm630,tcp://10.0.0.1:502,1\n" for n in range(5000))
    folder.write("devices/list.csv", "id,equipment,profile,endpoint,unit\n" + rows)

    with pytest.raises(SettingsError) as caught:
        folder.load()

    assert MOST <= len(caught.value.problems) <= MOST + 10
    assert "… and" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 21


def test_more_points_than_a_controller_can_have(folder: Folder) -> None:
    count = MAX_POINTS // 28 + 10
    folder.write("alarms.toml", "")
    folder.write(
        "equipment.toml",
        '[[equipment]]\nid = "main.electrical.m{n}"\nfor = { n = "1..COUNT" }\nclass = "meter"\n'
        'name = { zh = "甲", en = "A" }\n'.replace("COUNT", str(count)),
    )
    folder.write(
        METER,
        '[[device]]\nid = "m{n}"\nfor = { n = "1..COUNT" }\nequipment = "main.electrical.m{n}"\n'
        'profile = "eastron-sdm630"\nendpoint = "tcp://10.0.{n//200}.1:502"\nunit = "{n%200}"\n'.replace(
            "COUNT", str(count)
        ),
    )

    assert "at most 200000. Split the site among several controllers." in folder.problem()


def test_equal_problems_are_said_once(folder: Folder) -> None:
    folder.write(
        METER,
        '[[device]]\nid = "m{n}"\nfor = { n = "1..9" }\nequipment = "main.electrical.meter1"\nprofile = "x"\n'
        'endpoint = "tcp://10.0.0.1:502"\nunit = "{n}"\n',
    )

    assert folder.problem().startswith('devices/meter.toml:5: device.profile: got "x"')
