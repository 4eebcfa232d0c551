"""Words of a Dockerfile build: what they come to, and which are refused."""

import os
import socket
from argparse import Namespace
from pathlib import Path

import pytest

from artificer.builder.recipe import Annotation
from artificer.cli.dockerfile.grammar import dockerfile_parser, plain_words
from artificer.cli.dockerfile.output import Outputs, outputs_of
from artificer.cli.dockerfile.refused import REFUSED
from artificer.cli.dockerfile.words import (
    agents,
    annotations,
    build_args,
    fields,
    hosts,
    labels,
    secrets,
)
from artificer.errors import Misused
from artificer.limits import SECRET_BYTES
from artificer.oci.reference import DockerArchive, Layout, OciArchive, StoreName, parse_name


def parsed(*words: str) -> Namespace:
    parser = dockerfile_parser()
    return parser.parse_intermixed_args(plain_words(words, parser))


def outputs(*words: str) -> Outputs:
    return outputs_of(parsed(".", *words))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--push=true"], ["--push"]),
        (["--push=false"], []),
        (["--no-cache=T"], ["--no-cache"]),
        (["--pull", "."], ["--pull=always", "."]),
        (["--pull=false"], ["--pull=missing"]),
        (["--pull=never"], ["--pull=never"]),
        (["--provenance=false", "--rm"], []),
        (["--force-rm=false", "--squash=false"], []),
        (["--", "--push=false"], ["--", "--push=false"]),
    ],
)
def test_switches_may_have_a_value_as_with_docker(words: list[str], expected: list[str]) -> None:
    assert plain_words(words, dockerfile_parser()) == expected


def test_a_switch_is_true_or_false() -> None:
    with pytest.raises(Misused, match="--push=maybe: neither true nor false"):
        parsed(".", "--push=maybe")


@pytest.mark.parametrize("name", [names.split()[-1] for names in REFUSED])
def test_what_has_no_meaning_is_refused_by_name_and_reason(name: str) -> None:
    with pytest.raises(Misused, match=f"{name} is refused: "):
        parsed(".", f"{name}=whatever")


def test_fields_are_those_of_csv() -> None:
    assert fields('type=local,"dest=a,b"', "-o") == {"type": "local", "dest": "a,b"}
    with pytest.raises(Misused, match="dest is given twice"):
        fields("dest=a,dest=b", "-o")
    with pytest.raises(Misused, match="-o "):
        fields('"dest=a', "-o")


def test_an_argument_without_a_value_takes_that_of_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "args"
    file.write_text("# comment\nA=file\nB=file\n\nC\n")

    found = build_args(["A=word", "D", "E", "F="], [str(file)], {"C": "c", "D": "d"})

    assert found == {"A": "word", "B": "file", "C": "c", "D": "d", "F": ""}


def test_an_argument_has_a_name() -> None:
    with pytest.raises(Misused, match="--build-arg: not NAME=VALUE: '=x'"):
        build_args(["=x"], [], {})


def test_a_label_may_have_no_value() -> None:
    assert labels(["a=b=c", "d"]) == {"a": "b=c", "d": ""}
    with pytest.raises(Misused, match="--label"):
        labels(["=x"])


def test_an_annotation_has_a_scope_but_no_platform() -> None:
    assert annotations(["index:a=b"]) == (Annotation("index", "a", "b"),)
    with pytest.raises(Misused, match="of every platform"):
        annotations(["manifest[linux/amd64]:a=b"])


def test_a_secret_is_a_file_or_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"abc")
    environ = {"TOKEN": "t", "named": "n"}

    found = secrets(
        [f"id=a,src={file}", "id=b,env=TOKEN", "id=named", "type=env,id=c,src=TOKEN"], environ
    )

    assert {name: one.data for name, one in found.items()} == {
        "a": b"abc",
        "b": b"t",
        "named": b"n",
        "c": b"t",
    }
    assert "abc" not in repr(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("src=x", "it has no id"),
        ("id=a,src=/nowhere", "cannot read /nowhere: no such file"),
        ("id=a,env=NOWHERE", "NOWHERE is not set"),
        ("id=a,src=x,env=y", "exclude each other"),
        ("id=a,type=what", "no such type"),
        ("id=a,mode=1", "'mode' is unknown"),
    ],
)
def test_a_secret_that_is_not_there_fails_before_any_step(text: str, said: str) -> None:
    with pytest.raises(Misused, match=said):
        secrets([text], {})


def test_a_secret_is_small_and_given_once(tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"x" * (SECRET_BYTES + 1))

    with pytest.raises(Misused, match="larger than"):
        secrets([f"id=a,src={file}"], {})
    with pytest.raises(Misused, match="given twice"):
        secrets(["id=a", "id=a"], {"a": ""})


def test_an_agent_is_named_by_its_socket(tmp_path: Path) -> None:
    here = Path.cwd()
    os.chdir(tmp_path)  # The path of a socket is short.
    try:
        with socket.socket(socket.AF_UNIX) as agent:
            agent.bind("s")
            found = agents(["default", "git=s"], {"SSH_AUTH_SOCK": "s"})
    finally:
        os.chdir(here)

    assert found == {"default": str(tmp_path / "s"), "git": str(tmp_path / "s")}


def test_keys_are_not_read_and_an_agent_must_be_there(tmp_path: Path) -> None:
    key = tmp_path / "id_ed25519"
    key.write_text("secret")

    with pytest.raises(Misused, match="no socket of an agent"):
        agents([f"default={key}"], {})
    with pytest.raises(Misused, match="SSH_AUTH_SOCK is not set"):
        agents(["default"], {})
    with pytest.raises(Misused, match="there is no"):
        agents([f"default={key}.no"], {})


def test_hosts_are_written_as_docker_writes_them() -> None:
    assert hosts(["a:10.0.0.1", "b=10.0.0.2", "c:[::1]", "d:fe80::1", "e=::2"]) == (
        ("a", "10.0.0.1"),
        ("b", "10.0.0.2"),
        ("c", "::1"),
        ("d", "fe80::1"),
        ("e", "::2"),
    )


@pytest.mark.parametrize("text", ["a", "a:b", ":10.0.0.1", "a b:10.0.0.1", "a:host-gateway"])
def test_a_host_has_an_address(text: str) -> None:
    with pytest.raises(Misused, match="--add-host"):
        hosts([text])


def test_a_name_is_stored_and_sent_only_if_asked() -> None:
    name = "registry.test/me/app:1"

    assert outputs("-t", name).references == (StoreName(name),)
    assert outputs("-t", name, "--push").references == (parse_name(name),)
    assert outputs("-t", name, "-o", "type=registry").references == (parse_name(name),)
    assert outputs("-o", f"type=image,name={name},push=true").references == (parse_name(name),)
    assert outputs("-t", f"docker://{name}").references == (parse_name(name),)
    assert outputs("-t", "oci:dir:1", "-t", "app").references == (
        StoreName("app:latest"),
        Layout("dir", "1"),
    )


def test_outputs_are_places_for_images_and_for_files() -> None:
    found = outputs(
        *("-t", "app:1", "-o", "out", "-o", "type=tar,dest=a.tar", "-o", "-"),
        *("-o", "type=oci,dest=o.tar", "-o", "type=oci,tar=false,dest=o"),
        *("-o", "type=docker,dest=d.tar,compression=zstd,compression-level=3"),
    )

    assert found.directories == ("out",)
    assert found.tars == ("a.tar", "-")
    assert found.references[1:] == (
        OciArchive("o.tar", "1"),
        Layout("o", "1"),
        DockerArchive("d.tar", parse_name("app:1")),
    )
    assert (found.format, found.compression, found.level) == ("oci", "zstd", 3)
    assert outputs("-t", "app", "-o", "type=docker").loaded == (parse_name("app"),)
    assert outputs("-o", "type=cacheonly") == Outputs()
    assert outputs("-o", "type=image,oci-mediatypes=false").format == "docker"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--push"], "no name of a registry"),
        (["--load"], "the image has no name"),
        (["-o", "type=what"], "no such type: 'what'"),
        (["-o", "name=x"], "no such type: ''"),
        (["-o", "type=local"], "it needs a directory"),
        (["-o", "type=oci"], "it needs a file"),
        (["-o", "type=docker,dest=-"], "cannot go to standard output"),
        (["-o", "type=docker,dest=/"], "is a directory"),
        (["-o", "-", "-o", "type=tar"], "two outputs to standard output"),
        (["-o", "type=oci,dest=x,compression=estargz"], "compression estargz is refused"),
        (["-o", "type=oci,dest=x,compression-level=high"], "compression-level is a number"),
        (["-o", "type=image,push=maybe"], "neither true nor false"),
        (["-o", "type=image,name-canonical=true"], "name-canonical=true is refused"),
    ],
)
def test_an_output_that_makes_no_sense_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(Misused, match=said):
        outputs(*words)
