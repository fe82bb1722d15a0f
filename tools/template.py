"""Reads template.yaml, and resolves its intrinsic functions as far as tests need it."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_PATH = Path(__file__).parent.parent / "template.yaml"

ACCOUNT = "us-east-1:111122223333"
KEY = f"arn:aws:kms:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SECRET = f"arn:aws:secretsmanager:{ACCOUNT}:secret:backup-audit/api-AbCdEf"
# The parameters that have no default.
REQUIRED = {"CfApiUrl": "https://api.sys.example.com", "CfCredentialsSecretArn": SECRET}

NO_VALUE = object()
PSEUDO_PARAMETERS = {
    "AWS::AccountId": "111122223333",
    "AWS::NoValue": NO_VALUE,
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "backup-audit",
    "AWS::URLSuffix": "amazonaws.com",
}


class Template:
    """The template as CloudFormation reads it: short tags are spelled out."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.parameters: dict[str, Any] = document["Parameters"]
        self.groups: list[Any] = document["Metadata"]["AWS::CloudFormation::Interface"][
            "ParameterGroups"
        ]
        self.conditions: dict[str, Any] = document["Conditions"]
        self.resources: dict[str, Any] = document["Resources"]
        self.document = document

    @classmethod
    @cache
    def read(cls) -> "Template":
        """The template of this project."""
        return cls(yaml.load(_PATH.read_text("utf-8"), _Loader))

    def properties(self, resource: str) -> dict[str, Any]:
        """The properties of a resource, unresolved."""
        properties: dict[str, Any] = self.resources[resource]["Properties"]
        return properties

    @property
    def variables(self) -> dict[str, Any]:
        """The function's environment variables, unresolved."""
        variables: dict[str, Any] = self.properties("AuditFunction")["Environment"]["Variables"]
        return variables

    def variables_by_parameter(self) -> dict[str, str]:
        """The variable that each parameter sets, of those that set one."""
        return {
            value["Ref"]: variable
            for variable, value in self.variables.items()
            if isinstance(value, dict) and value.get("Ref") in self.parameters
        }

    def resolved(self, value: object, **given: str) -> Any:  # noqa: ANN401
        """A value under given parameters; the others have their defaults.

        Every branch of Fn::If is evaluated, as CloudFormation may do; an index out of range raises.
        """
        return self._resolver(given).resolve(value)

    def _resolver(self, given: Mapping[str, str]) -> "_Resolver":
        assert given.keys() <= self.parameters.keys(), "the template has no such parameter"
        defaults = {
            name: str(parameter["Default"])
            for name, parameter in self.parameters.items()
            if "Default" in parameter
        }
        return _Resolver(self, {**defaults, **given})

    def refusals(self, **given: str) -> list[str]:
        """What the Rules say against a deployment with given parameters."""
        return [
            assertion["AssertDescription"]
            for rule in self.document["Rules"].values()
            if self.resolved(rule["RuleCondition"], **given)
            for assertion in rule["Assertions"]
            if not self.resolved(assertion["Assert"], **given)
        ]

    def deployed(self, **given: str) -> dict[str, Any]:
        """The resources and outputs that there are under given parameters, resolved."""
        resolve = self._resolver(given).resolve
        parts = self.resources | self.document["Outputs"]
        return {
            name: resolve(part)
            for name, part in parts.items()
            if "Condition" not in part or resolve({"Condition": part["Condition"]})
        }


def walk(value: object) -> Iterator[Any]:
    """A value and everything in it."""
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        yield from walk(part)


class _Resolver:
    """References to resources and their attributes come out as names in angle brackets."""

    def __init__(self, template: Template, parameters: Mapping[str, str]) -> None:
        self._template = template
        self._parameters = parameters
        self._values = PSEUDO_PARAMETERS | dict(parameters)

    def resolve(self, value: object) -> Any:  # noqa: ANN401
        if isinstance(value, str):
            return value
        match value:
            case {"Condition": str(name), **rest} if not rest:
                return self.resolve(self._template.conditions[name])
            case dict() if len(value) == 1 and next(iter(value)) in _FUNCTIONS:
                name, argument = next(iter(value.items()))
                return _FUNCTIONS[name](self, argument)
            case dict():
                pairs = ((key, self.resolve(part)) for key, part in value.items())
                return {key: part for key, part in pairs if part is not NO_VALUE}
            case list():
                return [part for part in map(self.resolve, value) if part is not NO_VALUE]
        return value

    def ref(self, name: str) -> Any:  # noqa: ANN401
        if self._template.parameters.get(name, {}).get("Type") == "CommaDelimitedList":
            return self._parameters[name].split(",")
        return self._values.get(name, f"<{name}>")

    def sub(self, argument: Any) -> str:  # noqa: ANN401
        text, names = argument if isinstance(argument, list) else (argument, {})
        given = {name: self.resolve(part) for name, part in names.items()}

        def value_of(found: re.Match[str]) -> str:
            return str(given[found[1]] if found[1] in given else self.ref(found[1]))

        return re.sub(r"\$\{([^}]+)\}", value_of, text)

    def select(self, argument: Any) -> Any:  # noqa: ANN401
        index, parts = argument
        return self.resolve(parts)[index]

    def split(self, argument: Any) -> list[str]:  # noqa: ANN401
        separator, text = argument
        parts: list[str] = self.resolve(text).split(separator)
        return parts

    def join(self, argument: Any) -> str:  # noqa: ANN401
        separator, parts = argument
        return str(separator).join(self.resolve(parts))

    def choose(self, argument: Any) -> Any:  # noqa: ANN401
        condition, *branches = argument
        taken, other = map(self.resolve, branches)
        return taken if self.resolve(self._template.conditions[condition]) else other


_FUNCTIONS: dict[str, Any] = {
    "Ref": _Resolver.ref,
    "Fn::GetAtt": lambda _, name: f"<{name if isinstance(name, str) else '.'.join(name)}>",
    "Fn::Sub": _Resolver.sub,
    "Fn::Select": _Resolver.select,
    "Fn::Split": _Resolver.split,
    "Fn::Join": _Resolver.join,
    "Fn::If": _Resolver.choose,
    "Fn::Equals": lambda resolver, parts: len(set(resolver.resolve(parts))) == 1,
    "Fn::Not": lambda resolver, parts: not resolver.resolve(parts)[0],
    "Fn::Or": lambda resolver, parts: any(resolver.resolve(parts)),
    "Fn::And": lambda resolver, parts: all(resolver.resolve(parts)),
}


class _Loader(yaml.CSafeLoader):
    """Spells out CloudFormation's short tags: `!Ref X` is read as `{"Ref": "X"}`."""


def _spelled_out(loader: yaml.CSafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    match node:
        case yaml.ScalarNode():
            return {name: loader.construct_scalar(node)}
        case yaml.SequenceNode():
            return {name: loader.construct_sequence(node, deep=True)}
        case _:
            raise TypeError(f"!{suffix} holds neither a text nor a list")


_Loader.add_multi_constructor("!", _spelled_out)
