"""The equipment (ISA-88 units) that have twins, and the files that configure them."""

from django.db import models

from audit.api import RegulatedModel
from twin_core.lifecycle.trust import Level


class Equipment(RegulatedModel):
    """One unit with a twin, and how far the twin is trusted."""

    tag = models.CharField(max_length=40, unique=True)  # "BR-101"
    name = models.CharField(max_length=200)
    template = models.CharField(max_length=60)  # process model: "cho_fed_batch"
    trust = models.CharField(max_length=30, choices=[(level, level) for level in Level])

    def __str__(self) -> str:
        return self.tag


class ConfigurationFile(RegulatedModel):
    """The signed digest of a file that an asset's advice and gate rest on."""

    class Kind(models.TextChoices):
        TAG_MAP = "tag_map", "Tag map"
        LIMITS = "limits", "Limits"
        TEMPLATE = "template", "Process model template"
        ROLES = "roles", "Role table"

    equipment = models.ForeignKey(Equipment, on_delete=models.PROTECT, related_name="configuration")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    path = models.CharField(max_length=300)  # relative to the installation
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["equipment", "kind"], name="one_file_a_kind")
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.equipment_id}"
