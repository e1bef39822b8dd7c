"""The acts of the pages as an interface for programs (OpenAPI at ``/api/schema/``)."""
