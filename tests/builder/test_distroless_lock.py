"""Locks of rules_distroless, read and written."""

import json
from pathlib import Path
from typing import Any

import pytest

from artificer.builder.distroless_lock import closure, lock_text, read_lock
from artificer.builder.package_lock import InvalidPackages, LockedSet, text_of
from artificer.sources.debian.values import Locked

SHA = "0" * 64
PERL = Locked("perl", "5.36~1", "all", ("https://example.org/perl.deb",), SHA, 5)
LIBC = Locked("libc6", "2:2+1", "amd64", ("https://example.org/c.deb",), SHA, 6)


def row(name: str, *needs: Any, arch: str = "amd64") -> dict[str, Any]:
    url = f"https://example.org/{name}.deb"
    return {
        "name": name,
        "version": "1",
        "arch": arch,
        "sha256": SHA,
        "url": url,
        "dependencies": [*needs],
    }


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    path.write_text(
        lock_text(LockedSet("sha256:x", {"amd64": (LIBC, PERL)}), {("perl", "amd64"): ("libc6",)})
    )

    locked, needs = read_lock(str(path))

    assert locked.request == "sha256:x"
    assert [(one.name, one.version, one.urls) for one in locked.packages["amd64"]] == [
        ("libc6", "2:2+1", LIBC.urls),
        ("perl", "5.36~1", PERL.urls),
    ]
    assert needs == {("libc6", "amd64"): (), ("perl", "amd64"): ("libc6",)}
    (first, _) = json.loads(path.read_text())["packages"]
    assert first["key"] == "libc6_2-2-p-1_amd64"


def test_packages_of_version_2_are_by_name_and_architecture(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    packages = {"a": {"amd64": row("a", {"name": "b"}), "arm64": row("a", arch="arm64")}}
    path.write_text(json.dumps({"version": 2, "packages": packages}))

    locked, needs = read_lock(str(path))

    assert sorted(locked.packages) == ["amd64", "arm64"]
    assert needs[("a", "amd64")] == ("b",)


def test_one_of_ours_tells_no_needs(tmp_path: Path) -> None:
    ours = LockedSet("sha256:y", {"amd64": (LIBC,)})
    (tmp_path / "x.lock").write_text(text_of(ours))

    locked, needs = read_lock(str(tmp_path / "x.lock"))

    assert (locked.request, needs) == ("sha256:y", {})


@pytest.mark.parametrize("needs", [["b"], [{"name": 5}], [{"named": "b"}], [None]])
def test_needs_that_are_no_packages_are_refused(tmp_path: Path, needs: list[Any]) -> None:
    path = tmp_path / "lock.json"
    path.write_text(json.dumps({"version": 1, "packages": [row("a", *needs)]}))

    with pytest.raises(InvalidPackages, match="dependencies are not packages"):
        read_lock(str(path))


def test_what_a_package_needs_comes_once_also_in_a_circle() -> None:
    needs = {("a", "amd64"): ("b", "c"), ("b", "amd64"): ("c", "a"), ("c", "arm64"): ("d",)}

    assert closure("a", "amd64", needs) == ("b", "c", "a")
    assert closure("x", "amd64", needs) == ("x",)
