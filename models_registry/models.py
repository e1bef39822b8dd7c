"""Tables of the registry; the lifecycle and its records are held in the database by triggers."""

from django.conf import settings
from django.db import models

from audit.api import RegulatedModel
from models_registry.lifecycle import Phase


class TwinModel(RegulatedModel):
    """A process model's use for one asset: at most one of its versions is in force."""

    template = models.CharField(max_length=60)  # "cho_fed_batch"
    scope = models.CharField(max_length=60)  # the asset it advises: "BR-101"
    title = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["template", "scope"], name="one_model_a_scope")
        ]

    def __str__(self) -> str:
        return f"{self.template} for {self.scope}"

    @property
    def stream(self) -> str:
        return f"model/{self.scope}/{self.template}"


class ModelVersion(RegulatedModel):
    """Frozen data of a model, its card and its phase: a view of the ledger.

    Digests are SHA-256 (hex) of contents in the blob store, empty while there is none.
    """

    model = models.ForeignKey(TwinModel, on_delete=models.PROTECT, related_name="versions")
    name = models.CharField(max_length=80)
    phase = models.CharField(max_length=20, choices=[(str(p), str(p)) for p in Phase])
    card = models.TextField()  # canonical JSON, see cards.read
    test_digest = models.CharField(max_length=64, blank=True)  # locked test set
    training_digest = models.CharField(max_length=64, blank=True)  # training set
    artefact_digest = models.CharField(max_length=64, blank=True)
    equations_digest = models.CharField(max_length=64, blank=True)
    test_openings = models.SmallIntegerField(default=0)
    scores = models.TextField(blank=True)  # canonical JSON, on the locked test set
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )  # null: an operating system's user, named in author_name
    author_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "name"], name="one_version_a_name"),
            models.UniqueConstraint(
                fields=["model"],
                condition=models.Q(phase="in_force"),
                name="one_version_in_force_a_scope",
            ),
            models.CheckConstraint(
                condition=models.Q(test_openings__in=[0, 1]), name="test_set_opened_at_most_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.model_id}"


class TrackingTask(models.Model):
    """Outbox to the tracking store: one entry an act; not regulated, a hint that can be lost."""

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    leaf = models.BinaryField(editable=False)  # of the record that the entry tells of
    attempts = models.IntegerField(default=0)
    failure = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["done_at", "id"], name="tracking_open_first")]

    def __str__(self) -> str:
        return f"tracking of {self.version_id}"
