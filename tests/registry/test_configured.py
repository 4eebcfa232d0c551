"""Each ``tests/cases/registries/NAME.toml`` has its outcome beside it in ``NAME.expected``.

A line there is ``REPOSITORY | read by tag | read by digest``, endpoints as ``BASE NAME``, with a
star behind a mirror; ``=`` is the same as by tag. Of ``wrong-NAME`` it is a part of the error.
"""

from pathlib import Path

import pytest

from artificer.events import Event, Warned, unheard
from artificer.oci.reference import Repository
from artificer.registry.configured import (
    Configuration,
    InvalidConfiguration,
    configuration_of,
)
from artificer.registry.places import (
    certificate_directories,
    policy_file,
    registries_files,
)
from artificer.registry.routes import Blocked, Routes, Rule

CASES = Path(__file__).parent.parent / "cases" / "registries"
RIGHT = sorted(path.stem for path in CASES.glob("*.toml") if not path.stem.startswith("wrong-"))
WRONG = sorted(path.stem for path in CASES.glob("wrong-*.toml"))


def ways(routes: Routes, name: str, *, by_digest: bool) -> str:
    registry, _, path = name.partition("/")
    try:
        found = routes.read(Repository(registry, path), by_digest=by_digest)
    except Blocked:
        return "blocked"
    return ", ".join(f"{e.base} {e.repository}{' *' if e.mirror else ''}" for e in found)


@pytest.mark.parametrize("case", RIGHT)
def test_a_file_leads_where_podman_would_go(case: str) -> None:
    events: list[Event] = []
    configuration = configuration_of([str(CASES / f"{case}.toml")], report=events.append)
    routes = Routes(configuration.rules)

    for line in (CASES / f"{case}.expected").read_text().splitlines():
        name, by_tag, by_digest = line.split(" | ")
        assert ways(routes, name, by_digest=False) == by_tag
        expected = by_tag if by_digest == "=" else by_digest
        assert ways(routes, name, by_digest=True) == expected
    assert events == []


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_says_what_is_wrong(case: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        configuration_of([str(CASES / f"{case}.toml")], report=unheard)

    assert (CASES / f"{case}.expected").read_text().strip() in caught.value.message


def test_a_missing_or_unreadable_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"# \xe9\n")
    for name in ("missing", ".", "latin"):
        with pytest.raises(InvalidConfiguration):
            configuration_of([str(tmp_path / name)], report=unheard)


def test_a_key_that_nobody_knows_is_told(tmp_path: Path) -> None:
    path = tmp_path / "registries.conf"
    path.write_text(
        'top = 1\n[[registry]]\nlocation = "r"\ninsecur = true\n'
        '[[registry.mirror]]\nlocation = "m"\nblocked = true\n'
    )
    events: list[Event] = []
    configuration_of([str(path)], report=events.append)

    assert events == [
        Warned(f"{path}: nobody knows the key 'top'"),
        Warned(f"{path}: registry 1: nobody knows the key 'insecur'"),
        Warned(f"{path}: registry 1: mirror 1: nobody knows the key 'blocked'"),
    ]


def test_a_drop_in_replaces_what_has_its_prefix(tmp_path: Path) -> None:
    first, second = tmp_path / "a.conf", tmp_path / "b.conf"
    first.write_text(
        'credential-helpers = ["one"]\n'
        '[[registry]]\nlocation = "r"\nblocked = true\n[[registry]]\nlocation = "s"\n'
    )
    second.write_text('[[registry]]\nlocation = "r"\n')

    assert configuration_of([str(first), str(second)], report=unheard) == Configuration(
        (Rule("r", "r"), Rule("s", "s")), ("one",)
    )


def write(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def test_the_users_file_takes_the_place_of_the_systems_and_drop_ins_come_behind(
    tmp_path: Path,
) -> None:
    home, system = tmp_path / "home" / ".config" / "containers", tmp_path / "etc" / "containers"
    environ = {"HOME": str(tmp_path / "home")}
    assert registries_files(environ, system=str(system)) == []
    write(
        system / "registries.conf",
        system / "registries.conf.d" / "b.conf",
        system / "registries.conf.d" / "a.conf",
        system / "registries.conf.d" / "c.conf.rpmsave",
        home / "registries.conf.d" / "a.conf",
    )
    drop_ins = [
        str(system / "registries.conf.d" / "a.conf"),
        str(system / "registries.conf.d" / "b.conf"),
        str(home / "registries.conf.d" / "a.conf"),
    ]
    main = str(system / "registries.conf")
    assert registries_files(environ, system=str(system)) == [main, *drop_ins]
    write(home / "registries.conf")
    main = str(home / "registries.conf")
    assert registries_files(environ, system=str(system)) == [main, *drop_ins]
    environ["CONTAINERS_REGISTRIES_CONF"] = "/my.conf"
    assert registries_files(environ, system=str(system)) == ["/my.conf", *drop_ins]
    assert registries_files({"XDG_CONFIG_HOME": "/none"}, system="/none") == []


def test_policy_and_certificates_are_the_users_first(tmp_path: Path) -> None:
    system = tmp_path / "etc" / "containers"
    environ = {"HOME": "/nowhere", "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert policy_file(environ, system=str(system)) is None
    write(system / "policy.json")
    assert policy_file(environ, system=str(system)) == str(system / "policy.json")
    own = tmp_path / "xdg" / "containers" / "policy.json"
    write(own)
    assert policy_file(environ, system=str(system)) == str(own)

    assert certificate_directories(environ) == [
        str(tmp_path / "xdg" / "containers" / "certs.d"),
        "/etc/containers/certs.d",
        "/etc/docker/certs.d",
    ]
