"""Certificates of the HTTPS server: one made here (`shifu tls init`), and the expiry of any.

A self-signed certificate with an ECDSA P-256 key: browsers ask once, or the station's trust store is given the file.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controller.errors import ConflictError, InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from drivers.driver import Clock

__all__ = ["CertificateInfo", "check_pair", "make_certificate", "read_certificate"]


@dataclass(frozen=True, slots=True)
class CertificateInfo:
    """What a person wants to know of a certificate."""

    subject: str
    names: tuple[str, ...]
    not_before_ns: int
    not_after_ns: int
    fingerprint: str
    """SHA-256, upper-case hex pairs with colons, as browsers show it."""

    def days_left(self, clock: Clock) -> float:
        """Return the days until it expires; negative after it."""
        return (self.not_after_ns - clock.now_ns()) / 86_400e9


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not name or len(name) > 253 or not all(part and part.isascii() for part in name.split(".")) or "/" in name:
        raise InvalidError(f"{name!r} is neither an IP address nor a DNS name; give names such as shifu.example.gov.tw")
    return x509.DNSName(name)


def make_certificate(
    certificate: Path, private_key: Path, names: Sequence[str], clock: Clock, days: int = 825
) -> CertificateInfo:
    """Write a self-signed server certificate and its key (mode 0600). `names` are DNS names and IP addresses.

    825 days is the longest that Apple's and others' trust rules take for a certificate that a person installed.

    Raises:
        InvalidError: no name, or one that is neither DNS name nor address.
        ConflictError: one of the files exists; it is never overwritten.
    """
    if not names:
        raise InvalidError("a certificate needs at least one name; give the host names under which browsers call it")
    alternatives = [_general_name(name) for name in names]
    for path in (certificate, private_key):
        if path.exists():
            raise ConflictError(f"{path} exists; move it away first, it is never overwritten")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now = dt.datetime.fromtimestamp(clock.now_ns() // 1_000_000_000, dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    for path in (certificate, private_key):
        path.parent.mkdir(parents=True, exist_ok=True)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(private_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return _describe(built)


def read_certificate(path: Path) -> CertificateInfo:
    """Read what a PEM file says.

    Raises:
        InvalidError: the file is missing or holds no certificate.
    """
    try:
        return _describe(x509.load_pem_x509_certificate(path.read_bytes()))
    except OSError as error:
        raise InvalidError(f"certificate {path}: {error.strerror}; give a readable PEM file") from error
    except ValueError as error:
        raise InvalidError(f"certificate {path} holds no PEM certificate; make one with `shifu tls init`") from error


def check_pair(certificate: Path, private_key: Path, clock: Clock) -> CertificateInfo:
    """Check before the server starts that both files can be read, fit each other and have not expired.

    Raises:
        InvalidError: with the file and what to do.
    """
    info = read_certificate(certificate)
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, private_key)
    except ssl.SSLError as error:
        raise InvalidError(f"{private_key} is not the key of {certificate} ({error.reason}); give the pair") from error
    except OSError as error:
        raise InvalidError(f"private key {private_key}: {error.strerror}; give a readable PEM file") from error
    if info.days_left(clock) < 0:
        raise InvalidError(f"{certificate} has expired; renew it, or make one with `shifu tls init`")
    return info


def _describe(certificate: x509.Certificate) -> CertificateInfo:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = tuple(str(name.value) for name in extension.value)
    except x509.ExtensionNotFound:
        names = ()
    return CertificateInfo(
        certificate.subject.rfc4514_string(),
        names,
        int(certificate.not_valid_before_utc.timestamp()) * 1_000_000_000,
        int(certificate.not_valid_after_utc.timestamp()) * 1_000_000_000,
        certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
    )
