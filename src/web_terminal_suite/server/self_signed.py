"""A certificate that the server makes for itself, kept for the next start, so that a browser need accept it only once.

Nobody vouches for it: browsers warn, and programs have to be given it as their CA.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.server.settings import PUBLIC_URL
from web_terminal_suite.server.tls import TlsProblem

if TYPE_CHECKING:
    from cryptography import x509

    from web_terminal_suite.server.settings import Settings

_VALID = datetime.timedelta(days=90)
# One that is valid no longer than this is made anew at the start.
_LEAST = datetime.timedelta(days=14)
# Clocks of clients may be behind.
_BEFORE = datetime.timedelta(hours=1)
_ANY = ("0.0.0.0", "::", "")


def with_certificate(settings: Settings) -> tuple[Settings, str]:
    """The settings with the files of a certificate for its names, and what to tell whom starts the server.

    Raises:
        TlsProblem: cryptography is not installed, or the files cannot be written.
    """
    try:
        import cryptography  # noqa: F401  # asked for once, here
    except ImportError as error:
        raise TlsProblem(
            "tls_self_signed needs cryptography; install it with: pip install 'web-terminal-suite[tls]', or give a "
            "certificate with tls_cert and tls_key"
        ) from error
    directory = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "web-terminal" / "tls"
    cert, key = directory / "self-signed.pem", directory / "self-signed.key"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = _kept(cert, key, _names(settings)) or _made(cert, key, _names(settings))
    except OSError as error:
        raise TlsProblem(f"tls_self_signed: {error.filename!r}: {(error.strerror or str(error)).lower()}") from error
    told = (
        f"self-signed certificate {cert}, SHA-256 {_fingerprint(found)}\n"
        f"browsers warn of it; programs trust it with SSL_CERT_FILE={cert}"
    )
    return msgspec.structs.replace(settings, tls_cert=str(cert), tls_key=str(key), tls_self_signed=False), told


def _names(settings: Settings) -> frozenset[str]:
    """Everything that clients may call this server."""
    public = PUBLIC_URL.fullmatch(settings.public_url)
    told = {settings.host.strip("[]"), *settings.allow_hosts, *([public["host"].strip("[]")] if public else [])}
    named = {name for name in told if name not in _ANY and "*" not in name}
    return frozenset({"localhost", "127.0.0.1", "::1", socket.gethostname(), *named})


def _kept(cert: Path, key: Path, names: frozenset[str]) -> x509.Certificate | None:
    """The one made at an earlier start, if it still serves."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(cert.read_bytes())
        san = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return None
    covered = {*san.get_values_for_type(x509.DNSName), *map(str, san.get_values_for_type(x509.IPAddress))}
    now = datetime.datetime.now(datetime.UTC)
    serves = names <= covered and found.not_valid_before_utc <= now < found.not_valid_after_utc - _LEAST
    return found if serves and key.is_file() else None


def _made(cert: Path, key: Path, names: frozenset[str]) -> x509.Certificate:
    """A new one, in these files."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    private = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web-terminal, self-signed")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([_general(each) for each in sorted(names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )
    kept = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # The key first: a server that starts at the same time finds a certificate only with its key.
    for path, content in ((key, kept), (cert, made.public_bytes(serialization.Encoding.PEM))):
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        new.replace(path)
    return made


def _general(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _fingerprint(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives import hashes

    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()
