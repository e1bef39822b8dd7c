"""``python -m tests.web.look [PORT]``: the gallery of pages at localhost, to look at."""

import os
import secrets
import sys
import threading

os.environ.setdefault("TWIN_SECRET_KEY", secrets.token_urlsafe(48))
os.environ.setdefault("TWIN_DATABASE_URL", "postgresql://nobody@/none")  # nothing is asked of it
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "twin_core.config.settings")

import django

django.setup()

from tests.web import gallery  # noqa: E402  the settings come first

if __name__ == "__main__":
    server = gallery.serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8790)
    print(f"http://localhost:{server.server_port}/", *gallery.PAGES)
    threading.Event().wait()
