"""The addresses of the product."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/", include("twin_core.rest.urls")),
    path("models/", include("models_registry.urls")),
    path("evidence/", include("validation.urls")),
    path("", include("audit.urls")),
    path("", include("audit.people_urls")),
    path("", include("twin_core.web.urls")),
]
handler403 = "twin_core.config.errors.forbidden"
handler500 = "twin_core.config.errors.failed"
