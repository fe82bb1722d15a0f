"""The bucket's contract, over the fake and over S3."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from moto import mock_aws

from backup_audit.aws import CLIENTS
from backup_audit.errors import ReportStoreFailed
from backup_audit.report.commit import ObjectStore
from backup_audit.report.s3 import PART_SIZE, S3Store
from tests.doubles.fakes import InMemoryStore
from tools.local_cloud.s3_writes import one_write_at_a_time

JSON = "application/json"


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

    assert store.put_new("a/b.json", body, JSON)

    stored = store.get("a/b.json")
    assert stored
    assert stored.body == body


def test_an_object_that_is_there_is_not_written_again(store: ObjectStore) -> None:
    store.put_new("a", b"first", JSON)

    assert not store.put_new("a", b"second", JSON)

    stored = store.get("a")
    assert stored
    assert stored.body == b"first"


def test_an_object_changes_only_under_the_tag_that_was_read(store: ObjectStore) -> None:
    store.put_new("a", b"first", JSON)
    read = store.get("a")
    assert read

    assert store.put_if_unchanged("a", b"second", JSON, read.etag)
    assert not store.put_if_unchanged("a", b"third", JSON, read.etag)

    stored = store.get("a")
    assert stored
    assert stored.body == b"second"


def test_an_object_that_is_gone_is_not_changed(store: ObjectStore) -> None:
    store.put_new("a", b"first", JSON)
    read = store.get("a")
    assert read

    assert not store.put_if_unchanged("other", b"second", JSON, read.etag)


def test_of_many_writers_one_wins(store: ObjectStore) -> None:
    outcomes: list[bool] = []
    together = threading.Barrier(8)

    def write(number: int) -> None:
        together.wait()
        outcomes.append(store.put_new("a", str(number).encode(), JSON))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert sorted(outcomes) == [False] * 7 + [True]


BIG = [b"%07d\n" % number * 64 for number in range(2 * PART_SIZE // 512 + 3)]


@pytest.mark.parametrize("pieces", [[], [b"x"], [b"a\n", b"", b"b\n"], BIG], ids=len)
def test_what_was_written_in_pieces_is_one_object(store: ObjectStore, pieces: list[bytes]) -> None:
    assert store.put_new_in_pieces("a", pieces, JSON)

    stored = store.get("a")
    assert stored
    assert stored.body == b"".join(pieces)


@pytest.mark.parametrize("pieces", [[b"second"], BIG], ids=len)
def test_pieces_do_not_replace_an_object_and_all_are_taken(
    store: ObjectStore, pieces: list[bytes]
) -> None:
    store.put_new("a", b"first", JSON)
    taken = iter(pieces)

    assert not store.put_new_in_pieces("a", taken, JSON)

    stored = store.get("a")
    assert stored
    assert stored.body == b"first"
    assert list(taken) == []


@pytest.mark.parametrize("body", [b"", b"a\n", b"a\nb", b"a\n\nb\n", b"".join(BIG)], ids=len)
def test_lines_come_with_their_ends(store: ObjectStore, body: bytes) -> None:
    store.put_new("a", body, JSON)

    lines = list(store.lines("a"))

    assert b"".join(lines) == body
    assert all(line.count(b"\n") == 1 for line in lines[:-1])


def test_lines_of_an_object_that_is_not_there_are_a_failure(store: ObjectStore) -> None:
    with pytest.raises(ReportStoreFailed, match="s3://reports/a could not be read"):
        list(store.lines("a"))


def test_an_object_exists_once_it_is_written(store: ObjectStore) -> None:
    assert not store.exists("a")
    store.put_new("a", b"", JSON)
    assert store.exists("a")


def test_pieces_that_break_off_leave_nothing() -> None:
    def breaks_off() -> Iterator[bytes]:
        yield from BIG
        raise ReportStoreFailed("the source is gone")

    with mock_aws():
        client = CLIENTS.s3
        client.create_bucket(Bucket="reports")
        store = S3Store("reports", lambda: client)

        with pytest.raises(ReportStoreFailed, match="the source is gone"):
            store.put_new_in_pieces("a", breaks_off(), JSON)

        assert not store.exists("a")
        assert "Uploads" not in client.list_multipart_uploads(Bucket="reports")


def test_of_two_uploads_one_wins_and_the_other_is_cleared_away() -> None:
    with mock_aws():
        client = CLIENTS.s3
        client.create_bucket(Bucket="reports")
        store = S3Store("reports", lambda: client)

        def overtaken() -> Iterator[bytes]:
            yield from BIG
            store.put_new("a", b"first", JSON)

        assert not store.put_new_in_pieces("a", overtaken(), JSON)

        assert client.get_object(Bucket="reports", Key="a")["Body"].read() == b"first"
        assert "Uploads" not in client.list_multipart_uploads(Bucket="reports")


def stubbed() -> tuple[S3Store, Stubber]:
    client = CLIENTS.s3
    return S3Store("reports", lambda: client), Stubber(client)


def put(key: str, **more: str) -> dict[str, Any]:
    return {"Bucket": "reports", "Key": key, "Body": b"x", "ContentType": JSON} | more


def test_a_collision_of_writers_is_tried_again_and_no_encryption_is_asked_for() -> None:
    store, stub = stubbed()
    expected = put("a", IfNoneMatch="*")
    stub.add_client_error("put_object", "ConditionalRequestConflict", "", 409, None, expected)
    stub.add_response("put_object", {}, expected)

    with stub:
        assert store.put_new("a", b"x", JSON)

    stub.assert_no_pending_responses()


def test_writers_that_collide_for_ever_are_a_failure() -> None:
    store, stub = stubbed()
    for _ in range(5):
        stub.add_client_error("put_object", "ConditionalRequestConflict", "busy", 409)

    with stub, pytest.raises(ReportStoreFailed, match="ConditionalRequestConflict: busy"):
        store.put_new("a", b"x", JSON)


def test_an_object_deleted_meanwhile_is_not_changed() -> None:
    store, stub = stubbed()
    stub.add_client_error("put_object", "NoSuchKey", "", 404, None, put("a", IfMatch='"tag"'))

    with stub:
        assert not store.put_if_unchanged("a", b"x", JSON, '"tag"')


def reads(store: ObjectStore) -> None:
    store.get("a/b")


def writes(store: ObjectStore) -> None:
    store.put_new("a/b", b"x", JSON)


def reads_lines(store: ObjectStore) -> None:
    list(store.lines("a/b"))


def looks(store: ObjectStore) -> None:
    store.exists("a/b")


def uploads(store: ObjectStore) -> None:
    store.put_new_in_pieces("a/b", BIG, JSON)


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

    with stub, pytest.raises(ReportStoreFailed, match=r"s3://reports/a/b .*AccessDenied: not your"):
        act(store)


@pytest.mark.loopback
@pytest.mark.parametrize("act", [reads, reads_lines, looks, writes, uploads])
def test_a_store_that_cannot_be_reached_is_a_failure(act: Callable[[ObjectStore], None]) -> None:
    client = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:9",
        config=Config(retries={"total_max_attempts": 1}),
    )

    with pytest.raises(ReportStoreFailed, match="s3://reports/a/b could not be"):
        act(S3Store("reports", lambda: client))
