"""kill -9 before, between and after a message is handed over: nothing is lost, and only life safety comes twice.

Real processes on the controller's side: simulators, controller, outbox on disk. The mail relay and the web receiver
count what they were given.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.scenario.test_kill import Run
from tests.services.city import wait_for
from tests.services.receiver import MailRelay, WebReceiver
from tests.services.simulation import simulated
from tests.services.small import small_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SEED = 20_260_202
KILLS = 2

ALARM = """
[[alarm]]
equipment = "cityhall.meter.em{0:03}"
tag = "frequency"
kind = "high"
limit = 50.5
priority = 2
life_safety = {1}
text = {{ zh = "頻率", en = "frequency" }}
consequence = {{ zh = "無", en = "none" }}
action = {{ zh = "看", en = "look" }}
respond_min = 5
"""

NOTIFY = """
hosts = ["127.0.0.1"]
[[channel]]
id = "mail"
kind = "mail"
name = {{ zh = "郵件", en = "mail" }}
host = "127.0.0.1"
port = {mail}
security = "none"
sender = "shifu@cityhall.invalid"
[[channel]]
id = "hook"
kind = "webhook"
name = {{ zh = "網路", en = "hook" }}
url = "http://127.0.0.1:{hook}/hook"
[[contact]]
id = "duty"
name = {{ zh = "值班", en = "duty" }}
ways = [{{ channel = "mail", to = "duty@cityhall.invalid" }}, {{ channel = "hook" }}]
[[route]]
id = "meters"
name = {{ zh = "電表", en = "meters" }}
systems = ["meter"]  # the controller's own alarms (a file that a kill damaged) are none of this test
steps = [{{ to = ["contact:duty"] }}]
"""


class Post:
    """What was handed over so far."""

    def __init__(self, relay: MailRelay, web: WebReceiver) -> None:
        self.relay = relay
        self.web = web

    def ids(self) -> Counter[tuple[str, str]]:
        """Count the messages by channel and id; ids of life safety end with their channel."""
        found = Counter(("mail", mail.id) for mail in self.relay.mails)
        return found + Counter(("hook", post.headers["X-Shifu-Message"]) for post in self.web.posts)

    def of(self, channel: str, *, life_safety: bool) -> list[str]:
        """Return the ids that came by a channel, in order."""
        came = (
            [mail.id for mail in self.relay.mails]
            if channel == "mail"
            else [post.headers["X-Shifu-Message"] for post in self.web.posts]
        )
        return [id_ for id_ in came if (id_.count("~") == 3) == life_safety]


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield the folder of a small site whose simulators run: meter 1 has an alarm of life safety, meter 2 another."""
    alarms = ALARM.format(1, "true") + ALARM.format(2, "false")
    with simulated(tmp_path_factory.mktemp("notify"), {**small_site(2), "alarms": alarms}, ledger=False) as running:
        yield running


@pytest.fixture
def folder(simulators: Path, tmp_path: Path) -> Path:
    """Return a folder of its own for each test, with the site and where its devices are."""
    shutil.copytree(simulators / "site", tmp_path / "site")
    shutil.copy(simulators / "endpoints.json", tmp_path / "endpoints.json")
    return tmp_path


@pytest.fixture
def post(folder: Path) -> Iterator[Post]:
    with MailRelay() as relay, WebReceiver() as web:
        (folder / "site" / "notify.toml").write_text(NOTIFY.format(mail=relay.port, hook=web.port), "utf-8")
        yield Post(relay, web)


def states(folder: Path) -> dict[str, str]:
    """Return the state of each message in the outbox."""
    if not (folder / "data" / "state.db").exists():
        return {}
    connection = sqlite3.connect(f"file:{folder}/data/state.db?mode=ro", uri=True, timeout=5)
    try:
        return dict(connection.execute("SELECT message, state FROM notification").fetchall())
    except sqlite3.OperationalError:
        return {}
    finally:
        connection.close()


def until(run: Run, ready: Callable[[], object], seconds: float = 25) -> None:
    wait_for(ready, seconds, run._tail)


@pytest.mark.timeout(120)
def test_killed_before_it_was_sent_it_is_sent_once(folder: Path, post: Post) -> None:
    post.relay.refusing, post.web.status = True, 503
    with Run(folder, 0) as run:
        # Both are in the outbox and were refused: an attempt is over and the next one is to come.
        until(run, lambda: len(states(folder)) == 3 and set(states(folder).values()) == {"queued"})
        run.kill()
    assert not post.relay.mails
    post.web.posts.clear()
    post.relay.refusing, post.web.status = False, 200
    with Run(folder, 1) as run:
        until(run, lambda: set(states(folder).values()) == {"sent"})
        run.kill()
    assert all(count == 1 for count in post.ids().values()), post.ids()
    assert len(post.of("mail", life_safety=True)) == len(post.of("hook", life_safety=True)) == 1
    assert len(post.of("mail", life_safety=False)) + len(post.of("hook", life_safety=False)) == 1
    assert not any("可能重複" in mail.body for mail in post.relay.mails)

    # And killed after: what was sent is not sent again, though its alarm is still there.
    before = post.ids()
    with Run(folder, 2) as run:
        until(run, lambda: "started" in run.log.read_text("utf-8"))
        threading.Event().wait(1.5)
        assert set(states(folder).values()) == {"sent"}
    assert post.ids() == before


@pytest.mark.timeout(120)
def test_killed_between_life_safety_is_repeated_and_marked_and_others_go_by_the_second_channel(
    folder: Path, post: Post
) -> None:
    post.relay.go_on.clear()
    with Run(folder, 0) as run:
        until(run, lambda: len(post.relay.mails) == 2)
        run.kill()
    post.relay.go_on.set()
    cut = {mail.id for mail in post.relay.mails}
    assert sorted(states(folder)[id_] for id_ in cut) == ["sending", "sending"]
    (safety,) = post.of("mail", life_safety=True)
    (ordinary,) = post.of("mail", life_safety=False)
    with Run(folder, 1) as run:
        until(run, lambda: set(states(folder).values()) == {"sent"})
        run.kill()
    again = [mail for mail in post.relay.mails if mail.id == safety]
    assert len(again) == 2
    assert ["可能重複 possible repeat" in mail.body for mail in again] == [False, True]
    assert post.of("mail", life_safety=False) == [ordinary]
    assert post.of("hook", life_safety=False) == [ordinary]


@pytest.mark.timeout(180)
def test_killed_at_any_moment_nothing_is_lost_and_only_life_safety_comes_twice(folder: Path, post: Post) -> None:
    moments = random.Random(SEED)
    for turn in range(KILLS):
        with Run(folder, turn) as run:
            if turn == 0:
                until(run, lambda: states(folder) or post.relay.mails)
            threading.Event().wait(moments.uniform(0.0, 0.4))
            run.kill()
    with Run(folder, KILLS) as run:
        until(run, lambda: len(states(folder)) == 3 and set(states(folder).values()) <= {"sent", "unknown"})
        run.kill()
    for (channel, id_), count in post.ids().items():
        if id_.count("~") == 3:
            marked = [m for m in post.relay.mails if m.id == id_ and "可能重複" in m.body] if channel == "mail" else []
            assert count == 1 or channel == "hook" or len(marked) >= count - 1
        else:
            assert count == 1, (channel, id_, count)
    assert post.of("mail", life_safety=True)
    assert post.of("hook", life_safety=True)
    # Killed between on both ways it may have come by neither: then it says so, and is not sent a third time.
    arrived = post.of("mail", life_safety=False) + post.of("hook", life_safety=False)
    assert arrived or "unknown" in states(folder).values()
