"""Reports of an agent: several outcomes, and a claim."""


def report(api, *outcomes, agent_id="a", **more):
    return api.post("/tasks/report", agent_id=agent_id, outcomes=list(outcomes), **more)


def done(task, **more):
    return {"task_id": task["id"], "status": "done"} | more


def failed(task, **more):
    return {"task_id": task["id"], "status": "failed"} | more
