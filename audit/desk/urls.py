"""Addresses of the auditor's desk, inside those of the trail."""

from django.urls import path

from audit.desk import review_views, views

urlpatterns = [
    path("records/<uuid:pk>/lineage/", views.lineage, name="lineage"),
    path("as-of/", views.as_of, name="as_of"),
    path("reviews/", review_views.reviews_list, name="reviews"),
    path("reviews/<uuid:pk>/", review_views.review, name="review"),
    path("reviews/<uuid:pk>/entries/<uuid:entry>/", review_views.judge, name="judge"),
    path("reviews/<uuid:pk>/remainder/", review_views.remainder, name="remainder"),
    path("reviews/<uuid:pk>/sign/", review_views.sign, name="sign_review"),
    path("reviews/<uuid:pk>/abandon/", review_views.abandon, name="abandon"),
]
