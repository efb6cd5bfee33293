"""Where the source of a command comes from, and what is refused."""

import os
import subprocess

import pytest

from coordinator_client.runner import environment, sources
from coordinator_client.runner.command import BadCommand
from coordinator_client.runner.workspace import Workspace, remove
from tests.client.runners import bench


def git(folder, *arguments):
    who = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for kind in ("AUTHOR", "COMMITTER"):
        who |= {f"GIT_{kind}_NAME": "Ada", f"GIT_{kind}_EMAIL": "ada@example.org"}
    found = subprocess.run(
        ["git", "-C", str(folder), *arguments],  # noqa: S607
        env=os.environ | who,
        check=True,
        capture_output=True,
        text=True,
    )
    return found.stdout.strip()


def commit(folder, text):
    (folder / "file").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", text)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path, monkeypatch):
    found = tmp_path / "root"
    found.mkdir()
    monkeypatch.setenv("COORDINATOR_ALLOWED_ROOTS", str(found))
    return found


@pytest.fixture
def repository(root):
    """A branch, a tag, the reference of a request, and a commit that none of them names."""
    folder = root / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commits = {"old": commit(folder, "old")}
    git(folder, "tag", "v1")
    commits["main"] = commit(folder, "main")
    git(folder, "checkout", "--quiet", "-b", "feature/one")
    commits["feature"] = commit(folder, "feature")
    git(folder, "checkout", "--quiet", "--detach")
    commits["pull"] = commit(folder, "pull")
    git(folder, "update-ref", "refs/pull/7/head", "HEAD")
    git(folder, "checkout", "--quiet", "main")
    return folder, commits


@pytest.fixture
def here(root, shared):
    """A runner that starts when the allowed roots are set."""
    with bench(shared) as found:
        yield found


def test_each_kind_of_ref_is_checked_out(here, repository):
    folder, commits = repository
    wanted = {
        "": "main",
        "main": "main",
        "feature/one": "feature",
        "v1": "old",
        "refs/pull/7/head": "pull",
        "refs/heads/main": "main",
        commits["old"]: "old",
        commits["old"][:10]: "old",
    }

    for ref, name in wanted.items():
        job, lines = here.do("cat file", source_type="git", git_url=str(folder), git_ref=ref)
        assert (ref, job.status, lines) == (ref, "completed", [name])
        assert job.commit_sha == commits[name]


def test_a_ref_that_there_is_not_fails_before_the_command(here, repository):
    folder, _ = repository

    job, lines = here.do("echo ran", source_type="git", git_url=folder.as_uri(), git_ref="nope")

    assert (job.status, job.exit_code, lines) == ("failed", None, [])
    assert "'nope'" in job.last_error


def test_a_checkout_counts_towards_the_timeout(here, root, monkeypatch):
    program = root / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nsleep 300\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    job, _ = here.do(
        "true", source_type="git", git_url="https://example.org/a.git", timeout_seconds=1
    )

    assert (job.status, job.exit_code) == ("timeout", None)


def test_the_credential_of_a_url_is_seen_by_git_alone(here, root, monkeypatch):
    program = root / "bin" / "git"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\necho "$@" $GIT_PASSWORD >&2\necho "$GIT_PASSWORD" > "$SEEN"\nexit 1\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("LC_SEEN", "x")
    monkeypatch.setattr(environment, "FOR_CHECKOUT", {"SEEN"})
    monkeypatch.setenv("SEEN", str(root / "seen"))

    job, _ = here.do("true", source_type="git", git_url="https://ada:sesame99@example.org/a.git")

    assert job.status == "failed"
    assert (root / "seen").read_text() == "sesame99\n"
    said = here.gateway.text(job.task_id) + job.last_error
    assert "https://example.org/a.git" in said
    assert "sesame99" not in said


ASKED = {
    "https://example.org:8443/team/a.git": True,
    "https://example.org:8443/another/b.git": True,
    "https://example.org/team/a.git": False,
    "https://example.org:8444/team/a.git": False,
    "http://example.org:8443/team/a.git": False,
    "https://evil.example.org:8443/team/a.git": False,
    "https://example.org.evil.net:8443/team/a.git": False,
    "https://evil.net/example.org:8443/a.git": False,
}


@pytest.mark.parametrize(("url", "is_given"), ASKED.items())
def test_git_gives_the_credential_to_the_host_of_the_url_alone(tmp_path, url, is_given):
    """Asked as git asks itself, when a redirect or a submodule leads to another server."""
    remote = sources.remote("https://ada:sesame99@example.org:8443/team/a.git")
    checkout = sources.Checkout(None, tmp_path, remote, "")

    found = subprocess.run(
        ["git", "credential", "fill"],  # noqa: S607
        input=f"url={url}\n\n",
        env=environment.minimal() | {"HOME": str(tmp_path)} | checkout.environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert ("password=sesame99" in found.stdout) is is_given
    assert ("username=ada" in found.stdout) is is_given


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-oProxyCommand=x",
        "--upload-pack=x",
        "http://example.org/a",
        "ext::sh -c x",
        "git://example.org/a",
        "file:///etc",
        "/etc",
        "relative/path",
        "https://",
        "ssh://-oProxyCommand=x/a",
        "ssh://-x@host/a",
        "https://a b/c",
        "https://a\n/c",
        "-x@host:path",
        "ssh://user:password@host/a",
    ],
)
def test_urls_that_git_must_not_see_are_refused(root, url):
    with pytest.raises(BadCommand) as caught:
        sources.remote(url)

    assert "password@" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "plain", "protocol"),
    [
        ("https://example.org/a.git", "https://example.org/a.git", "https"),
        ("https://u:p%40ss@example.org:8443/a", "https://example.org:8443/a", "https"),
        ("ssh://git@example.org/a", "ssh://git@example.org/a", "ssh"),
        ("git+ssh://git@example.org/a", "git+ssh://git@example.org/a", "git+ssh"),
        ("git@example.org:team/a.git", "git@example.org:team/a.git", "ssh"),
    ],
)
def test_urls_that_are_allowed(url, plain, protocol):
    found = sources.remote(url)

    assert (found.url, found.protocol) == (plain, protocol)
    assert found.secrets == (["p@ss"] if "p%40ss" in url else [])


def test_a_credential_apart_from_the_url_is_as_one_in_it():
    url = "https://ada:p%40ss@example.org/a.git"

    assert sources.remote("https://example.org/a.git", "ada:p%40ss") == sources.remote(url)
    assert sources.remote("https://example.org/a.git", "token").username == "token"


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("https://ada:word@host/a", ["word"]),
        ("https://token@host/a", ["token"]),
        (f"https://{'t' * 40}:x-oauth-basic@host/a", ["x-oauth-basic", "t" * 40]),
    ],
)
def test_passwords_and_tokens_are_masked_and_short_names_are_not(url, secrets):
    assert sources.remote(url).secrets == secrets


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_folder_of_the_machine_may_have_a_blank_in_its_name(root, scheme):
    folder = root / "a b"
    folder.mkdir()

    assert sources.remote(f"{scheme}{folder}").url == folder.resolve().as_uri()


@pytest.mark.parametrize("ref", ["-x", "a b", "a..b", "a:b", "+a", "^a", "a@{1}", "a\n", "a*"])
def test_refs_that_are_none_are_refused(ref):
    with pytest.raises(BadCommand):
        sources.check_ref(ref)


def test_a_copy_keeps_structure_links_modes_and_names(here, root):
    source = root / "source"
    (source / "a" / "b").mkdir(parents=True)
    (source / "a" / "with space €.txt").write_text("text")
    (source / "a" / "b" / "run").write_text("#!/bin/sh\necho ran\n")
    (source / "a" / "b" / "run").chmod(0o755)
    (source / "link").symlink_to("a/b/run")
    (source / "absolute").symlink_to(source / "a")
    os.mkfifo(source / "pipe")

    job, lines = here.do(
        "./link; ls a absolute; readlink link absolute; ls pipe",
        source_type="copy",
        source_path=str(source),
    )

    assert lines[0] == "ran"
    assert lines.count("with space €.txt") == 2
    assert lines[-2:] == ["a/b/run", "a"]
    assert job.exit_code != 0  # there is no pipe


@pytest.mark.parametrize(
    "wrong", ["outside", "missing", "file", "link out", "link inside out", ".."]
)
def test_a_copy_of_what_is_not_allowed_is_refused(root, tmp_path, wrong):
    (tmp_path / "private").mkdir()
    (root / "file").write_text("x")
    (root / "link out").symlink_to(tmp_path / "private")
    (root / "link inside out").mkdir()
    (root / "link inside out" / "x").symlink_to("../../private")
    path = {"outside": tmp_path / "private", "..": f"{root}/../private"}.get(wrong, root / wrong)

    with pytest.raises(BadCommand):
        sources.copy(sources.allowed(str(path)), tmp_path / "target", lambda: None)


def test_without_allowed_roots_nothing_of_the_machine_is_copied(tmp_path):
    with pytest.raises(BadCommand):
        sources.allowed(str(tmp_path))


@pytest.mark.parametrize("path", ["/etc", "/job/../etc", "/jobs/x", "../x", "/job/src/out/x"])
def test_a_path_that_leaves_the_workspace_is_refused(tmp_path, path):
    workspace = Workspace(tmp_path)
    workspace.folder("/job/src")
    (workspace.job / "src" / "out").symlink_to("/usr")

    with pytest.raises(BadCommand):
        workspace.folder(path)
    workspace.remove()


def test_a_path_of_the_job_is_in_the_workspace(tmp_path):
    workspace = Workspace(tmp_path)

    assert workspace.folder("/job/src/a") == workspace.job / "src" / "a"
    assert workspace.folder("/job") == workspace.job
    assert workspace.inner(workspace.folder("/job/src")) == "/job/src"
    remove(workspace.top)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["x", "=1", "a b=1", "1A=x", "A=\0"])
def test_a_file_of_variables_that_makes_no_sense_is_refused(text):
    with pytest.raises(BadCommand, match="line 2"):
        environment.parsed("vars", f"A=1\n{text}")


def test_a_file_of_variables_is_found_only_in_the_workspace(tmp_path):
    workspace = Workspace(tmp_path)
    (workspace.job / "link").symlink_to("/etc/passwd")

    for path in ("../x", "/etc/passwd", "./job/../x", "./job/link", "./job/missing", "vars"):
        with pytest.raises(BadCommand):
            environment.from_file(workspace, path)
