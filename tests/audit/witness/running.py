"""A witness that answers over HTTP from a thread of the test's own process."""

import threading
import time
from pathlib import Path

import uvicorn

from audit.checkpoint import PublicKey
from audit.witness import web
from audit.witness.folder import Folder
from audit.witness.service import Witness


class RunningWitness:
    """A witness on a port of its own that can be stopped and started again."""

    def __init__(self, path: Path, name: str, origin: str, key: PublicKey) -> None:
        self.folder = Folder.make(path, name)
        self.folder.accept(origin, str(key))
        self.port = 0
        self.application = web.Application(Witness(self.folder))
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def line(self) -> str:
        """The witness's line in a policy file."""
        return f"{self.url} {self.folder.public}"

    @property
    def witness(self) -> Witness:
        return self.application.witness

    def start(self) -> None:
        bound = web.listen("127.0.0.1", self.port)
        self.port = bound.getsockname()[1]
        config = uvicorn.Config(
            self.application, access_log=False, log_level="critical", lifespan="off"
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([bound],), daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.005)
        self.bound = bound

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.bound.close()
