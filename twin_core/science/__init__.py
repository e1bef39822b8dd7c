"""The numerical core and the contracts it serves; pure Python and numbers."""
