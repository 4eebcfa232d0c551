"""Bytes at rest, named by digest, and small records as files."""
