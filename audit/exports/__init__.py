"""The inspector's copy: a bundle of records with everything needed to check them elsewhere."""

from audit.exports import jobs
from audit.exports.cut import FORMATS
from audit.exports.filters import ExportRefused, Filters
from audit.exports.making import export

__all__ = ["FORMATS", "ExportRefused", "Filters", "export", "jobs"]
