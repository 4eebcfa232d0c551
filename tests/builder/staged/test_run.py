from pathlib import Path

import pytest

from artificer.builder.staged.options import Afresh, Options, Running, Secrets
from artificer.errors import ArtificerError
from artificer.events import CommandOutput
from artificer.sandbox.command import Bind, Cache, Secret, Socket, Tmpfs
from tests.builder.staged.kit import FakeSandbox, Workshop
from tests.images.made import DIR, image_of, tar_of


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    made.images["base"] = image_of(made.reach.store, tar_of(("bin", DIR), ("bin/sh", b"#!")))
    made.sandbox = FakeSandbox({"make": tar_of(("made", b"1"))})
    return made


def test_what_a_command_changed_is_a_layer_and_its_tree_is_kept(shop: Workshop) -> None:
    image = shop.image("FROM base\nRUN make\nRUN other")

    assert shop.tree(image)["made"] == "644 0:0 1"
    assert shop.sandbox.adopted == [layer.diff_id for layer in image.layers[1:]]
    (first, _), (second, _) = shop.sandbox.ran
    assert [one.diff_id for one in first] == [image.layers[0].diff_id]
    assert [one.diff_id for one in second] == [layer.diff_id for layer in image.layers[:2]]
    assert all(Path(one.path).is_file() for one in second)


def test_a_command_sees_its_environment_directory_user_and_shell(shop: Workshop) -> None:
    options = Options(epoch=7, running=Running(hosts=(("db", "10.0.0.1"),)))

    shop.build("FROM base\nARG V=1\nENV E=2\nUSER app\nWORKDIR /\nRUN make", options, epoch=7)

    ((_, command),) = shop.sandbox.ran
    assert command.argv == ("/bin/sh", "-c", "make")
    env = dict(command.env)
    assert (env["E"], env["V"], env["SOURCE_DATE_EPOCH"]) == ("2", "1", "7")
    assert (command.cwd, command.user) == ("/", "app")
    assert command.hosts == (("db", "10.0.0.1"),)


def test_a_command_that_was_run_is_not_run_again(shop: Workshop) -> None:
    text = "FROM base\nRUN make\nCOPY <<x /y\nx\nRUN make"
    first = shop.image(text)
    shop.sandbox.ran.clear()

    second = shop.image(text)

    assert shop.sandbox.ran == []
    assert second == first


@pytest.mark.parametrize(
    "line",
    [
        "RUN make all",
        "ARG A=1\nRUN make",
        "ENV A=1\nRUN make",
        "USER app\nRUN make",
        "RUN --network=none make",
        "RUN --mount=type=tmpfs,target=/t make",
        "RUN --mount=type=cache,target=/t make",
        "RUN --mount=type=secret,id=s make",
        "RUN --mount=type=ssh make",
        "RUN --mount=target=/t make",
        'SHELL ["/bin/bash", "-c"]\nRUN make',
        'RUN ["make"]',
        "RUN <<x\nmake\nx",
    ],
)
def test_all_that_a_command_depends_on_is_part_of_its_key(shop: Workshop, line: str) -> None:
    shop.write("a", "1")
    shop.image("FROM base\nRUN make")

    shop.image(f"FROM base\n{line}")

    assert len(shop.started) == 1


def test_secrets_and_proxies_are_no_part_of_the_key(shop: Workshop) -> None:
    text = "FROM base\nRUN --mount=type=secret,id=s,env=S make"
    first = Options(running=Running(secrets=Secrets({"s": b"first-secret"})))
    shop.build(text, first)
    other = Options(running=Running(secrets=Secrets({"s": b"two"})))

    shop.build(text, other, build_args={"HTTP_PROXY": "http://proxy"})

    assert shop.started == []
    assert "first-secret" not in repr(first)


def test_mounts_are_given_to_the_command(shop: Workshop) -> None:
    shop.write("d/f", "1")
    running = Running(secrets=Secrets({"s": b"hidden"}), agents={"default": "/agent"})
    text = (
        "FROM base AS tools\nRUN make\nFROM base\n"
        "RUN --mount=target=/ctx,source=d --mount=from=tools,target=/tools,rw "
        "--mount=type=cache,target=/c,id=x,sharing=locked,uid=5 "
        "--mount=type=tmpfs,target=/t,size=64m "
        "--mount=type=secret,id=s,target=/s,mode=0444 --mount=type=secret,id=s,env=S "
        "--mount=type=ssh --mount=type=secret,id=absent make"
    )

    image = shop.build(text, Options(running=running)).image

    command = shop.sandbox.ran[-1][1]
    context, tools, cache, tmpfs, secret, *others = command.mounts
    assert isinstance(context, Bind)
    assert (context.target, context.path, context.writable) == ("/ctx", "d", False)
    assert Path(context.chain[0].path).stat().st_size > 0
    assert isinstance(tools, Bind)
    assert (len(tools.chain), tools.writable) == (2, True)
    assert cache == Cache("/c", "x", "locked", (), "", 0o755, 5, 0, readonly=False)
    assert tmpfs == Tmpfs("/t", 64 << 20)
    assert secret == Secret("/s", b"hidden", 0o444)
    assert dict(command.env)["S"] == "hidden"
    assert [type(one) for one in others if isinstance(one, Socket)] == [Socket]
    assert "hidden" not in image.config.decode()


def test_a_change_in_what_is_mounted_runs_the_command_again(shop: Workshop) -> None:
    shop.write("d/f", "1")
    shop.write("other", "1")
    text = "FROM base\nRUN --mount=target=/ctx,source=d make"
    shop.image(text)
    shop.write("other", "2")
    shop.image(text)
    assert shop.started == []
    shop.write("d/f", "22")

    shop.image(text)

    assert len(shop.started) == 1


@pytest.mark.parametrize("kind", ["secret,id=s", "ssh"])
def test_what_is_required_and_not_given_is_an_error(shop: Workshop, kind: str) -> None:
    with pytest.raises(ArtificerError, match="required, and not given"):
        shop.image(f"FROM base\nRUN --mount=type={kind},required make")


def test_a_command_that_fails_says_where_how_and_its_last_words(shop: Workshop) -> None:
    shop.sandbox = FakeSandbox({"fail": 3})

    with pytest.raises(ArtificerError) as caught:
        shop.image("FROM base\nRUN fail")

    assert caught.value.message == (
        "Dockerfile:2: RUN fail: it ended with exit code 3\n  running\n  half"
    )
    assert caught.value.exit_code == 1
    assert CommandOutput("stage-0 1/1", "half") in shop.heard


def test_nothing_is_left_of_a_command_that_failed(shop: Workshop) -> None:
    shop.sandbox = FakeSandbox({"fail": 3})
    with pytest.raises(ArtificerError):
        shop.image("FROM base\nRUN make\nRUN fail")
    shop.sandbox = FakeSandbox({})

    shop.image("FROM base\nRUN make\nRUN fail")

    assert shop.started == ["RUN fail"]


def test_layers_with_lost_owners_have_a_key_of_their_own(shop: Workshop) -> None:
    text = "FROM base\nRUN make"
    shop.sandbox = FakeSandbox({}, "lost")
    shop.image(text)
    shop.image(text)
    assert shop.started == []
    shop.sandbox = FakeSandbox({})

    shop.image(text)
    assert shop.started == ["RUN make"]
    shop.sandbox = FakeSandbox({}, "lost")
    shop.image(text)

    assert shop.started == []


def test_files_are_copied_onto_and_out_of_what_commands_made(shop: Workshop) -> None:
    shop.write("a", "1")
    shop.sandbox = FakeSandbox({"make": tar_of(("out", {**DIR, "uid": 5}), ("out/x", b"1"))})

    image = shop.image(
        "FROM base AS b\nRUN make\nCOPY a /out/\nFROM scratch\nCOPY --from=b /out /o"
    )

    assert shop.tree(image) == {"o": "755 0:0 /", "o/a": "644 0:0 1", "o/x": "644 0:0 1"}


def test_one_command_may_be_run_afresh(shop: Workshop) -> None:
    shop.image("FROM base AS one\nRUN make")

    shop.build("FROM base AS one\nRUN make", Options(afresh=Afresh(stages=frozenset(["one"]))))

    assert shop.started == ["RUN make"]


def test_every_change_of_an_input_is_named(shop: Workshop) -> None:
    shop.image("FROM base\nARG V=1\nRUN make", build_args={"V": "1"})

    shop.image("FROM base\nARG V=1\nRUN make", build_args={"V": "2"})

    assert shop.changed == [("variable V: changed",)]
