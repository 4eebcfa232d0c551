from pathlib import Path

import pytest

from artificer.errors import Misused
from artificer.images.daemon import NoDaemon, find_in_daemon, load_into_daemon
from artificer.images.place import NotFound, image_for
from artificer.oci.reference import Daemon, parse_name
from tests.images.made import image_of, reach_of, tar_of
from tests.parts.engines import DockerDaemon

FILES = tar_of(("etc/one", b"1" * 5000))


def test_a_loaded_image_is_read_back(tmp_path: Path, docker_daemon: DockerDaemon) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, FILES)
    reference = Daemon(parse_name("artificer/loaded:1"))

    load_into_daemon(image, reference, docker_daemon.url, reach)
    found = image_for(find_in_daemon(reference, docker_daemon.url, reach), None)

    assert found.config == image.config
    assert [layer.diff_id for layer in found.layers] == [one.diff_id for one in image.layers]
    with pytest.raises(NotFound, match="no such image") as error:
        find_in_daemon(Daemon(parse_name("nobody/nothing")), docker_daemon.url, reach)
    assert error.value.hint == "it said: reference does not exist"


def test_without_a_socket_there_is_a_way_out(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, FILES)

    with pytest.raises(NoDaemon, match="does not exist") as error:
        load_into_daemon(image, Daemon(parse_name("a")), f"unix://{tmp_path}/no.sock", reach)
    assert "docker-archive:FILE" in (error.value.hint or "")
    with pytest.raises(Misused, match="only a unix socket will do"):
        find_in_daemon(Daemon(parse_name("a")), "tcp://127.0.0.1:2375", reach)
    (tmp_path / "dead.sock").touch()
    with pytest.raises(NoDaemon, match="does not answer"):
        find_in_daemon(Daemon(parse_name("a")), f"unix://{tmp_path}/dead.sock", reach)
