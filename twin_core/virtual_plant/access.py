"""Who may speak to a plant, and who may write: by certificate, from two lists.

Encryption is not permission: a channel is open to whom the lists name, a write to whom the list
of writers names. What is in no list is refused, and so is an expired certificate.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AddressSpace, AttributeService
from asyncua.server.user_managers import UserManager
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from twin_core.virtual_plant.certificates import (
    READERS,
    WRITERS,
    CertificateFolderInvalid,
    listed,
)

READER, WRITER = "reader", "writer"
Writing = Callable[[ua.NodeId, ua.DataValue, str], Awaitable[ua.StatusCode]]


class TrustLists(UserManager):
    """Knows a peer by the certificate of its secure channel, not by what it says of itself."""

    def __init__(self, folder: Path) -> None:
        self._users: dict[bytes, tuple[User, x509.Certificate]] = {}
        for role, place in ((READER, READERS), (WRITER, WRITERS)):
            for name, certificate in listed(folder / place).items():
                key = certificate.public_bytes(Encoding.DER)
                if key in self._users:
                    raise CertificateFolderInvalid(f"{folder}: {name} is in both lists")
                user = User(role=UserRole.User, name=f"{role}:{name.removesuffix('.cert.pem')}")
                self._users[key] = (user, certificate)

    def get_user(
        self,
        iserver: Any,
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,
    ) -> User | None:
        """Return who this is; None refuses the session."""
        user, known = self._users.get(certificate, (None, None))
        return user if known is not None and _is_current(known) else None

    async def validate(self, certificate: x509.Certificate, application: Any) -> None:
        """Refuse a session early, with the reason as OPC UA names it."""
        _, known = self._users.get(certificate.public_bytes(Encoding.DER), (None, None))
        if known is None:
            raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)
        if not _is_current(known):
            raise ServiceError(ua.StatusCodes.BadCertificateTimeInvalid)
        names = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if application.ApplicationUri not in names.get_values_for_type(
            x509.UniformResourceIdentifier
        ):
            raise ServiceError(ua.StatusCodes.BadCertificateUriInvalid)


class GuardedWrites(AttributeService):
    """The write service of the network: every value passes one gate, and most are refused."""

    def __init__(self, space: AddressSpace, write: Writing) -> None:
        super().__init__(space)
        self._write = write

    async def write(
        self, params: ua.WriteParameters, user: User | None = None
    ) -> list[ua.StatusCode]:
        if user is None or user.role == UserRole.Admin:  # the server's own session
            return await super().write(params)
        name = user.name or ""
        return [await self._judge(item, name) for item in params.NodesToWrite]

    async def _judge(self, item: ua.WriteValue, name: str) -> ua.StatusCode:
        if not name.startswith(f"{WRITER}:"):
            return status(ua.StatusCodes.BadUserAccessDenied)
        if item.AttributeId != ua.AttributeIds.Value or item.IndexRange:
            return status(ua.StatusCodes.BadUserAccessDenied)
        return await self._write(item.NodeId, item.Value, name)


def status(code: int) -> ua.StatusCode:
    return ua.StatusCode(ua.UInt32(code))


def _is_current(certificate: x509.Certificate) -> bool:
    now = datetime.now(UTC)
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
