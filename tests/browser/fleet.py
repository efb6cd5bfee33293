"""What agents and programs do while people look on: plain HTTP with the token."""

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
        return self.ask("POST", "channels", name=name)["channel"]

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

    def seen(self, task):
        return self.ask("GET", f"tasks/{task['id']}")["task"]

    def seen_chain(self, chain):
        return self.ask("GET", f"chains/{chain['id']}")["chain"]
