"""``artificer doctor``: what keeps a build from working here."""
