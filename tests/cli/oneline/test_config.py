"""How a container starts, and what an image says about itself: every flag, seen by skopeo."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.outside import Cli, Seen
from tests.parts.commands import Command
from tests.parts.images import BaseImage, Layout, busybox_tar, layer_of
from tests.parts.registries import registry

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture
def rich(base_layout: Layout, tmp_path: Path) -> str:
    """A base that says everything, and fields that nobody knows; as a reference."""
    layout = Layout(tmp_path / "rich")
    config = {
        "Env": [PATH, "GREETING=hello", "EMPTY="],
        "Entrypoint": ["/bin/echo", "base"],
        "Cmd": ["base's", "words"],
        "WorkingDir": "/srv",
        "User": "nobody",
        "Labels": {"kept": "1", "changed": "old"},
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/data": {}},
        "StopSignal": "SIGQUIT",
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5000000000},
        "OnBuild": ["RUN something"],
        "com.example.unknown": {"deep": [1, 2.50, None]},
    }
    more = {"author": "somebody", "com.example.more": "x", "docker_version": "1.2"}
    layout.name(layout.image(layer_of(busybox_tar()), config=config, **more), "it")
    return f"oci:{layout.path}:it"


def config_of(cli: Cli, seen: Seen, layout: Path, *words: str, base: str = "scratch") -> Any:
    """What the image that *words* make says about its containers."""
    cli("-b", base, *words, "-t", f"oci:{layout}:it")
    return seen.config(f"oci:{layout}:it")["config"]


# The environment.


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (("-e", "A=1"), ["A=1"]),
        (("-e", "A="), ["A="]),
        (("-e", "A=1", "-e", "B=$A", "--env", "A=2"), ["A=2", "B=1"]),
        (("-e", "A=x=y z"), ["A=x=y z"]),
        (("-e", "A=${A:-else}", "-e", "B=${A:+then}", "-e", "C=${D:+then}"), None),
        (("-e", "A=a$$b"), ["A=a$b"]),
        (("-e", r"A=\$HOME"), ["A=$HOME"]),
        (("-e", "PATH=/x:$PATH"), [f"PATH=/x:{PATH[5:]}"]),
        (("-e", "ä=ö"), ["ä=ö"]),
        (("-e", "A=line\nbreak"), ["A=line\nbreak"]),
    ],
)
def test_the_environment_is_what_was_given(
    words: tuple[str, ...], env: list[str] | None, cli: Cli, seen: Seen, layout: Path
) -> None:
    found = config_of(cli, seen, layout, *words)["Env"]

    assert found == (["A=else", "B=then", "C="] if env is None else env)


def test_the_bases_environment_comes_first_and_is_replaced_in_place(
    cli: Cli, seen: Seen, layout: Path, rich: str
) -> None:
    words = ("-e", "GREETING=$GREETING world", "-e", "NEW=${EMPTY:-x}")

    env = config_of(cli, seen, layout, *words, base=rich)["Env"]

    assert env == [PATH, "GREETING=hello world", "EMPTY=", "NEW=x"]


def test_a_cleared_environment_knows_nothing_of_the_base(
    cli: Cli, seen: Seen, layout: Path, rich: str
) -> None:
    assert config_of(cli, seen, layout, "--clear-env", "-e", "A=1", base=rich)["Env"] == ["A=1"]
    assert not config_of(cli, seen, layout, "--clear-env", base=rich).get("Env")
    done = cli(*("-b", rich, "--clear-env", "-e", "A=$GREETING", "-t", f"oci:{layout}:no"), code=2)
    assert "$GREETING is set neither in the base nor before" in done.error
    assert "`$$`" in done.hint


def test_a_file_of_variables_is_read_as_docker_reads_it(
    cli: Cli, work: Path, seen: Seen, layout: Path
) -> None:
    (work / "env").write_text("# comment\n\nA=1\n  B=two words \nC=$A '\"'\nHOST_VALUE\nUNSET\n")
    (work / "more").write_text("D=4")

    done = cli(
        *("-b", "scratch", "--env-file", "env", "--env-file", "more", "-e", "A=$D"),
        *("-t", f"oci:{layout}:it"),
        environ={"HOST_VALUE": "from $HERE"},
    )

    env = seen.config(f"oci:{layout}:it")["config"]["Env"]
    assert env == ["A=4", "B=two words ", "C=$A '\"'", "HOST_VALUE=from $HERE", "D=4"]
    assert done.code == 0


def test_a_file_of_variables_may_come_from_windows_and_hold_any_character(
    cli: Cli, work: Path, seen: Seen, layout: Path
) -> None:
    (work / "env").write_bytes("\ufeffA=1\r\nB=form\x0cfeed\u2028\r\n".encode())

    env = config_of(cli, seen, layout, "--env-file", "env")["Env"]

    assert env == ["A=1", "B=form\x0cfeed\u2028"]


@pytest.mark.parametrize(
    "words",
    [
        *(("-e", "A=\udcff"), ("-c", "\udcff"), ("--cmd-shell", "\udcff"), ("-w", "/\udcff")),
        *(("--entrypoint", "\udcff"), ("--entrypoint-shell", "\udcff"), ("-u", "\udcff")),
        *(("-l", "a=\udcff"), ("--volume", "/\udcff"), ("--healthcheck", "\udcff")),
        *(("--annotation", "a=\udcff"), ("--author", "\udcff")),
    ],
)
def test_what_is_not_utf_8_cannot_stand_in_a_config(
    words: tuple[str, str], cli: Cli, layout: Path
) -> None:
    done = cli("-b", "scratch", *words, "-t", f"oci:{layout}:it", code=2)

    assert ": not UTF-8: " in done.error
    assert not layout.exists()


def test_half_a_surrogate_pair_is_valid_json_again(cli: Cli, seen: Seen, layout: Path) -> None:
    config = config_of(cli, seen, layout, "-c", '["\\ud800", "x"]')

    assert config["Cmd"] == ["\ud800", "x"]
    for path in (layout / "blobs/sha256").iterdir():
        path.read_bytes().decode()


# Commands.


@pytest.mark.parametrize(
    ("words", "entrypoint", "cmd"),
    [
        (("-c", "/srv --port 1"), None, ["/srv", "--port", "1"]),
        (("-c", "/srv 'a b' \"c d\" e\\ f"), None, ["/srv", "a b", "c d", "e f"]),
        (("--cmd", '["/srv", "a b", "$X"]'), None, ["/srv", "a b", "$X"]),
        (("-c", "echo $HOME | wc"), None, ["echo", "$HOME", "|", "wc"]),
        (("--cmd-shell", "echo $HOME | wc"), None, ["/bin/sh", "-c", "echo $HOME | wc"]),
        (("-c", "[]"), None, None),
        (("-c=-x",), None, ["-x"]),
        (("--cmd=--port 1",), None, ["--port", "1"]),
        (("--entrypoint", "/e -x", "-c", "y"), ["/e", "-x"], ["y"]),
        (("--entrypoint", '["/e"]'), ["/e"], None),
        (("--entrypoint-shell", "exec e $A"), ["/bin/sh", "-c", "exec e $A"], None),
    ],
)
def test_commands_are_split_into_words_or_taken_as_json(
    words: tuple[str, ...],
    entrypoint: list[str] | None,
    cmd: list[str] | None,
    cli: Cli,
    seen: Seen,
    layout: Path,
) -> None:
    config = config_of(cli, seen, layout, *words)

    assert config.get("Entrypoint") == entrypoint
    assert config.get("Cmd") == cmd


@pytest.mark.parametrize(
    ("words", "entrypoint", "cmd"),
    [
        ((), ["/bin/echo", "base"], ["base's", "words"]),
        (("-c", "mine"), ["/bin/echo", "base"], ["mine"]),
        (("-c", "[]"), ["/bin/echo", "base"], None),
        (("--entrypoint", "/mine"), ["/mine"], None),
        (("--entrypoint", "/mine", "--keep-cmd"), ["/mine"], ["base's", "words"]),
        (("--entrypoint", "[]"), None, None),
        (("--entrypoint", "[]", "-c", "mine"), None, ["mine"]),
    ],
)
def test_an_entrypoint_clears_the_bases_command(
    words: tuple[str, ...],
    entrypoint: list[str] | None,
    cmd: list[str] | None,
    *,
    cli: Cli,
    seen: Seen,
    layout: Path,
    rich: str,
) -> None:
    config = config_of(cli, seen, layout, "-l", "x=y", *words, base=rich)

    assert config.get("Entrypoint") == entrypoint
    assert config.get("Cmd") == cmd


# Everything else.


def test_an_empty_user_is_root_again(cli: Cli, seen: Seen, layout: Path, rich: str) -> None:
    assert config_of(cli, seen, layout, "-u", "", base=rich)["User"] == ""


def test_each_setting_is_where_runtimes_look_for_it(cli: Cli, seen: Seen, layout: Path) -> None:
    words = (
        *("-w", "/srv/app", "-u", "1000:1000", "-l", "a=1", "--label", "b=x=y", "-l", "c="),
        *("-p", "80", "--expose", "53/udp", "--port", "8000-8002/TCP", "--volume", "/data"),
        *("--volume", "/logs", "--stop-signal", "SIGRTMIN+3"),
        *("--healthcheck", "curl -f http://localhost/ || exit 1", "--health-interval", "1m30s"),
        *("--health-timeout", "500ms", "--health-start-period", "2s", "--health-retries", "3"),
        *("--health-start-interval", "1.5s"),
    )
    assert config_of(cli, seen, layout, *words) == {
        "WorkingDir": "/srv/app",
        "User": "1000:1000",
        "Labels": {"a": "1", "b": "x=y", "c": ""},
        "ExposedPorts": {
            name: {} for name in ("80/tcp", "53/udp", "8000/tcp", "8001/tcp", "8002/tcp")
        },
        "Volumes": {"/data": {}, "/logs": {}},
        "StopSignal": "SIGRTMIN+3",
        "Healthcheck": {
            "Test": ["CMD-SHELL", "curl -f http://localhost/ || exit 1"],
            "Interval": 90_000_000_000,
            "Timeout": 500_000_000,
            "StartPeriod": 2_000_000_000,
            "StartInterval": 1_500_000_000,
            "Retries": 3,
        },
    }


@pytest.mark.parametrize(
    ("word", "test"),
    [
        ("none", ["NONE"]),
        ("NONE", ["NONE"]),
        ('["/check", "-x"]', ["CMD", "/check", "-x"]),
        ("exit 0", ["CMD-SHELL", "exit 0"]),
    ],
)
def test_a_health_check_is_none_a_list_or_a_line(
    word: str, test: list[str], cli: Cli, seen: Seen, layout: Path
) -> None:
    assert config_of(cli, seen, layout, "--healthcheck", word)["Healthcheck"] == {"Test": test}


def test_what_nobody_names_stays_with_fields_that_nobody_knows(
    cli: Cli, seen: Seen, layout: Path, rich: str
) -> None:
    base = seen.config(rich)

    cli(
        "-b", rich, "-l", "changed=new", "-p", "443", "--volume", "/more", "-t", f"oci:{layout}:it"
    )

    built = seen.config(f"oci:{layout}:it")
    assert built["config"] == {
        **base["config"],
        "Labels": {"kept": "1", "changed": "new"},
        "ExposedPorts": {"80/tcp": {}, "443/tcp": {}},
        "Volumes": {"/data": {}, "/more": {}},
    }
    for field in ("author", "com.example.more", "docker_version", "rootfs", "os", "architecture"):
        assert built[field] == base[field]
    raw = next(
        path.read_text()
        for path in (layout / "blobs/sha256").iterdir()
        if b'"com.example.unknown"' in path.read_bytes()
    )
    assert '"com.example.unknown":{"deep":[1,2.5' in raw


@pytest.mark.parametrize(
    ("words", "environ", "created"),
    [
        ((), {}, "1970-01-01T00:00:00Z"),
        ((), {"SOURCE_DATE_EPOCH": "1700000000"}, "2023-11-14T22:13:20Z"),
        (("--created", "86399"), {"SOURCE_DATE_EPOCH": "1"}, "1970-01-01T23:59:59Z"),
        (("--created", "2024-02-29T12:00:00+02:00"), {}, "2024-02-29T10:00:00Z"),
    ],
)
def test_the_time_is_what_was_asked_for_and_never_now(
    words: tuple[str, ...],
    environ: dict[str, str],
    created: str,
    cli: Cli,
    seen: Seen,
    layout: Path,
) -> None:
    cli("-b", "scratch", "-c", "x", *words, "-t", f"oci:{layout}:it", environ=environ)

    config = seen.config(f"oci:{layout}:it")
    assert config["created"] == created
    assert [line["created"] for line in config["history"]] == [created]


def test_the_history_tells_in_order_what_was_done(
    cli: Cli, work: Path, seen: Seen, layout: Path, rich: str
) -> None:
    (work / "conf").mkdir()
    (work / "conf/x").touch()
    words = (
        *("--author", "A. Uthor", "-c", "b c", "-f", "conf:/etc/app", "conf", "-e", "A=1"),
        *("--symlink", "/l=x", "-w", "/w", "-u", "7", "-l", "k=v", "-p", "1", "--volume", "/v"),
        *("--stop-signal", "9", "--healthcheck", "none", "--entrypoint", "/e"),
        *("--copy-from", f"{rich}:/etc/os-release"),
    )
    cli("-b", rich, *words, "-t", f"oci:{layout}:it")

    config, base = seen.config(f"oci:{layout}:it"), seen.config(rich)
    count = len(base["history"])
    assert config["author"] == "A. Uthor"
    assert config["history"][:count] == base["history"]
    told = [line["created_by"] for line in config["history"][count:]]
    assert told == [
        "COPY /etc/os-release",
        "ADD /etc/app /conf /l",
        "ENV A=1",
        'ENTRYPOINT ["/e"]',
        'CMD ["b","c"]',
        "WORKDIR /w",
        "USER 7",
        "STOPSIGNAL 9",
        "LABEL k=v",
        "EXPOSE 1/tcp",
        "VOLUME /v",
        'HEALTHCHECK ["NONE"]',
    ]
    empty = [line.get("empty_layer", False) for line in config["history"][count:]]
    assert empty == [False, False, *[True] * 10]


# Annotations.


def test_the_base_is_told_by_name_and_digest(
    hub: Cli, alpine: BaseImage, seen: Seen, layout: Path
) -> None:
    words = ("--annotation", "a=1", "--annotation", "manifest:b=x:y=z", "--annotation", "c:d=2")
    hub("-b", "alpine:3.7", *words, "-t", f"oci:{layout}:it")
    hub("-b", "scratch", "-t", f"oci:{layout}:scratch")

    assert seen.raw(f"oci:{layout}:it")["annotations"] == {
        "org.opencontainers.image.base.name": "docker.io/library/alpine:3.7",
        "org.opencontainers.image.base.digest": alpine.digest,
        "a": "1",
        "b": "x:y=z",
        "c:d": "2",
    }
    assert "annotations" not in seen.raw(f"oci:{layout}:scratch")


def test_annotations_go_where_their_scope_says(
    hub: Cli, multi: BaseImage, seen: Seen, layout: Path
) -> None:
    words = (
        *("--platform", "linux/amd64,linux/arm64", "--annotation", "manifest:m=1"),
        *("--annotation", "index:i=1", "--annotation", "manifest-descriptor:md=1"),
        *("--annotation", "index-descriptor:id=1", "--annotation", "index,manifest:both=1"),
    )
    hub("-b", multi.short, *words, "-t", f"oci:{layout}:it")

    index = seen.raw(f"oci:{layout}:it")
    assert {"i": "1", "both": "1"}.items() <= index["annotations"].items()
    assert [member["annotations"] for member in index["manifests"]] == [{"md": "1"}] * 2
    for member in index["manifests"]:
        path = layout / "blobs" / member["digest"].replace(":", "/")
        told = json.loads(path.read_text())["annotations"]
        assert {"m": "1", "both": "1"}.items() <= told.items()
        assert "i" not in told
    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    assert entry["annotations"] == {"id": "1", "org.opencontainers.image.ref.name": "it"}


@pytest.mark.parametrize(
    "scope", ["index", "manifest-descriptor", "index-descriptor", "index,manifest"]
)
def test_an_annotation_of_an_index_needs_one(
    scope: str, hub: Cli, alpine: BaseImage, layout: Path
) -> None:
    words = ("-b", "alpine:3.7", "--annotation", f"{scope}:a=1", "-t", f"oci:{layout}:it")

    done = hub(*words, code=2)

    assert "but there is no index" in done.error
    assert not layout.exists()


# Formats.


@pytest.mark.parametrize("wanted", ["docker", "oci", None])
@pytest.mark.parametrize("base_format", ["docker", "oci"])
def test_the_format_follows_the_base_or_the_flag(
    wanted: str | None,
    base_format: str,
    *,
    hub: Cli,
    alpine: BaseImage,
    alpine_docker: BaseImage,
    work: Path,
    fresh_repository: str,
    podman: Command,
    seen: Seen,
) -> None:
    (work / "f").write_text("f")
    base = alpine if base_format == "oci" else alpine_docker
    words = ("--format", wanted) if wanted else ()

    hub("-b", base.short, "-f", "f", "-c", "cat /f", *words, "-t", fresh_repository)

    raw = seen.raw(f"docker://{fresh_repository}")
    types = [
        raw["mediaType"],
        raw["config"]["mediaType"],
        *(x["mediaType"] for x in raw["layers"]),
    ]
    kind = "vnd.docker" if (wanted or base_format) == "docker" else "vnd.oci"
    assert all(kind in media_type for media_type in types)
    assert podman.output("run", "--rm", fresh_repository) == "f"


def test_an_index_has_the_format_that_was_asked_for(
    hub: Cli, multi: BaseImage, fresh_repository: str, seen: Seen
) -> None:
    words = ("--platform", "linux/amd64", "--platform", "linux/arm64/v8", "--format", "docker")
    hub("-b", multi.short, "-l", "a=b", *words, "-t", fresh_repository)

    raw = seen.raw(f"docker://{fresh_repository}")
    assert raw["mediaType"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    for member in raw["manifests"]:
        assert member["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    folder = f"dir:{seen.folder}/copy"
    seen.skopeo.run("copy", "--all", "--preserve-digests", f"docker://{fresh_repository}", folder)


def test_an_annotation_of_the_index_descriptor_needs_a_layout(
    hub: Cli, multi: BaseImage, fresh_repository: str
) -> None:
    words = ("--platform", "linux/amd64,linux/arm64", "--annotation", "index-descriptor:a=1")

    done = hub("-b", multi.short, *words, "-t", fresh_repository, code=2)

    assert "(a), but no target has one" in done.error
    assert "oci:DIR" in done.hint


@pytest.fixture
def tolerant(tmp_path: Path) -> Iterator[str]:
    """HOST/NAME in a registry that lets layers be elsewhere."""
    allowed = {"manifests": {"urls": {"allow": ["^https?://"]}}}
    with registry(tmp_path / "tolerant", validation=allowed) as running:
        yield f"{running.host}/foreign"


def test_a_foreign_layer_keeps_its_urls_and_is_not_pushed(
    cli: Cli, tolerant: str, tmp_path: Path, seen: Seen
) -> None:
    layout, layer = Layout(tmp_path / "foreign"), layer_of(busybox_tar())
    urls = {"urls": ["https://go.microsoft.com/fwlink/?linkid=1"]}
    foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    named = layout.image(layer)
    path = layout.path / "blobs" / named["digest"].replace(":", "/")
    document = json.loads(path.read_text())
    blob = layout.path / "blobs" / document["layers"][0]["digest"].replace(":", "/")
    document["layers"][0].update({"mediaType": foreign, **urls})
    blob.unlink()
    layout.name(layout.document(document, document["mediaType"]), "it")

    done = cli("-b", f"oci:{layout.path}:it", "-l", "a=b", "-t", tolerant)

    assert seen.raw(f"docker://{tolerant}")["layers"] == document["layers"]
    assert any("is a foreign layer: it keeps its urls" in line for line in done.lines)
    converted = cli(
        *("-b", f"oci:{layout.path}:it", "--format", "docker", "-t", f"{tolerant}:docker")
    )
    assert converted.code == 0
    (layer_document,) = seen.raw(f"docker://{tolerant}:docker")["layers"]
    assert layer_document["mediaType"].endswith("foreign.diff.tar.gzip")
    assert layer_document["urls"] == urls["urls"]


# What makes no sense.


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("-e", "A"), "not an environment variable: 'A'"),
        (("-e", "=x"), "not an environment variable: '=x'"),
        (("-e", "A=$NOPE"), "$NOPE is set neither in the base nor before"),
        (("-e", "A=100$"), "a `$` names no variable in '100$'"),
        (("-e", "A=${B"), "a `$` names no variable"),
        (("--env-file", "missing"), "--env-file: cannot read missing"),
        (("--env-file", "bad"), "bad:2: not an environment variable: '=x'"),
        (("-c", "a 'b"), '--cmd: No closing quotation in "a \'b"'),
        (("-c", '["a", 1]'), "--cmd is not a list of words"),
        (("-c", "[a]"), "--cmd begins like a JSON list, but is none"),
        (("-c", "a", "-c", "b"), "-c is given twice"),
        (("-c", "a", "--cmd-shell", "b"), "--cmd and --cmd-shell exclude each other"),
        (
            ("--entrypoint", "a", "--entrypoint-shell", "b"),
            "--entrypoint and --entrypoint-shell exclude each other",
        ),
        (("--keep-cmd",), "--keep-cmd without an --entrypoint"),
        (("--keep-cmd", "-c", "x"), "--keep-cmd without an --entrypoint"),
        (("--workdir", "srv"), "--workdir 'srv' is not an absolute path"),
        (("-l", "a"), "--label: not KEY=VALUE: 'a'"),
        (("-l", "=a"), "--label: not KEY=VALUE: '=a'"),
        (("-p", "http"), "not a port: 'http'"),
        (("-p", "0"), "not a port: '0'"),
        (("-p", "65536"), "not a port: '65536'"),
        (("-p", "2-1"), "not a port: '2-1'"),
        (("--volume", "data"), "--volume 'data' is not an absolute path"),
        (("--stop-signal", "TERM NOW"), "not a signal: 'TERM NOW'"),
        (("--health-retries", "3"), "--health-… options without a --healthcheck"),
        (("--healthcheck", "x", "--health-interval", "soon"), "not a duration: 'soon'"),
        (("--healthcheck", "none", "--health-interval", "1s"), "with --healthcheck none"),
        (("--healthcheck", "x", "--health-retries=-1"), "--health-retries: less than none: -1"),
        (("--created", "now"), "not a time: 'now'"),
        (("--created", "preserve"), "--created: not a time: 'preserve'"),
        (("--annotation", "a"), "--annotation: not KEY=VALUE: 'a'"),
        (("--annotation", "index:a"), "--annotation: not KEY=VALUE: 'a'"),
        (("--annotation", "manifests:a=1"), None),
        (("--format", "v2s1"), "argument --format: invalid choice: 'v2s1'"),
        (("--platform", "linux/amd64/v8/x"), "not a platform: 'linux/amd64/v8/x'"),
        (("--author", "a", "--author", "b"), "--author is given twice"),
    ],
)
def test_a_setting_that_makes_no_sense_is_misuse(
    words: tuple[str, ...], error: str | None, cli: Cli, work: Path, layout: Path
) -> None:
    (work / "bad").write_text("A=1\n=x\n")
    target = ("-b", "scratch", *words, "-t", f"oci:{layout}:it")
    if error is None:  # A key with a colon, as good as any.
        cli(*target)
        return

    done = cli(*target, code=2)

    assert error in done.error
    assert not layout.exists()


@pytest.mark.parametrize("epoch", ["today", "²"])
def test_an_epoch_that_is_no_number_is_misuse(cli: Cli, layout: Path, epoch: str) -> None:
    words = ("-b", "scratch", "-t", f"oci:{layout}:it")

    done = cli(*words, environ={"SOURCE_DATE_EPOCH": epoch}, code=2)

    assert done.error == f"SOURCE_DATE_EPOCH is not a number of seconds: {epoch!r}"
