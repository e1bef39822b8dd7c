"""Sessions, people, records and signatures: read them; acts stand with what they act on."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import APIView

from audit import api as audit
from audit.api import Record, Role, Signature, User, inclusion, sessions, trail, trust
from twin_core.rest import serializers
from twin_core.rest.pagination import ByKey
from twin_core.rest.permissions import OwnSession

READERS = tuple(Role)  # everybody with a role reads; what reading shows is recorded


class SessionView(APIView):
    """The own session."""

    permission_classes = [OwnSession]

    @extend_schema(responses=serializers.SessionSerializer)
    def get(self, request: Any) -> Response:
        """Who I am, until when, and from when the next one-time code is accepted."""
        return Response(serializers.SessionSerializer(_session(request)).data)

    @extend_schema(
        request=serializers.SignInSerializer, responses={201: serializers.SessionSerializer}
    )
    def post(self, request: Any) -> Response:
        """Sign in with password and one-time code."""
        given = serializers.SignInSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        request._request.user = request.user = sessions.sign_in(
            request._request, **given.validated_data
        )
        answer = serializers.SessionSerializer(_session(request)).data
        return Response(answer, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def delete(self, request: Any) -> Response:
        """Sign out."""
        sessions.sign_out(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _session(request: Any) -> dict[str, Any]:
    user = request.user if request.user.is_authenticated else None
    return {
        "person": _now(user) if user else None,
        "ends_at": sessions.ends_at(request.session),
        "next_code_at": audit.next_code_at(user, timezone.now()) if user else None,
        "csrf_token": get_token(request._request),
    }


def _now(user: User) -> dict[str, Any]:
    return {
        "id": user.pk,
        "username": user.username,
        "printed_name": user.printed_name,
        "is_active": user.is_active,
        "roles": sorted(audit.current_roles(user)),
    }


class PeopleView(APIView):
    """People and their roles."""

    @extend_schema(
        parameters=[serializers.AsOfSerializer],
        responses=serializers.PersonSerializer(many=True),
    )
    def get(self, request: Any) -> Response:
        """Everybody with their roles, now or as of a moment, as the ledger tells it."""
        asked = serializers.AsOfSerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        then = audit.people_as_of(asked.validated_data.get("as_of"))
        return Response(serializers.PersonSerializer(then, many=True).data)


class RecordsView(APIView):
    """The trail."""

    @extend_schema(
        parameters=[serializers.FiltersSerializer],
        responses=serializers.RecordSerializer(many=True),
    )
    def get(self, request: Any) -> Response:
        """Records that fit the filters, newest first; the look itself is recorded."""
        audit.require_role(request.user, *READERS, to="read the trail")
        asked = serializers.FiltersSerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        wanted = {k: v for k, v in asked.validated_data.items() if k not in ByKey.parameters}
        filters = trail.Filters(**wanted)
        with transaction.atomic():
            trail.note_view(filters, actor=request.user, where="interface")
        pages = ByKey()
        found = pages.paginate_queryset(
            trail.search(filters, audit.scope.of(request.user)), request, view=self
        )
        context = {"untrusted": trust.untrusted(found or [])}
        told = serializers.RecordSerializer(found, many=True, context=context)
        return pages.get_paginated_response(told.data)


class RecordView(APIView):
    """One record."""

    @extend_schema(responses=serializers.ProvedRecordSerializer)
    def get(self, request: Any, pk: Any) -> Response:
        """A record with its place, its inclusion proof and its signatures."""
        audit.require_role(request.user, *READERS, to="read the trail")
        record: Any = get_object_or_404(Record, pk=pk)
        audit.scope.of(request.user).require(record.stream)
        record.is_intact = audit.is_intact(record)
        record.inclusion = inclusion.prove(record)
        record.shown_signatures = audit.signatures_of(record)
        context = {"untrusted": trust.untrusted([record])}
        return Response(serializers.ProvedRecordSerializer(record, context=context).data)


class SignaturesView(APIView):
    """Signatures."""

    @extend_schema(responses=serializers.ShownSignatureSerializer(many=True))
    def get(self, request: Any) -> Response:
        """Signatures, newest first, each checked against what it signed."""
        rows = Signature.objects.select_related("signed", "proof", "record")
        pages = ByKey()
        found = pages.paginate_queryset(rows, request, view=self) or []
        shown = [audit.shown(row) for row in found]
        return pages.get_paginated_response(
            serializers.ShownSignatureSerializer(shown, many=True).data
        )


def docs(request: HttpRequest) -> HttpResponse:
    """Show the interface's addresses as a page: plain, without scripts from elsewhere."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    operations = [
        {"method": method.upper(), "path": path, "does": about.get("description", "")}
        for path, methods in schema["paths"].items()
        for method, about in methods.items()
    ]
    return render(request, "rest/docs.html", {"operations": operations})
