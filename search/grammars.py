"""Definitions in other languages than Python, by tree-sitter: where it and the language's grammar
are installed (`tree-sitter` and, for example, `tree-sitter-javascript`), which is never required.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from search.chunks import Span

GRAMMARS = {
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "go": ("tree_sitter_go", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "java": ("tree_sitter_java", "language"),
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
}
"""The module of a language's grammar, and its function."""
KINDS = {
    "function_declaration": "function",
    "generator_function_declaration": "function",
    "function_definition": "function",
    "function_item": "function",
    "method_definition": "method",
    "method_declaration": "method",
    "class_declaration": "class",
    "class_specifier": "class",
    "struct_item": "class",
    "struct_specifier": "class",
    "interface_declaration": "class",
    "impl_item": "class",
    "trait_item": "class",
    "enum_item": "class",
    "type_spec": "class",
}
VALUES = {"arrow_function", "function_expression", "class"}
DEEPEST = 100

log = logging.getLogger("coordinator.search")


@dataclass(frozen=True, slots=True)
class Definition:
    """What a file defines; `symbol` has what it is in before a dot."""

    symbol: str
    kind: str
    span: Span
    lead: str = ""


def definitions(text: str, language: str) -> list[Definition]:
    """The definitions of a file in their order; none where no grammar is there to tell."""
    parser = _parser(language)
    if parser is None:
        return []
    source = text.encode()
    return list(_below(parser.parse(source).root_node, source))


@cache
def _parser(language: str) -> Any | None:
    module, function = GRAMMARS.get(language, ("", ""))
    if not module or find_spec("tree_sitter") is None or find_spec(module) is None:
        return None
    tree_sitter: Any = import_module("tree_sitter")
    grammar = getattr(import_module(module), function)()
    try:
        return tree_sitter.Parser(tree_sitter.Language(grammar))
    except (TypeError, ValueError) as problem:  # the grammar is of another version
        log.warning("A grammar is not used.", extra={"language": language, "problem": str(problem)})
        return None


def _below(
    node: Any, source: bytes, within: str = "", depth: int = 0, before: bytes = b""
) -> Iterator[Definition]:
    """The definitions in a node; `before`: the comment above it."""
    for child in node.children:
        if "comment" in child.type:
            before = source[child.start_byte : child.end_byte]
            continue
        found = _defined(child, source)
        inner = within
        if found:
            name, kind = found
            inner = f"{within}.{name}" if within else name
            span = Span(child.start_point[0] + 1, child.end_point[0] + 1)
            yield Definition(inner, kind, span, before.decode("utf-8", "replace"))
        if depth < DEEPEST:
            above = b"" if found else before
            yield from _below(child, source, inner, depth + 1, above)
        if child.is_named:
            before = b""


def _defined(node: Any, source: bytes) -> tuple[str, str] | None:
    kind = KINDS.get(node.type)
    named = node.child_by_field_name("name") or node.child_by_field_name("declarator")
    if node.type == "variable_declarator":
        value = node.child_by_field_name("value")
        if value is None or value.type not in VALUES:
            return None
        kind = "class" if value.type == "class" else "function"
    if kind is None:
        return None
    if named is None:
        named = node.child_by_field_name("type")
    while named is not None and named.child_by_field_name("declarator") is not None:
        named = named.child_by_field_name("declarator")
    if named is None:
        return None
    return source[named.start_byte : named.end_byte].decode("utf-8", "replace"), kind
