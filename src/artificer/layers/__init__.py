"""Entries to blobs and back."""
