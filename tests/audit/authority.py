"""A time authority for tests: a root, a certificate for stamping, and answers of every quality."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from asn1crypto import keys as asn1_keys
from asn1crypto import tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.sign.timestamps import DummyTimeStamper

DER = serialization.Encoding.DER
DAY = timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class TestAuthority:
    """Answers RFC 3161 requests; ``now`` is its clock."""

    __test__ = False

    def __init__(self, name: str = "Time of Tests", *, valid_from: datetime | None = None) -> None:
        self.begins = valid_from or datetime.now(UTC) - DAY
        self.ends = self.begins + 365 * DAY
        root_key, self.key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        self.root = self._certificate(f"{name} root", f"{name} root", root_key, root_key, None)
        self.certificate = self._certificate(name, f"{name} root", self.key, root_key, self.root)
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def _certificate(self, subject, issuer, key, signing_key, parent) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.begins)
            .not_valid_after(self.ends)
            .add_extension(x509.BasicConstraints(ca=parent is None, path_length=None), True)
        )
        if parent is not None:
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(signing_key, hashes.SHA256())

    @property
    def roots(self) -> bytes:
        return self.root.public_bytes(serialization.Encoding.PEM)

    def answer(self, request: bytes) -> bytes:
        """Return the response (DER) to a request (DER)."""
        certificate = asn1_x509.Certificate.load(self.certificate.public_bytes(DER))
        private = self.key.private_bytes(
            DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        stamper = DummyTimeStamper(
            certificate, asn1_keys.PrivateKeyInfo.load(private), fixed_dt=self.now()
        )
        return stamper.request_tsa_response(tsp.TimeStampReq.load(request)).dump()

    @staticmethod
    def refusal() -> bytes:
        """Return a response that says no: PKIStatus 2, rejection, and no token."""
        return bytes.fromhex("3005 3003 020102")
