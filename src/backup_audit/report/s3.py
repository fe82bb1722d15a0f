"""The report bucket, with S3's conditional writes.

No encryption header is sent: the bucket's default applies, whatever key its owner chose.
"""

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from backup_audit.aws import aws_errors, code_of, said
from backup_audit.errors import ReportStoreFailed
from backup_audit.report.commit import StoredObject

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef, PutObjectRequestTypeDef

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
        try:
            answer = self._client().get_object(Bucket=self._bucket, Key=key)
            return StoredObject(answer["Body"].read(), answer["ETag"])
        except aws_errors() as error:
            if code_of(error) == "NoSuchKey":
                return None
            raise self._failed("read", key, error) from error

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

    def put_new_in_pieces(self, key: str, pieces: Iterable[bytes], content_type: str) -> bool:
        """Write an object unless there is one already; what is small goes up as a whole."""
        buffer = io.BytesIO()
        upload: _Upload | None = None
        try:
            for piece in pieces:
                buffer.write(piece)
                if buffer.tell() >= PART_SIZE:
                    upload = upload or self._upload(key, content_type)
                    upload.add(buffer)
                    buffer = io.BytesIO()
            if upload is None:
                return self.put_new(key, buffer.getvalue(), content_type)
            if buffer.tell():
                upload.add(buffer)
            return upload.complete()
        except aws_errors() as error:
            raise self._failed("written", key, error) from error
        finally:
            if upload is not None:
                upload.abort_unless_complete()

    def lines(self, key: str) -> Iterator[bytes]:
        """Read an object line by line."""
        try:
            body = self._client().get_object(Bucket=self._bucket, Key=key)["Body"]
            yield from body.iter_lines(chunk_size=_READ_SIZE, keepends=True)
        except aws_errors() as error:
            raise self._failed("read", key, error) from error

    def exists(self, key: str) -> bool:
        """Whether there is an object."""
        try:
            self._client().head_object(Bucket=self._bucket, Key=key)
        except aws_errors() as error:
            if code_of(error) in ("404", "NoSuchKey"):
                return False
            raise self._failed("read", key, error) from error
        return True

    def _upload(self, key: str, content_type: str) -> "_Upload":
        return _Upload(self._client(), self._bucket, key, content_type)

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
                    raise self._failed("written", request["Key"], error) from error
            else:
                return True
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _failed(self, what: str, key: str, error: Exception) -> ReportStoreFailed:
        return ReportStoreFailed(f"s3://{self._bucket}/{key} could not be {what}: {said(error)}")


class _Upload:
    """A multipart upload. Nobody sees any of it before it is complete."""

    def __init__(self, client: "S3Client", bucket: str, key: str, content_type: str) -> None:
        self._client = client
        started = client.create_multipart_upload(Bucket=bucket, Key=key, ContentType=content_type)
        self._bucket, self._key, self._id = bucket, key, started["UploadId"]
        self._parts: list[CompletedPartTypeDef] = []
        self._is_complete = False

    def add(self, part: io.BytesIO) -> None:
        """Send a part; all but the last need 5 MiB."""
        number = len(self._parts) + 1
        part.seek(0)
        sent = self._client.upload_part(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._id,
            PartNumber=number,
            Body=part,
        )
        self._parts.append({"ETag": sent["ETag"], "PartNumber": number})

    def complete(self) -> bool:
        """Make the object unless there is one already."""
        try:
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._id,
                MultipartUpload={"Parts": self._parts},
                IfNoneMatch="*",
            )
        except aws_errors() as error:
            if code_of(error) == "PreconditionFailed":
                return False
            raise
        self._is_complete = True
        return True

    def abort_unless_complete(self) -> None:
        """Free the space; where that fails, the bucket's lifecycle does it after some days."""
        if not self._is_complete:
            with contextlib.suppress(*aws_errors()):
                self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=self._key, UploadId=self._id
                )


def _vanished(error: Exception, request: "PutObjectRequestTypeDef") -> bool:
    """If-Match on an object that was deleted meanwhile is answered 404."""
    return "IfMatch" in request and code_of(error) == "NoSuchKey"
