"""One request, one streamed response."""
