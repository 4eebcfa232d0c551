import pytest

from artificer.frontends.dockerfile.durations import nanoseconds
from artificer.frontends.dockerfile.errors import InvalidDockerfile, suggestion
from artificer.frontends.dockerfile.flags import FLAGS
from artificer.frontends.dockerfile.instructions import Lines, Run
from artificer.frontends.dockerfile.mounts import MountOptions, options_of
from artificer.frontends.dockerfile.parse import dockerfile
from artificer.frontends.dockerfile.words import flag_words, heredoc_word, heredoc_words


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("30s", 30_000_000_000),
        ("1h2m3s", 3_723_000_000_000),
        ("1.5h", 5_400_000_000_000),
        (".5s", 500_000_000),
        ("1.s", 1_000_000_000),
        ("100ms", 100_000_000),
        ("1us", 1_000),
        ("1µs", 1_000),
        ("1μs", 1_000),
        ("7ns", 7),
        ("+1s", 1_000_000_000),
        ("-1s", -1_000_000_000),
        ("2562047h", 9_223_369_200_000_000_000),
        ("2562048h", None),
        ("1.0000000000000001s", 1_000_000_000),
        ("", None),
        ("-", None),
        (".s", None),
        ("1", None),
        ("s", None),
        ("1d", None),
        ("1 s", None),
        ("1s ", None),
        ("१s", None),
        ("1e3s", None),
        ("1" * 200 + "s", None),
    ],
)
def test_durations_are_what_go_takes_for_one(text: str, value: int | None) -> None:
    assert nanoseconds(text) == value


@pytest.mark.parametrize(
    ("text", "flags", "rest"),
    [
        ("", [], ""),
        ("--", [], ""),
        ("--a", ["--a"], ""),
        ("  --a  b ", ["--a"], "b"),
        ("--a=b\\ c d", ["--a=b c"], "d"),
        ("--a='b\" c' d", ['--a=b" c'], "d"),
        ("--a='b\\'c' d", ["--a=b'c"], "d"),
        ('--a="b c', ["--a=b c"], ""),
        ("--a=b\\", ["--a=b"], ""),
        ("--a -- --b", ["--a"], "--b"),
        ("--a -b", ["--a"], "-b"),
        ("- --a", [], "- --a"),
        ("--a='' b", ["--a="], "b"),
    ],
)
def test_flags_are_words_in_front_without_their_quotes(
    text: str, flags: list[str], rest: str
) -> None:
    assert flag_words(text) == (flags, rest)


@pytest.mark.parametrize(
    ("word", "name", "expand", "chomp"),
    [
        ("<<EOF", "EOF", True, False),
        ("<<-EOF", "EOF", True, True),
        ("3<<EOF", "EOF", True, False),
        ("<<'EOF'", "EOF", False, False),
        ('<<"E"OF', "EOF", False, False),
        ("<<E\\OF", "EOF", False, False),
        ('<<"A B"', "A B", False, False),
        ('<<"a\\"b"', 'a"b', False, False),
        ("<<a$b", "a$b", True, False),
    ],
)
def test_a_word_names_a_heredoc(word: str, name: str, *, expand: bool, chomp: bool) -> None:
    assert heredoc_word(word) == (word, name, expand, chomp)


@pytest.mark.parametrize("word", ["<<", "<<-", "<<<a", "a<<b", "<a", "<<a<b", "<<''", "x"])
def test_a_word_names_no_heredoc(word: str) -> None:
    assert heredoc_word(word) is None


def test_heredocs_in_quotes_are_text() -> None:
    assert [word.name for word in heredoc_words("RUN '<<A' \"<<B\" <<C \\<<D")] == ["C"]


def test_only_what_is_like_a_word_is_suggested() -> None:
    assert suggestion("chwon", ["chown", "chmod"]) == "did you mean chown?"
    assert suggestion("zzz", ["chown", "chmod"]) is None


def test_every_flag_of_the_specification_is_known() -> None:
    known = {name: set(flags) for name, flags in FLAGS.items()}

    assert known == {
        "FROM": {"platform"},
        "COPY": {"from", "chown", "chmod", "link", "parents", "exclude"},
        "ADD": {"chown", "chmod", "link", "keep-git-dir", "checksum", "unpack", "exclude"},
        "RUN": {"mount", "network", "security", "device"},
        "HEALTHCHECK": {"interval", "timeout", "start-period", "start-interval", "retries"},
    }


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("target=/a", MountOptions(target="/a")),
        ("type=bind,dst=/a,src=b,from=c,rw", MountOptions("bind", "/a", "b", "c", readonly=False)),
        ("target=/a,rw=false", MountOptions(target="/a", readonly=True)),
        ("target=/a,ro=0", MountOptions(target="/a", readonly=False)),
        ("type=tmpfs,target=/a,size=1.5g", None),
        ("type=tmpfs,target=/a,size=64m", MountOptions("tmpfs", "/a", size=64 << 20)),
        ("type=tmpfs,target=/a,size=1KiB", MountOptions("tmpfs", "/a", size=1024)),
        ("type=tmpfs,target=/a,size=7", MountOptions("tmpfs", "/a", size=7)),
        (
            "type=cache,target=/a,sharing=PRIVATE,mode=700,uid=1,gid=2,id=i",
            MountOptions("cache", "/a", id="i", sharing="private", mode=0o700, uid=1, gid=2),
        ),
        ("type=cache,target=/a,mode=77777", None),
        ("type=cache,target=/a,uid=4294967296", None),
        ("type=cache,target=/a,uid=", None),
        ("type=secret,id=s,required", MountOptions("secret", id="s", required=True)),
        ("type=secret,id=s,required=f", MountOptions("secret", id="s")),
        ("type=secret,env=A", None),
        ("type=secret,target=/s,env=A", MountOptions("secret", "/s", env="A")),
        ("type=ssh", MountOptions("ssh")),
        ("type=ssh,rw", None),
        ("type=tmpfs,target=/../", None),
        ('"type=cache","target=/a,b"', MountOptions("cache", "/a,b")),
        ("", None),
        ("type=cache,,target=/a", None),
    ],
)
def test_mounts_are_values_with_types(text: str, options: MountOptions | None) -> None:
    data = f"FROM a\nRUN --mount={text.replace(chr(34), chr(92) + chr(34))} b\n".encode()
    if options is None:
        with pytest.raises(InvalidDockerfile):
            dockerfile(data, "D")
        return

    run = dockerfile(data, "D").stages[0].body[0]

    assert isinstance(run, Run)
    assert options_of(run.mounts[0].fields, run.at) == options


def test_values_that_variables_became_are_checked_as_others_are() -> None:
    run = dockerfile(b"FROM a\nRUN --mount=type=$T,target=/a b\n", "D").stages[0].body[0]
    fields: tuple[tuple[str, str | None], ...] = (("type", "volume"), ("target", "/a"))

    at: Lines = run.at
    with pytest.raises(InvalidDockerfile, match="D:2: no type of mount: 'volume'"):
        options_of(fields, at)
