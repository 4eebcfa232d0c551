"""Dockerfiles that need no command to be run, built as a person types it."""

import io
import json
import os
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest

from tests.cli.outside import Cli, Seen
from tests.parts.commands import Command
from tests.parts.git_server import commit, serving_git
from tests.parts.registries import Registry

Mode = Literal["w", "w:gz", "w:xz", "w:bz2"]

COPY = "FROM scratch\nCOPY hello /\n"


@pytest.fixture
def app(work: Path) -> Path:
    """A context with two files and a Dockerfile that copies one."""
    path = work / "app"
    write(path, {"hello": "hello\n", "other": "other\n", "Dockerfile": COPY})
    return path


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def tar_of(files: Mapping[str, str], mode: Mode = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), 0o640
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


@contextmanager
def serving_files(folder: Path) -> Iterator[str]:
    """The URL at which the files of *folder* are served."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def files_of(cli: Cli, *words: str, stdin: bytes = b"") -> dict[str, str]:
    """What is in the image that *words* build, by path."""
    out = cli.directory / "files"
    done = cli("build", "-o", str(out), *words, stdin=stdin)
    assert "owners" not in done.stderr
    found = {
        str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()
    }
    for path in sorted(out.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    return found


def test_a_name_is_kept_in_the_store_and_printed_by_digest(cli: Cli, app: Path) -> None:
    done = cli("build", "-t", "me/app:1", "-t", "me/app:2", app)

    digest = cli("digest", "store:me/app:1").stdout.strip()
    assert done.stdout.splitlines() == [f"store:me/app:1@{digest}", f"store:me/app:2@{digest}"]
    assert "[stage" in done.stderr
    assert "COPY hello /" in done.stderr


def test_an_unchanged_build_makes_nothing_and_has_the_same_digest(cli: Cli, app: Path) -> None:
    first = cli("build", "-t", "app", app).stdout

    again = cli("build", "-t", "app", app)
    elsewhere = cli.machine("other")("build", "-t", "app", app).stdout

    assert first == again.stdout == elsewhere
    assert "nothing that it depends on has changed" in again.stderr


def test_without_a_name_the_digest_is_printed_and_the_way_to_keep_it(cli: Cli, app: Path) -> None:
    done = cli("build", app)

    assert done.stdout.startswith("sha256:")
    assert "`-t NAME` keeps it" in done.hint


def test_quiet_shows_nothing_but_the_digest(cli: Cli, app: Path) -> None:
    done = cli("build", "-q", "-t", "app", app)

    assert done.stdout.startswith("store:app:latest@sha256:")
    assert done.stderr == ""


def test_push_and_explicit_places_send_it(
    hub: Cli, app: Path, open_registry: Registry, layout: Path, seen: Seen
) -> None:
    name = f"{open_registry.host}/dockerfile/sent"

    done = hub("build", "-t", f"{name}:1", "--push", app)
    hub("build", "-t", f"docker://{name}:2", "-t", f"oci:{layout}:it", app)

    digest = done.stdout.strip().rpartition("@")[2]
    assert done.stdout == f"{name}@{digest}\n"
    assert seen.digest(f"docker://{name}:2") == digest
    assert seen.names(layout) == ["hello"]


@pytest.mark.parametrize(
    "name", ["Dockerfile", "dockerfile", "Containerfile"], ids=lambda name: str(name)
)
def test_the_dockerfile_is_found_by_its_usual_names(cli: Cli, app: Path, name: str) -> None:
    (app / "Dockerfile").rename(app / name)

    assert files_of(cli, "app") == {"hello": "hello\n"}


def test_the_dockerfile_may_be_anywhere(cli: Cli, app: Path, work: Path) -> None:
    write(work, {"outside": "FROM scratch\nCOPY other /\n"})

    assert files_of(cli, "-f", "outside", "app") == {"other": "other\n"}
    assert files_of(cli, "-f", "-", "app", stdin=b"FROM scratch\nCOPY other /x\n") == {
        "x": "other\n"
    }


def test_a_bare_word_is_a_context_if_it_has_a_dockerfile(cli: Cli, app: Path, work: Path) -> None:
    write(work, {"MODULE.bazel": "", "app/BUILD": "", "empty/file": "", "pkg/BUILD": ""})

    assert cli("build", "app").stdout.startswith("sha256:")
    assert "neither a Dockerfile nor a BUILD file" in cli("build", "empty", code=2).error
    assert "//pkg:pkg" in cli("build", "pkg", code=1).error


def test_an_ignore_file_leaves_files_out_and_the_dockerfiles_own_replaces_it(
    cli: Cli, app: Path
) -> None:
    write(
        app, {"Dockerfile": "FROM scratch\nCOPY . /\n", ".dockerignore": "Dockerfile\n.*\nhello"}
    )
    assert files_of(cli, "app") == {"other": "other\n"}

    write(app, {"Dockerfile.dockerignore": "*\n!hello\n"})
    assert files_of(cli, "app") == {"hello": "hello\n"}

    write(app, {"mine": "*\n!other\n"})
    assert files_of(cli, "--ignorefile", str(app / "mine"), "app") == {"other": "other\n"}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_an_archive_on_standard_input_is_a_context(cli: Cli, mode: Mode) -> None:
    data = tar_of({"Dockerfile": COPY, "hello": "hi"}, mode)

    assert files_of(cli, "-", stdin=data) == {"hello": "hi"}


def test_a_dockerfile_on_standard_input_needs_no_context(cli: Cli) -> None:
    data = b"FROM scratch\nCOPY <<EOF /hello\nhi\nEOF\n"

    assert files_of(cli, "-", stdin=data) == {"hello": "hi\n"}


def test_an_archive_may_be_a_file_and_have_the_dockerfile_anywhere(cli: Cli, work: Path) -> None:
    files = {"a/b/D": COPY, "hello": "hi", "a/hello": "below", "a/Dockerfile": COPY}
    (work / "context.tar").write_bytes(tar_of(files))

    assert files_of(cli, "-f", "a/b/D", "context.tar") == {"hello": "hi"}
    assert files_of(cli, "--context-sub-path", "a", "context.tar") == {"hello": "below"}


def test_a_link_in_an_archive_leads_nowhere_else(cli: Cli, work: Path) -> None:
    (work / "secret").write_text("FROM scratch\nENV SECRET=1\n")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("Dockerfile")
        info.type, info.linkname = tarfile.SYMTYPE, str(work / "secret")
        tar.addfile(info)

    assert "there is no Dockerfile" in cli("build", "-", stdin=buffer.getvalue(), code=2).error


def test_urls_of_archives_and_of_dockerfiles_are_contexts(cli: Cli, tmp_path: Path) -> None:
    served = tmp_path / "served"
    write(served, {"Dockerfile": "FROM scratch\nCOPY <<EOF /x\ny\nEOF\n"})
    (served / "context.tar.gz").write_bytes(tar_of({"Dockerfile": COPY, "hello": "hi"}, "w:gz"))

    with serving_files(served) as url:
        assert files_of(cli, f"{url}/context.tar.gz") == {"hello": "hi"}
        assert files_of(cli, f"{url}/Dockerfile") == {"x": "y\n"}
        assert "answered 404" in cli("build", f"{url}/nothing", code=1).error


def test_a_repository_of_git_is_a_context(cli: Cli, tmp_path: Path) -> None:
    repository = tmp_path / "git" / "app"
    commit(repository, {"Dockerfile": COPY, "hello": "first", "sub/Dockerfile": COPY})
    commit(repository, {"sub/hello": "below"})

    with serving_git(tmp_path / "git") as server:
        url = server.url("app")
        assert files_of(cli, url) == {"hello": "first"}
        assert files_of(cli, f"{url}#main:sub") == {"hello": "below"}


def test_named_contexts_stand_in_for_images_and_give_files(
    cli: Cli, app: Path, work: Path
) -> None:
    write(work, {"more/a": "a", "more/.dockerignore": ".*\n"})
    write(app, {"Dockerfile": "FROM base\nCOPY --from=more . /\nCOPY --from=tar b /\n"})
    (work / "t.tar").write_bytes(tar_of({"b": "b"}))
    write(work, {"base/Dockerfile": "FROM scratch\nLABEL from=base\n"})
    cli("build", "-t", "base", "base")
    words = ("--build-context=base=store:base", "--build-context=more=more")

    done = cli("build", *words, "--build-context=tar=t.tar", "-t", "app", "app")

    assert done.stdout
    assert files_of(cli, *words, "--build-context=tar=t.tar", "app") == {"a": "a", "b": "b"}
    config = json.loads(cli("inspect", "--config", "store:app").stdout)
    assert config["config"]["Labels"] == {"from": "base"}


def test_arguments_labels_and_a_target_are_chosen(cli: Cli, app: Path) -> None:
    write(app, {"Dockerfile": "FROM scratch AS a\nARG V=1\nENV V=$V\nFROM scratch\nCOPY no /\n"})
    words = ("--build-arg", "V", "--label", "x=y", "--label", "z", "--target", "A")

    cli("build", *words, "-t", "app", "app", environ={"V": "2"})

    config = json.loads(cli("inspect", "--config", "store:app").stdout)["config"]
    assert "V=2" in config["Env"]
    assert config["Labels"] == {"x": "y", "z": ""}


@pytest.mark.usefixtures("multi")
def test_several_platforms_make_an_index(hub: Cli, app: Path, layout: Path, seen: Seen) -> None:
    write(app, {"Dockerfile": "FROM multi:1\nARG TARGETARCH\nCOPY hello /$TARGETARCH\n"})
    platforms = "--platform=linux/amd64,linux/arm64"

    hub("build", platforms, "--annotation", "index:a=b", "-t", f"oci:{layout}:it", "app")
    hub("build", platforms, "-o", "out", "app")

    index = seen.raw(f"oci:{layout}:it")
    assert [one["platform"]["architecture"] for one in index["manifests"]] == ["amd64", "arm64"]
    assert index["annotations"]["a"] == "b"
    assert (app.parent / "out" / "linux_amd64" / "amd64").read_text() == "hello\n"
    assert (app.parent / "out" / "linux_arm64" / "arm64").read_text() == "hello\n"
    error = hub("build", platforms, "-o", "-", "app", code=2).error
    assert "a tar has the files of one platform" in error


@pytest.mark.usefixtures("multi")
def test_a_base_of_another_platform_is_that_of_the_image(hub: Cli, app: Path) -> None:
    write(app, {"Dockerfile": "FROM multi:1\nCOPY hello /\n"})

    hub("build", "--platform=linux/arm64", "-t", "app", "app")

    config = json.loads(hub("inspect", "--config", "store:app").stdout)
    assert config["architecture"] == "arm64"
    assert "ARCH=arm64" in config["config"]["Env"]


def test_files_tell_what_was_built(cli: Cli, app: Path, work: Path) -> None:
    words = ("--iidfile=i", "--digest-file=d", "--metadata-file=m", "--image-refs=r")

    reference = cli("build", *words, "-t", "app", "app").stdout

    digest = reference.strip().rpartition("@")[2]
    assert (work / "d").read_text() == digest
    metadata = json.loads((work / "m").read_text())
    assert metadata["containerimage.digest"] == digest
    assert metadata["containerimage.config.digest"] == (work / "i").read_text()
    assert metadata["image.name"] == "store:app:latest"
    assert (work / "r").read_text() == reference


def test_a_tar_goes_to_a_file_or_to_standard_output(cli: Cli, app: Path, work: Path) -> None:
    cli("build", "-o", "type=tar,dest=out.tar", "app")
    ended = cli.ended("build", "-o", "-", "app")

    with tarfile.open(work / "out.tar") as tar:
        assert tar.getnames() == ["hello"]
    assert ended.stdout.encode() == (work / "out.tar").read_bytes()


def test_archives_of_oci_and_docker_are_written(cli: Cli, app: Path, seen: Seen) -> None:
    cli("build", "-o", "type=docker,dest=d.tar,name=me/app:1", "-o", "type=oci,dest=o.tar", "app")

    assert seen.config(f"docker-archive:{app.parent}/d.tar")["rootfs"]["diff_ids"]
    assert seen.config(f"oci-archive:{app.parent}/o.tar")["rootfs"]["diff_ids"]


def test_an_image_is_loaded_into_an_engine(cli: Cli, app: Path, podman: Command) -> None:
    environ = {**podman.environ, "DOCKER_HOST": "unix:///nowhere"}

    done = cli("build", "-t", "loaded:1", "--load", "app", environ=environ)

    identity = podman.output("image", "inspect", "--format", "{{.Digest}}", "loaded:1")
    assert identity
    assert done.stdout.startswith("store:loaded:1@sha256:")


def test_check_prints_what_docker_prints_and_ends_with_1(cli: Cli, app: Path) -> None:
    assert cli("build", "--check", "app").stdout == "Check complete, no warnings found.\n"
    write(app, {"Dockerfile": "from scratch\nCOPY hello /\nMAINTAINER me\n"})

    done = cli("build", "--check", "app", code=1)
    found = json.loads(cli("build", "--call=check,format=json", "app", code=1).stdout)

    assert "WARNING: MaintainerDeprecated" in done.stdout
    assert "MaintainerDeprecated" in {one["ruleName"] for one in found["warnings"]}
    assert "warning: app/Dockerfile:3: MaintainerDeprecated" in cli("build", "app").stderr


def test_check_looks_at_what_it_can_when_a_base_cannot_be_had(cli: Cli, app: Path) -> None:
    write(app, {"Dockerfile": "FROM 127.0.0.1:1/no/base\nMAINTAINER me\n"})

    done = cli("build", "--check", "--timeout=2", "app", code=1)

    assert "MaintainerDeprecated" in done.stdout
    assert "is not looked at" in done.stderr


def test_stages_and_arguments_are_listed(cli: Cli, app: Path) -> None:
    text = "# first does it\nFROM scratch AS first\n# V is one\nARG V=1\nFROM scratch\n"
    write(app, {"Dockerfile": text})

    assert "first" in cli("build", "--call", "targets", "app").stdout
    outline = cli("build", "--call=outline,format=json", "--target=first", "app").stdout
    assert json.loads(outline)["args"][0]["name"] == "V"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--call=what"], "no such method"),
        (["--call=check,format=xml"], "format=xml is refused"),
        (["--check", "--call=targets"], "leave one of them out"),
        (["--call=build,format=json"], "--metadata-file"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(
    cli: Cli, app: Path, words: list[str], said: str
) -> None:
    done = cli("build", *words, "app", code=2)

    assert said in done.stderr


def test_an_error_names_the_line_and_shows_it(cli: Cli, app: Path) -> None:
    write(app, {"Dockerfile": "FROM scratch\n\nCOPPY hello /\n"})

    done = cli("build", "app", code=1)

    assert done.error.startswith("app/Dockerfile:3: ")
    assert "COPPY hello /" in done.stderr
    assert "COPY" in done.hint


def test_what_is_copied_must_be_there(cli: Cli, app: Path) -> None:
    write(app, {"Dockerfile": "FROM scratch\nCOPY helo /\n"})

    done = cli("build", "app", code=1)

    assert "app/Dockerfile:2" in done.error
    assert "helo" in done.error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "build what?"),
        (("nowhere",), "there is no nowhere"),
        (("./nowhere",), "there is no ./nowhere"),
        (("-t", "app"), "build what?"),
        (("-t", "App", "app"), "not an image reference"),
        (("--tga", "app", "."), "tga"),
        (("-f", "-", "-"), "standard input cannot be"),
        (("-f", "hello", "app"), "there is no Dockerfile hello"),
        (("--context-sub-path", "../..", "app"), "leads out of the context"),
        (("--offline", "-t", "localhost:1/app", "--push", "app"), "--offline, but"),
        (("--annotation", "index:a=b", "app"), "there is no index"),
        (("--annotation", "index-descriptor:a=b", "app"), "no output has one"),
        (("--cache-from", "type=gha", "app"), "is refused"),
        (("--cache-to", "type=registry", "app"), "it lacks ref"),
        (("--cache-readonly", "app"), "without a --cache-repo"),
        (("--ignorefile", "nowhere", "app"), "there is no nowhere"),
        (("--jobs", "many", "app"), "not a number of jobs"),
        (("app/hello",), "is neither a directory nor an archive"),
        (("//x:y", "-t", "app"), "-t is about a Dockerfile"),
        (("-t", "app", "--", "//x:y"), "-t is about a Dockerfile"),
        (("--context-sub-path", "nowhere", "app"), "the context has no directory nowhere"),
        (("-f", "nowhere", "app"), "there is no Dockerfile nowhere"),
        (("-f", "https://a.test/Dockerfile", "app"), "is read from the disk"),
        (("--build-context", "a=app", "--build-context", "a=app", "app"), "given twice"),
        (("--cache-from", "type=what", "app"), "no such type"),
        (("--cache-to", "type=local,dest=x,reset=true", "app"), "reset=true is refused"),
        (("--cache-repo", "localhost:1/x:tag", "app"), "without a tag"),
        (("--source-date-epoch", "now", "app"), "not a number of seconds"),
        (("--secret", "id=x", "app"), "cannot read x"),
    ],
)
def test_misuse_is_told_with_a_way_out(
    cli: Cli, app: Path, words: tuple[str, ...], said: str
) -> None:
    done = cli.ended("build", *words)

    assert said in done.error
    assert done.code in {1, 2}
    assert done.hint


def test_what_cannot_be_a_context_is_refused(cli: Cli, app: Path, work: Path) -> None:
    os.mkfifo(work / "pipe")
    write(app, {"Dockerfile": "FROM scratch\nCOPY --from=more . /\n"})

    assert "./pipe is no directory" in cli("build", "./pipe", code=1).error
    error = cli("build", "--build-context=more=app/hello", "app", code=1).error
    assert "neither a directory nor an archive" in error
    text = b"FROM scratch\n"
    assert "-f names another" in cli("build", "-f", "x", "-", stdin=text, code=2).error
    damaged = tar_of({"Dockerfile": COPY}, "w:gz")[:-20]
    assert cli("build", "-", stdin=damaged, code=1).error.startswith("standard input: ")
    hidden = tar_of({"Dockerfile": COPY, ".wh.x": ""})
    assert "a name that images cannot have" in cli("build", "-", stdin=hidden, code=1).error


def test_a_dockerfile_may_come_beside_an_archive_and_lie_in_a_directory(
    cli: Cli, app: Path, work: Path
) -> None:
    (work / "context.tar").write_bytes(tar_of({"hello": "hi"}))
    write(work, {"docker/Dockerfile": "FROM scratch\nCOPY other /\n"})

    assert files_of(cli, "-f", "-", "context.tar", stdin=COPY.encode()) == {"hello": "hi"}
    assert files_of(cli, "-f", "docker", "app") == {"other": "other\n"}
    assert app.is_dir()


def test_an_archive_on_the_web_may_be_a_named_context(cli: Cli, app: Path, tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (served / "more.tar").write_bytes(tar_of({"b": "b"}))
    commit(tmp_path / "git" / "more", {"c": "c"})
    write(app, {"Dockerfile": "FROM scratch\nCOPY --from=web b /\nCOPY --from=git c /\n"})

    with serving_files(served) as url, serving_git(tmp_path / "git") as server:
        web, git = f"--build-context=web={url}/more.tar", server.url("more")
        assert files_of(cli, web, f"--build-context=git={git}", "app") == {"b": "b", "c": "c"}


def test_what_add_names_is_fetched(cli: Cli, app: Path, tmp_path: Path) -> None:
    served = tmp_path / "served"
    write(served, {"file": "fetched"})

    with serving_files(served) as url:
        write(app, {"Dockerfile": f"FROM scratch\nADD {url}/file /\n"})
        assert files_of(cli, "app") == {"file": "fetched"}


def test_a_commit_says_when_it_was_built(cli: Cli, tmp_path: Path) -> None:
    text = "FROM scratch\nCOPY hello /\n"
    commit(tmp_path / "git" / "app", {"Dockerfile": text, "hello": "hi"})

    with serving_git(tmp_path / "git") as server:
        words = ("--build-arg", "SOURCE_DATE_EPOCH=context", server.url("app"))
        cli("build", "-t", "app", *words)

    created = json.loads(cli("inspect", "--config", "store:app").stdout)["created"]
    assert created.startswith("2017-07-14T02:40:00")


def test_a_dockerfile_may_say_that_warnings_are_errors(cli: Cli, app: Path) -> None:
    write(app, {"Dockerfile": "# check=error=true\nFROM scratch\nMAINTAINER me\n"})

    assert "MaintainerDeprecated" in cli("build", "app", code=1).error


def test_an_image_may_be_a_cache_itself(hub: Cli, app: Path, open_registry: Registry) -> None:
    name = f"{open_registry.host}/dockerfile/inline"
    first = hub("build", "--cache-to", "inline", "-t", name, "--push", "app").stdout

    words = ("--cache-to", "inline", "--cache-from", f"type=inline,ref={name}", "-t", name)
    again = hub.machine("two")("build", *words, "--push", "app")

    assert again.stdout == first
    assert f"{name}:latest has it" in again.stderr or f"{name} has it" in again.stderr


def test_a_base_that_was_built_before_is_taken_from_the_store(
    hub: Cli, app: Path, work: Path
) -> None:
    write(work, {"base/Dockerfile": "FROM scratch\nLABEL from=base\n"})
    write(app, {"Dockerfile": "FROM only-here:1\nCOPY hello /\n"})
    hub("build", "-t", "only-here:1", "base")

    by_registry = hub("build", "-t", "app", "app")
    offline = hub("build", "--offline", "-t", "app", "app")

    assert by_registry.stdout == offline.stdout
    assert "only-here:1 is taken from the store" in by_registry.lines
    config = json.loads(hub("inspect", "--config", "store:app").stdout)
    assert config["config"]["Labels"] == {"from": "base"}
    assert "there is no such image" in hub.machine("two")("build", "app", code=1).error


def test_help_shows_both_kinds_of_builds(cli: Cli) -> None:
    page = cli("build", "--help").stdout

    assert "artificer build CONTEXT" in page
    assert "artificer build TARGET" in page
    assert "--build-arg" in page
    assert "--keep-going" in page


def test_layers_are_shared_through_a_repository_and_a_directory(
    hub: Cli, app: Path, open_registry: Registry
) -> None:
    cache = f"{open_registry.host}/dockerfile/cache"
    first = hub(
        "build", "--cache-repo", cache, "--cache-to", "type=local,dest=c", "-t", "a", "app"
    )

    by_registry = hub.machine("two")("build", "--cache-from", cache, "-t", "a", "app")
    by_directory = hub.machine("three")(
        "build", "--cache-from", "type=local,src=c", "-t", "a", "app"
    )

    assert first.stdout == by_registry.stdout == by_directory.stdout
    assert f"the cache {cache} has it" in by_registry.stderr
    assert "the cache c has it" in by_directory.stderr


def test_kaniko_builds_pushes_and_writes_its_files(
    hub: Cli, app: Path, open_registry: Registry, seen: Seen
) -> None:
    name = f"{open_registry.host}/dockerfile/kaniko"
    words = (
        *("--context", f"dir://{app}", "-d", f"{name}:1", "--destination", f"{name}:2"),
        *("--digest-file=d", "--image-name-with-digest-file=n", "--tar-path=t.tar"),
        *("--image-name-tag-with-digest-file=t", "--oci-layout-path=o", "--cache=true"),
    )

    done = hub("kaniko", *words)

    work = app.parent
    digest = (work / "d").read_text()
    assert done.stdout.splitlines()[0] == f"{name}@{digest}"
    assert (work / "n").read_text() == f"{name}@{digest}\n" * 2
    assert (work / "t").read_text() == f"{name}:1@{digest}\n{name}:2@{digest}\n"
    assert seen.digest(f"docker://{name}:2") == digest
    assert seen.config(f"docker-archive:{work}/t.tar:{name}:2")["rootfs"]["diff_ids"]
    assert (work / "o" / "index.json").is_file()
    assert seen.skopeo.output("list-tags", "--tls-verify=false", f"docker://{name}/cache")


def test_kaniko_takes_its_context_from_standard_input_and_pushes_nothing(cli: Cli) -> None:
    data = tar_of({"Dockerfile": COPY, "hello": "hi"}, "w:gz")

    done = cli("kaniko", "--context=tar://stdin", "--no-push", "--tar-path=t.tar", stdin=data)

    assert done.stdout.startswith("sha256:")
    assert (cli.directory / "t.tar").is_file()
    assert not done.hint


def test_kaniko_says_what_else_there_is(cli: Cli) -> None:
    assert "--destination" in cli("kaniko", "--help").stdout
    assert cli("kaniko", "version").stdout.startswith("artificer")
    assert "artificer login" in cli("kaniko", "login", code=2).hint


def test_a_run_that_is_not_needed_needs_no_privilege(cli: Cli, app: Path) -> None:
    write(app, {"Dockerfile": f"FROM scratch AS no\nRUN false\n{COPY}"})

    assert files_of(cli, "app") == {"hello": "hello\n"}


def test_verify_builds_a_dockerfile_twice(cli: Cli, app: Path, layout: Path) -> None:
    cli("build", "-t", f"oci:{layout}:it", "app")
    write(app, {"Dockerfile": "FROM base\nCOPY --from=more hello /x\n"})
    words = (f"--build-context=base=oci-layout://{os.path.relpath(layout, app.parent)}:it",)

    done = cli("verify", "build", *words, "--build-context=more=app", "app")

    assert done.stdout.startswith("sha256:")
    assert "Both are the same." in done.lines
    assert "cannot be read twice" in cli("verify", "build", "-", code=2).error
