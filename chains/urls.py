"""The paths of chains, and those of agents and tasks whose answers show chains."""

from django.urls import path

from chains import views

urlpatterns = [
    path("v1/chains", views.ChainsView.as_view()),
    path("v1/chains/<uuid:chain_id>", views.ChainView.as_view()),
    path("v1/chains/<uuid:chain_id>/detach", views.DetachView.as_view()),
    path("v1/chains/<uuid:chain_id>/assign-agent", views.AssignAgentView.as_view()),
    path("v1/agents/request-session", views.RequestSessionView.as_view()),
    path("v1/agents/<name:agent_id>/chain", views.AgentChainView.as_view()),
    path("v1/agents/<name:agent_id>/retire", views.RetireView.as_view()),
    path("v1/tasks/<uuid:task_id>/why", views.WhyView.as_view()),
    path("v1/tasks", views.TasksView.as_view()),
]
