"""Front ends: text that people write, read as targets and recipes."""
