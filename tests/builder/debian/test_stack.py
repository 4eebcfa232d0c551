"""Packages of a small archive as a step of an image."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from artificer.builder.build import Base, Sources, build
from artificer.builder.debian.choice import NotLockedFor, asked_for
from artificer.builder.debian.chosen import locked_of
from artificer.builder.debian.keys import SCRIPTS, remembered
from artificer.builder.debian.stack import CannotRun
from artificer.builder.debian.tools import DebTools, NoTools, architecture_of, runs_here
from artificer.builder.kind import kind_of
from artificer.builder.known import Known
from artificer.builder.plan import plans
from artificer.builder.recipe import AddDebs, AddFiles, Cache, Compress, Target
from artificer.builder.shared import share
from artificer.builder.work import Work
from artificer.cli.terminal.console import lines_of
from artificer.events import (
    Event,
    LayerReused,
    LayerWritten,
    Note,
    PackagesChosen,
    ScriptDecided,
    Warned,
)
from artificer.images.files import read_file, tree_of
from artificer.images.reach import Reach
from artificer.layers.rules import Rules
from artificer.layers.select import LocalPath
from artificer.oci.digest import Digest
from artificer.oci.image import Blob, Image, Layer, Stored
from artificer.oci.platform import LINUX_AMD64, Platform
from artificer.oci.reference import Named, Repository, Scratch, parse_name
from artificer.sandbox.client import NoSandbox, Sandbox
from artificer.sources.debian.archives.acquire import local_binary
from artificer.sources.debian.installing.distroless import NotConfigured
from artificer.sources.debian.values import Locked, Profile, Wanted
from artificer.sources.url import Web
from artificer.stop import Stop
from artificer.store.blobs import open_store
from tests.parts.archive import Made, deb_bytes, made
from tests.registry.clients import Client

SCRATCH = Base(Scratch(), None)
APP = made("app", files={"usr/bin/app": "#!/bin/sh\n"}, Depends="lib")
LIB = made("lib", "2", files={"usr/lib/lib.so": "lib"}, Source="source-of-lib")


def no_sandbox() -> Sandbox:
    raise NoSandbox("nothing can be run")


def locked(folder: Path, *packages: Made) -> tuple[Locked, ...]:
    found = []
    for package in packages:
        path = folder / package.file_name
        path.write_bytes(deb_bytes(package))
        found.append(locked_of(local_binary(str(path)), auto=package.name == "lib"))
    return tuple(found)


def step(*packages: Locked, **more: Any) -> AddDebs:
    return AddDebs(locked=(("amd64", packages),), level="unpack")._replace(**more)


@pytest.fixture
def install(reach: Reach) -> Callable[..., Image]:
    def installed(*steps: AddDebs, on: Base = SCRATCH, at: Reach = reach) -> Image:
        web = Web(_nobody_sends, at.store, at.report, Stop())
        sources = Sources(at, Known(at), debs=lambda: DebTools(web, no_sandbox))
        content = build(Target(on.reference, steps, platforms=(LINUX_AMD64,)), on, sources).content
        assert isinstance(content, Image)
        return content

    return installed


@pytest.fixture
def make_client() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()


def _nobody_sends(request: Any) -> Any:
    raise AssertionError(f"something was fetched: {request}")


Install = Callable[..., Image]


def test_files_and_what_scanners_read_are_one_layer(
    install: Install, tmp_path: Path, reach: Reach
) -> None:
    image = install(step(*locked(tmp_path, LIB, APP)))

    tree = tree_of(image, reach)
    assert len(image.layers) == 1
    assert tree.lookup("usr/bin/app") is not None
    assert b"Version: 2" in read_file(image, "var/lib/dpkg/status.d/lib", 9999, reach)


def test_an_unchanged_build_looks_at_no_package(
    install: Install, tmp_path: Path, heard: list[Event]
) -> None:
    packages = locked(tmp_path, LIB, APP)
    first = install(step(*packages))
    for path in tmp_path.glob("*.deb"):
        path.unlink()
    heard.clear()

    second = install(step(*packages))

    assert second.digest == first.digest
    assert [type(event) for event in heard] == [LayerReused]


def test_where_a_package_is_had_does_not_matter(install: Install, tmp_path: Path) -> None:
    (package,) = locked(tmp_path, LIB)

    first = install(step(package))

    assert install(step(package._replace(urls=("https://elsewhere.example/x",)))) == first


@pytest.mark.parametrize(
    "more",
    [
        {"epoch": 7},
        {"layering": "by-package"},
        {"level": "configure", "scripts": "replace"},
        {"wanted": Wanted(("lib:arm64",))},
        {"after": "true"},
    ],
)
def test_what_may_change_a_layer_is_part_of_its_key(
    install: Install, tmp_path: Path, heard: list[Event], more: dict[str, Any]
) -> None:
    packages = locked(tmp_path, LIB, APP)
    install(step(*packages))
    heard.clear()

    install(step(*packages, **more))

    assert any(isinstance(event, PackagesChosen) for event in heard)


def test_another_version_is_another_layer(install: Install, tmp_path: Path) -> None:
    first = install(step(*locked(tmp_path, LIB)))

    newer = made("lib", "3", files={"usr/lib/lib.so": "lib"}, Source="source-of-lib")

    assert install(step(*locked(tmp_path, newer))).digest != first.digest


def test_a_layer_of_a_package_is_shared_between_images(install: Install, tmp_path: Path) -> None:
    lib, app = locked(tmp_path, LIB, APP)

    both = install(step(lib, app, layering="by-package"))
    alone = install(step(lib, layering="by-package"))

    assert {layer.diff_id for layer in both.layers} & {layer.diff_id for layer in alone.layers}
    assert len(both.layers) > 2


def test_layers_of_packages_come_from_records(
    install: Install, tmp_path: Path, heard: list[Event]
) -> None:
    packages = locked(tmp_path, LIB, APP)
    first = install(step(*packages, layering="by-package"))
    heard.clear()

    assert install(step(*packages, layering="by-package")).digest == first.digest
    assert {type(event) for event in heard} == {LayerReused}


def test_a_second_step_stands_on_the_first(
    install: Install, tmp_path: Path, reach: Reach, heard: list[Event]
) -> None:
    lib, app = locked(tmp_path, LIB, APP)

    image = install(step(lib), step(app))

    assert len(image.layers) == 2
    assert sum(isinstance(event, LayerWritten) for event in heard) == 2
    assert tree_of(image, reach).lookup("usr/lib/lib.so") is not None


def test_without_commands_scripts_are_replaced_and_that_is_told(
    install: Install, tmp_path: Path, heard: list[Event]
) -> None:
    package = locked(tmp_path, LIB)

    install(step(*package, level="configure"))

    told = [event.text for event in heard if isinstance(event, Warned)]
    assert told == ["scripts of packages are replaced, not run: nothing can be run"]


def test_scripts_that_must_run_need_a_sandbox(install: Install, tmp_path: Path) -> None:
    with pytest.raises(NoSandbox, match="nothing can be run"):
        install(step(*locked(tmp_path, LIB), level="configure", scripts="run"))


def test_scripts_of_another_architecture_cannot_be_run(reach: Reach, tmp_path: Path) -> None:
    packages = locked(tmp_path, LIB)
    web = Web(_nobody_sends, reach.store, reach.report, Stop())
    sources = Sources(reach, Known(reach), debs=lambda: DebTools(web, no_sandbox))
    asked = AddDebs(locked=(("s390x", packages),), scripts="run")
    target = Target(Scratch(), (asked,), platforms=(Platform("linux", "s390x"),))

    with pytest.raises(CannotRun, match=r"^scripts of packages.*of s390x do not run"):
        build(target, SCRATCH, sources)
    cleaned = target._replace(steps=(asked._replace(after="true"),))
    with pytest.raises(CannotRun, match=r"^commands after the installation cannot be run"):
        build(cleaned, SCRATCH, sources)


def test_a_lock_without_the_architecture_is_an_error(install: Install, tmp_path: Path) -> None:
    asked = AddDebs(locked=(("arm64", locked(tmp_path, LIB)),))

    with pytest.raises(NotLockedFor, match="locked for arm64, not for amd64"):
        install(asked)


def test_a_command_that_installs_nothing_says_so(reach: Reach) -> None:
    target = Target(Scratch(), (AddDebs(Wanted(("a",))),))

    with pytest.raises(NoTools, match="cannot be installed by this command"):
        build(target, SCRATCH, Sources(reach, Known(reach)))


def test_a_plan_tells_packages_and_scripts_and_writes_no_layer(
    reach: Reach, tmp_path: Path, heard: list[Event]
) -> None:
    script = made("app", scripts={"postinst": "#!/bin/sh\nexit 1\n"})
    asked = step(*locked(tmp_path, script))
    web = Web(_nobody_sends, reach.store, reach.report, Stop())
    sources = Sources(reach, Known(reach), debs=lambda: DebTools(web, no_sandbox))
    target = Target(Scratch(), (asked,), platforms=(LINUX_AMD64,))
    name = Named(Repository("r.example", "x"), "1", None)

    (planned,) = plans(target, SCRATCH, sources, (name,))

    assert [(one.line, one.action) for one in planned.layers] == [("DEBS app", "build and upload")]
    assert any(isinstance(event, PackagesChosen) for event in heard)
    (listed,) = [event.text for event in heard if isinstance(event, Note)]
    assert listed.startswith("app:all=1, ")
    assert listed.endswith("postinst skipped (level unpack runs no scripts)")
    assert not any(isinstance(event, LayerWritten) for event in heard)


def test_a_plan_puts_files_above_packages_that_are_not_there_yet(
    reach: Reach, tmp_path: Path
) -> None:
    web = Web(_nobody_sends, reach.store, reach.report, Stop())
    sources = Sources(reach, Known(reach), debs=lambda: DebTools(web, no_sandbox))
    (tmp_path / "page").write_text("x")
    files = AddFiles((LocalPath(str(tmp_path / "page"), "usr/bin/page"),), Rules(), ("page",))
    steps = (step(*locked(tmp_path, LIB, APP)), files)
    target = Target(Scratch(), steps, platforms=(LINUX_AMD64,))
    name = Named(Repository("r.example", "x"), "1", None)

    (planned,) = plans(target, SCRATCH, sources, (name,))

    assert [one.line for one in planned.layers] == ["DEBS app", "ADD /usr/bin/page"]


@pytest.mark.parametrize("level", ["unpack", "configure"])
def test_only_what_is_configured_from_nothing_becomes_distroless(
    install: Install, tmp_path: Path, level: str
) -> None:
    lib, app = locked(tmp_path, LIB, APP)
    profile = Profile(distroless=True)

    with pytest.raises(NotConfigured, match="configured from nothing"):
        install(step(lib), step(app, level=level, profile=profile))


def test_what_is_asked_for_is_told_by_words_and_files(tmp_path: Path) -> None:
    lib, app = locked(tmp_path, LIB, APP)
    lib = lib._replace(auto=False)

    assert asked_for(None, (lib, app)) == {"lib", "app"}
    assert asked_for(Wanted(("app=1",)), (lib, app)) == {"app"}
    assert asked_for(Wanted(files=(str(tmp_path / LIB.file_name),)), (lib, app)) == {"lib"}


def test_layers_on_packages_do_not_have_packages_made_again(
    reach: Reach, tmp_path: Path, heard: list[Event]
) -> None:
    packages = locked(tmp_path, LIB, APP)
    web = Web(_nobody_sends, reach.store, reach.report, Stop())
    sources = Sources(reach, Known(reach), debs=lambda: DebTools(web, no_sandbox))
    file = tmp_path / "page"
    images = []
    for text in ("one", "two"):
        file.write_text(text)
        heard.clear()
        files = AddFiles((LocalPath(str(file), "srv/page"),), Rules(), (text,))
        target = Target(Scratch(), (step(*packages), files), platforms=(LINUX_AMD64,))
        images.append(build(target, SCRATCH, sources).content)

    first, second = images
    assert isinstance(first, Image)
    assert isinstance(second, Image)
    assert first.layers[0] == second.layers[0]
    assert first.layers[1] != second.layers[1]
    assert [event.name for event in heard if isinstance(event, LayerReused)] == ["DEBS app"]


def test_machines_share_layers_of_packages_through_a_repository(
    make_client: Client, fresh_repository: str, tmp_path: Path
) -> None:
    packages = locked(tmp_path, LIB, APP)
    cache = Cache(parse_name(fresh_repository))
    asked = step(*packages, layering="by-package")
    images, told = [], []
    for name in ("first", "second"):
        heard: list[Event] = []
        store = open_store(str(tmp_path / name))
        reach = Reach(store, make_client.registry, heard.append, Stop())
        web = Web(_nobody_sends, store, heard.append, Stop())
        sources = Sources(reach, Known(reach, (), cache), debs=partial(DebTools, web, no_sandbox))
        target = Target(Scratch(), (asked,), platforms=(LINUX_AMD64,))
        built = build(target, SCRATCH, sources)
        share(cache, built.fresh, reach)
        images.append(built.content.digest)
        told.append({type(event) for event in heard})
        for path in tmp_path.glob("*.deb"):
            path.unlink()

    assert images[0] == images[1]
    assert LayerWritten in told[0]
    assert told[1] == {LayerReused}


def test_what_became_of_scripts_is_told_by_layers_of_a_repository_too(
    make_client: Client, fresh_repository: str, tmp_path: Path
) -> None:
    script = {"postinst": "#!/bin/sh\nset -e\nldconfig\n"}
    packages = locked(tmp_path, LIB._replace(scripts=script), APP)
    cache = Cache(parse_name(fresh_repository))
    asked = step(*packages, level="configure", scripts="replace", layering="by-package")
    told = []
    for name in ("first", "second"):
        heard: list[Event] = []
        store = open_store(str(tmp_path / name))
        reach = Reach(store, make_client.registry, heard.append, Stop())
        web = Web(_nobody_sends, store, heard.append, Stop())
        sources = Sources(reach, Known(reach, (), cache), debs=partial(DebTools, web, no_sandbox))
        target = Target(Scratch(), (asked,), platforms=(LINUX_AMD64,))
        share(cache, build(target, SCRATCH, sources).fresh, reach)
        told.append([event for event in heard if isinstance(event, ScriptDecided)])

    assert [(one.package, one.script, one.fate) for one in told[0]] == [
        ("lib", "postinst", "replaced")
    ]
    assert told[1] == told[0]


def test_scripts_of_unpacked_packages_are_told_in_one_line(
    install: Install, tmp_path: Path, heard: list[Event]
) -> None:
    scripts = {"postinst": "#!/bin/sh\nldconfig\n", "preinst": "#!/bin/sh\n"}
    packages = locked(tmp_path, LIB._replace(scripts=scripts), APP._replace(scripts=scripts))
    for _ in ("made", "known"):
        heard.clear()

        install(step(*packages))

        decided = [event for event in heard if isinstance(event, ScriptDecided)]
        assert len(decided) == 4
        assert [line for event in decided for line in lines_of(event)] == []
        assert [event for event in heard if isinstance(event, Note)] == [
            Note("level unpack runs no scripts: 4 scripts of app, lib")
        ]


@pytest.mark.parametrize(
    "text", ["{", "[[1]]", "7", '[["a","b","run"]]', '[["\\u001b[2J","b","run",""]]', "[" * 10_000]
)
def test_what_a_repository_says_of_scripts_is_not_shown_as_it_is(
    make_client: Client, fresh_repository: str, reach: Reach, text: str
) -> None:
    cache = Cache(parse_name(fresh_repository))
    reach = reach._replace(registry=make_client.registry)
    kind = kind_of(Compress(), "oci")
    digest = reach.store.put(b"layer")
    layer = kind.layer(digest, 5, Digest.of(b"tar"), Stored(reach.store.blob_path(digest)))
    told = layer.descriptor.annotated({SCRIPTS: text})
    share(cache, [("debs-key", Layer(Blob(told, layer.blob.origin), layer.diff_id))], reach)

    known = remembered("key", Work(kind, reach, Known(reach, (), cache), None, []))

    assert known is not None
    assert known.scripts == ()


def test_packages_of_another_architecture_are_unpacked(
    reach: Reach, tmp_path: Path, heard: list[Event]
) -> None:
    web = Web(_nobody_sends, reach.store, reach.report, Stop())
    sources = Sources(reach, Known(reach), debs=lambda: DebTools(web, no_sandbox))
    foreign = locked(tmp_path, made("lib", "2", "arm64", files={"usr/lib/lib.so": "lib"}))
    asked = AddDebs(locked=(("arm64", foreign),), level="unpack")
    arm = Platform("linux", "arm64")

    image = build(Target(Scratch(), (asked,), platforms=(arm,)), SCRATCH, sources).content

    assert isinstance(image, Image)
    assert image.platform == arm
    assert tree_of(image, reach).lookup("usr/lib/lib.so") is not None


def test_debian_has_names_of_its_own_for_architectures() -> None:
    names = {
        "linux/amd64": "amd64",
        "linux/386": "i386",
        "linux/arm/v7": "armhf",
        "linux/arm64": "arm64",
        "linux/ppc64le": "ppc64el",
        "linux/riscv64": "riscv64",
    }

    assert {text: architecture_of(Platform.parse(text)) for text in names} == names


def test_a_machine_runs_what_is_of_its_architecture() -> None:
    assert runs_here("amd64", "x86_64")
    assert runs_here("i386", "x86_64")
    assert runs_here("all", "riscv64")
    assert not runs_here("arm64", "x86_64")
