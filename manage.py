#!/usr/bin/env python3
"""Run a management command of the twin."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "twin_core.config.settings")
    from twin_core.supervisor.hand_run import environment_for

    with environment_for(sys.argv):
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
