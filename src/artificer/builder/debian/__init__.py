"""Debian packages to layers: chosen, fetched, put in place, configured in a sandbox."""
