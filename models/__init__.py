"""Bundled descriptions."""
