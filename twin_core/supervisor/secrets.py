"""What the first start makes up: passwords, the web's secret key, the ledger's signing key.

Everything lies in ``keys/`` of the data folder, mode 0600. ``keys/secrets.json`` is the one home
of the passwords; the file ``env`` is written from it at each start.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID

from twin_core.supervisor.folder import DataFolder, write_private

DOCUMENTS_VALID = timedelta(days=3652)
USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def password() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Secrets:
    """One installation's secrets; a missing one is made up."""

    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(64), repr=False)
    application: str = field(default_factory=password, repr=False)
    sealer: str = field(default_factory=password, repr=False)
    gate: str = field(default_factory=password, repr=False)
    auditor: str = field(default_factory=password, repr=False)
    indexer: str = field(default_factory=password, repr=False)
    mlflow: str = field(default_factory=password, repr=False)
    valkey: str = field(default_factory=password, repr=False)
    ledger_origin: str = field(default_factory=lambda: f"localhost/ledger/{secrets.token_hex(4)}")


def load_or_make(folder: DataFolder) -> Secrets:
    """Return the folder's secrets, made and stored at the first call, and its signing key."""
    store = folder.keys / "secrets.json"
    known = json.loads(store.read_text()) if store.exists() else {}
    names = {f.name for f in fields(Secrets)}
    kept = Secrets(**{name: value for name, value in known.items() if name in names})
    if asdict(kept) != known:
        write_private(store, json.dumps(asdict(kept), indent=1) + "\n")
    make_ledger_key(folder, kept.ledger_origin)
    make_document_key(folder, kept.ledger_origin)
    make_secret_key(folder, "credential.key")
    make_secret_key(folder, "personal.key")
    return kept


def make_secret_key(folder: DataFolder, name: str) -> None:
    """Make a key for secrets or personal text in the database, unless there is one; never replace.

    A lost one is restored from the key backup: what stands under it would not open with another.
    """
    path = folder.keys / name
    if not path.exists():
        write_private(path, base64.b64encode(secrets.token_bytes(32)).decode() + "\n")


def make_ledger_key(folder: DataFolder, origin: str) -> None:
    """Make the Ed25519 key that signs checkpoints, unless there is one; never replace it."""
    private = folder.keys / "ledger.key"
    if private.exists():
        return
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(folder.keys / "ledger.pub", verifier_key(origin, key.public_key()) + "\n")
    write_private(private, pem.decode())


def make_document_key(folder: DataFolder, origin: str) -> None:
    """Make the key that seals exported documents, and its certificate, unless there is one.

    The certificate is self-signed: whoever checks a document is given it, or its fingerprint,
    another way. A site with its own authority names its own files in the settings.
    """
    private = folder.keys / "document.key"
    if private.exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = document_certificate(key, origin).public_bytes(serialization.Encoding.PEM)
    write_private(folder.keys / "document.pem", certificate.decode())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(private, pem.decode())


def document_certificate(key: ec.EllipticCurvePrivateKey, origin: str) -> x509.Certificate:
    """Return a certificate of the key for nothing but sealing documents."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Documents of {origin}"[:64])])
    now = datetime.now(UTC)
    usage = dict.fromkeys(USAGES, False) | {"digital_signature": True, "content_commitment": True}
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + DOCUMENTS_VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def verifier_key(name: str, public: Ed25519PublicKey) -> str:
    """Return the public key as C2SP signed-note text: name+key id+base64."""
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    typed = b"\x01" + raw  # 0x01: Ed25519
    key_id = hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]
    return f"{name}+{key_id.hex()}+{base64.b64encode(typed).decode()}"


def ledger_public_keys(keys: Path) -> list[tuple[str, str]]:
    """Return (name, key text) of each public key of the ledger, oldest first."""
    lines = (keys / "ledger.pub").read_text(encoding="utf-8").splitlines()
    return [(line.partition("+")[0], line) for line in lines if line and line[0] != "#"]
