"""Compiled kernels, built from ``ext/``."""

try:
    from hwsim._kernels import converter, lines, pulse, rng, runs, traffic
except ImportError as error:
    raise ImportError(f"the compiled kernels of hwsim are missing ({error}); run: pip install -e .") from error

__all__ = ["converter", "lines", "pulse", "rng", "runs", "traffic"]
