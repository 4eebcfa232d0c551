"""Locks of Debian packages: written to be read, and read with suspicion."""

import json
from pathlib import Path
from typing import Any

import pytest

from artificer.builder.lock import Lock, read_lock, write_lock
from artificer.builder.package_lock import (
    InvalidPackages,
    LockedSet,
    StaleLock,
    differences,
    document_of,
    parsed_locks,
    read_packages,
    request_name,
    request_of,
    text_of,
)
from artificer.errors import Misused
from artificer.sources.debian.values import Archive, Locked, Wanted

HASH = "a" * 64
NGINX = Locked(
    *("nginx", "1.22.1-9", "amd64", ("https://deb.example.org/n.deb",), HASH, 3), "nginx"
)
LIBC = NGINX._replace(name="libc6", version="2.36-9", source="glibc 2.36", auto=True)
SET = LockedSet(f"sha256:{HASH}", {"amd64": (NGINX, LIBC)}, {"amd64": "sha256:base"})
ARCHIVE = Archive("https://deb.example.org/debian", "stable", ("main",))


def test_a_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "nginx.lock"

    path.write_text(text_of(SET))

    assert read_packages(str(path)) == SET


def test_each_package_has_a_line_of_its_own(tmp_path: Path) -> None:
    write_lock(str(tmp_path), Lock(packages={"nginx": document_of(SET)}))

    lines = (tmp_path / "artificer.lock").read_text().splitlines()

    assert sum('"nginx"' in line and "sha256" in line for line in lines) == 1
    assert sum("libc6" in line for line in lines) == 1
    assert parsed_locks(read_lock(str(tmp_path)).packages, "it") == {"nginx": SET}


def test_a_set_answers_its_own_request_alone() -> None:
    def ask(architecture: str = "amd64", request: str = SET.request, base: str = "") -> object:
        return SET.of(architecture, request=request, base=base or "sha256:base", what="nginx")

    assert ask() == (NGINX, LIBC)
    with pytest.raises(StaleLock, match="another request") as error:
        ask(request="sha256:other")
    assert "artificer lock" in str(error.value.hint)
    with pytest.raises(StaleLock, match="locked for amd64, not for arm64"):
        ask("arm64")
    with pytest.raises(StaleLock, match="another base"):
        ask(base="sha256:new")


def test_a_request_is_what_decides_which_packages_are_chosen() -> None:
    it = request_of(Wanted(("nginx",)), [ARCHIVE])

    assert request_of(Wanted(("nginx",)), [ARCHIVE._replace(place="x", signed_by=("k",))]) == it
    assert request_of(Wanted(("curl",)), [ARCHIVE]) != it
    assert request_of(Wanted(("nginx",), recommends=True), [ARCHIVE]) != it
    assert request_of(Wanted(("nginx",)), [ARCHIVE._replace(suite="testing")]) != it
    assert request_of(Wanted(("nginx",)), [ARCHIVE], "debian:12") != it
    assert request_name(Wanted(("nginx", "curl")), "debian:12") == "nginx curl on debian:12"


def test_what_changes_is_told_a_line_each() -> None:
    newer = LockedSet(
        SET.request,
        {"amd64": (NGINX._replace(version="1.24"), NGINX._replace(name="zlib1g"))},
    )

    assert list(differences({"it": SET}, {"it": newer})) == [
        "- libc6:amd64 2.36-9",
        "~ nginx:amd64 1.22.1-9 → 1.24",
        "+ zlib1g:amd64 1.22.1-9",
    ]
    assert next(differences({}, {"it": SET})) == "+ packages: it"
    other = LockedSet("", {"amd64": (NGINX._replace(sha256="b" * 64), LIBC)})
    assert list(differences({"it": SET}, {"it": other})) == [
        "~ nginx:amd64 1.22.1-9 (another file)"
    ]


def test_a_password_is_not_written_into_a_lock() -> None:
    secret = NGINX._replace(urls=("https://me:hunter2@deb.example.org/n.deb",))

    with pytest.raises(Misused) as error:
        document_of(LockedSet("", {"amd64": (secret,)}))

    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../etc/passwd"},
        {"name": "a b"},
        {"version": "1\n2"},
        {"version": "$(id)"},
        {"architecture": "AMD64/.."},
        {"sha256": "A" * 64},
        {"sha256": ""},
        {"sha256": 5},
        {"size": -1},
        {"size": True},
        {"size": 2**60},
        {"size": "3"},
        {"size": 1.5},
        {"urls": []},
        {"urls": "https://x"},
        {"urls": [""]},
        {"urls": ["https://x/\x1b[2J"]},
        {"urls": [7]},
        {"auto": "yes"},
        {"source": "a/b"},
    ],
)
def test_a_hostile_package_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    document = {"version": 1, **document_of(SET)}
    document["architectures"]["amd64"]["packages"][0].update(change)
    path = tmp_path / "bad.lock"
    path.write_text(json.dumps(document))

    with pytest.raises(InvalidPackages) as error:
        read_packages(str(path))

    assert str(path) in error.value.message
    assert "\x1b" not in error.value.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "<<<<<<< HEAD",
        '{"version": 2, "architectures": {}}',
        '{"version": 1, "architectures": []}',
        '{"version": 1, "architectures": {"amd64": []}}',
        '{"version": 1, "architectures": {"amd64": {"packages": {}}}}',
        '{"version": 1, "architectures": {"../x": {"packages": []}}}',
        '{"version": 1, "packages": 5}',
        '{"version": 1, "packages": [5]}',
        "[" * 10_000,
    ],
)
def test_what_is_no_lock_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.lock"
    path.write_text(text)

    with pytest.raises(InvalidPackages) as caught:
        read_packages(str(path))

    assert "remove the file" in (caught.value.hint or "")


def test_a_package_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.lock"
    twice = LockedSet("", {"amd64": (NGINX, NGINX._replace(version="2"))})
    path.write_text(json.dumps({"version": 1, **document_of(twice)}))

    with pytest.raises(InvalidPackages, match="nginx:amd64 twice"):
        read_packages(str(path))


@pytest.mark.parametrize("version", [1, 2])
def test_a_lock_of_rules_distroless_is_read(version: int, tmp_path: Path) -> None:
    package = {
        "arch": "amd64",
        "dependencies": [{"key": "x", "name": "x", "version": "1"}],
        "key": "perl_5.32_amd64",
        "name": "perl",
        "sha256": HASH,
        "url": "https://deb.example.org/perl.deb",
        "version": "5.32",
    }
    packages = [package] if version == 1 else {"perl": {"amd64": package}}
    path = tmp_path / "bullseye.lock.json"
    path.write_text(json.dumps({"version": version, "packages": packages}))

    found = read_packages(str(path))

    assert found.packages == {
        "amd64": (Locked("perl", "5.32", "amd64", ("https://deb.example.org/perl.deb",), HASH, 0),)
    }
