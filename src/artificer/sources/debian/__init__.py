"""Debian packages: what is in them."""
