"""Tiles, matrices mapped on them, operations and the controller's program."""
