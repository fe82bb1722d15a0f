"""SNS without a network: it takes every batch, after 20 ms, until the process is killed.

boto3 makes, signs and reads everything as ever; only the sending is answered here.
"""

import threading
import time
from collections.abc import Iterator

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders

ANSWER_SECONDS = 0.02

_IDS = b"".join(b"<member><Id>%d</Id><MessageId>m</MessageId></member>" % one for one in range(10))
_TAKEN = (
    b'<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult>'
    b"<Failed/><Successful>" + _IDS + b"</Successful></PublishBatchResult><ResponseMetadata>"
    b"<RequestId>r</RequestId></ResponseMetadata></PublishBatchResponse>"
)


class Killed(BaseException):
    """The process ends here: nothing catches it."""


class FakeSns:
    """Answers a client's PublishBatch; `taken` counts the messages.

    It kills the process with the request after so many.
    """

    def __init__(self, client: BaseClient, kills_after: int | None = None) -> None:
        self.taken = 0
        self._requests = 0
        self._kills_after = kills_after
        self._counting = threading.Lock()
        client.meta.events.register("before-send.sns.PublishBatch", self._answer)  # type: ignore[arg-type]  # what a handler returns is sent back

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        time.sleep(ANSWER_SECONDS)
        with self._counting:
            self._requests += 1
            if self._kills_after is not None and self._requests > self._kills_after:
                raise Killed
            assert isinstance(request.body, str)
            self.taken += request.body.count(".Id=")
        headers = HTTPHeaders()
        headers["Content-Type"] = "text/xml"
        return AWSResponse(request.url, 200, headers, _Body())


class _Body:
    """What botocore reads an answer from."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield _TAKEN
