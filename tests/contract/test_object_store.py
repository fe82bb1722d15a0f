"""The bucket's contract, over the fake and over S3."""

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Literal, cast
from unittest.mock import Mock

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.parsers import ResponseParserError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from moto import mock_aws

from backup_audit.aws import CLIENTS
from backup_audit.errors import ReportStoreFailed
from backup_audit.report.s3 import PART_SIZE, S3Store
from backup_audit.report.store import ObjectStore
from tests.doubles.fakes import InMemoryStore
from tools.local_cloud.s3_writes import one_write_at_a_time


@pytest.fixture(params=["fake", "s3"])
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    if request.param == "fake":
        yield InMemoryStore()
        return
    with mock_aws(), one_write_at_a_time():
        client = CLIENTS.s3
        client.create_bucket(Bucket="reports")
        yield S3Store("reports", lambda: client)


def test_an_object_that_is_not_there_is_none(store: ObjectStore) -> None:
    assert store.get("a/b.json") is None


def test_what_was_written_is_read(store: ObjectStore) -> None:
    body = bytes(range(256))

    assert store.put_new("a/b.json", body)

    stored = store.get("a/b.json")
    assert stored
    assert stored.body == body


def test_an_object_that_is_there_is_not_written_again(store: ObjectStore) -> None:
    store.put_new("a.json", b"first")

    assert not store.put_new("a.json", b"second")

    stored = store.get("a.json")
    assert stored
    assert stored.body == b"first"


def test_an_object_changes_only_under_the_tag_that_was_read(store: ObjectStore) -> None:
    store.put_new("a.json", b"first")
    read = store.get("a.json")
    assert read

    assert store.put_if_unchanged("a.json", b"second", read.etag)
    assert not store.put_if_unchanged("a.json", b"third", read.etag)

    stored = store.get("a.json")
    assert stored
    assert stored.body == b"second"


def test_an_object_that_is_gone_is_not_changed(store: ObjectStore) -> None:
    store.put_new("a.json", b"first")
    read = store.get("a.json")
    assert read

    assert not store.put_if_unchanged("other.json", b"second", read.etag)


def test_of_many_writers_one_wins(store: ObjectStore) -> None:
    outcomes: list[bool] = []
    together = threading.Barrier(8)

    def write(number: int) -> None:
        together.wait()
        outcomes.append(store.put_new("a.json", str(number).encode()))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert sorted(outcomes) == [False] * 7 + [True]


@pytest.mark.parametrize(("status", "keeps"), [("Enabled", True), ("Suspended", False)])
def test_a_bucket_says_whether_it_keeps_versions(
    store: ObjectStore, status: Literal["Enabled", "Suspended"], *, keeps: bool
) -> None:
    if isinstance(store, InMemoryStore):
        store.versioned = keeps
    else:
        CLIENTS.s3.put_bucket_versioning(
            Bucket="reports", VersioningConfiguration={"Status": status}
        )

    assert store.keeps_versions() is keeps


def test_a_bucket_whose_versioning_was_never_set_keeps_none() -> None:
    with mock_aws():
        CLIENTS.s3.create_bucket(Bucket="reports")

        assert not S3Store("reports", lambda: CLIENTS.s3).keeps_versions()


def test_versioning_that_may_not_be_read_is_named_with_its_bucket() -> None:
    with mock_aws(), pytest.raises(ReportStoreFailed, match="versioning of s3://none could not"):
        S3Store("none", lambda: CLIENTS.s3).keeps_versions()


# What is sent in three parts, and in two.
BIG = [b"%0511d\n" % number * 8 for number in range(2 * PART_SIZE // 4096 + 3)]
LARGE = BIG[: PART_SIZE // 4096 + 3]


def write_new(store: ObjectStore, key: str, pieces: Iterable[bytes]) -> bool:
    with store.new_object(key) as out:
        for piece in pieces:
            out.write(piece)
    return out.is_new


@pytest.mark.parametrize("pieces", [[], [b"x"], [b"a\n", b"", b"b\n"], BIG], ids=len)
def test_what_was_written_in_pieces_is_one_object(store: ObjectStore, pieces: list[bytes]) -> None:
    assert write_new(store, "a.json", pieces)

    stored = store.get("a.json")
    assert stored
    assert stored.body == b"".join(pieces)


@pytest.mark.parametrize("pieces", [[b"second"], LARGE], ids=len)
def test_pieces_do_not_replace_an_object(store: ObjectStore, pieces: list[bytes]) -> None:
    store.put_new("a.json", b"first")

    assert not write_new(store, "a.json", pieces)

    stored = store.get("a.json")
    assert stored
    assert stored.body == b"first"


@pytest.mark.parametrize("pieces", [[b"x"], LARGE], ids=len)
def test_an_object_is_not_there_before_the_end_of_its_block(
    store: ObjectStore, pieces: list[bytes]
) -> None:
    with store.new_object("a.json") as out:
        for piece in pieces:
            out.write(piece)
        assert not store.exists("a.json")
    assert store.exists("a.json")


@pytest.mark.parametrize("pieces", [[b"x"], LARGE], ids=len)
@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_breaks_off_leaves_nothing(
    store: ObjectStore, pieces: list[bytes], kind: type[BaseException]
) -> None:
    def break_off() -> None:
        with store.new_object("a.json") as out:
            for piece in pieces:
                out.write(piece)
            raise kind("the source is gone")

    with pytest.raises(kind, match="the source is gone"):
        break_off()

    assert not store.exists("a.json")
    assert write_new(store, "a.json", pieces)


@pytest.mark.parametrize("body", [b"", b"a\n", b"a\nb", b"a\n\nb\n", b"".join(BIG)], ids=len)
def test_lines_come_with_their_ends(store: ObjectStore, body: bytes) -> None:
    store.put_new("a.json", body)

    lines = list(store.lines("a.json"))

    assert b"".join(lines) == body
    assert all(line.count(b"\n") == 1 for line in lines[:-1])


def test_lines_of_an_object_that_is_not_there_are_a_failure(store: ObjectStore) -> None:
    with pytest.raises(ReportStoreFailed, match=r"s3://reports/a\.json could not be read"):
        list(store.lines("a.json"))


def test_an_object_exists_once_it_is_written(store: ObjectStore) -> None:
    assert not store.exists("a.json")
    store.put_new("a.json", b"")
    assert store.exists("a.json")


def s3_store() -> S3Store:
    client = CLIENTS.s3
    client.create_bucket(Bucket="reports")
    return S3Store("reports", lambda: client)


def uploads_left() -> list[Any]:
    left: list[Any] = CLIENTS.s3.list_multipart_uploads(Bucket="reports").get("Uploads", [])
    return left


def break_off(store: ObjectStore) -> None:
    with store.new_object("a.json") as out:
        for piece in BIG:
            out.write(piece)
        raise RuntimeError("the source is gone")


def test_an_upload_that_breaks_off_leaves_no_parts() -> None:
    with mock_aws():
        store = s3_store()

        with pytest.raises(RuntimeError, match="the source is gone"):
            break_off(store)

        assert uploads_left() == []


def test_of_two_uploads_one_wins_and_the_other_is_cleared_away() -> None:
    with mock_aws():
        store = s3_store()

        def overtaken() -> Iterator[bytes]:
            yield from LARGE
            store.put_new("a.json", b"first")

        assert not write_new(store, "a.json", overtaken())

        stored = store.get("a.json")
        assert stored
        assert stored.body == b"first"
        assert uploads_left() == []


CONFLICT = ClientError({"Error": {"Code": "ConditionalRequestConflict"}}, "CompleteMultipartUpload")
GONE = ClientError({"Error": {"Code": "NoSuchUpload"}}, "CompleteMultipartUpload")
LATE = ReadTimeoutError(endpoint_url="https://s3.example.com")
AT_COMPLETE = pytest.mark.parametrize("error", [CONFLICT, GONE, LATE], ids=["409", "404", "late"])


@AT_COMPLETE
def test_an_upload_that_was_done_and_answered_otherwise_goes_on_with_the_object(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mock_aws():
        store = s3_store()
        complete = CLIENTS.s3.complete_multipart_upload

        def completed(**request: Any) -> None:  # noqa: ANN401  # whatever S3 takes
            complete(**request)
            raise error

        monkeypatch.setattr(CLIENTS.s3, "complete_multipart_upload", completed)

        assert not write_new(store, "a.json", LARGE)

        stored = store.get("a.json")
        assert stored
        assert stored.body == b"".join(LARGE)


@AT_COMPLETE
def test_an_upload_that_was_not_done_is_a_failure_and_is_cleared_away(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mock_aws():
        store = s3_store()
        monkeypatch.setattr(CLIENTS.s3, "complete_multipart_upload", Mock(side_effect=error))

        with pytest.raises(ReportStoreFailed, match=r"s3://reports/a\.json could not be written"):
            write_new(store, "a.json", LARGE)

        assert not store.exists("a.json")
        assert uploads_left() == []


class BreaksOff(io.RawIOBase):
    """A body of S3 that breaks off after some bytes."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self._chunks = [b"a\n"]

    def read(self, amt: int | None = None) -> bytes:
        if amt and self._chunks:
            return self._chunks.pop()
        raise self._error


@pytest.mark.parametrize("act", ["get", "lines"])
@pytest.mark.parametrize(
    "error",
    [
        urllib3.exceptions.ReadTimeoutError(None, None, "read timed out"),  # type: ignore[arg-type]
        urllib3.exceptions.ProtocolError("connection reset"),
        urllib3.exceptions.SSLError("bad record mac"),
        ConnectionClosedError(endpoint_url="https://s3.example.com"),
        ResponseStreamingError(error="reset"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        LATE,
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_a_body_that_breaks_off_is_a_failure(
    act: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = CLIENTS.s3
    answer = {"Body": StreamingBody(cast("IO[bytes]", BreaksOff(error)), 9), "ETag": '"tag"'}
    monkeypatch.setattr(client, "get_object", Mock(return_value=answer))
    store = S3Store("reports", lambda: client)

    with pytest.raises(ReportStoreFailed, match=r"s3://reports/a\.json could not be read: ."):
        list(getattr(store, act)("a.json"))


@pytest.mark.parametrize(
    ("operation", "act"),
    [
        ("create_multipart_upload", lambda store: write_new(store, "a.json", LARGE)),
        ("upload_part", lambda store: write_new(store, "a.json", LARGE)),
        ("put_object", lambda store: write_new(store, "a.json", [b"x"])),
        ("head_object", lambda store: store.exists("a.json")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize(
    "error",
    [
        ConnectionClosedError(endpoint_url="https://s3.example.com"),
        LATE,
        ResponseParserError("no element found"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_operation_that_breaks_off_is_a_failure(
    operation: str,
    act: Callable[[ObjectStore], object],
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with mock_aws():
        store = s3_store()
        monkeypatch.setattr(CLIENTS.s3, operation, Mock(side_effect=error))

        with pytest.raises(
            ReportStoreFailed, match=r"s3://reports/a\.json could not be (read|written)"
        ):
            act(store)


def stubbed() -> tuple[S3Store, Stubber]:
    client = CLIENTS.s3
    return S3Store("reports", lambda: client), Stubber(client)


def put(key: str, **more: str) -> dict[str, Any]:
    return {"Bucket": "reports", "Key": key, "Body": b"x", "ContentType": "application/json"} | more


def test_a_collision_of_writers_is_tried_again_and_no_encryption_is_asked_for() -> None:
    store, stub = stubbed()
    expected = put("a.json", IfNoneMatch="*")
    stub.add_client_error("put_object", "ConditionalRequestConflict", "", 409, None, expected)
    stub.add_response("put_object", {}, expected)

    with stub:
        assert store.put_new("a.json", b"x")

    stub.assert_no_pending_responses()


def test_writers_that_collide_for_ever_are_a_failure() -> None:
    store, stub = stubbed()
    for _ in range(5):
        stub.add_client_error("put_object", "ConditionalRequestConflict", "busy", 409)

    with stub, pytest.raises(ReportStoreFailed, match="ConditionalRequestConflict: busy"):
        store.put_new("a.json", b"x")


def test_an_object_deleted_meanwhile_is_not_changed() -> None:
    store, stub = stubbed()
    stub.add_client_error("put_object", "NoSuchKey", "", 404, None, put("a.json", IfMatch='"tag"'))

    with stub:
        assert not store.put_if_unchanged("a.json", b"x", '"tag"')


@pytest.mark.parametrize(
    ("key", "content_type"),
    [
        ("a.json", "application/json"),
        ("a.jsonl", "application/x-ndjson"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.html", "text/html; charset=utf-8"),
    ],
)
def test_the_end_of_a_key_says_what_the_object_is(key: str, content_type: str) -> None:
    with mock_aws(), one_write_at_a_time():
        client = CLIENTS.s3
        client.create_bucket(Bucket="reports")
        store = S3Store("reports", lambda: client)

        store.put_new(key, b"x")
        write_new(store, f"large-{key}", LARGE)

        for written in (key, f"large-{key}"):
            stored = client.head_object(Bucket="reports", Key=written)
            assert stored["ContentType"] == content_type


def reads(store: ObjectStore) -> None:
    store.get("a/b.json")


def writes(store: ObjectStore) -> None:
    store.put_new("a/b.json", b"x")


def reads_lines(store: ObjectStore) -> None:
    list(store.lines("a/b.json"))


def looks(store: ObjectStore) -> None:
    store.exists("a/b.json")


def uploads(store: ObjectStore) -> None:
    write_new(store, "a/b.json", LARGE)


@pytest.mark.parametrize(
    ("act", "operation"),
    [
        (reads, "get_object"),
        (reads_lines, "get_object"),
        (looks, "head_object"),
        (writes, "put_object"),
        (uploads, "create_multipart_upload"),
    ],
)
def test_a_refusal_names_the_object_and_what_aws_said(
    act: Callable[[ObjectStore], None], operation: str
) -> None:
    store, stub = stubbed()
    stub.add_client_error(operation, "AccessDenied", "not yours", 403)

    with (
        stub,
        pytest.raises(ReportStoreFailed, match=r"s3://reports/a/b\.json .*AccessDenied: not your"),
    ):
        act(store)


@pytest.mark.loopback
@pytest.mark.parametrize("act", [reads, reads_lines, looks, writes, uploads])
def test_a_store_that_cannot_be_reached_is_a_failure(act: Callable[[ObjectStore], None]) -> None:
    client = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:9",
        config=Config(retries={"total_max_attempts": 1}),
    )

    with pytest.raises(ReportStoreFailed, match=r"s3://reports/a/b\.json could not be"):
        act(S3Store("reports", lambda: client))
