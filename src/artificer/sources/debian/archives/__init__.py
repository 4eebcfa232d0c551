"""Debian archives: what they have, fetched and verified from the key down."""
