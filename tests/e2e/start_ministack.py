"""Starts ministack 1.5.33 with eight of its gaps closed; runs in the environment `.venv-e2e`.

What ministack does otherwise than AWS, and what is put in its place:

conditions   functions within a condition (Sub, Split, Join, a Select over them) are compared as
             they are written, so that every such condition is false; they are resolved first,
             by ministack's own resolver
schedules    the keyword <aws.scheduler.scheduled-time> is sent as it is written; it is replaced
             (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html)
permissions  PublishBatch asks for sns:PublishBatch, which does not exist; sns:Publish grants both
             (https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html)
queries      saved Logs Insights queries are no resource that it knows; they are taken and forgotten
alarms       one over metric math is refused; it is taken and forgotten, and the others are made
names        a topic or log group without a name has the same one in the next stack of that name;
             it gets a new one with each stack
machines     a state machine is made over another's of the same name; that is refused
port 443     with TLS it listens there too; it does not
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from ministack import app
from ministack.core import iam_actions
from ministack.services import eventbridge, stepfunctions
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

Template = dict[str, Any]

_FUNCTIONS = {"Fn::Join", "Fn::Select", "Fn::Split", "Fn::Sub"}

_evaluate = engine._evaluate_conditions
_invoke = eventbridge._invoke_target
_extract = iam_actions.extract_iam_action


def resolve_then_evaluate(template: Template, parameters: Template) -> dict[str, bool]:
    """Whether each condition holds."""
    conditions = _resolved(template.get("Conditions", {}), parameters)
    evaluated: dict[str, bool] = _evaluate({**template, "Conditions": conditions}, parameters)
    return evaluated


def invoke_at_scheduled_time(target: Template, event: Template, *rest: object) -> None:
    """Fire a schedule's target."""
    scheduled = datetime.fromtimestamp(event["Time"], UTC)
    text = target.get("Input", "").replace(
        "<aws.scheduler.scheduled-time>", f"{scheduled:%Y-%m-%dT%H:%M:%SZ}"
    )
    _invoke({**target, "Input": text}, event, *rest)


def extract_iam_action(*request: object) -> str | None:
    """The permission that a request asks for."""
    action: str | None = _extract(*request)
    return "sns:Publish" if action == "sns:PublishBatch" else action


def _resolved(expression: Any, parameters: Template) -> Any:  # noqa: ANN401
    match expression:
        case dict() if len(expression) == 1 and next(iter(expression)) in _FUNCTIONS:
            return engine._resolve_refs(expression, {}, parameters, {}, {}, "", "")
        case dict():
            return {name: _resolved(part, parameters) for name, part in expression.items()}
        case list():
            return [_resolved(part, parameters) for part in expression]
    return expression


def alarm_handlers(known: dict[str, Any]) -> dict[str, Any]:
    """Those that ministack has, but for alarms over metric math."""

    def create(logical_id: str, properties: Template, stack: str) -> tuple[str, Template]:
        if "Metrics" in properties:
            name = str(properties["AlarmName"])
            return name, {"Arn": f"arn:aws:cloudwatch:us-east-1:000000000000:alarm:{name}"}
        made: tuple[str, Template] = known["create"](logical_id, properties, stack)
        return made

    def update(
        physical_id: str, old: Template, new: Template, *rest: object
    ) -> tuple[str, Template]:
        if "Metrics" in new:
            return create("", new, "")
        updated: tuple[str, Template] = known["update"](physical_id, old, new, *rest)
        return updated

    return {**known, "create": create, "update": update}


def topic_handlers(known: dict[str, Any]) -> dict[str, Any]:
    """Those that ministack has; a new topic has a new name."""

    def create(logical_id: str, properties: Template, stack: str) -> tuple[str, Template]:
        _name_anew()
        made: tuple[str, Template] = known["create"](logical_id, properties, stack)
        return made

    return {**known, "create": create}


def log_group_handlers(known: dict[str, Any]) -> dict[str, Any]:
    """Those that ministack has; a new log group has a new name, and keeps it."""

    def create(logical_id: str, properties: Template, stack: str) -> tuple[str, Template]:
        _name_anew()
        name = provisioners._physical_name(stack, logical_id)
        made: tuple[str, Template] = known["create"](
            logical_id, {"LogGroupName": name, **properties}, stack
        )
        return made

    def update(
        physical_id: str, old: Template, new: Template, *rest: object
    ) -> tuple[str, Template]:
        named = {"LogGroupName": physical_id}
        updated: tuple[str, Template] = known["update"](
            physical_id, named | old, named | new, *rest
        )
        return updated

    return {**known, "create": create, "update": update}


def machine_handlers(known: dict[str, Any]) -> dict[str, Any]:
    """Those that ministack has; a new state machine does not take another's place."""

    def create(logical_id: str, properties: Template, stack: str) -> tuple[str, Template]:
        name = properties["StateMachineName"]
        if any(machine["name"] == name for machine in stepfunctions._state_machines.values()):
            raise ValueError(f"StateMachineAlreadyExists: {name}")
        made: tuple[str, Template] = known["create"](logical_id, properties, stack)
        return made

    return {**known, "create": create}


def _name_anew() -> None:
    """As ministack itself does for buckets."""
    if not provisioners._NAME_SEED.get():
        provisioners._NAME_SEED.set(uuid.uuid4().hex[:8])


def take_query(logical_id: str, _: Template, stack: str) -> tuple[str, Template]:
    """A saved query's id."""
    return f"{stack}-{logical_id}", {}


def keep_query(physical_id: str, *_: object) -> tuple[str, Template]:
    """The same query after an update."""
    return physical_id, {}


def forget_query(*_: object) -> None:
    """Nothing was kept."""


def main() -> None:
    """Serve until the process is stopped."""
    for module in (changesets, engine, handlers, stacks):  # each imported it by its name
        module._evaluate_conditions = resolve_then_evaluate
    eventbridge._invoke_target = invoke_at_scheduled_time
    iam_actions.extract_iam_action = extract_iam_action
    provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {
        "create": take_query,
        "update": keep_query,
        "delete": forget_query,
    }
    for kind, handlers_of in (
        ("AWS::CloudWatch::Alarm", alarm_handlers),
        ("AWS::Logs::LogGroup", log_group_handlers),
        ("AWS::SNS::Topic", topic_handlers),
        ("AWS::StepFunctions::StateMachine", machine_handlers),
    ):
        known = provisioners._RESOURCE_HANDLERS[kind]
        provisioners._RESOURCE_HANDLERS[kind] = handlers_of(known)
    app._port_is_bindable = lambda *_: False
    app.main()


if __name__ == "__main__":
    main()
