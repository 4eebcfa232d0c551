"""Debian packages: for the builds that install them, and ``artificer packages``."""
