"""Interpreters, certificates, users and times of an image, used in a container of podman."""

from collections.abc import Callable

import pytest

from tests.oracles.conftest import Images
from tests.parts.commands import Command
from tests.parts.ports import free_port

pytestmark = pytest.mark.archive

WORDS = (
    *("default-jre-headless", "python3", "python3-venv", "ca-certificates", "openssl"),
    *("curl", "locales", "tzdata", "adduser", "apt"),
)
PYTHON = """\
import ctypes, curses, hashlib, lzma, sqlite3, ssl, subprocess, sys, venv, zoneinfo
assert ssl.create_default_context().cert_store_stats()["x509_ca"] > 100
assert sqlite3.connect(":memory:").execute("SELECT 6 * 7").fetchone() == (42,)
venv.create("/tmp/v", with_pip=True)
subprocess.run(["/tmp/v/bin/pip", "--version"], check=True, stdout=subprocess.DEVNULL)
print(zoneinfo.ZoneInfo("Europe/Berlin"))
"""
CERTIFICATES = """\
set -e
openssl verify -CApath /etc/ssl/certs /etc/ssl/certs/ISRG_Root_X1.pem
cd /tmp
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2>/dev/null
openssl s_server -quiet -www -accept {port} -key key.pem -cert cert.pem &
server=$!
sleep 1
code=0
curl -sS -o page https://localhost:{port}/ 2>/dev/null || code=$?
echo "unknown: $code"
cp cert.pem /usr/local/share/ca-certificates/own.crt
update-ca-certificates 2>/dev/null | grep -c 'own.pem'
curl -sS -o page https://localhost:{port}/
keytool -list -cacerts -storepass changeit 2>/dev/null | grep -c trustedCertEntry
kill $server
"""
USERS = """\
set -e
adduser --quiet --disabled-password --gecos '' alice
adduser --quiet --system --group --home /srv/app app
id alice
su alice -c 'touch ~/mine; stat -c "%U:%G %a" ~ ~/mine'
id -gn app
passwd -S root | cut -d' ' -f1,2
"""
LOCALES = """\
set -e
locale -a | grep -x C.utf8
cat /etc/timezone
date +%Z
TZ=Europe/Berlin date -d 2020-07-01 +%Z
echo 'de_DE.UTF-8 UTF-8' > /etc/locale.gen
locale-gen >/dev/null
LC_ALL=de_DE.UTF-8 date -d 2020-12-01 +%B
"""


@pytest.fixture(scope="module")
def inside(podman: Command, pulled: Callable[[str], str], images: Images) -> Callable[..., str]:
    """Runs a script in a container of the image with all of it."""
    image = pulled(images.build("programs", ("--apt", *WORDS)))

    def ran(*words: str) -> str:
        return podman.output("run", "--rm", "--network", "host", image, *words)

    return ran


def test_dpkg_finds_all_of_it_whole(inside: Callable[..., str]) -> None:
    script = "dpkg --audit; dpkg -V; dpkg-query -Wf '${db:Status-Abbrev}\\n' | sort -u"

    assert inside("sh", "-c", script).strip() == "ii"


def test_java_runs(inside: Callable[..., str]) -> None:
    assert "openjdk version" in inside("sh", "-c", "java -version 2>&1")


def test_python_imports_what_it_comes_with(inside: Callable[..., str]) -> None:
    assert inside("python3", "-c", PYTHON) == "Europe/Berlin"


def test_certificates_are_found_and_can_be_added(inside: Callable[..., str]) -> None:
    lines = inside("sh", "-c", CERTIFICATES.format(port=free_port())).splitlines()

    assert lines[0] == "/etc/ssl/certs/ISRG_Root_X1.pem: OK"
    # That nobody signed it, and not that there is nothing to verify with, which is 77.
    assert lines[1] == "unknown: 60"
    assert int(lines[-1]) > 100


def test_users_can_be_made(inside: Callable[..., str]) -> None:
    lines = inside("sh", "-c", USERS).splitlines()

    assert lines[0].startswith("uid=1000(alice) gid=1000(alice)")
    assert lines[1:] == ["alice:alice 700", "alice:alice 644", "app", "root L"]


def test_locales_and_zones_are_as_nobody_was_asked(inside: Callable[..., str]) -> None:
    lines = inside("sh", "-c", LOCALES).splitlines()

    assert lines == ["C.utf8", "Etc/UTC", "UTC", "CEST", "Dezember"]
