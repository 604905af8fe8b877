"""Mail and chat: where addresses may lead, and that no secret is told."""

from __future__ import annotations

import os

import pytest

from controller.errors import InvalidError
from controller.notify.channel import Parcel
from controller.notify.chat import address, check_address, inside, prepare, redact
from controller.notify.phone import check_endpoint
from controller.notify.plan import ChannelSpec, Contact, Way
from controller.point.model import Name

NAME = Name("", "")
PARCEL = Parcel("o~0~duty", "t", "b", urgent=True, to="duty@cityhall.invalid")


@pytest.mark.parametrize(
    "url",
    [
        "tgram://123456789:abcdefg_hijklmnop-qrstuvwxyzabcdefgh/{to}",
        "line://abcdefghi/{to}",
        "ntfys://push.cityhall.invalid/topic",
        "jsons://hook.cityhall.invalid/x",
        "json://10.0.0.5:8080/x",
        "mailtos://user:secret@mail.cityhall.invalid",
    ],
)
def test_known_services_over_tls_and_listed_hosts_are_taken(url: str) -> None:
    check_address(url, ("10.0.0.5",))


@pytest.mark.parametrize(
    "url",
    [
        "json://10.0.0.6/secretpath",
        "syslog://",
        "dbus://",
        "ntfy://elsewhere/secretpath",
        "ftp://x/secretpath",
        "secretpath",
        "tgram://secretpath",
        "jsons://10.0.0.6/secretpath",
        "ntfys://127.1/secretpath",
        "jsons://[::ffff:127.0.0.1]/secretpath",
    ],
)
def test_other_targets_are_refused_without_telling_them(url: str) -> None:
    with pytest.raises(InvalidError) as error:
        check_address(url, ("10.0.0.5",))
    assert "secretpath" not in str(error.value)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1.", "127.1", "2130706433", "0x7f000001", "10.0.0.6", "192.168.1.1", "172.16.0.1",
        "169.254.169.254", "0.0.0.0", "::1", "::ffff:10.0.0.1", "fe80::1", "fd00::1", "localhost", "x.localhost",
    ],
)  # fmt: skip
def test_numbers_of_private_networks_are_known_however_they_are_written(host: str) -> None:
    assert inside(host)


@pytest.mark.parametrize("host", ["hook.cityhall.invalid", "8.8.8.8", "2606:4700::1111", "10.example", "", "a b"])
def test_names_and_public_numbers_are_not_taken_for_them(host: str) -> None:
    assert not inside(host)


def test_a_mail_address_has_its_secrets_quoted() -> None:
    spec = ChannelSpec("m", "mail", NAME, "mail.x", 587, "starttls", "s@x", "u@x", "p:/@?#")
    assert address(spec, PARCEL).startswith("mailtos://u%40x:p%3A%2F%40%3F%23@mail.x:587?")


def test_what_a_library_says_is_redacted() -> None:
    said = redact(
        "HTTPSConnectionPool(host='api.telegram.org', port=443): Max retries exceeded with url: "
        "/bot123456789:abcdefghijklmnopqrstuvwxyzABCDEF/sendMessage to duty@cityhall.invalid via https://u:p@h/x\nnext"
    )
    for secret in ("abcdefghijklmnop", "duty@", "u:p@h", "\n"):
        assert secret not in said
    assert "api.telegram.org" in said


def test_no_repr_shows_a_secret() -> None:
    spec = ChannelSpec("m", "app", NAME, url="tgram://SECRET", password="SECRET", user="SECRET")
    contact = Contact("c", NAME, (Way("m", "SECRET"),))
    assert "SECRET" not in repr(spec) + repr(contact) + repr(
        Parcel("i", "t", "b", False, "SECRET", keys={"k": "SECRET"})
    )


def test_the_gateway_is_all_that_the_library_listens_to(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.setenv(name, "http://somebody-elses:1")
    prepare("http://gateway:3128", ("10.0.0.5",))
    assert os.environ["HTTPS_PROXY"] == "http://gateway:3128"
    assert "10.0.0.5" in os.environ["NO_PROXY"].split(",")
    prepare("", ())
    assert not {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"} & set(os.environ)


@pytest.mark.parametrize(
    ("endpoint", "good"),
    [
        ("https://fcm.googleapis.com/fcm/send/x", True),
        ("https://web.push.apple.com/x", True),
        ("https://wns2-par02p.notify.windows.com/w/?token=x", True),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", True),
        ("http://10.0.0.5:8080/push", True),
        ("http://fcm.googleapis.com/x", False),
        ("https://fcm.googleapis.com.evil.example/x", False),
        ("https://evilnotify.windows.com/x", False),
        ("https://10.0.0.6/x", False),
        ("https://169.254.169.254/latest/meta-data", False),
        ("https://u:p@fcm.googleapis.com/x", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_push_goes_to_the_browsers_services_and_listed_hosts_alone(endpoint: str, good: bool) -> None:
    if good:
        assert check_endpoint(endpoint, ("10.0.0.5",)) == endpoint
        return
    with pytest.raises(InvalidError):
        check_endpoint(endpoint, ("10.0.0.5",))
