"""The report bucket, with S3's conditional writes.

No encryption header is sent: the bucket's default applies, whatever key its owner chose.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from backup_audit.adapters.aws import AwsError, said
from backup_audit.errors import ReportStoreFailed
from backup_audit.ports import StoredObject

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import PutObjectRequestTypeDef

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
        except ClientError as error:
            if _code(error) == "NoSuchKey":
                return None
            raise self._failed("read", key, error) from error
        except AwsError as error:
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
            except ClientError as error:
                if _code(error) == "PreconditionFailed" or _vanished(error, request):
                    return False
                if _code(error) != "ConditionalRequestConflict" or attempt == _CONFLICT_ATTEMPTS:
                    raise self._failed("written", request["Key"], error) from error
            except AwsError as error:
                raise self._failed("written", request["Key"], error) from error
            else:
                return True
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _failed(self, what: str, key: str, error: Exception) -> ReportStoreFailed:
        return ReportStoreFailed(f"s3://{self._bucket}/{key} could not be {what}: {said(error)}")


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _vanished(error: ClientError, request: "PutObjectRequestTypeDef") -> bool:
    """If-Match on an object that was deleted meanwhile is answered 404."""
    return "IfMatch" in request and _code(error) == "NoSuchKey"
