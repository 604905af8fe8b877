"""Passwords: policy, and argon2id off the event loop.

One hash costs about 64 MiB and 50 ms (the library's default, RFC 9106 section 4, second recommended option), so hashing
runs in a small thread pool, and beyond a bounded number of waiting callers it is refused instead of queued.
"""

from __future__ import annotations

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from controller.errors import InvalidError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["COMMON", "MAXIMUM", "MINIMUM", "REMEMBERED", "PasswordVault", "check_policy"]

T = TypeVar("T")

MINIMUM = 12
"""Shortest password, characters (OWASP ASVS 2.1.1)."""
MAXIMUM = 256
"""Longest password, characters, so that nobody makes the server hash megabytes."""
REMEMBERED = 3
"""How many former passwords may not come back (附表十, authentication)."""

COMMON = frozenset(
    """
    123456789012 1234567890123 12345678901234 123456789123 123123123123 111111111111 000000000000 987654321098
    112233445566 121212121212 123454321234 abcdefghijkl abcd12345678 abc123456789 abcdef123456 a1b2c3d4e5f6
    aaaaaaaaaaaa 1q2w3e4r5t6y 1q2w3e4r5t6y7u 1qaz2wsx3edc 1qaz2wsx3edc4rfv 1qazxsw23edc qazwsxedcrfv zaq12wsxcde3
    zxcvbnm12345 qwertyuiop12 qwertyuiop123 qwertyuiop[] qwerty123456 qwerty12345678 qwertyqwerty qwertyasdfgh
    asdfghjkl123 password1234 password12345 password123456 passwordpassword p@ssw0rd1234 p@ssword1234 passw0rd1234
    password2024 password2025 password2026 mypassword12 changeme1234 changemenow1 changeme2026 letmein12345
    letmeinplease welcome12345 welcome123456 welcome2025! welcome2026! iloveyou1234 iloveyou12345 administrator
    administrator1 administrator123 admin1234567 admin12345678 admin@123456 adminadmin12 adminadminadmin root12345678
    rootrootroot operator1234 operator12345 engineer1234 engineer12345 superuser123 security1234 test12345678
    testtesttest demo12345678 default12345 footballfootball baseball1234 dragon123456 monkey123456 sunshine1234
    princess1234 superman1234 trustno1trustno1 correcthorsebatterystaple taipei123456 taipeicity123 taipeicityhall
    cityhall1234 shifushifushifu shifu1234567 building1234 controlroom1 controlroom123 maintenance1
    """.split()  # noqa: SIM905
)
"""Small offline list of passwords of twelve characters and more that are tried first; compared in lower case."""


def check_policy(password: str, username: str = "") -> None:
    """Refuse a weak new password; there are no character classes, length is what counts (NIST SP 800-63B 5.1.1.2).

    Raises:
        InvalidError: with the sentence for the person.
    """
    text = unicodedata.normalize("NFC", password)
    if len(text) < MINIMUM:
        raise InvalidError(f"the password has {len(text)} characters; use at least {MINIMUM}, such as four words")
    if len(text) > MAXIMUM:
        raise InvalidError(f"the password has {len(text)} characters; use at most {MAXIMUM}")
    lower = text.casefold()
    if lower in COMMON or len(set(lower)) < 5:
        raise InvalidError("the password is on the list of common ones; choose one that nobody else has")
    if len(username) >= 4 and username.casefold() in lower and len(lower) - len(username) < MINIMUM - 4:
        raise InvalidError("the password is little more than the user name; choose another")


class PasswordVault:
    """Hashes and verifies in `workers` threads; at most `waiting` callers beside those at work."""

    def __init__(self, hasher: PasswordHasher | None = None, workers: int = 2, waiting: int = 16) -> None:
        """Begin; `hasher` is given by tests that want it cheap."""
        self._hasher = hasher or PasswordHasher()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="argon2")
        self._limit = workers + waiting
        self._busy = 0
        self._decoy = ""

    async def hash(self, password: str) -> str:
        """Return the argon2id hash, with its parameters and salt in it.

        Raises:
            UnavailableError: too many sign-ins at once.
        """
        return await self._run(self._hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether the password fits; without a stored hash it costs the same time and is False.

        Raises:
            UnavailableError: too many sign-ins at once.
        """
        return await self._run(self._verify, stored, password)

    async def used(self, former: Sequence[str], password: str) -> bool:
        """Tell whether the password is one of the former ones."""
        for stored in former[-REMEMBERED:]:
            if await self.verify(stored, password):
                return True
        return False

    def outdated(self, stored: str) -> bool:
        """Tell whether the hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Stop the threads; running ones end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _hash(self, password: str) -> str:
        return self._hasher.hash(unicodedata.normalize("NFC", password))

    def _verify(self, stored: str | None, password: str) -> bool:
        if stored is None and not self._decoy:
            self._decoy = self._hasher.hash("no password fits this one")
        try:
            self._hasher.verify(stored or self._decoy, unicodedata.normalize("NFC", password))
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    async def _run(self, call: Callable[..., T], *arguments: object) -> T:
        if self._busy >= self._limit:
            raise UnavailableError("too many sign-ins at once; try again in a few seconds")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call, *arguments)
        finally:
            self._busy -= 1
