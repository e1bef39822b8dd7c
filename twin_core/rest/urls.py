"""Addresses of the interface, below ``/api/``."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from twin_core.rest import advice, batches, operation, registry, viewsets

app_name = "rest"
router = SimpleRouter(use_regex_path=False)
router.register("batches", batches.BatchViewSet, "batches")
router.register("results", batches.LabResultViewSet, "results")
router.register("quarantine", batches.QuarantineViewSet, "quarantine")
router.register("estimates", advice.EstimateViewSet, "estimates")
router.register("forecasts", advice.ForecastViewSet, "forecasts")
router.register("recommendations", advice.RecommendationViewSet, "recommendations")
router.register("questions", advice.QuestionViewSet, "questions")
router.register("equipment", operation.EquipmentViewSet, "equipment")
router.register("outbox", operation.OutboxViewSet, "outbox")
urlpatterns = [
    *router.urls,
    path("session/", viewsets.SessionView.as_view(), name="session"),
    path("people/", viewsets.PeopleView.as_view(), name="people"),
    path("records/", viewsets.RecordsView.as_view(), name="records"),
    path("records/<uuid:pk>/", viewsets.RecordView.as_view(), name="record"),
    path("signatures/", viewsets.SignaturesView.as_view(), name="signatures"),
    path("models/", registry.VersionsView.as_view(), name="models"),
    path("models/in-force/", registry.InForceView.as_view(), name="in_force"),
    path("models/<uuid:pk>/", registry.VersionView.as_view(), name="model"),
    path("models/<uuid:pk>/<slug:act>/", registry.ActView.as_view(), name="model_act"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", viewsets.docs, name="docs"),
]
