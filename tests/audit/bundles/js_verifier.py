"""Runs the verifier page without a person: bundles in, verdicts out, all in one page call.

``run`` drives Chromium; ``run_in_node`` gives the same sources to Node, where there is one.
"""

import base64
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audit.verifier_page.build import PAGE, SOURCES
from tests import chromium

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
VECTORS = Path(__file__).parents[1] / "vectors"
WITHOUT_CRYPTO = "delete Crypto.prototype.subtle; delete globalThis.DecompressionStream;"
Answers = dict[Path, tuple[bool, str]]

BATCH = 100  # bundles handed over at once

CHECK = """async ({ contents, cases }) => {
  const { verifyBundle, reportText } = bundleVerifier;
  const blobOf = (text) => new Blob([Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))]);
  const blobs = new Map(Object.entries(contents).map(([digest, text]) => [digest, blobOf(text)]));
  const answers = [];
  for (const { files, trust } of cases) {
    const pairs = Object.entries(files).map(([path, digest]) => [path, blobs.get(digest)]);
    const { result } = await verifyBundle(new Map(pairs), trust, () => {});
    answers.push([result.verdict !== "flaw", reportText(result, null)]);
  }
  return answers;
}"""


def batches(folders: list[Path], trust: dict[Path, Path] | None) -> Iterator[dict[str, Any]]:
    """Give what ``CHECK`` takes: equal contents once a batch, files by the digest of theirs."""
    for at in range(0, len(folders), BATCH):
        contents: dict[str, str] = {}
        cases = [case_of(folder, trust or {}, contents) for folder in folders[at : at + BATCH]]
        yield {"contents": contents, "cases": cases}


def case_of(folder: Path, trust: dict[Path, Path], contents: dict[str, str]) -> dict[str, Any]:
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        files[path.relative_to(folder).as_posix()] = digest
        if digest not in contents:
            contents[digest] = encoded(data)
    given = trust[folder].read_bytes().decode() if folder in trust else None
    return {"files": files, "trust": given}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def contents_of(folder: Path) -> dict[str, str]:
    """Return path in the bundle -> content in base64."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): encoded(path.read_bytes()) for path in found}


@contextmanager
def opened_browser() -> Iterator[Callable[..., Any]]:
    """Give a function that opens the page from its file, after a script of the test's own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium.find(), args=ARGUMENTS)

        def open_page(script_before: str = "") -> Any:
            page = browser.new_context().new_page()
            if script_before:
                page.add_init_script(script_before)
            page.goto(PAGE.as_uri())
            return page

        yield open_page
        browser.close()


def check_in(page: Any, folders: list[Path], trust: dict[Path, Path] | None = None) -> Answers:
    """Check every folder in a page that is open."""
    answers = [pair for batch in batches(folders, trust) for pair in page.evaluate(CHECK, batch)]
    return {folder: (ok, text) for folder, (ok, text) in zip(folders, answers, strict=True)}


def run(folders: list[Path], trust: dict[Path, Path] | None = None) -> Answers:
    """Return folder -> (no flaw was found, the page's report); one Chromium for all."""
    with opened_browser() as open_page:
        return check_in(open_page(), folders, trust)


def node() -> str | None:
    """Return the path of Node, or None where there is none."""
    return shutil.which("node")


def run_in_node(folders: list[Path], trust: dict[Path, Path] | None = None) -> Answers:
    """The same as ``run`` by Node, straight from the modules in ``src``."""
    program = (
        f"await import({json.dumps((SOURCES / 'door.js').as_uri())});\n"
        "import { readFileSync } from 'node:fs';\n"
        f"const check = {CHECK};\n"
        "const answers = [];\n"
        "const given = JSON.parse(readFileSync(0, 'utf8'));\n"
        "for (const batch of given) answers.push(...await check(batch));\n"
        "process.stdout.write(JSON.stringify(answers));\n"
    )
    done = subprocess.run(
        [str(node()), "--input-type=module", "--eval", program],
        input=json.dumps(list(batches(folders, trust))),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = json.loads(done.stdout)
    return {folder: (ok, text) for folder, (ok, text) in zip(folders, answers, strict=True)}
