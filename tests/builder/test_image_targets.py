"""What images of BUILD files say, beside their files; and what is made of images."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from artificer.builder.actions.structure import structure_test
from artificer.builder.actions.wishes import rfc3339
from artificer.builder.outcome import BuildFailed
from artificer.builder.products import Done, Images, Passed
from artificer.builder.targets import (
    Bundle,
    Command,
    Content,
    Flattened,
    FromFile,
    ImageTarget,
    Imported,
    IndexTarget,
    LayerTarget,
    Output,
    Push,
    Put,
    Reproducible,
    SameImage,
    Stamped,
    StructureTest,
    Target,
    TargetId,
    Unpacked,
    Wishes,
)
from artificer.builder.task import GraphOptions
from artificer.images.docker_archive import saved_as, write_docker_archive
from artificer.images.layout import write_layout
from artificer.images.reach import Reach
from artificer.oci.image import Image, Index, Stored
from artificer.oci.platform import Platform
from artificer.oci.reference import Layout, parse_name
from tests.builder.graphs import PLAIN, Workspace, put, tree
from tests.parts.commands import Command as Program

Make = Callable[[str], Reach]
TESTS = GraphOptions(tests=True)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def image(workspace: Workspace, reach: Reach, wishes: Wishes, base: Wishes | None = None) -> Image:
    below = None if base is None else Output(workspace.add("//:base", ImageTarget(wishes=base)))
    return workspace.image(workspace.add("//:image", ImageTarget(below, wishes=wishes)), reach)


BASE = Wishes(env=(("PATH", "/bin"), ("Z", "z")), entrypoint=("/base",), cmd=("run",))


def test_env_of_the_docker_rules_is_sorted_and_expands_from_the_base(
    workspace: Workspace, reach: Reach
) -> None:
    wishes = Wishes(
        env=(("PATH", "/app:$PATH"), ("B", "${A}-$Z"), ("A", "1")),
        env_order="sorted",
        env_unknown="kept",
        env_expands="base",
    )

    assert image(workspace, reach, wishes, BASE).settings["Env"] == [
        *("A=1", "B=$A-z", "PATH=/app:/bin", "Z=z")
    ]


def test_env_of_the_oci_rules_keeps_its_order_and_expands_from_before(
    workspace: Workspace, reach: Reach
) -> None:
    wishes = Wishes(env=(("A", "1"), ("PATH", "$PATH:/x"), ("B", "$A$NO-")), env_unknown="empty")

    assert image(workspace, reach, wishes, BASE).settings["Env"] == [
        *("PATH=/bin:/x", "Z=z", "A=1", "B=1-")
    ]


def test_an_unknown_variable_is_an_error_where_asked(workspace: Workspace, reach: Reach) -> None:
    with pytest.raises(BuildFailed, match=r"\$NO is set neither"):
        image(workspace, reach, Wishes(env=(("A", "$NO"),)))


def test_path_is_known_without_a_base(workspace: Workspace, reach: Reach) -> None:
    wishes = Wishes(env=(("PATH", "/app:$PATH"),), env_unknown="kept")

    assert image(workspace, reach, wishes).settings["Env"][0].startswith("PATH=/app:/usr/local")


def test_an_entrypoint_clears_the_command_unless_it_is_kept(
    workspace: Workspace, reach: Reach
) -> None:
    cleared = image(workspace, reach, Wishes(entrypoint=("/x",)), BASE)
    kept = image(workspace, reach, Wishes(entrypoint=("/x",), keep_cmd=True), BASE)
    reset = image(workspace, reach, Wishes(entrypoint=(), cmd=()), BASE)

    assert (cleared.settings["Entrypoint"], cleared.settings["Cmd"]) == (["/x"], None)
    assert kept.settings["Cmd"] == ["run"]
    assert (reset.settings["Entrypoint"], reset.settings["Cmd"]) == (None, None)


def test_a_launcher_stands_before_an_inherited_entrypoint(
    workspace: Workspace, reach: Reach
) -> None:
    base = workspace.add("//:base", ImageTarget(wishes=BASE))
    launcher = workspace.file("tools/launch", "#!/bin/sh\n", executable=True)
    one = workspace.add(
        "//:image", ImageTarget(Output(base), launcher=launcher, launcher_args=("-v",))
    )

    made = workspace.image(one, reach)

    assert made.settings["Entrypoint"] == ["/launch", "-v", "/base"]
    assert made.settings["Cmd"] == ["run"]
    assert tree(made, reach)["launch"].mode == 0o755


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0", "1970-01-01T00:00:00Z"),
        ("1525132800", "2018-05-01T00:00:00Z"),
        ("1525132800.5", "2018-05-01T00:00:00Z"),
        ("1525132800000", "2018-05-01T00:00:00Z"),
        ("2018-05-01T00:00:00Z", "2018-05-01T00:00:00Z"),
        ("{BUILD_TIMESTAMP}", "2018-05-01T00:00:00Z"),
    ],
)
def test_the_time_of_an_image_is_written_in_several_ways(
    workspace: Workspace, reach: Reach, text: str, wanted: str
) -> None:
    one = workspace.add("//:image", ImageTarget(wishes=Wishes(created=Stamped(text))))
    options = GraphOptions(stamps={"BUILD_TIMESTAMP": "1525132800"})

    assert workspace.image(one, reach, options).config_document["created"] == wanted


def test_a_time_that_is_none_is_refused(workspace: Workspace, reach: Reach) -> None:
    with pytest.raises(BuildFailed, match="not a time: 'noon'"):
        image(workspace, reach, Wishes(created="noon"))


@pytest.mark.parametrize("seconds", [0, 951_782_400, 951_868_799, 4_102_444_800, 86_399])
def test_seconds_are_the_calendar_s_days(seconds: int) -> None:
    from datetime import UTC, datetime

    assert rfc3339(seconds) == datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_author_platform_history_and_annotations_are_what_was_asked(
    workspace: Workspace, reach: Reach
) -> None:
    wishes = Wishes(
        author="Bazel",
        created_by="bazel build ...",
        platform=Platform("linux", "arm64"),
        annotations=FromFile(workspace.file("notes", "a=1\nb=2=3\n")),
    )
    one = workspace.add("//:i", ImageTarget(content=put(workspace.file("f")), wishes=wishes))

    made = workspace.image(one, reach)

    assert made.config_document["author"] == "Bazel"
    assert made.history[0]["created_by"] == "bazel build ..."
    assert str(made.platform) == "linux/arm64"
    assert made.annotations == {"a": "1", "b": "2=3"}


def test_a_base_in_docker_s_format_gives_layers_in_that_format(
    workspace: Workspace, reach: Reach
) -> None:
    base = workspace.add(
        "//:base", ImageTarget(content=put(workspace.file("f", "f")), format="docker")
    )
    layer = workspace.add("//:l", LayerTarget(put(workspace.file("g", "g"))))
    one = workspace.add("//:i", ImageTarget(Output(base), (layer,), put(workspace.file("h", "h"))))

    made = workspace.image(one, reach)

    assert made.format == "docker"
    assert all("docker" in layer.descriptor.media_type for layer in made.layers)
    assert made.annotations["org.opencontainers.image.base.digest"]


def test_what_docker_saved_is_a_base_compressed_or_not(
    workspace: Workspace, reach: Reach, tmp_path: Path, make_reach: Make
) -> None:
    import gzip

    one = workspace.add("//:i", ImageTarget(content=put(workspace.file("f", "text"))))
    saved = tmp_path / "saved.tar"
    write_docker_archive([saved_as(workspace.image(one, reach), None)], str(saved), reach)
    plain = workspace.file("base.tar", saved.read_bytes())
    packed = workspace.file("base.tar.gz", gzip.compress(saved.read_bytes()))
    other = make_reach("other")
    ids = [
        workspace.add("//:a", ImageTarget(plain, content=put(workspace.file("g")))),
        workspace.add("//:b", ImageTarget(packed, content=put(workspace.file("g")))),
        workspace.add("//:c", Imported(plain)),
    ]

    for _ in range(2):
        first, second, third = (workspace.image(each, other) for each in ids)
        assert list(tree(first, other)) == ["f", "g"]
        assert first.layers == second.layers
        assert list(tree(third, other)) == ["f"]
    origin = third.layers[0].blob.origin
    assert isinstance(origin, Stored)
    assert origin.path.startswith(other.store.root)


def test_an_image_is_imported_of_its_parts(
    workspace: Workspace, reach: Reach, make_reach: Make
) -> None:
    one = workspace.add("//:i", ImageTarget(content=put(workspace.file("f", "text"))))
    made = workspace.image(one, reach)
    layer = workspace.file(
        "l", Path(reach.store.blob_path(made.layers[0].blob.digest)).read_bytes()
    )
    parts = Imported(
        config=workspace.file("config.json", made.config),
        manifest=workspace.file("manifest.json", made.manifest),
        layers=(layer,),
    )
    other = make_reach("other")

    assert workspace.image(workspace.add("//:parts", parts), other) == made
    wrong = workspace.add("//:wrong", parts._replace(layers=(workspace.file("x", "no"),)))
    with pytest.raises(BuildFailed, match="x is not the layer"):
        workspace.image(wrong, other)


def test_files_of_an_image_are_made_when_they_are_asked_for(
    workspace: Workspace, reach: Reach
) -> None:
    one = workspace.add("//p:img", ImageTarget(content=put(workspace.file("f", "text"))))
    names = ("img.tar", "img.digest", "img.json", "")
    outputs = tuple(Output(one, name) for name in names)
    list_all = "cd p; tar tf img.tar > out; cat img.digest >> out; cat img.json >> out"
    user = workspace.add("//p:list", Command(list_all, "p", ("out",), outputs))

    out = workspace.files(user, reach)["p/out"].decode()

    made = workspace.image(one, reach)
    assert out.startswith("manifest.json\n")
    assert f"{made.digest}{made.config.decode()}" in out


def test_an_image_is_flattened_to_one_tar(workspace: Workspace, reach: Reach) -> None:
    base = workspace.add("//:base", ImageTarget(content=put(workspace.file("a/f", "old"))))
    one = workspace.add(
        "//:i", ImageTarget(Output(base), content=put(workspace.file("b/f", "new")))
    )
    flat = workspace.add("//:flat", Flattened(one, "flat"))

    files = workspace.files(flat, reach)

    with tarfile.open(fileobj=io.BytesIO(files["flat.tar"])) as archive:
        member = archive.extractfile("f")
        assert member is not None
        assert member.read() == b"new"
    assert json.loads(files["flat.json"]) == workspace.image(one, reach).config_document


def test_an_index_has_an_image_for_each_platform(
    workspace: Workspace, reach: Reach, tmp_path: Path, skopeo: Program
) -> None:
    ids = tuple(
        workspace.add(
            f"//:{name}",
            ImageTarget(
                content=put(workspace.file(name, name)),
                wishes=Wishes(platform=Platform("linux", name)),
            ),
        )
        for name in ("amd64", "arm64")
    )
    one = workspace.add("//:index", IndexTarget(ids, (("note", "x"),)))

    index = workspace.made(one, reach)

    assert isinstance(index, Index)
    assert [str(entry.platform) for entry in index.descriptors] == ["linux/amd64", "linux/arm64"]
    assert index.annotations == {"note": "x"}
    write_layout(index, Layout(str(tmp_path / "layout"), "x"), reach)
    skopeo.run("copy", "--all", f"oci:{tmp_path}/layout:x", f"dir:{tmp_path}/copy")
    twice = workspace.add("//:twice", IndexTarget((ids[0], ids[0])))
    with pytest.raises(BuildFailed, match="are both for linux/amd64"):
        workspace.made(twice, reach)


def test_an_image_unpacks_with_others_tools(
    workspace: Workspace, reach: Reach, tmp_path: Path, umoci: Program
) -> None:
    content = put(workspace.file("bin/run", "run", executable=True), directory="opt")
    one = workspace.add("//:i", ImageTarget(content=content._replace(symlinks=(("l", "opt"),))))
    write_layout(workspace.image(one, reach), Layout(str(tmp_path / "layout"), "x"), reach)

    umoci.run("unpack", "--rootless", "--image", f"{tmp_path}/layout:x", str(tmp_path / "bundle"))

    root = tmp_path / "bundle" / "rootfs"
    assert (root / "opt" / "run").read_text() == "run"
    assert (root / "opt" / "run").stat().st_mode & 0o777 == 0o755
    assert (root / "l").readlink() == Path("opt")


def test_a_bundle_names_its_images(workspace: Workspace, reach: Reach) -> None:
    one = workspace.add("//:i", ImageTarget())
    names = (("reg/a:{V}", one), ("reg/b:1", one))
    bundle = workspace.add("//:b", Bundle(tuple((Stamped(name), image) for name, image in names)))

    product = workspace.made(bundle, reach, GraphOptions(stamps={"V": "2"}))

    assert isinstance(product, Images)
    assert [name for name, _ in product.images] == ["reg/a:2", "reg/b:1"]


def test_a_push_that_is_only_built_says_where_to(workspace: Workspace, reach: Reach) -> None:
    one = workspace.add("//:i", ImageTarget())
    tags = FromFile(workspace.file("tags", "1\n2\n"))
    push = workspace.add("//:p", Push(one, "host:5000", "a/b", tags))

    product = workspace.made(push, reach)

    assert isinstance(product, Images)
    assert [name for name, _ in product.images] == ["host:5000/a/b:1", "host:5000/a/b:2"]
    assert [parse_name(name).tag for name, _ in product.images] == ["1", "2"]


def test_an_archive_is_unpacked_file_by_file(workspace: Workspace, reach: Reach) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        info = tarfile.TarInfo("top-1.0/bin/x")
        info.size, info.mode = 1, 0o755
        archive.addfile(info, io.BytesIO(b"x"))
    one = workspace.add("//:u", Unpacked(workspace.file("a.tar.gz", data.getvalue()), "top-1.0"))

    assert workspace.files(one, reach) == {"bin/x": b"x"}


def structure(workspace: Workspace, reach: Reach, config: str) -> Passed:
    one = workspace.add(
        "//:i",
        ImageTarget(
            content=Content(
                (Put(workspace.file("run", "#!/bin/sh\nexec x\n", executable=True), "bin"),),
                symlinks=(("/sh", "bin/run"),),
            ),
            wishes=Wishes(
                env=(("A", "1"),),
                labels=(("l", "v1"),),
                ports=("80/tcp",),
                volumes=("/data",),
                user="7",
                workdir="/srv",
                entrypoint=("/bin/run",),
                cmd=("-v",),
            ),
        ),
    )
    test = workspace.add("//:t", StructureTest(one, (workspace.file("test.yaml", config),)))
    product = workspace.made(test, reach, TESTS)
    assert isinstance(product, Passed)
    return product


FINE = r"""
schemaVersion: "2.0.0"
fileExistenceTests:
  - {name: run, path: /bin/run, shouldExist: true, permissions: "-rwxr-xr-x", uid: 0, gid: 0,
     isExecutableBy: any}
  - {name: link, path: /sh, permissions: "Lrwxrwxrwx"}
  - {name: gone, path: /nothing, shouldExist: false}
fileContentTests:
  - {name: text, path: /bin/run, expectedContents: ['^exec\s+x$'], excludedContents: [rm]}
metadataTest:
  env: [{key: A, value: "1"}]
  labels: [{key: l, value: 'v\d', isRegex: true}]
  exposedPorts: ["80"]
  unexposedPorts: ["443"]
  volumes: [/data]
  unmountedVolumes: [/other]
  entrypoint: [/bin/run]
  cmd: [-v]
  workdir: /srv
  user: "7"
"""


def test_an_image_that_is_as_its_structure_says_passes(workspace: Workspace, reach: Reach) -> None:
    assert structure(workspace, reach, FINE) == Passed(passed=True, output="5 checks passed")


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ("fileExistenceTests: [{path: /no}]", "/no: /no does not exist"),
        ("fileExistenceTests: [{path: /bin/run, shouldExist: false}]", "/bin/run exists"),
        ("fileExistenceTests: [{path: /bin/run, uid: 5}]", "/bin/run has uid 0, not 5"),
        ("fileContentTests: [{path: /bin/run, expectedContents: [zz]}]", "lacks 'zz'"),
        ("fileContentTests: [{path: /bin/run, excludedContents: [exec]}]", "has 'exec'"),
        ("fileContentTests: [{path: /no, expectedContents: [a]}]", "no such file"),
        ("metadataTest: {env: [{key: A, value: '2'}]}", "the env A is '1', not '2'"),
        ("metadataTest: {labels: [{key: m, value: '2'}]}", "the label m is not set"),
        ("metadataTest: {exposedPorts: ['81']}", "the port 81 is not exposed"),
        ("metadataTest: {volumes: ['/x']}", "/x is no volume"),
        ("metadataTest: {cmd: []}", "the cmd is ['-v'], not []"),
    ],
)
def test_every_difference_from_the_structure_is_told(
    workspace: Workspace, reach: Reach, config: str, line: str
) -> None:
    result = structure(workspace, reach, config)

    assert not result.passed
    assert line in result.output


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("commandTests: [{command: ls}]", "commandTests need a sandbox"),
        ("licenseTests: [{debian: true}]", "licences of packages are not judged"),
        ("fileExistenceTest: []", "unknown section fileExistenceTest"),
        ("metadataTest: {usr: x}", "unknown metadata usr"),
        ("a: [", "is not YAML"),
        ("[]", "is not a configuration"),
        ("schemaVersion: 2", "hold no test"),
    ],
)
def test_a_structure_that_cannot_be_checked_is_an_error(
    workspace: Workspace, reach: Reach, config: str, message: str
) -> None:
    assert callable(structure_test)
    with pytest.raises(BuildFailed, match=message):
        structure(workspace, reach, config)


def test_two_images_are_the_same_by_their_configs(workspace: Workspace, reach: Reach) -> None:
    def result(target: Target) -> bool:
        product = workspace.made(workspace.add("//:test", target), reach, TESTS)
        assert isinstance(product, Passed)
        return product.passed

    a, b = (workspace.add(f"//:{n}", ImageTarget()) for n in "ab")
    c = workspace.add("//:c", ImageTarget(wishes=Wishes(user="c")))
    known = workspace.image(a, reach).config_descriptor.digest.hex

    assert result(SameImage((Output(a), Output(b))))
    assert not result(SameImage((Output(a), Output(c))))
    assert result(SameImage((Output(a),), known))
    with pytest.raises(BuildFailed, match="one image alone"):
        result(SameImage((Output(a),)))


def test_an_image_that_comes_out_the_same_again_is_reproducible(
    workspace: Workspace, reach: Reach
) -> None:
    made = workspace.add("//:made", Command("echo 1 > $@", "", ("f",)))
    image_id = workspace.add("//:i", ImageTarget(content=put(made)))
    test = workspace.add("//:t", Reproducible(image_id))

    product = workspace.made(test, reach, TESTS)

    assert isinstance(product, Passed)
    assert product.passed


def test_the_first_difference_of_an_image_that_is_not_reproducible_is_told(
    workspace: Workspace, reach: Reach
) -> None:
    made = workspace.add("//:made", Command("date +%s%N > $@", "", ("f",)))
    image_id = workspace.add("//:i", ImageTarget(content=put(made)))
    test = workspace.add("//:t", Reproducible(image_id))

    product = workspace.made(test, reach, TESTS)

    assert isinstance(product, Passed)
    assert not product.passed
    assert "layer 1: /f: " in product.output


def test_tests_are_only_run_when_asked(workspace: Workspace, reach: Reach) -> None:
    test = workspace.add("//:t", Reproducible(workspace.add("//:i", ImageTarget())))

    assert workspace.made(test, reach, PLAIN) == Done(())
    assert TargetId("//:i") in workspace.outcome([test], reach).products
