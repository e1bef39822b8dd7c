"""Runs the verifier page without a person: bundles in, verdicts out, all in one page call.

``run`` drives Chromium; ``run_in_node`` gives the same sources to Node, where there is one.
"""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audit.verifier_page.build import PAGE, SOURCES
from tests import chromium

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
Answers = dict[Path, tuple[bool, str]]

CHECK = """async (cases) => {
  const { verifyBundle, reportText } = bundleVerifier;
  const answers = [];
  for (const { files, trust } of cases) {
    const blobs = new Map();
    for (const [path, text] of Object.entries(files)) {
      const raw = atob(text);
      blobs.set(path, new Blob([Uint8Array.from(raw, (sign) => sign.charCodeAt(0))]));
    }
    const { result } = await verifyBundle(blobs, trust, () => {});
    answers.push([result.verdict !== "flaw", reportText(result, null)]);
  }
  return answers;
}"""


def files_of(folder: Path) -> dict[str, str]:
    """Return path in the bundle -> content in base64."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): base64.b64encode(path.read_bytes()).decode()
        for path in found
    }


def cases_of(folders: list[Path], trust: dict[Path, Path] | None) -> list[dict[str, Any]]:
    given = trust or {}
    return [
        {
            "files": files_of(folder),
            "trust": given[folder].read_bytes().decode() if folder in given else None,
        }
        for folder in folders
    ]


@contextmanager
def opened_page(script_before: str = "") -> Iterator[Any]:
    """Open the page from its file; ``script_before`` runs before the page's own scripts."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium.find(), args=ARGUMENTS)
        page = browser.new_page()
        if script_before:
            page.add_init_script(script_before)
        page.goto(PAGE.as_uri())
        yield page
        browser.close()


def check_in(page: Any, folders: list[Path], trust: dict[Path, Path] | None = None) -> Answers:
    """Check every folder in a page that is open."""
    answers = page.evaluate(CHECK, cases_of(folders, trust))
    return {folder: (ok, text) for folder, (ok, text) in zip(folders, answers, strict=True)}


def run(folders: list[Path], trust: dict[Path, Path] | None = None) -> Answers:
    """Return folder -> (no flaw was found, the page's report); one Chromium for all."""
    with opened_page() as page:
        return check_in(page, folders, trust)


def node() -> str | None:
    """Return the path of Node, or None where there is none."""
    return shutil.which("node")


def run_in_node(folders: list[Path], trust: dict[Path, Path] | None = None) -> Answers:
    """The same as ``run`` by Node, straight from the modules in ``src``."""
    program = (
        f"await import({json.dumps((SOURCES / 'door.js').as_uri())});\n"
        "import { readFileSync } from 'node:fs';\n"
        f"const check = {CHECK};\n"
        "const cases = JSON.parse(readFileSync(0, 'utf8'));\n"
        "process.stdout.write(JSON.stringify(await check(cases)));\n"
    )
    done = subprocess.run(
        [str(node()), "--input-type=module", "--eval", program],
        input=json.dumps(cases_of(folders, trust)),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = json.loads(done.stdout)
    return {folder: (ok, text) for folder, (ok, text) in zip(folders, answers, strict=True)}
