import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.parts.commands import Command
from tests.parts.engines import Containerd, DockerDaemon
from tests.parts.images import BaseImage, Layout
from tests.parts.registries import LockedRegistry, Registry, TokenRegistry


def test_skopeo_reads_the_base_back(alpine: BaseImage, skopeo: Command) -> None:
    seen = json.loads(skopeo.output("inspect", f"docker://{alpine.reference}"))

    assert seen["Digest"] == alpine.digest
    assert seen["Env"] == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]


def test_docker_io_is_the_open_registry(alpine: BaseImage, skopeo: Command) -> None:
    # Without --no-tags skopeo asks the real hub for the tags, whatever the file says.
    words = ("inspect", "--no-tags", "--format", "{{.Digest}}")
    name = f"docker://docker.io/library/{alpine.short}"

    assert skopeo.output(*words, name) == alpine.digest


def test_the_base_keeps_its_bytes_on_the_way(alpine: BaseImage) -> None:
    index = json.loads((alpine.layout / "index.json").read_text())

    assert alpine.digest in [m["digest"] for m in index["manifests"]]


def test_the_docker_base_is_schema_2(alpine_docker: BaseImage, skopeo: Command) -> None:
    raw = json.loads(skopeo.output("inspect", "--raw", f"docker://{alpine_docker.reference}"))

    assert raw["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert raw["config"]["mediaType"] == "application/vnd.docker.container.image.v1+json"


def test_the_index_has_two_platforms_and_an_attestation(multi: BaseImage, skopeo: Command) -> None:
    raw = json.loads(skopeo.output("inspect", "--raw", f"docker://{multi.reference}"))

    platforms = [m["platform"]["architecture"] for m in raw["manifests"]]
    assert platforms == ["amd64", "arm64", "unknown"]


def test_the_registry_says_what_it_was_asked(alpine: BaseImage, open_registry: Registry) -> None:
    assert "PUT /v2/library/alpine/manifests/3.7 201" in open_registry.requests()


def test_every_fresh_repository_is_another(
    fresh_repository: str, request: pytest.FixtureRequest, open_registry: Registry
) -> None:
    path = fresh_repository.removeprefix(f"{open_registry.host}/")

    assert not any(path in line for line in open_registry.requests())


def test_umoci_unpacks_the_base(base_layout: Layout, umoci: Command, tmp_path: Path) -> None:
    umoci.run("unpack", "--rootless", "--image", f"{base_layout.path}:3.7", tmp_path / "bundle")

    assert (tmp_path / "bundle/rootfs/bin/sh").readlink() == Path("/bin/busybox")


def test_podman_runs_the_base(alpine: BaseImage, podman: Command) -> None:
    name = f"docker.io/library/{alpine.short}"

    assert podman.output("run", "--rm", name, "sh", "-c", "echo $((6 * 7))") == "42"


def test_podman_runs_without_a_network(alpine: BaseImage, podman: Command) -> None:
    words = ("run", "--rm", "--network", "none", alpine.reference, "cat", "/etc/os-release")

    assert "ID=artificer-tests" in podman.output(*words)


def test_buildah_builds_on_the_base(alpine: BaseImage, buildah: Command, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {alpine.reference}\nRUN echo built > /made\n")
    buildah.run("build", "--isolation", "chroot", "-t", "parts/built", tmp_path)
    name = buildah.output("from", "parts/built")

    assert buildah.output("run", "--isolation", "chroot", name, "cat", "/made") == "built"


def test_dockerd_runs_a_loaded_archive(
    base_layout: Layout, skopeo: Command, docker_daemon: DockerDaemon, tmp_path: Path
) -> None:
    archive = tmp_path / "base.tar"
    skopeo.run("copy", f"oci:{base_layout.path}:3.7", f"docker-archive:{archive}:parts/base:1")
    docker_daemon.run("load", "--input", str(archive))

    run = docker_daemon.run("run", "--rm", "--network", "none", "parts/base:1", "echo", "ran")
    assert run.stdout == "ran\n"


def test_dockerd_pulls_from_the_open_registry(
    alpine_docker: BaseImage, docker_daemon: DockerDaemon
) -> None:
    pulled = docker_daemon.run("pull", "--quiet", alpine_docker.reference)

    assert pulled.stdout.strip() == alpine_docker.reference


def test_containerd_runs_an_imported_archive(
    base_layout: Layout, skopeo: Command, containerd: Containerd, tmp_path: Path
) -> None:
    archive, name = tmp_path / "base.tar", "docker.io/parts/base:1"
    skopeo.run("copy", f"oci:{base_layout.path}:3.7", f"oci-archive:{archive}:{name}")
    containerd.run("images", "import", str(archive))

    assert containerd.run("run", "--rm", name, "one", "echo", "ran").stdout == "ran\n"


def _status(url: str, authorization: str = "", ca_file: Path | None = None) -> int:
    request = urllib.request.Request(url)
    if authorization:
        request.add_header("Authorization", authorization)
    context = ssl.create_default_context(cafile=ca_file) if ca_file else None
    if context:
        # Python 3.13 wants more of an authority than most private ones say, and ours.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        with urllib.request.urlopen(request, context=context) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_the_htpasswd_registry_asks_for_the_password(htpasswd_registry: LockedRegistry) -> None:
    url, ca_file = f"https://{htpasswd_registry.host}/v2/", htpasswd_registry.ca_file
    right = _basic(htpasswd_registry.user, htpasswd_registry.password)

    assert _status(url, ca_file=ca_file) == 401
    assert _status(url, _basic("alice", "wrong"), ca_file) == 401
    assert _status(url, right, ca_file) == 200


def test_skopeo_pushes_to_the_htpasswd_registry(
    base_layout: Layout, htpasswd_registry: LockedRegistry, skopeo: Command
) -> None:
    target = f"docker://{htpasswd_registry.host}/team/base:1"
    user = f"{htpasswd_registry.user}:{htpasswd_registry.password}"
    trust = ("--dest-cert-dir", htpasswd_registry.cert_dir, "--dest-creds", user)
    skopeo.run("copy", *trust, f"oci:{base_layout.path}:3.7", target)

    assert "PUT /v2/team/base/manifests/1 201" in htpasswd_registry.requests()


def _push(registry: TokenRegistry, layout: Layout, skopeo: Command, creds: str, to: str) -> int:
    words = ("--dest-tls-verify=false", "--dest-creds", creds)
    source, target = f"oci:{layout.path}:3.7", f"docker://{registry.host}/{to}"
    return skopeo.run("copy", *words, source, target, check=False).returncode


def test_the_token_service_lets_its_user_push(
    base_layout: Layout, token_registry: TokenRegistry, skopeo: Command
) -> None:
    creds = f"{token_registry.user}:{token_registry.password}"

    assert _push(token_registry, base_layout, skopeo, creds, "team/base:1") == 0
    asked = token_registry.service.requests[-1]
    assert asked.account == token_registry.user
    assert asked.granted == ("repository:team/base:pull,push",)


def test_the_token_service_denies_its_reader_a_push(
    base_layout: Layout, token_registry: TokenRegistry, skopeo: Command
) -> None:
    creds = f"{token_registry.reader}:{token_registry.reader_password}"

    assert _push(token_registry, base_layout, skopeo, creds, "team/base:2") != 0
    assert token_registry.service.requests[-1].granted == ("repository:team/base:pull",)


def test_the_token_service_denies_a_wrong_password(
    base_layout: Layout, token_registry: TokenRegistry, skopeo: Command
) -> None:
    assert _push(token_registry, base_layout, skopeo, "alice:wrong", "team/base:3") != 0
    assert token_registry.service.requests[-1].status == 401


def _token(registry: TokenRegistry, scope: str, authorization: str = "") -> str:
    request = urllib.request.Request(f"{registry.service.url}?service=test-registry&scope={scope}")
    if authorization:
        request.add_header("Authorization", authorization)
    with urllib.request.urlopen(request) as response:
        return str(json.load(response)["token"])


def test_anybody_may_pull_what_is_public(
    base_layout: Layout, token_registry: TokenRegistry, skopeo: Command
) -> None:
    creds = f"{token_registry.user}:{token_registry.password}"
    assert _push(token_registry, base_layout, skopeo, creds, "public/base:1") == 0

    token = _token(token_registry, "repository:public/base:pull")

    url = f"http://{token_registry.host}/v2/public/base/tags/list"
    assert _status(url) == 401
    assert _status(url, f"Bearer {token}") == 200


def test_a_token_of_no_seconds_is_refused(token_registry: TokenRegistry) -> None:
    token_registry.service.seconds = 0
    alice = _basic(token_registry.user, token_registry.password)
    token = _token(token_registry, "repository:team/base:pull", alice)

    url = f"http://{token_registry.host}/v2/team/base/tags/list"
    assert _status(url, f"Bearer {token}") == 401


def test_the_token_service_refreshes(token_registry: TokenRegistry) -> None:
    first = b"grant_type=password&username=bob&password=bob's secret&access_type=offline"
    with urllib.request.urlopen(token_registry.service.url, first) as response:
        refresh = json.load(response)["refresh_token"]
    again = f"grant_type=refresh_token&refresh_token={refresh}&scope=repository:team/a:pull"
    with urllib.request.urlopen(token_registry.service.url, again.encode()) as response:
        assert json.load(response)["access_token"]

    assert token_registry.service.requests[-1].account == "bob"


@pytest.mark.slow
def test_podman_runs_the_debian_base(debian_base: BaseImage, podman: Command) -> None:
    version = podman.output("run", "--rm", debian_base.reference, "cat", "/etc/debian_version")

    assert version.startswith("12.")
