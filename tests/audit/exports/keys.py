"""A document key that is not the installation's."""

from asn1crypto import keys, x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from audit.exports.copies.document_seal import DocumentSeal
from twin_core.supervisor.secrets import document_certificate


def another_seal(name: str = "elsewhere/ledger") -> DocumentSeal:
    """Return a seal with a key made now, under a name of one's choice."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = document_certificate(key, name)
    private = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    return DocumentSeal(keys.PrivateKeyInfo.load(private), (x509.Certificate.load(der),))
