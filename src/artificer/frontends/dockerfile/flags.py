"""The flags of an instruction: which there are, and what is given."""

from typing import Literal

from artificer.frontends.dockerfile.errors import invalid, suggestion
from artificer.frontends.dockerfile.instructions import Lines

Kind = Literal["text", "list", "truth"]

_COPIED: dict[str, Kind] = {"chown": "text", "chmod": "text", "link": "truth", "exclude": "list"}
FLAGS: dict[str, dict[str, Kind]] = {
    "FROM": {"platform": "text"},
    "COPY": {**_COPIED, "from": "text", "parents": "truth"},
    "ADD": {**_COPIED, "keep-git-dir": "truth", "checksum": "text", "unpack": "truth"},
    "RUN": {"mount": "list", "network": "text", "security": "text", "device": "list"},
    "HEALTHCHECK": {
        "interval": "text",
        "timeout": "text",
        "start-period": "text",
        "start-interval": "text",
        "retries": "text",
    },
}
"""Flags by instruction; the others have none."""


class Flags:
    """What is given, checked against what the instruction *name* knows."""

    __slots__ = ("_at", "_given")

    def __init__(self, at: Lines, name: str, words: list[str]) -> None:
        self._at = at
        self._given: dict[str, list[str]] = {}
        known = FLAGS.get(name, {})
        for word in words:
            flag, equals, value = word[2:].partition("=")
            kind = known.get(flag)
            if kind is None:
                raise _unknown(at, name, flag)
            if not equals and kind != "truth":
                raise invalid(at, f"--{flag} needs a value", word=word, hint=f"--{flag}=…")
            if flag in self._given and kind != "list":
                raise invalid(at, f"--{flag} stands twice", word=word)
            self._given.setdefault(flag, []).append(value if equals else "true")

    @property
    def given(self) -> bool:
        """Whether any flag is given."""
        return bool(self._given)

    def text(self, flag: str) -> str:
        """The value of *flag*, "" where it is not given."""
        return self._given.get(flag, [""])[0]

    def list(self, flag: str) -> tuple[str, ...]:
        """All values of *flag*."""
        return tuple(self._given.get(flag, ()))

    def truth(self, flag: str) -> bool | None:
        """Whether *flag* is set, None where it is not given."""
        value = self.text(flag).lower()
        if value not in ("", "true", "false"):
            raise invalid(
                self._at, f"--{flag} is true or false, not {self.text(flag)!r}", word=f"--{flag}"
            )
        return value == "true" if flag in self._given else None


def _unknown(at: Lines, name: str, flag: str) -> Exception:
    known = FLAGS.get(name, {})
    others = [other for other in FLAGS if flag in FLAGS[other]]
    hint = suggestion(f"--{flag}", [f"--{known_flag}" for known_flag in known])
    if not hint and others:
        hint = f"--{flag} is a flag of {' and '.join(others)}"
    elif not hint:
        hint = f"it has {', '.join(f'--{f}' for f in known)}" if known else "it has no flags"
    return invalid(at, f"{name} has no flag --{flag}", word=f"--{flag}", hint=hint)
