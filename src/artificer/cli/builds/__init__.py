"""Builds of whatever kind: told apart, planned, verified, locked, written down."""
