"""The twin: equipment, process and plant models, their data, insight and write-back."""
