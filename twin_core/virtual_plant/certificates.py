"""Certificates of OPC UA applications and the lists of whom a plant trusts.

A folder holds, for each application, ``NAME.cert.pem`` and ``NAME.key.pem`` (mode 0600), and two
lists: ``trusted/readers`` and ``trusted/writers``, one certificate a file. Certificates are self
signed: trust is the list, not the issuer. The file suffix must be ``.pem``, because the OPC UA
library reads DER otherwise.
"""

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

URI_PREFIX = "urn:pharma-digital-twin"
CONNECTOR, GATE = "connector", "gate"
READERS, WRITERS = "trusted/readers", "trusted/writers"
VALID = timedelta(days=825)


class CertificateFolderInvalid(ValueError):
    """The folder cannot be used; the text names the file and says why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Where the certificate and the key of one application lie, and what it is called."""

    certificate: Path
    key: Path
    uri: str


def prepare(folder: Path, plants: Iterable[str]) -> None:
    """Make what is missing: identities of plants, connector and gate, and the two lists."""
    for plant in plants:
        ensure_identity(folder, plant, f"{URI_PREFIX}:plant:{plant}")
    reader = ensure_identity(folder, CONNECTOR, f"{URI_PREFIX}:{CONNECTOR}")
    writer = ensure_identity(folder, GATE, f"{URI_PREFIX}:{GATE}")
    trust(reader.certificate, folder / READERS)
    trust(writer.certificate, folder / WRITERS)


def ensure_identity(folder: Path, name: str, uri: str) -> Identity:
    """Return the identity of this name; make key and certificate when neither exists."""
    identity = Identity(folder / f"{name}.cert.pem", folder / f"{name}.key.pem", uri)
    present = (identity.certificate.is_file(), identity.key.is_file())
    if any(present) and not all(present):
        raise CertificateFolderInvalid(
            f"{folder}: {name} has a certificate or a key but not both; remove it to make new ones"
        )
    if not all(present):
        _make(identity, name)
    return identity


def trust(certificate: Path, into: Path) -> None:
    """Put a copy of a certificate into a list of trust."""
    into.mkdir(parents=True, exist_ok=True)
    _write(into / certificate.name, certificate.read_bytes(), mode=0o644)


def listed(folder: Path) -> dict[str, x509.Certificate]:
    """Return the certificates of one list by file name; a file that is none is an error."""
    found = {}
    for path in sorted(folder.glob("*.pem")):
        try:
            found[path.name] = x509.load_pem_x509_certificate(path.read_bytes())
        except ValueError as error:
            raise CertificateFolderInvalid(f"{path}: is no certificate in PEM: {error}") from error
    return found


def _make(identity: Identity, name: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = _self_signed(key, name, identity.uri)
    identity.key.parent.mkdir(parents=True, exist_ok=True)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(identity.key, private, mode=0o600)
    _write(identity.certificate, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _self_signed(key: rsa.RSAPrivateKey, name: str, uri: str) -> x509.Certificate:
    """Return an application instance certificate as OPC 10000-6 asks for it."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    hosts = dict.fromkeys(("localhost", socket.gethostname()))
    names = [x509.UniformResourceIdentifier(uri), *(x509.DNSName(host) for host in hosts)]
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file that never existed with wider rights or half of its content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
