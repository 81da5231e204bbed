"""Run cases of the machine on LocalStack's interpreter, whose behavior is recorded from AWS's own.

It runs in an environment of its own (`make .venv-asl/ready`), as a script without the rest of this
project. It reads {"machine": …, "event": …, "cases": {NAME: {STATE: [ANSWER, …]}}}; the last answer
of a state is repeated, and one of the form {"Error": …, "Cause": …} is thrown. It writes for each
case how it ended and the states that it entered.
"""

import json
import logging
import os
import subprocess
import sys
import threading

import localstack.services.stepfunctions.asl.component.common.retry.retrier_decl as retrier
import localstack.services.stepfunctions.asl.component.state.state_execution.state_task.local_mock_eval_utils as mocking  # noqa: E501  # the package's own name
import localstack.services.stepfunctions.asl.component.state.state_wait.wait_function.wait_function  # noqa: F401  # loads what waits, so that the patches below reach it
import localstack.services.stepfunctions.asl.jsonata.jsonata as engine
from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name_type import (  # noqa: E501  # the package's own name
    StatesErrorNameType,
)
from localstack.services.stepfunctions.asl.eval.environment import Environment
from localstack.services.stepfunctions.asl.eval.evaluation_details import (
    AWSExecutionDetails,
    EvaluationDetails,
    ExecutionDetails,
    StateMachineDetails,
)
from localstack.services.stepfunctions.backend.execution_worker import SyncExecutionWorker
from localstack.services.stepfunctions.local_mocking.mock_config import (
    LocalMockedResponseReturn,
    LocalMockedResponseThrow,
)

ARN = "arn:aws:states:eu-west-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role/machine"
SECONDS = 120

# ── JSONata by the reference implementation, which needs no Java ─────────────────────────────────

node = subprocess.Popen(
    ["node", os.path.join(os.path.dirname(__file__), "jsonata_server.js"), sys.argv[1]],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
)
asking = threading.Lock()


def evaluate(expression):
    """Return what the reference gives for an expression with its variables before it."""
    with asking:
        node.stdin.write(json.dumps(str(expression)) + "\n")
        node.stdin.flush()
        answer = json.loads(node.stdout.readline())
    if "error" in answer:
        raise engine.JSONataException("UNKNOWN", answer["error"])
    return answer.get("value")


def declare(bindings):
    """Return variables as JSONata declares them; JSON is such text."""
    return "".join(f"{name}:={json.dumps(value)};" for name, value in bindings.items())


engine._eval_jsonata = evaluate
for module in list(sys.modules.values()):
    if hasattr(module, "encode_jsonata_variable_declarations"):
        module.encode_jsonata_variable_declarations = declare

# ── Answers instead of services, and no waiting ──────────────────────────────────────────────────

answers = {}


def answer_of(environment):
    """Return the next answer of the state that is being run."""
    state = environment.next_state_name
    asked = environment.next_local_mock_invocation_number
    number = asked.get(state, 0)
    asked[state] = number + 1
    answer = answers[state][min(number, len(answers[state]) - 1)]
    if isinstance(answer, dict) and "Error" in answer:
        return LocalMockedResponseThrow(0, 0, answer["Error"], answer["Cause"])
    return LocalMockedResponseReturn(0, 0, answer)


def error_name(name):
    """Return an error's name, also one that the service itself knows, such as States.Timeout."""
    for known in StatesErrorNameType:
        if known.to_name() == name:
            return StatesErrorName(typ=known)
    return custom_error_name(name)


custom_error_name, mocking.CustomErrorName = mocking.CustomErrorName, error_name
Environment.is_local_mocked_mode = lambda _: True
Environment.get_current_local_mocked_response = answer_of
retrier.time.sleep = lambda _: None


class Nobody:
    """Whoever would be told that the execution is over."""

    def terminated(self):
        """Take no notice."""


def run(machine, event):
    """Run the machine and return how it ended and where it was."""
    worker = SyncExecutionWorker(
        EvaluationDetails(
            AWSExecutionDetails("123456789012", "eu-west-1", ROLE),
            ExecutionDetails(
                f"{ARN}:execution:machine:1", "1", ROLE, event, "2026-11-25T13:00:00.123Z"
            ),
            StateMachineDetails(f"{ARN}:stateMachine:machine", "machine", "STANDARD", machine),
        ),
        Nobody(),
        None,
        {},
    )
    thread = threading.Thread(target=worker.start, daemon=True)
    thread.start()
    thread.join(SECONDS)
    history = worker.env.event_manager.get_event_history()
    events = history["events"] if isinstance(history, dict) else history
    end = events[-1]
    details = end.get("executionSucceededEventDetails") or end.get("executionFailedEventDetails")
    entered = [
        e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e
    ]
    return {"type": end["type"], "details": details or {}, "states": entered}


def main():
    """Run every case that comes on standard input."""
    global answers
    logging.disable(logging.CRITICAL)
    asked = json.load(sys.stdin)
    ends = {}
    for name, case in asked["cases"].items():
        answers = case
        ends[name] = run(json.dumps(asked["machine"]), asked["event"])
    json.dump(ends, sys.stdout)


if __name__ == "__main__":
    main()
