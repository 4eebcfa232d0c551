"""The command line of kaniko's executor: what it asks for, and what is refused."""

from pathlib import Path

import pytest

from artificer.cli.dockerfile.grammar import dockerfile_parser, plain_words
from artificer.cli.kaniko.asked import Asked
from artificer.cli.kaniko.flags import FLAGS
from artificer.cli.kaniko.main import translated
from artificer.errors import Misused

D = "--destination=r.test/me/app:1"


def asked(*words: str, **environ: str) -> Asked:
    """What *words* ask for; the words that they become are a Dockerfile build's."""
    found = translated(words, environ)
    parser = dockerfile_parser()
    parser.parse_intermixed_args(plain_words(found.words, parser))
    return found


def words(*given: str, **environ: str) -> list[str]:
    """The words for a Dockerfile build but those that are always there."""
    return [word for word in asked(*given, **environ).words if word != "--progress=auto"]


def test_a_build_goes_to_its_destinations() -> None:
    found = asked("-c", "dir:///src", "-d", "r.test/a:1", "--destination", "r.test/b:2,r.test/c")

    assert found.words == (
        "--tag=docker://r.test/a:1",
        "--tag=docker://r.test/b:2",
        "--tag=docker://r.test/c",
        "--progress=auto",
        "/src",
    )
    assert found.pushed == ("r.test/a:1", "r.test/b:2", "r.test/c")


def test_without_a_push_it_goes_nowhere_but_into_files() -> None:
    found = asked(
        *("--no-push", D, "--tar-path=/out.tar", "--oci-layout-path=/out"),
        *("--image-name-with-digest-file=/n", "--image-name-tag-with-digest-file=/t"),
    )

    assert found.words == ("--tag=oci:/out", "--progress=auto", "/workspace/")
    assert found.pushed == ()
    assert (found.names, found.archive) == (("r.test/me/app:1",), "/out.tar")
    assert (found.name_file, found.name_tag_file) == ("/n", "/t")
    assert asked(D, KANIKO_NO_PUSH="1").pushed == ()


def test_a_destination_is_needed_to_push() -> None:
    with pytest.raises(Misused, match="no --destination"):
        asked()


@pytest.mark.parametrize(
    ("context", "place"),
    [
        ("dir:///a", "/a"),
        ("/a", "/a"),
        ("tar:///a.tar.gz", "/a.tar.gz"),
        ("tar://stdin", "-"),
        ("git://github.test/a/b.git", "https://github.test/a/b.git"),
        ("git://github.test/a/b.git#refs/heads/x", "https://github.test/a/b.git#refs/heads/x"),
        (
            "git://g.test/a.git#refs/heads/x#0123456",
            "https://g.test/a.git?commit=0123456#refs/heads/x",
        ),
        ("https://g.test/a.tar.gz", "https://g.test/a.tar.gz"),
    ],
)
def test_a_context_is_named_as_kaniko_names_it(context: str, place: str) -> None:
    assert asked("--no-push", f"--context={context}").words[-1] == place


def test_options_of_git_are_part_of_its_url() -> None:
    git = "--git=branch=main,single-branch=true,recurse-submodules=true"

    found = asked("--no-push", "-c", "git://g.test/a.git", git, GIT_PULL_METHOD="http")

    assert found.words[-1] == "http://g.test/a.git?submodules=true#refs/heads/main"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["-c", "s3://b/k.tar.gz"], "cannot be read from s3://"),
        (["-c", "gs://b/k.tar.gz"], "cannot be read from gs://"),
        (["-c", "https://me.blob.core.windows.net/c/k.tar.gz"], "cannot be read from https://"),
        (["-c", "ftp://b/k.tar.gz"], "no such kind of context"),
        (["--git=branch=x"], "the context is not of git"),
        (["-c", "git://g/a.git", "--git=insecure-skip-tls=true"], "is refused"),
        (["--verbosity=loud"], "not a level"),
        (["--log-format=xml"], "not a format"),
        (["--cache"], "--cache without a --destination"),
        (["--registry-map=x"], "not HOST=VALUE"),
        (["--registry-client-cert=h=a"], "not HOST=CERTIFICATE,KEY"),
        (["--no-push=maybe"], "neither true nor false"),
        (["--snapshot-mode=time"], "--snapshot-mode=time is refused"),
        (["--single-snapshot"], "--single-snapshot=true is refused"),
        (["--insecure-pull"], "--insecure-pull is refused"),
        (["--no-such-flag"], "no-such-flag"),
    ],
)
def test_what_cannot_be_done_is_said(given: list[str], said: str) -> None:
    with pytest.raises(Misused, match=said):
        asked("--no-push", *given)


def test_a_password_for_the_context_is_shown_to_nobody() -> None:
    token = asked("--no-push", GIT_TOKEN="t0ken")
    both = asked("--no-push", GIT_USERNAME="me", GIT_PASSWORD="pass")

    assert token.git_authorization == "Basic dDBrZW46"
    assert both.git_authorization == "Basic bWU6cGFzcw=="
    assert "Basic" not in repr(both)
    with pytest.raises(Misused, match="GIT_PULL_METHOD"):
        asked("--no-push", "-c", "git://g/a.git", GIT_PULL_METHOD="ftp")


def test_layers_are_shared_beside_the_first_destination() -> None:
    assert "--cache-repo=r.test/me/app/cache" in words(D, "--cache=true")
    assert "--cache-repo=r.test/c" in words(D, "--cache", "--cache-repo=r.test/c")
    assert "--cache-readonly" in words(D, "--cache", "--no-push-cache")
    assert words("--no-push", "--cache", "--cache-repo=oci:/c") == [
        "--cache-from=type=local,src=/c",
        "--cache-to=type=local,dest=/c",
        "/workspace/",
    ]
    assert not [word for word in words(D, "--cache-repo=r.test/c") if "cache" in word]


def test_registries_are_reached_as_kaniko_reaches_them() -> None:
    found = words(
        *("--insecure", D, "--registry-map=index.docker.io=m.test;a.test=b.test"),
        *("--registry-certificate=a.test=/ca", "--registry-client-cert=a.test=/c,/k"),
        KANIKO_REGISTRY_MIRROR="m1.test,m2.test",
    )

    assert found[1:-1] == [
        "--insecure-registry=r.test",
        "--registry-mirror=docker.io=m1.test",
        "--registry-mirror=docker.io=m2.test",
        "--registry-mirror=docker.io=m.test",
        "--registry-mirror=a.test=b.test",
        "--cacert=/ca",
        "--client-cert=/c",
        "--client-key=/k",
    ]


def test_the_dockerfile_is_looked_for_here_and_then_in_the_context(tmp_path: Path) -> None:
    here = tmp_path / "Here"
    here.write_text("")
    context = f"dir://{tmp_path}"

    assert f"--file={here}" in words("--no-push", f"-f{here}", "-c", context)
    assert f"--file={tmp_path}/D" in words("--no-push", "-f", "D", "-c", context)
    assert "--file=D" in words("--no-push", "-f", "D", "-c", "tar:///c.tar")


def test_what_is_shown_is_chosen_by_level_and_format() -> None:
    assert "--quiet" in words("--no-push", "-v", "warn")
    assert asked("--no-push", "--log-format=text").words[0] == "--progress=plain"


def test_options_of_our_own_are_passed_on() -> None:
    found = words("--no-push", "--rung=proot", "--allow-lost-owners", KANIKO_DIR="/k")

    assert found[:-1] == ["--store=/k/store", "--allow-lost-owners", "--rung=proot"]
    assert "--store=/s" in words("--no-push", "--store=/s", KANIKO_DIR="/k")


@pytest.mark.parametrize("name", [name for name, flag in FLAGS.items() if flag.fate == "refused"])
def test_a_refused_flag_names_itself_its_reason_and_a_way_out(name: str) -> None:
    with pytest.raises(Misused, match=f"--{name} is refused: ") as caught:
        asked("--no-push", f"--{name}=true")

    assert caught.value.hint


@pytest.mark.parametrize("name", [name for name, flag in FLAGS.items() if flag.fate == "usual"])
def test_a_flag_may_ask_for_what_is_so_anyway(name: str) -> None:
    for value in FLAGS[name].values:
        assert words("--no-push", f"--{name}={value}") == ["/workspace/"]
