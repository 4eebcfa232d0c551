"""Greet whom the command line names, and count the words of it."""

import subprocess
import sys
from pathlib import Path


def main() -> None:
    greeting = subprocess.run(
        ["greet", *sys.argv[1:2]], check=True, capture_output=True, text=True
    ).stdout
    counted = subprocess.run(
        ["count"], input=greeting, check=True, capture_output=True, text=True
    ).stdout
    status = Path(__file__).with_name("licence-status").read_text().strip()
    print(f"{greeting.strip()} ({counted.strip()} words, {status})")


if __name__ == "__main__":
    main()
