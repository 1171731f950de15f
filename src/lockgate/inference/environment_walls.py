"""`python -m lockgate.inference.environment_walls LIFE ORDER`: becomes a program that may touch its own folders alone.

For uv while it builds a package from its sources: what the package's own build code may do, this process may do. It reaches
the network, because it fetches; it reads no file of the owner, and writes its own folders alone.
"""

from __future__ import annotations

import json
import os
import sys
from typing import NoReturn

from lockgate.runner import landlock
from lockgate.runner.confine import (
    KEPT_VARIABLES,
    NO_NEW_PRIVS,
    Confinement,
    interpreter_paths,
    no_capabilities,
)
from lockgate.runner.private_root import DEVICES
from lockgate.runner.start import die_with
from lockgate.runner.syscalls import prctl

PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt")
OF_SYSTEM = ("/proc", "/sys/devices/system", "/sys/fs/cgroup", "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/resolv.conf",
             "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/passwd", "/etc/group",
             "/etc/os-release", "/etc/debian_version", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")  # fmt: skip
NETWORK = (
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "ssl_cert_file",
    "ssl_cert_dir",
    "requests_ca_bundle",
)
PLACES = (
    "UV_FIND_LINKS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)  # variables that name local files


def can_hold() -> bool:
    """Whether this machine can keep a build from its owner's files."""
    return landlock.abi() > 0


def kept_variables(given: dict[str, str]) -> dict[str, str]:
    """What uv needs of an environment: its own settings, the way to the network; nothing else of the owner."""
    return {
        name: value
        for name, value in given.items()
        if name in KEPT_VARIABLES or name.lower() in NETWORK or name.startswith("UV_")
    }


def local_places(given: dict[str, str]) -> list[str]:
    """Files and folders of this machine that these variables name."""
    words = [word for name in PLACES for word in given.get(name, "").replace(",", " ").split()]
    return [word.removeprefix("file://") for word in words if word.removeprefix("file://").startswith("/")]


def become(order: dict[str, list[str]]) -> NoReturn:
    """Give up what the order does not name (`command`, `write`, `read`), and be its command. Raises OSError."""
    write = order["write"]
    os.environ.update(HOME=write[0], TMPDIR=write[0], XDG_CACHE_HOME=write[0])
    prctl(NO_NEW_PRIVS, 1)
    no_capabilities(Confinement([], []))
    version = landlock.abi()
    if version:
        prefixes = [*PROGRAMS, *interpreter_paths(), *order["read"]]
        places = [*prefixes, *OF_SYSTEM, *local_places(dict(os.environ))]
        landlock.restrict(version, places, write, DEVICES, [*prefixes, *write], network=True)
    os.execv(order["command"][0], order["command"])  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    become(json.loads(sys.argv[2]))
