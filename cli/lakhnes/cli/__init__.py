"""The `lakhnes` command: one module for each family of subcommands, each loading what it needs when it runs.

Start at `app.py`. Nothing imports this package.
"""

from lakhnes.cli.app import main

__all__ = ["main"]
