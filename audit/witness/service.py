"""A witness at work: each request to its answer, whatever carries them."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from audit import checkpoint
from audit.witness import protocol
from audit.witness.folder import Folder
from audit.witness.protocol import Answer
from audit.witness.state import State


class Witness:
    """One witness: its key in memory, its state on disk."""

    def __init__(self, folder: Folder) -> None:
        self.folder, self.public, self._key = folder, folder.public, folder.key()
        self.state = State(folder.state_file)

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer a C2SP tlog-witness add-checkpoint request."""
        try:
            request = protocol.parse(body)
        except protocol.Malformed as error:
            return Answer(400, f"{error}\n")
        keys = self.folder.logs().get(request.head.origin)
        if refusal := protocol.refusal_of_signer(request, keys):
            return refusal
        return self.state.advance(
            request,
            partial(protocol.refusal_of_history, request),
            lambda now: checkpoint.cosign(
                request.note.body, name=self.public.name, key=self._key, at=now
            ),
        )

    def newest(self, origin_hash: str) -> Answer:
        """Give the newest cosigned checkpoint of the log whose origin has this SHA-256 (hex)."""
        for origin in self.folder.logs():
            if hashlib.sha256(origin.encode()).hexdigest() == origin_hash:
                if note := self.state.held(origin).note:
                    return Answer(200, note)
                break
        return Answer(404, "no checkpoint of such a log was cosigned here\n")

    def status(self) -> Answer:
        """Tell a person how this witness stands."""
        return Answer(200, "".join(f"{line}\n" for line in self._status_lines()))

    def _status_lines(self) -> Iterator[str]:
        yield f"Witness {self.public.name}"
        yield f"Key     {self.public}"
        seen = {origin: (size, at) for origin, size, at in self.state.logs()}
        for origin, keys in self.folder.logs().items():
            yield ""
            yield f"Log     {origin}"
            yield f"        accepted keys: {', '.join(key.key_id.hex() for key in keys)}"
            if origin in seen:
                size, at = seen[origin]
                yield f"        {size} records, cosigned {_utc(at)}"
            else:
                yield "        nothing cosigned yet"
        for at, origin, status in self.state.evidence():
            yield f"CONTRADICTION {_utc(at)}: {origin} sent another history, answered {status}"


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
