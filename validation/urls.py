"""Addresses of the pages of evidence."""

from django.urls import path

from validation import views

app_name = "validation"
urlpatterns = [
    path("", views.evidence, name="evidence"),
    path("matrix.csv", views.matrix, name="matrix"),
    path("runs/<uuid:identity>/", views.run, name="run"),
    path("runs/<uuid:identity>/files/<str:name>", views.handover_file, name="file"),
    path("runs/<uuid:identity>/attachments/<str:digest>", views.attachment, name="attachment"),
]
