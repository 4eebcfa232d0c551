"""What phpenmod(8) makes of all modules that are there: links, and its memory of them."""

import re
from collections.abc import Sequence

from artificer.sources.debian.equivalents.files import Files


def php_modules(files: Files, words: Sequence[str]) -> None:
    """Enable each module of a version, the first of *words*, in each program of PHP."""
    version = words[0]
    settings = f"etc/php/{version}/mods-available"
    for program in files.listdir(f"usr/lib/php/{version}/sapi"):
        state = f"var/lib/php/modules/{version}/{program}"
        for name in files.listdir(settings):
            module = name.removesuffix(".ini")
            registry = f"var/lib/php/modules/{version}/registry/{module}"
            if module != name and files.itself(registry) is None:
                files.put(registry, b"")
            if module == name or files.is_file(f"{state}/disabled_by_admin/{module}"):
                continue
            text = files.text(f"{settings}/{name}") or ""
            priority = re.search(r"(?m)^; *priority=([0-9]{1,3})$", text)
            number = priority[1] if priority else "20"
            link = f"etc/php/{version}/{program}/conf.d/{number}-{name}"
            if files.itself(link) is None:
                files.put_link(link, f"/{settings}/{name}")
                files.put(f"{state}/enabled_by_maint/{module}", b"")
