"""Compiled kernels, built from ``ext/``."""

try:
    from hwsim._kernels import converter, gauges, lines, notes, player, pulse, rng, runs, station, under_way, way
except ImportError as error:
    raise ImportError(f"the compiled kernels of hwsim are missing ({error}); run: pip install -e .") from error

__all__ = ["converter", "gauges", "lines", "notes", "player", "pulse", "rng", "runs", "station", "under_way", "way"]
