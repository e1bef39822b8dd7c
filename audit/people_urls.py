"""Addresses of sessions, people and the own account."""

from django.urls import path

from audit import erasure_views, people_views, session_views

app_name = "people"
urlpatterns = [
    path("sign-in/", session_views.sign_in, name="sign_in"),
    path("sign-out/", session_views.sign_out, name="sign_out"),
    path("signed-out/", session_views.signed_out, name="signed_out"),
    path("session/extend/", session_views.extend, name="extend"),
    path("live/session/", session_views.left, name="session_left"),
    path("account/", people_views.account, name="account"),
    path("people/", people_views.people, name="people"),
    path("people/new/", people_views.create, name="create"),
    path("people/<uuid:pk>/", people_views.person, name="person"),
    path("people/<uuid:pk>/grant/", people_views.grant, name="grant"),
    path("people/<uuid:pk>/revoke/", people_views.revoke, name="revoke"),
    path("people/<uuid:pk>/limit/", people_views.limit, name="limit"),
    path("people/<uuid:pk>/unlimit/", people_views.unlimit, name="unlimit"),
    path("people/<uuid:pk>/deactivate/", people_views.deactivate, name="deactivate"),
    path("people/<uuid:pk>/erase/", erasure_views.erase, name="erase"),
    path("people/<uuid:pk>/reactivate/", people_views.reactivate, name="reactivate"),
]
