"""A runner of the tests, run in a thread, and the jobs that it runs."""

import itertools
import threading
from contextlib import contextmanager

from coordinator_client import Coordinator
from coordinator_client.runner import Runner
from tests.coordinator_project.running import eventually

numbers = itertools.count(1)


class Bench:
    """A queue of its own with a runner."""

    def __init__(self, gateway, **more):
        self.gateway = gateway
        self.queue = f"queue-{next(numbers)}"
        self.client = Coordinator(gateway.url)
        self.runner = Runner([self.queue], url=gateway.url, heartbeat_seconds=0.2, **more)
        self.runner.agent.wait_seconds = 1
        self.error = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.runner.run()
        except Exception as error:
            self.error = error

    def submit(self, command, **fields):
        return self.client.submit_job("job", command, queue_name=self.queue, **fields)

    def ended(self, job, within=30):
        def look():
            found = self.client.job(job.job_id)
            return found if found.has_ended else None

        return eventually(look, within)

    def do(self, command, within=30, **fields):
        """Run a command to its end; the job and its lines on stdout."""
        job = self.ended(self.submit(command, **fields), within)
        return job, self.gateway.lines(job.task_id)

    def begun(self, job, line="begun"):
        """Wait until the command has said so."""
        return eventually(lambda: line in self.gateway.lines(job.task_id))

    def workspaces(self):
        return list(self.runner.workspaces.iterdir())

    def stop(self):
        self.runner.stop()
        self.runner.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.client.close()


@contextmanager
def bench(gateway, **more):
    one = Bench(gateway, **more)
    try:
        yield one
    finally:
        one.stop()
        assert one.workspaces() == []
