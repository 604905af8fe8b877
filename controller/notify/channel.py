"""What a channel is to the notifier: something that takes a message and says what became of it, within 20 s.

Each channel has two threads of its own, because the libraries block: one that hangs holds up nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from controller.notify.notice import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["REDIRECTED", "THREADS", "Channel", "Parcel", "Threads"]

_log = logging.getLogger(__name__)

THREADS = 2
LIMIT_S = 20.0
"""An attempt that takes longer is of unknown fate; the libraries give up after 10 s of silence by themselves."""

REDIRECTED = "the receiver answered with another address (a redirect), which is not followed"
"""Where a message may go was checked when the file was read; an answer must not lead it elsewhere."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message ready to go."""

    id: str
    title: str
    body: str
    urgent: bool
    to: str = field(default="", repr=False)
    attachments: tuple[str, ...] = ()
    """Paths of files, for channels that take them."""
    payload: dict[str, Any] = field(default_factory=dict, repr=False)
    """What a push message carries."""
    keys: dict[str, Any] = field(default_factory=dict, repr=False)
    """Endpoint and keys of a phone."""


class Channel(Protocol):
    """One way out of the house."""

    async def send(self, parcel: Parcel) -> Outcome:
        """Send one message, once; never raises."""

    def close(self) -> None:
        """Let the threads go; does not wait for one that hangs."""


class Threads:
    """Runs what blocks, with a limit of time; a thread that hangs past it is left to its library's time-outs."""

    def __init__(self, name: str) -> None:
        """Make the threads when they are first needed."""
        self._name = name
        self._pool = ThreadPoolExecutor(THREADS, f"notify-{name}")

    async def run(self, work: Callable[[Parcel], Outcome], parcel: Parcel) -> Outcome:
        """Return what `work` says; `unknown` after `LIMIT_S`, `failed` when it raised."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, work, parcel)
        try:
            async with asyncio.timeout(LIMIT_S):
                return await future
        except TimeoutError:
            return Outcome("unknown", f"no answer within {LIMIT_S:g} s")
        except Exception as error:  # noqa: BLE001 - a library that breaks must not stop the messages
            # Its words may hold an address with a secret: only the kind of error is told.
            _log.error("channel %s failed: %s", self._name, type(error).__name__)
            return Outcome("failed", f"the channel failed: {type(error).__name__}")

    def close(self) -> None:
        """Stop without waiting."""
        self._pool.shutdown(wait=False, cancel_futures=True)
