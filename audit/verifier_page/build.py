"""Assembles ``verifier.html`` from ``src``: ``python -m audit.verifier_page.build`` writes it.

The page is one file so that an auditor can keep it and open it anywhere. Its sources are ES
modules; here their imports are dropped, their exports stripped, and they are put behind one another
in the order in which they need each other. The policy in the page names the digests of its two
scripts and of its style, so that nothing else can run in it.
"""

import base64
import hashlib
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = HERE / "src"
PAGE = HERE / "verifier.html"
ENTRANCES = {"core": "door.js", "page": "main.js"}  # the core runs in the worker as well
IMPORT = re.compile(r'^import \{[^}]*\} from "\./([a-z0-9_]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(async )?(function|class|const)\b)", re.MULTILINE)
DECLARED = re.compile(
    r"^(?:async )?(?:function\*?|class|const|let) ([A-Za-z_$][\w$]*)", re.MULTILINE
)
ENDS_EARLY = re.compile(r"</script|<!--|</style", re.IGNORECASE)


class BuildRefused(Exception):
    """The sources cannot become one script; the message says why."""


def in_order(name: str, done: list[str], open_: tuple[str, ...] = ()) -> list[str]:
    """Append ``name`` to ``done`` after everything it imports, and return ``done``."""
    if name in open_:
        raise BuildRefused(f"{name} imports itself by way of {', '.join(open_)}")
    for needed in sorted(set(IMPORT.findall(source(name)))):
        if needed not in done:
            in_order(needed, done, (*open_, name))
    if name not in done:
        done.append(name)
    return done


def source(name: str) -> str:
    return (SOURCES / name).read_text(encoding="utf-8")


def script(entrance: str) -> str:
    """Return one script of an entrance and all it needs, closed towards the rest of the page."""
    names = in_order(entrance, [])
    bodies = [EXPORT.sub("", IMPORT.sub("", source(name))).strip() for name in names]
    refuse_clashes(names, bodies)
    parts = [f"// --- {name}\n{body}\n" for name, body in zip(names, bodies, strict=True)]
    return '\n"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


def refuse_clashes(names: list[str], bodies: list[str]) -> None:
    """Refuse what one shared scope cannot hold: a name twice, an import or export left over."""
    owners: dict[str, str] = {}
    for name, body in zip(names, bodies, strict=True):
        if re.search(r"^(import|export)\b", body, re.MULTILINE):
            raise BuildRefused(f"{name} has an import or export of a form that is not known here")
        for declared in DECLARED.findall(body):
            if declared in owners:
                raise BuildRefused(f"{declared} is declared in {owners[declared]} and in {name}")
            owners[declared] = name


def digest(text: str) -> str:
    """Return the source expression of a policy that admits exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def policy(scripts: list[str], style: str) -> str:
    allowed = " ".join(digest(text) for text in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {digest(style)}; worker-src blob:; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def assembled() -> str:
    """Return the text of the page; the same sources always give the same bytes."""
    parts = {name: script(entrance) for name, entrance in ENTRANCES.items()}
    parts["css"] = "\n" + source("page.css")
    for name, text in parts.items():
        if ENDS_EARLY.search(text):
            raise BuildRefused(f"{name} holds a text that would end its element")
    parts["policy"] = policy([parts["core"], parts["page"]], parts["css"])
    return re.sub(r"\{\{([a-z]+)\}\}", lambda found: parts[found[1]], source("page.html"))


def main() -> None:
    text = assembled()
    PAGE.write_text(text, encoding="utf-8", newline="\n")
    sys.stdout.write(
        f"{PAGE.name}: {len(text.encode())} bytes, {hashlib.sha256(text.encode()).hexdigest()}\n"
    )


if __name__ == "__main__":
    main()
