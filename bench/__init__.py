"""Measurements, always as a ratio against the plain alternative in the same run. `python -m bench --help`."""
