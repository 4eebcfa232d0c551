"""Dockerfiles: text to stages."""
