"""Note in the table of maintainer scripts those of packages whose effect a person has judged.

    python tools/debian_scripts.py DEB...

Scripts whose effect can be told by reading them are not in it, unless something is to be added.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from artificer.sources.debian.deb import read_package
from artificer.sources.debian.installing.scripts import known

TABLE = Path(__file__).parents[1] / "src/artificer/sources/debian/installing/scripts.json"
DIRECTORIES = (
    "/mnt /media /opt /srv /etc/opt /var/opt /usr/local /usr/local/etc /usr/local/src "
    "/usr/local/share /usr/local/sbin /usr/local/lib /usr/local/games /usr/local/bin "
    "/usr/local/include /usr/local/share/man"
)
BASE = [
    *(["directory", path, "0755"] for path in DIRECTORIES.split()),
    ["directory", "/var/mail", "2775", "root", "mail"],
    ["directory", "/run/lock", "1777"],
    ["link-instead", "/var/run", "/run"],
    ["link-instead", "/var/lock", "/run/lock"],
    ["link", "/usr/local/man", "share/man"],
    ["link", "/var/spool/mail", "../mail"],
    ["copy", "/etc/profile", "/usr/share/base-files/profile", "timed"],
    ["copy", "/etc/motd", "/usr/share/base-files/motd", "timed"],
    ["copy", "/root/.bashrc", "/usr/share/base-files/dot.bashrc", "timed"],
    ["copy", "/root/.profile", "/usr/share/base-files/dot.profile", "timed"],
    ["copy", "/usr/share/info/dir", "/usr/share/base-files/info.dir", "timed"],
    ["mode", "/usr/share/info/dir", "644"],
    *(
        step
        for name, mode in (("wtmp", "664"), ("btmp", "660"), ("lastlog", "664"))
        for step in (
            ["file", f"/var/log/{name}"],
            ["owner", f"/var/log/{name}", "root", "utmp"],
            ["mode", f"/var/log/{name}", mode],
        )
    ),
]
ZONE = [
    ["link", "/etc/localtime", "/usr/share/zoneinfo/Etc/UTC"],
    ["text", "/etc/timezone", "Etc/UTC\n"],
]
HOSTS = "127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n"
NOTHING = (
    "adduser/preinst base-passwd/preinst base-passwd/postinst "
    "debian-archive-keyring/postinst dpkg/postinst init-system-helpers/postinst "
    "iproute2/postinst libc6/preinst libgcrypt20/postinst libpam-modules/preinst "
    "libpam0g/postinst dbus-daemon/postinst dbus/postinst hicolor-icon-theme/postinst "
    "fontconfig/postinst iputils-ping/postinst libpam-systemd/postinst git/preinst "
    "libpython3.11-minimal/postinst python3/preinst python3.11-minimal/postinst "
    "python3.11-venv/postinst python3.11/postinst python3-distutils/postinst "
    "python3-lib2to3/postinst sudo/preinst systemd-sysv/postinst udev/postinst ucf/preinst "
    "ucf/postinst mysql-common/preinst mysql-common/postinst mariadb-common/preinst "
    "postgresql-client-15/postinst procps/postinst systemd/postinst usrmerge/preinst"
)
JUDGED: dict[str, Sequence[Sequence[str]]] = {
    **dict.fromkeys(NOTHING.split(), ()),
    "base-files/postinst": BASE,
    "libc-bin/postinst": [
        ["copy", "/etc/nsswitch.conf", "/usr/share/libc-bin/nsswitch.conf", "timed"],
        ["ldconfig"],
    ],
    "debianutils/postinst": [["copy", "/etc/shells", "/usr/share/debianutils/shells", "timed"]],
    "passwd/postinst": [["shadow"]],
    "ca-certificates/postinst": [
        ["directory", "/usr/local/share/ca-certificates", "0755"],
        ["ca-certificates"],
    ],
    "tzdata/postinst": ZONE,
    "netbase/postinst": [["text", "/etc/hosts", HOSTS]],
    "python3/postinst": [
        ["text", "/etc/python3/debian_config", "[DEFAULT]\nbyte-compile = standard\n"]
    ],
    "xz-utils/postinst": [
        ["alternative", "/usr/bin/lzma", "lzma", "/usr/bin/xz", "20"],
    ],
    "dash/postinst": [
        ["divert", "/usr/share/man/man1/sh.1.gz", "/usr/share/man/man1/sh.distrib.1.gz", "dash"],
        ["divert", "/bin/sh", "/bin/sh.distrib", "dash"],
    ],
    "libc6/postinst": [["remove", "/etc/ld.so.nohwcap"]],
    "libpam-modules/postinst": [["mode", "/etc/security/opasswd", "600"]],
    "usrmerge/postinst": [["merged-usr"]],
    "readline-common/postinst": [["copy", "/etc/inputrc", "/usr/share/readline/inputrc", "timed"]],
    "openssh-client/postinst": [
        ["group", "_ssh"],
        ["owner", "/usr/bin/ssh-agent", "root", "_ssh"],
    ],
    "cron-daemon-common/postinst": [["group", "crontab"]],
}
"""By package and script. What only speeds up starting (caches, compiled Python) is no effect."""


def main(paths: Sequence[str]) -> None:
    """Note what is judged of the packages at *paths*; what the table has of others stays."""
    table: dict[str, dict[str, Any]] = json.loads(TABLE.read_text())
    for path in paths:
        package = read_package(path)
        for script, data in package.scripts:
            name = f"{package.name}/{script}"
            if name in JUDGED and (known(data).unknown or JUDGED[name]):
                digest = hashlib.sha256(data).hexdigest()
                called = f"{package.name} {package.version} {script}"
                row = table.setdefault(digest, {"script": called})
                row["effects"] = [list(effect) for effect in JUDGED[name]]
    rows = sorted(table.items(), key=lambda row: str(row[1]))
    TABLE.write_text(json.dumps(dict(rows), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
