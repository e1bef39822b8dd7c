"""Forms of a batch: laboratory values, corrections, start and end."""

from typing import Any

from django import forms

from twin_core.models import Equipment
from twin_core.science.tag_map import Tag
from twin_core.web.signing import ReasonForm, attributes
from twin_core.web.templatetags.desk import unit_shown
from twin_core.web.words import tag_words


def number_field(label: str, **options: Any) -> forms.FloatField:
    """Return a field for a finite number, written with a point."""
    widget = forms.TextInput(attrs=attributes(inputmode="decimal"))
    return forms.FloatField(label=label, widget=widget, **options)


class LabForm(ReasonForm):
    """A laboratory value entered by hand."""

    tag = forms.ChoiceField(label="What")
    value = number_field("Value, in the unit shown")
    sampled_h = number_field("Sampled at, h process time", min_value=0)
    field_order = ["tag", "value", "sampled_h", "reason"]

    def __init__(self, *arguments: Any, tags: list[Tag], **options: Any) -> None:
        super().__init__(*arguments, **options)
        choices = [(tag.tag, f"{tag_words(tag.tag)}, {unit_shown(tag.unit)}") for tag in tags]
        self.fields["tag"].choices = [("", "Choose"), *choices]  # type: ignore[attr-defined]


class CorrectionForm(ReasonForm):
    """A new value for a laboratory result; the old one stays beside it."""

    value = number_field("Corrected value")
    field_order = ["value", "reason"]


class StartForm(ReasonForm):
    """A batch to follow."""

    equipment = forms.ModelChoiceField(label="Unit", queryset=Equipment.objects.none())
    plant_batch = forms.CharField(
        label="Batch number of the plant",
        max_length=120,
        widget=forms.TextInput(attrs=attributes()),
        help_text="As the plant reports it: samples of another batch are not taken.",
    )
    field_order = ["equipment", "plant_batch", "reason"]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        field: Any = self.fields["equipment"]
        field.queryset = Equipment.objects.order_by("tag")
