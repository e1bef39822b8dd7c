"""Equipment twin: stirred bioreactor; a folder below for each process model."""
