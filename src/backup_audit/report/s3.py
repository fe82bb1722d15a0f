"""The report bucket, with S3's conditional writes.

No encryption header is sent: the bucket's default applies, whatever key its owner chose.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypedDict

import msgspec

from backup_audit.aws import Body, aws_errors, code_of, pieces_of, said
from backup_audit.errors import ReportStoreFailed
from backup_audit.report.store import StoredObject

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedMultipartUploadTypeDef, CompletedPartTypeDef

PART_SIZE = 5 * 1024 * 1024  # bytes, the least that S3 takes; 10,000 of them are the most
_READ_SIZE = 256 * 1024  # bytes

_CONTENT_TYPES = {
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
}

# Writers that collide get 409 and may try again (S3 user guide, "Conditional writes").
_CONFLICT_ATTEMPTS = 5


class _At(TypedDict):
    Bucket: str
    Key: str


class _Condition(TypedDict, total=False):
    IfMatch: str
    IfNoneMatch: str


class S3Store(msgspec.Struct, frozen=True):
    """An ObjectStore in S3."""

    bucket: str
    client: "Callable[[], S3Client]"

    def get(self, key: str) -> StoredObject | None:
        version = _Version(self.client, self.at(key))
        try:
            return StoredObject(b"".join(pieces_of(version.body)), version.etag)
        except aws_errors() as error:
            if code_of(error) == "NoSuchKey":
                return None
            raise self.failed("read", key, error) from error

    def put_new(self, key: str, body: bytes) -> bool:
        return self._put(key, body, {"IfNoneMatch": "*"})

    def put_if_unchanged(self, key: str, body: bytes, etag: str) -> bool:
        return self._put(key, body, {"IfMatch": etag})

    @contextmanager
    def new_object(self, key: str) -> "Iterator[_Upload]":
        """Small objects are sent whole, others in parts of 5 MiB."""
        upload = _Upload(self, key)
        try:
            yield upload
            upload.finish()
        except BaseException:
            upload.abort()
            raise

    def lines(self, key: str) -> Iterator[bytes]:
        version = _Version(self.client, self.at(key))
        rest = b""
        try:
            for piece in pieces_of(version.body, _READ_SIZE):
                *lines, rest = (rest + piece).splitlines(keepends=True)
                yield from lines
            if rest:
                yield rest
        except aws_errors() as error:
            raise self.failed("read", key, error) from error

    def exists(self, key: str) -> bool:
        try:
            self.client().head_object(**self.at(key))
        except aws_errors() as error:
            if code_of(error) in ("404", "NoSuchKey"):
                return False
            raise self.failed("read", key, error) from error
        return True

    def keeps_versions(self) -> bool:
        try:
            versioning = self.client().get_bucket_versioning(Bucket=self.bucket)
        except aws_errors() as error:
            raise ReportStoreFailed(
                f"the versioning of s3://{self.bucket} could not be read: {said(error)}"
            ) from error
        return versioning.get("Status") == "Enabled"

    def at(self, key: str) -> _At:
        return {"Bucket": self.bucket, "Key": key}

    def failed(self, what: str, key: str, error: Exception) -> ReportStoreFailed:
        return ReportStoreFailed(f"s3://{self.bucket}/{key} could not be {what}: {said(error)}")

    def _put(self, key: str, body: bytes, condition: _Condition) -> bool:
        not_met = ["PreconditionFailed"]
        if "IfMatch" in condition:
            not_met.append("NoSuchKey")  # deleted meanwhile
        for attempt in range(1, _CONFLICT_ATTEMPTS + 1):
            try:
                self.client().put_object(
                    **self.at(key), **condition, Body=body, ContentType=_content_type(key)
                )
            except aws_errors() as error:
                if code_of(error) in not_met:
                    return False
                if code_of(error) != "ConditionalRequestConflict" or attempt == _CONFLICT_ATTEMPTS:
                    raise self.failed("written", key, error) from error
            else:
                return True
        raise AssertionError("unreachable: the last attempt returns or raises")


def _content_type(key: str) -> str:
    return _CONTENT_TYPES[key.rpartition(".")[2]]


class _Version(msgspec.Struct):
    """An object as it was when it was first asked for."""

    client: "Callable[[], S3Client]"
    at: _At
    etag: str = ""

    def body(self, offset: int) -> Body:
        if offset:
            rest = f"bytes={offset}-"
            answer = self.client().get_object(**self.at, Range=rest, IfMatch=self.etag)
        else:
            answer = self.client().get_object(**self.at)
        self.etag = answer["ETag"]
        return answer["Body"]


class _Upload:
    """An object being written, in a multipart upload if it is large. Nobody sees it before its end.

    `is_new` is false if there was one already; then that one stays.
    """

    def __init__(self, store: S3Store, key: str) -> None:
        self._store = store
        self._client = store.client()
        self._at = store.at(key)
        self._buffer = io.BytesIO()
        self._id: str | None = None
        self._parts: list[CompletedPartTypeDef] = []
        self.is_new = False

    def write(self, data: bytes) -> None:
        self._buffer.write(data)
        if self._buffer.tell() >= PART_SIZE:
            self._send_part()

    def finish(self) -> None:
        key = self._at["Key"]
        if self._id is None:
            self.is_new = self._store.put_new(key, self._buffer.getvalue())
            return
        if self._buffer.tell():
            self._send_part()
        parts: CompletedMultipartUploadTypeDef = {"Parts": self._parts}
        try:
            self._client.complete_multipart_upload(
                **self._at, UploadId=self._id, MultipartUpload=parts, IfNoneMatch="*"
            )
        except aws_errors() as error:
            # Another writer was faster, or our own success was answered late: the object counts.
            if code_of(error) != "PreconditionFailed" and not self._store.exists(key):
                raise self._store.failed("written", key, error) from error
            self.abort()
        else:
            self.is_new = True

    def abort(self) -> None:
        """Free the space; where that fails, the bucket's lifecycle does it after some days."""
        if self._id is not None:
            with suppress(*aws_errors()):
                self._client.abort_multipart_upload(**self._at, UploadId=self._id)

    def _send_part(self) -> None:
        number = len(self._parts) + 1
        self._buffer.seek(0)
        try:
            if self._id is None:
                self._id = self._client.create_multipart_upload(
                    **self._at, ContentType=_content_type(self._at["Key"])
                )["UploadId"]
            sent = self._client.upload_part(
                **self._at, UploadId=self._id, PartNumber=number, Body=self._buffer
            )
        except aws_errors() as error:
            raise self._store.failed("written", self._at["Key"], error) from error
        self._parts.append({"ETag": sent["ETag"], "PartNumber": number})
        self._buffer = io.BytesIO()
