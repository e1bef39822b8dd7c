"""The review desk: pages for people, rendered on the server."""
