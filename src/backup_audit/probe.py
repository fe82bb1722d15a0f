"""The engine: asks the API for many instances at the same time.

A fixed number of workers, in the order of the configuration. Pacing, adaptive concurrency and
streaming belong here when they come.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from backup_audit.domain.configuration import Instance
from backup_audit.domain.evidence import BackupList, Cause, Evidence, Refusal, Silence
from backup_audit.errors import ApiUnreachable, AuditError, CredentialsRefused
from backup_audit.ports import BackupApi, Telemetry

# Instances that may come to nothing before the first that does not; then the API is down for all,
# and asking on would only cost the run its time.
GIVE_UP_AFTER = 32


def probe(
    instances: Sequence[Instance], api: BackupApi, telemetry: Telemetry, *, workers: int
) -> Iterator[tuple[Instance, Evidence]]:
    """Yield every instance with its evidence, in order.

    Raises CredentialsRefused or ApiUnreachable if the API answers for no instance at all.
    """
    answered = False
    fruitless: list[Evidence] = []
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="probe") as pool:
        evidences = pool.map(lambda instance: _ask(instance, api), instances)
        for done, (instance, evidence) in enumerate(zip(instances, evidences, strict=True), 1):
            answered = answered or _is_answer(evidence)
            if not answered and _was_asked(evidence):
                fruitless.append(evidence)
                if len(fruitless) >= GIVE_UP_AFTER:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise _failure(fruitless)
            telemetry.progressed(done, len(instances))
            yield instance, evidence
    if not answered and fruitless:
        raise _failure(fruitless)


def _ask(instance: Instance, api: BackupApi) -> Evidence:
    """List the backups; where a grace may excuse that there are none, ask for the age too."""
    evidence = api.list_backups(instance.guid)
    answer = evidence.answer
    if not isinstance(answer, BackupList) or answer.backups or not instance.policy.grace:
        return evidence
    created_at = api.instance_created_at(instance.guid)
    return msgspec.structs.replace(
        evidence, answer=msgspec.structs.replace(answer, instance_created_at=created_at)
    )


def _is_answer(evidence: Evidence) -> bool:
    """Whether the Cloud Controller itself answered, and not only to turn us away."""
    match evidence.answer:
        case BackupList():
            return True
        case Refusal(code=code):
            return code is not None and evidence.status not in (401, 429, 503)
        case _:
            return False


def _was_asked(evidence: Evidence) -> bool:
    answer = evidence.answer
    return not (isinstance(answer, Silence) and answer.cause is Cause.NOT_REACHED)


def _failure(fruitless: Sequence[Evidence]) -> AuditError:
    refused = [evidence for evidence in fruitless if evidence.status == 401]
    if refused:
        return CredentialsRefused(
            f"the Cloud Controller refused our token for all {len(fruitless)} instances asked "
            f"({_said(refused[0])}): check the secret, and that the client has "
            "cloud_controller.global_auditor or cloud_controller.admin_read_only"
        )
    return ApiUnreachable(
        f"none of the {len(fruitless)} instances asked got an answer from the Cloud Controller "
        f"(the first: {_said(fruitless[0])}): check CF_API_URL, the network and the API's health"
    )


def _said(evidence: Evidence) -> str:
    match evidence.answer:
        case Refusal(code=code, title=title):
            named = f" {title} {code}" if code is not None else ""
            return f"HTTP {evidence.status}{named}"
        case Silence(detail=detail):
            return detail
        case BackupList():
            return "a list"
