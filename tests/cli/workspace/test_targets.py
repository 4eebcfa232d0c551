"""`artificer build`, `run`, `test`, `clean` and `info` over a small workspace."""

import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.commands import Command
from tests.parts.engines import DockerDaemon
from tests.parts.registries import Registry

BUILD = """\
load("@io_bazel_rules_docker//container:container.bzl", "container_bundle", "container_image",
     "container_push")
load("@io_bazel_rules_docker//contrib:test.bzl", "container_test")

container_image(
    name = "app",
    cmd = ["/hello.txt"],
    docker_run_flags = "-i --rm",
    env = {"USED_BY": "{BUILD_USER}"},
    files = ["hello.txt"],
)
container_push(
    name = "push",
    format = "OCI",
    image = ":app",
    registry = "REGISTRY",
    repository = "targets/app",
    tag = "{BUILD_EMBED_LABEL}v1",
)
container_bundle(name = "both", images = {"a/b:1": ":app", "a/c:1": ":app"})
genrule(name = "made", outs = ["made.txt"], cmd = "echo $(TEXT) >$@")
sh_binary(name = "say", srcs = ["say.sh"], data = ["hello.txt", ":made"], args = ["first"])
container_test(name = "good", configs = ["good.json"], image = ":app")
container_test(name = "bad", configs = ["bad.json"], image = ":app", tags = ["manual"])
test_suite(name = "tests", tests = [":good", ":bad"], tags = ["manual"])
genrule(name = "fails", outs = ["no"], cmd = "echo why >&2; exit 7", tags = ["manual"])
genrule(name = "after", srcs = [":fails"], outs = ["no2"], cmd = "touch $@", tags = ["manual"])
"""


@pytest.fixture
def site(cli: Cli, work: Path, open_registry: Registry) -> Cli:
    """A workspace with the package //pkg."""
    package = work / "pkg"
    package.mkdir()
    (work / "WORKSPACE").write_text('workspace(name = "site")\n')
    (package / "BUILD").write_text(BUILD.replace("REGISTRY", open_registry.host))
    (package / "hello.txt").write_text("hello\n")
    say = package / "say.sh"
    say.write_text('#!/bin/sh\necho "$@"; cat pkg/hello.txt pkg/made.txt\n')
    say.chmod(0o755)
    for name, exists in (("good", True), ("bad", False)):
        check = {"name": "it", "path": "/hello.txt", "shouldExist": exists}
        document = {"schemaVersion": "2.0.0", "fileExistenceTests": [check]}
        (package / f"{name}.json").write_text(json.dumps(document))
    return cli


def test_build_prints_digests_and_writes_what_is_asked_for(site: Cli, work: Path) -> None:
    first = site("build", "//pkg:app").stdout
    second = site("build", "//pkg:app", "//pkg:app.tar").stdout

    out = work / "artificer-bin" / "pkg"
    label, digest = first.split()
    assert label == "//pkg:app"
    assert second.startswith(first)
    assert (out / "app.digest").read_text() == digest
    assert json.loads((out / "app.json").read_text())["config"]["Cmd"] == ["/hello.txt"]
    with tarfile.open(out / "app.tar") as tar:
        assert "manifest.json" in tar.getnames()
    assert os.access(out / "app", os.X_OK)


def test_the_loader_beside_an_image_loads_it(
    site: Cli, work: Path, docker_daemon: DockerDaemon
) -> None:
    site("build", "//pkg:app")

    done = subprocess.run(
        [work / "artificer-bin" / "pkg" / "app"],
        env={**site.environ, "DOCKER_HOST": docker_daemon.url},
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout == "docker run -i --rm bazel/pkg:app\n"
    shown = json.loads(docker_daemon.run("image", "inspect", "bazel/pkg:app").stdout)
    assert shown[0]["Config"]["Cmd"] == ["/hello.txt"]


def test_a_bundle_is_loaded_under_all_of_its_names(site: Cli, podman: Command) -> None:
    site.environ.update(podman.environ)
    site.environ["DOCKER_HOST"] = "unix:///nowhere"

    site("run", "//pkg:both")

    listed = podman.output("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    assert {"localhost/a/b:1", "localhost/a/c:1"} <= set(listed)


def test_what_is_made_stays_until_clean(site: Cli, work: Path) -> None:
    site("build", "--define", "TEXT=words", "//pkg:made")
    path = work / "artificer-bin" / "pkg" / "made.txt"
    before = path.stat().st_mtime_ns
    site("build", "--define=TEXT=words", "//pkg:made")
    told = site("info", "artificer-bin").stdout.strip()

    assert path.read_text() == "words\n"
    assert path.stat().st_mtime_ns == before
    assert os.path.realpath(work / "artificer-bin") == told
    site("clean")
    assert not (work / "artificer-bin").is_symlink()
    assert not os.path.exists(told)


def test_outputs_go_where_they_are_asked_to(site: Cli, work: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"

    site("build", "--output_base", base, "--symlink_prefix=bazel-", "//pkg:app")

    assert (base / "bin" / "pkg" / "app.digest").exists()
    assert (work / "bazel-bin").resolve() == base / "bin"
    assert not (work / "artificer-bin").exists()


def test_a_failure_is_told_with_its_place_and_with_k_the_rest_is_made(
    site: Cli, work: Path
) -> None:
    done = site("build", "-k", "//pkg:after", "//pkg:app", code=1)

    assert "//pkg:app sha256:" in done.stdout
    assert "pkg/BUILD:" in done.error
    assert "//pkg:fails" in done.error
    assert "why" in done.stderr
    assert "1 more were not tried" in done.error


def test_a_single_failure_is_told_once(site: Cli) -> None:
    done = site("build", "//pkg:fails", code=1)

    assert done.stderr.count("the command failed with exit code 7") == 1


def test_a_push_target_pushes_where_it_says_or_is_told(
    site: Cli, open_registry: Registry, skopeo: Command
) -> None:
    built = site("build", "//pkg:push").stdout.split()[1]
    site("run", "--embed_label=x", "//pkg:push")
    site("run", "//pkg:push", "--", f"--dst={open_registry.host}/targets/other:2")
    site("run", "//pkg:push", "--", "-t", "a", "-t", "b", "-r", f"{open_registry.host}/third")

    for name in ("targets/app:xv1", "targets/other:2", "third:a", "third:b"):
        reference = f"docker://{open_registry.host}/{name}"
        assert skopeo.output("inspect", "--format", "{{.Digest}}", reference).strip() == built


def test_a_program_is_started_among_its_files(site: Cli) -> None:
    done = site.process("run", "--define=TEXT=made", "//pkg:say", "--", "second")

    assert done.stdout == "first second\nhello\nmade\n"


def test_what_does_nothing_when_run_is_refused(site: Cli) -> None:
    done = site("run", "--define=TEXT=x", "//pkg:made", code=1)

    assert "does nothing when it is run" in done.error


def test_tests_are_told_and_those_that_passed_are_known(site: Cli) -> None:
    first = site("test", "//pkg:tests", code=3)
    second = site("test", "//pkg:good")

    assert "//pkg:good  PASSED" in first.stdout
    assert "//pkg:bad   FAILED" in first.stdout
    assert first.error == "1 of 2 tests failed"
    assert "(cached) PASSED" in second.stdout
    assert site("test", "--define=TEXT=x", "//pkg:made", code=4).error


def test_one_changed_file_makes_only_what_needs_it(site: Cli, work: Path) -> None:
    words = ("build", "--define=TEXT=x", "--profile", "trace.json", "//...")
    site(*words)
    site(*words)
    again = _made(work / "trace.json")
    (work / "pkg" / "hello.txt").write_text("other\n")
    site(*words)

    assert "//pkg:app" not in again
    assert "//pkg:app" in _made(work / "trace.json")
    assert "//pkg:made" not in _made(work / "trace.json")


def _made(path: Path) -> set[str]:
    events = json.loads(path.read_text())["traceEvents"]
    return {event["name"] for event in events if event.get("cat") == "made"}


def test_explain_names_the_input_that_changed(site: Cli, work: Path) -> None:
    site("build", "//pkg:app")
    (work / "pkg" / "hello.txt").write_text("other\n")

    done = site("build", "--explain", "//pkg:app")

    assert "//pkg:app is made again" in done.stderr
    assert "pkg/hello.txt" in done.stderr


def test_a_second_machine_makes_nothing_that_the_cache_has(
    site: Cli, fresh_repository: str
) -> None:
    words = ("build", "--cache-repo", fresh_repository, "--profile", "trace.json", "//pkg:app")
    first = site(*words).stdout

    second = site.machine("other")(*words).stdout

    assert first == second
    assert "//pkg:app" not in _made(site.directory / "trace.json")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("build", "."), "there is no Dockerfile in ."),
        (("test", "."), ". is no target but a Dockerfile's context"),
        (("build", "//pkg:app", "-f", "Dockerfile"), "-f is about a Dockerfile, and //pkg:app is"),
        (("build",), "build what?"),
        (("build", "--jobs=many", "//pkg:app"), "not a number of jobs"),
        (("build", "--platforms=//:mine", "//pkg:app"), "which platform that is"),
        (("build", "--define", "x", "//pkg:app"), "not NAME=VALUE"),
        (("info", "nothing"), "no such key: nothing"),
        (("run", "//pkg:app", "//pkg:made"), "run takes one target"),
    ],
)
def test_what_is_no_target_or_option_is_refused(
    site: Cli, words: tuple[str, ...], told: str
) -> None:
    assert told in site(*words, code=2).error


def test_stamps_are_the_same_everywhere_unless_asked_for(site: Cli, work: Path) -> None:
    status = work / "status.sh"
    status.write_text("#!/bin/sh\necho BUILD_USER somebody\n")
    status.chmod(0o755)
    env = []
    for words in ((), ("--workspace_status_command=status.sh",)):
        site("build", *words, "//pkg:app")
        config = json.loads((work / "artificer-bin" / "pkg" / "app.json").read_text())
        env.append(config["config"]["Env"])

    assert env == [["USED_BY=redacted"], ["USED_BY=somebody"]]


def test_a_directory_is_written_with_its_links_and_what_is_empty(site: Cli, work: Path) -> None:
    def build(text: str) -> dict[str, str]:
        given = f'outs = ["d"], directories = True, command = "mkdir $@; {text}"'
        (work / "BUILD").write_text(f'command(name = "d", {given})\n')
        site("build", "//:d")
        site("build", "//:d")
        below = work / "artificer-bin" / "d"
        return {
            str(path.relative_to(below)): (
                os.readlink(path) if path.is_symlink() else "/" if path.is_dir() else "-"
            )
            for path in below.rglob("*")
        }

    assert build("mkdir $@/e $@/s; touch $@/s/f; ln -s s/f $@/l") == {
        "e": "/",
        "s": "/",
        "s/f": "-",
        "l": "s/f",
    }
    found = build("ln -s l $@/e; mkdir -p $@/l/x")
    assert (found["e"], found["l"], found["l/x"]) == ("l", "/", "/")


def test_what_was_built_without_a_stamp_is_built_again_with_one(site: Cli, work: Path) -> None:
    (work / "BUILD").write_text(
        'docker_build(name = "image", labels = {"at": "{BUILD_TIMESTAMP}"})\n'
        'docker_build(name = "plain", cmd = ["/x"], stamp = False)\n'
        'genrule(name = "file", outs = ["t"], cmd = "echo $$BUILD_TIMESTAMP >$@", stamp = True)\n'
    )

    def build(*words: str, epoch: str = "") -> tuple[str, str, str]:
        environ = {"SOURCE_DATE_EPOCH": epoch}
        site("build", *words, "//:all", environ=environ)
        out = work / "artificer-bin"
        config = json.loads((out / "image.json").read_text())
        label = config["config"]["Labels"]["at"]
        assert json.loads((out / "plain.json").read_text())["created"].startswith("1970-")
        return label, config["created"], (out / "t").read_text()

    plain, stamped = build(), build("--stamp")

    assert plain == ("0", "1970-01-01T00:00:00Z", "0\n")
    assert int(stamped[0]) > 1_600_000_000
    assert not stamped[1].startswith("1970-")
    assert int(stamped[2]) > 1_600_000_000
    # As with Bazel, the time alone makes nothing again; another SOURCE_DATE_EPOCH does.
    assert build("--stamp") == stamped
    assert build() == plain
    assert build(epoch="86400") == ("86400", "1970-01-01T00:00:00Z", "86400\n")
    assert build(epoch="172800")[0] == "172800"


def test_without_a_workspace_there_is_a_way_out(cli: Cli) -> None:
    done = cli("build", "//a:b", code=2)

    assert "no workspace" in done.error
    assert "MODULE.bazel" in done.hint


def test_verify_shows_the_first_difference_of_a_command(site: Cli, work: Path) -> None:
    text = (
        'genrule(name = "time", outs = ["t.txt"], cmd = "echo same >$@; date +%N >>$@")\n'
        'docker_build(name = "image", files = [":time"])\n'
    )
    (work / "BUILD").write_text(text)

    done = site("verify", "//:image", code=1)

    assert "BUILD:1:1: //:time is not the same again: t.txt, byte " in done.error
    assert ", line 2: " in done.error
    assert site("verify", "//pkg:app").stdout == "//pkg:app is the same again\n"
