"""A Dockerfile to an image: evaluated and built for each platform, with the handles it needs."""

import os
import threading
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from artificer.builder.build import Sources
from artificer.builder.recipe import Compress, Scope
from artificer.builder.staged import options as staged
from artificer.builder.staged.bases import Bases
from artificer.builder.staged.build import Built, build_stages
from artificer.builder.staged.contexts import Contexts, Directory
from artificer.builder.staged.ignore import Ignore
from artificer.builder.staged.shop import Ask, Maker, Remote, Sandbox, Shop
from artificer.builder.staged.steps import Steps
from artificer.builder.stages import ContextFiles, Recipe
from artificer.cli.dockerfile.contexts import Opened, Opener
from artificer.cli.dockerfile.request import Request
from artificer.cli.dockerfile.sources import base_of, git_of, web_of
from artificer.cli.session import Session
from artificer.cli.words import jobs, rfc3339
from artificer.events import Warned
from artificer.frontends.dockerfile.instructions import Dockerfile
from artificer.frontends.dockerfile.lint.check import check_asked, failure, violations
from artificer.frontends.dockerfile.options import Options
from artificer.frontends.dockerfile.recipe import Made, recipe
from artificer.oci.edit import Stamp, annotated, index_of
from artificer.oci.image import Image, Index, Layer
from artificer.oci.platform import Platform

if TYPE_CHECKING:
    from artificer.builder.staged.remote import Remotes

_TOLD = 3
_EXPLAINED = 100_000


class Result(NamedTuple):
    """What came of it: one image, or an index of several; *fresh* is what was made now."""

    content: Image | Index
    images: tuple[Image, ...]
    fresh: tuple[tuple[str, Layer], ...]


class Site:
    """A handle on all that one build of a Dockerfile uses; each thing is opened when needed."""

    def __init__(
        self, args: Namespace, request: Request, sources: Sources, opener: Opener, session: Session
    ) -> None:
        self.args = args
        self.request = request
        self.reach = sources.reach
        self.session = session
        self.bases = Bases(base_of(sources), sources.reach)
        self._sources = sources
        self._opener = opener
        self._contexts: dict[str, Directory] = {}
        self._sandbox: dict[int, Sandbox] = {}
        self._remotes: dict[int, Remotes] = {}
        self._lock = threading.Lock()

    def contexts(self, made: Made, main: Directory) -> dict[str, Directory]:
        """Those contexts that *made* reads."""
        named = {
            one.source.name: one.value
            for one in self.request.options.contexts
            if isinstance(one.source, ContextFiles)
        }
        for name in made.contexts:
            if name and name not in self._contexts:
                self._contexts[name] = self._opener.files(named[name], name)
        return {"": main, **self._contexts}

    def shop(self, made: Made, main: Directory) -> Shop:
        """What stages are built with."""
        options = self._options(made)
        return Shop(
            self.reach,
            self._sources.known,
            Contexts(self.contexts(made, main), self.reach.report),
            self.bases,
            Steps(self.reach, options.caches),
            options,
            lambda ask: self._fetched(ask, options),
            lambda: self._sandboxed(made.epoch),
            _maker,
        )

    def _options(self, made: Made) -> staged.Options:
        request, outputs = self.request, self.request.outputs
        secrets = {name: one.data for name, one in request.secrets.items()}
        return staged.Options(
            format=outputs.format,
            compress=Compress("zstd" if outputs.compression == "zstd" else "gzip", outputs.level),
            epoch=made.epoch,
            stamp=Stamp(rfc3339(str(made.epoch), "SOURCE_DATE_EPOCH")),
            preserve_mtime=self.args.preserve_mtime,
            afresh=request.afresh,
            caches=request.caches.steps,
            mounts=request.caches.mounts,
            inline=request.caches.inline or made.controls.inline_cache,
            running=staged.Running(request.hosts, staged.Secrets(secrets), request.agents),
            jobs=jobs(self.args.jobs, os.cpu_count() or 1),
            explained=_EXPLAINED if self.args.explain else _TOLD,
        )

    def _fetched(self, ask: Ask, options: staged.Options) -> Remote:
        """What ADD names by a URL, or of git."""
        with self._lock:
            if options.epoch not in self._remotes:
                from artificer.builder.staged.remote import Remotes

                self._remotes[options.epoch] = Remotes(
                    web_of(self.args, self.reach, self.session),
                    git_of(self.args, self.request, self.reach, self.session),
                    options.running.secrets,
                    options.epoch,
                )
            return self._remotes[options.epoch].fetch(ask)

    def _sandboxed(self, epoch: int) -> Sandbox:
        """The sandbox of this build; for another epoch it is another one."""
        with self._lock:
            if epoch not in self._sandbox:
                from artificer.cli.dockerfile.sandbox import sandbox

                self._sandbox[epoch] = sandbox(self.args, epoch, self.reach, self.session)
            return self._sandbox[epoch]


def _maker(shop: Shop) -> Maker:
    """What carries out instructions; an unchanged build does not load it."""
    from artificer.builder.staged.making import StageMaker

    return StageMaker(shop)


def built(dockerfile: Dockerfile, opened: Opened, site: Site) -> Result:
    """Build *dockerfile* for each platform; caches get what was made."""
    request = site.request
    found = [_image(dockerfile, platform, opened, site) for platform in request.platforms]
    images = tuple(annotated(one.image, _told(request, "manifest")) for one in found)
    fresh = tuple(pair for one in found for pair in one.fresh)
    if len(images) == 1:
        return Result(images[0], images, fresh)
    members = [(image, _told(request, "manifest-descriptor")) for image in images]
    index = index_of(members, _told(request, "index"), images[0].format)
    return Result(index, images, fresh)


def options_for(request: Request, platform: Platform, opened: Opened) -> Options:
    """What the front end is told for *platform*."""

    def epoch_of(name: str) -> int | None:
        # The files of a checkout have the time of their commit; a directory has none of its own.
        return (
            int(os.stat(opened.files.path).st_mtime) if not name and opened.files.normal else None
        )

    return request.options._replace(platform=platform, epoch_of=epoch_of)


def evaluated(
    dockerfile: Dockerfile, platform: Platform, opened: Opened, site: Site
) -> tuple[Recipe, Shop]:
    """The stages for *platform*, and what they are built with; what is odd about them is told."""
    options = options_for(site.request, platform, opened)
    made = recipe(dockerfile, options, site.bases.config_of)
    _check(dockerfile, made, opened.files, site.session.report)
    for warning in made.warnings:
        site.session.report(warning)
    # A FROM that says nothing is for the platform that is asked for.
    stages = (one._replace(platform=one.platform or platform) for one in made.recipe.stages)
    return made.recipe._replace(stages=tuple(stages)), site.shop(made, opened.files)


def _image(dockerfile: Dockerfile, platform: Platform, opened: Opened, site: Site) -> Built:
    stages, shop = evaluated(dockerfile, platform, opened, site)
    found = build_stages(stages, shop)
    shop.steps.share(found.layers)
    return found


def _check(
    dockerfile: Dockerfile, made: Made, files: Directory, report: Callable[[Warned], None]
) -> None:
    """Tell which rules are broken; an error if the Dockerfile says that it is one."""
    rules = Ignore(files.ignored)
    broken = violations(dockerfile, made, rules)
    error = failure(check_asked(dockerfile, made), broken)
    if error is not None:
        raise error
    for one in broken:
        place = f"{one.at.place.path}:{one.at.place.line}"
        report(Warned(f"{place}: {one.rule.name}: {one.detail}"))


def _told(request: Request, scope: Scope) -> dict[str, str]:
    return {one.key: one.value for one in request.annotations if one.scope == scope}
