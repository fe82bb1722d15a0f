"""The local cloud lists service instances as the real Cloud Controller does."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
import pytest

from tools.local_cloud.api import Meanwhile, SimulatedApi
from tools.local_cloud.behaviours import NOT_FOUND, Backups, SimulatedInstance
from tools.local_cloud.foundation import LastOperation
from tools.local_cloud.instance_table import InstanceTable
from tools.local_cloud.places import plan, space
from tools.local_cloud.query import NO_MAXIMUM
from tools.local_cloud.replies import Reply
from tools.local_cloud.request import Request
from tools.local_cloud.roles import ADMIN_READ_ONLY, GLOBAL_AUDITOR, Role, reader_of
from tools.local_cloud.uaa import SimulatedUaa

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
SHOP, GRID, CHAOS = space("prod-eu", "shop"), space("prod-eu", "grid"), space("lab", "chaos")
SMALL, GOLD = plan("p.mysql", "db-small"), plan("postgres", "db-gold-large")
FIELDS = {
    "fields[space]": "guid,name,relationships.organization",
    "fields[space.organization]": "guid,name",
    "fields[service_plan]": "guid,name,relationships.service_offering",
    "fields[service_plan.service_offering]": "guid,name,relationships.service_broker",
    "fields[service_plan.service_offering.service_broker]": "guid,name",
}


def instance(guid: str, **special: Any) -> SimulatedInstance:  # noqa: ANN401
    usual = {"name": guid, "created_at": NOON, "behaviour": Backups(()), "space": SHOP}
    return SimulatedInstance(guid=guid, **{**usual, "plan": SMALL, **special})


def created(guid: str, seconds: float, **special: Any) -> SimulatedInstance:  # noqa: ANN401
    return instance(guid, created_at=NOON + timedelta(seconds=seconds), **special)


class Api:
    """The simulated API with a token, without HTTP."""

    def __init__(
        self,
        instances: Sequence[SimulatedInstance],
        role: Role = GLOBAL_AUDITOR,
        *,
        max_total_results: int = NO_MAXIMUM,
        meanwhile: Meanwhile = lambda _: None,
    ) -> None:
        uaa = SimulatedUaa({"us": "secret"}, role, lifetime=60, monotonic=lambda: 0)
        self.token = json.loads(uaa.grant(FORM, None).body)
        self.table = InstanceTable(instances)
        self._api = SimulatedApi(
            self.table,
            uaa,
            lambda _: None,
            external_url="https://api.foundation.test",
            max_total_results=max_total_results,
            meanwhile=meanwhile,
        )

    def get(self, target: str) -> Reply:
        reply = self._api.reply(
            Request(
                url="http://127.0.0.1:1",
                method="GET",
                target=target,
                authorization=f"bearer {self.token['access_token']}",
                body=b"",
            )
        )
        assert reply
        return reply

    def listed(self, **query: object) -> dict[str, Any]:
        """The document of a page; `__` in a key stands for brackets."""
        reply = self.get(f"/v3/service_instances?{urlencode(_spelled(query))}")
        document: dict[str, Any] = json.loads(reply.body)
        assert reply.status == 200, document
        return document

    def guids(self, **query: object) -> list[str]:
        return [resource["guid"] for resource in self.listed(**query)["resources"]]

    def refused(self, **query: object) -> str:
        """The detail of the refusal, without what each begins with."""
        reply = self.get(f"/v3/service_instances?{urlencode(_spelled(query))}")
        (error,) = json.loads(reply.body)["errors"]
        assert (reply.status, error["code"], error["title"]) == (400, 10005, "CF-BadQueryParameter")
        detail: str = error["detail"]
        assert detail.startswith("The query parameter is invalid: ")
        return detail.removeprefix("The query parameter is invalid: ")


FORM = {"grant_type": "client_credentials", "client_id": "us", "client_secret": "secret"}


def _spelled(query: dict[str, object]) -> dict[str, object]:
    """`created_ats__gte` is created_ats[gte]."""
    return {
        key if "__" not in key else f"{key.partition('__')[0]}[{key.partition('__')[2]}]": value
        for key, value in query.items()
    }


FOUR = [
    instance("a", name="orders", plan=GOLD),
    instance("b", name="billing", space=GRID),
    instance("c", name="sessions", plan=None),
    instance("d", name="chaos", space=CHAOS, shared_into=(SHOP,)),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, "abcd"),
        ({"names": "orders,chaos"}, "ad"),
        ({"names": "ORDERS"}, "a"),  # capitals and small letters are one to the database
        ({"names": "nobody"}, ""),
        ({"guids": "d,a,zzz"}, "ad"),
        ({"type": "managed"}, "abd"),
        ({"type": "user-provided"}, "c"),
        ({"space_guids": GRID.guid}, "b"),
        ({"space_guids": SHOP.guid}, "acd"),  # d is shared into it
        ({"organization_guids": CHAOS.org.guid}, "d"),
        ({"organization_guids": SHOP.org.guid}, "abcd"),
        ({"service_plan_guids": GOLD.guid}, "a"),
        ({"service_plan_names": "db-small"}, "bd"),
        ({"service_plan_names": "db-small", "names": "billing"}, "b"),
    ],
)
def test_a_filter_finds_what_it_names(query: dict[str, str], found: str) -> None:
    assert "".join(Api(FOUR).guids(**query)) == found


def test_a_comma_within_a_value_is_encoded_twice() -> None:
    api = Api([instance("a", name="one,two"), instance("b", name="one")])

    assert api.guids(names="one%2Ctwo") == ["a"]
    assert api.guids(names="one,two") == ["b"]


LABELLED = [
    instance("a", labels={"tier": "gold"}),
    instance("b", labels={"tier": "scratch", "env": "prod"}),
    instance("c", labels={}),
]


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("tier", "ab"),
        ("!tier", "c"),
        ("tier=gold", "a"),
        ("tier==gold", "a"),
        ("tier!=gold", "bc"),
        ("tier in (gold,scratch)", "ab"),
        ("tier notin (gold)", "bc"),
        ("tier,env=prod", "b"),
        ("tier notin (gold),!env", "c"),
        ("tier=", ""),  # no value at all, as the real one has it
    ],
)
def test_a_label_selector_takes_six_forms(selector: str, found: str) -> None:
    assert "".join(Api(LABELLED).guids(label_selector=selector)) == found


@pytest.mark.parametrize(
    ("selector", "fault"),
    [
        ("", "Missing label_selector value"),
        ("env in prod", "Invalid label_selector value"),
        ("tier in (gold, scratch)", "' scratch' contains invalid characters"),
        ("backup-audit/max-age", "prefix 'backup-audit' must be in valid dns format"),
        ("-tier=gold", "'-tier' starts or ends with invalid characters"),
        (f"{'t' * 64}", "'tttttttt...' is greater than 63 characters"),
    ],
)
def test_a_label_selector_with_a_fault_is_refused(selector: str, fault: str) -> None:
    assert Api(LABELLED).refused(label_selector=selector) == fault


@pytest.mark.parametrize(("count", "is_taken"), [(49, True), (50, True), (51, False)])
def test_a_label_selector_has_fifty_requirements_at_most(count: int, *, is_taken: bool) -> None:
    api = Api(LABELLED)
    selector = ",".join(["!other"] * count)

    if is_taken:
        assert api.guids(label_selector=selector) == ["a", "b", "c"]
    else:
        fault = "Too many label_selector requirements (maximum is 50)"
        assert api.refused(label_selector=selector) == fault


@pytest.mark.parametrize(
    "labels",
    [
        {"backup-audit/max-age": "4h"},
        {"backup-audit.max-age": "4 h"},
        {"backup-audit.max-age": "4h."},
        {"x" * 64: ""},
        {"": "x"},
    ],
)
def test_an_instance_has_no_label_that_the_cloud_controller_refuses(labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^label (key|value) error: "):
        instance("a", labels=labels)


SECONDS = [created("c", 0.9), created("a", 1.0), created("b", 1.999999), created("d", 2.0)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"created_ats__gte": "2026-01-31T12:00:01Z"}, "abd"),
        ({"created_ats__gt": "2026-01-31T12:00:01Z"}, "d"),
        ({"created_ats__lt": "2026-01-31T12:00:01Z"}, "c"),
        ({"created_ats__lte": "2026-01-31T12:00:01Z"}, "cab"),
        ({"created_ats": "2026-01-31T12:00:01Z"}, "ab"),
        ({"created_ats": "2026-01-31T12:00:00Z,2026-01-31T12:00:02Z"}, "cd"),
        (
            {
                "created_ats__gt": "2026-01-31T12:00:00Z",
                "created_ats__lt": "2026-01-31T12:00:02Z",
            },
            "ab",
        ),
        ({"updated_ats__gt": "2026-01-31T12:00:01Z"}, "d"),
    ],
)
@pytest.mark.parametrize("order", [{}, {"order_by": "created_at"}])
def test_a_time_stands_for_its_whole_second(
    query: dict[str, str], order: dict[str, str], found: str
) -> None:
    assert "".join(Api(SECONDS).guids(**query, **order)) == found


ORDERED = [
    created("b", 5, name="x"),
    created("a", 5, name="y", updated_at=NOON + timedelta(days=1)),
    created("c", 1, name="x"),
]


@pytest.mark.parametrize(
    ("order", "found"),
    [
        (None, "bac"),  # by id
        ("created_at", "cab"),
        ("+created_at", "cab"),
        ("-created_at", "bac"),
        ("updated_at", "cba"),
        ("name", "bca"),
        ("-name", "acb"),
    ],
)
def test_the_order_is_by_guid_where_it_is_equal(order: str | None, found: str) -> None:
    query = {} if order is None else {"order_by": order}

    assert "".join(Api(ORDERED).guids(**query)) == found


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"per_page": 0}, "Per page must be a positive integer"),
        ({"per_page": "abc"}, "Per page must be a positive integer"),
        ({"per_page": 5001}, "Per page must be between 1 and 5000"),
        ({"page": 0}, "Page must be a positive integer"),
        ({"order_by": "guid"}, "Order by can only be: 'created_at', 'updated_at', 'name'"),
        ({"type": "shared"}, "Type must be one of 'managed', 'user-provided'"),
        (
            {"created_ats__gte": "2026-01-31"},
            (
                "Created ats has an invalid timestamp format. "
                "Timestamps should be formatted as 'YYYY-MM-DDThh:mm:ssZ'"
            ),
        ),
        (
            {"updated_ats__from": "2026-01-31T12:00:00Z"},
            "Updated ats Invalid relational operator: 'from'",
        ),
        (
            {"created_ats__lt": "2026-01-31T12:00:00Z,2026-01-31T12:00:00Z"},
            "Created ats only accepts one value when using a relational operator",
        ),
        ({"fields": "name"}, "Fields must be an object"),
        (
            {"fields__space": "name,labels"},
            ("Fields valid keys for 'space' are: 'guid', 'name', 'relationships.organization'"),
        ),
        (
            {"include": "space"},
            (
                "Unknown query parameter(s): 'include'. Valid parameters are: 'page', 'per_page', "
                "'order_by', 'created_ats', 'updated_ats', 'guids', 'type', 'fields', 'names', "
                "'space_guids', 'organization_guids', 'service_plan_guids', 'service_plan_names', "
                "'label_selector'"
            ),
        ),
        (
            {"fields__labels": "name"},
            (
                "Fields [labels] valid resources are: 'space', 'space.organization', "
                "'service_plan', 'service_plan.service_offering', "
                "'service_plan.service_offering.service_broker'"
            ),
        ),
        (
            {"per_page": 0, "type": "x"},
            "Per page must be a positive integer, Type must be one of 'managed', 'user-provided'",
        ),
    ],
)
def test_a_query_with_a_fault_is_refused_in_the_real_words(
    query: dict[str, str], fault: str
) -> None:
    assert Api(FOUR).refused(**query) == fault


@pytest.mark.parametrize(("per_page", "is_taken"), [(4999, True), (5000, True), (5001, False)])
def test_a_page_has_five_thousand_instances_at_most(per_page: int, *, is_taken: bool) -> None:
    reply = Api([]).get(f"/v3/service_instances?per_page={per_page}")

    assert (reply.status == 200) is is_taken


@pytest.mark.parametrize(("page", "is_taken"), [(4, True), (5, True), (6, False)])
def test_a_deployment_may_refuse_deep_pages(page: int, *, is_taken: bool) -> None:
    api = Api(FOUR, max_total_results=10)

    if is_taken:
        assert api.listed(page=page, per_page=2)["resources"] == []
    else:
        fault = "Maximum result (page * per_page) must be less than 10"
        assert api.refused(page=page, per_page=2) == fault


def test_a_page_has_fifty_instances_unless_it_is_said_how_many() -> None:
    api = Api([instance(f"{number:03d}") for number in range(120)])

    pages = [api.listed(page=page)["pagination"] for page in (1, 2, 3)]

    assert [page["total_results"] for page in pages] == [120, 120, 120]
    assert [page["total_pages"] for page in pages] == [3, 3, 3]
    assert [page["next"] is None for page in pages] == [False, False, True]
    assert [page["previous"] is None for page in pages] == [True, False, False]
    assert len(api.guids(page=3)) == 20


def test_an_empty_list_has_one_page_and_a_page_behind_the_last_has_no_total() -> None:
    assert Api([]).listed()["pagination"]["total_pages"] == 1

    behind = Api(FOUR).listed(page=2)

    assert behind["resources"] == []
    assert behind["pagination"]["total_results"] == 0
    assert behind["pagination"]["next"] is None


def test_a_link_names_the_external_host_without_a_port_and_keeps_the_query() -> None:
    api = Api(FOUR)
    query = {"per_page": 1, "order_by": "created_at", "names": "orders,billing", **FIELDS}

    href = api.listed(**query, created_ats__gte="2026-01-01T00:00:00Z")["pagination"]["next"][
        "href"
    ]

    link = urlsplit(href)
    assert (link.scheme, link.netloc, link.path) == (
        "https",
        "api.foundation.test",
        "/v3/service_instances",
    )
    assert link.query.split("&") == sorted(link.query.split("&"))
    assert dict(parse_qsl(link.query)) == {
        **query,
        "per_page": "1",
        "page": "2",
        "order_by": "+created_at",
        "created_ats[gte]": "2026-01-01T00:00:00Z",
    }
    second = json.loads(api.get(f"{link.path}?{link.query}").body)
    assert [resource["guid"] for resource in second["resources"]] == ["b"]


def test_a_page_includes_what_its_instances_use_and_nothing_else() -> None:
    api = Api([*FOUR, instance("e", space=space("prod-us", "shop"))])

    included = api.listed(guids="a,b", **FIELDS)["included"]

    assert included["organizations"] == [{"guid": SHOP.org.guid, "name": "prod-eu"}]
    assert sorted(one["name"] for one in included["spaces"]) == ["grid", "shop"]
    assert {one["relationships"]["organization"]["data"]["guid"] for one in included["spaces"]} == {
        SHOP.org.guid
    }
    plans = {one["name"]: one["relationships"] for one in included["service_plans"]}
    assert plans["db-small"]["service_offering"]["data"]["guid"] == SMALL.offering.guid
    assert {one["name"] for one in included["service_offerings"]} == {"p.mysql", "postgres"}
    assert {one["name"] for one in included["service_brokers"]} == {
        "dedicated-mysql-broker",
        "postgres-odb",
    }


def test_a_page_without_a_managed_instance_includes_neither_plans_nor_offerings() -> None:
    api = Api(FOUR)

    assert set(api.listed(guids="c", **FIELDS)["included"]) == {"spaces", "organizations"}
    assert "included" not in api.listed(guids="c", **{"fields[service_plan]": "guid"})
    assert "included" not in api.listed(guids="a")


def test_an_instance_is_shown_as_its_type_is() -> None:
    labelled = instance("a", labels={"team": "orders"}, last_operation=None)
    busy = instance(
        "b", last_operation=LastOperation("update", "in progress", NOON + timedelta(hours=1))
    )

    managed, updated, ours = Api([labelled, busy, instance("c", plan=None)]).listed()["resources"]

    assert managed["type"] == "managed"
    assert managed["metadata"]["labels"] == {"team": "orders"}
    assert managed["last_operation"] == {}
    assert managed["relationships"]["service_plan"]["data"]["guid"] == SMALL.guid
    assert updated["last_operation"]["type"] == "update"
    assert updated["last_operation"]["state"] == "in progress"
    assert updated["last_operation"]["updated_at"] == "2026-01-31T13:00:00Z"
    assert ours["type"] == "user-provided"
    assert "service_plan" not in ours["relationships"]
    assert ours["created_at"] == ours["updated_at"] == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize("role", [GLOBAL_AUDITOR, ADMIN_READ_ONLY])
def test_a_role_over_the_whole_foundation_sees_all_and_its_token_says_so(role: Role) -> None:
    api = Api(FOUR, role)

    assert api.token["scope"] == role.scope
    assert api.guids() == ["a", "b", "c", "d"]


def test_a_role_in_spaces_sees_what_is_there_or_is_shared_into_them() -> None:
    api = Api(FOUR, reader_of(SHOP))

    document = api.listed(**FIELDS)

    assert api.token["scope"] == "cloud_controller.read"
    assert [resource["guid"] for resource in document["resources"]] == ["a", "c", "d"]
    assert document["pagination"]["total_results"] == 3
    names = {one["guid"]: one.get("name") for one in document["included"]["spaces"]}
    assert names == {SHOP.guid: "shop", CHAOS.guid: None}
    names = {one["guid"]: one.get("name") for one in document["included"]["organizations"]}
    assert names == {SHOP.org.guid: "prod-eu", CHAOS.org.guid: None}


@pytest.mark.parametrize(
    ("guid", "one", "backups"), [("a", 200, 200), ("b", 404, 404), ("d", 200, 403)]
)
def test_what_a_role_does_not_see_is_not_there_in_any_request(
    guid: str, one: int, backups: int
) -> None:
    api = Api(FOUR, reader_of(SHOP))

    assert api.get(f"/v3/service_instances/{guid}").status == one
    assert api.get(f"/v3/service_instances/{guid}/backups").status == backups


@pytest.mark.parametrize(
    ("scope", "status", "code"),
    [("cloud_controller.write", 403, 10003), ("uaa.none", 401, 1000)],
)
def test_a_token_without_the_scope_to_read_is_turned_away(
    scope: str, status: int, code: int
) -> None:
    reply = Api(FOUR, Role(scope)).get("/v3/service_instances")

    assert (reply.status, json.loads(reply.body)["errors"][0]["code"]) == (status, code)


def test_one_instance_may_be_asked_for_with_its_names() -> None:
    api = Api(FOUR)

    reply = api.get(f"/v3/service_instances/a?{urlencode({'fields[space]': 'name'})}")
    refused = api.get(f"/v3/service_instances/a?{urlencode({'fields[space]': 'labels'})}")

    assert json.loads(reply.body)["included"] == {"spaces": [{"name": "shop"}]}
    assert refused.status == 400


def test_an_instance_that_is_gone_is_in_no_list() -> None:
    assert Api([*FOUR, instance("e", behaviour=NOT_FOUND)]).guids() == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("length", "status"), [(8191, 200), (8192, 200), (8193, 414)])
def test_a_request_line_over_nginxs_buffer_gets_a_page_for_people(length: int, status: int) -> None:
    target = "/v3/service_instances?names="
    rest = length - len(f"GET {target} HTTP/1.1\r\n")

    reply = Api(FOUR).get(target + "x" * rest)

    assert reply.status == status
    assert reply.content_type.startswith("text/html" if status == 414 else "application/json")


def test_rows_may_come_and_go_between_two_pages() -> None:
    def meanwhile(table: InstanceTable) -> None:
        times.append(None)
        if len(times) == 2:
            table.delete("001")
            table.put(instance("new"))
            table.put(msgspec.structs.replace(instance("000"), name="renamed"))

    times: list[None] = []
    api = Api([instance(f"{number:03d}") for number in range(6)], meanwhile=meanwhile)

    pages = [api.guids(page=page, per_page=2) for page in (1, 2, 3)]

    assert pages == [["000", "001"], ["003", "004"], ["005", "new"]]
    assert api.guids(names="renamed") == ["000"]


@pytest.mark.exhaustive
def test_a_hundred_thousand_instances_are_listed_by_creation_in_pages() -> None:
    table = [created(f"{number:06d}", number // 3) for number in range(100_000)]
    api = Api(table)

    last = api.listed(
        order_by="created_at",
        type="managed",
        per_page=1000,
        created_ats__gte="2026-01-31T18:00:00Z",
    )

    assert len(last["resources"]) == 1000
    assert last["pagination"]["total_results"] == 100_000 - 3 * 6 * 3600
