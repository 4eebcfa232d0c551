"""The list out of which locale-gen(8) makes locales: none is chosen, all are named."""

from artificer.sources.debian.equivalents.files import Files

_LIST = "etc/locale.gen"
_SUPPORTED = "usr/share/i18n/SUPPORTED"
_HEAD = """\
# This file lists locales that you wish to have built. You can find a list
# of valid supported locales at /usr/share/i18n/SUPPORTED, and you can add
# user defined locales to /usr/local/share/i18n/SUPPORTED. If you change
# this file, you need to rerun locale-gen.


"""


def locale_list(files: Files, _: object = ()) -> None:
    """Name all locales that can be made, unless somebody has a list."""
    lines = (files.text(_SUPPORTED) or "").split("\n")
    names = {line.rstrip(" ") for line in lines if line[:1].isalpha()}
    if files.itself(_LIST) is None:
        files.put(_LIST, _HEAD + "".join(f"# {name}\n" for name in sorted(names)))
