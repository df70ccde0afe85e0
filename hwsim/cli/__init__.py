"""The command line ``hwsim``. Each subcommand is a module of its own, imported when it is used."""

from __future__ import annotations


def main() -> None:
    """Run the command line and leave with its exit code: 0 fine, 1 the run failed, 2 bad input, 130 interrupted."""
    from hwsim.cli.group import hwsim

    hwsim(prog_name="hwsim")
