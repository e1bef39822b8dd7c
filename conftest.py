"""What every test run loads: evidence for requirements is counted by a plugin of ours."""

pytest_plugins = ["validation.pytest_plugin"]
