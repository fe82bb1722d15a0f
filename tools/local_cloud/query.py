"""The query of the list of service instances, read as the Cloud Controller reads it."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlencode

import msgspec

from tools.local_cloud.labels import Requirement, parse_selector

PER_PAGE_DEFAULT, PER_PAGE_MAX = 50, 5_000
NO_MAXIMUM = 2**63 - 1  # page * per_page, unless a deployment sets renderer.max_total_results

_LISTS = (
    "names",
    "space_guids",
    "organization_guids",
    "service_plan_guids",
    "service_plan_names",
)
_TIMES = ("created_ats", "updated_ats")
_KEYS = ("page", "per_page", "order_by", *_TIMES, "guids", "type", "fields", *_LISTS)
_KNOWN = (*_KEYS, "label_selector")
_ORDERS = ("created_at", "updated_at", "name")
_TYPES = ("managed", "user-provided")

_OFFERING = ("name", "guid", "description", "documentation_url", "tags")
_BROKER = "service_plan.service_offering.service_broker"
FIELDS_OF_A_LIST: Mapping[str, Collection[str]] = {
    "space": ("guid", "name", "relationships.organization"),
    "space.organization": ("name", "guid"),
    "service_plan": ("guid", "name", "relationships.service_offering"),
    "service_plan.service_offering": (*_OFFERING, "relationships.service_broker"),
    _BROKER: ("name", "guid"),
}
FIELDS_OF_ONE: Mapping[str, Collection[str]] = {
    "space": ("name", "guid"),
    "space.organization": ("name", "guid"),
    "service_plan": ("name", "guid"),
    "service_plan.service_offering": ("name", "guid", "description", "tags", "documentation_url"),
    _BROKER: ("name", "guid"),
}

_NESTED = re.compile(r"([^\[]*)\[([^\]]*)\]")
_TIMESTAMP = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z")
_SECOND = timedelta(seconds=1)  # what the API shows of a time; the database has more
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)

Fields = Mapping[str, frozenset[str]]
Span = tuple[datetime, datetime]  # from, and up to but not with


class BadQuery(Exception):
    """What is wrong with a query, in the API's words."""


class ListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query without faults. None: any value will do.

    `link` is the query of the links to other pages, all but the page.
    """

    page: int
    per_page: int
    order_by: str
    descending: bool
    type: str | None
    lists: Mapping[str, frozenset[str]]
    guids: tuple[str, ...] | None
    spans: Mapping[str, tuple[Span, ...]]
    requirements: tuple[Requirement, ...]
    fields: Fields
    link: Mapping[str, str]

    def href(self, page: int) -> str:
        """The query of the link to a page, as Rails writes it: sorted."""
        pairs = {**self.link, "page": str(page)}.items()
        return "&".join(sorted(urlencode([pair], safe="*") for pair in pairs))


def parse_list_query(query: Mapping[str, str], max_total_results: int = NO_MAXIMUM) -> ListQuery:
    """Read a query; raise BadQuery with all its faults, ValueError for the 30th of February."""
    given = _by_key(query)
    requirements, selector_faults = _requirements(given)
    faults = [
        *_page_faults(given, max_total_results),
        *_order_faults(given),
        *(fault for key in _TIMES for fault in _time_faults(key, given.get(key))),
        *selector_faults,
        *_unknown(given, _KNOWN),
        *_type_faults(given),
        *_fields_faults(given, FIELDS_OF_A_LIST),
    ]
    if faults:
        raise BadQuery(", ".join(faults))
    order = str(given.get("order_by", ""))
    return ListQuery(
        page=_integer(given, "page") or 1,
        per_page=_integer(given, "per_page") or PER_PAGE_DEFAULT,
        order_by=order.lstrip("+-") or "id",
        descending=order.startswith("-"),
        type=_text(given, "type"),
        lists={key: frozenset(_split(str(given[key]))) for key in _LISTS if key in given},
        guids=tuple(dict.fromkeys(_split(str(given["guids"])))) if "guids" in given else None,
        spans={f"{key[:-1]}": _spans(given[key]) for key in _TIMES if key in given},
        requirements=tuple(requirements),
        fields=_fields(given),
        link=_link(given),
    )


def parse_fields(query: Mapping[str, str]) -> Fields:
    """The fields that are asked for with one instance; raise BadQuery."""
    given = _by_key(query)
    faults = [*_unknown(given, ("fields",)), *_fields_faults(given, FIELDS_OF_ONE)]
    if faults:
        raise BadQuery(", ".join(faults))
    return _fields(given)


_Given = Mapping[str, str | dict[str, str]]


def _by_key(query: Mapping[str, str]) -> _Given:
    """The query with `fields[space]=guid` as a value of its key, as Rack has it."""
    given: dict[str, str | dict[str, str]] = {}
    for name, value in query.items():
        nested = _NESTED.fullmatch(name)
        if nested is None:
            given[name] = value
            continue
        key, inner = nested.groups()
        known = given.get(key)
        given[key] = {**(known if isinstance(known, dict) else {}), inner: value}
    return given


def _text(given: _Given, key: str) -> str | None:
    value = given.get(key)
    return value if isinstance(value, str) else None


def _integer(given: _Given, key: str) -> int:
    """As Ruby's to_i has it: what cannot be read is 0."""
    found = re.match(r"\s*[+-]?[0-9]+", str(given.get(key, "")))
    return int(found[0]) if found else 0


def _split(text: str) -> list[str]:
    """The values of a list; a comma within one is encoded twice."""
    return [unquote(value) for value in re.split(r",\s*", text)]


def _page_faults(given: _Given, max_total_results: int) -> list[str]:
    faults = []
    page, per_page = (_integer(given, key) for key in ("page", "per_page"))
    if "page" in given and page <= 0:
        faults.append("Page must be a positive integer")
    if "per_page" in given and per_page <= 0:
        faults.append("Per page must be a positive integer")
    if per_page > PER_PAGE_MAX:
        faults.append(f"Per page must be between 1 and {PER_PAGE_MAX}")
    is_given = "page" in given or "per_page" in given
    if is_given and (page or 1) * (per_page or PER_PAGE_DEFAULT) > max_total_results:
        faults.append(f"Maximum result (page * per_page) must be less than {max_total_results}")
    return faults


def _order_faults(given: _Given) -> list[str]:
    order = given.get("order_by", "")
    if not order or re.fullmatch(rf"[+-]?({'|'.join(_ORDERS)})", str(order)):
        return []
    return ["Order by can only be: " + _quoted(_ORDERS)]


def _time_faults(key: str, value: str | dict[str, str] | None) -> list[str]:
    name = key.capitalize().replace("_", " ")
    if value is None:
        return []
    if isinstance(value, str):
        return [_bad_time(name) for one in _split(value) if not _TIMESTAMP.fullmatch(one)]
    faults = []
    for operator, moment in value.items():
        if operator not in ("lt", "lte", "gt", "gte"):
            faults.append(f"{name} Invalid relational operator: '{operator}'")
        if "," in moment:
            faults.append(f"{name} only accepts one value when using a relational operator")
        elif not _TIMESTAMP.fullmatch(moment):
            faults.append(_bad_time(name))
    return faults


def _bad_time(name: str) -> str:
    return (
        f"{name} has an invalid timestamp format. "
        "Timestamps should be formatted as 'YYYY-MM-DDThh:mm:ssZ'"
    )


def _requirements(given: _Given) -> tuple[list[Requirement], list[str]]:
    if "label_selector" not in given:
        return [], []
    return parse_selector(str(given["label_selector"]))


def _unknown(given: _Given, known: Collection[str]) -> list[str]:
    unknown = [key for key in given if key not in known]
    if not unknown:
        return []
    valid = f"Valid parameters are: {_quoted(known)}"
    return [f"Unknown query parameter(s): {_quoted(unknown)}. {valid}"]


def _type_faults(given: _Given) -> list[str]:
    if given.get("type", "managed") in _TYPES:
        return []
    return ["Type must be one of " + _quoted(_TYPES)]


def _fields_faults(given: _Given, allowed: Mapping[str, Collection[str]]) -> list[str]:
    fields = given.get("fields", {})
    if isinstance(fields, str):
        return ["Fields must be an object"]
    faults = []
    for resource, keys in fields.items():
        if resource not in allowed:
            faults.append(f"Fields [{resource}] valid resources are: {_quoted(allowed)}")
        elif not set(_split(keys)) <= set(allowed[resource]):
            listed = _quoted(allowed[resource])
            faults.append(f"Fields valid keys for '{resource}' are: {listed}")
    return faults


def _fields(given: _Given) -> Fields:
    fields = given.get("fields", {})
    assert isinstance(fields, dict)
    return {resource: frozenset(_split(keys)) for resource, keys in fields.items()}


def _spans(value: str | dict[str, str]) -> tuple[Span, ...]:
    """Each time stands for its whole second; relational operators are joined by AND."""
    if isinstance(value, str):
        moments = map(datetime.fromisoformat, _split(value))
        return tuple((moment, moment + _SECOND) for moment in moments)
    begin, end = _BEGINNING, _END
    for operator, text in value.items():
        moment = datetime.fromisoformat(text)
        match operator:
            case "gt":
                begin = max(begin, moment + _SECOND)
            case "gte":
                begin = max(begin, moment)
            case "lt":
                end = min(end, moment)
            case _:
                end = min(end, moment + _SECOND)
    return ((begin, end),)


def _link(given: _Given) -> dict[str, str]:
    link = {"per_page": str(_integer(given, "per_page") or PER_PAGE_DEFAULT)}
    order = given.get("order_by")
    if order:
        text = str(order)
        link["order_by"] = text if text[0] in "+-" else f"+{text}"
    for key, value in given.items():
        if key in ("page", "per_page", "order_by"):
            continue
        if isinstance(value, dict):
            link |= {f"{key}[{inner}]": ",".join(_split(one)) for inner, one in value.items()}
        elif key in ("type", "label_selector"):
            link[key] = value
        else:
            link[key] = ",".join(one.replace(",", "%2C") for one in _split(value))
    return link


def _quoted(values: Collection[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)
