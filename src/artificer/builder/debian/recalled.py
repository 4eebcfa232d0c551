"""Which packages a request came to, as long as archives, base and words are what they were."""

import json
from typing import Any, NamedTuple

from artificer import __version__
from artificer.builder.debian.choice import Chosen, foreign_in
from artificer.builder.keys import key
from artificer.builder.recipe import AddDebs
from artificer.oci.image import Image
from artificer.sources.debian.archives.acquire import Offer, offered
from artificer.sources.debian.values import Locked, Wanted
from artificer.sources.url import Web
from artificer.store.blobs import Store

_KIND = "debs-chosen"
_FORMAT = "chosen-1"


class Asked(NamedTuple):
    """What archives say, and what that came to before, if that is *known*.

    *name* is of all that decides which packages a step comes to upon an image.
    """

    offer: Offer
    name: str
    known: Chosen | None


def asked(step: AddDebs, image: Image, architecture: str, web: Web) -> Asked:
    """Ask the archives of *step*, which neither reads their indexes nor the files of *image*."""
    wanted = step.wanted or Wanted()
    architectures = (architecture, *foreign_in(step, architecture))
    offer = offered(step.archives, architectures, web, files=wanted.files)
    chain = [layer.diff_id for layer in image.layers]
    name = key((_FORMAT, __version__), wanted, offer.architectures, offer.identity, chain)
    return Asked(offer, name, _recalled(name, web.store))


def keep(name: str, chosen: Chosen, store: Store) -> None:
    """Remember what *name* came to."""
    store.set_record(_KIND, name, json.dumps(chosen._asdict()).encode())


def _recalled(name: str, store: Store) -> Chosen | None:
    data = store.record(_KIND, name)
    if data is None:
        return None
    try:
        told = json.loads(data)
        packages = tuple(map(_locked, told["packages"]))
        return Chosen(packages, tuple(map(_text, told["remove"])), _text(told["why"]))
    except (ValueError, KeyError, TypeError):
        return None


def _locked(words: list[Any]) -> Locked:
    *texts, urls, sha256, size, source, auto = words
    name, version, architecture = map(_text, texts)
    if not isinstance(size, int) or not isinstance(auto, bool):
        raise TypeError("not what was kept")
    places = tuple(map(_text, urls))
    return Locked(name, version, architecture, places, _text(sha256), size, _text(source), auto)


def _text(word: object) -> str:
    if not isinstance(word, str):
        raise TypeError("not what was kept")
    return word
