"""Plans of executed statements, for tests of what a claim reads."""

from django.db import connection
from psycopg import sql

IN_ORDER = {"task_free_alone", "task_free_in_chain", "task_free_for_some"}
PAGES = 50


def run_prepared(statement, values):
    """The plan of a statement, prepared and executed."""
    with connection.cursor() as cursor:
        cursor.execute(f"PREPARE asked AS {statement.text.decode()}")
        arguments = statement.arguments({"protocol": "", "filling": False} | values)
        given = [sql.Literal(value).as_string(connection.connection) for value in arguments]
        execute = f"EXECUTE asked ({', '.join(given)})"
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {execute}")
        plan = cursor.fetchone()[0][0]["Plan"]
        cursor.execute("DEALLOCATE asked")
    return plan


def rerun(asked, mark):
    """The plan of the first of these statements that contains `mark`."""
    statement, params = next(sent for sent in asked if mark in sent[0])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", params)
        return cursor.fetchone()[0][0]["Plan"]


def nodes(plan):
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def named(plan, name):
    """The part of the plan for the WITH query of this name."""
    return next(node for node in nodes(plan) if node.get("Subplan Name") == f"CTE {name}")


def walks(plan):
    """The innermost limited reads of the plan: one for each queue that a claim looks at."""
    limits = [node for node in nodes(plan) if node["Node Type"] == "Limit"]
    return [node for node in limits if "Sort" not in {below["Node Type"] for below in nodes(node)}]


def pages(node):
    return node["Shared Hit Blocks"] + node["Shared Read Blocks"]


def scans_of_tasks(plan):
    return [
        (node["Node Type"], node.get("Index Name"))
        for node in nodes(plan)
        if node.get("Relation Name") == "tasks_task" and "Scan" in node["Node Type"]
    ]


def uses_no_seq_scan(plan):
    return "Seq Scan" not in {scan for scan, _ in scans_of_tasks(plan)}


def reads_in_order(plan, most):
    """The plan reads so many entries of the indexes of free tasks in order, and sorts nothing."""
    assert "Sort" not in {node["Node Type"] for node in nodes(plan)}
    assert {scan for scan, _ in scans_of_tasks(plan)} <= {"Index Scan", "Index Only Scan"}
    assert {index for _, index in scans_of_tasks(plan)} <= IN_ORDER
    assert pages(plan) <= most + 20  # each on a page of its own, and the way to them
    return True


def rows_read(sql, params, tables):
    """The number of rows of these tables that a statement reads, with those filtered out."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        plan = cursor.fetchone()[0][0]["Plan"]
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan)
        if any(node.get("Relation Name", "").startswith(name) for name in tables)
    )
