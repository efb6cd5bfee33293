"""Every request of the API, described once: `Coordinator` and `AsyncCoordinator` send them."""

from coordinator_client.operation import Operation
from coordinator_client.operations import agents as for_agents
from coordinator_client.operations import chains as for_chains
from coordinator_client.operations import channels as for_channels
from coordinator_client.operations import executions as for_executions
from coordinator_client.operations import jobs as for_jobs
from coordinator_client.operations import tasks as for_tasks
from coordinator_client.operations import tokens as for_tokens


class Operations:
    """The methods of both clients. Those of the asynchronous one are awaited."""

    task = Operation(for_tasks.task)
    tasks = Operation(for_tasks.tasks)
    why = Operation(for_tasks.why)
    create_task = Operation(for_tasks.create_task)
    cancel_task = Operation(for_tasks.cancel_task)
    requeue_task = Operation(for_tasks.requeue_task)
    unlock_task = Operation(for_tasks.unlock_task)
    assign = Operation(for_tasks.assign)
    dead_letters = Operation(for_tasks.dead_letters)
    requeue_dead_letters = Operation(for_tasks.requeue_dead_letters)

    heartbeat = Operation(for_agents.heartbeat)
    claim = Operation(for_agents.claim)
    complete = Operation(for_agents.complete)
    fail = Operation(for_agents.fail)
    report = Operation(for_agents.report)
    renew = Operation(for_agents.renew)
    release = Operation(for_agents.release)
    post_event = Operation(for_agents.post_event)
    agents = Operation(for_agents.agents)
    agent = Operation(for_agents.agent)
    drain_agent = Operation(for_agents.drain_agent)
    resume_agent = Operation(for_agents.resume_agent)

    task_secrets = Operation(for_executions.task_secrets)
    send_log = Operation(for_executions.send_log)
    send_artifact = Operation(for_executions.send_artifact)
    report_exit = Operation(for_executions.report_exit)

    channels = Operation(for_channels.channels)
    channel = Operation(for_channels.channel)
    create_channel = Operation(for_channels.create_channel)
    pause_channel = Operation(for_channels.pause_channel)
    resume_channel = Operation(for_channels.resume_channel)

    chains = Operation(for_chains.chains)
    chain = Operation(for_chains.chain)
    create_chain = Operation(for_chains.create_chain)
    edit_chain = Operation(for_chains.edit_chain)
    delete_chain = Operation(for_chains.delete_chain)
    detach_chain = Operation(for_chains.detach_chain)
    assign_chain = Operation(for_chains.assign_chain)

    submit_job = Operation(for_jobs.submit_job)
    jobs = Operation(for_jobs.jobs)
    job = Operation(for_jobs.job)
    cancel_job = Operation(for_jobs.cancel_job)
    kill_job = Operation(for_jobs.kill_job)
    retry_job = Operation(for_jobs.retry_job)
    delete_job = Operation(for_jobs.delete_job)
    job_logs = Operation(for_jobs.job_logs)
    job_artifacts = Operation(for_jobs.job_artifacts)
    queues = Operation(for_jobs.queues)

    submit_sweep = Operation(for_jobs.submit_sweep)
    sweep = Operation(for_jobs.sweep)
    sweep_results = Operation(for_jobs.sweep_results)

    tokens = Operation(for_tokens.tokens)
    create_token = Operation(for_tokens.create_token)
    revoke_token = Operation(for_tokens.revoke_token)

    health = Operation(for_tokens.health)
    dashboard = Operation(for_tokens.dashboard)
