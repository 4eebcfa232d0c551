"""Who may use a target: Bazel's rules, so that what builds there builds here and no more."""

from collections.abc import Callable, Iterable

from artificer.frontends.buildfile.labels import Label, PackageId, parse_label

Groups = Callable[[Label], tuple[tuple[str, ...], tuple[str, ...]]]
"""What a package_group lists, and the groups that it takes in."""


def is_visible(rules: Iterable[str], home: PackageId, user: PackageId, groups: Groups) -> bool:
    """Whether *user* may use what stands in *home* with the visibility *rules*."""
    return any(_allows(parse_label(rule, home), user, groups) for rule in rules)


def _allows(rule: Label, user: PackageId, groups: Groups) -> bool:
    if rule.package == "visibility":
        return rule.name in {"public", "legacy_public"}
    if rule.name == "__pkg__":
        return user == rule.home
    if rule.name == "__subpackages__":
        return user.repository == rule.repository and _is_below(user.path, rule.package)
    return _is_in_group(rule, user, groups, set())


def _is_in_group(rule: Label, user: PackageId, groups: Groups, seen: set[Label]) -> bool:
    if rule in seen:
        return False
    seen.add(rule)
    packages, includes = groups(rule)
    listed = [each for each in packages if not each.startswith("-")]
    denied = [each.removeprefix("-") for each in packages if each.startswith("-")]
    if any(_is_listed(user, each) for each in denied):
        return False
    if any(_is_listed(user, each) for each in listed):
        return True
    return any(_is_in_group(parse_label(each, rule.home), user, groups, seen) for each in includes)


def _is_listed(user: PackageId, spec: str) -> bool:
    if spec in {"public", "private"}:
        return spec == "public"
    text = str(user)
    if spec == "//...":
        return not user.repository
    if spec.endswith("/..."):
        return _is_below(text, spec.removesuffix("/..."))
    return text == spec


def _is_below(path: str, parent: str) -> bool:
    return not parent or path == parent or path.startswith(f"{parent}/")
