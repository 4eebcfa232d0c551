"""``python -m artificer``."""

from artificer.cli.main import command

if __name__ == "__main__":
    command()
