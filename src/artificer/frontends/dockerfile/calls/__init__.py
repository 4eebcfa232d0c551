"""What can be asked of a Dockerfile instead of an image."""
