"""Certificates and a password made anew for each start: nothing secret lies in the repository."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncua.crypto.cert_gen import (
    dump_private_key_as_pem,
    generate_private_key,
    generate_self_signed_app_certificate,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SERVER_URI", "Credentials", "issue"]

SERVER_URI = "urn:taipei-city-hall:ddc:server"
CLIENT_URI = "urn:taipei-city-hall:shifu"
_NAMES = {"countryName": "TW", "localityName": "Taipei", "organizationName": "Taipei City Hall (simulated)"}
_DAYS = 30


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files and login of one OPC UA server and of its one client."""

    server_certificate: Path
    server_key: Path
    client_certificate: Path
    client_key: Path
    user: str
    password: str

    def secrets(self) -> dict[str, str]:
        """Return what a client needs, in the words of the endpoint map."""
        return {
            "user": self.user,
            "password": self.password,
            "ca": str(self.server_certificate),
            "certificate": str(self.client_certificate),
            "private_key": str(self.client_key),
        }


def issue(folder: Path) -> Credentials:
    """Write two key pairs (RSA 2048, valid 30 days) and choose a password; takes about half a second."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    server = _pair(folder, "ddc-server", SERVER_URI, ExtendedKeyUsageOID.SERVER_AUTH)
    client = _pair(folder, "ddc-client", CLIENT_URI, ExtendedKeyUsageOID.CLIENT_AUTH)
    return Credentials(*server, *client, user="shifu", password=secrets.token_urlsafe(24))


def _pair(folder: Path, name: str, uri: str, usage: x509.ObjectIdentifier) -> tuple[Path, Path]:
    key = generate_private_key()
    alternative = [x509.UniformResourceIdentifier(uri), x509.DNSName("localhost")]
    certificate = generate_self_signed_app_certificate(key, name, _NAMES, alternative, [usage], _DAYS)
    certificate_path, key_path = folder / f"{name}.pem", folder / f"{name}.key.pem"
    certificate_path.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_path.touch(mode=0o600)
    key_path.write_bytes(dump_private_key_as_pem(key))
    return certificate_path, key_path
