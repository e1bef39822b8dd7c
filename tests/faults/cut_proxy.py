"""A relay between driver and server that cuts the connection at COMMIT."""

import contextlib
import select
import socket
import threading
from pathlib import Path

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"  # PostgreSQL's simple query message
BEFORE, AFTER = "before", "after"  # the server saw COMMIT; or it has carried it out


class CutProxy:
    """Listens on a socket of its own; ``cuts`` says what happens to the next COMMITs."""

    def __init__(self, folder: Path, server: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.folder, self.server = folder, server
        self.cuts: list[str] = []
        self.done: list[str] = []
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(folder / ".s.PGSQL.5432"))
        self.listening.listen(32)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        with client, server, contextlib.suppress(OSError):
            server.connect(str(self.server / ".s.PGSQL.5432"))
            while True:
                for side in select.select([client, server], [], [])[0]:
                    data = side.recv(65536)
                    if not data:
                        return
                    if side is client and data.endswith(COMMIT) and self.cuts:
                        self._cut(server, data)
                        return
                    (server if side is client else client).sendall(data)

    def _cut(self, server: socket.socket, data: bytes) -> None:
        how = self.cuts.pop()
        server.sendall(data)
        if how == AFTER:
            server.recv(65536)  # the answer, which nobody will hear
        self.done.append(how)
