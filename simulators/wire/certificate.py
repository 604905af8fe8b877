"""The certificates of an OPC UA server and of its one client."""

from __future__ import annotations

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

    from simulators.wire.credential import Credentials

__all__ = ["CLIENT_URI", "SERVER_URI", "issue"]

SERVER_URI = "urn:taipei-city-hall:ddc:server"
CLIENT_URI = "urn:taipei-city-hall:shifu"
_NAMES = {"countryName": "TW", "localityName": "Taipei", "organizationName": "Taipei City Hall (simulated)"}
_DAYS = 30


def issue(credentials: Credentials) -> None:
    """Write the two key pairs (RSA 2048, valid 30 days), unless an earlier process of the same server did."""
    _pair(credentials.server, "ddc-server", SERVER_URI, ExtendedKeyUsageOID.SERVER_AUTH)
    _pair(credentials.client, "ddc-client", CLIENT_URI, ExtendedKeyUsageOID.CLIENT_AUTH)


def _pair(paths: tuple[Path, Path], name: str, uri: str, usage: x509.ObjectIdentifier) -> None:
    certificate_path, key_path = paths
    if certificate_path.exists():
        return
    key = generate_private_key()
    alternative = [x509.UniformResourceIdentifier(uri), x509.DNSName("localhost")]
    certificate = generate_self_signed_app_certificate(key, name, _NAMES, alternative, [usage], _DAYS)
    key_path.touch(mode=0o600)
    key_path.write_bytes(dump_private_key_as_pem(key))
    certificate_path.write_bytes(certificate.public_bytes(Encoding.PEM))
