from __future__ import annotations

import asyncio
import threading
import unicodedata
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher

from controller.clock import VirtualClock
from controller.errors import InvalidError, UnavailableError
from controller.identity.lockout import Lockout
from controller.identity.password import COMMON, MINIMUM, PasswordVault, check_policy

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def vault() -> Iterator[PasswordVault]:
    made = PasswordVault(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1), workers=1, waiting=2)
    yield made
    made.close()


@pytest.mark.parametrize(
    "password",
    ["", "short", "elevenchars", "passwordpassword", "PasswordPassword", "aaaaaaaaaaaaaaaa", "wang.hm12345", "x" * 257],
)
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(InvalidError):
        check_policy(password, "wang.hm")


@pytest.mark.parametrize("password", ["four quiet words here", "冰水主機房的鑰匙在抽屜裡面", "tr0ub4dor&3-and-more"])
def test_long_ones_are_taken(password: str) -> None:
    check_policy(password, "wang.hm")


def test_list_of_common_ones_is_long_enough_to_matter() -> None:
    assert all(len(word) >= MINIMUM - 1 for word in COMMON)
    assert len(COMMON) > 60


async def test_hash_is_argon2id_and_hides_the_password(vault: PasswordVault) -> None:
    stored = await vault.hash("four quiet words here")
    assert stored.startswith("$argon2id$")
    assert "quiet" not in stored
    assert await vault.hash("four quiet words here") != stored
    assert await vault.verify(stored, "four quiet words here")
    assert not await vault.verify(stored, "four quiet words herE")
    assert not await vault.verify(None, "four quiet words here")
    assert not await vault.verify("rubbish", "four quiet words here")
    assert await vault.used([stored], "four quiet words here")


async def test_same_word_typed_on_another_keyboard(vault: PasswordVault) -> None:
    stored = await vault.hash(unicodedata.normalize("NFD", "café au lait très chaud"))
    assert await vault.verify(stored, unicodedata.normalize("NFC", "café au lait très chaud"))


async def test_hashing_is_off_the_loop_and_bounded() -> None:
    gate, inside = threading.Event(), threading.Event()

    class Slow(PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            inside.set()
            assert gate.wait(10)
            return super().hash(password, salt=salt)

    vault = PasswordVault(Slow(time_cost=1, memory_cost=8, parallelism=1), workers=1, waiting=2)
    tasks = [asyncio.create_task(vault.hash("four quiet words here")) for _ in range(3)]
    assert await asyncio.to_thread(inside.wait, 10), "the loop turns while a thread hashes"
    with pytest.raises(UnavailableError, match="try again"):
        await vault.hash("four quiet words here")
    gate.set()
    assert len(await asyncio.gather(*tasks)) == 3
    vault.close()


def test_lockout_is_for_the_pair_and_ends() -> None:
    clock = VirtualClock()
    lockout = Lockout(clock)
    assert [lockout.fail("wang", "a") for _ in range(5)] == [False] * 4 + [True]
    assert lockout.remaining("wang", "a") == 900
    assert lockout.remaining("wang", "b") == 0
    assert lockout.remaining("chen", "a") == 0
    clock.jump(86_400)
    assert lockout.remaining("wang", "a") == 900, "setting the calendar opens nothing"
    clock.move(900)
    assert lockout.remaining("wang", "a") == 0
    assert lockout.fail("wang", "a") is False, "a new count begins"


def test_lockout_forgets_after_success_and_what_was_no_failure() -> None:
    lockout = Lockout(VirtualClock())
    for _ in range(20):
        for _ in range(4):
            lockout.fail("wang", "a")
        lockout.succeed("wang", "a")
    for _ in range(20):
        lockout.fail("wang", "a")
        lockout.forgive("wang", "a")
    assert lockout.remaining("wang", "a") == 0


def test_lockout_does_not_grow_without_end() -> None:
    lockout = Lockout(VirtualClock())
    for n in range(20_010):
        lockout.fail(f"user{n}", "a")
    assert lockout.dropped == 10
