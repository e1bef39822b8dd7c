"""The document key: the installation's own seal on the reports that leave it (PAdES).

The key and its certificate lie in two PEM files. The supervisor makes them at the first start; a
site may name its own, then the certificate's file holds the chain after the certificate.
"""

import io
from dataclasses import dataclass
from typing import Any

from asn1crypto import keys as asn1_keys
from asn1crypto import pem, x509
from django.conf import settings
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers.pdf_signer import (
    DSSContentSettings,
    PdfSignatureMetadata,
    SigDSSPlacementPreference,
)
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from audit import keys
from audit.exports.filters import ExportRefused

FIELD = "Installation"


@dataclass(frozen=True, slots=True)
class DocumentSeal:
    """A key that signs documents, its certificate (DER) and those above it."""

    key: asn1_keys.PrivateKeyInfo
    chain: tuple[x509.Certificate, ...]

    @property
    def certificate(self) -> bytes:
        return self.chain[0].dump()

    @classmethod
    def of_installation(cls) -> "DocumentSeal":
        """Return this installation's; raises ExportRefused when there is none that may be used."""
        try:
            keys.check_private(settings.DOCUMENT_KEY_FILE)
            key = settings.DOCUMENT_KEY_FILE.read_bytes()
            chain = settings.DOCUMENT_CERTIFICATE_FILE.read_bytes()
        except (keys.KeyRefused, OSError) as error:
            raise ExportRefused(
                f"the document key cannot be used: {error}; leave the PDF report out, or restore "
                "the key and start the installation again"
            ) from error
        return cls(_private_key(key), certificates(chain))

    def sign(self, document: bytes, *, reason: str) -> bytes:
        """Return the PDF with a signature over all of it, what validates it included.

        The chain travels in the document's security store, in the signed revision itself: so
        whatever is added behind the signature shows.
        """
        told = PdfSignatureMetadata(
            field_name=FIELD,
            reason=reason,
            name=self.chain[0].subject.native.get("common_name"),
            md_algorithm="sha256",
            subfilter=SigSeedSubFilter.PADES,
            certify=True,
            docmdp_permissions=MDPPerm.NO_CHANGES,
            embed_validation_info=True,
            validation_context=context(self.chain[-1:], self.chain[1:]),
            dss_settings=DSSContentSettings(
                include_vri=False,
                skip_if_unneeded=False,
                placement=SigDSSPlacementPreference.TOGETHER_WITH_SIGNATURE,
            ),
        )
        signed = io.BytesIO()
        writer = IncrementalPdfFileWriter(io.BytesIO(document))
        signers.PdfSigner(told, self._signer()).sign_pdf(writer, output=signed)
        return signed.getvalue()

    def _signer(self) -> signers.SimpleSigner:
        registry = SimpleCertificateStore()
        registry.register_multiple(self.chain)
        return signers.SimpleSigner(self.chain[0], self.key, registry)


def certificates(text: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a PEM file, or the one of a DER file, in their order."""
    if not pem.detect(text):
        return (x509.Certificate.load(text, strict=True),)
    found = [der for kind, _, der in pem.unarmor(text, multiple=True) if kind == "CERTIFICATE"]
    if not found:
        raise ExportRefused("the file of the document certificate holds no certificate")
    return tuple(x509.Certificate.load(der, strict=True) for der in found)


def context(
    roots: tuple[x509.Certificate, ...], others: Any = (), **options: Any
) -> ValidationContext:
    """Return what a signature is validated with: nothing is fetched from a network."""
    return ValidationContext(
        trust_roots=list(roots), other_certs=list(others), allow_fetching=False, **options
    )


def _private_key(text: bytes) -> asn1_keys.PrivateKeyInfo:
    _, _, der = pem.unarmor(text)
    return asn1_keys.PrivateKeyInfo.load(der, strict=True)
