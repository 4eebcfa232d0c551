"""``python -m artificer``."""

import sys

from artificer.cli.main import main

sys.exit(main())  # noqa: TID251 - the command itself
