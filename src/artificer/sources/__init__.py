"""Others' things, fetched and verified, as files or entries."""
