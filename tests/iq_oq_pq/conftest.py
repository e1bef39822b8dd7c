"""An installation to qualify: a database of its own with a sealer at work."""

import threading
from pathlib import Path

import pytest
from django.conf import settings
