"""A one-line build: ``artificer -b BASE -f FILE… -t TARGET``."""
