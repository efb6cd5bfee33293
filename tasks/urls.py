"""The paths of channels, tasks and agents."""

from django.urls import path

from tasks import agent_views, dead_letter_views, views, waiting_views

urlpatterns = [
    path("v1/agents", agent_views.AgentsView.as_view()),
    path("v1/agents/heartbeat", agent_views.HeartbeatView.as_view()),
    path("v1/agents/<name:agent_id>/current-task", agent_views.CurrentTaskView.as_view()),
    path("v1/agents/<name:agent_id>/channels", agent_views.AgentChannelsView.as_view()),
    path("v1/agents/<name:agent_id>/drain", agent_views.DrainView.as_view()),
    path("v1/agents/<name:agent_id>/resume", agent_views.ResumeView.as_view()),
    path("v1/agents/<name:agent_id>", agent_views.AgentView.as_view()),
    path("v1/notifications", agent_views.NotificationsView.as_view()),
    path("v1/notifications/dismiss", agent_views.DismissView.as_view()),
    path("v1/channels", views.ChannelsView.as_view()),
    path("v1/channels/by-name/<name:name>", views.ChannelByNameView.as_view()),
    path("v1/channels/<uuid:channel_id>/pause", views.PauseView.as_view()),
    path("v1/channels/<uuid:channel_id>/resume", views.ResumeView.as_view()),
    path("v1/tasks/claim", views.ClaimView.as_view()),
    path("v1/tasks/claim/wait", waiting_views.claim_when_ready),
    path("v1/tasks/report", views.ReportView.as_view()),
    path("v1/tasks/assign", views.AssignView.as_view()),
    path("v1/tasks/complete", views.CompleteView.as_view()),
    path("v1/tasks/fail", views.FailView.as_view()),
    path("v1/tasks/inputs", views.InputsView.as_view()),
    path("v1/tasks/inputs/claim", views.InputClaimView.as_view()),
    path("v1/tasks/<uuid:task_id>", views.TaskView.as_view()),
    path("v1/tasks/<uuid:task_id>/status", views.StatusView.as_view()),
    path("v1/tasks/<uuid:task_id>/cancel", views.CancelView.as_view()),
    path("v1/tasks/<uuid:task_id>/requeue", views.RequeueView.as_view()),
    path("v1/tasks/<uuid:task_id>/renew", views.RenewView.as_view()),
    path("v1/tasks/<uuid:task_id>/release", views.ReleaseView.as_view()),
    path("v1/dead-letters", dead_letter_views.DeadLettersView.as_view()),
    path("v1/dead-letters/requeue", dead_letter_views.RequeueDeadLettersView.as_view()),
    path("v1/dead-letters/purge", dead_letter_views.PurgeDeadLettersView.as_view()),
]
