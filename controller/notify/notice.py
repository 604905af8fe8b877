"""One message to one contact, and what becomes of it. Pure: every change is a function from one notice to the next.

States: `queued` → `sending` → `sent`, or `failed` when every way was tried in vain. `unknown`: it was on its way when
the controller died or the answer did not come; nobody can tell whether it arrived. `withdrawn`: the alarm was over or
acknowledged before it was sent. `grouped`: it is part of a message with a count.

- Life safety of unknown fate is sent again under the same id and marked as a possible repeat.
- Everything else is not: it goes by the contact's next way where there is one, and stays unknown where there is none.
- Life safety has one notice a way, all sent at once: push through a vendor's cloud is never the only one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EXERCISE",
    "FINAL",
    "OVER_TEXT",
    "VOID_TEXT",
    "Notice",
    "Outcome",
    "after",
    "crashed",
    "group_id",
    "notice_id",
    "sending",
    "withdrawn",
]

State = Literal["queued", "sending", "sent", "failed", "unknown", "withdrawn", "grouped"]
FINAL = frozenset({"sent", "failed", "unknown", "withdrawn", "grouped"})
"""States that no message leaves by itself."""
OVER_TEXT = "the alarm was over or acknowledged before"
EXERCISE = "exercise/"
"""With this the keys of a drill's posts begin; they are kept as long as its record."""
VOID_TEXT = "it was taken back before it was sent"
_URGENT_S = (5.0, 15.0)
"""Pauses before the second and third attempt on a way for life safety and priorities 1 and 2: the next way is tried
within 60 s even when each attempt takes its full 10 s."""
_ORDINARY_S = (30.0, 120.0)
_ROUND_S = 60.0
"""Life safety begins again with all its attempts after this pause, as long as nobody has acknowledged."""
_MOST_STEPS = 60
"""Lines of a notice's history; of a longer one the middle is left out."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt."""

    state: Literal["sent", "failed", "unknown", "refused"]
    """`refused`: trying again on this way is of no use."""
    text: str = ""
    """Why, in a sentence without a secret."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message in the outbox. Times are ns UTC."""

    id: str
    """Message id; the same message has the same one, however often it is sent."""
    kind: str
    """`raised`, `escalated`, `cleared`, `group`, `post` or `test`."""
    contact: str
    created_ns: int
    due_ns: int
    occurrence: str = ""
    alarm: str = ""
    area: str = ""
    priority: int = 4
    life_safety: bool = False
    state: State = "queued"
    way: int = 0
    """Number of the contact's way that is tried."""
    only: str = ""
    """The one channel that it goes by; empty: the contact's ways in their order."""
    channel: str = ""
    """Channel of the last attempt."""
    attempt: int = 0
    """Attempts on this way so far."""
    repeat: bool = False
    """It may have arrived already."""
    text: str = ""
    """What came of the last attempt."""
    changed_ns: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)
    """What it says, see `controller.notify.message`."""
    history: tuple[Mapping[str, Any], ...] = ()
    """Each change: `time_ns`, `state`, `channel`, `text`."""

    @property
    def urgent(self) -> bool:
        """Tell whether the next way is to be tried within a minute."""
        return self.life_safety or self.priority <= 2

    @property
    def drill(self) -> bool:
        """Tell whether it is of a drill: it goes after everything that is real."""
        return bool(self.data.get("drill"))


def notice_id(occurrence: str, contact: str, after_s: float, channel: str = "") -> str:
    """Return the id of an alarm's message to a contact; with a channel where each way has a message of its own."""
    return "~".join([occurrence, f"{after_s:g}", contact, *([channel] if channel else [])])


def group_id(contact: str, opened_ns: int) -> str:
    """Return the id of a message with a count."""
    return f"group~{opened_ns}~{contact}"


def _changed(notice: Notice, now_ns: int, **values: Any) -> Notice:
    new = replace(notice, changed_ns=now_ns, **values)
    line = {"time_ns": now_ns, "state": new.state, "channel": new.channel, "text": new.text}
    kept = notice.history if len(notice.history) < _MOST_STEPS else (*notice.history[:10], *notice.history[11:])
    return replace(new, history=(*kept, line))


def sending(notice: Notice, channel: str, now_ns: int) -> Notice:
    """Return the notice with an attempt begun; to be durable before the attempt is."""
    return _changed(notice, now_ns, state="sending", channel=channel, attempt=notice.attempt + 1, text="")


def withdrawn(notice: Notice, now_ns: int, text: str) -> Notice:
    """Return the notice, not sent and not to be sent."""
    return _changed(notice, now_ns, state="withdrawn", text=text)


def after(notice: Notice, outcome: Outcome, now_ns: int, *, ways: int, wanted: bool) -> Notice:
    """Return the notice after an attempt.

    Args:
        notice: in state `sending`.
        outcome: what came of it.
        now_ns: the time.
        ways: how many ways it has.
        wanted: its alarm still waits for somebody; life safety goes on as long as it does.
    """
    if outcome.state == "sent":
        return _changed(notice, now_ns, state="sent", text=outcome.text)
    if outcome.state == "unknown":
        return _lost(notice, now_ns, outcome.text, ways)
    pauses = _URGENT_S if notice.urgent else _ORDINARY_S
    if outcome.state == "failed" and notice.attempt <= len(pauses):
        due = now_ns + round(pauses[notice.attempt - 1] * 1e9)
        return _changed(notice, now_ns, state="queued", due_ns=due, text=outcome.text)
    if notice.way + 1 < ways:
        return _next_way(notice, now_ns, outcome.text)
    if notice.life_safety and wanted and outcome.state == "failed":
        due = now_ns + round(_ROUND_S * 1e9)
        return _changed(notice, now_ns, state="queued", way=0, attempt=0, due_ns=due, text=outcome.text)
    return _changed(notice, now_ns, state="failed", text=outcome.text)


def crashed(notice: Notice, now_ns: int, *, ways: int) -> Notice:
    """Return a notice whose attempt was under way when the controller died."""
    return _lost(notice, now_ns, "the controller stopped while it was being sent", ways)


def _lost(notice: Notice, now_ns: int, text: str, ways: int) -> Notice:
    unknown = _changed(notice, now_ns, state="unknown", text=text)
    if notice.life_safety:
        pauses = (*_URGENT_S, _ROUND_S)
        due = now_ns + round(pauses[min(notice.attempt, len(pauses)) - 1] * 1e9) if notice.repeat else now_ns
        return _changed(unknown, now_ns, state="queued", due_ns=due, repeat=True, text=text)
    return _next_way(unknown, now_ns, text) if notice.way + 1 < ways else unknown


def _next_way(notice: Notice, now_ns: int, text: str) -> Notice:
    return _changed(notice, now_ns, state="queued", way=notice.way + 1, attempt=0, due_ns=now_ns, text=text)
