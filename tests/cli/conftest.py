"""The command as a person types it, and its images as others see them."""

from tests.cli.outside import cli, hub, layout, seen, server_binary, work

__all__ = ["cli", "hub", "layout", "seen", "server_binary", "work"]
