"""From an asset to the model version in force for it, ready for use."""

from functools import lru_cache
from importlib import import_module

from django.conf import settings

from audit import api as audit
from models_registry import api as registry
from twin_core.models import Equipment
from twin_core.science import versions
from twin_core.science.twins import ProcessModel


def process_model(name: str) -> ProcessModel:
    """Return an installed process model; raises LookupError with the names there are."""
    for package in settings.INSTALLED_TWINS:
        path = f"{package}.{name}.template"
        try:
            return import_module(path).MODEL
        except ModuleNotFoundError as error:
            if error.name not in {path, f"{package}.{name}"}:
                raise
    raise LookupError(f"no process model {name!r} in {settings.INSTALLED_TWINS}")


@lru_cache(maxsize=8)
def _activated(digest: str, text: str, template: str) -> versions.ModelVersion:
    return versions.thaw(text, process_model(template), digest=digest)


def activate(row: registry.ModelVersion) -> versions.ModelVersion:
    """Return a registered version ready for use, held to its signed digest."""
    text = audit.encode(registry.load(row)).decode()
    return _activated(row.artefact_digest, text, row.model.template)


def version_in_force(
    equipment: Equipment,
) -> tuple[registry.ModelVersion, versions.ModelVersion]:
    """Return the version that may advise on an asset; raises registry.NotInForce if none."""
    row = registry.require_in_force(equipment.tag, template=equipment.template)
    return row, activate(row)
