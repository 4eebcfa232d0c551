"""``artificer build CONTEXT``: images that Dockerfiles describe."""
