"""Commands over images: what they say, what is in them, where they go."""
