"""What agents and programs do while people look on: plain HTTP with the token."""

import hashlib

import httpx

from tests.browser.people import TOKEN


class Fleet(httpx.Client):
    """Sends JSON under /v1 and wants success."""

    def __init__(self, url):
        super().__init__(
            base_url=f"{url}/v1/", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
        )

    def ask(self, method, path, **body):
        answer = self.request(method, path, json=body or None)
        assert answer.is_success, answer.text
        return answer.json()

    def channel(self, name):
        """A new one; if its name is taken, as where a module is come back to, it has another."""
        taken = {"error": {"code": "conflict", "message": f"There is a channel named {name!r}."}}
        answer = self.post("channels", json={"name": name})
        if answer.json() == taken:
            return self.channel(f"{name} again")
        assert answer.is_success, answer.text
        return answer.json()["channel"]

    def chain(self, channel, name, titles):
        """A chain with a task of each title, in this order."""
        chain = self.ask("POST", "chains", channel_id=channel["id"], name=name)["chain"]
        tasks = [self.task(channel, title, chain_id=chain["id"]) for title in titles]
        return chain, tasks

    def task(self, channel, title, **more):
        return self.ask("POST", "tasks", channel_id=channel["id"], title=title, **more)["task"]

    def tasks(self, channel, titles):
        """Many tasks that stand alone, in one request."""
        body = [{"channel_id": channel["id"], "title": title} for title in titles]
        answer = self.post("tasks", json=body)
        assert answer.is_success, answer.text
        return answer.json()["tasks"]

    def claim(self, agent, channel):
        body = self.ask("POST", "tasks/claim", agent_id=agent, channel=channel["name"])
        return body["task"]

    def complete(self, agent, task):
        return self.ask("POST", "tasks/complete", task_id=task["id"], agent_id=agent)["task"]

    def act(self, kind, verb, row):
        """What another operator does."""
        path = self.base_url.copy_with(path=f"/console/{kind}/{verb}")
        answer = self.post(path, json={"ids": [row["id"]], "reason": "by another"})
        assert answer.json() == {"done": 1, "refused": []}

    def command(self, queue, name, runner, **more):
        """The task of a new command, which this runner has claimed."""
        jobs = self.base_url.copy_with(path="/api/v1/jobs")
        body = {"name": name, "source_type": "none", "job_command": "make", "queue_name": queue}
        answer = self.post(jobs, json=body | more)
        assert answer.is_success, answer.text
        return self.claim(runner, {"name": queue})

    def log(self, task, sequence, *lines, stream="stdout"):
        """Lines that the runner of a command sends."""
        entries = [
            {"at": f"2026-01-31T12:00:{number % 60:02}Z", "message": line}
            for number, line in enumerate(lines)
        ]
        said = {"stream": stream, "sequence": sequence, "entries": entries}
        return self.ask("POST", f"tasks/{task['id']}/logs", **self._holder(task), **said)

    def file(self, task, path, content):
        answer = self.put(
            f"tasks/{task['id']}/artifacts/{path}",
            params=self._holder(task),
            content=content,
            headers={"X-Content-SHA256": hashlib.sha256(content).hexdigest()},
        )
        assert answer.is_success, answer.text

    def exit(self, task, status="completed", code=0):
        said = {"status": status, "exit_code": code}
        return self.ask("POST", f"tasks/{task['id']}/exit", **self._holder(task), **said)

    def _holder(self, task):
        return {"agent_id": task["assigned_agent_id"], "lease_epoch": task["lease_epoch"]}

    def seen(self, task):
        return self.ask("GET", f"tasks/{task['id']}")["task"]

    def seen_chain(self, chain):
        return self.ask("GET", f"chains/{chain['id']}")["chain"]
