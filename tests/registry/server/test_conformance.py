"""The distribution-spec's pull, push, discovery, management and referrers, clause by clause.

``end-N`` are the endpoints' numbers in the specification (1.1).
"""

import json
from urllib.parse import urlsplit

import pytest

from artificer import limits
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from tests.registry.server.asking import Asking, index_of, manifest_of, path_of, sha512

NOWHERE = Digest.of(b"never pushed")
BLOB = b"0123456789"
DIGEST = Digest.of(BLOB)


# end-1


@pytest.mark.parametrize("path", ["/v2/", "/v2"])
def test_end_1_the_registry_says_that_it_is_one(ask: Asking, path: str) -> None:
    told = ask("GET", path)

    assert told.status == 200
    assert told.headers["Docker-Distribution-API-Version"] == "registry/2.0"


# end-2: pulling blobs


def test_end_2_a_blob_is_given_as_it_was_pushed(ask: Asking) -> None:
    ask.push("team/app", BLOB)

    told = ask("GET", f"/v2/team/app/blobs/{DIGEST}")

    assert (told.status, told.body) == (200, BLOB)
    assert told.headers["Docker-Content-Digest"] == DIGEST


def test_end_2_head_tells_the_size_without_the_bytes(ask: Asking) -> None:
    ask.push("app", BLOB)

    told = ask("HEAD", f"/v2/app/blobs/{DIGEST}")

    assert (told.status, told.body) == (200, b"")
    assert told.headers["Content-Length"] == "10"
    assert told.headers["Docker-Content-Digest"] == DIGEST


def test_end_2_an_empty_blob_is_a_blob(ask: Asking) -> None:
    digest = ask.push("app", b"")

    told = ask("GET", f"/v2/app/blobs/{digest}")

    assert (told.status, told.body) == (200, b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_end_2_an_unknown_blob_is_404(ask: Asking, method: str) -> None:
    assert ask(method, f"/v2/app/blobs/{NOWHERE}").status == 404


def test_end_2_a_blob_of_another_repository_is_404(ask: Asking) -> None:
    ask.push("one", BLOB)

    told = ask("GET", f"/v2/two/blobs/{DIGEST}")

    assert told.status == 404
    assert told.codes == ["BLOB_UNKNOWN"]


@pytest.mark.parametrize(
    ("asked", "given", "where"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
        ("bytes=9-9", b"9", "bytes 9-9/10"),
    ],
)
def test_end_2_a_range_of_a_blob_is_206(ask: Asking, asked: str, given: bytes, where: str) -> None:
    ask.push("app", BLOB)

    told = ask("GET", f"/v2/app/blobs/{DIGEST}", headers={"Range": asked})

    assert (told.status, told.body) == (206, given)
    assert told.headers["Content-Range"] == where


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=5-4", "bytes=-0"])
def test_end_2_a_range_that_is_not_there_is_416(ask: Asking, asked: str) -> None:
    ask.push("app", BLOB)

    told = ask("GET", f"/v2/app/blobs/{DIGEST}", headers={"Range": asked})

    assert told.status == 416
    assert told.headers["Content-Range"] == "bytes */10"


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "lines=0-1", "bytes=-", "bytes=x-"])
def test_end_2_a_range_that_is_not_understood_is_ignored(ask: Asking, asked: str) -> None:
    ask.push("app", BLOB)

    told = ask("GET", f"/v2/app/blobs/{DIGEST}", headers={"Range": asked})

    assert (told.status, told.body) == (200, BLOB)


# end-3: pulling manifests


def test_end_3_a_manifest_is_given_as_it_was_pushed(ask: Asking) -> None:
    manifest = ask.image("app", BLOB)
    digest = Digest.of(manifest)
    ask.put("app", "latest", manifest)

    for reference in ("latest", digest):
        told = ask("GET", f"/v2/app/manifests/{reference}")
        assert (told.status, told.body) == (200, manifest)
        assert told.headers["Content-Type"] == media.OCI_MANIFEST
        assert told.headers["Docker-Content-Digest"] == digest

        told = ask("HEAD", f"/v2/app/manifests/{reference}")
        assert (told.status, told.body) == (200, b"")
        assert told.headers["Content-Length"] == str(len(manifest))
        assert told.headers["Docker-Content-Digest"] == digest


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reference", ["none", str(NOWHERE)])
def test_end_3_an_unknown_manifest_is_404(ask: Asking, method: str, reference: str) -> None:
    assert ask(method, f"/v2/app/manifests/{reference}").status == 404


def test_end_3_a_blob_is_no_manifest(ask: Asking) -> None:
    ask.push("app", BLOB)

    assert ask("GET", f"/v2/app/manifests/{DIGEST}").status == 404


# end-4: starting uploads


def test_end_4a_an_upload_starts_with_a_location(ask: Asking) -> None:
    told = ask("POST", "/v2/app/blobs/uploads/", b"")

    assert told.status == 202
    assert told.headers["Location"]
    assert told.headers["Range"] == "0-0"


def test_end_4a_6_post_then_put_gives_a_pullable_location(ask: Asking) -> None:
    told = ask("PUT", f"{ask.start('app')}?digest={DIGEST}", BLOB)

    assert told.status == 201
    assert told.headers["Docker-Content-Digest"] == DIGEST
    assert ask("GET", path_of(told)).body == BLOB


def test_end_4b_one_post_can_carry_the_blob(ask: Asking) -> None:
    told = ask("POST", f"/v2/app/blobs/uploads/?digest={DIGEST}", BLOB)

    assert told.status == 201
    assert ask("GET", path_of(told)).body == BLOB


def test_end_4b_one_post_with_other_bytes_is_400(ask: Asking) -> None:
    told = ask("POST", f"/v2/app/blobs/uploads/?digest={DIGEST}", b"other")

    assert (told.status, told.codes) == (400, ["DIGEST_INVALID"])
    assert ask("HEAD", f"/v2/app/blobs/{DIGEST}").status == 404


# end-5: chunks


def test_end_5_a_blob_can_come_in_chunks(ask: Asking) -> None:
    location = ask.start("app")
    for start, end, chunk in ((0, 3, b"0123"), (4, 8, b"45678")):
        told = ask("PATCH", location, chunk, {"Content-Range": f"{start}-{end}"})
        assert told.status == 202
        assert told.headers["Range"] == f"0-{end}"
        location = path_of(told)

    told = ask("PUT", f"{location}?digest={DIGEST}", b"9", {"Content-Range": "9-9"})

    assert told.status == 201
    assert ask("GET", path_of(told)).body == BLOB


def test_end_5_the_last_chunk_can_be_a_patch(ask: Asking) -> None:
    location = ask.start("app")
    ask("PATCH", location, BLOB, {"Content-Range": "0-9"})

    assert ask("PUT", f"{location}?digest={DIGEST}", b"").status == 201


def test_end_5_a_chunk_can_be_streamed_without_a_length(ask: Asking) -> None:
    location = ask.start("app")

    told = ask("PATCH", location, iter([b"01234", b"56789"]), {"Transfer-Encoding": "chunked"})

    assert (told.status, told.headers["Range"]) == (202, "0-9")
    assert ask("PUT", f"{location}?digest={DIGEST}", b"").status == 201


@pytest.mark.parametrize("order", ["5-9", "3-7", "bytes", "4"])
def test_end_5_a_chunk_out_of_order_is_416_and_says_where_to_go_on(
    ask: Asking, order: str
) -> None:
    location = ask.start("app")
    ask("PATCH", location, b"0123", {"Content-Range": "0-3"})

    told = ask("PATCH", location, b"56789", {"Content-Range": order})

    assert told.status == 416
    assert told.headers["Range"] == "0-3"
    assert path_of(told) == location
    assert ask("PATCH", location, b"456789", {"Content-Range": "4-9"}).status == 202


def test_end_5_a_first_chunk_that_does_not_begin_with_0_is_416(ask: Asking) -> None:
    told = ask("PATCH", ask.start("app"), BLOB, {"Content-Range": "1-10"})

    assert told.status == 416


def test_end_5_a_last_chunk_out_of_order_is_416(ask: Asking) -> None:
    location = ask.start("app")

    told = ask("PUT", f"{location}?digest={DIGEST}", BLOB, {"Content-Range": "3-12"})

    assert told.status == 416


def test_end_5_a_range_of_another_length_is_400(ask: Asking) -> None:
    told = ask("PATCH", ask.start("app"), BLOB, {"Content-Range": "0-5"})

    assert (told.status, told.codes) == (400, ["SIZE_INVALID"])


# end-6: closing uploads


def test_end_6_other_bytes_than_the_digest_are_400(ask: Asking) -> None:
    told = ask("PUT", f"{ask.start('app')}?digest={NOWHERE}", BLOB)

    assert (told.status, told.codes) == (400, ["DIGEST_INVALID"])
    assert ask("HEAD", f"/v2/app/blobs/{NOWHERE}").status == 404
    assert ask("HEAD", f"/v2/app/blobs/{DIGEST}").status == 404


@pytest.mark.parametrize("query", ["", "?digest=", "?digest=md5:00", "?digest=sha256:00"])
def test_end_6_without_a_digest_it_is_400_and_the_upload_goes_on(ask: Asking, query: str) -> None:
    location = ask.start("app")

    assert ask("PUT", f"{location}{query}", b"").status == 400
    assert ask("PUT", f"{location}?digest={DIGEST}", BLOB).status == 201


def test_end_6_sha512_names_a_blob_as_well(ask: Asking) -> None:
    digest = sha512(BLOB)

    assert ask("PUT", f"{ask.start('app')}?digest={digest}", BLOB).status == 201
    assert ask("GET", f"/v2/app/blobs/{digest}").body == BLOB


@pytest.mark.parametrize("method", ["PUT", "PATCH", "GET", "DELETE"])
@pytest.mark.parametrize("session", ["00000000-0000-4000-8000-000000000000", "none"])
def test_end_6_an_unknown_upload_is_404(ask: Asking, method: str, session: str) -> None:
    told = ask(method, f"/v2/app/blobs/uploads/{session}?digest={DIGEST}", b"")

    assert (told.status, told.codes) == (404, ["BLOB_UPLOAD_UNKNOWN"])


def test_end_6_an_upload_of_another_repository_is_404(ask: Asking) -> None:
    session = ask.start("one").rpartition("/")[2]

    told = ask("PUT", f"/v2/two/blobs/uploads/{session}?digest={DIGEST}", BLOB)

    assert told.status == 404


# end-7: pushing manifests


def test_end_7_a_pushed_manifest_has_a_pullable_location(ask: Asking) -> None:
    manifest = ask.image("app", BLOB)

    told = ask.put("app", "v1", manifest)

    assert told.status == 201
    assert told.headers["Docker-Content-Digest"] == Digest.of(manifest)
    assert ask("GET", path_of(told)).body == manifest


def test_end_7_a_manifest_can_be_pushed_by_digest(ask: Asking) -> None:
    manifest = ask.image("app", BLOB)

    assert ask.put("app", Digest.of(manifest), manifest).status == 201
    assert ask("GET", "/v2/app/tags/list").json["tags"] == []


def test_end_7_a_manifest_can_be_pushed_by_its_sha512(ask: Asking) -> None:
    manifest = ask.image("app", BLOB)

    told = ask.put("app", sha512(manifest), manifest)

    assert told.headers["Docker-Content-Digest"] == sha512(manifest)
    assert ask("GET", f"/v2/app/manifests/{sha512(manifest)}").body == manifest


def test_end_7_other_bytes_than_the_digest_are_400(ask: Asking) -> None:
    told = ask.put("app", NOWHERE, ask.image("app", BLOB))

    assert (told.status, told.codes) == (400, ["DIGEST_INVALID"])


def test_end_7_a_manifest_by_digest_can_bring_its_tags(ask: Asking) -> None:
    manifest = ask.image("app", BLOB)

    told = ask.put("app", f"{Digest.of(manifest)}?tag=a&tag=b", manifest)

    assert told.headers.get_all("OCI-Tag") == ["a", "b"]
    assert ask("GET", "/v2/app/tags/list").json["tags"] == ["a", "b"]


def test_end_7_every_missing_blob_is_named(ask: Asking) -> None:
    ask.push("app", b"{}")

    told = ask.put("app", "v1", manifest_of(b"{}", BLOB, b"other"))

    assert (told.status, told.codes) == (400, ["MANIFEST_BLOB_UNKNOWN"] * 2)
    missing = [error["detail"]["digest"] for error in told.json["errors"]]
    assert missing == [DIGEST, Digest.of(b"other")]
    assert ask("GET", "/v2/app/manifests/v1").status == 404


def test_end_7_blobs_of_another_repository_are_missing(ask: Asking) -> None:
    manifest = ask.image("one", BLOB)

    assert ask.put("two", "v1", manifest).codes[0] == "MANIFEST_BLOB_UNKNOWN"


def test_end_7_foreign_layers_need_not_be_here(ask: Asking) -> None:
    manifest = json.loads(ask.image("app", BLOB))
    manifest["layers"] += [
        Descriptor.make(media.OCI_FOREIGN_LAYER, NOWHERE, 5).document,
        Descriptor.make(media.OCI_LAYER, NOWHERE, 5, urls=["https://cdn.example/5"]).document,
    ]

    assert ask.put("app", "v1", json.dumps(manifest).encode()).status == 201


def test_end_7_an_index_lists_manifests_that_are_here(ask: Asking) -> None:
    manifest = ask.image("app", BLOB)
    index = index_of(manifest)

    told = ask.put("app", "multi", index, media.OCI_INDEX)
    assert (told.status, told.codes) == (400, ["MANIFEST_BLOB_UNKNOWN"])

    ask.put("app", Digest.of(manifest), manifest)
    assert ask.put("app", "multi", index, media.OCI_INDEX).status == 201


def test_end_7_dockers_types_are_taken_as_well(ask: Asking) -> None:
    manifest = json.loads(ask.image("app", BLOB))
    manifest["mediaType"] = media.DOCKER_MANIFEST
    data = json.dumps(manifest).encode()

    assert ask.put("app", "v1", data, media.DOCKER_MANIFEST).status == 201
    assert ask("GET", "/v2/app/manifests/v1").headers["Content-Type"] == media.DOCKER_MANIFEST


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"mediaType": media.DOCKER_MANIFEST}, media.OCI_MANIFEST),
        ({"schemaVersion": 1}, media.OCI_MANIFEST),
        ({"config": None}, media.OCI_MANIFEST),
        ({"layers": [{"digest": "sha256:0"}]}, media.OCI_MANIFEST),
        ({"layers": [{"mediaType": "x", "digest": "md5:0", "size": 1}]}, media.OCI_MANIFEST),
        ({"manifests": []}, media.OCI_MANIFEST),
        ({"subject": "x"}, media.OCI_MANIFEST),
        ({"mediaType": None}, "application/json"),
        ({}, media.DOCKER_MANIFEST_1),
    ],
)
def test_end_7_what_is_no_manifest_is_400(
    ask: Asking, change: dict[str, object], kind: str
) -> None:
    document = {**json.loads(ask.image("app", BLOB)), **change}
    document = {key: value for key, value in document.items() if value is not None}

    told = ask.put("app", "v1", json.dumps(document).encode(), kind)

    assert (told.status, told.codes) == (400, ["MANIFEST_INVALID"])
    assert ask("GET", "/v2/app/manifests/v1").status == 404


def test_end_7_what_is_no_json_is_400(ask: Asking) -> None:
    assert ask.put("app", "v1", b"{").codes == ["MANIFEST_INVALID"]


@pytest.mark.parametrize(("extra", "status"), [(0, 201), (1, 413)])
def test_end_7_a_manifest_has_four_mebibytes_at_most(ask: Asking, extra: int, status: int) -> None:
    manifest = ask.image("app", BLOB, annotations={"filler": ""})
    filler = "x" * (limits.MANIFEST_BYTES - len(manifest) + extra)

    told = ask.put("app", "v1", ask.image("app", BLOB, annotations={"filler": filler}))

    assert told.status == status


# end-8: tags


def tagged(ask: Asking, *tags: str) -> None:
    manifest = ask.image("app", BLOB)
    for tag in tags:
        assert ask.put("app", tag, manifest).status == 201


def test_end_8a_tags_are_listed_in_order(ask: Asking) -> None:
    tagged(ask, "b", "a", "C", "10")

    told = ask("GET", "/v2/app/tags/list")

    assert told.status == 200
    assert told.json == {"name": "app", "tags": ["10", "C", "a", "b"]}


def test_end_8a_tags_of_an_unknown_repository_are_404(ask: Asking) -> None:
    told = ask("GET", "/v2/none/tags/list")

    assert (told.status, told.codes) == (404, ["NAME_UNKNOWN"])


def test_end_8b_tags_come_page_by_page(ask: Asking) -> None:
    tagged(ask, "a", "b", "c", "d", "e")
    path, pages = "/v2/app/tags/list?n=2", []
    while path:
        told = ask("GET", path)
        pages.append(told.json["tags"])
        link = told.headers.get("Link")
        assert link is None or link.endswith('>; rel="next"')
        path = link[1 : link.index(">")] if link else ""

    assert pages == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.parametrize(
    ("query", "tags"),
    [("n=0", []), ("n=9", ["a", "b", "c"]), ("last=a", ["b", "c"]), ("n=1&last=b", ["c"]),
     ("last=z", []), ("n=3", ["a", "b", "c"])],
)  # fmt: skip
def test_end_8b_the_last_page_has_no_link(ask: Asking, query: str, tags: list[str]) -> None:
    tagged(ask, "a", "b", "c")

    told = ask("GET", f"/v2/app/tags/list?{query}")

    assert told.json["tags"] == tags
    assert told.headers.get("Link") is None


def test_end_8b_a_page_size_that_is_no_number_is_400(ask: Asking) -> None:
    tagged(ask, "a")

    assert ask("GET", "/v2/app/tags/list?n=x").codes == ["PAGINATION_NUMBER_INVALID"]


# end-9: deleting manifests and tags


def test_end_9_a_deleted_tag_leaves_the_manifest(ask: Asking) -> None:
    tagged(ask, "a", "b")
    digest = ask("HEAD", "/v2/app/manifests/a").headers["Docker-Content-Digest"]

    assert ask("DELETE", "/v2/app/manifests/a").status == 202

    assert ask("GET", "/v2/app/manifests/a").status == 404
    assert ask("GET", f"/v2/app/manifests/{digest}").status == 200
    assert ask("GET", "/v2/app/tags/list").json["tags"] == ["b"]


def test_end_9_a_deleted_manifest_takes_its_tags_along(ask: Asking) -> None:
    tagged(ask, "a", "b")
    digest = ask("HEAD", "/v2/app/manifests/a").headers["Docker-Content-Digest"]
    ask.put("app", "other", ask.image("app", b"other"))

    assert ask("DELETE", f"/v2/app/manifests/{digest}").status == 202

    for reference in ("a", "b", digest):
        assert ask("GET", f"/v2/app/manifests/{reference}").status == 404
    assert ask("GET", "/v2/app/tags/list").json["tags"] == ["other"]


@pytest.mark.parametrize("reference", ["none", str(NOWHERE)])
def test_end_9_deleting_what_is_not_there_is_404(ask: Asking, reference: str) -> None:
    told = ask("DELETE", f"/v2/app/manifests/{reference}")

    assert (told.status, told.codes) == (404, ["MANIFEST_UNKNOWN"])


# end-10: deleting blobs


def test_end_10_a_deleted_blob_is_404_here_only(ask: Asking) -> None:
    ask.push("one", BLOB)
    ask.push("two", BLOB)

    assert ask("DELETE", f"/v2/one/blobs/{DIGEST}").status == 202

    assert ask("GET", f"/v2/one/blobs/{DIGEST}").status == 404
    assert ask("GET", f"/v2/two/blobs/{DIGEST}").status == 200
    assert ask("DELETE", f"/v2/one/blobs/{DIGEST}").codes == ["BLOB_UNKNOWN"]


# end-11: mounts


def test_end_11_a_blob_is_mounted_from_where_it_is(ask: Asking) -> None:
    ask.push("team/one", BLOB)

    told = ask("POST", f"/v2/two/blobs/uploads/?mount={DIGEST}&from=team/one", b"")

    assert told.status == 201
    assert path_of(told) == f"/v2/two/blobs/{DIGEST}"
    assert ask("GET", path_of(told)).body == BLOB


@pytest.mark.parametrize(
    "query",
    [f"mount={NOWHERE}&from=one", f"mount={DIGEST}&from=three", f"mount={DIGEST}"],
)
def test_end_11_what_cannot_be_mounted_is_uploaded(ask: Asking, query: str) -> None:
    ask.push("one", BLOB)

    told = ask("POST", f"/v2/two/blobs/uploads/?{query}", b"")

    assert told.status == 202
    assert ask("PUT", f"{path_of(told)}?digest={DIGEST}", BLOB).status == 201


# end-12: referrers


def referring(ask: Asking, subject: bytes, kind: str | None, **annotations: str) -> bytes:
    """A pushed manifest that is about *subject*."""
    fields = {"artifactType": kind} if kind else {}
    about = Descriptor.for_bytes(media.OCI_MANIFEST, subject).document
    manifest = ask.image("app", subject=about, annotations=annotations, **fields)
    told = ask.put("app", Digest.of(manifest), manifest)
    assert (told.status, told.headers["OCI-Subject"]) == (201, Digest.of(subject))
    return manifest


def test_end_12a_referrers_are_listed_with_type_and_annotations(ask: Asking) -> None:
    subject = ask.image("app", BLOB)
    ask.put("app", "v1", subject)
    sbom = referring(ask, subject, "application/sbom", tool="x")
    plain = referring(ask, subject, None, tool="y")

    told = ask("GET", f"/v2/app/referrers/{Digest.of(subject)}")

    assert told.status == 200
    assert told.headers["Content-Type"] == media.OCI_INDEX
    assert (told.json["schemaVersion"], told.json["mediaType"]) == (2, media.OCI_INDEX)
    found = {entry["digest"]: entry for entry in told.json["manifests"]}
    assert found == {
        Digest.of(sbom): {
            "mediaType": media.OCI_MANIFEST,
            "digest": Digest.of(sbom),
            "size": len(sbom),
            "artifactType": "application/sbom",
            "annotations": {"tool": "x"},
        },
        # Without an artifactType, the config's media type stands for it.
        Digest.of(plain): {
            "mediaType": media.OCI_MANIFEST,
            "digest": Digest.of(plain),
            "size": len(plain),
            "artifactType": media.OCI_CONFIG,
            "annotations": {"tool": "y"},
        },
    }


def test_end_12a_an_index_can_refer_and_has_no_type_of_a_config(ask: Asking) -> None:
    subject = ask.image("app", BLOB)
    index = index_of(subject=Descriptor.for_bytes(media.OCI_MANIFEST, subject).document)
    ask.put("app", "about", index, media.OCI_INDEX)

    (entry,) = ask("GET", f"/v2/app/referrers/{Digest.of(subject)}").json["manifests"]

    assert entry == Descriptor.for_bytes(media.OCI_INDEX, index).document


def test_end_12a_a_subject_may_come_later_or_never(ask: Asking) -> None:
    referring(ask, b"{}", "application/sbom")

    told = ask("GET", f"/v2/app/referrers/{Digest.of(b'{}')}")

    assert len(told.json["manifests"]) == 1


@pytest.mark.parametrize("repository", ["app", "none"])
def test_end_12a_no_referrers_are_an_empty_list_never_404(ask: Asking, repository: str) -> None:
    ask.push("app", BLOB)

    told = ask("GET", f"/v2/{repository}/referrers/{NOWHERE}")

    assert (told.status, told.json["manifests"]) == (200, [])
    assert told.headers["Content-Type"] == media.OCI_INDEX


def test_end_12a_what_is_no_digest_is_400(ask: Asking) -> None:
    assert ask("GET", "/v2/app/referrers/latest").codes == ["DIGEST_INVALID"]


def test_end_12b_referrers_are_filtered_by_type(ask: Asking) -> None:
    sbom = referring(ask, b"{}", "application/sbom")
    referring(ask, b"{}", "application/signature")

    told = ask("GET", f"/v2/app/referrers/{Digest.of(b'{}')}?artifactType=application/sbom")

    assert [entry["digest"] for entry in told.json["manifests"]] == [Digest.of(sbom)]
    assert told.headers["OCI-Filters-Applied"] == "artifactType"


def test_end_12_a_deleted_referrer_is_not_listed(ask: Asking) -> None:
    sbom = referring(ask, b"{}", "application/sbom")

    ask("DELETE", f"/v2/app/manifests/{Digest.of(sbom)}")

    assert ask("GET", f"/v2/app/referrers/{Digest.of(b'{}')}").json["manifests"] == []


# end-13: status


def test_end_13_an_upload_says_how_far_it_came(ask: Asking) -> None:
    location = ask.start("app")
    ask("PATCH", location, b"0123", {"Content-Range": "0-3"})

    told = ask("GET", location)

    assert (told.status, told.headers["Range"]) == (204, "0-3")
    assert path_of(told) == location


def test_a_cancelled_upload_is_404(ask: Asking) -> None:
    location = ask.start("app")

    assert ask("DELETE", location).status == 204

    assert ask("GET", location).status == 404


# the catalog, errors, names


def test_the_catalog_lists_repositories_page_by_page(ask: Asking) -> None:
    for repository in ("b", "a", "team/app", "team/app/deep"):
        ask.push(repository, BLOB)

    told = ask("GET", "/v2/_catalog?n=3")
    assert told.json == {"repositories": ["a", "b", "team/app"]}
    link = urlsplit(told.headers["Link"][1:].partition(">")[0])
    told = ask("GET", f"{link.path}?{link.query}")

    assert told.json == {"repositories": ["team/app/deep"]}


@pytest.mark.parametrize(
    "name",
    ["Upper", "a//b", "../etc", "a/../b", "a/.hidden", "_tags", "a/_blobs", "a%2F..%2Fb", "-a",
     "a_", "a___b", "a" * 256, "a%00b"],
)  # fmt: skip
@pytest.mark.parametrize("rest", ["tags/list", "manifests/latest", f"blobs/{NOWHERE}"])
def test_a_name_that_is_none_is_refused(ask: Asking, name: str, rest: str) -> None:
    told = ask("GET", f"/v2/{name}/{rest}")

    assert (told.status, told.codes) == (400, ["NAME_INVALID"])


@pytest.mark.parametrize("name", ["a", "a" * 255, "a.b", "a__b/c--d/e_f", "0/1"])
def test_a_name_that_is_one_is_taken(ask: Asking, name: str) -> None:
    assert ask("GET", f"/v2/{name}/tags/list").codes == ["NAME_UNKNOWN"]


@pytest.mark.parametrize("tag", [".x", "-x", "a" * 129, "a%2Fb", "a b".replace(" ", "%20")])
def test_a_tag_that_is_none_is_refused(ask: Asking, tag: str) -> None:
    manifest = ask.image("app", BLOB)

    assert ask.put("app", tag, manifest).status in {400, 404}
    assert ask("GET", "/v2/app/tags/list").json["tags"] == []


@pytest.mark.parametrize("path", ["/", "/v1/", "/v2/app", "/v2/app/else/x", "/etc/passwd"])
def test_other_paths_are_404(ask: Asking, path: str) -> None:
    assert ask("GET", path).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v2/"), ("PUT", "/v2/app/tags/list"), ("PATCH", f"/v2/app/blobs/{NOWHERE}")],
)
def test_other_methods_are_405(ask: Asking, method: str, path: str) -> None:
    told = ask(method, path, b"")

    assert (told.status, told.codes) == (405, ["UNSUPPORTED"])
