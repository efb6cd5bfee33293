"""An agent of the tests, run in a thread."""

import threading
from contextlib import contextmanager

from coordinator_client import Agent
from tests.coordinator_project.running import eventually


class RunningAgent:
    def __init__(self, agent):
        self.agent = agent
        self.error = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.agent.run()
        except Exception as error:
            self.error = error

    def end(self, within=20):
        self.agent.stop()
        return self.ended(within)

    def ended(self, within=20):
        self.thread.join(within)
        return not self.thread.is_alive()


@contextmanager
def running_agent(url, channel, handler, **more):
    more = {"heartbeat_seconds": 0.2, "drain_seconds": 5, "grace_seconds": 1} | more
    one = RunningAgent(Agent([channel], handler, url=url, **more))
    try:
        yield one
    finally:
        one.agent.stop()
        one.agent.stop()
        assert one.ended()


def ended(client, task_id, within=20):
    """The task, once it is neither queued nor in progress."""

    def look():
        task = client.task(task_id)
        return task if task.status not in {"queued", "in_progress"} else None

    return eventually(look, within)


def in_progress(client, task_id):
    return eventually(lambda: client.task(task_id).status == "in_progress")
