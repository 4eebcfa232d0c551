"""nginx and the libraries that a Debian base has not, as Debian has them."""

load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_file")

# Your mirror of Debian's archive. A pool has the newest packages only: name a snapshot beside it,
# or keep the files in a directory for `--distdir`.
_POOLS = [
    "https://debian.example.com/debian-security/pool/updates/main/",
]

_DEBS = {
    "nginx_deb": (
        "n/nginx/nginx_1.22.1-9%2bdeb12u11_amd64.deb",
        "4e2778e675c07d0f2d8d3b6f5ff84f6483ade1d82c21c910eb9a2787e1cf1b1a",
    ),
    "nginx_common_deb": (
        "n/nginx/nginx-common_1.22.1-9%2bdeb12u11_all.deb",
        "8ef1715ff5a9764fb5f810116acee417f4e092032212b6e4f392e8d2cd6b0952",
    ),
    "libssl3_deb": (
        "o/openssl/libssl3_3.0.22-1%7edeb12u2_amd64.deb",
        "cb4784740daa9b3b0eaea2b444bbefa686794afbbf3d678d238c1fd9875f2efd",
    ),
    "libpcre2_deb": (
        "p/pcre2/libpcre2-8-0_10.42-1%2bdeb12u2_amd64.deb",
        "d2f7edfcc7689b9e0761c2742cc824ac86a20768bc5e8057818dc6875291fe76",
    ),
}

def nginx_debs():
    """Declares a repository for each package."""
    for name, (path, sha256) in _DEBS.items():
        http_file(
            name = name,
            sha256 = sha256,
            urls = [pool + path for pool in _POOLS],
        )
