"""A graph of targets: what is unchanged is not made, what fails stops only its dependents."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from artificer.builder.graph import UnknownTarget
from artificer.builder.outcome import BuildFailed, Failure
from artificer.builder.schedule import Cycle
from artificer.builder.targets import (
    Command,
    Content,
    FromFile,
    Group,
    ImageTarget,
    LayerTarget,
    Output,
    Put,
    Refused,
    Stamped,
    TargetId,
    Wishes,
    Written,
)
from artificer.builder.task import GraphOptions
from artificer.errors import ArtificerError, Cancelled, Transient, Unauthorized
from artificer.events import Event, LayerWritten, TargetChanged, TargetFailed
from artificer.images.reach import Reach
from artificer.oci.image import Image
from tests.builder.graphs import PLAIN, Workspace, put, reasons, settle, started, tree

Make = Callable[[str], Reach]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def app(workspace: Workspace, count: int = 3) -> list[TargetId]:
    """A base, a layer that all share, and some images with a file of their own."""
    base = workspace.add(
        "//base:base",
        ImageTarget(
            content=put(workspace.file("base/lib", "library")),
            wishes=Wishes(env=(("PATH", "/bin"),)),
        ),
    )
    assets = workspace.add(
        "//web:assets",
        LayerTarget(put(workspace.file("web/logo", "logo"), directory="srv"), (("LOGO", "yes"),)),
    )
    settle()
    return [
        workspace.add(
            f"//app:app{number}",
            ImageTarget(
                base=Output(base),
                layers=(assets,),
                content=put(workspace.file(f"app/{number}", f"app {number}"), directory="app"),
                wishes=Wishes(env=(("N", str(number)),), cmd=("/app/run",)),
            ),
        )
        for number in range(count)
    ]


def test_an_image_has_its_base_its_layers_and_its_own_files(
    workspace: Workspace, reach: Reach
) -> None:
    one = app(workspace, 1)[0]

    image = workspace.image(one, reach)

    files = tree(image, reach)
    assert list(files) == ["app", "app/0", "lib", "srv", "srv/logo"]
    assert image.settings["Env"] == ["PATH=/bin", "LOGO=yes", "N=0"]
    assert image.settings["Cmd"] == ["/app/run"]
    assert len(image.layers) == 3


def test_what_is_unchanged_is_not_made_again(
    workspace: Workspace, make_reach: Make, heard: list[Event]
) -> None:
    ids = app(workspace)
    settle()
    first = workspace.outcome(ids, make_reach("store"))
    heard.clear()

    second = workspace.outcome(ids, make_reach("store"))

    assert started(heard) == []
    assert set(reasons(heard).values()) == {"unchanged"}
    assert second.products == first.products


def test_one_changed_file_makes_only_its_dependents(
    workspace: Workspace, reach: Reach, heard: list[Event]
) -> None:
    ids = app(workspace)
    workspace.outcome(ids, reach)
    heard.clear()
    workspace.file("app/1", "another")

    workspace.outcome(ids, reach)

    assert started(heard) == ["//app:app1"]


def test_a_changed_base_makes_all_that_is_built_on_it_but_no_layer_twice(
    workspace: Workspace, reach: Reach, heard: list[Event]
) -> None:
    ids = app(workspace)
    workspace.outcome(ids, reach)
    heard.clear()
    workspace.file("base/lib", "another")

    workspace.outcome(ids, reach)

    assert sorted(started(heard)) == sorted(["//base:base", *map(str, ids)])
    assert sum(isinstance(event, LayerWritten) for event in heard) == 1


def test_a_layer_that_two_targets_need_is_made_once(
    workspace: Workspace, reach: Reach, heard: list[Event]
) -> None:
    content = put(workspace.file("one", "1" * 100_000))
    settle()
    ids = [workspace.add(f"//:i{n}", ImageTarget(content=content)) for n in range(6)]

    outcome = workspace.outcome(ids, reach, PLAIN._replace(jobs=4))

    assert not outcome.failures
    assert sum(isinstance(event, LayerWritten) for event in heard) == 1


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_the_same_graph_gives_the_same_digests_in_any_order(
    tmp_path: Path, make_reach: Make, jobs: int
) -> None:
    first = Workspace(tmp_path / "one")
    second = Workspace(tmp_path / "two")
    wanted = first.outcome(app(first), make_reach("store 1")).products
    ids = app(second)
    random.Random(jobs).shuffle(ids)
    second.graph = dict(reversed(second.graph.items()))

    found = second.outcome(ids, make_reach("store 2"), PLAIN._replace(jobs=jobs)).products

    assert found == wanted


def test_a_record_holds_also_where_the_workspace_has_moved(
    tmp_path: Path, reach: Reach, heard: list[Event]
) -> None:
    first, second = Workspace(tmp_path / "one"), Workspace(tmp_path / "two")
    first.outcome(app(first), reach)
    heard.clear()

    second.outcome(app(second), reach)

    assert started(heard) == []


def test_a_failure_stops_what_depends_on_it_and_is_told_at_its_place(
    workspace: Workspace, reach: Reach, heard: list[Event]
) -> None:
    bad = workspace.add("//a:bad", Refused("py_image", "no Python yet", "use a pkg_tar"))
    user = workspace.add("//a:user", Group((Output(bad),)))
    good = workspace.add("//a:good", Written("a/text", "hello"))

    outcome = workspace.outcome([user, good], reach, PLAIN._replace(keep_going=True))

    assert [str(one) for one in outcome.failures] == [
        "a/BUILD:3:1: //a:bad: py_image: no Python yet"
    ]
    assert outcome.skipped == (user,)
    assert good in outcome.products
    assert TargetFailed("//a:bad", "a/BUILD:3:1", "py_image: no Python yet") in heard
    with pytest.raises(BuildFailed, match="not tried") as caught:
        outcome.check()
    assert caught.value.hint == "use a pkg_tar"


def test_without_keep_going_nothing_is_begun_after_a_failure(
    workspace: Workspace, reach: Reach
) -> None:
    bad = workspace.add("//a:bad", Refused("rule", "no", "wait"))
    texts = [workspace.add(f"//a:{n}", Written(f"a/{n}", "")) for n in range(4)]

    outcome = workspace.outcome([bad, *texts], reach)

    assert len(outcome.failures) == 1
    assert outcome.skipped == tuple(texts)


def test_every_failure_is_reported(workspace: Workspace, reach: Reach) -> None:
    ids = [workspace.add(f"//a:{n}", Refused(f"rule{n}", "no", "wait")) for n in range(3)]

    outcome = workspace.outcome(ids, reach, PLAIN._replace(keep_going=True))

    with pytest.raises(BuildFailed, match="3 targets could not be made"):
        outcome.check()


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([Transient("x")], 75),
        ([Transient("x"), Unauthorized("y")], 77),
        ([Unauthorized("y"), ArtificerError("z")], 1),
    ],
)
def test_the_exit_code_is_that_of_the_most_lasting_failure(
    errors: list[ArtificerError], code: int
) -> None:
    failures = tuple(Failure(TargetId(f"//:{n}"), None, error) for n, error in enumerate(errors))

    assert BuildFailed(failures, 0).exit_code == code


def test_a_cycle_is_told_as_a_path(workspace: Workspace, reach: Reach) -> None:
    workspace.add("//a:a", Group((Output(TargetId("//b:b")),)))
    workspace.add("//b:b", Group((Output(TargetId("//a:a")),)))

    with pytest.raises(Cycle, match=r"//a:a → //b:b → //a:a"):
        workspace.outcome([TargetId("//a:a")], reach)


def test_a_target_that_nobody_declared_is_told_with_who_names_it(
    workspace: Workspace, reach: Reach
) -> None:
    one = workspace.add("//a:a", Group((Output(TargetId("//b:b")), Output(TargetId("//c:c")))))

    outcome = workspace.outcome([one], reach)

    error = outcome.failures[0].error
    assert isinstance(error, UnknownTarget)
    assert error.hint == "it is named at a/BUILD:3:1"


def test_a_missing_file_fails_the_target_that_names_it(workspace: Workspace, reach: Reach) -> None:
    source = workspace.file("gone")
    Path(source.path).unlink()
    one = workspace.add("//:image", ImageTarget(content=put(source)))

    outcome = workspace.outcome([one], reach)

    assert "gone: no such file or directory" in str(outcome.failures[0])


def test_stopping_ends_the_build(workspace: Workspace, reach: Reach) -> None:
    one = workspace.add("//:slow", Command("sleep 60", "", ("out",), timeout=60))
    reach.stop.set()

    with pytest.raises(Cancelled):
        workspace.outcome([one], reach)


def test_a_group_of_one_target_is_what_that_yields(workspace: Workspace, reach: Reach) -> None:
    image = app(workspace, 1)[0]
    alias = workspace.add("//:alias", Group((Output(image),)))

    assert isinstance(workspace.made(alias, reach), Image)


def test_texts_come_from_files_and_from_the_status(workspace: Workspace, reach: Reach) -> None:
    version = workspace.file("version", "1.2\n")
    wishes = Wishes(
        labels=(("version", FromFile(version)), ("commit", Stamped("git-{STABLE_COMMIT}{X}"))),
        user=FromFile(version),
        ports=FromFile(workspace.file("ports", "80/tcp, 53/udp\n")),
        cmd=FromFile(workspace.file("cmd", "/run\n--flag\n")),
        env=FromFile(workspace.file("env", "A=1\nB=$A-2\n")),
    )
    one = workspace.add("//:image", ImageTarget(wishes=wishes))

    image = workspace.image(one, reach, GraphOptions(stamps={"STABLE_COMMIT": "abc"}))

    assert image.settings == {
        "Env": ["A=1", "B=1-2"],
        "Cmd": ["/run", "--flag"],
        "User": "1.2",
        "Labels": {"version": "1.2", "commit": "git-abc{X}"},
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
    }


def test_only_stable_values_of_the_status_are_in_the_key(
    workspace: Workspace, reach: Reach, heard: list[Event]
) -> None:
    wishes = Wishes(
        labels=(("commit", Stamped("{STABLE_COMMIT}")), ("at", Stamped("{BUILD_TIMESTAMP}")))
    )
    one = workspace.add("//:image", ImageTarget(wishes=wishes))

    def build(commit: str, moment: str) -> dict[str, str]:
        stamps = {"STABLE_COMMIT": commit, "BUILD_TIMESTAMP": moment}
        labels = workspace.image(one, reach, GraphOptions(stamps=stamps)).settings["Labels"]
        assert isinstance(labels, dict)
        return labels

    build("a", "1")

    assert build("a", "2") == {"commit": "a", "at": "1"}
    assert build("b", "3") == {"commit": "b", "at": "3"}


def test_explain_says_which_input_changed(
    workspace: Workspace, reach: Reach, heard: list[Event]
) -> None:
    ids = app(workspace, 1)
    options = PLAIN._replace(explain=True)
    workspace.outcome(ids, reach, options)
    workspace.file("app/0", "another")
    heard.clear()

    workspace.outcome(ids, reach, options)

    assert TargetChanged("//app:app0", ("input app/0: changed",)) in heard


def test_the_timings_are_a_trace(workspace: Workspace, reach: Reach) -> None:
    outcome = workspace.outcome(app(workspace), reach)

    trace = json.loads(outcome.trace())

    names = {event["name"] for event in trace["traceEvents"] if event["ph"] == "X"}
    assert {"//base:base", "//app:app0", "//app:app2"} <= names


def test_a_directory_is_all_the_files_below_it(workspace: Workspace, reach: Reach) -> None:
    workspace.file("site/a/x", "x")
    workspace.file("site/b", "b")
    source = workspace.file("site/c", "c")._replace(
        path=str(workspace.root / "site"), short="site"
    )
    flat = workspace.add("//:flat", ImageTarget(content=put(source, directory="srv")))
    kept = workspace.add(
        "//:kept", ImageTarget(content=Content((Put(source, "srv", strip="site"),)))
    )

    assert [*tree(workspace.image(flat, reach), reach)] == [
        *("srv", "srv/site", "srv/site/a", "srv/site/a/x", "srv/site/b", "srv/site/c")
    ]
    assert [*tree(workspace.image(kept, reach), reach)] == [
        *("srv", "srv/a", "srv/a/x", "srv/b", "srv/c")
    ]
