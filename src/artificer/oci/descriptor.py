"""Descriptors: what a blob is called, how large it is, and what it holds (descriptor.md)."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from artificer.oci.digest import Digest
from artificer.oci.document import InvalidDocument, dump
from artificer.oci.platform import Platform


class Descriptor(NamedTuple):
    """One descriptor, kept as its own JSON: unknown fields survive, equality is of the text."""

    raw: str
    media_type: str
    digest: Digest
    size: int

    @classmethod
    def of(cls, document: Any, what: str = "a descriptor") -> Self:
        """The descriptor in a parsed *document*; *what* names it in errors."""
        if not isinstance(document, dict):
            raise InvalidDocument(f"{what} is not a JSON object")
        media_type, digest = document.get("mediaType"), document.get("digest")
        size = document.get("size")
        if not isinstance(media_type, str) or not isinstance(digest, str):
            raise InvalidDocument(f"{what} lacks its mediaType or digest")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise InvalidDocument(f"{what} has no valid size")
        return cls(dump(document).decode(), media_type, Digest(digest), size)

    @classmethod
    def make(cls, media_type: str, digest: Digest, size: int, **fields: Any) -> Self:
        """A new descriptor; of *fields* (``platform`` …) those without a value are left out."""
        document = {"mediaType": media_type, "digest": str(digest), "size": size}
        document.update({key: value for key, value in fields.items() if value})
        return cls(dump(document).decode(), media_type, digest, size)

    @classmethod
    def for_bytes(cls, media_type: str, data: bytes, **fields: Any) -> Self:
        """The descriptor of *data*."""
        return cls.make(media_type, Digest.of(data), len(data), **fields)

    @property
    def document(self) -> dict[str, Any]:
        """A fresh copy of its JSON."""
        document: dict[str, Any] = json.loads(self.raw)
        return document

    @property
    def annotations(self) -> dict[str, str]:
        """Its annotations; what is no string is left out."""
        found = self.document.get("annotations")
        if not isinstance(found, dict):
            return {}
        return {key: value for key, value in found.items() if isinstance(value, str)}

    @property
    def urls(self) -> tuple[str, ...]:
        """Where else its bytes can be had (foreign layers)."""
        found = self.document.get("urls")
        if not isinstance(found, list):
            return ()
        return tuple(url for url in found if isinstance(url, str))

    @property
    def platform(self) -> Platform | None:
        """The platform that an index files it under."""
        return Platform.of(self.document.get("platform"))

    def changed(self, **fields: Any) -> Self:
        """The same descriptor with some fields set, or, where the value is None, removed."""
        document = self.document
        for key, value in fields.items():
            if value is None:
                document.pop(key, None)
            else:
                document[key] = value
        return self.of(document)

    def annotated(self, annotations: Mapping[str, str]) -> Self:
        """The same descriptor with *annotations* added to its own."""
        if not annotations:
            return self
        return self.changed(annotations={**self.annotations, **annotations})
