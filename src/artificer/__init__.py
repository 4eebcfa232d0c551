"""Container images without Docker: no daemon, no root, no Dockerfile needed."""

__version__ = "0.1.0"
