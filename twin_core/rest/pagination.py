"""Lists in pages by key: new records shift no page, and the last page costs what the first does."""

from rest_framework.pagination import CursorPagination


class ByKey(CursorPagination):
    """Newest first; follow ``next`` as it stands."""

    parameters = ("cursor", "page_size")  # of the address, beside the filters
    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
