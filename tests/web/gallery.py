"""Every page of the desk with sample contexts, made by Django's engine without a database.

`python -m tests.web.look` serves them at localhost under the product's policy, to look at.
Each value here is made up for the picture; none of it is a claim about the product.
"""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from django.template.backends.django import DjangoTemplates

from tests.web import (
    samples_audit,
    samples_decision,
    samples_desk,
    samples_evidence,
    samples_exports,
)
from tests.web.samples import NOW, Message, digest, shell
from twin_core.web.shell import Shell

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "twin_core" / "web" / "static"
TEMPLATE_DIRS = [
    ROOT / "twin_core" / "web" / "templates",
    *(ROOT / name / "templates" for name in ("audit", "models_registry", "validation")),
]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ENGINE = DjangoTemplates(
    {
        "NAME": "gallery",
        "DIRS": [str(path) for path in TEMPLATE_DIRS],
        "APP_DIRS": False,
        "OPTIONS": {"libraries": {"desk": "twin_core.web.templatetags.desk"}},
    }
)
LIVE = "/live/stream"  # says once that the batch has changed
PAGES: dict[str, tuple[str, str, Any]] = {
    "desk": ("web/desk.html", "Desk", samples_desk.desk),
    "desk-empty": ("web/desk.html", "Desk", partial(samples_desk.desk, empty=True)),
    "batches": ("web/batches.html", "Batches", samples_desk.batches),
    "batch": ("web/batch.html", "Batches", samples_desk.batch),
    "batch-lab": ("web/batch.html", "Batches", partial(samples_desk.batch, lab_open=True)),
    "batch-live": ("web/batch.html", "Batches", partial(samples_desk.batch, stream=LIVE)),
    "recommendation": ("web/recommendation.html", "Batches", samples_decision.recommendation),
    "recommendation-sign": (
        "web/recommendation.html",
        "Batches",
        partial(samples_decision.recommendation, opened="sign", wrong=True),
    ),
    "recommendation-reject": (
        "web/recommendation.html",
        "Batches",
        partial(samples_decision.recommendation, opened="reject"),
    ),
    "recommendation-confirmed": (
        "web/recommendation.html",
        "Batches",
        partial(samples_decision.recommendation, state="confirmed"),
    ),
    "decision": (
        "web/decision.html",
        "Batches",
        partial(samples_decision.recommendation, state="confirmed"),
    ),
    "models": ("models_registry/models.html", "Models", samples_evidence.models),
    "version": ("models_registry/version.html", "Models", samples_evidence.version),
    "trail": ("audit/trail.html", "Trail", samples_audit.trail),
    "trail-filtered": (
        "audit/trail.html",
        "Trail",
        partial(samples_audit.trail, rows=3, filtered=True),
    ),
    "trail-none": (
        "audit/trail.html",
        "Trail",
        partial(samples_audit.trail, rows=0, filtered=True),
    ),
    "record": ("audit/record.html", "Trail", samples_audit.record),
    "archive": ("audit/archive.html", "Trail", samples_audit.archive),
    "archive-hold": (
        "audit/archive.html",
        "Trail",
        partial(samples_audit.archive, opened=True),
    ),
    "archive-empty": (
        "audit/archive.html",
        "Trail",
        partial(samples_audit.archive, empty=True),
    ),
    "people": ("audit/people.html", "Trail", samples_audit.people),
    "exports": ("audit/exports.html", "Trail", samples_exports.exports),
    "exports-empty": (
        "audit/exports.html",
        "Trail",
        partial(samples_exports.exports, empty=True),
    ),
    "evidence": ("validation/evidence.html", "Evidence", samples_evidence.evidence),
    "run": ("validation/run.html", "Evidence", samples_evidence.run),
    "health": ("web/health.html", "Health", samples_desk.health),
    "sign-in": ("audit/sign_in.html", "", partial(samples_audit.sign_in, wrong=True)),
    "signed-out": ("web/signed_out.html", "", lambda: {"cause": "timed_out"}),
    "error-403": ("403.html", "Desk", lambda: {"reason": "Exporting needs the role auditor."}),
    "error-404": ("404.html", "Desk", dict),
    "error-500": ("500.html", "", dict),
    "error-503": ("503.html", "", dict),
}


def render(name: str) -> str:
    """Return the page's HTML; a page without section has no one signed in."""
    template, section, context = PAGES[name]
    bare = Shell("Demonstration site", "Europe/Zurich", NOW, "0.1.0", digest(7))
    frame = shell(section) if section else bare
    values = {"csrf_token": "token", **context(), "shell": None if name == "error-500" else frame}
    if name == "health":
        values["messages"] = [Message()]
    return ENGINE.get_template(template).render(values)


class Handler(SimpleHTTPRequestHandler):
    """Static files and the gallery, under the policy of the product."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def translate_path(self, path: str) -> str:
        return str(STATIC / path.removeprefix("/static/").split("?")[0])

    def do_GET(self) -> None:
        if self.path == LIVE:
            self.send_events()
            return
        if self.path == "/live/charts":
            self.send_charts()
            return
        name = self.path.strip("/").split("?")[0]
        if self.path.startswith("/static/"):
            super().do_GET()
            return
        found = name in PAGES
        body = (render(name) if found else " ".join(PAGES)).encode()
        self.send_response(200 if found or not name else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_events(self) -> None:
        """Send one event and end, so that the browser has to come back for the next."""
        self.send(b"retry: 300\nevent: changed\ndata: B-0201\n\n", "text/event-stream")

    def send_charts(self) -> None:
        """Send the batch's charts with one more laboratory value."""
        charts = samples_desk.batch()["page"].charts
        charts[0]["series"][2]["points"].append([166, 15.5])
        self.send(json.dumps({"charts": charts}).encode(), "application/json")

    def send(self, body: bytes, media_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the tests read what the browser says."""


def serve(port: int = 0) -> ThreadingHTTPServer:
    """Serve the gallery from a thread; the caller shuts it down."""
    server = ThreadingHTTPServer(("localhost", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
