from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from controller.clock import SystemClock, VirtualClock
from controller.errors import ConflictError, InvalidError
from controller.identity.certificate import check_pair, make_certificate, read_certificate

if TYPE_CHECKING:
    from pathlib import Path


def test_made_certificate_has_the_names_and_a_private_key_for_the_owner_alone(tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls" / "cert.pem", tmp_path / "tls" / "key.pem"
    clock = SystemClock()
    made = make_certificate(certificate, key, ["shifu.example.gov.tw", "10.20.0.2", "::1"], clock)
    assert made.names == ("shifu.example.gov.tw", "10.20.0.2", "::1")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert 824 < made.days_left(clock) <= 825
    assert read_certificate(certificate) == made
    assert check_pair(certificate, key, clock) == made
    assert len(made.fingerprint.split(":")) == 32


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    key.write_text("precious")
    with pytest.raises(ConflictError, match="never overwritten"):
        make_certificate(certificate, key, ["localhost"], SystemClock())
    assert key.read_text() == "precious"
    assert not certificate.exists()


@pytest.mark.parametrize("names", [[], ["a/b"], ["a..b"], [""], ["臺北"]])
def test_wrong_names_are_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(InvalidError, match="name"):
        make_certificate(tmp_path / "cert.pem", tmp_path / "key.pem", names, SystemClock())


def test_wrong_files_are_named(tmp_path: Path) -> None:
    clock = SystemClock()
    make_certificate(tmp_path / "a.pem", tmp_path / "a.key", ["localhost"], clock)
    make_certificate(tmp_path / "b.pem", tmp_path / "b.key", ["localhost"], clock)
    with pytest.raises(InvalidError, match=r"b\.key is not the key of .*a\.pem"):
        check_pair(tmp_path / "a.pem", tmp_path / "b.key", clock)
    with pytest.raises(InvalidError, match=r"none\.pem"):
        check_pair(tmp_path / "none.pem", tmp_path / "b.key", clock)
    with pytest.raises(InvalidError, match=r"none\.key"):
        check_pair(tmp_path / "a.pem", tmp_path / "none.key", clock)
    with pytest.raises(InvalidError, match="no PEM certificate"):
        read_certificate(tmp_path / "a.key")


def test_expired_one_is_refused(tmp_path: Path) -> None:
    make_certificate(tmp_path / "a.pem", tmp_path / "a.key", ["localhost"], VirtualClock(), days=30)
    later = VirtualClock()
    later.jump(31 * 86_400)
    with pytest.raises(InvalidError, match="has expired"):
        check_pair(tmp_path / "a.pem", tmp_path / "a.key", later)
