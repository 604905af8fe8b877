"""Security of a connection: Basic256Sha256, signed and encrypted, with a server certificate that the site trusts.

Nothing here falls back: without a trusted certificate there is no connection, unless the device's option
`security = "none"` says in the configuration that the line is open. The server is asked for its certificate over an
unencrypted discovery call (Part 4, 5.5.4 allows it, and no secret travels in it); it is trusted when it is in the `ca`
file itself, or was signed by an authority in it and may act as a server; and it must be valid now.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.crypto import security_policies, uacrypto
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from drivers.errors import NotTrustedError, ProfileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncua.client.client import Client

    from drivers.driver import Device

__all__ = ["Credentials", "check_server", "credentials_of", "secure"]

_POLICIES = {
    "basic256sha256": security_policies.SecurityPolicyBasic256Sha256,
    "aes256_sha256_rsapss": security_policies.SecurityPolicyAes256Sha256RsaPss,
    "none": None,
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a site gives for one server."""

    security: str = "basic256sha256"
    """`basic256sha256`, `aes256_sha256_rsapss` (both sign and encrypt) or `none`."""
    certificate: str = ""
    private_key: str = ""
    private_key_password: str = ""
    ca: str = ""
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.security}, user={self.user!r})"


def credentials_of(devices: Sequence[Device]) -> Credentials:
    """Take the credentials from the devices of one connection; they must agree.

    Raises:
        ProfileError: they differ, or `security` is no known word.
    """
    first = devices[0]
    for device in devices:
        same = dict(device.secrets) == dict(first.secrets)
        if not same or device.options.get("security") != first.options.get("security"):
            raise ProfileError(f"devices {first.id} and {device.id}: one connection, but different secrets or security")
    security = first.options.get("security", "basic256sha256")
    if not isinstance(security, str) or security not in _POLICIES:
        raise ProfileError(
            f"device {first.id}: option security: got {security!r}, wanted one of {', '.join(_POLICIES)}"
        )
    given = first.secrets
    return Credentials(
        security=security,
        certificate=given.get("certificate", ""),
        private_key=given.get("private_key", ""),
        private_key_password=given.get("private_key_password", ""),
        ca=given.get("ca", "") or given.get("server_certificate", ""),
        user=given.get("user", ""),
        password=given.get("password", ""),
    )


async def secure(client: Client, credentials: Credentials, endpoint: str, now_ns: int) -> None:
    """Prepare `client` for a secure channel to a server that is checked first.

    Raises:
        NotTrustedError: a file is missing, the server does not offer the policy, or its certificate is not trusted.
    """
    if credentials.user:
        client.set_user(credentials.user)
        client.set_password(credentials.password)
    policy = _POLICIES[credentials.security]
    if policy is None:
        return
    for name in ("certificate", "private_key", "ca"):
        if not getattr(credentials, name):
            raise NotTrustedError(
                f"{endpoint}: no {name} is given, and the connection must be encrypted; give it in the device's "
                f'secrets, or say security = "none" in its options'
            )
    own = (await _load(credentials.certificate, endpoint))[0]
    _check_dates(own, now_ns, f"{endpoint}: our own certificate {credentials.certificate}")
    trusted = await _load(credentials.ca, endpoint)
    uris = _uris(own)
    if uris:
        client.application_uri = uris[0]  # the server compares it with the certificate's
    offered = await client.connect_and_get_server_endpoints()
    wanted = [
        one
        for one in offered
        if one.SecurityPolicyUri == policy.URI and one.SecurityMode == ua.MessageSecurityMode.SignAndEncrypt
    ]
    if not wanted or not wanted[0].ServerCertificate:
        have = sorted({f"{one.SecurityPolicyUri.rpartition('#')[2]} {one.SecurityMode.name}" for one in offered})
        raise NotTrustedError(
            f"{endpoint}: the server does not offer {credentials.security} sign and encrypt; "
            f"it offers {', '.join(have)}"
        )
    first = _first(wanted[0].ServerCertificate)
    check_server(x509.load_der_x509_certificate(first), trusted, endpoint, now_ns)
    key = await _read(credentials.private_key, endpoint)
    form = "pem" if b"-----BEGIN" in key else "der"
    await client.set_security(
        policy,
        certificate=uacrypto.CertProperties(own.public_bytes(Encoding.DER), "der"),
        private_key=uacrypto.CertProperties(key, form, credentials.private_key_password or None),
        server_certificate=uacrypto.CertProperties(first, "der"),
        mode=ua.MessageSecurityMode.SignAndEncrypt,
    )


def check_server(server: x509.Certificate, trusted: Sequence[x509.Certificate], endpoint: str, now_ns: int) -> None:
    """Check that a server's certificate is valid now and trusted.

    Raises:
        NotTrustedError: it is not, with who it is and what to do.
    """
    who = f"{endpoint}: the server's certificate {server.subject.rfc4514_string()!r}"
    _check_dates(server, now_ns, who)
    if any(server == one for one in trusted):
        return
    for authority in trusted:
        try:
            server.verify_directly_issued_by(authority)
        except (InvalidSignature, ValueError, TypeError):
            continue
        _check_dates(authority, now_ns, f"{endpoint}: the authority {authority.subject.rfc4514_string()!r}")
        if not _may_sign(authority):
            raise NotTrustedError(f"{who} was signed by a certificate that is no authority")
        if not _may_serve(server):
            raise NotTrustedError(f"{who} may not act as a server (extended key usage)")
        return
    raise NotTrustedError(
        f"{who} is not trusted (SHA-256 {_fingerprint(server)}). If it is the right one, add it, or the authority that "
        f"signed it, to the `ca` file"
    )


def _check_dates(certificate: x509.Certificate, now_ns: int, who: str) -> None:
    now = datetime.fromtimestamp(now_ns / 1e9, UTC)
    if now > certificate.not_valid_after_utc:
        raise NotTrustedError(f"{who} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; it must be renewed")
    if now < certificate.not_valid_before_utc:
        raise NotTrustedError(
            f"{who} is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on; check the clocks"
        )


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _may_serve(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.SERVER_AUTH in usage


def _uris(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA256()).hex()


def _first(chain: bytes) -> bytes:
    """Return the first of concatenated DER certificates (Part 6, 6.2.6: the server's own comes first)."""
    if len(chain) > 4 and chain[0] == 0x30 and chain[1] == 0x82:
        return chain[: 4 + int.from_bytes(chain[2:4], "big")]
    return chain


async def _load(path: str, endpoint: str) -> list[x509.Certificate]:
    raw = await _read(path, endpoint)
    try:
        if b"-----BEGIN" in raw:
            return x509.load_pem_x509_certificates(raw)
        return [x509.load_der_x509_certificate(raw)]
    except ValueError as error:
        raise NotTrustedError(f"{endpoint}: certificate file {path}: {error}") from error


async def _read(path: str, endpoint: str) -> bytes:
    try:
        return await asyncio.to_thread(Path(path).read_bytes)
    except OSError as error:
        raise NotTrustedError(f"{endpoint}: file {path}: {error.strerror}") from error
