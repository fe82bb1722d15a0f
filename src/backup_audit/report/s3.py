"""The report bucket, with S3's conditional writes.

No encryption header is sent: the bucket's default applies, whatever key its owner chose.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from backup_audit.aws import Body, aws_errors, code_of, pieces_of, said
from backup_audit.errors import ReportStoreFailed
from backup_audit.report.store import StoredObject

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        GetObjectRequestTypeDef,
        PutObjectRequestTypeDef,
    )

PART_SIZE = 5 * 1024 * 1024  # bytes, the least that S3 takes; 10,000 of them are the most
_READ_SIZE = 256 * 1024  # bytes

# Writers that collide get 409 and may try again (S3 user guide, "Conditional writes").
_CONFLICT_ATTEMPTS = 5


class S3Store:
    """An ObjectStore in S3."""

    def __init__(self, bucket: str, client: "Callable[[], S3Client]") -> None:
        self._bucket = bucket
        self._client = client

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    def get(self, key: str) -> StoredObject | None:
        """Read an object; None if there is none."""
        version = _Version(self._client, self._bucket, key)
        try:
            return StoredObject(b"".join(pieces_of(version.body)), version.etag)
        except aws_errors() as error:
            if code_of(error) == "NoSuchKey":
                return None
            raise self.failed("read", key, error) from error

    def put_new(self, key: str, body: bytes, content_type: str) -> bool:
        """Write an object unless there is one already."""
        return self._put(
            {
                "Bucket": self._bucket,
                "Key": key,
                "Body": body,
                "ContentType": content_type,
                "IfNoneMatch": "*",
            }
        )

    @contextmanager
    def new_object(self, key: str, content_type: str) -> "Iterator[_Upload]":
        """What is small goes up as a whole, the rest in parts of 5 MiB."""
        upload = _Upload(self, self._client(), self._bucket, key, content_type)
        try:
            yield upload
            upload.finish()
        except BaseException:
            upload.abort()
            raise

    def lines(self, key: str) -> Iterator[bytes]:
        """Read an object line by line."""
        version = _Version(self._client, self._bucket, key)
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
        """Whether there is an object."""
        try:
            self._client().head_object(Bucket=self._bucket, Key=key)
        except aws_errors() as error:
            if code_of(error) in ("404", "NoSuchKey"):
                return False
            raise self.failed("read", key, error) from error
        return True

    def put_if_unchanged(self, key: str, body: bytes, content_type: str, etag: str) -> bool:
        """Write an object if the one there still has this tag."""
        return self._put(
            {
                "Bucket": self._bucket,
                "Key": key,
                "Body": body,
                "ContentType": content_type,
                "IfMatch": etag,
            }
        )

    def _put(self, request: "PutObjectRequestTypeDef") -> bool:
        for attempt in range(1, _CONFLICT_ATTEMPTS + 1):
            try:
                self._client().put_object(**request)
            except aws_errors() as error:
                if code_of(error) == "PreconditionFailed" or _vanished(error, request):
                    return False
                if code_of(error) != "ConditionalRequestConflict" or attempt == _CONFLICT_ATTEMPTS:
                    raise self.failed("written", request["Key"], error) from error
            else:
                return True
        raise AssertionError("unreachable: the last attempt returns or raises")

    def failed(self, what: str, key: str, error: Exception) -> ReportStoreFailed:
        """The error of an object that could not be read or written."""
        return ReportStoreFailed(f"s3://{self._bucket}/{key} could not be {what}: {said(error)}")


class _Version:
    """An object as it was when it was first asked for."""

    def __init__(self, client: "Callable[[], S3Client]", bucket: str, key: str) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self.etag = ""

    def body(self, offset: int) -> Body:
        """Its bytes from this one on."""
        request: GetObjectRequestTypeDef = {"Bucket": self._bucket, "Key": self._key}
        if offset:
            request |= {"Range": f"bytes={offset}-", "IfMatch": self.etag}
        answer = self._client().get_object(**request)
        self.etag = answer["ETag"]
        return answer["Body"]


class _Upload:
    """An object being written, in a multipart upload if it is large. Nobody sees it before its end.

    `is_new` is false if there was one already; then that one stays.
    """

    def __init__(
        self, store: S3Store, client: "S3Client", bucket: str, key: str, content_type: str
    ) -> None:
        self._store = store
        self._client = client
        self._bucket, self._key = bucket, key
        self._content_type = content_type
        self._buffer = io.BytesIO()
        self._id: str | None = None
        self._parts: list[CompletedPartTypeDef] = []
        self.is_new = False

    def write(self, data: bytes) -> None:
        """Add to the object; raise ReportStoreFailed if S3 takes no more of it."""
        self._buffer.write(data)
        if self._buffer.tell() >= PART_SIZE:
            self._send_part()

    def finish(self) -> None:
        """Make the object unless there is one already."""
        if self._id is None:
            self.is_new = self._store.put_new(
                self._key, self._buffer.getvalue(), self._content_type
            )
            return
        if self._buffer.tell():
            self._send_part()
        try:
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._id,
                MultipartUpload={"Parts": self._parts},
                IfNoneMatch="*",
            )
        except aws_errors() as error:
            # Another writer was faster, or our own success was answered late: the object counts.
            if code_of(error) != "PreconditionFailed" and not self._store.exists(self._key):
                raise self._store.failed("written", self._key, error) from error
            self.abort()
        else:
            self.is_new = True

    def abort(self) -> None:
        """Free the space; where that fails, the bucket's lifecycle does it after some days."""
        if self._id is not None:
            with suppress(*aws_errors()):
                self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=self._key, UploadId=self._id
                )

    def _send_part(self) -> None:
        number = len(self._parts) + 1
        self._buffer.seek(0)
        try:
            if self._id is None:
                self._id = self._client.create_multipart_upload(
                    Bucket=self._bucket, Key=self._key, ContentType=self._content_type
                )["UploadId"]
            sent = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._id,
                PartNumber=number,
                Body=self._buffer,
            )
        except aws_errors() as error:
            raise self._store.failed("written", self._key, error) from error
        self._parts.append({"ETag": sent["ETag"], "PartNumber": number})
        self._buffer = io.BytesIO()


def _vanished(error: Exception, request: "PutObjectRequestTypeDef") -> bool:
    """If-Match on an object that was deleted meanwhile is answered 404."""
    return "IfMatch" in request and code_of(error) == "NoSuchKey"
