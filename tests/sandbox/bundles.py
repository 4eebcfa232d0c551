"""Containers as a kubelet has them made: bundles for runc, with Docker's capabilities and profile.

As a program, in such a container: ``bundles.py STATE BASE DIFF_ID`` tells as JSON what comes of
some commands there.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from artificer.oci.digest import Digest
from artificer.sandbox.client import Sandbox, SandboxOptions
from artificer.sandbox.command import TreeLayer
from artificer.stop import Stop
from tests.sandbox import pods, roots

_NAMES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"),
    *("SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW"),
    *("IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE"),
    *("SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME"),
    *("SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
)
_CLONES = (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
_MASKED = ("acpi", "kcore", "keys", "latency_stats", "timer_list", "sched_debug", "scsi")
_READ_ONLY = ("asound", "bus", "fs", "irq", "sys", "sysrq-trigger")
_OWN = ("proc", "sys", "dev", "lost+found", "swapfile")
SCRIPTS = (
    "true",
    "chown web:extra /srv/f0; mkdir /new; cp -a /srv/web /new/; rm -r /srv/dir",
    "mknod /n c 1 3; cat /proc/self/status > /dev/null && echo x > /dev/stdout; mv /srv/web /w",
)


def bundle(folder: Path, pod: pods.Pod, state: Path, words: list[str]) -> Path:
    """Write the bundle of a container that runs *words* on this machine's files."""
    root = folder / "rootfs"
    root.mkdir(parents=True)
    mounts = [_mount(f"/{name}") for name in sorted(os.listdir("/")) if name not in _OWN]
    held = [f"CAP_{_NAMES[number]}" for number in sorted(pod.capabilities)]
    own = [] if pod.uid else held
    linux: dict[str, Any] = {
        "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
        "maskedPaths": [f"/proc/{name}" for name in _MASKED],
        "readonlyPaths": [f"/proc/{name}" for name in _READ_ONLY],
    }
    if pod.seccomp:
        linux["seccomp"] = _profile()
    document = {
        "ociVersion": "1.0.2",
        "hostname": "pod",
        "process": {
            "user": {"uid": pod.uid, "gid": pod.uid},
            "args": words,
            "cwd": "/",
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"PYTHONPATH={_places()}"],
            "capabilities": {"bounding": held, "effective": own, "permitted": own},
        },
        "root": {"path": str(root)},
        "mounts": [*_SYSTEM, *mounts, _mount(str(state), "rw")],
        "linux": linux,
    }
    (folder / "config.json").write_text(json.dumps(document))
    return folder


def _places() -> str:
    here = Path(__file__).parents[2]
    return f"{here}/src:{here}"


def _mount(path: str, access: str = "ro") -> dict[str, Any]:
    kind = {"destination": path, "type": "bind", "source": path}
    return {**kind, "options": ["rbind", access]}


_SYSTEM = (
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {
        "destination": "/dev",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
        "destination": "/dev/shm",
        "type": "tmpfs",
        "source": "shm",
        "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
    },
    {
        "destination": "/sys",
        "type": "sysfs",
        "source": "sysfs",
        "options": ["nosuid", "noexec", "nodev", "ro"],
    },
)


def _profile() -> dict[str, Any]:
    refused = {"action": "SCMP_ACT_ERRNO", "errnoRet": 1}
    clones = [
        {
            "names": ["clone"],
            "args": [{"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}],
            **refused,
        }
        for flag in _CLONES
    ]
    late = {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
    denied = {"names": list(pods.DENIED), **refused}
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [denied, late, *clones]}


def tars(box: Sandbox, layer: TreeLayer) -> list[str]:
    """What the tars of some commands hash to."""
    hashes = []
    for script in SCRIPTS:
        with box.at((layer,)) as root:
            hashes.append(hashlib.sha256(roots.ran(root, script).tar).hexdigest())
    return hashes


def main(state: str, base: str, diff_id: str) -> None:
    """Tell which way is taken here, and what comes of it."""
    options = SandboxOptions(started=time.time_ns())
    with Sandbox(state, options, Stop()) as box:
        told = [box.rung.name, tars(box, TreeLayer(Digest(diff_id), base))]
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
