"""The product's settings with the rivals beside it: for benchmarks alone."""

from twin_core.config.settings import *  # noqa: F403
from twin_core.config.settings import INSTALLED_APPS as PRODUCT

INSTALLED_APPS = [
    *PRODUCT,
    "pgtrigger",
    "pghistory",
    "auditlog",
    "simple_history",
    "tests.benchmarks.rivals",
]
PGTRIGGER_INSTALL_ON_MIGRATE = False
