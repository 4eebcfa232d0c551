"""Stages of a Dockerfile to an image: only what nobody has made before is made."""
