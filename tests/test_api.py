"""The Python API: what the command line does, without environment and without output."""

import subprocess
import sys
from pathlib import Path

import pytest

from artificer import api
from artificer.errors import ArtificerError
from artificer.oci.image import Image, Index
from tests.parts.archive import SmallArchive, made
from tests.parts.commands import Command
from tests.parts.images import BaseImage
from tests.parts.registries import LockedRegistry


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "work" / "server").write_text("#!/bin/sh\n")
    return tmp_path / "work" / "server"


def test_an_image_is_built_pushed_and_pulled_again(
    server: Path, tmp_path: Path, alpine: BaseImage, fresh_repository: str, skopeo: Command
) -> None:
    with api.Workshop(str(tmp_path / "one")) as workshop:
        image = workshop.build(
            alpine.reference, ["server"], env={"A": "1"}, cmd=["/server"], labels={"k": "v"}
        )
        digest = workshop.push(image, f"{fresh_repository}:v1", f"oci:{tmp_path}/layout:v1")
    with api.Workshop(str(tmp_path / "two")) as workshop:
        pulled = workshop.pull(f"{fresh_repository}:v1")

    assert isinstance(image, Image)
    assert pulled == image
    assert image.settings["Cmd"] == ["/server"]
    assert digest == image.digest
    told = skopeo.output(
        "inspect",
        "--tls-verify=false",
        "--format",
        "{{.Digest}}",
        f"docker://{fresh_repository}:v1",
    )
    assert told.strip() == digest


def test_several_platforms_make_an_index(server: Path, tmp_path: Path) -> None:
    with api.Workshop(str(tmp_path / "store")) as workshop:
        index = workshop.build("scratch", ["server"], platforms=["linux/amd64", "linux/arm64"])

    assert isinstance(index, Index)
    assert len(index.members) == 2


def test_a_login_opens_a_private_registry(
    server: Path, tmp_path: Path, htpasswd_registry: LockedRegistry
) -> None:
    login = api.Login(htpasswd_registry.host, htpasswd_registry.user, htpasswd_registry.password)
    trusted = api.Options((login,), ca_files=(str(htpasswd_registry.ca_file),))
    name = f"{htpasswd_registry.host}/api/private:1"

    with api.Workshop(str(tmp_path / "store"), trusted) as workshop:
        workshop.push(workshop.build("scratch", ["server"]), name)
    with (
        api.Workshop(str(tmp_path / "other"), trusted._replace(logins=())) as workshop,
        pytest.raises(ArtificerError) as caught,
    ):
        workshop.pull(name)

    assert caught.value.exit_code == 77
    assert htpasswd_registry.password not in repr(trusted)


def test_the_environment_is_not_read(server: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "class Nothing(dict):\n"
        "    def __getitem__(self, key): raise AssertionError(key)\n"
        "    def get(self, key, default=None): raise AssertionError(key)\n"
        "from artificer import api\n"
        "os.environ = Nothing()\n"
        "with api.Workshop(sys.argv[1]) as workshop:\n"
        "    workshop.push(workshop.build('scratch', ['server']), 'oci:' + sys.argv[1] + '/l:x')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "store")], capture_output=True, text=True
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_the_api_loads_next_to_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules); import artificer.api; "
        "new = set(sys.modules) - before; print(*(n for n in new if n.startswith('artificer')))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert len(done.stdout.split()) <= 12
    assert "artificer.http.connection" not in done.stdout


def test_packages_are_installed_from_archives(tmp_path: Path) -> None:
    archive = SmallArchive(tmp_path / "archive").add(made("hello", "1", "amd64")).publish()
    wanted = api.Packages(("hello",), archives=(archive.line(),), level="unpack")
    with api.Workshop(str(tmp_path / "store")) as workshop:
        image = workshop.build("scratch", packages=wanted)
        again = workshop.build("scratch", packages=wanted)

    assert isinstance(image, Image)
    assert len(image.layers) == 1
    assert again.digest == image.digest


def test_private_archives_are_reached_over_mirrors(tmp_path: Path) -> None:
    archive = SmallArchive(tmp_path / "archive").add(made("hello", "1", "amd64")).publish()
    line = archive.line(uri="https://packages.invalid/debian")
    wanted = api.Packages(("hello",), archives=(line,), level="unpack")
    with archive.serve() as place:
        place.login = "me:secret"
        (tmp_path / "auth").write_text(f"machine {place.uri} login me password secret")
        mirrors = (f"packages.invalid/debian={place.uri}",)
        options = api.Options(archive_mirrors=mirrors, archive_auth=str(tmp_path / "auth"))
        with api.Workshop(str(tmp_path / "store"), options) as workshop:
            image = workshop.build("scratch", packages=wanted)

    assert isinstance(image, Image)
    assert len(image.layers) == 1


def test_a_pin_decides_which_version_is_installed(tmp_path: Path) -> None:
    archive = SmallArchive(tmp_path / "archive").add(made("hello", "1"), made("hello", "2"))
    wanted = api.Packages(("hello",), archives=(archive.publish().line(),), level="unpack")
    with api.Workshop(str(tmp_path / "store")) as workshop:
        newest = workshop.build("scratch", packages=wanted)
        pinned = workshop.build("scratch", packages=wanted._replace(pins=("hello 1001 1",)))
        asked = workshop.build("scratch", packages=wanted._replace(names=("hello=1",)))

    assert isinstance(pinned, Image)
    assert isinstance(asked, Image)
    assert newest.digest != pinned.digest
    assert [one.diff_id for one in pinned.layers] == [one.diff_id for one in asked.layers]
