"""Documents of the Cloud Controller API, version 3."""

from tools.local_cloud.behaviours import SimulatedInstance


def backup_document(guid: str, created_at: object) -> dict[str, object]:
    """An entry of the list of backups."""
    return {"id": f"{guid}_{created_at}", "created_at": created_at}


def root_document(url: str) -> dict[str, object]:
    """GET /: everything is under one address."""
    links = {name: {"href": url} for name in ("self", "login", "uaa")}
    version = {"href": f"{url}/v3", "meta": {"version": "3.228.0"}}
    return {"links": links | {"cloud_controller_v3": version}}


def resource_document(instance: SimulatedInstance) -> dict[str, object]:
    """GET /v3/service_instances/{guid}."""
    created_at = f"{instance.created_at:%Y-%m-%dT%H:%M:%SZ}"
    return {
        "guid": instance.guid,
        "created_at": created_at,
        "updated_at": created_at,
        "type": "managed",
        "name": instance.name,
        "tags": [],
        "upgrade_available": False,
        "last_operation": {
            "type": "create",
            "state": "succeeded",
            "description": "",
            "created_at": created_at,
            "updated_at": created_at,
        },
        "relationships": {
            "space": {"data": {"guid": "5a84d315-9513-4d74-95e5-f6a5501eeef7"}},
            "service_plan": {"data": {"guid": "5358d122-638e-11ea-afca-bf6e756684ac"}},
        },
        "metadata": {"labels": {}, "annotations": {}},
    }
