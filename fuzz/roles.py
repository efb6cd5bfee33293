"""The roles that send requests, as data; a new one is a line here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fuzz.traces import Rule, everything, nothing, of_agent, own_tokens, owning, steering

AGENT = "fuzz agent"
AGENT_KEY = "the key of all fuzzed SPOTs"


@dataclass(frozen=True, slots=True)
class Role:
    """Who sends the requests of a pass, and the changes that may be found after it.

    `token`: the role of a user's token; the user has registered, or administers. `scopes`: those of
    functions to which it is limited. `agent`: of which
    agent a token is; with neither nobody is known. `settings`: of the coordinator. `paths`: an
    expression for those that are tried.
    """

    name: str
    may: Rule
    token: str = ""
    scopes: Sequence[str] = ()
    registers: bool = True
    agent: str = ""
    header: str = "Authorization"
    settings: Mapping[str, str] = field(default_factory=dict)
    paths: str = ""


ROLES: Mapping[str, Role] = {
    role.name: role
    for role in (
        # Those who may do least come first: what others leave behind could end while they run.
        Role("anonymous", nothing),
        Role("reader", nothing, token="operator", scopes=("read", "sign")),  # noqa: S106 (a role)
        Role("support", own_tokens, token="support"),  # noqa: S106
        Role("agent", of_agent, agent=AGENT),
        Role("user", owning, token="user"),  # noqa: S106
        Role("operator", steering, token="operator"),  # noqa: S106
        Role("admin", everything, token="admin", registers=False),  # noqa: S106
        # On all other paths the key is nobody's, as for `anonymous`; where it is set, no other
        # credential counts on its own, so it has a coordinator for itself.
        Role(
            "agent-key",
            steering,
            header="X-Orhestra-Key",
            settings={"ORHESTRA_AGENT_KEY": AGENT_KEY},
            paths="^/internal/v1/",
        ),
    )
}
