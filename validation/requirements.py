"""Load the user requirements of ``docs/requirements``, one file each, and fingerprint them."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "requirements"
FIELDS = {"id", "title", "risk", "clauses"}
RISKS = ("high", "medium", "low")
IDENTIFIER = re.compile(r"URS-[A-Z]{3}-\d{3}")
FRONT_MATTER = re.compile(r"\A---\n(?P<head>.*?)\n---\n(?P<text>.*)\Z", re.DOTALL)


class RequirementInvalid(ValueError):
    """A requirement file breaks the format; the message names the file and what to do."""


@dataclass(frozen=True)
class Requirement:
    """One user requirement as its file states it."""

    id: str
    title: str
    risk: str  # one of RISKS
    clauses: tuple[str, ...]
    text: str
    fingerprint: str  # SHA-256 (hex) of the whole file: any change makes old evidence suspect


def load(folder: Path = FOLDER) -> dict[str, Requirement]:
    """Return the requirements by identifier, in the order of their identifiers.

    Raises RequirementInvalid at the first file that breaks the format, and when the folder is
    missing: an empty catalogue would make every coverage figure look complete.
    """
    if not folder.is_dir():
        raise RequirementInvalid(f"{folder} is missing; requirements live there, one file each")
    paths = sorted(folder.glob("*.md"))
    found = [parse(path.read_text(encoding="utf-8"), name=path.name) for path in paths]
    return {requirement.id: requirement for requirement in found}


def parse(content: str, *, name: str) -> Requirement:
    """Return the requirement that ``content``, read from the file ``name``, declares."""
    matched = FRONT_MATTER.match(content)
    if not matched:
        raise RequirementInvalid(f"{name}: begin with front matter between two lines of '---'")
    fields = _fields(matched["head"], name)
    _check(fields, name)
    return Requirement(
        id=fields["id"],
        title=fields["title"],
        risk=fields["risk"],
        clauses=tuple(fields["clauses"]),
        text=matched["text"].strip(),
        fingerprint=hashlib.sha256(content.encode()).hexdigest(),
    )


def _fields(head: str, name: str) -> dict[str, Any]:
    keys = re.findall(r"^(\w+):", head, re.MULTILINE)  # YAML would let a second one win silently
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise RequirementInvalid(f"{name}: {', '.join(twice)} stands twice in the front matter")
    try:
        fields = yaml.safe_load(head)
    except yaml.YAMLError as error:
        raise RequirementInvalid(f"{name}: the front matter is not YAML: {error}") from None
    if not isinstance(fields, dict):
        raise RequirementInvalid(f"{name}: the front matter must be lines of 'field: value'")
    return fields


def _check(fields: dict[str, Any], name: str) -> None:
    if unknown := sorted(set(fields) - FIELDS):
        raise RequirementInvalid(f"{name}: unknown field {', '.join(unknown)}; use {_listed()}")
    if missing := sorted(FIELDS - set(fields)):
        raise RequirementInvalid(f"{name}: field {', '.join(missing)} is missing")
    if not IDENTIFIER.fullmatch(str(fields["id"])):
        raise RequirementInvalid(f"{name}: id {fields['id']!r} must look like URS-AUD-001")
    if name != f"{fields['id']}.md":
        raise RequirementInvalid(f"{name}: id is {fields['id']}; file and id must bear one name")
    if not isinstance(fields["title"], str) or not fields["title"].strip():
        raise RequirementInvalid(f"{name}: title must be a sentence")
    if fields["risk"] not in RISKS:
        raise RequirementInvalid(f"{name}: risk must be one of {', '.join(RISKS)}")
    clauses = fields["clauses"]
    if not isinstance(clauses, list) or not all(isinstance(each, str) for each in clauses):
        raise RequirementInvalid(f"{name}: clauses must be a list of clause ids, possibly empty")


def _listed() -> str:
    return ", ".join(sorted(FIELDS))
