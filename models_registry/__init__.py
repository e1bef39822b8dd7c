"""Model versions: frozen data, their GAMP 5 lifecycle and their signatures."""
