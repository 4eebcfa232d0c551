"""Words to values, events to the terminal."""
