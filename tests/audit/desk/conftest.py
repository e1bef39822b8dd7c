"""The auditor's desk on a ledger of its own: an indexer to call, acts to find."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from django.test import override_settings

from tests.services import django_on


@pytest.fixture
def desk(ledger: Any, tmp_path: Path) -> Iterator[Any]:
    """This test's ledger with its pages, and ``index()`` to run the indexer as its own role."""
    public = tmp_path / "ledger.pub"
    public.write_text("".join(f"{key}\n" for key in ledger.keys))

    @contextmanager
    def as_indexer() -> Iterator[None]:
        url = urlsplit(ledger.services.environment(ledger.name)["TWIN_INDEXER_DATABASE_URL"])
        login = {"USER": unquote(url.username or ""), "PASSWORD": unquote(url.password or "")}
        with django_on(ledger.name, **login):
            yield

    def index() -> int:
        from audit.desk import indexing

        with as_indexer():
            return indexing.index()

    ledger.as_indexer, ledger.index = as_indexer, index
    with override_settings(ROOT_URLCONF="tests.audit.desk_urls", LEDGER_PUBLIC_KEY_FILE=public):
        yield ledger
