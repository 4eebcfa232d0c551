"""Which branch of a `select` holds, with the conditions that BUILD files declare."""

from collections.abc import Callable, Mapping, Sequence

from artificer.frontends.buildfile.check import nearest
from artificer.frontends.buildfile.labels import Label, PackageId, parse_label
from artificer.frontends.buildfile.settings import (
    DEFAULT,
    Branch,
    Configuration,
    InvalidSelect,
    Setting,
    holds,
    is_condition,
    most_special,
)

SettingsOf = Callable[[PackageId], Mapping[str, Setting]]
"""The conditions that a package declares; none if there is no such package."""


class Conditions:
    """Decides conditions by what *settings_of* finds declared."""

    def __init__(self, settings_of: SettingsOf, canonical: Callable[[Label], Label]) -> None:
        self._settings_of = settings_of
        self._canonical = canonical

    def choose(self, labels: Sequence[Label], message: str, configuration: Configuration) -> int:
        """The number of the branch that is taken."""
        if not labels:
            raise InvalidSelect("a select has no branches")
        texts = [str(label) for label in labels]
        if configuration.first_pass:
            return texts.index(DEFAULT) if DEFAULT in texts else 0
        branches = [
            Branch(number, texts[number], wants)
            for number, label in enumerate(labels)
            if texts[number] != DEFAULT
            and (wants := self._wants(label, configuration, ())) is not None
        ]
        if len(branches) == 1:
            return branches[0].number
        if branches:
            return most_special(branches).number
        if DEFAULT in texts:
            return texts.index(DEFAULT)
        platform = configuration.platform
        raise InvalidSelect(
            message or f"no branch of a select holds for {platform}: it has {', '.join(texts)}",
            hint=f"add a branch for `{DEFAULT}`",
        )

    def _wants(
        self, label: Label, configuration: Configuration, seen: tuple[Label, ...]
    ) -> frozenset[tuple[str, str]] | None:
        """What *label* asks for, None if that is not the case."""
        text = str(label)
        if is_condition(text):
            want = ("constraint", text)
            return frozenset({want}) if holds(want, configuration) else None
        if label in seen:
            path = " → ".join(map(str, (*seen, label)))
            raise InvalidSelect(f"a condition depends on itself: {path}")
        setting = self._setting(label)
        wants = [self._resolved(want, label.home) for want in setting.wants]
        if not all(self._holds(want, configuration) for want in wants):
            return None
        found = frozenset(wants)
        for other in setting.match_all:
            inner = self._wants(self._label(other, label.home), configuration, (*seen, label))
            if inner is None:
                return None
            found |= inner
        any_of = [
            self._wants(self._label(other, label.home), configuration, (*seen, label))
            for other in setting.match_any
        ]
        if any_of and all(each is None for each in any_of):
            return None
        return found | next((each for each in any_of if each is not None), frozenset())

    def _holds(self, want: tuple[str, str], configuration: Configuration) -> bool:
        flag, value = want
        if not flag.startswith("flag "):
            return holds(want, configuration)
        label = parse_label(flag.removeprefix("flag "), PackageId("", ""))
        given = configuration.flags.get(str(label), self._setting(label).default)
        return given is not None and given.lower() == value.lower()

    def _resolved(self, want: tuple[str, str], home: PackageId) -> tuple[str, str]:
        flag, value = want
        if flag == "constraint":
            return flag, str(self._label(value, home))
        if flag.startswith("flag "):
            return f"flag {self._label(flag.removeprefix('flag '), home)}", value
        return want

    def _label(self, text: str, home: PackageId) -> Label:
        return self._canonical(parse_label(text, home))

    def _setting(self, label: Label) -> Setting:
        settings = self._settings_of(label.home)
        if label.name not in settings:
            raise InvalidSelect(
                f"no condition {label}: a select asks for it, and nothing declares it",
                hint=nearest(label.name, settings) or "declare it with `config_setting`",
            )
        return settings[label.name]
