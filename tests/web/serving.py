"""The whole web process on a test's own database, as uvicorn runs it, for a browser or a stream."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from django.conf import settings
from django.utils.module_loading import import_string

from audit.session_store import OPENED, SEEN


@contextmanager
def serving() -> Iterator[str]:
    """Serve the product from a thread; yields its address."""
    from twin_core.config.asgi import application

    listener = socket.create_server(("localhost", 0))
    config = uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://localhost:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listener.close()


def session_of(user: Any, **times: float) -> Any:
    """Open a session as signing in does, without waiting for a one-time code."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    now = time.time()
    store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store[OPENED], store[SEEN] = times.get("opened", now), times.get("seen", now)
    store.create()
    return store


def sign_in(client: Any, user: Any) -> Any:
    """Give a test client a session of this person; returns the client."""
    client.cookies[settings.SESSION_COOKIE_NAME] = session_of(user).session_key
    return client
