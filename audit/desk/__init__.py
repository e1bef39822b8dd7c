"""The auditor's desk: search, comparison, lineage, any past moment, review by exception."""
