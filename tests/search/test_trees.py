import os

import pytest

from search import trees
from search.models import Kind
from search.trees import Root


@pytest.fixture
def tree(tmp_path):
    def write(path, content="text"):
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        return place

    write.root = Root("tree", tmp_path)
    return write


def paths(tree, besides=()):
    return [found.path for found in trees.files(tree.root, besides)]


def test_documents_and_code_are_found_in_order(tree):
    for path in ("b/two.py", "a.md", "b/one.md", "c.png", "d.json"):
        tree(path)

    assert paths(tree) == ["a.md", "b/one.md", "b/two.py"]
    assert trees.kind_of("b/two.py") == (Kind.CODE, "python")
    assert trees.kind_of("A.MD") == (Kind.DOCS, "markdown")


@pytest.mark.parametrize(
    "path",
    [
        *(".env", ".env.py", "prod.env", ".git/a.py", ".venv/a.py", "node_modules/a.js"),
        *("__pycache__/a.py", "id_rsa", "id_rsa.txt", "server.key", "cert.pem", "secret_key.py"),
        *("credentials.txt", ".hidden.md", "vendor/a.js", "requirements.txt", "empty.md"),
    ],
)
def test_what_may_be_secret_or_of_others_is_left_out(tree, path):
    tree(path, "" if path == "empty.md" else "text")

    assert paths(tree) == []


def test_no_link_is_followed(tree, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.md").write_text("secret")
    tree("a.md")
    (tree.root.folder / "link.md").symlink_to(outside / "secret.md")
    (tree.root.folder / "folder").symlink_to(outside)

    assert paths(tree) == ["a.md"]
    assert trees.read(tree.root, "link.md") is None


def test_a_link_that_takes_the_place_of_a_file_is_not_read(tree, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.md"
    outside.write_text("secret")
    place = tree("a.md")
    [found] = trees.files(tree.root)
    place.unlink()
    place.symlink_to(outside)

    assert trees.read(tree.root, found.path) is None


def test_a_folder_of_ours_is_left_out_whatever_contains_it(tree):
    tree("data/objects/log.txt")
    tree("a.md")

    assert paths(tree, [tree.root.folder / "data", tree.root.folder / "none"]) == ["a.md"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe not utf-8",
        b"binary \0 file",
        b"-----BEGIN RSA PRIVATE KEY-----\nMIIE",
    ],
)
def test_what_is_no_text_or_has_a_key_in_it_is_not_read(tree, content):
    tree("a.md", content)

    assert trees.read(tree.root, "a.md") is None


def test_large_files_are_left_out(tree, monkeypatch):
    monkeypatch.setattr(trees, "MOST_BYTES", 10)
    tree("a.md", "0123456789")
    tree("b.md", "0123456789a")

    assert paths(tree) == ["a.md"]
    assert trees.read(tree.root, "b.md") is None


def test_lines_end_alike(tree):
    tree("a.md", "\ufeffone\r\ntwo\rthree")

    assert trees.read(tree.root, "a.md") == "one\ntwo\nthree"


def test_what_is_no_file_is_not_waited_for(tree):
    os.mkfifo(tree.root.folder / "pipe.md")

    assert paths(tree) == []
    assert trees.read(tree.root, "pipe.md") is None


def test_a_name_that_is_no_text_is_left_out(tree):
    with open(os.fsencode(tree.root.folder) + b"/\xff.md", "w") as file:
        file.write("x")

    assert paths(tree) == []


def test_tests_count_less_than_what_they_test():
    assert trees.prior_of("tests/tasks/test_claim.py") < trees.prior_of("tasks/claims.py") == 1.0
    assert trees.prior_of("CHANGELOG.md") < trees.prior_of("README.md")


def test_a_folder_that_has_become_a_link_leads_nowhere(tmp_path):
    root, outside = trees.Root("tree", tmp_path / "root"), tmp_path / "outside"
    place = root.folder / "docs" / "inside" / "a.md"
    for file, text in ((place, "# Here\n"), (outside / "a.md", "# Elsewhere\n")):
        file.parent.mkdir(parents=True)
        file.write_text(text)
    assert trees.read(root, "docs/inside/a.md") == "# Here\n"

    place.unlink()
    place.parent.rmdir()
    place.parent.symlink_to(outside)

    assert trees.read(root, "docs/inside/a.md") is None


@pytest.mark.parametrize(
    "path", ["passwords.txt", "my-secret.txt", "api_token.txt", ".aws/config.txt", "a/.x/b.md"]
)
def test_what_may_be_secret_is_told_by_its_name_and_folders(path):
    assert trees.is_secret(path)


@pytest.mark.parametrize("path", ["docs/secrets.md", "tokens.py", "a.b/c.txt", "password_reset.py"])
def test_what_is_about_secrets_is_none(path):
    assert not trees.is_secret(path)
