"""Starts and watches the processes of a demo or of a site on one machine."""
