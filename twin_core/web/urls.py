"""Addresses of the review desk. Below ``live/`` pages ask by themselves: it extends no session."""

from django.urls import path

from twin_core.web import (
    batch_views,
    desk_views,
    health_views,
    recommendation_views,
    status,
    streams,
)

app_name = "web"
urlpatterns = [
    path("", desk_views.root, name="root"),
    path("desk/", desk_views.desk, name="desk"),
    path("batches/", batch_views.batches, name="batches"),
    path("batches/<slug:number>/", batch_views.batch, name="batch"),
    path("batches/<slug:number>/enter/", batch_views.enter, name="enter"),
    path("batches/<slug:number>/close/", batch_views.close, name="close"),
    path("batches/<slug:number>/stop/", batch_views.stop, name="stop"),
    path("batches/<slug:number>/results/<uuid:pk>/", batch_views.correct, name="correct"),
    path("batches/<slug:number>/quarantine/<uuid:pk>/", batch_views.release, name="release"),
    path("batches/<slug:number>/laboratory.csv", batch_views.results_csv, name="results_csv"),
    path("batches/<slug:number>/charts/<slug:key>.csv", batch_views.chart_csv, name="chart_csv"),
    path("recommendations/<uuid:pk>/", recommendation_views.recommendation, name="recommendation"),
    path("recommendations/<uuid:pk>/decision/", recommendation_views.decision, name="decision"),
    path("recommendations/<uuid:pk>/sign/", recommendation_views.sign_view, name="sign"),
    path("recommendations/<uuid:pk>/reject/", recommendation_views.reject_view, name="reject"),
    path("recommendations/<uuid:pk>/ask/", recommendation_views.ask_view, name="ask"),
    path(
        "recommendations/<uuid:pk>/questions/<uuid:question>/",
        recommendation_views.answer_view,
        name="answer",
    ),
    path("health/", health_views.health, name="health"),
    path("health/parked/<int:pk>/", health_views.retry, name="retry"),
    path("live/status/", status.banner, name="status"),
    path("live/batches/<slug:number>/events/", streams.stream, name="stream"),
    path("live/batches/<slug:number>/charts/", batch_views.charts_of, name="charts"),
    path("live/recommendations/<uuid:pk>/", recommendation_views.moved, name="moved"),
]
