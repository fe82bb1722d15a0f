"""Documents of the Cloud Controller API, version 3."""

from datetime import datetime

from tools.local_cloud.behaviours import SimulatedInstance

PATH = "/v3/service_instances"


def backup_document(guid: str, created_at: object) -> dict[str, object]:
    """An entry of the list of backups."""
    return {"id": f"{guid}_{created_at}", "created_at": created_at}


def root_document(url: str) -> dict[str, object]:
    """GET /: everything is under one address."""
    links = {name: {"href": url} for name in ("self", "login", "uaa")}
    version = {"href": f"{url}/v3", "meta": {"version": "3.228.0"}}
    return {"links": links | {"cloud_controller_v3": version}}


def resource_document(instance: SimulatedInstance, external_url: str) -> dict[str, object]:
    """A service instance, as GET /v3/service_instances/{guid} has it, and the list."""
    plan = instance.plan
    space_guid = instance.space.guid
    relationships: dict[str, object] = {"space": {"data": {"guid": space_guid}}}
    itself = f"{PATH}/{instance.guid}"
    links = {"self": itself, "space": f"/v3/spaces/{space_guid}"}
    if plan is None:
        special: dict[str, object] = {
            "type": "user-provided",
            "syslog_drain_url": None,
            "route_service_url": None,
        }
        links["credentials"] = f"{itself}/credentials"
    else:
        special = {
            "type": "managed",
            "maintenance_info": {},
            "upgrade_available": False,
            "dashboard_url": None,
        }
        relationships["service_plan"] = {"data": {"guid": plan.guid}}
        links["service_plan"] = f"/v3/service_plans/{plan.guid}"
        links["parameters"] = f"{itself}/parameters"
        links["shared_spaces"] = f"{itself}/relationships/shared_spaces"
    return {
        "guid": instance.guid,
        "created_at": _time(instance.created_at),
        "updated_at": _time(instance.updated_at or instance.created_at),
        "name": instance.name,
        "tags": [],
        "last_operation": _last_operation(instance),
        **special,
        "relationships": relationships,
        "metadata": {"labels": dict(instance.labels), "annotations": {}},
        "links": {name: {"href": f"{external_url}{path}"} for name, path in links.items()},
    }


def _last_operation(instance: SimulatedInstance) -> dict[str, object]:
    operation = instance.last_operation
    if operation is None:
        return {}
    moment = _time(operation.updated_at or instance.created_at)
    return {
        "type": operation.type,
        "state": operation.state,
        "description": operation.description,
        "updated_at": moment,
        "created_at": moment,
    }


def _time(moment: datetime) -> str:
    return moment.isoformat()[:19] + "Z"
