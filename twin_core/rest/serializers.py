"""Shapes of people, sessions, records and signatures as they go over the wire."""

from typing import Any

from rest_framework import serializers

from audit.api import Role


class Strict(serializers.Serializer):
    """Takes the fields it names and refuses any other."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError({name: ["unknown field"] for name in unknown})
        return super().to_internal_value(data)


class SignInSerializer(Strict):
    username = serializers.CharField(max_length=80)
    password = serializers.CharField(max_length=200, trim_whitespace=False)
    code = serializers.CharField(max_length=10)


class SigningSerializer(Strict):
    """What every signature asks for; the act adds what it needs."""

    password = serializers.CharField(max_length=200, trim_whitespace=False)
    code = serializers.CharField(max_length=10)
    view = serializers.RegexField(r"^[0-9a-f]{64}$", help_text="SHA-256 of what was shown")
    reason = serializers.CharField(max_length=2000)


class PersonSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    username = serializers.CharField()
    printed_name = serializers.CharField()
    is_active = serializers.BooleanField()
    roles = serializers.ListField(child=serializers.ChoiceField(Role.choices))
    since = serializers.DateTimeField(required=False)


class SessionSerializer(serializers.Serializer):
    person = PersonSerializer(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    next_code_at = serializers.DateTimeField(allow_null=True)
    csrf_token = serializers.CharField()


class AsOfSerializer(Strict):
    as_of = serializers.DateTimeField(required=False)


class FiltersSerializer(Strict):
    stream = serializers.CharField(required=False, max_length=120)
    kind = serializers.CharField(required=False, max_length=120)
    person = serializers.CharField(required=False, max_length=80)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    text = serializers.CharField(required=False, max_length=200)
    cursor = serializers.CharField(required=False)
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=500)


class RecordSerializer(serializers.Serializer):
    """One record; ``payload`` is the very text that was hashed."""

    id = serializers.UUIDField()
    stream = serializers.CharField()
    kind = serializers.CharField()
    payload = serializers.CharField()
    leaf = serializers.SerializerMethodField()
    recorded_at = serializers.DateTimeField()

    is_trusted = serializers.SerializerMethodField()

    def get_leaf(self, record: Any) -> str:
        return bytes(record.leaf).hex()

    def get_is_trusted(self, record: Any) -> bool:
        """Whether stored text, stored leaf and sealed leaf are one."""
        return record.pk not in self.context["untrusted"]


class InclusionSerializer(serializers.Serializer):
    sequence = serializers.IntegerField()
    block = serializers.IntegerField(source="block.number")
    tree_size = serializers.IntegerField(source="checkpoint.tree_size")
    checkpoint = serializers.CharField(source="checkpoint.note")
    root = serializers.SerializerMethodField()  # type: ignore[assignment]
    hashes = serializers.SerializerMethodField()
    holds = serializers.BooleanField()

    def get_root(self, inclusion: Any) -> str:
        return inclusion.root.hex()

    def get_hashes(self, inclusion: Any) -> list[str]:
        return [node.hex() for node in inclusion.hashes]


class ShownSignatureSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    printed_name = serializers.CharField()
    username = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())
    meaning = serializers.CharField()
    reason = serializers.CharField()
    signed_at = serializers.DateTimeField()
    signed_at_site = serializers.CharField()
    view = serializers.CharField()
    record_leaf = serializers.CharField()
    is_valid = serializers.BooleanField()  # type: ignore[assignment]
    flaw = serializers.CharField(allow_null=True)


class ProvedRecordSerializer(RecordSerializer):
    is_intact = serializers.BooleanField()
    inclusion = InclusionSerializer(allow_null=True)
    signatures = ShownSignatureSerializer(many=True, source="shown_signatures")
