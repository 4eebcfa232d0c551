"""What maintainer scripts of Debian 12 come to, as people have read them."""

from collections.abc import Sequence

Effects = Sequence[Sequence[str]]
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
NETWORKS = "default\t\t0.0.0.0\nloopback\t127.0.0.0\nlink-local\t169.254.0.0\n\n"
NOTHING = (
    "adduser/preinst base-passwd/preinst base-passwd/postinst "
    "debian-archive-keyring/postinst dpkg/postinst init-system-helpers/postinst "
    "iproute2/postinst libc6/preinst libgcrypt20/postinst libpam-modules/preinst "
    "libpam0g/postinst dbus-daemon/postinst hicolor-icon-theme/postinst "
    "fontconfig/postinst libpam-systemd/postinst git/preinst "
    "libpython3.11-minimal/postinst python3/preinst python3.11-minimal/postinst "
    "python3.11-venv/postinst python3.11/postinst python3-distutils/postinst "
    "python3-lib2to3/postinst sudo/preinst systemd-sysv/postinst udev/postinst ucf/preinst "
    "ucf/postinst mysql-common/preinst mysql-common/postinst mariadb-common/preinst "
    "procps/postinst usrmerge/preinst ssl-cert/postinst erlang-base/postinst man-db/postinst "
    "chrony/postinst"
)
PYTHON = """\
[DEFAULT]
# how to byte-compile (comma separated: standard, optimize)
byte-compile = standard
"""
HOSTS_ALLOW = """\
# /etc/hosts.allow: list of hosts that are allowed to access the system.
#                   See the manual pages hosts_access(5) and hosts_options(5).
#
# Example:    ALL: LOCAL @some_netgroup
#             ALL: .foobar.edu EXCEPT terminalserver.foobar.edu
#
# If you're going to protect the portmapper use the name "rpcbind" for the
# daemon name. See rpcbind(8) and rpc.mountd(8) for further information.
#

"""
HOSTS_DENY = """\
# /etc/hosts.deny: list of hosts that are _not_ allowed to access the system.
#                  See the manual pages hosts_access(5) and hosts_options(5).
#
# Example:    ALL: some.host.name, .some.domain
#             ALL EXCEPT in.fingerd: other.host.name, .other.domain
#
# If you're going to protect the portmapper use the name "rpcbind" for the
# daemon name. See rpcbind(8) and rpc.mountd(8) for further information.
#
# The PARANOID wildcard matches any host whose name does not match its
# address.
#
# You may wish to enable this to ensure any programs that don't
# validate looked up hostnames still leave understandable logs. In past
# versions of Debian this has been the default.
# ALL: PARANOID

"""
APACHE = {
    "mods": "access_compat.load alias.conf alias.load auth_basic.load authn_core.load "
    "authn_file.load authz_core.load authz_host.load authz_user.load autoindex.conf "
    "autoindex.load deflate.conf deflate.load dir.conf dir.load env.load filter.load mime.conf "
    "mime.load mpm_event.conf mpm_event.load negotiation.conf negotiation.load reqtimeout.conf "
    "reqtimeout.load setenvif.conf setenvif.load status.conf status.load",
    "conf": "charset.conf localized-error-pages.conf other-vhosts-access-log.conf security.conf "
    "serve-cgi-bin.conf",
    "sites": "000-default.conf",
}
STATES = {
    "mods": "module/enabled_by_maint",
    "conf": "conf/enabled_by_maint",
    "sites": "site/enabled_by_admin",
}
APACHE_SERVER: Effects = [
    *(
        step
        for kind, names in APACHE.items()
        for name in names.split()
        for step in (
            ["link", f"/etc/apache2/{kind}-enabled/{name}", f"../{kind}-available/{name}"],
            ["file", f"/var/lib/apache2/{STATES[kind]}/{name.rpartition('.')[0]}"],
        )
    ),
    ["copy", "/var/www/html/index.html", "/usr/share/apache2/default-site/index.html"],
    *(
        step
        for name in ("error", "access", "other_vhosts_access")
        for step in (
            ["file", f"/var/log/apache2/{name}.log"],
            ["owner", f"/var/log/apache2/{name}.log", "root", "adm"],
            ["mode", f"/var/log/apache2/{name}.log", "0640"],
        )
    ),
    ["runlevels", "apache2"],
    ["runlevels", "apache-htcacheclean", "disabled"],
    ["unit", "system", "apache2.service"],
    ["unit-noted", "system", "apache-htcacheclean.service"],
]
FONTS = [
    ["link", f"/etc/fonts/conf.d/{name}", f"/usr/share/fontconfig/conf.avail/{name}"]
    for name in ("10-hinting-slight.conf", "70-no-bitmaps.conf")
]
REDIS = [
    step
    for path, mode, group in (
        ("/var/log/redis", "2750", "adm"),
        ("/var/lib/redis", "750", "redis"),
        ("/etc/redis", "2770", "redis"),
    )
    for step in (
        ["directory", path, "0755"],
        ["owner", path, "redis", group],
        ["mode", path, mode],
    )
]
SYSTEMD = [
    *(
        ["link", f"/etc/systemd/system/{link}", f"/lib/systemd/system/{unit}"]
        for link, unit in (
            ("getty.target.wants/getty@tty1.service", "getty@.service"),
            ("multi-user.target.wants/remote-fs.target", "remote-fs.target"),
            ("sysinit.target.wants/systemd-pstore.service", "systemd-pstore.service"),
        )
    ),
    ["file", "/etc/machine-id"],
    ["mode", "/etc/machine-id", "444"],
    ["sysusers", "basic.conf", "systemd-journal.conf", "systemd-network.conf"],
    ["link", "/etc/mtab", "../proc/self/mounts"],
]
PHP = "8.2"
PHP_PROGRAMS = [
    [
        *("alternative", f"/usr/bin/{name}", name, f"/usr/bin/{name}{PHP}", "82"),
        *(f"/usr/share/man/man1/{name}.1.gz", f"{name}.1.gz"),
        f"/usr/share/man/man1/{name}{PHP}.1.gz",
    ]
    for name in ("php", "phar", "phar.phar")
]
PHP_SERVERS: dict[str, Effects] = {
    "cli": PHP_PROGRAMS,
    "fpm": [["runlevels", f"php{PHP}-fpm"], ["unit", "system", f"php{PHP}-fpm.service"]],
}
UTILITIES = [
    ("/usr/bin", "unlzma", "unxz"),
    *(
        ("/usr/bin", f"lz{end}", f"xz{end}")
        for end in ["cat", "more", "less", "diff", "cmp", "grep", "egrep", "fgrep"]
    ),
]
LZMA = [
    *("alternative", "/usr/bin/lzma", "lzma", "/usr/bin/xz", "20"),
    *("/usr/share/man/man1/lzma.1.gz", "lzma.1.gz", "/usr/share/man/man1/xz.1.gz"),
    *(
        word
        for folder, name, other in UTILITIES
        for word in (
            *(f"{folder}/{name}", name, f"{folder}/{other}"),
            *(f"/usr/share/man/man1/{name}.1.gz", f"{name}.1.gz"),
            f"/usr/share/man/man1/{other}.1.gz",
        )
    ),
]
SUPERCATALOG = """\
--
## This file is created by update-catalog with update-super.
## Please see update-catalog(8) for how to modify this file.
--
"""
SGML = [
    *(
        ["directory", f"/usr/local/share/{name}", "0755"]
        for name in (
            "sgml",
            *(f"sgml/{name}" for name in ["declaration", "dtd", "entities", "misc", "stylesheet"]),
        )
    ),
    ["compiled", "/etc/sgml", ".cat"],
    ["text", "/var/lib/sgml-base/supercatalog", SUPERCATALOG],
    ["link", "/etc/sgml/catalog", "/var/lib/sgml-base/supercatalog"],
]
GIT_LFS = """\
[filter "lfs"]
\tclean = git-lfs clean -- %f
\tsmudge = git-lfs smudge -- %f
\tprocess = git-lfs filter-process
\trequired = true
"""
SCREEN = """\
# This file is generated by /var/lib/dpkg/info/screen.postinst upon package configuration
d /run/screen 1777 root utmp
"""
WITHOUT = {
    "ssl-cert/postinst": "a key and its certificate, which all containers would share",
    "man-db/postinst": "the index of manuals",
}
"""What scripts make that no image is to have."""
UPGRADES = {"#!/bin/sh", "set -e", 'if [ "$1" = "upgrade" ]; then', "fi", "exit 0"}
ALONE = {
    *("netbase/postinst", "apache2/postinst", "fontconfig-config/postinst", "locales/postinst"),
    *("xz-utils/postinst", "ca-certificates-java/postinst", "sgml-base/postinst"),
    *("screen/postinst", "libdebuginfod-common/postinst", "openvpn/postinst", "squid/preinst"),
    *("openssh-server/postinst", "dbus/postinst", "systemd/postinst"),
    *(f"php{PHP}-{name}/postinst" for name in ("cli", "fpm")),
}
"""Scripts that do nothing else: not what reading their commands says, as that is never called."""
ENDS = ("", ".vim-tiny")
JUDGED: dict[str, Effects] = {
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
    "netbase/postinst": [["text", "/etc/networks", NETWORKS]],
    "python3/postinst": [["text", "/etc/python3/debian_config", PYTHON]],
    "xz-utils/postinst": [LZMA],
    "ca-certificates-java/postinst": [["java-certificates"]],
    "sgml-base/postinst": SGML,
    "screen/postinst": [
        ["text", "/etc/tmpfiles.d/screen-cleanup.conf", SCREEN],
        ["runlevels", "screen-cleanup"],
    ],
    "git-lfs/postinst": [["text", "/etc/gitconfig", GIT_LFS]],
    "libdebuginfod-common/postinst": [],
    "fail2ban/postinst": [
        ["owner", "/var/log/fail2ban.log", "root", "adm"],
        ["mode", "/var/log/fail2ban.log", "640"],
    ],
    **{
        f"{name}/postinst": [["link", f"/etc/runit/runsvdir/default/{name}", f"/etc/sv/{name}"]]
        for name in ("dnsmasq", "tor")
    },
    "vsftpd/postinst": [
        ["group", "ftp", ""],
        ["user", "ftp", "", "ftp", "/srv/ftp", "/usr/sbin/nologin", "ftp daemon,,,"],
        ["directory", "/srv/ftp", "0755", "root", "ftp"],
    ],
    "openvpn/postinst": [["runlevels", "openvpn"], ["unit", "system", "openvpn.service"]],
    "squid/preinst": [],
    "squid/postinst": [
        ["owner", "/var/spool/squid", "proxy", "proxy"],
        ["owner", "/var/log/squid", "proxy", "proxy"],
        ["net-raw", "/usr/lib/squid/pinger"],
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
    "apache2/preinst": [],
    "apache2/postinst": APACHE_SERVER,
    "dbus/postinst": [
        [
            *("override", "/usr/lib/dbus-1.0/dbus-daemon-launch-helper"),
            *("root", "messagebus", "4754"),
        ],
        ["runlevels", "dbus"],
    ],
    "systemd/postinst": SYSTEMD,
    "dbus-system-bus-common/postinst": [
        ["group", "messagebus", ""],
        ["user", "messagebus", "", "messagebus", "/nonexistent", "/usr/sbin/nologin", ""],
    ],
    "fontconfig-config/postinst": [
        *FONTS,
        ["directory", "/usr/local/share/fonts", "2775", "root", "staff"],
    ],
    "libwrap0/postinst": [
        ["text", "/etc/hosts.allow", HOSTS_ALLOW],
        ["text", "/etc/hosts.deny", HOSTS_DENY],
    ],
    "locales/postinst": [
        ["locales"],
        ["text", "/etc/default/locale", "#  File generated by update-locale\n"],
    ],
    "mariadb-common/postinst": [
        ["alternative", "/etc/mysql/my.cnf", "my.cnf", "/etc/mysql/mariadb.cnf", "200"],
    ],
    "openssh-server/postinst": [
        ["ucf", "/usr/share/openssh/sshd_config", "/etc/ssh/sshd_config"],
        ["ucfr", "openssh-server", "/etc/ssh/sshd_config"],
        ["user", "sshd", "", "nogroup", "/run/sshd", "/usr/sbin/nologin", ""],
        ["runlevels", "ssh"],
        ["unit", "system", "ssh.service"],
        ["unit-noted", "system", "ssh.socket"],
        ["link", "/etc/runit/runsvdir/default/ssh", "/etc/sv/ssh"],
    ],
    "postgresql-client-15/postinst": [["postgresql-manuals", "psql.1.gz", "postgresql-client-"]],
    "redis-tools/postinst": [
        ["group", "redis", ""],
        ["user", "redis", "", "redis", "/var/lib/redis", "/usr/sbin/nologin", ""],
        *REDIS,
    ],
    "redis-server/postinst": [["override", "/etc/redis/redis.conf", "redis", "redis", "640"]],
    "iputils-ping/postinst": [["net-raw", "/bin/ping"]],
    "rsyslog/preinst": [],
    "e2fsprogs/postinst": [],
    "gawk/postinst": [],
    "memcached/postinst": [
        ["group", "memcache", ""],
        ["user", "memcache", "", "memcache", "/nonexistent", "/bin/false", "Memcached,,,"],
        ["copy", "/etc/memcached.conf", "/usr/share/memcached/memcached.conf.default"],
    ],
    "traceroute/postinst": [
        [
            *("alternative", f"/usr/{folder}/{name}", name, f"/usr/{folder}/{name}.db", "100"),
            *(f"/usr/share/man/man{part}/{name}.{part}.gz", f"{name}.{part}.gz"),
            f"/usr/share/man/man{part}/{name}.db.{part}.gz",
        ]
        for folder, part, name in (
            *(("bin", "1", name) for name in ("traceroute6", "lft", "traceproto")),
            ("sbin", "8", "tcptraceroute"),
        )
    ],
    "vim-runtime/preinst": [
        ["divert", *(f"/usr/share/vim/vim90/doc/{name}{end}" for end in ENDS), "vim-runtime"]
        for name in ("help.txt", "tags")
    ],
    "vim-runtime/postinst": [],
}
"""By package and script. What speeds up starting (caches, compiled Python) is no effect; hosts
are an engine's."""
