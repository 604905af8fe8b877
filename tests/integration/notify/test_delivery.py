"""A report on the shelf goes out by mail with its files, once."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from controller.delivery import ReportDelivery
from controller.notify.channel import REDIRECTED, Parcel
from controller.notify.chat import ChatChannel
from controller.notify.plan import ChannelSpec, NotifyPlan, Target
from controller.notify.push import PushChannel, VapidKey
from controller.point.model import Name
from controller.report.shelf import Kept, KeptFile, Report
from tests.services.receiver import MailRelay, WebReceiver

REPORT = Report("month", date(2026, 11, 1), 0, "schedule", True, 1.0, 1_204_000.0, 4_820_000)
KEPT = Kept(REPORT, (KeptFile("zh", "pdf", 1, ""), KeptFile("zh", "xlsx", 1, "")))
NAME = Name("", "")


class Notifier:
    def __init__(self) -> None:
        self.posted: list[tuple[Any, ...]] = []

    async def post(self, key: str, to: Any, title: Name, body: Name, *, attachments: list[str]) -> list[str]:
        self.posted.append((key, tuple(to), title, body, attachments))
        return []


async def test_a_report_is_posted_to_whom_the_file_names(tmp_path: Path) -> None:
    notifier, plan = Notifier(), NotifyPlan(reports=(Target("contact", "secretariat"),))
    await ReportDelivery(tmp_path, lambda: plan, notifier).deliver(KEPT, lambda _language, _format: b"")  # type: ignore[arg-type]
    ((key, to, title, body, files),) = notifier.posted
    assert (key, to) == ("report/month-2026-11-01", plan.reports)
    assert title == Name("能源月報 115年11月", "Monthly energy report, November 2026")
    assert "1,204,000 kWh" in body.zh
    assert files == [str(tmp_path / "month-2026-11-01" / name) for name in ("zh.pdf", "zh.xlsx")]


async def test_nobody_named_is_nobody_told(tmp_path: Path) -> None:
    notifier = Notifier()
    await ReportDelivery(tmp_path, NotifyPlan, notifier).deliver(KEPT, lambda _language, _format: b"")  # type: ignore[arg-type]
    assert notifier.posted == []


async def test_mail_carries_the_files_and_a_webhook_takes_the_words(tmp_path: Path) -> None:
    file = tmp_path / "zh.pdf"
    file.write_bytes(b"%PDF-1.7 a report")
    with MailRelay() as relay, WebReceiver() as web:
        mail = ChatChannel(ChannelSpec("m", "mail", NAME, "127.0.0.1", relay.port, "none", "shifu@hall.invalid"))
        hook = ChatChannel(ChannelSpec("w", "webhook", NAME, url=f"{web.url}/hook"))
        parcel = Parcel(
            "post~report~x", "能源月報", "用電 1 kWh", urgent=False, to="x@hall.invalid", attachments=(str(file),)
        )
        assert (await mail.send(parcel)).state == "sent"
        assert (await hook.send(parcel)).state == "sent"
    assert relay.mails[0].files == {"zh.pdf": b"%PDF-1.7 a report"}
    assert web.posts[0].json["title"] == "能源月報"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("query", ["", "?redirect=yes"])
async def test_no_channel_follows_a_redirect_to_a_host_that_is_not_listed(
    tmp_path: Path, status: int, query: str
) -> None:
    phone = {"p256dh": VapidKey(tmp_path / "phone.pem").public, "auth": "AAAAAAAAAAAAAAAAAAAAAA"}
    with WebReceiver() as elsewhere, WebReceiver(status=status, onward=f"{elsewhere.url}/secret") as web:
        hosted = web.url.replace("http", "json")
        for channel, parcel in (
            (ChatChannel(ChannelSpec("w", "webhook", NAME, url=f"{web.url}/hook{query}")), Parcel("i", "t", "b", True)),
            (ChatChannel(ChannelSpec("a", "app", NAME, url=f"{hosted}/hook{query}")), Parcel("i", "t", "b", True)),
            (
                PushChannel(VapidKey(tmp_path / "vapid.pem"), "mailto:x@hall.invalid"),
                Parcel(
                    "i", "t", "b", True, payload={"tag": "t"}, keys={"endpoint": f"{web.url}/p{query}", "keys": phone}
                ),
            ),
        ):
            outcome = await channel.send(parcel)
            assert (outcome.state, outcome.text) == ("failed", REDIRECTED)
            channel.close()
    assert len(web.posts) == 3
    assert (elsewhere.posts, elsewhere.gets) == ([], [])


async def test_what_a_relay_says_of_a_failure_holds_no_address() -> None:
    with MailRelay() as relay:
        relay.refusing = True
        mail = ChatChannel(ChannelSpec("m", "mail", NAME, "127.0.0.1", relay.port, "none", "shifu@hall.invalid"))
        outcome = await mail.send(Parcel("i", "t", "b", urgent=True, to="duty@hall.invalid"))
    assert outcome.state == "failed"
    assert "duty@" not in outcome.text
