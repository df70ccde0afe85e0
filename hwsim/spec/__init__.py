"""Frozen descriptions of everything that is simulated; no behaviour."""
