"""The place of the state machine: a stack of its own that has it switched on.

`new_stack` makes the stack, `Sam.invoke` also starts a state machine. To try: a fleet that needs
several children, and a child that fails, whose instances are unknown in a report that is complete.
"""

import pytest

from tests.template import Template


@pytest.mark.skipif(
    "AWS::Serverless::StateMachine"
    not in {resource["Type"] for resource in Template.read().resources.values()},
    reason="template.yaml has no state machine",
)
def test_a_child_that_fails_leaves_a_report_with_its_instances_unknown() -> None:
    pytest.fail("template.yaml has a state machine by now: deploy it, and let a child fail")
