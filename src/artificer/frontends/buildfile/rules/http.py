"""Repositories: files and archives of the web, git, directories of this machine."""

import re
from collections.abc import Mapping

from artificer.builder.targets import Fetch, GitTree, Output, Target, TargetId, Unpacked
from artificer.errors import Misused
from artificer.frontends.buildfile.rules.values import rules_of
from artificer.frontends.buildfile.schema import (
    ANY,
    Attribute,
    Call,
    Context,
    Nothing,
    Renamed,
    Repository,
    Rule,
    Synthetic,
    Tree,
    flag,
    label,
    labels,
    string,
    strings,
)
from artificer.sources.git_reference import checked_ref, checked_url
from artificer.sources.url import wanted

_URLS: dict[str, Attribute] = {
    "url": string(),
    "urls": strings(),
    "sha256": string(),
    "integrity": string(),
    "canonical_id": string(),
    "auth_patterns": ANY,
    "netrc": string(),
}
FILE: dict[str, Attribute] = {
    **_URLS,
    "downloaded_file_path": string("downloaded"),
    "executable": flag(),
}
ARCHIVE: dict[str, Attribute] = {
    **_URLS,
    "type": string(),
    "strip_prefix": string(),
    "add_prefix": string(),
    "build_file": label(),
    "build_file_content": string(),
    "workspace_file": label(),
    "workspace_file_content": string(),
    "patches": labels(refused="patches are not applied; fetch an archive that has them"),
    "patch_cmds": strings(refused="commands are not run while fetching; use a genrule"),
    "patch_cmds_win": ANY,
    "patch_args": ANY,
    "patch_tool": ANY,
    "remote_patches": ANY,
    "remote_patch_strip": ANY,
    "remote_file_urls": ANY,
    "remote_file_integrity": ANY,
    "remote_module_file_urls": ANY,
    "remote_module_file_integrity": ANY,
}
LOCAL: dict[str, Attribute] = {
    "path": string(mandatory=True),
    "build_file": label(),
    "build_file_content": string(),
    "workspace_file": label(),
    "workspace_file_content": string(),
}


def _fetch(call: Call, context: Context, name: str) -> Fetch:
    urls = (*call.strings("urls"), *([call.string("url")] if call.string("url") else []))
    if not urls:
        context.fail(call, "", f"{call.rule.name} without a url")
    try:
        wanted(urls, sha256=call.string("sha256"), integrity=call.string("integrity"))
    except Misused as error:
        context.fail(call, "sha256" if call.given("sha256") else "urls", error.message, error.hint)
    return Fetch(
        urls,
        name,
        sha256=call.string("sha256"),
        integrity=call.string("integrity"),
        executable=call.flag("executable") if "executable" in call.rule.attributes else False,
    )


def _file(call: Call, context: Context) -> Mapping[str, Repository]:
    """``@NAME//file`` and ``@NAME//file:NAME`` are the file; a name that is told is kept."""
    path = call.string("downloaded_file_path")
    urls = (*call.strings("urls"), call.string("url"))
    own = urls[0].rstrip("/").rpartition("/")[2].partition("?")[0]
    name = own if path == "downloaded" and own else path
    target = _fetch(call, context, name)
    outputs = {
        f"file:{one}": ("file:file", "") for one in dict.fromkeys((path, name, "downloaded"))
    }
    return {call.name: Synthetic({"file:file": target}, outputs)}


def _jar(call: Call, context: Context) -> Mapping[str, Repository]:
    target = _fetch(call, context, f"{call.name}.jar")
    return {call.name: Synthetic({"jar:jar": target, "file:file": target})}


def _archive(call: Call, context: Context) -> Mapping[str, Repository]:
    urls = (*call.strings("urls"), call.string("url"))
    name = urls[0].rstrip("/").rpartition("/")[2].partition("?")[0] or "archive"
    fetched = TargetId(f"@{call.name}//:fetched.archive")
    targets: dict[str, Target] = {
        ":fetched.archive": _fetch(call, context, name),
        ":unpacked.archive": Unpacked(
            Output(fetched), call.string("strip_prefix"), call.string("type")
        ),
    }
    return {
        call.name: Tree(
            targets=targets,
            unpacked=":unpacked.archive",
            build_file=call.string("build_file"),
            build_file_content=call.string("build_file_content"),
        )
    }


def _local(call: Call, context: Context) -> Mapping[str, Repository]:
    path = call.string("path")
    directory = path if path.startswith("/") else f"{context.root}/{path}"
    return {
        call.name: Tree(
            directory=directory,
            build_file=call.string("build_file"),
            build_file_content=call.string("build_file_content"),
        )
    }


def _bind(call: Call, context: Context) -> Mapping[str, Repository]:
    actual = call.string("actual")
    return {"": Renamed({f"//external:{call.name}": actual})} if actual else {"": Nothing()}


def _git(call: Call, context: Context) -> Mapping[str, Repository]:
    said = [name for name in ("commit", "tag", "branch") if call.string(name)]
    if len(said) > 1:
        context.fail(call, said[1], f"{' and '.join(said)} are given: a revision is one of them")
    commit = call.string("commit")
    prefix = {"tag": "refs/tags/", "branch": "refs/heads/"}.get(said[0], "") if said else ""
    ref = prefix + (call.string(said[0]) if said else "")
    try:
        checked_url(call.string("remote"))
        checked_ref(ref)
    except Misused as error:
        context.fail(call, said[0] if said else "remote", error.message, error.hint)
    whole = _COMMIT.fullmatch(commit)
    strip = call.string("strip_prefix").strip("/")
    if ".." in strip.split("/"):
        context.fail(call, "strip_prefix", f"strip_prefix goes upwards: {strip!r}")
    target = GitTree(
        call.string("remote"),
        "" if whole else ref,
        commit if whole else "",
        call.flag("init_submodules") or call.flag("recursive_init_submodules"),
        strip,
    )
    return {
        call.name: Tree(
            targets={":checked_out.git": target},
            unpacked=":checked_out.git",
            build_file=call.string("build_file"),
            build_file_content=call.string("build_file_content"),
        )
    }


_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BIND = {"actual": string()}
GIT: dict[str, Attribute] = {
    "remote": string(mandatory=True),
    "commit": string(),
    "tag": string(),
    "branch": string(),
    "shallow_since": string(),
    "init_submodules": flag(),
    "recursive_init_submodules": flag(),
    "strip_prefix": string(),
    "verbose": flag(),
    **{name: ARCHIVE[name] for name in ("build_file", "build_file_content", "patches")},
    "patch_cmds": ARCHIVE["patch_cmds"],
    **dict.fromkeys(("patch_args", "patch_cmds_win", "patch_tool"), ANY),
    "workspace_file": label(),
    "workspace_file_content": string(),
}

RULES = rules_of(
    Rule("http_file", FILE, repository=_file),
    Rule("http_jar", {**_URLS, "downloaded_file_name": string()}, repository=_jar),
    Rule("http_archive", ARCHIVE, repository=_archive),
    Rule("new_http_archive", ARCHIVE, repository=_archive),
    Rule("local_repository", LOCAL, repository=_local),
    Rule("new_local_repository", LOCAL, repository=_local),
    Rule("git_repository", GIT, repository=_git),
    Rule("new_git_repository", GIT, repository=_git),
    Rule("bind", _BIND, repository=_bind),
)
