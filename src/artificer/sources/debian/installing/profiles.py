"""The usual ways to leave files of packages out."""

from artificer.sources.debian.values import Profile

WHOLE = Profile()
"""Everything that packages ship."""

MINIMAL = Profile(
    (
        ("exclude", "/usr/share/doc/*"),
        ("include", "/usr/share/doc/*/copyright"),
        ("exclude", "/usr/share/doc-base/*"),
        ("exclude", "/usr/share/man/*"),
        ("exclude", "/usr/share/info/*"),
        ("exclude", "/usr/share/groff/*"),
        ("exclude", "/usr/share/locale/*"),
        ("include", "/usr/share/locale/locale.alias"),
        ("exclude", "/usr/share/lintian/*"),
        ("exclude", "/usr/share/linda/*"),
        ("exclude", "/usr/share/bug/*"),
        ("exclude", "/usr/share/bash-completion/*"),
        ("exclude", "/usr/share/zsh/vendor-completions/*"),
        ("exclude", "/usr/share/fish/vendor_completions.d/*"),
        ("exclude", "/usr/share/gtk-doc/*"),
        ("exclude", "/usr/share/gnome/help/*"),
        ("exclude", "/usr/share/help/*"),
        ("exclude", "/usr/share/omf/*"),
    )
)
"""No documentation and no translations; copyright files stay, as licences ask for."""

DISTROLESS = MINIMAL._replace(distroless=True)
"""What was asked for and what it needs at run time, without a shell and without dpkg."""

PROFILES = {"whole": WHOLE, "minimal": MINIMAL, "distroless": DISTROLESS}
"""By the names that people choose them by."""
