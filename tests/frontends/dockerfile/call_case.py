"""Case files of calls: what is asked of a Dockerfile, and the answer."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from artificer.builder.staged.ignore import Ignore
from artificer.errors import ArtificerError
from artificer.frontends.dockerfile.calls.check import check_json, check_text
from artificer.frontends.dockerfile.calls.outline import outline, outline_json, outline_text
from artificer.frontends.dockerfile.calls.targets import targets_json, targets_text
from artificer.frontends.dockerfile.instructions import Dockerfile
from artificer.frontends.dockerfile.lint.check import check_asked, failure, violations
from artificer.frontends.dockerfile.options import Options
from artificer.frontends.dockerfile.parse import dockerfile
from artificer.frontends.dockerfile.recipe import recipe
from artificer.oci.platform import Platform
from artificer.oci.reference import Named, Reference
from tests.frontends.dockerfile.parse_case import LINE, told


class Case(NamedTuple):
    """One case: the rule that it holds, what is asked, what with, and both texts."""

    rule: str
    call: str
    options: Options
    bases: Mapping[str, Mapping[str, Any]]
    ignore: tuple[str, ...]
    dockerfile: str
    expected: str

    @classmethod
    def read(cls, text: str) -> "Case":
        head, source, expected = re.split(rf"^{LINE}\n", text, maxsplit=2, flags=re.MULTILINE)
        case = cls("", "check", Options(all_stages=True), {}, (), source, expected)
        for line in head.splitlines():
            word, _, value = line.partition(" ")
            case = case.told(word, value)
        assert case.rule
        return case

    def told(self, word: str, value: str) -> "Case":
        name, _, rest = value.partition("=")
        match word:
            case "rule":
                return self._replace(rule=value)
            case "call":
                return self._replace(call=value)
            case "ignore":
                return self._replace(ignore=(*self.ignore, value))
            case "base":
                image, _, document = value.partition(" ")
                return self._replace(bases={**self.bases, image: json.loads(document)})
            case "--build-arg":
                given = {**self.options.build_args, name: rest}
                return self._replace(options=self.options._replace(build_args=given))
            case "--target":
                return self._replace(options=self.options._replace(target=value))
            case _:
                raise ValueError(word)

    def result(self) -> str:
        try:
            read = dockerfile(self.dockerfile.encode(), "Dockerfile")
            return _ANSWERS[self.call](self, read)
        except ArtificerError as error:
            return told(error)

    def check(self, read: Dockerfile, answer: Callable[..., str]) -> str:
        made = recipe(read, self.options, self.base_of)
        found = violations(read, made, Ignore(self.ignore))
        failed = failure(check_asked(read, made), found)
        return answer(read, found) + (told(failed) if failed else "")

    def base_of(self, reference: Reference, platform: Platform) -> Mapping[str, Any]:
        name = reference.familiar if isinstance(reference, Named) else str(reference)
        return {**platform.document(), **self.bases.get(name, {})}


_ANSWERS: dict[str, Callable[[Case, Dockerfile], str]] = {
    "check": lambda case, read: case.check(read, check_text),
    "check json": lambda case, read: case.check(read, check_json),
    "targets": lambda _, read: targets_text(read),
    "targets json": lambda _, read: targets_json(read),
    "outline": lambda case, read: outline_text(outline(read, case.options)),
    "outline json": lambda case, read: outline_json(read, outline(read, case.options)),
}
